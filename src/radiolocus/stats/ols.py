"""Ordinary least squares of many responses on many single predictors, with covariates projected out once.

By the theorem of Frisch, Waugh and Lovell the coefficient of g in y ~ 1 + C + g is that of the residual of y on the
residual of g, both on [1, C]; only the degrees of freedom must remember the covariates (Lovell 1963,
doi:10.1080/01621459.1963.10480682).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from radiolocus.errors import FitError
from radiolocus.model import Array

__all__ = ["COLLINEAR", "PERFECT", "Slopes", "covariate_basis", "regress_pair", "residualise", "slopes"]

# A column counts as a combination of others when less than this fraction of its standard deviation is its own; the
# tolerance of R's lm().
COLLINEAR = 1e-7
# Residual over total sum of squares below which a fit leaves nothing but rounding, so that no error can be estimated.
PERFECT = 1e-20


def covariate_basis(covariates: Array | None, n: int, names: Sequence[str] = ()) -> Array:
    """Orthonormal basis of the intercept and the covariates.

    Parameters
    ----------
    covariates : ndarray, shape (n, k), or None
        Without intercept and without missing values.
    n : int
        Number of subjects.
    names : sequence of str
        Names of the columns, for the message.

    Returns
    -------
    ndarray, shape (n, 1 + k)
        The first column is the intercept.

    Raises
    ------
    FitError
        A covariate is constant or a combination of those before it, or there are not more subjects than columns.
    """
    columns = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    k = columns.shape[1]
    labels = list(names) if names else [f"column {i + 1}" for i in range(k)]
    if n <= k + 1:
        raise FitError(
            f"{n} subjects for an intercept and {k} covariates",
            allowed=f"at least {k + 2} subjects",
            todo="use fewer covariates",
        )
    intercept = np.full((n, 1), 1.0 / np.sqrt(n))
    if k == 0:
        return intercept
    centred = columns - columns.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    constant = length <= 1e-12 * np.linalg.norm(columns, axis=0)
    scaled = centred / np.where(constant, 1.0, length)
    scaled[:, constant] = 0.0
    dependent = _dependent(scaled)
    if dependent:
        told = [labels[i] + (" (constant)" if constant[i] else "") for i in dependent]
        raise FitError(
            f"covariates that the intercept and the covariates before them already determine: {', '.join(told)}",
            allowed="covariates none of which is a combination of others",
            todo="leave them out; of a full set of dummy columns leave out one",
        )
    basis, _ = qr(np.column_stack([intercept, scaled]), mode="economic")
    basis[:, 0] = intercept[:, 0]  # the sign of a Householder column is not fixed
    return np.ascontiguousarray(basis)


def _dependent(scaled: Array) -> list[int]:
    """Columns that are combinations of earlier ones; each is taken out before the next is judged."""
    kept: list[int] = []
    dependent: list[int] = []
    for i in range(scaled.shape[1]):
        column = scaled[:, i]
        if kept:
            basis, _ = qr(scaled[:, kept], mode="economic")
            column = residualise(basis, column[:, None])[:, 0]
        (kept if np.linalg.norm(column) > COLLINEAR else dependent).append(i)
    return dependent


def residualise(basis: Array, responses: Array) -> Array:
    """Residuals of each column of `responses`, shape (n, P), on an orthonormal `basis`, shape (n, k).

    Projected twice, so that what is left is orthogonal to the basis to rounding.
    """
    once = responses - basis @ (basis.T @ responses)
    return np.asarray(once - basis @ (basis.T @ once))


@dataclass(frozen=True, eq=False)
class Slopes:
    """Simple regressions of P responses on V predictors; every array broadcasts to (V, P).

    ``near`` marks pairs so well fitted that 1 − r² has lost digits: :func:`regress_pair` gives them from residuals.
    """

    beta: Array
    standard_error: Array
    t: Array
    near: npt.NDArray[np.bool_]


def slopes(sxy: Array, sxx: Array, syy: Array, df: Array | float, near: float = 1e-4) -> Slopes:
    """Coefficient, standard error and t from sums of squares and products about the covariates.

    Parameters
    ----------
    sxy : ndarray, shape (V, P)
    sxx : ndarray, shape (V, 1)
        Positive.
    syy : ndarray, broadcasting to (V, P)
        Positive.
    df : ndarray broadcasting to (V, P), or float
        Residual degrees of freedom, n − k − 2 with k covariates beside the intercept.
    near : float
        Below this fraction of unexplained variance, 1 − r² counts as having lost digits.
    """
    beta = sxy / sxx
    unexplained = 1.0 - beta * sxy / syy
    lost = unexplained < near
    error = np.sqrt(np.where(lost, np.nan, unexplained) * syy / (sxx * df))
    return Slopes(beta, error, beta / error, lost)


def regress_pair(x: Array, y: Array, basis: Array, df: float) -> tuple[float, float, float] | None:
    """Coefficient, standard error and t of `y` on `x` and a basis, from the residuals themselves.

    Returns None when the fit is perfect: nothing is left to estimate an error from.
    """
    x, y = residualise(basis, np.column_stack([x, y])).T
    beta = float(x @ y / (x @ x))
    rest = y - beta * x
    beta += float(x @ rest / (x @ x))
    rest = y - beta * x
    sum_squares = float(rest @ rest)
    if sum_squares <= PERFECT * float(y @ y):
        return None
    error = float(np.sqrt(sum_squares / (df * (x @ x))))
    return beta, error, beta / error
