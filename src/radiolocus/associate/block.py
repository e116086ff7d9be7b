"""The scan of one block of variants: one matrix product for all phenotypes, exact Student's t."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.linalg import qr, solve_triangular

from radiolocus.associate.design import Design, Group, regression_design
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array, GenotypeBlock, Problem
from radiolocus.schema import conform
from radiolocus.stats.ols import COLLINEAR, regress_pair, residualise, slopes
from radiolocus.stats.tail import neg_log10_p_t

__all__ = ["scan_block", "scan_design"]

Missing = Literal["mean", "drop"]
Precision = Literal["float64", "float32"]

# Variants of one matrix product. Every product has this shape, padded with zeros at the end of a block, so that a
# variant's numbers do not depend on the block it came in.
_TILE = 256
# When less than this fraction of a variant's sum of squares is free of the covariates, subtraction has lost digits,
# and its residual is formed.
_LITTLE = 1e-2
# Smallest pivot of the remaining basis below which projecting again by its Gram matrix has lost digits.
_WEAK = 1e-2
# Below this fraction of unexplained variance 1 − r² has lost digits, and the residuals themselves are summed.
_NEAR = {"float64": 1e-4, "float32": 1e-2}

_KEPT, _SAME, _DETERMINED, _PERFECT, _FEW, _CONSTANT, _TANGLED = range(7)
_REASONS = {
    _SAME: "no two analysed subjects differ in genotype",
    _DETERMINED: "the covariates determine the genotype",
    _PERFECT: "the variant fits the phenotype perfectly, which leaves no error to test against",
    _FEW: "too few subjects with a genotype",
    _CONSTANT: "the phenotype does not vary among the subjects with a genotype",
    _TANGLED: "the covariates determine each other among the subjects with a genotype",
}


@dataclass(frozen=True, eq=False)
class _Numbers:
    """What a block gives for every variant × phenotype; `state` says whether a number stands there."""

    beta: Array
    error: Array
    t: Array
    log_p: Array
    frequency: Array
    n: npt.NDArray[np.int64]
    df: npt.NDArray[np.int64]
    state: npt.NDArray[np.int8]

    @classmethod
    def room(cls, variants: int, phenotypes: int) -> _Numbers:
        shape = (variants, phenotypes)
        beta, error, t, log_p, frequency = (np.full(shape, np.nan) for _ in range(5))
        n, df = (np.zeros(shape, dtype=np.int64) for _ in range(2))
        return cls(beta, error, t, log_p, frequency, n, df, np.full(shape, -1, dtype=np.int8))


@dataclass(frozen=True, eq=False)
class _Tile:
    """Sums of squares and products of a few variants with the phenotypes of a group, covariates projected out."""

    sxy: Array
    sxx: Array
    syy: Array
    df: Array
    state: npt.NDArray[np.int8]


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
        A missing genotype becomes the mean of the variant, or the subject is left out for this variant.
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
    numbers = _Numbers.room(len(block.variant_id), len(design.phenotypes))
    for group in design.groups:
        _scan_group(block.dosage, group, numbers, missing, np.dtype(dtype))
    return _table(block, design, numbers), _omissions(block, numbers)


def _scan_group(
    dosage: npt.NDArray[np.float32], group: Group, numbers: _Numbers, missing: Missing, dtype: np.dtype[np.floating]
) -> None:
    stacked = group.stacked.astype(dtype, copy=False)
    centred = np.zeros((_TILE, group.rows.size), dtype=dtype)
    moments = np.zeros((_TILE, 4))
    for first in range(0, dosage.shape[0], _TILE):
        tile = dosage[first : first + _TILE]
        height = tile.shape[0]
        centred[height:] = 0.0
        centre_dosage(tile, group.rows, centred, moments)
        product = (centred @ stacked)[:height].astype(np.float64, copy=False)
        part = _reduce(product, moments[:height], group)
        if missing == "drop":
            _drop_missing(tile, product, moments[:height], group, part)
        _recompute(tile, moments[:height], group, part, missing)
        _store(first, tile, moments[:height], group, part, numbers, missing, _NEAR[dtype.name])


def _reduce(product: Array, moments: Array, group: Group) -> _Tile:
    """Project the covariates out of each variant, missing genotypes at the mean."""
    p = group.columns.size
    about = moments[:, 2]
    sxx = about - np.square(product[:, p:]).sum(axis=1)
    state = np.zeros(product[:, :p].shape, dtype=np.int8)
    # the sum of squares about the mean is rounding when every genotype is the same
    state[(moments[:, 0] < 1) | (about <= 1e-10 * moments[:, 3])] = _SAME
    return _Tile(product[:, :p], sxx, np.ones(state.shape), np.full(sxx.shape, float(group.df)), state)


def _drop_missing(dosage: npt.NDArray[np.float32], product: Array, moments: Array, group: Group, part: _Tile) -> None:
    """Take the subjects without a genotype out of the sums of the variants that have any; exact.

    With Q the basis, y a residual and A the absent subjects, the basis of those who remain has the Gram matrix
    I − Q_AᵀQ_A = LLᵀ, and Qᵀy over them is −Q_Aᵀy_A: what must be projected out again is small.
    """
    p, columns = group.columns.size, group.basis.shape[1]
    for v in np.flatnonzero((moments[:, 0] < group.rows.size) & (part.state[:, 0] != _SAME)):
        absent = np.flatnonzero(np.isnan(dosage[v, group.rows]))
        left = group.rows.size - absent.size - columns - 1
        if left < 1:
            part.state[v] = _FEW
            continue
        basis, response = group.basis[absent], group.response[absent]
        factor = _cholesky(np.eye(columns) - basis.T @ basis)
        if factor is None:
            part.state[v] = _TANGLED
            continue
        again = solve_triangular(
            factor, np.column_stack([product[v, p:], -basis.T @ response]), lower=True, check_finite=False
        )
        part.sxy[v] -= again[:, 0] @ again[:, 1:]
        part.sxx[v] = moments[v, 2] - again[:, 0] @ again[:, 0]
        part.syy[v] = 1.0 - np.square(response).sum(axis=0) - np.square(again[:, 1:]).sum(axis=0)
        part.df[v] = left
        if np.diagonal(factor).min() < _WEAK:
            part.sxx[v] = 0.0  # so that the residuals are formed


def _cholesky(gram: Array) -> Array | None:
    try:
        factor = np.asarray(np.linalg.cholesky(gram), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return factor if np.diagonal(factor).min() > COLLINEAR else None


def _residuals(
    dosage: npt.NDArray[np.float32], mean: float, group: Group, missing: Missing
) -> tuple[Array, Array, Array]:
    """Genotype, phenotypes and basis of the subjects that one variant is analysed in."""
    x = dosage[group.rows].astype(np.float64) - mean
    there = ~np.isnan(x)
    if missing == "mean" or there.all():
        return np.where(there, x, 0.0), group.response, group.basis
    basis, _ = qr(group.basis[there], mode="economic")
    return x[there], residualise(basis, group.response[there]), basis


def _recompute(dosage: npt.NDArray[np.float32], moments: Array, group: Group, part: _Tile, missing: Missing) -> None:
    """Form the residuals where sums of squares have lost digits to subtraction; judge what is left."""
    open_rows = (part.state == _KEPT).any(axis=1)
    little = (part.sxx < _LITTLE * moments[:, 2]) | (part.syy < _LITTLE).any(axis=1)
    for v in np.flatnonzero(open_rows & little):
        x, y, basis = _residuals(dosage[v], moments[v, 1], group, missing)
        rest = residualise(basis, x[:, None])[:, 0]
        part.sxx[v], part.sxy[v], part.syy[v] = rest @ rest, rest @ y, np.square(y).sum(axis=0)
        part.state[v, part.syy[v] <= COLLINEAR**2] = _CONSTANT
        if part.sxx[v] <= COLLINEAR**2 * moments[v, 2]:
            part.state[v] = _DETERMINED


def _store(
    first: int,
    dosage: npt.NDArray[np.float32],
    moments: Array,
    group: Group,
    part: _Tile,
    numbers: _Numbers,
    missing: Missing,
    near: float,
) -> None:
    """Turn sums into coefficients and put them where the phenotypes of the group stand."""
    good = part.state == _KEPT
    sxx = np.where(good.any(axis=1), part.sxx, 1.0)[:, None]
    result = slopes(part.sxy, sxx, np.where(good, part.syy, 1.0), np.maximum(part.df, 1.0)[:, None], near)
    beta, error, t = result.beta, result.standard_error, result.t
    for v, i in np.argwhere(result.near & good):
        x, y, basis = _residuals(dosage[v], moments[v, 1], group, missing)
        pair = regress_pair(x, y[:, i], basis, float(part.df[v]))
        if pair is None:
            part.state[v, i] = _PERFECT
            good[v, i] = False
        else:
            beta[v, i], error[v, i], t[v, i] = pair
    t = np.where(good, t, np.nan)
    place = np.ix_(np.arange(first, first + dosage.shape[0]), group.columns)
    numbers.beta[place] = beta * group.length
    numbers.error[place] = error * group.length
    numbers.t[place] = t
    numbers.log_p[place] = neg_log10_p_t(t, float(group.df) if missing == "mean" else part.df[:, None])
    numbers.frequency[place] = moments[:, 1, None] / 2
    numbers.df[place] = part.df[:, None].astype(np.int64)
    numbers.n[place] = (part.df[:, None] + group.basis.shape[1] + 1).astype(np.int64)
    numbers.state[place] = part.state


def _table(block: GenotypeBlock, design: Design, numbers: _Numbers) -> pl.DataFrame:
    kept = numbers.state == _KEPT
    variant, phenotype = np.nonzero(kept)
    texts = {
        "chromosome": block.chromosome,
        "variant_id": block.variant_id,
        "effect_allele": block.effect_allele,
        "other_allele": block.other_allele,
    }
    columns = {name: pl.Series(name, value, dtype=pl.String).gather(variant) for name, value in texts.items()}
    reals = {
        "beta": numbers.beta,
        "standard_error": numbers.error,
        "effect_allele_frequency": numbers.frequency,
        "neg_log_10_p_value": numbers.log_p,
        "n": numbers.n,
        "statistic": numbers.t,
        "degrees_of_freedom": numbers.df,
    }
    columns |= {name: pl.Series(name, value.ravel() if kept.all() else value[kept]) for name, value in reals.items()}
    columns["phenotype"] = pl.Series("phenotype", design.phenotypes, dtype=pl.String).gather(phenotype)
    columns["base_pair_location"] = pl.Series("base_pair_location", block.position[variant])
    return conform(pl.DataFrame(columns), "sumstats/sumstats")


def _omissions(block: GenotypeBlock, numbers: _Numbers) -> tuple[Problem, ...]:
    left_out = np.argwhere(numbers.state > _KEPT)
    counts = Counter((int(v), int(numbers.state[v, i])) for v, i in left_out)
    return tuple(
        Problem("associate", _REASONS[state], severity="no value", item=block.variant_id[v], count=count)
        for (v, state), count in counts.items()
    )
