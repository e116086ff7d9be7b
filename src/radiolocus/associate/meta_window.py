"""A stretch of the genome of several cohorts: alleles aligned, frequencies compared, estimates combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.genome.alleles import OUTCOMES, AlleleOptions, align
from radiolocus.model import Array
from radiolocus.registry import suggest
from radiolocus.stats.meta import (
    TAU2_METHODS,
    combine_z,
    fixed_effect,
    heterogeneity,
    i2_interval,
    random_effects,
    z_of_p,
)

__all__ = ["MEANINGS", "MetaOptions", "Window", "combine"]

MODELS = ("fixed", "random", "sample_size")
#: What can become of a variant of a cohort.
MEANINGS = OUTCOMES | {
    "first": "no earlier cohort has it: later ones are compared with it",
    "other_alleles": "an earlier cohort has other alleles there; taken as a variant of its own",
    "duplicate": "stands more than once in the cohort",
    "frequency": "its frequency is far from that of the other cohorts",
}
_VARIANT = ["base_pair_location", "effect_allele", "other_allele"]


@dataclass(frozen=True)
class MetaOptions:
    """How cohorts are made one.

    Parameters
    ----------
    model : {"fixed", "random", "sample_size"}
        What beta and the p-value are: inverse-variance weighted, random effects, or z weighted by the root of the
        sample size (for phenotypes of different units, which have no common beta).
    tau2 : {"dl", "pm", "reml"}
        Estimator of the variance between cohorts.
    hartung_knapp : bool
        Random effects with Hartung's and Knapp's standard error and Student's t.
    genomic_control : bool
        Widen standard errors by the root of each cohort's genomic inflation, where it is above 1.
    min_cohorts : int
        Variants with an estimate in fewer cohorts are not tested.
    palindromic : {"frequency", "set_aside", "as_written"}
        See :class:`radiolocus.genome.alleles.AlleleOptions`.
    margin : float
        See there.
    max_frequency_difference : float
        A cohort whose frequency is further than this from the median of all (of two: from the other) is left out of
        the variant; with two cohorts both are.
    p_value : float
        Rows at most this large are kept; 1 keeps all.
    all_rows : tuple of str
        Phenotypes of which every row is kept.
    """

    model: Literal["fixed", "random", "sample_size"] = "fixed"
    tau2: Literal["dl", "pm", "reml"] = "dl"
    hartung_knapp: bool = False
    genomic_control: bool = False
    min_cohorts: int = 2
    palindromic: Literal["frequency", "set_aside", "as_written"] = "frequency"
    margin: float = 0.08
    max_frequency_difference: float = 0.2
    p_value: float = 1.0
    all_rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = "meta"
        for name, value, known in (("model", self.model, MODELS), ("tau2", self.tau2, TAU2_METHODS)):
            if value not in known:
                raise ConfigError(
                    f"{name} = '{value}'", where=where, allowed=", ".join(known), todo=suggest(value, known)
                )  # fmt: skip
        if self.min_cohorts < 1:
            raise ConfigError(f"min_cohorts = {self.min_cohorts}", where=where, allowed="1 or more")
        if not 0 < self.max_frequency_difference <= 1:
            raise ConfigError(
                f"max_frequency_difference = {self.max_frequency_difference}", where=where, allowed="above 0, up to 1"
            )
        if not 0 < self.p_value <= 1:
            raise ConfigError(f"p_value = {self.p_value}", where=where, allowed="above 0, up to 1")
        self.alleles()

    def alleles(self) -> AlleleOptions:
        """Rules of the alleles."""
        return AlleleOptions(self.palindromic, self.margin)


@dataclass(frozen=True, eq=False)
class Window:
    """What came of a stretch.

    Parameters
    ----------
    rows : polars.DataFrame
        Table ``sumstats/meta`` without the chromosome, by position and phenotype; every row that was tested.
    variants : polars.DataFrame
        Every variant of the stretch, by position: alleles, id, mean frequency, whether it was tested.
    outcomes : list of dict
        Of each cohort, how often each of :data:`MEANINGS` came up.
    scale : list of polars.DataFrame
        Of each cohort: ``phenotype``, ``total`` and ``rows`` of the logarithm of SE √(2 f (1 − f) n), and largest n.
    """

    rows: pl.DataFrame
    variants: pl.DataFrame
    outcomes: list[dict[str, int]]
    scale: list[pl.DataFrame]


def combine(
    frames: Sequence[pl.DataFrame], phenotypes: Sequence[str], inflation: Array, options: MetaOptions
) -> Window:
    """Combine the cohorts of one stretch of a chromosome.

    Parameters
    ----------
    frames : sequence of polars.DataFrame
        Of each cohort ``phenotype`` and the columns of :data:`radiolocus.read.sumstats.COLUMNS`.
    phenotypes : sequence of str
    inflation : ndarray, shape (cohorts, phenotypes)
        Variances are multiplied by this; at least 1.
    options : MetaOptions

    Returns
    -------
    Window
    """
    reference, maps, outcomes = _aligned(frames, options)
    _compare_frequencies(maps, outcomes, reference.height, options.max_frequency_difference)
    cells = [_cells(frame, mapped, phenotypes) for frame, mapped in zip(frames, maps, strict=True)]
    keys = np.unique(np.concatenate([cell["key"].to_numpy() for cell in cells])) if cells else np.empty(0, np.int64)
    beta, error, z, n = (np.full((keys.size, len(cells)), np.nan) for _ in range(4))
    for c, cell in enumerate(cells):
        at = np.searchsorted(keys, cell["key"].to_numpy())
        sign = cell["sign"].to_numpy()
        widen = np.sqrt(inflation[c, cell["phenotype"].to_numpy()]) if cell.height else np.empty(0)
        beta[at, c] = cell["beta"].to_numpy() * sign
        error[at, c] = cell["standard_error"].to_numpy() * widen
        z[at, c] = z_of_p(cell["neg_log_10_p_value"].to_numpy(), cell["statistic"].to_numpy()) * sign / widen
        n[at, c] = cell["n"].to_numpy()
    frequency = _frequencies(maps, reference.height)
    rows = _estimates(beta, error, z, n, options)
    place = keys // len(phenotypes)
    own = frequency[place]
    own = np.where(np.isnan(z) & np.isnan(beta), np.nan, own)
    names = pl.Series("phenotype", list(phenotypes), dtype=pl.String)
    rows = rows.with_columns(
        pl.Series("place", place), names.gather(keys % len(phenotypes)),
        *_summary_of_frequencies(own, n),
    )  # fmt: skip
    enough = rows["cohorts"] >= options.min_cohorts
    variants = _variants(reference, rows.filter(enough), frequency)
    named = variants.select("place", *_VARIANT, "variant_id")
    rows = rows.filter(enough & rows["neg_log_10_p_value"].is_not_null())
    rows = rows.join(named, on="place", how="left", maintain_order="left").drop("place")
    return Window(rows, variants.drop("place"), outcomes, [_scale(frame) for frame in frames])


def _aligned(
    frames: Sequence[pl.DataFrame], options: MetaOptions
) -> tuple[pl.DataFrame, list[pl.DataFrame], list[dict[str, int]]]:
    """Variants of all cohorts, by position, and of each cohort where its variants stand among them."""
    reference = pl.DataFrame(
        schema={
            "base_pair_location": pl.Int64,
            "effect_allele": pl.String,
            "other_allele": pl.String,
            "effect_allele_frequency": pl.Float64,
            "variant_id": pl.String,
        }
    )
    maps, outcomes = [], []
    for frame in frames:
        variants = frame.group_by(_VARIANT, maintain_order=True).agg(
            pl.col("effect_allele_frequency").drop_nulls().first(), pl.col("variant_id").first()
        )
        a, b = pl.col("effect_allele"), pl.col("other_allele")
        low, high = pl.when(a < b).then(a).otherwise(b), pl.when(a < b).then(b).otherwise(a)
        twice = pl.struct("base_pair_location", low.alias("low"), high.alias("high")).is_duplicated()
        # rows of one phenotype that repeat a variant letter by letter are one group here
        again = pl.struct("phenotype", *_VARIANT).is_duplicated()
        repeated = frame.filter(again).select(_VARIANT).unique().with_columns(again=pl.lit(value=True))
        marked = variants.join(repeated, on=_VARIANT, how="left", maintain_order="left")
        single = marked.filter(~twice & pl.col("again").is_null()).drop("again")
        found = align(_on_one(single), _on_one(reference), options=options.alleles()).rows
        fresh = found["outcome"].is_in(["absent", "mismatch"])
        told = found.select(
            pl.col("outcome").replace({"absent": "first", "mismatch": "other_alleles"}).value_counts()
        ).unnest("outcome")
        counts = dict(told.iter_rows())
        if variants.height > single.height:
            counts["duplicate"] = variants.height - single.height
        outcomes.append(counts)
        at = found["reference_row"].cast(pl.Int64)
        number = reference.height + fresh.cum_sum().cast(pl.Int64) - 1
        maps.append(
            single.with_columns(
                pl.select(pl.when(fresh).then(number).otherwise(at)).to_series().alias("place"),
                pl.select(pl.when(fresh).then(1).otherwise(found["sign"])).to_series().alias("sign"),
            ).filter(pl.col("place").is_not_null())
        )
        reference = pl.concat([reference, single.filter(fresh).select(reference.columns)])
    order = np.argsort(reference["base_pair_location"].to_numpy(), kind="stable")
    rank = np.empty(reference.height, dtype=np.int64)
    rank[order] = np.arange(reference.height)
    moved = [mapped.with_columns(pl.Series("place", rank[mapped["place"].to_numpy()])) for mapped in maps]
    return reference[order], moved, outcomes


def _on_one(variants: pl.DataFrame) -> pl.DataFrame:
    return variants.with_columns(chromosome=pl.lit("-"))


def _frequencies(maps: Sequence[pl.DataFrame], height: int) -> Array:
    """Frequency of the reference's effect allele, shape (variants, cohorts)."""
    out = np.full((height, len(maps)), np.nan)
    for c, mapped in enumerate(maps):
        value = mapped["effect_allele_frequency"].to_numpy()
        out[mapped["place"].to_numpy(), c] = np.where(mapped["sign"].to_numpy() < 0, 1 - value, value)
    return out


def _compare_frequencies(maps: list[pl.DataFrame], outcomes: list[dict[str, int]], height: int, limit: float) -> None:
    """Leave cohorts out of variants where their frequency is far from that of the others."""
    frequency = _frequencies(maps, height)
    known = (~np.isnan(frequency)).sum(axis=1)
    several = np.flatnonzero(known > 1)
    middle = np.full(height, np.nan)
    middle[several] = np.nanmedian(frequency[several], axis=1)
    # of two, the median lies halfway: each is compared with the other
    away = np.abs(frequency - middle[:, None]) * np.where(known == 2, 2.0, 1.0)[:, None]
    for c, mapped in enumerate(maps):
        far = away[mapped["place"].to_numpy(), c] > limit
        if far.any():
            outcomes[c]["frequency"] = outcomes[c].get("frequency", 0) + int(far.sum())
            maps[c] = mapped.filter(~pl.Series(far))


def _cells(frame: pl.DataFrame, mapped: pl.DataFrame, phenotypes: Sequence[str]) -> pl.DataFrame:
    """Rows of a cohort with their variant and phenotype as numbers."""
    number = {name: i for i, name in enumerate(phenotypes)}
    joined = frame.join(mapped.select(*_VARIANT, "place", "sign"), on=_VARIANT, how="inner")
    index = pl.col("phenotype").replace_strict(number, return_dtype=pl.Int64)
    return joined.select(
        index, "sign", "beta", "standard_error", "neg_log_10_p_value",
        pl.coalesce("statistic", "beta").alias("statistic"), pl.col("n").cast(pl.Float64),
        (pl.col("place") * len(phenotypes) + index).alias("key"),
    ).with_columns(pl.col(pl.Float64).fill_null(np.nan))  # fmt: skip


def _estimates(beta: Array, error: Array, z: Array, n: Array, options: MetaOptions) -> pl.DataFrame:
    """Everything about each row that does not depend on where it lies."""
    fixed, apart = fixed_effect(beta, error), heterogeneity(beta, error)
    random = random_effects(beta, error, options.tau2, hartung_knapp=options.hartung_knapp)
    q, q_log_p, df = apart.q, apart.neg_log10_p, apart.df
    cohorts, there = fixed.cohorts, ~(np.isnan(beta) | np.isnan(error))
    main = (fixed.beta, fixed.standard_error, fixed.z, fixed.neg_log10_p)
    if options.model == "random":
        main = (random.beta, random.standard_error, random.statistic, random.neg_log10_p)
    elif options.model == "sample_size":
        weighted = combine_z(z, n)
        there = ~(np.isnan(z) | np.isnan(n))
        cohorts = there.sum(axis=1)
        nothing = np.full(cohorts.shape, np.nan)
        main = (nothing, nothing, weighted.z, weighted.neg_log10_p)
        q, q_log_p, df = weighted.q, weighted.q_neg_log10_p, np.maximum(cohorts - 1, 0)
    low, high = i2_interval(q, df)
    excess = q > df
    i2 = np.where(np.isnan(q), np.nan, np.where(excess, (q - df) / np.where(excess, q, 1.0), 0.0))
    size = np.where(there, n, np.nan)
    known = ~np.isnan(size).all(axis=1)
    total = np.where(known, np.nansum(size, axis=1), np.nan)
    columns = {
        "beta": main[0], "standard_error": main[1], "statistic": main[2], "neg_log_10_p_value": main[3],
        "q": q, "q_neg_log_10_p_value": q_log_p, "i2": i2, "i2_lower": low, "i2_upper": high, "tau2": random.tau2,
        "random_beta": random.beta, "random_standard_error": random.standard_error,
        "random_neg_log_10_p_value": random.neg_log10_p,
    }  # fmt: skip
    frame = pl.DataFrame({name: pl.Series(values).fill_nan(None) for name, values in columns.items()})
    sign = np.where(there, np.sign(z if options.model == "sample_size" else beta), np.nan)
    return frame.with_columns(
        pl.Series("n", total).fill_nan(None).cast(pl.Int64),
        pl.Series("cohorts", cohorts, dtype=pl.Int64),
        pl.Series("direction", _direction(sign), dtype=pl.String),
    )


def _direction(sign: Array) -> npt.NDArray[np.str_]:
    letters = np.select([np.isnan(sign), sign > 0, sign < 0], ["?", "+", "-"], "0")
    if letters.size == 0:
        return np.empty(letters.shape[0], dtype="U1")
    return np.ascontiguousarray(letters.astype("U1")).view(f"U{letters.shape[1]}")[:, 0]


def _summary_of_frequencies(frequency: Array, n: Array) -> list[pl.Series]:
    there = ~np.isnan(frequency)
    some = there.any(axis=1)
    # without a size of every cohort they count alike
    sized = ~np.isnan(n) | ~there
    by_size = np.all(sized, axis=1, keepdims=True)
    weight = np.where(there, np.where(by_size, np.nan_to_num(n, nan=0.0), 1.0), 0.0)
    total = weight.sum(axis=1)
    mean = np.where(some, (weight * np.nan_to_num(frequency)).sum(axis=1) / np.where(total > 0, total, 1.0), np.nan)
    ends = np.where(there, frequency, np.inf).min(axis=1), np.where(there, frequency, -np.inf).max(axis=1)
    return [
        pl.Series(name, np.where(some, values, np.nan)).fill_nan(None)
        for name, values in zip(
            ("effect_allele_frequency", "frequency_min", "frequency_max"), (mean, *ends), strict=True
        )
    ]  # fmt: skip


def _variants(reference: pl.DataFrame, tested: pl.DataFrame, frequency: Array) -> pl.DataFrame:
    found = tested.filter(pl.col("neg_log_10_p_value").is_not_null())
    strongest = pl.col("neg_log_10_p_value").arg_max()
    best = found.group_by("place").agg(
        pl.col("n").max(), pl.len().cast(pl.Int64).alias("tests"),
        pl.col("phenotype").get(strongest).alias("top_phenotype"),
        pl.col("neg_log_10_p_value").get(strongest).alias("top_neg_log_10_p_value"),
        pl.col("effect_allele_frequency").first().alias("mean"),
    )  # fmt: skip
    numbered = reference.with_columns(pl.Series("place", np.arange(reference.height, dtype=np.int64)))
    out = numbered.join(best, on="place", how="left", maintain_order="left")
    return out.with_columns(
        pl.coalesce("mean", "effect_allele_frequency").alias("effect_allele_frequency"), pl.col("tests").fill_null(0)
    ).drop("mean")


def _scale(frame: pl.DataFrame) -> pl.DataFrame:
    """Logarithm of the standard deviation that the standard errors imply, among common variants."""
    f = pl.col("effect_allele_frequency")
    implied = pl.col("standard_error") * (2 * f * (1 - f) * pl.col("n")).sqrt()
    common = f.is_between(0.05, 0.95) & implied.is_finite()
    return frame.group_by("phenotype", maintain_order=True).agg(
        implied.filter(common).log().sum().alias("total"), common.sum().cast(pl.Int64).alias("common"),
        pl.len().cast(pl.Int64).alias("rows"), pl.col("n").max(),
    )  # fmt: skip
