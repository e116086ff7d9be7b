"""Ensembles of trees of scikit-learn: gradient boosting and random forests of classes and of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Level, Setting, Undivided
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["Boosting", "Forest"]

_TREES = 200


@dataclass(frozen=True, eq=False)
class _Trees:
    """A fitted ensemble; `used` tells which columns split a node, `least` the smallest probability it can tell."""

    model: Any
    used: BoolArray
    least: float

    @property
    def coefficient(self) -> Array:
        return np.where(self.used, np.nan, 0.0)

    def predict(self, X: Array) -> Array:
        probability = self.probability(X)
        if probability.shape[1] == 2:
            return np.asarray(special.logit(np.clip(probability[:, 1], self.least, 1.0 - self.least)))
        return np.asarray(probability @ np.arange(probability.shape[1]))

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        raise UndefinedError("survival from a model of classes", allowed="probability")

    def probability(self, X: Array) -> Array:
        return np.asarray(self.model.predict_proba(X))


@dataclass(frozen=True, eq=False)
class _Numbers:
    """A fitted ensemble of a number."""

    model: Any
    used: BoolArray

    @property
    def coefficient(self) -> Array:
        return np.where(self.used, np.nan, 0.0)

    def predict(self, X: Array) -> Array:
        return np.asarray(self.model.predict(X), dtype=np.float64)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        raise UndefinedError("survival from a model of a number", allowed="the number")

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a model of a number", allowed="the number")


class Boosting(Learner):
    """Gradient boosting on histograms; risk is the logit of the probability, the expected class, or the number."""

    key, name = "boosting", "gradient boosting"
    kinds = frozenset({"binary", "ordinal", "multiclass", "continuous"})

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Stumps or trees of four leaves, few rounds or many."""
        return tuple({"rounds": r, "leaves": n, "rate": 0.1} for r in (20, 60) for n in (2, 4))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        # They load in a second, which only their users wait for.
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        if X.shape[1] == 0:
            return _bare(target)
        kind = HistGradientBoostingRegressor if target.number else HistGradientBoostingClassifier
        model = kind(
            max_iter=int(setting["rounds"]),
            max_leaf_nodes=int(setting["leaves"]),
            learning_rate=setting["rate"],
            min_samples_leaf=min(20, max(2, target.n // 10)),
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        ).fit(X, _outcome(target))
        split = np.zeros(X.shape[1], dtype=bool)
        for stage in model._predictors:  # the only place that says which columns were split
            for tree in stage:
                nodes = tree.nodes
                split[nodes["feature_idx"][nodes["is_leaf"] == 0]] = True
        return _Numbers(model, split) if target.number else _Trees(model, split, 1e-9)


class Forest(Learner):
    """A random forest of 200 trees; risk is the logit of the share of votes, the expected class, or the number."""

    key, name = "forest", "random forest"
    kinds = frozenset({"binary", "ordinal", "multiclass", "continuous"})

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Large leaves or small ones."""
        return tuple({"leaf": leaf} for leaf in (10, 3))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        if X.shape[1] == 0:
            return _bare(target)
        kind = RandomForestRegressor if target.number else RandomForestClassifier
        model = kind(
            n_estimators=_TREES,
            min_samples_leaf=int(min(setting["leaf"], max(1, target.n // 10))),
            # A third of the columns for a number, their root for classes (Breiman 2001).
            max_features=1 / 3 if target.number else "sqrt",
            random_state=seed,
            n_jobs=1,
        ).fit(X, _outcome(target))
        used = np.asarray(model.feature_importances_ > 0)
        return _Numbers(model, used) if target.number else _Trees(model, used, 0.5 / _TREES)


def _bare(target: Target) -> Fitted:
    return Level(float(target.event.mean())) if target.number else Undivided.of(target)


def _outcome(target: Target) -> npt.NDArray[Any]:
    return target.event if target.number else target.event.astype(np.int64)
