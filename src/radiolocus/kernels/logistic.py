"""Univariate logistic models of many columns."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["CONSTANT", "FITTED", "NOT_CONVERGED", "ONE_CLASS", "SEPARATED", "logistic_batch"]

Ints = npt.NDArray[np.int64]

FITTED, CONSTANT, ONE_CLASS, SEPARATED, NOT_CONVERGED = 0, 1, 2, 3, 4

_MAX_ITERATIONS = 50
_CONVERGED = 1e-18


@kernel
def _obstacle(z: Array, positive: BoolArray) -> int:
    """Say why the maximum is not finite: exact, because there is one column."""
    low0 = low1 = np.inf
    high0 = high1 = -np.inf
    for i in range(z.size):
        if positive[i]:
            low1, high1 = min(low1, z[i]), max(high1, z[i])
        else:
            low0, high0 = min(low0, z[i]), max(high0, z[i])
    if low1 == np.inf or low0 == np.inf:
        return ONE_CLASS
    if low0 == high0 and low1 == high1 and low0 == low1:
        return CONSTANT
    # Complete or quasi-complete: the classes meet in one value at most.
    if high0 <= low1 or high1 <= low0:
        return SEPARATED
    return FITTED


@kernel
def _evaluate(z: Array, positive: BoolArray, a: float, b: float) -> tuple[float, float, float, float, float, float]:
    """Log-likelihood, gradient (a, b) and information (aa, ab, bb)."""
    loglik = ga = gb = iaa = iab = ibb = 0.0
    for i in range(z.size):
        eta = a + b * z[i]
        small = math.exp(-abs(eta))
        loglik -= max(eta, 0.0) + math.log1p(small)
        probability = 1.0 / (1.0 + small) if eta >= 0 else small / (1.0 + small)
        weight = small / ((1.0 + small) * (1.0 + small))
        residual = -probability
        if positive[i]:
            loglik += eta
            residual += 1.0
        ga += residual
        gb += residual * z[i]
        iaa += weight
        iab += weight * z[i]
        ibb += weight * z[i] * z[i]
    return loglik, ga, gb, iaa, iab, ibb


@kernel
def _newton(z: Array, positive: BoolArray, out: Array) -> int:
    """`out` gets a, b, variance of b, log-likelihood, null log-likelihood, score statistic."""
    share = positive.sum() / z.size
    a, b = math.log(share / (1.0 - share)), 0.0
    loglik, ga, gb, iaa, iab, ibb = _evaluate(z, positive, a, b)
    out[4] = loglik
    for iteration in range(_MAX_ITERATIONS):
        determinant = iaa * ibb - iab * iab
        if determinant <= 0.0:
            return NOT_CONVERGED
        da = (ibb * ga - iab * gb) / determinant
        db = (iaa * gb - iab * ga) / determinant
        decrement = da * ga + db * gb
        if iteration == 0:
            out[5] = decrement
        if decrement <= _CONVERGED:
            out[0], out[1], out[2], out[3] = a + da, b + db, iaa / determinant, loglik
            return FITTED
        floor = loglik - 1e-12 * (1.0 + abs(loglik))
        loglik, ga, gb, iaa, iab, ibb = _evaluate(z, positive, a + da, b + db)
        while not loglik >= floor:
            da /= 2.0
            db /= 2.0
            if abs(da) + abs(db) < 1e-14:
                return NOT_CONVERGED
            loglik, ga, gb, iaa, iab, ibb = _evaluate(z, positive, a + da, b + db)
        a += da
        b += db
    return NOT_CONVERGED


@kernel
def logistic_batch(columns: Array, positive: BoolArray, result: Array, counts: Ints, status: Ints) -> None:
    """Fit one univariate logistic model (with intercept) a row of `columns`, leaving out its own NaN.

    Parameters
    ----------
    columns : ndarray, shape (p, n)
    positive : ndarray, shape (n,)
    result : ndarray, shape (p, 6)
        Filled with intercept, coefficient, standard error, log-likelihood, null log-likelihood, score statistic.
    counts : ndarray, shape (p, 2)
        Filled with rows used and positives.
    status : ndarray, shape (p,)
        Filled with ``FITTED`` or the reason why not.
    """
    p, n = columns.shape
    z = np.empty(n)
    label = np.empty(n, np.bool_)
    out = np.empty(6)
    for j in range(p):
        m = 0
        total = 0.0
        counts[j, 1] = 0
        for i in range(n):
            if not math.isnan(columns[j, i]):
                z[m] = columns[j, i]
                label[m] = positive[i]
                total += z[m]
                counts[j, 1] += positive[i]
                m += 1
        counts[j, 0] = m
        status[j] = _obstacle(z[:m], label[:m])
        if status[j] != FITTED:
            continue
        mean = total / m
        square = 0.0
        for i in range(m):
            z[i] -= mean
            square += z[i] * z[i]
        scale = math.sqrt(square / m)
        for i in range(m):
            z[i] /= scale
        status[j] = _newton(z[:m], label[:m], out)
        if status[j] == FITTED:
            result[j, 1] = out[1] / scale
            result[j, 0] = out[0] - result[j, 1] * mean
            result[j, 2] = math.sqrt(out[2]) / scale
            result[j, 3:] = out[3:]
