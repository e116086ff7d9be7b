"""Discrete-time survival with a ridge penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting, prior_ridges, row_space
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.discrete import DiscreteFit, discrete_loglik, fit_discrete, interval_ends

__all__ = ["DiscreteTime"]

# At least so many events an interval, and no more intervals than this.
_EVENTS, _INTERVALS = 4, 10


@dataclass(frozen=True, eq=False)
class _Fit:
    fit: DiscreteFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        return np.asarray(self.columns @ self.fit.coefficient)

    def predict(self, X: Array) -> Array:
        return np.asarray(X @ self.coefficient)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        return self.fit.survival(X @ self.columns, times)

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="survival at a time")


class DiscreteTime(Learner):
    """Logistic hazard in up to ten intervals with about the same number of events, at least four each."""

    key, name = "discrete_time", "discrete-time logistic hazard"
    kinds = frozenset({"survival"})
    shrinks = True

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        return prior_ridges(*X.shape)

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        time = target.time if target.time is not None else np.zeros(0)
        ends = interval_ends(time, target.event, int(np.clip(target.events // _EVENTS, 1, _INTERVALS)))
        Z, columns = row_space(X)
        return _Fit(fit_discrete(time, target.event, Z, ends, ridge=setting["ridge"]), columns)

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Negative log-likelihood of held-out patients in the intervals of the fit."""
        if not isinstance(fit, _Fit) or target.time is None:
            raise UndefinedError("the likelihood of another model", allowed=self.name)
        return -discrete_loglik(fit.fit, X @ fit.columns, target.time, target.event)
