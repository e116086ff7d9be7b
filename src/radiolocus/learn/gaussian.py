"""Elastic-net linear regression of a number."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from radiolocus.errors import FitError
from radiolocus.learn.linear import LinearFit, LinearPath
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["GaussianNet"]

_MOST = 10_000


@dataclass(frozen=True)
class GaussianNet:
    """Linear model with the penalty λ (α |β|₁ + (1 − α) |β|² / 2) on half the mean squared error.

    The intercept is not penalised. The number is not scaled: penalties are in its unit, as the grid of them is. (Of an
    elastic net glmnet divides the quadratic part by the standard deviation of the number.)

    References
    ----------
    Friedman, Hastie, Tibshirani (2010) J Stat Softw 33(1).
    """

    name = "elastic-net linear"
    metric = "R²"

    def fit(self, X: Array, target: Target, penalty: float, l1_ratio: float = 0.5) -> LinearFit:
        """Fit one penalty.

        Parameters
        ----------
        X : ndarray, shape (n, p)
            Finite, standardised by the caller: the penalty treats all columns alike.
        target : Target
            A number.
        penalty : float
            λ, positive.
        l1_ratio : float
            α, 0 to 1.
        """
        return self.path(X, target, np.array([penalty]), l1_ratio, 1e-9).fit(0)

    def path(
        self,
        X: Array,
        target: Target,
        penalties: Array,
        l1_ratio: float = 0.5,
        tolerance: float = 1e-7,
        start: LinearFit | None = None,
    ) -> LinearPath:
        """Fit descending penalties, each from the one before and the first from `start`.

        Raises
        ------
        FitError
            Not even the first penalty converged.
        """
        y, mean = target.event, X.mean(axis=0)
        level, centred = float(y.mean()), X - mean
        rest = y - level
        if l1_ratio == 0.0:
            beta = _ridges(centred, rest, penalties)
        else:
            beta = _descent(centred, rest, penalties, l1_ratio, tolerance, start)
        if not len(beta):
            raise FitError(
                f"no convergence at penalty {penalties[0]:.4g} with {X.shape[1]} columns and {X.shape[0]} subjects",
                allowed="finite, standardised columns",
                todo="look for columns with extreme values",
            )
        loss = 0.5 * np.square(rest[None, :] - beta @ centred.T).sum(axis=1)
        return LinearPath(penalties[: len(beta)], beta, level - beta @ mean, loss, l1_ratio)

    def slopes(self, X: Array, target: Target) -> Array:
        """Covariance of each column with the number, shape (p,)."""
        return np.asarray(X.T @ (target.event - target.event.mean()) / target.n)

    def null(self, target: Target) -> float:
        """Mean of the number."""
        return float(target.event.mean())

    def held_out_deviance(self, prediction: Array, target: Target, training: BoolArray) -> Array:
        """Squared error of the subjects outside `training`, summed, shape (L,)."""
        return np.asarray(np.square(prediction[:, ~training] - target.event[~training]).sum(axis=1))


def _ridges(X: Array, y: Array, penalties: Array) -> Array:
    """Coefficients of every penalty, shape (L, p), from one decomposition."""
    U, size, Vt = np.linalg.svd(X, full_matrices=False)
    weight = size / (size**2 + y.size * penalties[:, None])
    return np.asarray((weight * (U.T @ y)) @ Vt)


def _descent(X: Array, y: Array, penalties: Array, l1_ratio: float, tolerance: float, start: LinearFit | None) -> Array:
    """Coefficients of the penalties that converged, shape (L, p), by coordinate descent."""
    from sklearn.exceptions import ConvergenceWarning  # loads in a second, which only its users wait for
    from sklearn.linear_model import enet_path

    beta = np.zeros(X.shape[1]) if start is None else np.array(start.coefficient)
    ordered, rows = np.asfortranarray(X), []
    for penalty in penalties:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                _, found, _ = enet_path(
                    ordered, y, l1_ratio=l1_ratio, alphas=[penalty], coef_init=beta, max_iter=_MOST, tol=tolerance,
                    precompute=False,
                )  # fmt: skip
            except ConvergenceWarning:
                break
        beta = np.ascontiguousarray(found[:, 0])
        rows.append(beta)
    return np.array(rows).reshape(len(rows), X.shape[1])
