"""What a scan found, phenotype by phenotype."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.schema import conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg, lambda_gc

__all__ = ["FALSE_DISCOVERY_RATE", "FAMILY_WISE_ERROR", "GENOME_WIDE", "summarise"]

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
