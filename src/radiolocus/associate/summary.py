"""What a scan found, phenotype by phenotype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.design import Design
from radiolocus.errors import ConfigError
from radiolocus.kernels.scan import EDGES
from radiolocus.model import Array
from radiolocus.schema import conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg, lambda_gc, lambda_of_median

__all__ = [
    "FALSE_DISCOVERY_RATE",
    "FAMILY_WISE_ERROR",
    "GENOME_WIDE",
    "PhenotypeSums",
    "histogram_of",
    "histogram_table",
    "median_of",
    "summarise",
    "summarise_kept",
    "with_discoveries",
]

GENOME_WIDE = 5e-8
FAMILY_WISE_ERROR = 0.05
FALSE_DISCOVERY_RATE = 0.05


def summarise(sumstats: pl.DataFrame, n_variants: int, n_phenotypes: int | None = None) -> pl.DataFrame:
    """Count discoveries and measure inflation.

    Parameters
    ----------
    sumstats : polars.DataFrame
        Table ``sumstats/sumstats`` of the whole scan.
    n_variants : int
        Variants analysed.
    n_phenotypes : int, optional
        Phenotypes analysed; default: those in the table.

    Returns
    -------
    polars.DataFrame
        Table ``sumstats/summary``, phenotypes in their order of appearance. Bonferroni and the false discovery rate
        count n_variants × n_phenotypes tests: a pair without a defined statistic is still one that was looked at.

    Raises
    ------
    ConfigError
        Fewer variants or phenotypes than the table holds.
    """
    if sumstats.height == 0:
        return empty("sumstats/summary")
    phenotypes = sumstats["phenotype"].n_unique() if n_phenotypes is None else n_phenotypes
    tests = n_variants * phenotypes
    if tests < sumstats.height:
        raise ConfigError(
            f"{n_variants} variants × {phenotypes} phenotypes for {sumstats.height} rows",
            allowed="the number of variants and phenotypes that were analysed",
        )
    log_p = pl.col("neg_log_10_p_value")
    strongest = log_p.arg_max()
    table = sumstats.with_columns(pl.Series("q", benjamini_hochberg(sumstats["neg_log_10_p_value"].to_numpy(), tests)))
    summary = table.group_by("phenotype", maintain_order=True).agg(
        pl.col("n").max(),
        pl.len().alias("tests"),
        (pl.col("n") - pl.col("degrees_of_freedom") - 2).first().alias("covariates"),
        log_p.map_batches(
            lambda values: lambda_gc(values.to_numpy()), return_dtype=pl.Float64, returns_scalar=True
        ).alias("lambda_gc"),
        pl.col("variant_id").get(strongest).alias("top_variant"),
        log_p.get(strongest).alias("top_neg_log_10_p_value"),
        (log_p > -np.log10(GENOME_WIDE)).sum().alias("genome_wide"),
        (log_p > -np.log10(FAMILY_WISE_ERROR / tests)).sum().alias("bonferroni"),
        (pl.col("q") < FALSE_DISCOVERY_RATE).sum().alias("fdr"),
    )
    return conform(summary, "sumstats/summary")


@dataclass(frozen=True, eq=False)
class PhenotypeSums:
    """What the units of a scan counted, a row or entry for each column of the design.

    Parameters
    ----------
    tests : ndarray of int64, shape (P,)
    top : ndarray, shape (P,)
        Largest −log10 p, −1 where there is no test.
    top_variant : ndarray of int64, shape (P,)
        Number of its variant in the file, −1.
    histogram : ndarray of int64, shape (P, bins)
        See :func:`radiolocus.kernels.scan.tally`.
    """

    tests: npt.NDArray[np.int64]
    top: Array
    top_variant: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.int64]


def histogram_of(design: Design, sums: PhenotypeSums) -> pl.DataFrame:
    """Table ``sumstats/histogram``: the bins of −log10 p that hold a test, phenotypes in their order."""
    order = np.argsort(design.columns)
    return histogram_table([design.phenotypes[c] for c in design.columns[order]], sums.histogram[order])


def histogram_table(names: Sequence[str], histogram: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Table ``sumstats/histogram`` of counts, shape (phenotypes, bins)."""
    place, bin_ = np.nonzero(histogram)
    frame = pl.DataFrame(
        {
            "phenotype": pl.Series(names, dtype=pl.String).gather(place),
            "lower": EDGES[bin_],
            "upper": np.append(EDGES[1:], np.inf)[bin_],
            "tests": histogram[place, bin_],
        }
    )
    return conform(frame, "sumstats/histogram")


def summarise_kept(
    design: Design, sums: PhenotypeSums, variant_ids: pl.Series, parts: Sequence[Path], p_value: float
) -> pl.DataFrame:
    """Count discoveries and measure inflation where only the rows below a p-value were kept.

    Parameters
    ----------
    design : Design
    sums : PhenotypeSums
    variant_ids : polars.Series
        Of every variant of the file.
    parts : sequence of Path
        Files with the kept rows.
    p_value : float
        Rows with a p-value at most this large were kept, of every phenotype.

    Returns
    -------
    polars.DataFrame
        Table ``sumstats/summary``, phenotypes in their order. Bonferroni and the false discovery rate count all tests
        that were made. Inflation comes from the histogram, within 0.005 where it is below 5. A count that the kept
        rows cannot decide is null: p-values below 5e-8 or the Bonferroni threshold where `p_value` is smaller, and the
        false discovery rate where it may reach beyond `p_value`.
    """
    order = np.argsort(design.columns)
    columns = design.columns[order]
    top = sums.top_variant[order]
    frame = pl.DataFrame(
        {
            "phenotype": [design.phenotypes[c] for c in columns],
            "n": [design.patterns[design.pattern_of[c]].rows.size for c in order],
            "tests": sums.tests[order],
            "covariates": [design.basis.shape[1] - 1] * columns.size,
            "lambda_gc": [lambda_of_median(median_of(sums.histogram[c])) for c in order],
            "top_variant": [variant_ids[int(v)] if v >= 0 else None for v in top],
            "top_neg_log_10_p_value": np.where(top >= 0, sums.top[order], np.nan),
        },
        strict=False,
    )
    return conform(with_discoveries(frame, sums.tests, sums.histogram, parts, p_value), "sumstats/summary")


def with_discoveries(
    frame: pl.DataFrame,
    tests: npt.NDArray[np.int64],
    histogram: npt.NDArray[np.int64],
    parts: Sequence[Path],
    p_value: float,
) -> pl.DataFrame:
    """Add the discoveries of each phenotype; see :func:`summarise_kept`.

    Parameters
    ----------
    frame : polars.DataFrame
        A row a phenotype.
    tests : ndarray of int64, shape (P,)
    histogram : ndarray of int64, shape (P, bins)
    parts : sequence of Path
        Files with the kept rows.
    p_value : float
        Rows with a p-value at most this large were kept.

    Returns
    -------
    polars.DataFrame
        With ``genome_wide``, ``bonferroni`` and ``fdr``.
    """
    total = int(tests.sum())
    limit = _discoveries(histogram.sum(axis=0), parts, total, p_value)
    cuts = {
        "genome_wide": -np.log10(GENOME_WIDE) if p_value >= GENOME_WIDE else None,
        "bonferroni": -np.log10(FAMILY_WISE_ERROR / max(total, 1)) if p_value >= FAMILY_WISE_ERROR / total else None,
        "fdr": limit,
    }
    counted = frame.join(_counted(parts, cuts), on="phenotype", how="left", maintain_order="left")
    return counted.with_columns(
        (pl.col(name).fill_null(0) if cut is not None else pl.lit(None, pl.Int64)).alias(name)
        for name, cut in cuts.items()
    )


def _counted(parts: Sequence[Path], cuts: dict[str, float | None]) -> pl.DataFrame:
    """Rows of each phenotype beyond each cut."""
    nothing = pl.DataFrame(schema={"phenotype": pl.String} | dict.fromkeys(cuts, pl.Int64))
    if not parts:
        return nothing
    rows = pl.concat([pl.scan_parquet(part, hive_partitioning=False) for part in parts])
    beyond = [
        (pl.col("neg_log_10_p_value") > (np.inf if cut is None else cut)).sum().cast(pl.Int64).alias(name)
        for name, cut in cuts.items()
    ]
    return rows.group_by("phenotype").agg(*beyond).collect(engine="streaming")


def _discoveries(histogram: npt.NDArray[np.int64], parts: Sequence[Path], total: int, p_value: float) -> float | None:
    """−log10 p just below those that the procedure of Benjamini and Hochberg rejects; None where it cannot be told.

    With m tests, a p-value that was not kept could be rejected as the k-th only if p ≤ 0.05 k / m; in a bin of the
    histogram k is at most the number of tests up to its larger p-value, so most bins are ruled out.
    """
    kept = -np.log10(p_value)
    upto = np.cumsum(histogram[::-1])[::-1]  # tests with −log10 p at least the lower edge of each bin
    smallest = np.append(EDGES[1:], np.inf)  # of p in each bin, as −log10
    open_bins = (kept > EDGES) & (FALSE_DISCOVERY_RATE * upto / max(total, 1) >= 10.0 ** -np.minimum(smallest, kept))
    if open_bins.any():
        return None
    values = [pl.scan_parquet(part).select("neg_log_10_p_value") for part in parts]
    if not values:
        return np.inf
    log_p = pl.concat(values).filter(pl.col("neg_log_10_p_value") >= kept).collect().to_series().sort(descending=True)
    rank = np.arange(1, log_p.len() + 1)
    passed = np.flatnonzero(log_p.to_numpy() > -np.log10(FALSE_DISCOVERY_RATE * rank / total))
    return float(np.nextafter(log_p[int(passed[-1])], -np.inf)) if passed.size else np.inf


def median_of(histogram: npt.NDArray[np.int64]) -> float:
    """Median −log10 p, interpolated within its bin; NaN without any test."""
    upto = np.cumsum(histogram)
    if upto[-1] == 0:
        return float("nan")
    half = upto[-1] / 2
    place = int(np.searchsorted(upto, half))
    if place == EDGES.size - 1:
        return float(EDGES[-1])
    before = upto[place] - histogram[place]
    return float(EDGES[place] + (EDGES[place + 1] - EDGES[place]) * (half - before) / histogram[place])
