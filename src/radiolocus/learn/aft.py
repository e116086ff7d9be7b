"""Accelerated failure time models with a ridge penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting, prior_ridges, row_space
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.aft import AftFit, Distribution, aft_loglik, fit_aft

__all__ = ["Aft"]


@dataclass(frozen=True, eq=False)
class _Fit:
    fit: AftFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        return -self.columns @ self.fit.coefficient / self.fit.scale

    def predict(self, X: Array) -> Array:
        return -self.fit.location(X @ self.columns) / self.fit.scale

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        return self.fit.survival(X @ self.columns, times)

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="survival at a time")


class Aft(Learner):
    """Log time = location + scale × error, with a ridge penalty on coefficient / scale.

    Risk is −location / scale, whose coefficients are log hazard ratios for a Weibull model.
    """

    kinds = frozenset({"survival"})
    shrinks = True
    logarithm = True

    def __init__(self, distribution: Distribution, name: str) -> None:
        self.key, self.name, self.distribution = distribution, name, distribution  # type: ignore[misc]

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        return prior_ridges(*X.shape)

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit; a time of zero is refused by name (see :func:`radiolocus.stats.aft.fit_aft`)."""
        Z, columns = row_space(X)
        time = target.time if target.time is not None else np.zeros(0)
        fit = fit_aft(time, target.event, Z, distribution=self.distribution, ridge=setting["ridge"])
        return _Fit(fit, columns)

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Negative log-likelihood of held-out patients."""
        if not isinstance(fit, _Fit) or target.time is None:
            raise UndefinedError("the likelihood of another model", allowed=self.name)
        return -aft_loglik(fit.fit, X @ fit.columns, target.time, target.event)
