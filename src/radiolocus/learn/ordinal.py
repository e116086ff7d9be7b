"""Classes in an order, and classes without one: proportional odds and multinomial models with a ridge penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting, prior_ridges, row_space
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.ordinal import MultinomialFit, OrdinalFit, fit_multinomial, fit_ordinal

__all__ = ["Multinomial", "Ordinal"]


@dataclass(frozen=True, eq=False)
class _Ordinal:
    fit: OrdinalFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        return np.asarray(self.columns @ self.fit.coefficient)

    def predict(self, X: Array) -> Array:
        return np.asarray(X @ self.coefficient)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        raise UndefinedError("survival from a model of classes", allowed="probability")

    def probability(self, X: Array) -> Array:
        return self.fit.probability(X @ self.columns)


class Ordinal(Learner):
    """Proportional odds; risk is the log odds of a higher class, up to a constant."""

    key, name = "ordinal", "proportional odds"
    kinds = frozenset({"binary", "ordinal"})
    shrinks = True

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        return prior_ridges(*X.shape)

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        Z, columns = row_space(X)
        return _Ordinal(fit_ordinal(target.event, Z, target.classes, ridge=setting["ridge"]), columns)


@dataclass(frozen=True, eq=False)
class _Multinomial:
    fit: MultinomialFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        used = np.abs(self.columns @ self.fit.coefficient).max(axis=1)
        return np.where(used > 0, np.nan, 0.0)

    def predict(self, X: Array) -> Array:
        probability = self.probability(X)
        return np.asarray(probability @ np.arange(probability.shape[1]))

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        raise UndefinedError("survival from a model of classes", allowed="probability")

    def probability(self, X: Array) -> Array:
        return self.fit.probability(X @ self.columns)


class Multinomial(Learner):
    """Multinomial logistic model; risk, of use where the classes are ordered, is the expected class."""

    key, name = "multinomial", "ridge multinomial"
    kinds = frozenset({"binary", "ordinal", "multiclass"})
    shrinks = True

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        return prior_ridges(*X.shape)

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        Z, columns = row_space(X)
        return _Multinomial(fit_multinomial(target.event, Z, target.classes, ridge=setting["ridge"]), columns)
