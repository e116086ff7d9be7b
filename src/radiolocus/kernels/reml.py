"""Restricted likelihood of a variance ratio, and Wald tests that maximise it anew for every variant.

Everything stands in the space that is orthogonal to the covariates and in which the relationship matrix is diagonal
with entries δ: there a phenotype y has independent elements with variances proportional to λδ + 1, λ the genetic over
the residual variance, and a variant x is the only regressor.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["INTERIOR", "LOWER", "UPPER", "best_ratio", "log_likelihood", "slope_at", "wald_pairs"]

INTERIOR, LOWER, UPPER = 0, 1, 2

_MAX_ITERATIONS = 100
# Of log λ: the estimate and its standard error move by about as much, relatively, or less.
_CLOSE = 1e-8


@kernel
def _weigh(delta: Array, x: Array, y: Array, ratio: float, sums: Array) -> None:
    """Sums over w = 1 / (λδ + 1): wx², wxy, wy², then the same with δw², then δw."""
    xx, xy, yy, dxx, dxy, dyy, dw = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(delta.shape[0]):
        weight = 1.0 / (ratio * delta[i] + 1.0)
        part = delta[i] * weight
        a = weight * x[i]
        b = weight * y[i]
        xx += a * x[i]
        xy += a * y[i]
        yy += b * y[i]
        a *= part
        dxx += a * x[i]
        dxy += a * y[i]
        dyy += part * b * y[i]
        dw += part
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6] = xx, xy, yy, dxx, dxy, dyy, dw


@kernel
def _slope_of(sums: Array, ratio: float, df: float) -> float:
    """Derivative of the restricted log-likelihood to log λ; without a variant where the sum of squares of x is 0."""
    rest, change, own = sums[2], sums[5], 0.0
    if sums[0] > 0.0:
        beta = sums[1] / sums[0]
        rest -= beta * sums[1]
        change += beta * (beta * sums[3] - 2.0 * sums[4])
        own = sums[3] / sums[0]
    if rest <= 0.0:  # nothing is left of the phenotype, whatever the ratio
        return 0.0
    slope: float = 0.5 * ratio * (own - sums[6] + df * change / rest)
    return slope


@kernel
def slope_at(delta: Array, x: Array, y: Array, ratio: float, df: float, sums: Array) -> float:
    """Derivative of the restricted log-likelihood to log λ.

    Parameters
    ----------
    delta, x, y : ndarray, shape (m,)
        Eigenvalues, variant (zeros for none) and phenotype.
    ratio : float
        λ.
    df : float
        Residual degrees of freedom: m, less one with a variant.
    sums : ndarray, shape (7,)
        Room.
    """
    _weigh(delta, x, y, ratio, sums)
    return _slope_of(sums, ratio, df)


@kernel
def log_likelihood(delta: Array, x: Array, y: Array, ratio: float, df: float, sums: Array) -> float:
    """Restricted log-likelihood up to a term that depends on neither λ nor the phenotype; as :func:`slope_at`."""
    _weigh(delta, x, y, ratio, sums)
    rest, value = sums[2], 0.0
    if sums[0] > 0.0:
        rest -= sums[1] * sums[1] / sums[0]
        value -= 0.5 * math.log(sums[0])
    if rest <= 0.0:
        return math.inf
    for i in range(delta.shape[0]):
        value -= 0.5 * math.log(ratio * delta[i] + 1.0)
    return value - 0.5 * df * math.log(rest)


@kernel
def _root(
    delta: Array, x: Array, y: Array, df: float, low: float, high: float, at_low: float, at_high: float, sums: Array
) -> float:
    """Log λ between two of them with slopes of opposite sign (Brent 1973, chapter 4)."""
    a, b, fa, fb = low, high, at_low, at_high
    c, fc, last, step = a, fa, b - a, b - a
    for _ in range(_MAX_ITERATIONS):
        if (fb > 0.0) == (fc > 0.0):
            c, fc, last = a, fa, b - a
            step = last
        if abs(fc) < abs(fb):
            a, b, c, fa, fb, fc = b, c, b, fb, fc, fb
        half = 0.5 * (c - b)
        if abs(half) <= _CLOSE or fb == 0.0:
            break
        if abs(last) >= _CLOSE and abs(fa) > abs(fb):
            s = fb / fa
            if a == c:
                p, q = 2.0 * half * s, 1.0 - s
            else:
                q, r = fa / fc, fb / fc
                p = s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0))
                q = (q - 1.0) * (r - 1.0) * (s - 1.0)
            if p > 0.0:
                q = -q
            p = abs(p)
            if 2.0 * p < min(3.0 * half * q - abs(_CLOSE * q), abs(last * q)):
                last, step = step, p / q
            else:
                last, step = half, half
        else:
            last, step = half, half
        a, fa = b, fb
        b += step if abs(step) > _CLOSE else math.copysign(_CLOSE, half)
        fb = slope_at(delta, x, y, math.exp(b), df, sums)
    return b


@kernel
def best_ratio(
    delta: Array, x: Array, y: Array, df: float, grid: Array, slopes: Array, sums: Array
) -> tuple[float, int]:
    """λ of the largest restricted likelihood: every maximum that a grid brackets, and its two ends.

    Parameters
    ----------
    delta, x, y, df, sums
        See :func:`slope_at`; left with the sums at the maximum.
    grid, slopes : ndarray, shape (points,)
        Values of log λ, rising, and the slope at each.

    Returns
    -------
    ratio : float
    place : int
        INTERIOR, or LOWER or UPPER where the likelihood is largest at an end of the grid.
    """
    last = grid.shape[0] - 1
    found, place, highest, several = 0.0, -1, 0.0, False
    for g in range(-1, last + 1):
        if g == -1:
            if slopes[0] > 0.0:
                continue
            candidate, kind = grid[0], LOWER
        elif g == last:
            if slopes[last] <= 0.0:
                continue
            candidate, kind = grid[last], UPPER
        elif slopes[g] > 0.0 and slopes[g + 1] <= 0.0:
            candidate = _root(delta, x, y, df, grid[g], grid[g + 1], slopes[g], slopes[g + 1], sums)
            kind = INTERIOR
        else:
            continue
        if place < 0:
            found, place = candidate, kind
            continue
        if not several:
            highest, several = log_likelihood(delta, x, y, math.exp(found), df, sums), True
        value = log_likelihood(delta, x, y, math.exp(candidate), df, sums)
        if value > highest:
            found, place, highest = candidate, kind, value
    ratio = math.exp(found)
    _weigh(delta, x, y, ratio, sums)
    return ratio, place


@kernel
def wald_pairs(
    delta: Array,
    variants: Array,
    phenotypes: Array,
    grid: Array,
    slopes: Array,
    df: float,
    perfect: float,
    open_pairs: npt.NDArray[np.bool_],
    beta: Array,
    t: Array,
    fits: npt.NDArray[np.bool_],
) -> None:
    """Test each variant with each phenotype, λ at the maximum of the restricted likelihood of the pair.

    Parameters
    ----------
    delta : ndarray, shape (m,)
    variants : ndarray, shape (V, m)
    phenotypes : ndarray, shape (P, m)
    grid : ndarray, shape (points,)
        Values of log λ, rising.
    slopes : ndarray, shape (points, V, P)
        Of the restricted log-likelihood there.
    df : float
        m − 1.
    perfect : float
        Fraction of the sum of squares below which nothing is left to estimate an error from.
    open_pairs : ndarray of bool, shape (V, P)
        Pairs to be tested.
    beta, t : ndarray, shape (V, P)
        Receive the coefficient and Student's t.
    fits : ndarray of bool, shape (V, P)
        Receives whether the fit is perfect.
    """
    sums = np.empty(7)
    for v in range(variants.shape[0]):
        for p in range(phenotypes.shape[0]):
            if not open_pairs[v, p]:
                continue
            best_ratio(delta, variants[v], phenotypes[p], df, grid, slopes[:, v, p], sums)
            slope = sums[1] / sums[0]
            rest = sums[2] - slope * sums[1]
            beta[v, p] = slope
            fits[v, p] = rest <= perfect * sums[2]
            if not fits[v, p]:
                t[v, p] = slope / math.sqrt(rest / (df * sums[0]))
