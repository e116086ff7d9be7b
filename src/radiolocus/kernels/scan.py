"""Loops of the genome-wide scan: sums over few subjects, statistics of a tile of variants, and what is kept of them.

A tile is a few hundred variants of all subjects, centred, with 0 where a genotype is missing. Matrices of a tile have a
row a variant; phenotypes that are known for the same subjects form a pattern.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = [
    "EDGES",
    "correct_absent",
    "drop_missing",
    "gather_moments",
    "log_p_of",
    "observed_in",
    "student_t",
    "sums_over",
    "tally",
    "transpose_tile",
]

Real = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating]
Whole = npt.NDArray[np.int64]
State = npt.NDArray[np.int8]

_STRIPE = 64
# Bins of −log10 p: fine up to 1, where the median of a scan lies and inflation is read, coarser up to 10.
_FINE, _TURN, _COARSE, _END = 1024, 1, 32, 10
EDGES = np.concatenate([np.arange(_TURN * _FINE) / _FINE, _TURN + np.arange((_END - _TURN) * _COARSE + 1) / _COARSE])


@kernel
def transpose_tile(tile: Floating, out: Floating) -> None:
    """Write ``tile.T`` into `out`, a stripe of columns at a time so that both sides stay in cache."""
    height, n = tile.shape
    for first in range(0, n, _STRIPE):
        last = min(first + _STRIPE, n)
        for v in range(height):
            for i in range(first, last):
                out[i, v] = tile[v, i]


@kernel
def gather_moments(tile: Floating, rows: Whole, out: Floating, sums: Real, squares: Real) -> None:
    """Copy some rows of a transposed tile side by side; add them, and their squares, variant by variant.

    Parameters
    ----------
    tile : ndarray of float, shape (n, variants)
    rows : ndarray of int64, shape (m,)
    out : ndarray of float, shape (at least m, variants)
    sums, squares : ndarray of float64, shape (variants,)
        What is found is added to what stands there.
    """
    width = tile.shape[1]
    part = np.zeros(width, dtype=tile.dtype)
    power = np.zeros(width, dtype=tile.dtype)
    for k in range(rows.shape[0]):
        row = rows[k]
        for v in range(width):
            value = tile[row, v]
            out[k, v] = value
            part[v] += value
            power[v] += value * value
        if k % _STRIPE == _STRIPE - 1 or k == rows.shape[0] - 1:  # short sums as the tile is, long ones in double
            for v in range(width):
                sums[v] += part[v]
                squares[v] += power[v]
                part[v] = 0.0
                power[v] = 0.0


@kernel
def observed_in(dosage: npt.NDArray[np.float32], variants: Whole, rows: Whole, count: Whole, alleles: Real) -> None:
    """Count the genotypes that are not missing, and their effect alleles, among some subjects.

    Parameters
    ----------
    dosage : ndarray of float32, shape (any, n)
    variants : ndarray of int64, shape (variants,)
        Rows of `dosage`.
    rows : ndarray of int64, shape (m,)
        Columns of `dosage`.
    count : ndarray of int64, shape (variants,)
    alleles : ndarray of float64, shape (variants,)
    """
    for v in range(variants.shape[0]):
        known = 0
        total = 0.0
        for i in rows:
            value = dosage[variants[v], i]
            if not math.isnan(value):
                known += 1
                total += value
        count[v] = known
        alleles[v] = total


@kernel
def student_t(
    sxy: Floating, sxx: Real, syy: Real, df: Whole, pattern: Whole, near: float, large: float, state: State, t: Real
) -> int:
    """Student's t of every variant and phenotype from sums about the covariates.

    Parameters
    ----------
    sxy : ndarray, shape (V, P)
    sxx : ndarray of float64, shape (V, patterns)
    syy : ndarray of float64, shape (V, P), or (1, 1) where every phenotype has unit length
    df : ndarray of int64, shape (V, patterns)
    pattern : ndarray of int64, shape (P,)
    near : float
        Unexplained fraction below which 1 − r² has lost digits.
    large : float
        Size of t above which it is computed again.
    state : ndarray of int8, shape (V, P)
        Pairs that are not 0 have no t; pairs to compute again receive −1.
    t : ndarray of float64, shape (V, P)

    Returns
    -------
    int
        Number of pairs to compute again.
    """
    again = 0
    whole = syy.shape[0] == 1 and syy.shape[1] == 1
    unit = syy[0, 0] if whole else 1.0
    for v in range(sxy.shape[0]):
        for p in range(sxy.shape[1]):
            if state[v, p] != 0:
                t[v, p] = math.nan
                continue
            g = pattern[p]
            product = float(sxy[v, p])
            length = sxx[v, g] * (unit if whole else syy[v, p])
            rest = length - product * product
            if rest < near * length:
                state[v, p] = -1
                again += 1
                t[v, p] = math.nan
                continue
            value = product * math.sqrt(df[v, g] / rest)
            if abs(value) > large:
                state[v, p] = -1
                again += 1
            t[v, p] = value
    return again


@kernel
def log_p_of(t: Real, table: Whole, pattern: Whole, tables: Real, width: float, out: Real) -> int:
    """−log10 p of each t from tables by degrees of freedom.

    Parameters
    ----------
    t : ndarray of float64, shape (V, P)
    table : ndarray of int64, shape (V, patterns), or (1, patterns) where it is the same for all variants
        Which of `tables`.
    pattern : ndarray of int64, shape (P,)
    tables : ndarray of float64, shape (tables, cells, 6)
        See :func:`radiolocus.kernels.tail.table_t`.
    width : float
        Width of a cell.
    out : ndarray of float64, shape (V, P)
        NaN where t is NaN; −1 where t is beyond the table.

    Returns
    -------
    int
        Number of values beyond the table.
    """
    scale = 1.0 / math.log(10.0)
    cells = tables.shape[1]
    one = table.shape[0] == 1
    beyond = 0
    # a strip of variants at a time, so that the table of a phenotype is read while it is near
    for first in range(0, t.shape[0], _STRIPE):
        last = min(first + _STRIPE, t.shape[0])
        for p in range(t.shape[1]):
            for v in range(first, last):
                place = abs(t[v, p]) / width
                if place < cells:
                    cell = int(place)
                    s = place - cell
                    c = tables[table[0 if one else v, pattern[p]], cell]
                    out[v, p] = scale * (c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * c[5])))))
                elif math.isnan(place):
                    out[v, p] = math.nan
                else:
                    out[v, p] = -1.0
                    beyond += 1
    return beyond


@kernel
def _factor(gram: Real, factor: Real) -> float:
    """Cholesky factor (lower) of `gram`; its smallest pivot, 0 where there is none."""
    k = gram.shape[0]
    smallest = math.inf
    for i in range(k):
        for j in range(i + 1):
            total = gram[i, j]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i == j:
                if not total > 0.0:
                    return 0.0
                factor[i, i] = math.sqrt(total)
                smallest = min(smallest, factor[i, i])
            else:
                factor[i, j] = total / factor[j, j]
    return smallest


@kernel
def _forward(factor: Real, vector: Real) -> None:
    """Solve ``factor @ x = vector`` in place."""
    for i in range(vector.shape[0]):
        total = vector[i]
        for m in range(i):
            total -= factor[i, m] * vector[m]
        vector[i] = total / factor[i, i]


@kernel
def drop_missing(
    missing: Whole,
    known: npt.NDArray[np.bool_],
    basis: Real,
    grams: Real,
    response: Floating,
    first: Whole,
    loading: Real,
    squares: Real,
    sxy: Real,
    sxx: Real,
    syy: Real,
    df: Whole,
    pivot: Real,
) -> None:
    """Take the subjects without a genotype out of the sums of one variant; exact.

    With Q the basis of all subjects and U those who remain, the covariates have the Gram matrix Q_UᵀQ_U = LLᵀ there,
    and what must be projected out of the variant and of a residual y is L⁻¹Q_Uᵀx and L⁻¹Q_Uᵀy. The second is
    −L⁻¹ΣQᵢyᵢ over the subjects that are dropped, because y is orthogonal to Q over those of its pattern.

    Parameters
    ----------
    missing : ndarray of int64, shape (m,)
        Subjects without a genotype.
    known : ndarray of bool, shape (patterns, n)
        Subjects of each pattern.
    basis : ndarray of float64, shape (n, k)
    grams : ndarray of float64, shape (patterns, k, k)
        ``basis.T @ basis`` over the subjects of each pattern.
    response : ndarray of float, shape (n, P)
        Residuals of unit length, 0 where the phenotype is missing; the phenotypes of a pattern are neighbours.
    first : ndarray of int64, shape (patterns + 1,)
        Where the phenotypes of each pattern begin.
    loading : ndarray of float64, shape (patterns, k)
        ``basis.T @ x`` over the subjects of each pattern, with x = 0 for a missing genotype.
    squares : ndarray of float64, shape (patterns,)
        Sum of squares of x over the subjects of each pattern.
    sxy, syy : ndarray of float64, shape (P,)
        `sxy` holds ``x @ response``; both receive the sums about the covariates of those who remain.
    sxx : ndarray of float64, shape (patterns,)
    df : ndarray of int64, shape (patterns,)
        Degrees of freedom; the subjects that are dropped are subtracted.
    pivot : ndarray of float64, shape (patterns,)
        Receives the smallest pivot of L.
    """
    k = basis.shape[1]
    gram = np.empty((k, k))
    factor = np.zeros((k, k))
    direction = np.empty(k)
    inside = np.empty(missing.shape[0], dtype=np.int64)
    for g in range(first.shape[0] - 1):
        m = _members(missing, known[g], inside)
        df[g] -= m
        gram[:] = grams[g]
        _downdate(gram, basis, inside[:m])
        pivot[g] = _factor(gram, factor)
        if pivot[g] <= 0.0:
            continue
        direction[:] = loading[g]
        _forward(factor, direction)
        sxx[g] = squares[g]
        for i in range(k):
            sxx[g] -= direction[i] * direction[i]
        for start in range(first[g], first[g + 1], _STRIPE):
            stop = min(start + _STRIPE, first[g + 1])
            _drop_responses(
                inside[:m], basis, response[:, start:stop], factor, direction, sxy[start:stop], syy[start:stop]
            )


@kernel
def _members(missing: Whole, known: npt.NDArray[np.bool_], inside: Whole) -> int:
    """Put the missing subjects who are known into `inside`, and count them."""
    m = 0
    for i in missing:
        if known[i]:
            inside[m] = i
            m += 1
    return m


@kernel
def _downdate(gram: Real, basis: Real, rows: Whole) -> None:
    """Subtract ``basis[rows].T @ basis[rows]`` from the lower triangle of `gram`."""
    for a in rows:
        row = basis[a]
        for i in range(gram.shape[0]):
            for j in range(i + 1):
                gram[i, j] -= row[i] * row[j]


@kernel
def _drop_responses(
    rows: Whole, basis: Real, response: Floating, factor: Real, direction: Real, sxy: Real, syy: Real
) -> None:
    """Take `rows` out of the sums of a few phenotypes; see :func:`drop_missing`."""
    k = basis.shape[1]
    width = response.shape[1]
    dropped = np.zeros((k, width))
    energy = np.zeros(width)
    column = np.empty(k)
    for a in rows:
        y = response[a]
        for i in range(k):
            weight = basis[a, i]
            for p in range(width):
                dropped[i, p] += weight * y[p]
        for p in range(width):
            energy[p] += float(y[p]) * float(y[p])
    for p in range(width):
        for i in range(k):
            column[i] = dropped[i, p]
        _forward(factor, column)
        syy[p] = 1.0 - energy[p]
        for i in range(k):
            sxy[p] += direction[i] * column[i]
            syy[p] -= column[i] * column[i]


@kernel
def sums_over(
    tile: Floating, rows: Whole, loadings: Floating, intercept: float, panel: Floating, found: Real, squares: Real
) -> None:
    """Products of a transposed tile with the basis, and its squares, summed over some rows.

    Parameters
    ----------
    tile : ndarray of float, shape (n, variants)
    rows : ndarray of int64, shape (m,)
    loadings : ndarray of float, shape (m × (k − 1),)
        The basis without its first column at these rows: as few chunks of rows as may be, each transposed.
    intercept : float
        The first column of the basis, which is constant.
    panel : ndarray of float, shape (longest chunk, variants)
        Room to work in.
    found : ndarray of float64, shape (k, variants)
    squares : ndarray of float64, shape (variants,)
    """
    m = rows.shape[0]
    chunks = (m + panel.shape[0] - 1) // panel.shape[0]
    length = (m + chunks - 1) // chunks
    others = found.shape[0] - 1
    part = np.empty((others, tile.shape[1]), dtype=tile.dtype)
    found[:] = 0.0
    squares[:] = 0.0
    for first in range(0, m, length):
        chosen = rows[first : first + length]
        count = chosen.shape[0]
        gather_moments(tile, chosen, panel, found[0], squares)
        if others:
            columns = loadings[first * others : (first + count) * others].reshape(others, count)
            np.dot(columns, panel[:count], part)
            for j in range(others):
                for v in range(part.shape[1]):
                    found[j + 1, v] += part[j, v]
    for v in range(found.shape[1]):
        found[0, v] *= intercept


@kernel
def correct_absent(
    tile: Floating,
    rows: Whole,
    row_start: Whole,
    loadings: Floating,
    loading_start: Whole,
    intercepts: Real,
    away: npt.NDArray[np.bool_],
    transforms: Real,
    whole: Real,
    about: Real,
    panel: Floating,
    sxx: Real,
    squares: Real,
    kept: Real,
) -> None:
    """Sums of squares of a strip of variants about the covariates, over the subjects of each pattern.

    Parameters
    ----------
    tile : ndarray of float, shape (n, variants)
    rows, row_start : ndarray of int64
        For each pattern the rows to sum over, one after the other, and where they begin.
    loadings, loading_start
        For each pattern the basis at these rows, see :func:`sums_over`, and where it begins.
    intercepts : ndarray of float64, shape (patterns,)
    away : ndarray of bool, shape (patterns,)
        Whether the rows are those that do not belong to the pattern.
    transforms : ndarray of float64, shape (patterns, k, k)
        Makes the basis orthonormal over the rows of the pattern.
    whole : ndarray of float64, shape (k, variants)
        ``basis.T @ x`` over all subjects.
    about : ndarray of float64, shape (variants,)
        Sum of squares over all subjects.
    panel : ndarray of float, shape (longest chunk, variants)
        Room to work in.
    sxx, squares : ndarray of float64, shape (patterns, variants)
        Receive the sums of squares about the covariates and about the mean of all subjects.
    kept : ndarray of float64, shape (patterns or 0, k, variants)
        Receives ``basis.T @ x`` over the rows of each pattern.
    """
    k, width = whole.shape
    found = np.empty((k, width))
    turned = np.empty(width)
    for g in range(intercepts.shape[0]):
        sums_over(
            tile, rows[row_start[g] : row_start[g + 1]], loadings[loading_start[g] : loading_start[g + 1]],
            intercepts[g], panel, found, squares[g],
        )  # fmt: skip
        if away[g]:
            found[:] = whole - found
            squares[g] = about - squares[g]
        sxx[g] = squares[g]
        for j in range(k):
            turned[:] = 0.0
            for i in range(k):
                weight = transforms[g, i, j]
                for v in range(width):
                    turned[v] += weight * found[i, v]
            for v in range(width):
                sxx[g, v] -= turned[v] * turned[v]
        if kept.shape[0] > 0:
            kept[g] = found


@kernel
def tally(
    log_p: Real,
    histogram: npt.NDArray[np.int32],
    tests: Whole,
    top: Real,
    top_variant: Whole,
    variant_tests: Whole,
    variant_top: Real,
    variant_column: Whole,
) -> None:
    """Count tests and find the smallest p-values of a tile, phenotype by phenotype and variant by variant.

    Parameters
    ----------
    log_p : ndarray of float64, shape (V, P)
        −log10 p; NaN where no test was made.
    histogram : ndarray of int32, shape (P, len(EDGES))
        Counts are added: bin i begins at ``EDGES[i]``, the last has no end.
    tests : ndarray of int64, shape (P,)
        Counts are added.
    top, top_variant : ndarray, shape (P,)
        Largest −log10 p so far and the row of its variant; the first of equal ones stays.
    variant_tests, variant_top, variant_column : ndarray, shape (V,)
        Receive the tests of each variant, its largest −log10 p and the phenotype of it; −1 where there is none.
    """
    last = histogram.shape[1] - 1
    variant_tests[:] = 0
    variant_top[:] = -1.0
    variant_column[:] = -1
    # a strip of variants at a time, so that the counts of a phenotype are added to while they are near
    for first in range(0, log_p.shape[0], _STRIPE):
        for p in range(log_p.shape[1]):
            for v in range(first, min(first + _STRIPE, log_p.shape[0])):
                value = log_p[v, p]
                if math.isnan(value):
                    continue
                variant_tests[v] += 1
                place = value * _FINE if value < _TURN else _TURN * _FINE + (value - _TURN) * _COARSE
                histogram[p, int(place) if place < last else last] += 1
                tests[p] += 1
                if value > top[p]:
                    top[p] = value
                    top_variant[p] = v
                if value > variant_top[v]:
                    variant_top[v] = value
                    variant_column[v] = p
