"""Logistic models of several columns, plain or penalised by Jeffreys' prior, one genotype at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["CONVERGED", "NOT_CONVERGED", "SEPARATED", "SINGULAR", "fit_logit", "fit_pairs"]

Ints = npt.NDArray[np.int64]

CONVERGED, SINGULAR, SEPARATED, NOT_CONVERGED = 0, 1, 2, 3

_MAX_ITERATIONS = 500
# Newton decrement: the squared distance to the maximum in standard errors.
_CLOSE = 1e-18
# See radiolocus.stats.newton: a step that gains next to nothing and still moves the predictor walks to infinity.
_FLAT, _MOVES = 1e-8, 0.1


@kernel
def _factorise(information: Array, factor: Array) -> float:
    """Cholesky factor from the lower triangle; half the log determinant, NaN where it is not positive definite."""
    half = 0.0
    for j in range(information.shape[0]):
        for k in range(j + 1):
            rest = information[j, k]
            for i in range(k):
                rest -= factor[j, i] * factor[k, i]
            if k < j:
                factor[j, k] = rest / factor[k, k]
            elif rest > 1e-13 * information[j, j]:
                factor[j, j] = math.sqrt(rest)
            else:
                return math.nan
        half += math.log(factor[j, j])
    return half


@kernel
def _evaluate(x: Array, y: Array, beta: Array, penalised: bool, p: Array, information: Array, factor: Array) -> float:
    """Log-likelihood, with half the log determinant of the information when penalised; NaN where that is singular."""
    value = 0.0
    information[:] = 0.0
    for i in range(x.shape[0]):
        eta = 0.0
        for j in range(x.shape[1]):
            eta += x[i, j] * beta[j]
        small = math.exp(-abs(eta))
        value += y[i] * eta - max(eta, 0.0) - math.log1p(small)
        p[i] = 1.0 / (1.0 + small) if eta >= 0 else small / (1.0 + small)
        weight = small / ((1.0 + small) * (1.0 + small))
        for j in range(x.shape[1]):
            part = weight * x[i, j]
            for k in range(j + 1):
                information[j, k] += part * x[i, k]
    half = _factorise(information, factor)
    return value + half if penalised else value + 0.0 * half


@kernel
def _gradient(x: Array, y: Array, p: Array, factor: Array, penalised: bool, solved: Array, out: Array) -> None:
    """Score; when penalised that of Firth, in which each residual is shifted by its leverage h (1/2 − p)."""
    out[:] = 0.0
    for i in range(x.shape[0]):
        residual = y[i] - p[i]
        if penalised:
            leverage = 0.0
            for j in range(x.shape[1]):
                rest = x[i, j]
                for k in range(j):
                    rest -= factor[j, k] * solved[k]
                solved[j] = rest / factor[j, j]
                leverage += solved[j] * solved[j]
            residual += p[i] * (1.0 - p[i]) * leverage * (0.5 - p[i])
        for j in range(x.shape[1]):
            out[j] += residual * x[i, j]


@kernel
def _direction(factor: Array, gradient: Array, free: int, step: Array) -> float:
    """Newton's step of the first `free` coefficients, the others staying; returns the decrement."""
    for j in range(free):
        rest = gradient[j]
        for k in range(j):
            rest -= factor[j, k] * step[k]
        step[j] = rest / factor[j, j]
    for j in range(free - 1, -1, -1):
        rest = step[j]
        for k in range(j + 1, free):
            rest -= factor[k, j] * step[k]
        step[j] = rest / factor[j, j]
    step[free:] = 0.0
    decrement = 0.0
    for j in range(free):
        decrement += step[j] * gradient[j]
    return decrement


@kernel
def _reach(x: Array, step: Array) -> float:
    """Range of the linear predictor along a step."""
    low, high = math.inf, -math.inf
    for i in range(x.shape[0]):
        eta = 0.0
        for j in range(x.shape[1]):
            eta += x[i, j] * step[j]
        low, high = min(low, eta), max(high, eta)
    return high - low


@kernel
def fit_logit(x: Array, y: Array, free: int, penalised: bool, beta: Array, told: Array) -> int:
    """Maximise the likelihood, or Firth's penalised likelihood, over the first `free` coefficients.

    Parameters
    ----------
    x : ndarray, shape (n, q)
        With a column of ones or its like; columns of about unit size.
    y : ndarray, shape (n,)
        0 or 1.
    free : int
        Coefficients from here on stay as they are; the penalty is that of all columns (Heinze & Schemper 2002).
    penalised : bool
    beta : ndarray, shape (q,)
        Start, and then the maximum.
    told : ndarray, shape (2,)
        Receives the (penalised) log-likelihood and the standard error of the last coefficient.

    Returns
    -------
    int
        ``CONVERGED``, or why not.
    """
    n, q = x.shape
    information, factor = np.zeros((q, q)), np.zeros((q, q))
    p, gradient, step, solved, trial = np.empty(n), np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    value = _evaluate(x, y, beta, penalised, p, information, factor)
    if math.isnan(value):
        return SINGULAR
    for _ in range(_MAX_ITERATIONS):
        _gradient(x, y, p, factor, penalised, solved, gradient)
        decrement = _direction(factor, gradient, free, step)
        if not penalised and decrement < _FLAT and decrement > _CLOSE and _reach(x, step) > _MOVES:
            return SEPARATED
        if decrement <= _CLOSE:
            told[0], told[1] = value, 1.0 / factor[q - 1, q - 1]
            return CONVERGED
        floor = value - 1e-12 * (1.0 + abs(value))
        for halving in range(60):
            for j in range(q):
                trial[j] = beta[j] + step[j]
                step[j] /= 2.0
            found = _evaluate(x, y, trial, penalised, p, information, factor)
            if found >= floor:
                break
            if halving == 59:
                return NOT_CONVERGED if penalised else SEPARATED
        value = found
        beta[:] = trial
    return NOT_CONVERGED


@kernel
def _gather(basis: Array, y: Array, genotype: Array, x: Array, label: Array) -> tuple[int, float]:
    """Lay out the subjects with a genotype, which is centred and scaled; how many, and the scale (0: all alike)."""
    k = basis.shape[1]
    m, total, square = 0, 0.0, 0.0
    for i in range(y.size):
        if not math.isnan(genotype[i]):
            x[m, :k] = basis[i]
            x[m, k] = genotype[i]
            label[m] = y[i]
            total += genotype[i]
            m += 1
    for i in range(m):
        x[i, k] -= total / m
        square += x[i, k] * x[i, k]
    scale = math.sqrt(square / max(m, 1))
    for i in range(m if scale > 0.0 else 0):
        x[i, k] /= scale
    return m, scale


@kernel
def fit_pairs(
    basis: Array, y: Array, genotypes: Array, start: Array, penalised: bool, ratio: bool, result: Array, status: Ints
) -> None:
    """Fit a phenotype on covariates and one genotype after the other.

    Parameters
    ----------
    basis : ndarray, shape (n, k)
        Intercept and covariates, of about unit size.
    y : ndarray, shape (n,)
    genotypes : ndarray, shape (v, n)
        NaN leaves a subject out.
    start : ndarray, shape (k,)
        Coefficients of the covariates without a genotype.
    penalised, ratio : bool
        Firth's penalty; also the likelihood-ratio statistic of the genotype.
    result : ndarray, shape (v, 3)
        Receives coefficient, standard error and likelihood-ratio statistic (NaN where there is none).
    status : ndarray, shape (v,)
        Receives ``CONVERGED`` or why not.
    """
    n, k = basis.shape
    x, label = np.empty((n, k + 1)), np.empty(n)
    beta, told = np.zeros(k + 1), np.zeros(2)
    result[:] = math.nan
    for v in range(genotypes.shape[0]):
        m, scale = _gather(basis, y, genotypes[v], x, label)
        if scale <= 0.0:
            status[v] = SINGULAR
            continue
        beta[:k] = start
        beta[k] = 0.0
        if ratio:
            status[v] = fit_logit(x[:m], label[:m], k, penalised, beta, told)
            if status[v] != CONVERGED:
                continue
        restricted = told[0]
        status[v] = fit_logit(x[:m], label[:m], k + 1, penalised, beta, told)
        if status[v] == CONVERGED:
            result[v, 0], result[v, 1] = beta[k] / scale, told[1] / scale
            if ratio:
                result[v, 2] = max(2.0 * (told[0] - restricted), 0.0)
