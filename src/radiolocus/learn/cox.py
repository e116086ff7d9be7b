"""Elastic-net Cox regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.kernels.coxpath import cox_loss, null_residual
from radiolocus.learn.linear import LinearFit, LinearPath, follow_path
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["CoxNet", "in_time"]


@dataclass(frozen=True)
class CoxNet:
    """Cox's model with the penalty λ (α |β|₁ + (1 − α) |β|² / 2) on the mean negative log partial likelihood.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        Treatment of tied event times. Breslow's gives the coefficients of R's glmnet, Efron's those of ``coxph``
        with ``ridge``.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani (2011) J Stat Softw 39(5).
    """

    ties: Literal["efron", "breslow"] = "efron"

    name = "elastic-net Cox"
    metric = "Harrell C"

    def fit(self, X: Array, target: Target, penalty: float, l1_ratio: float = 0.5) -> LinearFit:
        """Fit one penalty to a relative accuracy of about 1e-8.

        Parameters
        ----------
        X : ndarray, shape (n, p)
            Finite, standardised by the caller: the penalty treats all columns alike.
        target : Target
            Of kind survival.
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
            Not even the first penalty converged.
        """
        order, bounds = in_time(target)
        efron = self.ties == "efron"
        start = start or LinearFit(np.zeros(X.shape[1]), 0.0, np.inf, l1_ratio)
        null = float(cox_loss(np.zeros((1, target.n)), target.event[order], bounds, efron)[0])
        return follow_path(
            X[order], target.event[order], bounds, (True, efron), penalties, l1_ratio, start, null, tolerance
        )

    def slopes(self, X: Array, target: Target) -> Array:
        """Derivative of the mean log partial likelihood along each column at zero (the score of one-column models)."""
        order, bounds = in_time(target)
        residual = null_residual(target.event[order], bounds, self.ties == "efron")
        return np.asarray(X[order].T @ residual / target.n)

    def null(self, target: Target) -> float:
        """Log relative hazard without predictors: zero."""
        return 0.0

    def held_out_deviance(self, prediction: Array, target: Target, training: BoolArray) -> Array:
        """Cross-validated partial-likelihood deviance of Verweij & van Houwelingen (1993, Stat Med 12:2305).

        The partial likelihood of everybody less that of the training part: risk sets stay whole, so that a small
        held-out part without two events still counts.

        Parameters
        ----------
        prediction : ndarray, shape (L, n)
            Log relative hazards of everybody.
        target : Target
        training : ndarray of bool, shape (n,)

        Returns
        -------
        ndarray, shape (L,)
        """
        part = target.take(training)
        return 2.0 * (self._loss(prediction, target) - self._loss(prediction[:, training], part))

    def _loss(self, prediction: Array, target: Target) -> Array:
        order, bounds = in_time(target)
        return cox_loss(prediction[:, order], target.event[order], bounds, self.ties == "efron")


def in_time(target: Target) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Order of ascending time, and where each run of equal times starts (and, last, n)."""
    if target.time is None:
        raise InputError("a binary endpoint in a Cox model", allowed="a survival endpoint")
    order = np.argsort(target.time, kind="stable")
    time = target.time[order]
    start = np.flatnonzero(np.r_[True, time[1:] != time[:-1]])
    return order, np.append(start, time.size).astype(np.int64)
