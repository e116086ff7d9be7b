"""LD score regression of the results of a scan, phenotype by phenotype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import ndtri_exp

from radiolocus.associate.effects import EffectArray, phenotypes_of
from radiolocus.associate.results import Kept, kept_of, whole_rows
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.ldscore import LdScores
from radiolocus.schema import conform, empty
from radiolocus.stats.ldsc import LdRegression, genetic_correlation, ld_score_regression, liability_factor
from radiolocus.stats.tail import neg_log10_p_normal
from radiolocus.store import locked, versions, write_json, write_table

__all__ = ["LdscOptions", "Regressed", "genetic_correlations", "ldsc", "write_genetic_correlations", "write_ldsc"]

_LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class LdscOptions:
    """Rules of LD score regression.

    Parameters
    ----------
    intercept : float or None
        Hold it at this value; None estimates it.
    two_step : float
        The intercept is estimated from variants with χ² below this.
    blocks : int
        Of the jackknife.
    common : bool
        Count M over variants with a frequency above 0.05 (``.l2.M_5_50``), as LDSC does by default, not over all.
    sample_prevalence, population_prevalence : float or None
        Fraction of cases in the sample and in the population, for h² of the liability.
    """

    intercept: float | None = None
    two_step: float = 30.0
    blocks: int = 200
    common: bool = True
    sample_prevalence: float | None = None
    population_prevalence: float | None = None

    def __post_init__(self) -> None:
        if self.blocks < 2 or self.two_step <= 0:
            raise ConfigError(
                f"blocks = {self.blocks}, two_step = {self.two_step:g}", where="ldsc", allowed="2 or more; above 0"
            )
        if (self.sample_prevalence is None) != (self.population_prevalence is None):
            raise ConfigError("one prevalence of two", where="ldsc", allowed="both or none")
        self.factor()

    def total(self, scores: LdScores) -> float:
        """M of these scores."""
        return scores.common if self.common and np.isfinite(scores.common) else scores.variants

    def factor(self) -> float:
        """From the observed scale to that of the liability; NaN without prevalences."""
        if self.sample_prevalence is None or self.population_prevalence is None:
            return float("nan")
        return liability_factor(self.sample_prevalence, self.population_prevalence)


@dataclass(frozen=True, eq=False)
class Regressed:
    """Table ``sumstats/ldsc``, and lines that should be known."""

    table: pl.DataFrame
    told: tuple[str, ...]


def ldsc(
    root: Path | str, scores: LdScores, options: LdscOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Regressed:
    """Intercept, ratio and heritability of phenotypes by LD score regression.

    Parameters
    ----------
    root : Path or str
        Folder that ``radiolocus gwas`` wrote.
    scores : LdScores
        Matched to the results by variant id.
    options : LdscOptions, optional
    phenotypes : sequence of str
        Default: all of which every row, or every effect, was kept.

    Returns
    -------
    Regressed

    Raises
    ------
    ConfigError
        No phenotype whose every row was kept, or an unknown one.
    FitError
        None of them can be fitted.
    """
    options = options or LdscOptions()
    kept = kept_of(root)
    there = _with_effects(kept)
    names = _whole_phenotypes(kept, phenotypes, there)
    rows, notes = [], []
    for name in names:
        joined = _scored(kept, name, there, scores)
        try:
            found = ld_score_regression(
                np.square(joined["z"].to_numpy()), joined["ld_score"].to_numpy(), joined["n"].to_numpy(),
                options.total(scores),
                intercept=options.intercept, blocks=options.blocks, two_step=options.two_step,
            )  # fmt: skip
        except FitError as error:
            notes.append(f"{name}: {error.message}")
            continue
        rows.append(_row(name, found, options.factor()))
    if not rows:
        raise FitError(notes[0], where="LD score regression", todo="compare ids of results and LD scores")
    frame = pl.DataFrame(rows, schema=empty("sumstats/ldsc").schema).fill_nan(None)
    smallest = int(frame["variants"].to_numpy().min())
    if smallest < 200_000:
        notes.append(f"only {smallest:,} variants: LDSC's authors ask for 200,000 or more, of one ancestry")
    return Regressed(conform(frame, "sumstats/ldsc"), tuple(notes))


def _whole_phenotypes(kept: Kept, phenotypes: Sequence[str], there: dict[str, int]) -> tuple[str, ...]:
    """Phenotypes that are asked for, or those of which every row or effect was kept."""
    names = kept.check(phenotypes)
    if not phenotypes:
        names = tuple(name for name in names if kept.whole(name) or name in there)
    if not names:
        raise ConfigError(
            f"of none of {len(kept.phenotypes):,} phenotypes every row was kept", where=kept.root.name,
            allowed="results with all rows of a phenotype, or with --effects",
            todo="scan again with --all-rows PHENOTYPE or --effects",
        )  # fmt: skip
    return names


def _scored(kept: Kept, name: str, there: dict[str, int], scores: LdScores) -> pl.DataFrame:
    """Columns variant_id, n, z and ld_score of a phenotype, in the order of the genome."""
    table = _effects(kept, name, there) if not kept.whole(name) else _tested(whole_rows(kept, name))
    joined = table.join(
        scores.table.select("variant_id", "ld_score"), on="variant_id", how="inner", maintain_order="left"
    )
    return joined.unique("variant_id", keep="none", maintain_order=True)


def _tested(rows: pl.DataFrame) -> pl.DataFrame:
    """The z of the p-values, in the order of the genome."""
    z = -ndtri_exp(-rows["neg_log_10_p_value"].to_numpy() * _LN10 - np.log(2.0)) * np.sign(rows["beta"].to_numpy())
    return rows.select("variant_id", "n", pl.Series("z", z))


def _with_effects(kept: Kept) -> dict[str, int]:
    """Column of each phenotype whose every effect was kept as an array."""
    return {name: i for i, name in enumerate(phenotypes_of(kept.root / "sumstats/effects"))}


def _effects(kept: Kept, name: str, there: dict[str, int]) -> pl.DataFrame:
    if name not in there:
        return _tested(whole_rows(kept, name))
    folder = kept.root / "sumstats/effects"
    beta, error = (EffectArray.open(folder / part).column(there[name]) for part in ("beta", "standard_error"))
    told = pl.read_parquet(kept.root / "sumstats/variants.parquet", columns=["variant_id", "n"])
    with np.errstate(invalid="ignore", divide="ignore"):
        frame = told.with_columns(pl.Series("z", beta / error))
    return frame.filter(pl.col("z").is_finite())


def _row(name: str, found: LdRegression, factor: float) -> dict[str, object]:
    told = asdict(found) | {"phenotype": name}
    told |= {"liability": factor * found.heritability, "liability_se": factor * found.heritability_se}
    return {column: told[column] for column in empty("sumstats/ldsc").columns}


def write_ldsc(
    root: Path | str, scores: LdScores, options: LdscOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Regressed:
    """Regress as :func:`ldsc` does and write ``sumstats/ldsc`` beside the results."""
    options = options or LdscOptions()
    kept = kept_of(root)
    with locked(kept.root):
        found = ldsc(root, scores, options, phenotypes=phenotypes)
        write_table(kept.root, "sumstats/ldsc", found.table)
        told = {"scan": kept.key, "options": asdict(options), "told": list(found.told), "versions": versions()}
        write_json(kept.root / "sumstats/ldsc.json", told | {"variants": scores.variants, "common": scores.common})
    return found


def genetic_correlations(
    root: Path | str, scores: LdScores, options: LdscOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Regressed:
    """Genetic correlation of every pair of phenotypes of a scan.

    Parameters
    ----------
    root, scores, phenotypes
        See :func:`ldsc`.
    options : LdscOptions, optional
        Of which M and the blocks are taken; intercepts are free, estimated in one step, as ``ldsc --rg`` has it.

    Returns
    -------
    Regressed
        Table ``sumstats/genetic_correlation``; pairs that cannot be fitted stand in its lines.

    Raises
    ------
    ConfigError
        Fewer than two phenotypes whose every row was kept, or an unknown one.
    FitError
        No pair can be fitted.
    """
    options = options or LdscOptions()
    kept = kept_of(root)
    there = _with_effects(kept)
    names = _whole_phenotypes(kept, phenotypes, there)
    if len(names) < 2:
        raise ConfigError(f"one phenotype ({names[0]})", where="ldsc", allowed="two or more for a correlation")
    tables = {name: _scored(kept, name, there, scores) for name in names}
    rows, notes = [], []
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            both = tables[one].join(tables[two].drop("ld_score"), on="variant_id", suffix="_2", maintain_order="left")
            z1, z2, ld, n1, n2 = (both[name].to_numpy() for name in ("z", "z_2", "ld_score", "n", "n_2"))
            try:
                found = genetic_correlation(z1, z2, ld, n1, n2, options.total(scores), blocks=options.blocks)
            except FitError as error:
                notes.append(f"{one} and {two}: {error.message}")
                continue
            log_p = float(neg_log10_p_normal(found.correlation / found.correlation_se))
            rows.append(asdict(found) | {"phenotype_1": one, "phenotype_2": two, "neg_log_10_p_value": log_p})
    if not rows:
        raise FitError(notes[0], where="genetic correlation")
    notes.append(f"{len(rows):,} pairs: Bonferroni over them is {0.05 / len(rows):.2g}")
    columns = empty("sumstats/genetic_correlation").columns
    frame = pl.DataFrame(rows).select(columns)
    return Regressed(conform(frame, "sumstats/genetic_correlation"), tuple(notes))


def write_genetic_correlations(
    root: Path | str, scores: LdScores, options: LdscOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Regressed:
    """Correlate as :func:`genetic_correlations` does and write ``sumstats/genetic_correlation`` beside the results."""
    kept = kept_of(root)
    with locked(kept.root):
        found = genetic_correlations(root, scores, options, phenotypes=phenotypes)
        write_table(kept.root, "sumstats/genetic_correlation", found.table)
    return found
