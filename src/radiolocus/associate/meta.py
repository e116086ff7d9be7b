"""Meta-analysis of cohorts, from their summary statistics to a folder of results that can be queried and exported."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.associate.cohorts import CohortOrder, CohortRows, open_cohort
from radiolocus.associate.dataset import PartWriter, part_writer, write_by_phenotype, write_rows, write_variant_ids
from radiolocus.associate.genomewide import problem_rows
from radiolocus.associate.meta_window import MEANINGS, MetaOptions, combine
from radiolocus.associate.summary import histogram_table, median_of, with_discoveries
from radiolocus.errors import ConfigError
from radiolocus.kernels.scan import EDGES
from radiolocus.model import Array, Problem
from radiolocus.read.sumstats import COLUMNS
from radiolocus.schema import conform
from radiolocus.stats.multiplicity import lambda_of_median
from radiolocus.store import Fingerprints, Stage, digest, locked, open_folder, read_json, write_json, write_table

__all__ = ["MetaFinished", "meta"]

# Rows of all cohorts together that are combined at a time.
_WINDOW = 1_000_000
_BIN = 1 << 15
# Files of others as Parquet, while they are combined.
_WORK = ".cohorts"
_ORDER = [*(str(i) for i in range(1, 23)), "X", "XY", "Y", "MT"]
# Scales that differ by more than this are told.
_UNITS = 2.0


@dataclass(frozen=True)
class MetaFinished:
    """What a meta-analysis left.

    Parameters
    ----------
    root : Path
    tests, rows, variants, phenotypes : int
        Tests made, rows kept, variants tested, phenotypes.
    genome_wide : int
        Tests with p < 5e-8; −1 where the rows that were kept do not tell.
    problems : polars.DataFrame
        Table ``problems``.
    """

    root: Path
    tests: int
    rows: int
    variants: int
    phenotypes: int
    genome_wide: int
    problems: pl.DataFrame


def meta(
    cohorts: Sequence[CohortOrder],
    out: Path | str,
    *,
    options: MetaOptions | None = None,
    columns: Mapping[str, str] | None = None,
    fresh: bool = False,
    step: Callable[[str], None] = lambda _what: None,
) -> MetaFinished:
    """Combine cohorts variant by variant and phenotype by phenotype.

    The genome is walked in stretches of about a million rows, so that memory does not grow with its length, nor with
    the number of phenotypes.

    Parameters
    ----------
    cohorts : sequence of CohortOrder
        Two or more; the first that has a variant says which of its alleles counts.
    out : Path or str
        Folder of the results.
    options : MetaOptions, optional
    columns : mapping, optional
        Columns of files of others; see :class:`radiolocus.read.sumstats.SumstatsSource`.
    fresh : bool
        Remove what stands there.
    step : callable, optional
        Told what is being done.

    Returns
    -------
    MetaFinished

    Raises
    ------
    ConfigError
        Fewer than two cohorts, two of one name, no phenotype that two have, or assemblies that disagree.
    FormatError, StoreError
        A cohort that cannot be read, or a folder that cannot be written.
    """
    options, root = options or MetaOptions(), Path(out)
    _check(cohorts, options)
    with locked(root):
        prints = Fingerprints(root)
        inputs = {order.name: _print_of(order, prints) for order in cohorts}
        prints.save()
        identity = digest("meta", inputs)
        open_folder(root, "meta", identity, fresh=fresh)
        write_json(root / "study.json", {"name": "meta", "identity": identity, "sections": ["genetics"]})
        stage = Stage(root, "sumstats", (options, dict(columns or {})), inputs)
        if stage.manifest() is None:
            started = time.monotonic()
            work = root / _WORK
            shutil.rmtree(work, ignore_errors=True)
            try:
                opened = []
                for number, order in enumerate(cohorts):
                    step(f"reading {order.name}")
                    opened.append(open_cohort(order, work / str(number), columns))
                _Analysis(stage, opened, options, step).run()
            finally:
                shutil.rmtree(work, ignore_errors=True)
            stage.finish(seed=None, wall_time_s=time.monotonic() - started)
        told = read_json(root, "sumstats/told.json") or {}
        counts = {name: told[name] for name in ("tests", "rows", "variants", "phenotypes", "genome_wide")}
        return MetaFinished(root, **counts, problems=pl.read_parquet(root / "problems.parquet"))


def _check(cohorts: Sequence[CohortOrder], options: MetaOptions) -> None:
    names = [order.name for order in cohorts]
    if len(names) < 2:
        raise ConfigError(f"{len(names)} cohorts", where="meta", allowed="two or more")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two cohorts called '{twice[0]}'", where="meta", todo="name them: NAME=PATH")
    if options.min_cohorts > len(names):
        raise ConfigError(f"min_cohorts = {options.min_cohorts} of {len(names)} cohorts", where="meta")


def _print_of(order: CohortOrder, prints: Fingerprints) -> str:
    """A scan is known by its manifest, whose key and sums stand for its tables."""
    manifest = order.path / "sumstats/manifest.json"
    if manifest.is_file():
        return prints.of(manifest)
    if order.path.exists():
        return prints.of(order.path)
    return prints.of(order.path.parent) if order.path.parent.is_dir() else ""


class _Analysis:
    """One meta-analysis, from opened cohorts to the tables."""

    def __init__(
        self, stage: Stage, cohorts: Sequence[CohortRows], options: MetaOptions, step: Callable[[str], None]
    ) -> None:
        self.stage, self.cohorts, self.options, self.step = stage, cohorts, options, step
        self.problems: list[Problem] = [p for cohort in cohorts for p in cohort.problems]
        self.phenotypes = self._shared()
        self._assemblies()
        count = len(self.phenotypes)
        self.index = {name: i for i, name in enumerate(self.phenotypes)}
        self.tests = np.zeros(count, dtype=np.int64)
        self.sizes = np.zeros(count, dtype=np.int64)
        self.top = np.full(count, -1.0)
        self.top_variant: list[str | None] = [None] * count
        self.histogram = np.zeros((count, EDGES.size), dtype=np.int64)
        self.outcomes: list[Counter[str]] = [Counter() for _ in cohorts]
        self.scale = np.zeros((len(cohorts), count, 2))
        self.brought = np.zeros((len(cohorts), count, 2), dtype=np.int64)
        self.variants = 0
        self.rows_of: Counter[str] = Counter()
        inflation = [[cohort.lambdas.get(name, np.nan) for name in self.phenotypes] for cohort in cohorts]
        self.lambdas: Array = np.array(inflation, dtype=np.float64)

    def _shared(self) -> list[str]:
        counts = Counter(name for cohort in self.cohorts for name in cohort.phenotypes)
        shared = [name for name in counts if counts[name] >= self.options.min_cohorts]
        for name, count in counts.items():
            if count < self.options.min_cohorts:
                got = f"in {count} of the {self.options.min_cohorts} cohorts that are needed"
                self.problems.append(Problem("meta", got, item=name, todo="call the phenotype the same everywhere"))
        if not shared:
            raise ConfigError(
                "no phenotype that enough cohorts have", where="meta",
                allowed="; ".join(f"{c.name}: {', '.join(c.phenotypes[:5])}" for c in self.cohorts),
                todo="call phenotypes the same in every cohort: PATH may hold {phenotype}",
            )  # fmt: skip
        return shared

    def _assemblies(self) -> None:
        declared = {cohort.name: cohort.assembly for cohort in self.cohorts if cohort.assembly}
        if len(set(declared.values())) > 1:
            told = ", ".join(f"{name} {assembly}" for name, assembly in declared.items())
            raise ConfigError(
                f"assemblies that disagree: {told}", where="meta", allowed="one assembly", todo="lift them over first"
            )

    def run(self) -> None:
        """Walk the genome and write every table."""
        root, stage = self.stage.root, self.stage
        for folder in (root / "sumstats").glob("chromosome=*"):
            shutil.rmtree(folder)
        with part_writer(root / "sumstats/variants.parquet", "sumstats/variants") as variants:
            parts = write_rows(root, self._rows(variants), "sumstats/meta")
        if not self.tests.sum():
            raise ConfigError(
                "no variant that enough cohorts have", where="meta", allowed=f"{self.options.min_cohorts} cohorts",
                todo="check that positions are of one assembly, and alleles of one strand",
            )  # fmt: skip
        for name, count in parts.items():
            stage.adopt(name, count)
        stage.adopt("sumstats/variants", variants.rows)
        stage.adopt(
            "sumstats/by_phenotype/part", write_by_phenotype(root, parts, self.rows_of, "sumstats/meta")
        )  # fmt: skip
        stage.adopt("sumstats/variant_ids", write_variant_ids(root))
        summary = self._summary([root / f"{name}.parquet" for name in parts])
        stage.write("sumstats/summary", summary)
        stage.write("sumstats/histogram", histogram_table(self.phenotypes, self.histogram))
        stage.write("sumstats/cohorts", self._cohorts())
        stage.write("sumstats/harmonisation", self._harmonisation())
        self._overlap()
        problems = problem_rows(self.problems)
        stage.write("sumstats/problems", problems)
        write_table(root, "problems", problems)
        self._tell(summary, sum(parts.values()))

    def _tell(self, summary: pl.DataFrame, rows: int) -> None:
        count, root = len(self.phenotypes), self.stage.root
        strong = -1 if summary["genome_wide"].null_count() else int(summary["genome_wide"].sum())
        told = {
            "tests": int(self.tests.sum()), "rows": rows, "variants": self.variants, "phenotypes": count,
            "genome_wide": strong,
            # the correlation of the phenotypes is not known: each counts whole
            "effective_li_ji": float(count), "effective_galwey": float(count),
        }  # fmt: skip
        write_json(root / "sumstats/told.json", told)
        keep = {"p_value": self.options.p_value, "all_rows": list(self.options.all_rows)}
        assembly = next((cohort.assembly for cohort in self.cohorts if cohort.assembly), "")
        options = {"keep": keep, "covariates": [], "genotypes": {"min_maf": 0.0}, "assembly": assembly}
        write_json(root / "sumstats/options.json", options | {"meta": asdict(self.options)})

    def _rows(self, variants: PartWriter) -> Iterator[pl.DataFrame]:
        names = {name for cohort in self.cohorts for name in cohort.chromosomes}
        for chromosome in [c for c in _ORDER if c in names] + sorted(names - set(_ORDER)):
            self.step(f"chromosome {chromosome}")
            scans = [cohort.scan(chromosome) for cohort in self.cohorts]
            for start, stop in _windows([scan for scan in scans if scan is not None]):
                frames = [_stretch(scan, start, stop, self.phenotypes) for scan in scans]
                yield self._combined(chromosome, frames, variants)

    def _combined(self, chromosome: str, frames: list[pl.DataFrame], variants: PartWriter) -> pl.DataFrame:
        """Combine one stretch, count, and give the rows that are kept."""
        inflation = np.where(self.options.genomic_control & (self.lambdas > 1), self.lambdas, 1.0)
        found = combine(frames, self.phenotypes, inflation, self.options)
        for c, counts in enumerate(found.outcomes):
            self.outcomes[c].update(counts)
        for c, scale in enumerate(found.scale):
            for name, total, common, rows, n in scale.iter_rows():
                i = self.index[name]
                self.scale[c, i] += total or 0.0, common
                self.brought[c, i] = self.brought[c, i, 0] + rows, max(self.brought[c, i, 1], n or 0)
        self.variants += int((found.variants["tests"] > 0).sum())
        variants.add(self._variants(chromosome, found.variants))
        self._count(found.rows)
        whole = pl.col("phenotype").is_in(list(self.options.all_rows))
        kept = found.rows.filter((pl.col("neg_log_10_p_value") >= -np.log10(self.options.p_value)) | whole)
        self.rows_of.update(dict(kept["phenotype"].value_counts().iter_rows()))
        return conform(kept.with_columns(chromosome=pl.lit(chromosome)), "sumstats/meta")

    def _variants(self, chromosome: str, found: pl.DataFrame) -> pl.DataFrame:
        tested = pl.col("tests") > 0
        reason = f"not in {self.options.min_cohorts} cohorts with alleles and frequencies that agree"
        return conform(
            found.with_columns(
                pl.lit(chromosome).alias("chromosome"), pl.lit(None, pl.Float64).alias("call_rate"),
                tested.alias("kept"),
                pl.when(~tested).then(pl.lit(reason)).alias("reason"),
            ),
            "sumstats/variants",
        )  # fmt: skip

    def _count(self, rows: pl.DataFrame) -> None:
        for (name,), part in rows.group_by("phenotype"):
            i = self.index[str(name)]
            log_p = part["neg_log_10_p_value"].to_numpy()
            self.tests[i] += part.height
            self.sizes[i] = max(self.sizes[i], int(part["n"].max() or 0))  # type: ignore[arg-type]
            bins = np.searchsorted(EDGES, log_p, side="right") - 1
            self.histogram[i] += np.bincount(bins, minlength=EDGES.size)
            if log_p.max() > self.top[i]:
                self.top[i], self.top_variant[i] = float(log_p.max()), part["variant_id"][int(log_p.argmax())]

    def _summary(self, parts: list[Path]) -> pl.DataFrame:
        frame = pl.DataFrame(
            {
                "phenotype": self.phenotypes, "n": self.sizes, "tests": self.tests,
                "covariates": pl.Series([None] * len(self.phenotypes), dtype=pl.Int64),
                "lambda_gc": [lambda_of_median(median_of(counts)) for counts in self.histogram],
                "top_variant": pl.Series(self.top_variant, dtype=pl.String),
                "top_neg_log_10_p_value": np.where(self.top >= 0, self.top, np.nan),
            }
        )  # fmt: skip
        counted = with_discoveries(frame, self.tests, self.histogram, parts, self.options.p_value)
        return conform(counted, "sumstats/summary")

    def _cohorts(self) -> pl.DataFrame:
        rows = []
        for c, cohort in enumerate(self.cohorts):
            for i, name in enumerate(self.phenotypes):
                total, common = self.scale[c, i]
                value = self.lambdas[c, i]
                rows.append(
                    {
                        "cohort": cohort.name, "phenotype": name, "layout": cohort.layout, "assembly": cohort.assembly,
                        "rows": int(self.brought[c, i, 0]), "n": int(self.brought[c, i, 1]) or None,
                        "lambda_gc": None if np.isnan(value) else value,
                        "corrected": bool(self.options.genomic_control and value > 1),
                        "scale": float(np.exp(total / common)) if common else None,
                    }
                )  # fmt: skip
        frame = conform(pl.DataFrame(rows, infer_schema_length=None), "sumstats/cohorts")
        self._units(frame)
        return frame

    def _units(self, cohorts: pl.DataFrame) -> None:
        """Tell phenotypes whose unit seems to differ between cohorts: their betas have no common mean."""
        if self.options.model == "sample_size":
            return
        for (name,), part in cohorts.group_by("phenotype", maintain_order=True):
            scale = part.drop_nulls("scale").sort("scale")
            if scale.height > 1 and scale["scale"][-1] > _UNITS * scale["scale"][0]:
                low, high = scale.row(0, named=True), scale.row(-1, named=True)
                self.problems.append(
                    Problem(
                        "meta",
                        f"standard deviations of {low['scale']:.3g} in {low['cohort']} and {high['scale']:.3g} in "
                        f"{high['cohort']}: are they in one unit?",
                        "note", item=str(name), todo="bring the phenotype to one unit, or take --model sample_size",
                    )
                )  # fmt: skip

    def _overlap(self) -> None:
        """Tell cohorts whose positions or alleles seldom fit: another assembly, or columns that are mixed up."""
        for cohort, counts in zip(self.cohorts[1:], self.outcomes[1:], strict=True):
            total = sum(counts.values())
            foreign = counts["first"] / max(total, 1)
            wrong = counts["other_alleles"] / max(total - counts["first"], 1)
            if foreign > 0.5:
                got = f"{foreign:.0%} of its variants are in no earlier cohort"
                self.problems.append(Problem("meta", got, "note", where=cohort.name, todo="check its assembly"))
            if wrong > 0.05:
                got = f"{wrong:.0%} of its variants have other alleles than the earlier cohorts"
                self.problems.append(Problem("meta", got, "note", where=cohort.name, todo="check assembly and columns"))

    def _harmonisation(self) -> pl.DataFrame:
        rows = [
            {"cohort": cohort.name, "outcome": name, "meaning": MEANINGS[name], "count": counts[name]}
            for cohort, counts in zip(self.cohorts, self.outcomes, strict=True)
            for name in MEANINGS if counts[name]
        ]  # fmt: skip
        for cohort, counts in zip(self.cohorts, self.outcomes, strict=True):
            for name in ("palindromic", "missing", "several", "duplicate", "frequency"):
                if counts[name]:
                    self.problems.append(Problem("meta", MEANINGS[name], where=cohort.name, count=counts[name]))
        return conform(pl.DataFrame(rows), "sumstats/harmonisation")


def _windows(scans: Sequence[pl.LazyFrame]) -> Iterator[tuple[int, int]]:
    """Stretches, first and last position, with about a million rows of all cohorts each."""
    bins: Counter[int] = Counter()
    for scan in scans:
        counted = scan.group_by(pl.col("base_pair_location") // _BIN).len().collect(engine="streaming")
        bins.update(dict(counted.iter_rows()))
    start, held = 0, 0
    for place in sorted(bins):
        if held and held + bins[place] > _WINDOW:
            yield start * _BIN, place * _BIN - 1
            start, held = place, 0
        held += bins[place]
    if held:
        yield start * _BIN, (max(bins) + 1) * _BIN - 1


def _stretch(scan: pl.LazyFrame | None, start: int, stop: int, phenotypes: Sequence[str]) -> pl.DataFrame:
    if scan is None:
        return pl.DataFrame(schema={"phenotype": pl.String(), **COLUMNS})
    inside = pl.col("base_pair_location").is_between(start, stop) & pl.col("phenotype").is_in(list(phenotypes))
    return scan.filter(inside).collect()
