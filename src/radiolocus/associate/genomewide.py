"""A whole scan from tables to a folder of results, in units that a kill does not lose."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from radiolocus.associate.binary import BinaryOptions, prepare_binary
from radiolocus.associate.dataset import PartWriter, part_writer, write_by_phenotype, write_rows, write_variant_ids
from radiolocus.associate.design import Design
from radiolocus.associate.effects import create_effects
from radiolocus.associate.gwas import BinaryWorkshop, GwasOptions, UnitResult, Workshop
from radiolocus.associate.mixed import MixedOptions, refuse_with
from radiolocus.associate.mixed_workshop import BinaryRidgeWorkshop, MixedWorkshop, autosomes_only
from radiolocus.associate.multitrait import fit_null
from radiolocus.associate.scan import Preparation, nothing_kept, plan, prepare
from radiolocus.associate.summary import PhenotypeSums, histogram_of, summarise_kept
from radiolocus.compute import one_thread, run_units
from radiolocus.errors import StoreError
from radiolocus.genome.qc import GenotypeOptions, assess
from radiolocus.kernels.scan import EDGES
from radiolocus.model import Problem
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.schema import TABLES, conform
from radiolocus.stats.multiplicity import effective_number_galwey, effective_number_li_ji
from radiolocus.store import ARTEFACT_SCHEMA, Fingerprints, Stage, digest, locked, open_folder, write_json, write_table

__all__ = ["Finished", "gwas", "problem_rows", "samples_stage", "scan_into", "stands"]


@dataclass(frozen=True)
class Finished:
    """What a scan left.

    Parameters
    ----------
    root : Path
        Folder of the results.
    tests, rows : int
        Regressions made, and rows that were kept.
    variants, phenotypes, subjects : int
        Analysed.
    genome_wide : int
        Tests with p < 5e-8; −1 where the rows that were kept do not tell.
    effective_li_ji, effective_galwey : float
        Effective number of phenotypes, from the correlation of their residuals on the covariates.
    problems : polars.DataFrame
        Table ``problems``.
    """

    root: Path
    tests: int
    rows: int
    variants: int
    phenotypes: int
    subjects: int
    genome_wide: int
    effective_li_ji: float
    effective_galwey: float
    problems: pl.DataFrame


def gwas(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    out: Path | str,
    *,
    options: GenotypeOptions | None = None,
    keep: GwasOptions | None = None,
    binary: BinaryOptions | None = None,
    mixed: MixedOptions | None = None,
    jobs: int = 1,
    fresh: bool = False,
    begin: Callable[[int], None] = lambda _units: None,
    step: Callable[[], None] = lambda: None,
) -> Finished:
    """Regress every phenotype on every variant and write what is kept below `out`.

    A run that was killed goes on from its last finished block when it is called again, and ends with the same bytes,
    whatever `jobs` is.

    Parameters
    ----------
    source, phenotypes, covariates, options
        See :func:`radiolocus.associate.scan.prepare`; `options` by default in single precision, whose accuracy is
        stated in the documentation.
    out : Path or str
        Folder of the results: new, empty, or of this very scan.
    keep : GwasOptions, optional
    binary : BinaryOptions, optional
        Test binary phenotypes by logistic regression; the rows are then table ``sumstats/binary``.
    mixed : MixedOptions, optional
        Model relatedness and population structure; what was found of each phenotype is table ``sumstats/mixed``.
    jobs : int
        Threads.
    fresh : bool
        Remove what an earlier scan left.
    begin, step : callable, optional
        Told the number of blocks, and when one is done.

    Returns
    -------
    Finished

    Raises
    ------
    ConfigError, TableError, FitError
        See :func:`radiolocus.associate.scan.prepare`.
    StoreError
        The folder holds something else, or cannot be written.
    """
    options = options or GenotypeOptions(scan_dtype="float32")
    keep = keep or GwasOptions()
    root = Path(out)
    with locked(root):
        prints = Fingerprints(root)
        inputs = {path.name: prints.of(path) for path in source.files}
        prints.save()
        if source.selection:
            inputs["selection"] = source.selection
        tables = {
            "phenotypes": _bytes_of(phenotypes),
            "covariates": "" if covariates is None else _bytes_of(covariates),
        }
        identity = digest("gwas", inputs, tables)
        open_folder(root, _name(source), identity, fresh=fresh)
        settings = tuple(chosen for chosen in (options, keep, binary, mixed) if chosen is not None)
        write_json(root / "study.json", _study(source, identity, settings))
        stage = Stage(root, "sumstats", settings, inputs | tables)
        if not stands(stage):
            started = time.monotonic()
            scan_into(
                stage, source, phenotypes, covariates, options, keep, binary, mixed, jobs=jobs, begin=begin, step=step
            )  # fmt: skip
            write_table(root, "problems", pl.read_parquet(root / "sumstats/problems.parquet"))
            stage.finish(seed=None, wall_time_s=time.monotonic() - started)
        told = json.loads((root / "sumstats/told.json").read_text())
        return Finished(root, **told, problems=pl.read_parquet(root / "problems.parquet"))


def _name(source: GenotypeSource) -> str:
    return f"Genome-wide scan of {Path(source.path).name}"


def _study(source: GenotypeSource, identity: str, settings: Sequence[Any]) -> dict[str, object]:
    """What the report says of a scan without a study file."""
    return {
        "name": _name(source),
        "identity": identity,
        "radiolocus_version": version("radiolocus"),
        "artefact_schema": ARTEFACT_SCHEMA,
        "sections": ["genetics"],
        "settings": {"genetics": {type(part).__name__: asdict(part) for part in settings}},
    }


def _bytes_of(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_ipc(None).getvalue()).hexdigest()


def samples_stage(stage: Stage) -> Stage:
    """Room of the samples beside that of a scan: made by the same settings from the same inputs."""
    return Stage(stage.root, "genome", stage.config_hash, stage.inputs)


def stands(stage: Stage) -> bool:
    """Whether a scan is finished with these settings and inputs, and its tables are still what it wrote."""
    return stage.manifest() is not None and samples_stage(stage).manifest() is not None


def scan_into(
    stage: Stage,
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    options: GenotypeOptions,
    keep: GwasOptions,
    binary: BinaryOptions | None = None,
    mixed: MixedOptions | None = None,
    *,
    sample_subjects: Sequence[str | None] | None = None,
    jobs: int = 1,
    begin: Callable[[int], None] = lambda _units: None,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Scan, and write all tables of the scan below the root of a stage; its manifest is left to the caller.

    Parameters
    ----------
    stage : Stage
        Room ``sumstats``; units that it finished earlier are taken up.
    source, phenotypes, covariates, options, keep, binary, mixed, jobs, begin, step
        See :func:`gwas`.
    sample_subjects : sequence of str or None, optional
        Subject of each sample of the genotype file; default: the sample ids themselves.
    """
    with one_thread():
        if mixed is not None:
            refuse_with(mixed, binary=binary is not None, multi_trait=keep.multi_trait, missing=options.missing)
            asked = source, phenotypes, covariates, options
            shop: Workshop = (
                _mixed(stage, asked, keep, mixed, sample_subjects, jobs)
                if binary is None
                else _binary_ridge(stage, asked, keep, mixed, binary, sample_subjects, jobs)
            )
            prepared = shop.preparation
        elif binary is None:
            prepared = prepare(
                source, phenotypes, covariates, options, sample_subjects=sample_subjects, judge_first=False
            )
            shop = Workshop(prepared, keep, _effects_room(stage, prepared) if keep.effects else None)
        else:
            prepared, design = prepare_binary(
                source, phenotypes, covariates, options, binary, sample_subjects=sample_subjects
            )
            shop = BinaryWorkshop(prepared, keep, design, binary)
    units = plan(prepared)
    keys = [digest(stage.key, unit) for unit in units]
    todo = [i for i, key in enumerate(keys) if stage.load_unit(key) is None]
    begin(len(units))
    for _ in range(len(units) - len(todo)):
        step()

    effective: dict[str, float] = {}

    def work(index: int | None) -> None:
        if index is None:
            effective.update(_effective_numbers(shop.preparation.design))
        else:
            stage.save_unit(keys[index], _packed(shop.run(units[index])))

    # a unit that is done is on disk before it counts: nothing is held in memory
    for place, outcome in run_units(work, [None, *todo], jobs=jobs, threads=True):
        if isinstance(outcome, Exception):
            raise outcome
        if place:
            step()
    if isinstance(shop, MixedWorkshop):
        stage.write("sumstats/mixed", shop.fitted)
    _gather(stage, shop, {"binary": binary, "mixed": mixed}, keys, effective)


_Asked = tuple[GenotypeSource, pl.DataFrame, pl.DataFrame | None, GenotypeOptions]


def _mixed(
    stage: Stage, asked: _Asked, keep: GwasOptions, mixed: MixedOptions, subjects: Sequence[str | None] | None,
    jobs: int,
) -> Workshop:  # fmt: skip
    prepared = autosomes_only(prepare(*asked, sample_subjects=subjects), mixed)
    effects = _effects_room(stage, prepared) if keep.effects else None
    return MixedWorkshop(prepared, keep, mixed, stage.scratch, effects, jobs)


def _binary_ridge(
    stage: Stage, asked: _Asked, keep: GwasOptions, mixed: MixedOptions, binary: BinaryOptions,
    subjects: Sequence[str | None] | None, jobs: int,
) -> Workshop:  # fmt: skip
    prepared, design = prepare_binary(*asked, binary, sample_subjects=subjects)
    if prepared.judged is None:
        prepared = replace(prepared, judged=assess(prepared.source, prepared.scanned.rows, prepared.options))
    return BinaryRidgeWorkshop(
        autosomes_only(prepared, mixed), keep, mixed, stage.scratch, design, binary, jobs
    )  # fmt: skip


def _effects_room(stage: Stage, prepared: Preparation) -> Path:
    """Arrays of the effects, NaN where no unit has written yet; those of the same scan are taken up."""
    folder = stage.root / "sumstats" / "effects"
    told = folder / "key.json"
    if not (told.is_file() and json.loads(told.read_text()) == {"key": stage.key}):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(stage.root / "sumstats" / ".units", ignore_errors=True)
        names = [prepared.design.phenotypes[c] for c in np.sort(prepared.design.columns)]
        create_effects(folder, prepared.source.variants.height, names)
        write_json(told, {"key": stage.key})
    return folder


def _packed(result: UnitResult) -> dict[str, pl.DataFrame]:
    tables = {
        "rows": result.rows,
        "variants": result.variants,
        "phenotypes": result.phenotypes,
        "histogram": pl.DataFrame({"count": result.histogram.ravel()}),
        "absent": pl.DataFrame({"count": result.absent}),
        "joint": result.joint,
    }
    if result.problems:
        tables["problems"] = problem_rows(result.problems)
    return {name: frame for name, frame in tables.items() if frame.height}


def problem_rows(problems: Sequence[Problem]) -> pl.DataFrame:
    """Problems as rows of table ``problems``, equal ones counted together."""
    names = [f.name for f in fields(Problem)]
    schema = {name: TABLES["problems"].schema[name] for name in names}
    frame = pl.DataFrame([{name: getattr(p, name) for name in names} for p in problems], schema=schema)
    return conform(frame.group_by(pl.exclude("count"), maintain_order=True).agg(pl.col("count").sum()), "problems")


class _Sums:
    """Totals of the units, in the order of the plan."""

    def __init__(self, design: Design) -> None:
        count = design.columns.size
        self.tests = np.zeros(count, dtype=np.int64)
        self.top = np.full(count, -1.0)
        self.top_variant = np.full(count, -1, dtype=np.int64)
        self.histogram = np.zeros((count, EDGES.size), dtype=np.int64)
        self.absent = np.zeros(design.n, dtype=np.int64)
        self.joint: list[pl.DataFrame] = []
        self.problems: list[pl.DataFrame] = []
        self.rows_of: Counter[str] = Counter()
        self.kept = 0

    def add(self, unit: dict[str, pl.DataFrame]) -> None:
        told = unit["phenotypes"]
        top = told["top"].to_numpy()
        better = top > self.top
        self.top[better] = top[better]
        self.top_variant[better] = told["top_variant"].to_numpy()[better]
        self.tests += told["tests"].to_numpy()
        self.histogram += unit["histogram"]["count"].to_numpy().reshape(self.histogram.shape)
        self.absent += unit["absent"]["count"].to_numpy()
        for name, found in (("joint", self.joint), ("problems", self.problems)):
            if name in unit:
                found.append(unit[name])
        if "rows" in unit:
            self.rows_of.update(dict(unit["rows"]["phenotype"].value_counts().iter_rows()))
        self.kept += int(unit["variants"]["kept"].sum())


def _clear_unasked(stage: Stage, keep: GwasOptions, mixed: bool) -> None:
    """Remove what a scan of other settings left and this one does not write over."""
    room = stage.root / "sumstats"
    for folder in room.glob("chromosome=*"):
        shutil.rmtree(folder)
    if not keep.effects:
        shutil.rmtree(room / "effects", ignore_errors=True)
    unasked = [] if keep.multi_trait else ["multitrait.json", "multitrait.parquet"]
    for name in unasked + ([] if mixed else ["mixed.parquet", "mixed.csv"]):
        (room / name).unlink(missing_ok=True)


def _effective_numbers(design: Design) -> dict[str, float]:
    """Effective numbers of phenotypes, by their names in :class:`Finished`."""
    spectrum = np.linalg.eigvalsh(design.correlation())
    return {
        "effective_li_ji": effective_number_li_ji(spectrum),
        "effective_galwey": effective_number_galwey(spectrum),
    }


def _gather(
    stage: Stage, shop: Workshop, models: Mapping[str, Any], keys: list[str], effective: Mapping[str, float]
) -> None:
    """Put the units together in their order and write the tables."""
    started = time.monotonic()
    root, prepared, keep = stage.root, shop.preparation, shop.options
    _clear_unasked(stage, keep, models["mixed"] is not None)
    design, sums = prepared.design, _Sums(prepared.design)
    with part_writer(root / "sumstats/variants.parquet", "sumstats/variants") as variants:
        parts = write_rows(root, _rows(stage, keys, sums, variants), shop.table)
    if sums.kept == 0:
        raise nothing_kept(pl.read_parquet(variants.path), prepared.source)
    for name, count in parts.items():
        stage.adopt(name, count)
    stage.adopt("sumstats/variants", variants.rows)
    stage.adopt("sumstats/by_phenotype/part", write_by_phenotype(root, parts, sums.rows_of, shop.table))
    stage.adopt("sumstats/variant_ids", write_variant_ids(root))
    found = PhenotypeSums(sums.tests, sums.top, sums.top_variant, sums.histogram)
    ids = prepared.source.variants["variant_id"]
    summary = summarise_kept(design, found, ids, [root / f"{name}.parquet" for name in parts], keep.p_value)
    stage.write("sumstats/summary", summary)
    stage.write("sumstats/histogram", histogram_of(design, found))
    samples = samples_stage(stage)
    looked_at = variants.rows - int((prepared.source.variants["chromosome"] == "Y").sum())
    samples.write("genome/samples", prepared.samples_with(1.0 - sums.absent / max(looked_at, 1)))
    samples.finish(seed=None, wall_time_s=time.monotonic() - started)
    told = {
        "tests": int(sums.tests.sum()),
        "rows": sum(parts.values()),
        "variants": sums.kept,
        "phenotypes": int(design.columns.size),
        "subjects": design.n,
        "genome_wide": -1 if summary["genome_wide"].null_count() else int(summary["genome_wide"].sum()),
    }
    write_json(root / "sumstats/told.json", {**told, **effective})
    if keep.multi_trait:
        _write_joint(stage, pl.concat(sums.joint))
    options = {"genotypes": asdict(prepared.options), "keep": asdict(keep), "covariates": prepared.covariate_names}
    options |= {name: asdict(chosen) for name, chosen in models.items() if chosen is not None}
    write_json(root / "sumstats/options.json", options)
    stage.write("sumstats/problems", pl.concat([problem_rows(prepared.problems), *sums.problems]))


def _write_joint(stage: Stage, joint: pl.DataFrame) -> None:
    """Fit the distributions of the permuted statistics and write the multi-trait tests of every variant."""
    known = joint.drop_nulls()
    null = fit_null(known["null_statistic"].to_numpy(), known["null_largest"].to_numpy())
    write_json(stage.root / "sumstats/multitrait.json", asdict(null))
    statistic, largest = (joint[name].fill_null(np.nan).to_numpy() for name in ("statistic", "largest"))
    places = pl.read_parquet(
        stage.root / "sumstats/variants.parquet",
        columns=["chromosome", "base_pair_location", "variant_id", "effect_allele", "other_allele"],
    )
    frame = places.with_columns(
        pl.Series("mostest_statistic", statistic),
        pl.Series("mostest_neg_log_10_p_value", null.mostest(statistic)),
        pl.Series("minp_neg_log_10_p_value", null.minp(largest)),
    ).fill_nan(None)
    with part_writer(stage.root / "sumstats/multitrait.parquet", "sumstats/multitrait") as writer:
        writer.add(conform(frame, "sumstats/multitrait"))
    stage.adopt("sumstats/multitrait", writer.rows)


def _rows(stage: Stage, keys: list[str], sums: _Sums, variants: PartWriter) -> Iterator[pl.DataFrame]:
    for key in keys:
        unit = stage.load_unit(key)
        if unit is None:
            raise StoreError(
                "a finished block is not there any more", where=stage.room, todo="give the same command again"
            )
        sums.add(unit)
        variants.add(unit["variants"])
        if "rows" in unit:
            yield unit["rows"]
