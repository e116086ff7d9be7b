"""The scan of one block of variants: one matrix product for all phenotypes, exact Student's t."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.calls import Calls, calls_of
from radiolocus.associate.design import Design, regression_design
from radiolocus.associate.tile import (
    CONSTANT,
    DETERMINED,
    FEW,
    KEPT,
    PERFECT_FIT,
    SAME,
    TANGLED,
    Missing,
    Precision,
    Tile,
    Tiler,
)
from radiolocus.kernels.scan import observed_in
from radiolocus.model import Array, GenotypeBlock, Problem
from radiolocus.read.genotypes import VARIANT
from radiolocus.schema import conform, empty

__all__ = ["REASONS", "frequency_of", "labelled", "omissions", "rows_of", "scan_block", "scan_design"]

Whole = npt.NDArray[np.int64]

REASONS = {
    SAME: "no two analysed subjects differ in genotype",
    DETERMINED: "the covariates determine the genotype",
    PERFECT_FIT: "the variant fits the phenotype perfectly, which leaves no error to test against",
    FEW: "too few subjects with a genotype",
    CONSTANT: "the phenotype does not vary among the subjects with a genotype",
    TANGLED: "the covariates determine each other among the subjects with a genotype",
}


def scan_block(
    block: GenotypeBlock,
    phenotypes: Array,
    covariates: Array | None = None,
    *,
    phenotype_names: Sequence[str] = (),
    covariate_names: Sequence[str] = (),
    missing: Missing = "mean",
    dtype: Precision = "float64",
) -> pl.DataFrame:
    """Regress every phenotype on every variant of a block, with covariates.

    Parameters
    ----------
    block : GenotypeBlock
        V variants of n subjects.
    phenotypes : ndarray, shape (n, P)
        NaN where missing; each phenotype is analysed among the subjects that have it.
    covariates : ndarray, shape (n, k), or None
        Without intercept and without missing values.
    phenotype_names, covariate_names : sequence of str
    missing : {"mean", "drop"}
        A missing genotype becomes the mean of the variant among all n subjects, or the subject is left out for this
        variant.
    dtype : {"float64", "float32"}
        Precision of the matrix product.

    Returns
    -------
    polars.DataFrame
        Table ``sumstats/sumstats``, variant by variant, phenotypes in the order given. A pair without a defined t
        (monomorphic or collinear variant, perfect fit, constant phenotype) has no row.

    Raises
    ------
    FitError, TableError
        See :func:`radiolocus.associate.design.regression_design`.
    """
    design = regression_design(phenotypes, covariates, phenotype_names=phenotype_names, covariate_names=covariate_names)
    return scan_design(block, design, missing=missing, dtype=dtype)[0]


def scan_design(
    block: GenotypeBlock, design: Design, *, missing: Missing = "mean", dtype: Precision = "float64"
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Scan a block with a design made once for all blocks; see :func:`scan_block`.

    Returns
    -------
    table : polars.DataFrame
        Table ``sumstats/sumstats``.
    problems : tuple of Problem
        Variants without a row for some phenotypes, and why; `count` is the number of phenotypes.
    """
    tiler = Tiler(design, missing, dtype)
    tables, states = [], []
    for first in range(0, len(block.variant_id), tiler.height):
        tile = tiler.scan(block.dosage[first : first + tiler.height])
        variant, column = _in_order(tile, design)
        tables.append(rows_of(tile, design, variant, column).with_columns(pl.col("variant") + first))
        states.append(tile.state)
    if not tables:
        return empty("sumstats/sumstats"), ()
    return labelled(pl.concat(tables), listed(block), design), omissions(np.concatenate(states), block.variant_id)


def _in_order(tile: Tile, design: Design) -> tuple[Whole, Whole]:
    """Pairs with a statistic, variant by variant, phenotypes in the order of the design."""
    order = np.argsort(design.columns)
    variant, place = np.nonzero(tile.state[:, order] == KEPT)
    return variant, order[place]


def rows_of(tile: Tile, design: Design, variant: Whole, column: Whole) -> pl.DataFrame:
    """Numbers of chosen pairs of a tile: columns variant and column, then those of ``sumstats/sumstats``."""
    pattern = design.pattern_of[column]
    sxy, t = tile.sxy[variant, column].astype(np.float64), tile.t[variant, column]
    sxx, df = tile.sxx[variant, pattern], tile.df[variant, pattern]
    syy = np.broadcast_to(tile.syy, tile.state.shape)[variant, column]
    beta = sxy / sxx
    # β / t keeps the digits that 1 − r² has lost
    error = np.divide(beta, t, out=np.sqrt(syy / (sxx * df)), where=t != 0)
    return pl.DataFrame(
        {
            "variant": variant,
            "column": column,
            "beta": beta * design.length[column],
            "standard_error": error * design.length[column],
            "effect_allele_frequency": frequency_of(tile.calls, tile.moments, design, variant, pattern),
            "neg_log_10_p_value": tile.log_p[variant, column],
            "n": df + design.ranks[pattern] + 1,
            "statistic": t,
            "degrees_of_freedom": df,
        }
    )


def frequency_of(
    genotypes: npt.NDArray[np.float32] | Calls, moments: Array, design: Design, variant: Whole, pattern: Whole
) -> Array:
    """Frequency of the effect allele, for pairs of variant and pattern, among the subjects with both."""
    frequency: Array = moments[variant, 1] / design.copies
    counted, mean = moments[:, 0], moments[:, 1]
    for g in np.unique(pattern):
        absent, rows = design.patterns[g].absent, design.patterns[g].rows
        if absent.size == 0:
            continue
        here = np.flatnonzero(pattern == g)
        those, back = np.unique(variant[here], return_inverse=True)
        count, alleles = np.empty(those.size, dtype=np.int64), np.empty(those.size)
        few = absent.size < rows.size
        dosage = calls_of(genotypes).part(those).dosage
        observed_in(dosage, np.arange(those.size), absent if few else rows, count, alleles)
        known = counted[those] - count if few else count
        total = mean[those] * counted[those] - alleles if few else alleles
        frequency[here] = (total / np.maximum(known, 1) / design.copies)[back]
    return frequency


def labelled(
    numbers: pl.DataFrame, variants: pl.DataFrame, design: Design, table: str = "sumstats/sumstats"
) -> pl.DataFrame:
    """Put variants and phenotypes to the numbers of :func:`rows_of` or the like: `table`.

    Parameters
    ----------
    numbers : polars.DataFrame
        Columns variant, a row of `variants`, and column, one of the design.
    variants : polars.DataFrame
        Columns of :attr:`radiolocus.read.genotypes.GenotypeSource.variants`.
    design : Design
    table : str
    """
    phenotypes = pl.Series("phenotype", design.phenotypes, dtype=pl.String)
    named = phenotypes.gather(design.columns[numbers["column"].to_numpy()])
    places = variants.select(VARIANT)[numbers["variant"]]
    return conform(numbers.drop("variant", "column").hstack(places).with_columns(named), table)


def listed(block: GenotypeBlock) -> pl.DataFrame:
    """Variants of a block, one row each."""
    columns = [block.chromosome, block.variant_id, block.position, block.effect_allele, block.other_allele]
    types = [pl.String, pl.String, pl.Int64, pl.String, pl.String]
    return pl.DataFrame([pl.Series(*told) for told in zip(VARIANT, columns, types, strict=True)])


def omissions(
    state: npt.NDArray[np.int8], variant_id: Sequence[str], reasons: Mapping[int, str] = REASONS
) -> tuple[Problem, ...]:
    """Variants without a row for some phenotypes, and why; `count` is the number of phenotypes."""
    counts = Counter((int(v), int(state[v, i])) for v, i in np.argwhere(state != KEPT))
    return tuple(
        Problem("associate", reasons[kind], severity="no value", item=variant_id[v], count=count)
        for (v, kind), count in counts.items()
    )
