"""Fine-mapping of loci by SuSiE, from the results of a scan with LD, or from genotypes and phenotypes themselves.

::

    sumstats/finemap.parquet         every variant of each region, its probability and its credible set
    sumstats/credible_sets.parquet   the credible sets with their purity
    sumstats/finemap.json            options, the scan they are of, and what should be known
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.query import Region
from radiolocus.associate.results import kept_of, place_beside, samples_of, whole_rows
from radiolocus.associate.subjects import choose_subjects
from radiolocus.errors import ConfigError, FitError, StoreError, TableError
from radiolocus.genome.ld import ld_matrix, read_chosen
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.schema import conform, empty
from radiolocus.stats.ols import covariate_basis, residualise
from radiolocus.stats.susie import Susie, SusieOptions, credible_sets, ld_mismatch, susie, susie_rss
from radiolocus.store import locked, read_json, versions, write_json, write_table

__all__ = [
    "FinemapOptions",
    "Finemapped",
    "Target",
    "finemap",
    "finemap_individual",
    "loci_to_finemap",
    "write_finemap",
]

Whole = npt.NDArray[np.int64]
Target = tuple[str, Region]

# Of 60 simulated loci of the same subjects 57 came out below, of other people 6.
_MISMATCH = 0.1


@dataclass(frozen=True)
class FinemapOptions:
    """Rules of fine-mapping.

    Parameters
    ----------
    effects : int
        Most causal variants in a region.
    coverage : float
        Probability that a credible set holds a causal variant.
    min_abs_r : float
        Credible sets with a pair of variants less correlated are not told.
    min_maf : float
        With individual data: rarer variants are left out.
    max_variants : int
        Regions with more are refused: their LD would fill the memory.
    """

    effects: int = 10
    coverage: float = 0.95
    min_abs_r: float = 0.5
    min_maf: float = 0.01
    max_variants: int = 5000

    def __post_init__(self) -> None:
        self.susie()
        if not 0 <= self.min_maf < 0.5 or self.max_variants < 2:
            raise ConfigError(
                f"min_maf = {self.min_maf:g}, max_variants = {self.max_variants}", where="finemap",
                allowed="0 or more, below 0.5; 2 or more",
            )  # fmt: skip

    def susie(self) -> SusieOptions:
        """Those of the model."""
        return SusieOptions(effects=self.effects, coverage=self.coverage, min_abs_r=self.min_abs_r)


@dataclass(frozen=True, eq=False)
class Finemapped:
    """Tables ``sumstats/finemap`` and ``sumstats/credible_sets``, and lines that should be known."""

    variants: pl.DataFrame
    sets: pl.DataFrame
    told: tuple[str, ...]


def finemap(
    root: Path | str, source: GenotypeSource, targets: Sequence[Target], options: FinemapOptions | None = None
) -> Finemapped:
    """Fine-map regions from the rows of a scan and LD.

    Parameters
    ----------
    root : Path or str
        Folder that ``radiolocus gwas`` wrote, with every row of the phenotypes.
    source : GenotypeSource
        The scanned genotypes, or a reference of their build and ancestry.
    targets : sequence of (phenotype, Region)
    options : FinemapOptions, optional

    Returns
    -------
    Finemapped

    Raises
    ------
    ConfigError
        An unknown phenotype, one of which rows are missing, or a region of too many variants.
    TableError
        A region without variants, or none that the genotypes have.
    """
    options = options or FinemapOptions()
    kept = kept_of(root)
    samples = samples_of(kept.root, source)
    parts: list[tuple[pl.DataFrame, pl.DataFrame]] = []
    notes = [samples.told]
    for phenotype, region in targets:
        where = f"{phenotype} at {_text(region)}"
        rows = whole_rows(kept, phenotype, region)
        if rows.height == 0:
            raise TableError("no variant was tested there", where=where, todo="name another region")
        beside = place_beside(rows, source)
        table = beside.table.unique("number", keep="none", maintain_order=True)
        _refuse_many(table.height, options, where)
        r = ld_matrix(source, samples.rows, table["number"].to_numpy())
        varies = np.isfinite(np.diag(r)) & (np.isfinite(r).sum(axis=0) == np.isfinite(np.diag(r)).sum())
        left_out = rows.height - int(varies.sum())
        if left_out:
            notes.append(f"{where}: {left_out:,} variants without LD are left out")
        table, r = table.filter(pl.Series(varies)), r[np.ix_(varies, varies)]
        z = (table["beta"] / table["standard_error"]).to_numpy()
        counted = z * table["sign"].to_numpy()
        n = _degrees(table) + 2.0
        mismatch = ld_mismatch(counted, r, n)
        if mismatch > _MISMATCH:
            notes.append(f"{where}: z-scores and LD disagree (s = {mismatch:.2f}): sets may be wrong")
        fit = susie_rss(counted, r, n, options.susie())
        notes += _unfinished(fit, where)
        parts.append(_tables(phenotype, region, table, z, fit, r, options))
    return _joined(parts, notes)


def _degrees(table: pl.DataFrame) -> float:
    """Degrees of freedom of t; of a normal z, those that subjects leave."""
    if "degrees_of_freedom" in table.columns:
        return float(np.median(table["degrees_of_freedom"].to_numpy()))
    return float(np.median(table["n"].to_numpy())) - 2.0


def _refuse_many(count: int, options: FinemapOptions, where: str) -> None:
    if count > options.max_variants:
        raise ConfigError(
            f"{count:,} variants", where=where, allowed=f"at most {options.max_variants:,}",
            todo="narrow the region, or raise max_variants (memory grows with its square)",
        )  # fmt: skip


def finemap_individual(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    targets: Sequence[Target],
    options: FinemapOptions | None = None,
) -> Finemapped:
    """Fine-map regions from genotypes and measured phenotypes; covariates are projected out of both.

    Parameters
    ----------
    source : GenotypeSource
    phenotypes, covariates : polars.DataFrame
        Column ``subject`` and numbers; see :func:`radiolocus.associate.subjects.choose_subjects`.
    targets : sequence of (phenotype, Region)
    options : FinemapOptions, optional

    Returns
    -------
    Finemapped
        Missing genotypes stand at their mean.

    Raises
    ------
    ConfigError, TableError, FitError
        As of :func:`finemap`, and of the tables.
    """
    options = options or FinemapOptions()
    parts: list[tuple[pl.DataFrame, pl.DataFrame]] = []
    notes: list[str] = []
    for phenotype, region in targets:
        where = f"{phenotype} at {_text(region)}"
        chosen = choose_subjects(source.sample_ids, phenotypes, covariates, phenotype_names=[phenotype])
        numbers = _inside(source, region, options, where)
        basis = covariate_basis(chosen.covariates, chosen.rows.size, chosen.covariate_names)
        dosage = read_chosen(source, chosen.rows, numbers)
        known = ~np.isnan(dosage)
        counts = known.sum(axis=1)
        frequency = np.divide(np.nansum(dosage, axis=1), 2.0 * counts, out=np.zeros(counts.size), where=counts > 0)
        filled = np.where(known, dosage, 2 * frequency[:, None]).astype(np.float64)
        X = residualise(basis, filled.T)
        common = np.minimum(frequency, 1 - frequency) >= options.min_maf
        varies = common & (np.square(X).sum(axis=0) > 1e-8 * np.square(filled).sum(axis=1))
        if not varies.any():
            raise FitError("no variant that varies beyond the covariates", where=where)
        if not varies.all():
            notes.append(f"{where}: {int((~varies).sum()):,} rare or unvarying variants are left out")
        X, numbers = X[:, varies], numbers[varies]
        y = residualise(basis, chosen.phenotypes)[:, 0]
        df = y.size - basis.shape[1] - 1
        r = X.T @ y / np.sqrt(np.square(X).sum(axis=0) * float(y @ y))
        z = r * np.sqrt(df / np.maximum(1 - r * r, 1e-300))
        fit = susie(X, y, options.susie())
        notes += _unfinished(fit, where)
        ld = np.atleast_2d(np.corrcoef(X.T))
        parts.append(_tables(phenotype, region, source.variants[numbers], z, fit, ld, options))
        notes.append(f"{where}: {y.size:,} subjects, {numbers.size:,} variants")
    return _joined(parts, notes)


def _inside(source: GenotypeSource, region: Region, options: FinemapOptions, where: str) -> Whole:
    variants = source.variants
    here = (variants["chromosome"] == region.chromosome) & variants["base_pair_location"].is_between(
        region.start, region.stop
    )
    numbers = here.arg_true().to_numpy().astype(np.int64)
    if numbers.size == 0:
        raise TableError("no variant of the genotypes lies there", where=where, todo="name another region")
    _refuse_many(numbers.size, options, where)
    return numbers


def _unfinished(fit: Susie, where: str) -> list[str]:
    return [] if fit.converged else [f"{where}: SuSiE did not converge in {len(fit.bound)} iterations"]


def _text(region: Region) -> str:
    return f"{region.chromosome}:{region.start}-{region.stop}"


def _tables(
    phenotype: str, region: Region, table: pl.DataFrame, z: Array, fit: Susie, r: Array, options: FinemapOptions
) -> tuple[pl.DataFrame, pl.DataFrame]:
    sets = credible_sets(fit, r, options.susie())
    member = np.zeros(table.height, dtype=np.int64)
    for number, found in reversed(list(enumerate(sets, 1))):
        member[list(found.variants)] = number
    place = {"phenotype": phenotype, "region": _text(region)}
    variants = table.with_columns(
        **{name: pl.lit(value) for name, value in place.items()},
        z=pl.Series(z), pip=pl.Series(fit.pip), credible_set=pl.Series(member).replace(0, None),
    )  # fmt: skip
    rows = []
    for number, found in enumerate(sets, 1):
        top = max(found.variants, key=lambda v: fit.pip[v])
        rows.append(
            place
            | {
                "credible_set": number, "variants": len(found.variants), "coverage": found.coverage,
                "min_abs_r": found.min_abs_r, "mean_abs_r": found.mean_abs_r,
                "top_variant": table["variant_id"][top], "top_pip": float(fit.pip[top]),
                "log10_bayes_factor": float(fit.log_bayes_factor[found.effect] / np.log(10.0)),
            }
        )  # fmt: skip
    columns = empty("sumstats/finemap").columns
    return (
        conform(variants.select(columns), "sumstats/finemap"),
        conform(pl.DataFrame(rows, schema=empty("sumstats/credible_sets").schema), "sumstats/credible_sets"),
    )


def _joined(parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]], notes: Sequence[str]) -> Finemapped:
    variants = pl.concat([empty("sumstats/finemap"), *(part[0] for part in parts)])
    sets = pl.concat([empty("sumstats/credible_sets"), *(part[1] for part in parts)])
    return Finemapped(variants, sets, tuple(notes))


def loci_to_finemap(root: Path | str, flank_kilobases: float = 250.0) -> tuple[Target, ...]:
    """Every phenotype at every locus it touches, with a margin on both sides.

    Raises
    ------
    StoreError
        The results were not clumped, or were scanned anew since.
    """
    kept = kept_of(root)
    told = read_json(kept.root, "sumstats/clump.json")
    if told is None or told.get("scan") != kept.key:
        raise StoreError(
            "no loci of these results", where=kept.root.name, todo="run radiolocus clump first, or name a region"
        )
    margin = int(1000 * flank_kilobases)
    loci = pl.read_parquet(kept.root / "sumstats/loci.parquet")
    return tuple(
        (name, Region(chromosome, max(start - margin, 0), stop + margin))
        for chromosome, start, stop, names in loci.select("chromosome", "start", "stop", "phenotypes").iter_rows()
        for name in names.split(";")
    )


def write_finemap(root: Path | str, found: Finemapped, options: FinemapOptions) -> None:
    """Write ``sumstats/finemap`` and ``sumstats/credible_sets`` beside the results of a scan."""
    kept = kept_of(root)
    with locked(kept.root):
        write_table(kept.root, "sumstats/finemap", found.variants)
        write_table(kept.root, "sumstats/credible_sets", found.sets)
        write_json(
            kept.root / "sumstats/finemap.json",
            {"scan": kept.key, "options": asdict(options), "told": list(found.told), "versions": versions()},
        )
