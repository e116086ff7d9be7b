"""Elastic-net logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiolocus.errors import FitError
from radiolocus.learn.linear import LinearFit, LinearPath, follow_path
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["LogisticNet"]

_NO_BOUNDS = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True)
class LogisticNet:
    """Logistic model with the penalty λ (α |β|₁ + (1 − α) |β|² / 2) on the mean negative log likelihood.

    The intercept is not penalised.

    References
    ----------
    Friedman, Hastie, Tibshirani (2010) J Stat Softw 33(1).
    """

    name = "elastic-net logistic"
    metric = "AUC"

    def fit(self, X: Array, target: Target, penalty: float, l1_ratio: float = 0.5) -> LinearFit:
        """Fit one penalty to a relative accuracy of about 1e-8.

        Parameters
        ----------
        X : ndarray, shape (n, p)
            Finite, standardised by the caller: the penalty treats all columns alike.
        target : Target
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
        """Fit descending penalties, each from the one before and the first from `start`, a fit of a larger penalty.

        Raises
        ------
        FitError
            One class only, or not even the first penalty converged.
        """
        nothing = LinearFit(np.zeros(X.shape[1]), self.null(target), np.inf, l1_ratio)
        rate = target.events / target.n
        null = -target.n * (rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
        return follow_path(
            X, target.event, _NO_BOUNDS, (False, False), penalties, l1_ratio, start or nothing, null, tolerance
        )

    def slopes(self, X: Array, target: Target) -> Array:
        """Derivative of the mean log likelihood along each column at the intercept-only model."""
        return np.asarray(X.T @ (target.event - target.event.mean()) / target.n)

    def null(self, target: Target) -> float:
        """Log odds of the event."""
        if target.events in (0, target.n):
            raise FitError(f"{target.events} events among {target.n} subjects: one class only", allowed="both classes")
        return float(np.log(target.events / (target.n - target.events)))

    def held_out_deviance(self, prediction: Array, target: Target, training: BoolArray) -> Array:
        """Twice the log loss of the subjects outside `training`, shape (L,)."""
        eta, event = prediction[:, ~training], target.event[~training]
        return np.asarray(2.0 * (np.logaddexp(0.0, eta) - event * eta).sum(axis=1))
