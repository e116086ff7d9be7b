"""Newton–Raphson with step halving for concave log-likelihoods, and the ways in which a maximum can be missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array

__all__ = ["Design", "Maximum", "maximise", "standardise"]

_MAX_ITERATIONS = 60
# Newton decrement (step · gradient): the squared distance to the maximum in standard errors.
_CONVERGED = 1e-18
# A step that gains next to nothing and still moves the linear predictor is a walk to infinity: along it the
# standard error of the predictor's range exceeds 1000.
_FLAT, _MOVES = 1e-8, 0.1

Evaluate = Callable[[Array], tuple[float, Array, Array]]


@dataclass(frozen=True, eq=False)
class Design:
    """Columns centred and scaled to standard deviation 1.

    Parameters
    ----------
    Z : ndarray, shape (n, p)
    mean, scale : ndarray, shape (p,)
    names : tuple of str
    """

    Z: Array
    mean: Array
    scale: Array
    names: tuple[str, ...]


def standardise(X: npt.ArrayLike, n: int, names: Sequence[str] | None = None, *, independent: bool = True) -> Design:
    """Check a design matrix and standardise its columns.

    Parameters
    ----------
    X : array_like, shape (n, p) or (n,)
    n : int
        Rows expected.
    names : sequence of str, optional
        Names for messages; ``column 0``, ``column 1``, ... otherwise.
    independent : bool
        Refuse collinear columns; a penalty on all of them makes a fit of any.

    Raises
    ------
    InputError
        Wrong shape, or a value that is not finite.
    FitError
        A constant column, or columns that are linear combinations of one another.
    """
    matrix = np.asarray(X, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != n or matrix.shape[1] == 0:
        raise InputError(f"a design of shape {matrix.shape} for {n} patients", allowed=f"({n}, at least 1)")
    labels = tuple(names) if names is not None else tuple(f"column {j}" for j in range(matrix.shape[1]))
    if len(labels) != matrix.shape[1]:
        raise InputError(f"{len(labels)} names for {matrix.shape[1]} columns", allowed="one name a column")
    bad = np.argwhere(~np.isfinite(matrix))
    if bad.size:
        i, j = bad[0]
        raise InputError(
            f"value {matrix[i, j]}",
            where=f"row {i}, {labels[j]} ({len(bad)} such)",
            allowed="finite numbers",
            todo="impute or leave the patients out",
        )
    mean = matrix.mean(axis=0)
    Z = matrix - mean
    scale = Z.std(axis=0)
    flat = np.flatnonzero((matrix.max(axis=0) == matrix.min(axis=0)) | (scale <= 1e-13 * np.abs(mean)))
    if flat.size:
        raise FitError(
            f"{labels[flat[0]]} is constant ({matrix[0, flat[0]]:.6g} in all {n} patients)",
            allowed="columns that vary",
            todo="leave the column out",
        )
    Z /= scale
    if independent:
        _check_rank(Z, labels)
    return Design(Z, mean, scale, labels)


def _check_rank(Z: Array, names: tuple[str, ...]) -> None:
    triangle, pivot = linalg.qr(Z, mode="r", pivoting=True)
    diagonal = np.zeros(Z.shape[1])
    diagonal[: min(Z.shape)] = np.abs(np.diag(triangle))
    dependent = pivot[diagonal <= 1e-7 * diagonal[0]]
    if dependent.size:
        raise FitError(
            f"collinear columns: {', '.join(names[j] for j in np.sort(dependent))} "
            f"can be written by the other columns ({Z.shape[1] - dependent.size} of {Z.shape[1]} are independent)",
            allowed="linearly independent columns, fewer than patients",
            todo="leave the named columns out or use a penalised model",
        )


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a log-likelihood is largest.

    Parameters
    ----------
    beta : ndarray, shape (q,)
    information : ndarray, shape (q, q)
    loglik, loglik_start : float
        At the maximum and at the starting point.
    score_statistic : float
        Score test of the starting point.
    iterations : int
    """

    beta: Array
    information: Array
    loglik: float
    loglik_start: float
    score_statistic: float
    iterations: int


def maximise(evaluate: Evaluate, start: Array, design: Array, names: Sequence[str], flaw: str) -> Maximum:
    """Maximise a concave log-likelihood.

    Parameters
    ----------
    evaluate : callable
        Coefficients (q,) → log-likelihood, gradient (q,), information (q, q).
    start : ndarray, shape (q,)
    design : ndarray, shape (n, q)
        Standardised; ``design @ beta`` is the linear predictor.
    names : sequence of str, length q
    flaw : str
        What an infinite maximum is called: ``"monotone likelihood"``, ``"separation"``.

    Raises
    ------
    FitError
        The maximum is at infinity, the information is singular, or Newton does not converge.
    """
    beta = start.copy()
    loglik, gradient, information = evaluate(beta)
    loglik_start, score_statistic = loglik, 0.0
    for iteration in range(_MAX_ITERATIONS):
        step = _newton_step(information, gradient, iteration, names, flaw)
        decrement = float(step @ gradient)
        if iteration == 0:
            score_statistic = decrement
        if decrement <= _CONVERGED:
            return Maximum(beta + step, information, loglik, loglik_start, score_statistic, iteration)
        if decrement < _FLAT and np.ptp(design @ step) > _MOVES:
            raise _infinite(names[int(np.argmax(np.abs(step) * np.ptp(design, axis=0)))], flaw)
        beta, loglik, gradient, information = _halving(evaluate, beta, step, loglik)
    raise FitError(
        f"Newton–Raphson did not converge in {_MAX_ITERATIONS} iterations (log-likelihood {loglik:.6g})",
        todo="leave out columns that are nearly collinear or use a penalised model",
    )


def _newton_step(information: Array, gradient: Array, iteration: int, names: Sequence[str], flaw: str) -> Array:
    try:
        factor = linalg.cho_factor(information, lower=True)
    except (linalg.LinAlgError, ValueError):
        weakest = names[int(np.argmin(np.diag(information)))]
        if iteration:
            raise _infinite(weakest, flaw) from None
        raise FitError(
            f"{weakest} carries no information of its own: the information matrix is singular",
            allowed="columns that vary, independently of each other, among the patients the likelihood compares",
            todo="leave the column out",
        ) from None
    return np.asarray(linalg.cho_solve(factor, gradient))


def _halving(evaluate: Evaluate, beta: Array, step: Array, loglik: float) -> tuple[Array, float, Array, Array]:
    # Rounding may lower the likelihood by its last digits at the maximum; that is no overshoot.
    floor = loglik - 1e-12 * (1 + abs(loglik))
    for halvings in range(60):
        candidate = beta + step / 2**halvings
        value, gradient, information = evaluate(candidate)
        if value >= floor:
            return candidate, value, gradient, information
    raise FitError(
        f"no step along Newton's direction raises the log-likelihood {loglik:.6g}",
        todo="check the columns for extreme values",
    )


def _infinite(column: str, flaw: str) -> FitError:
    return FitError(
        f"{flaw}: the coefficient of {column} runs to infinity",
        allowed="data in which no combination of columns orders the outcome perfectly",
        todo="leave the column out, merge rare categories, or use a penalised (Firth, ridge) model",
    )
