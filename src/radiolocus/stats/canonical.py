"""Canonical correlations of two sets of variables, and the test that there are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from radiolocus.errors import FitError
from radiolocus.model import Array
from radiolocus.stats.ols import residualise

__all__ = ["CanonicalTest", "canonical_test", "neg_log10_p_f", "permuted_p", "principal_axes"]

_LN10 = float(np.log(10.0))
# Below this the incomplete beta function is near the end of floating-point numbers.
_TINY = 1e-280
# Axes of less than this share of the largest singular value are rounding.
_RANK = 1e-8


@dataclass(frozen=True, eq=False)
class CanonicalTest:
    """Test of all canonical correlations together.

    Parameters
    ----------
    correlations : ndarray, shape (min(p, q),)
        Canonical correlations, largest first.
    wilks : float
        Wilks' Λ, ∏ (1 − r²).
    statistic : float
        Rao's F.
    df1, df2 : float
        Its degrees of freedom; df2 need not be whole.
    neg_log10_p : float
        −log10 p, exact under normal errors where p or q is at most 2, else Rao's approximation.
    first_x, first_y : ndarray, shape (n,)
        First canonical variates.
    """

    correlations: Array
    wilks: float
    statistic: float
    df1: float
    df2: float
    neg_log10_p: float
    first_x: Array
    first_y: Array


def neg_log10_p_f(statistic: float, df1: float, df2: float) -> float:
    """−log10 of the upper tail of the F distribution, also far below the smallest floating-point number."""
    a, b = df2 / 2.0, df1 / 2.0
    x = df2 / (df2 + df1 * statistic)
    near = float(special.betainc(a, b, x))
    if near > _TINY:
        return float(-np.log10(near))
    # I_x(a, b) = x^a (1 − x)^b / (a B(a, b)) · ₂F₁(a + b, 1; a + 1; x), a series of positive terms
    term, total, i = 1.0, 1.0, 0
    while term > 1e-17 * total:
        term *= (a + b + i) / (a + 1.0 + i) * x
        total += term
        i += 1
    log_p = a * np.log(x) + b * np.log1p(-x) - np.log(a) - special.betaln(a, b) + np.log(total)
    return float(-log_p / _LN10)


def principal_axes(values: Array, share: float = 1.0) -> tuple[Array, Array]:
    """Orthonormal principal axes of columns that are centred and set to unit length.

    Parameters
    ----------
    values : ndarray, shape (n, m)
        Centred; a column without variance counts for nothing.
    share : float
        Of the variance that the axes hold together, at most 1; axes that are rounding are left out in any case.

    Returns
    -------
    axes : ndarray, shape (n, r)
    scaled : ndarray, shape (n, m)
        The columns at unit length, 0 where there is no variance.
    """
    length = np.linalg.norm(values, axis=0)
    good = length > _RANK * max(float(length.max(initial=0.0)), np.finfo(np.float64).tiny)
    scaled = np.zeros_like(values)
    scaled[:, good] = values[:, good] / length[good]
    axes, strength, _ = np.linalg.svd(scaled, full_matrices=False)
    held = np.cumsum(strength**2) / max(float(np.sum(strength**2)), np.finfo(np.float64).tiny)
    rank = int(np.count_nonzero(strength > _RANK * strength.max(initial=0.0)))
    kept = min(rank, int(np.searchsorted(held, share - 1e-12)) + 1)
    return np.ascontiguousarray(axes[:, :kept]), scaled


def canonical_test(x: Array, y: Array, lost: int) -> CanonicalTest:
    """Test that no combination of `x` goes with a combination of `y`, by Wilks' Λ and Rao's F.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Orthonormal columns, orthogonal to intercept and covariates; see :func:`principal_axes`.
    y : ndarray, shape (n, q)
        The same of the other set.
    lost : int
        Columns that were projected out of both: intercept and covariates.

    Raises
    ------
    FitError
        Too few observations: n − lost − p − q is not above 0.

    Notes
    -----
    Rao 1951, Bull Int Statist Inst 33:177–180; Mardia, Kent & Bibby 1979, Multivariate Analysis, 10.2.
    """
    n, p = x.shape
    q = y.shape[1]
    if n - lost - p - q <= 0:
        raise FitError(
            f"{n} subjects for {p} axes of variants, {q} of phenotypes and {lost} of intercept and covariates",
            allowed=f"more than {p + q + lost} subjects",
            todo="let the axes hold a smaller share of the variance, or test fewer phenotypes or a smaller locus",
        )
    left, r, right = np.linalg.svd(x.T @ y, full_matrices=False)
    r = np.clip(r, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        log_wilks = float(np.log1p(-(r**2)).sum())
    nonlinear = p * p + q * q - 5
    s = float(np.sqrt((p * p * q * q - 4) / nonlinear)) if nonlinear > 0 else 1.0
    df1 = float(p * q)
    df2 = (n - lost - (p + q + 1) / 2.0) * s - (p * q - 2) / 2.0
    statistic = float(np.expm1(-log_wilks / s)) * df2 / df1
    return CanonicalTest(
        r, float(np.exp(log_wilks)), statistic, df1, df2, neg_log10_p_f(statistic, df1, df2), x @ left[:, 0],
        y @ right[0],
    )  # fmt: skip


def permuted_p(x: Array, y: Array, basis: Array, wilks: float, permutations: int, rng: np.random.Generator) -> float:
    """p-value of Wilks' Λ among permutations of the subjects of `y`, whose covariates are projected out again.

    Parameters
    ----------
    x, y : ndarray
        See :func:`canonical_test`.
    basis : ndarray, shape (n, lost)
        Orthonormal basis of intercept and covariates.
    wilks : float
        Observed.
    permutations : int
    rng : numpy.random.Generator

    Returns
    -------
    float
        (1 + permutations with a Λ as small) / (1 + permutations): never 0.
    """
    as_small = 0
    for _ in range(permutations):
        dealt = residualise(basis, y[rng.permutation(y.shape[0])])
        axes, _ = np.linalg.qr(dealt)
        r = np.linalg.svd(x.T @ axes, compute_uv=False)
        as_small += bool(np.exp(np.log1p(-(np.clip(r, 0.0, 1.0) ** 2)).sum()) <= wilks * (1 + 1e-12))
    return (1.0 + as_small) / (1.0 + permutations)
