"""Correlation of many columns with many columns, as matrix products.

All functions take complete arrays: who is missing is decided above. Columns are variables, rows are subjects.
"""

from __future__ import annotations

import numpy as np

from radiolocus.model import Array
from radiolocus.stats.ols import COLLINEAR, PERFECT, residualise

__all__ = [
    "average_ranks",
    "correlate",
    "correlation_t",
    "partial_correlation",
    "rank_sum",
    "spanning_basis",
    "unit_residuals",
]

# Below this, 1 − r² has lost digits and is summed from the residuals instead.
_NEAR = 1e-4


def spanning_basis(covariates: Array | None, n: int) -> Array:
    """Return an orthonormal basis of the space that the intercept and the covariates span.

    Unlike :func:`radiolocus.stats.ols.covariate_basis` it takes covariates that are constant or that depend on one
    another: among the subjects who have a marker a covariate may lose a level, which is no mistake of the study.

    Parameters
    ----------
    covariates : ndarray, shape (n, k), or None
    n : int
        Number of subjects.

    Returns
    -------
    ndarray, shape (n, r)
        r is the rank of intercept and covariates together; the first column is the intercept.
    """
    first = np.full((n, 1), 1.0 / np.sqrt(n))
    if covariates is None or covariates.shape[1] == 0:
        return first
    centred = covariates - covariates.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varies = length > 1e-12 * np.linalg.norm(covariates, axis=0)
    if not varies.any():
        return first
    left, size, _ = np.linalg.svd(centred[:, varies] / length[varies], full_matrices=False)
    return np.hstack([first, left[:, size > COLLINEAR * size[0]]])


def unit_residuals(values: Array, basis: Array) -> tuple[Array, Array]:
    """Take `basis` out of every column and scale what is left to length one.

    Parameters
    ----------
    values : ndarray, shape (n, p)
    basis : ndarray, shape (n, r)
        Orthonormal, as from :func:`spanning_basis`.

    Returns
    -------
    residuals : ndarray, shape (n, p)
        Zero columns where nothing is left.
    length : ndarray, shape (p,)
        Euclidean length of the residual; exactly 0 where the column is constant or explained by the basis to rounding.
    """
    centred = values - values.mean(axis=0)
    spread = np.linalg.norm(centred, axis=0)
    constant = spread <= 1e-12 * np.linalg.norm(values, axis=0)
    left = residualise(basis, centred)
    length = np.linalg.norm(left, axis=0)
    length = np.where(constant | (length <= COLLINEAR * spread), 0.0, length)
    residuals = np.divide(left, length, out=np.zeros_like(left), where=length > 0)
    return residuals, length


def correlate(left: Array, right: Array) -> tuple[Array, Array]:
    """Correlation of unit residuals, and the fraction of variance it leaves unexplained.

    Parameters
    ----------
    left : ndarray, shape (n, p)
    right : ndarray, shape (n, q)
        Both from :func:`unit_residuals`.

    Returns
    -------
    r : ndarray, shape (p, q)
        Within [−1, 1].
    unexplained : ndarray, shape (p, q)
        1 − r², exact also where r is near ±1, and not below 1e-20: a perfect fit keeps a finite statistic.
    """
    r = np.clip(left.T @ right, -1.0, 1.0)
    unexplained = (1.0 - r) * (1.0 + r)
    for i, j in np.argwhere(unexplained < _NEAR):
        rest = left[:, i] - r[i, j] * right[:, j]
        unexplained[i, j] = max(float(rest @ rest), PERFECT)
    return r, unexplained


def partial_correlation(X: Array, Y: Array, covariates: Array | None = None) -> Array:
    """Pearson correlation of every column of `X` with every column of `Y`, given the covariates.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    Y : ndarray, shape (n, q)
    covariates : ndarray, shape (n, k), optional

    Returns
    -------
    ndarray, shape (p, q)
        Within [−1, 1]; NaN where a column is constant or a linear function of the covariates.
    """
    basis = spanning_basis(covariates, len(X))
    (left, a), (right, b) = unit_residuals(X, basis), unit_residuals(Y, basis)
    r, _ = correlate(left, right)
    r[a == 0, :] = np.nan
    r[:, b == 0] = np.nan
    return r


def correlation_t(r: Array, unexplained: Array, df: float) -> Array:
    """Student's t of a (partial) correlation: r √(df / (1 − r²)).

    Parameters
    ----------
    r, unexplained : ndarray
        From :func:`correlate`.
    df : float
        n − 2 − k with k independent covariates (Fisher 1924, Metron 3:329). For ranks this is the usual approximation
        (Kendall 1942, Biometrika 32:277; Kim 2015, Communications for Statistical Applications and Methods 22:665).
    """
    return np.asarray(r * np.sqrt(df / unexplained))


def average_ranks(values: Array) -> Array:
    """Rank every column of `values`, (n,) or (n, p), from 1 to n; ties share the mean of their ranks.

    A column with NaN has no ranks: all of it is NaN.
    """
    n = len(values)
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    place = np.broadcast_to(np.arange(n).reshape(-1, *[1] * (values.ndim - 1)), values.shape)
    begins, ends = np.ones(values.shape, dtype=bool), np.ones(values.shape, dtype=bool)
    begins[1:] = ends[:-1] = ascending[1:] != ascending[:-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, place, n)[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    if n:
        ranks[..., np.isnan(ascending[-1])] = np.nan  # they stand last
    return ranks


def rank_sum(ranks: Array, group: Array) -> tuple[Array, Array]:
    """Wilcoxon rank-sum (Mann–Whitney) test of every column of ranks between the two groups of every column of `group`.

    Parameters
    ----------
    ranks : ndarray, shape (n, p)
        From :func:`average_ranks`.
    group : ndarray, shape (n, q)
        0 or 1.

    Returns
    -------
    z : ndarray, shape (p, q)
        Normal approximation with the variance corrected for ties and a continuity correction of one half, as
        ``wilcox.test(exact = FALSE)`` of R has it (Lehmann 1975, Nonparametrics, §1.4). NaN for a constant column and
        where one group is empty.
    rank_biserial : ndarray, shape (p, q)
        2 AUC − 1: the chance that a subject of group 1 lies above one of group 0, less the opposite chance
        (Cureton 1956, Psychometrika 21:287). It does not count ties for either.
    """
    n = len(ranks)
    n1 = group.sum(axis=0)
    pairs = n1 * (n - n1)
    above = ranks.T @ group - n1 * (n + 1) / 2.0
    # Σ(R − R̄)² = (n³ − n − Σ(t³ − t)) / 12, so this is the variance with its correction for ties t.
    spread = ((ranks - (n + 1) / 2.0) ** 2).sum(axis=0)
    sigma = np.sqrt(spread[:, None] * pairs[None, :] / (n * (n - 1.0)))
    gap = np.sign(above) * np.maximum(np.abs(above) - 0.5, 0.0)
    defined = sigma > 0
    z = np.divide(gap, sigma, out=np.full_like(gap, np.nan), where=defined)
    return z, np.divide(2.0 * above, pairs[None, :], out=np.full_like(gap, np.nan), where=defined)
