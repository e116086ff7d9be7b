"""What the linear models share: a fitted model, a path of them, and the grid of penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import FitError, UndefinedError
from radiolocus.kernels.coxpath import elastic_net_path
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.stats.cox import Ties, cox_risk

__all__ = ["Baseline", "Family", "LinearFit", "LinearPath", "follow_path", "penalty_grid"]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Baseline hazard of a training part: its times and events, and the log relative hazards fitted to it."""

    time: Array
    event: Array
    fitted: Array
    ties: Ties

    def survival(self, prediction: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time at log relative hazards `prediction`, shape (n, t)."""
        return 1.0 - cox_risk(self.time, self.event, self.fitted, prediction, times, ties=self.ties)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted penalised linear model.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
    intercept : float
        Zero for the Cox model.
    penalty, l1_ratio : float
        The elastic net it was fitted with.
    baseline : Baseline, optional
        Of a Cox model that shall predict survival.
    classes : bool
        Not of a model of a number.
    """

    coefficient: Array
    intercept: float
    penalty: float
    l1_ratio: float
    baseline: Baseline | None = None
    classes: bool = True

    def predict(self, X: Array) -> Array:
        """Linear predictor, shape (n,): log relative hazard, logit of the probability, or the number itself."""
        return np.asarray(X @ self.coefficient + self.intercept)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t).

        Raises
        ------
        UndefinedError
            A model without a baseline hazard.
        """
        if self.baseline is None:
            raise UndefinedError("survival from a model without a baseline hazard", allowed="a tuned Cox model")
        return self.baseline.survival(self.predict(X), times)

    def probability(self, X: Array) -> Array:
        """Probability of each class, shape (n, 2).

        Raises
        ------
        UndefinedError
            A Cox model, or a model of a number.
        """
        if self.baseline is not None:
            raise UndefinedError("the probability of a class from a Cox model", allowed="survival at a time")
        if not self.classes:
            raise UndefinedError("the probability of a class from a model of a number", allowed="the number")
        positive = special.expit(self.predict(X))
        return np.column_stack([1.0 - positive, positive])


@dataclass(frozen=True, eq=False)
class LinearPath:
    """Models of one training part, penalty by penalty.

    Parameters
    ----------
    penalties : ndarray, shape (L,)
        Descending; only those that were fitted.
    coefficients : ndarray, shape (L, p)
    intercepts : ndarray, shape (L,)
    losses : ndarray, shape (L,)
        Negative log (partial) likelihood in the training part.
    l1_ratio : float
    """

    penalties: Array
    coefficients: Array
    intercepts: Array
    losses: Array
    l1_ratio: float

    def predict(self, X: Array) -> Array:
        """Linear predictors, shape (L, n)."""
        return np.asarray(self.coefficients @ X.T + self.intercepts[:, None])

    def fit(self, k: int) -> LinearFit:
        """Return the model of penalty `k`."""
        return LinearFit(self.coefficients[k], float(self.intercepts[k]), float(self.penalties[k]), self.l1_ratio)


class Family(Protocol):
    """A kind of model: what :mod:`radiolocus.learn.protocol` needs of it."""

    @property
    def name(self) -> str:
        """Name of the model in the tables."""

    @property
    def metric(self) -> str:
        """Name of its measure of discrimination."""

    def slopes(self, X: Array, target: Target) -> Array:
        """Derivative of the mean log likelihood along each column at zero, shape (p,)."""

    def path(
        self,
        X: Array,
        target: Target,
        penalties: Array,
        l1_ratio: float,
        tolerance: float,
        start: LinearFit | None = None,
    ) -> LinearPath:
        """Fit every penalty, the first one from `start`."""

    def null(self, target: Target) -> float:
        """Linear predictor of everybody when no predictor is used."""

    def held_out_deviance(self, prediction: Array, target: Target, training: BoolArray) -> Array:
        """Deviance of the subjects outside `training` under each row of `prediction` (L, n), shape (L,)."""


def penalty_grid(largest_slope: float, l1_ratio: float, count: int, ratio: float) -> Array:
    """Penalties from the smallest that leaves every column out downwards, evenly spaced in the logarithm.

    A ridge leaves nothing out; as in glmnet its grid starts where an elastic net of ratio 0.001 would, and here it
    ends at the same place as a lasso's.

    Parameters
    ----------
    largest_slope : float
        Largest absolute derivative of the mean log likelihood at zero.
    l1_ratio : float
    count : int
    ratio : float
        Smallest relative to largest penalty of an elastic net.

    Returns
    -------
    ndarray, shape (count,)
    """
    slope = max(largest_slope, 1e-10)
    first = slope / max(l1_ratio, 1e-3)
    return np.geomspace(first, ratio * slope / max(l1_ratio, 0.1), count)


def follow_path(
    X: Array,
    event: Array,
    bounds: npt.NDArray[np.int64],
    family: tuple[bool, bool],
    penalties: Array,
    l1_ratio: float,
    start: LinearFit,
    null_loss: float,
    tolerance: float,
) -> LinearPath:
    """Run the compiled path and refuse one of which not even the first penalty could be fitted.

    `family` says whether it is a survival model and whether ties are Efron's. The path ends when 99 % of `null_loss`
    are explained.
    """
    coefficients, intercepts, losses, fitted = elastic_net_path(
        np.ascontiguousarray(X.T),
        event,
        bounds,
        *family,
        penalties,
        l1_ratio,
        start.coefficient,
        start.intercept,
        start.penalty if np.isfinite(start.penalty) else penalties[0],
        0.01 * null_loss,
        tolerance,
        200,
    )
    if fitted == 0:
        raise FitError(
            f"no convergence at penalty {penalties[0]:.4g} with {X.shape[1]} columns and {X.shape[0]} subjects",
            allowed="finite, standardised columns",
            todo="look for columns with extreme values",
        )
    return LinearPath(penalties[:fitted], coefficients[:fitted], intercepts[:fitted], losses[:fitted], l1_ratio)
