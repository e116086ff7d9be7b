"""Ensembles of trees of scikit-learn: gradient boosting and random forests of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting, Undivided
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


class Boosting(Learner):
    """Gradient boosting on histograms; risk is the logit of the probability, or the expected class."""

    key, name = "boosting", "gradient boosting"
    kinds = frozenset({"binary", "ordinal", "multiclass"})

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Stumps or trees of four leaves, few rounds or many."""
        return tuple({"rounds": r, "leaves": n, "rate": 0.1} for r in (20, 60) for n in (2, 4))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # loads in a second, which only its users wait for

        if X.shape[1] == 0:
            return Undivided.of(target)
        model = HistGradientBoostingClassifier(
            max_iter=int(setting["rounds"]),
            max_leaf_nodes=int(setting["leaves"]),
            learning_rate=setting["rate"],
            min_samples_leaf=min(20, max(2, target.n // 10)),
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        ).fit(X, target.event.astype(np.int64))
        split = np.zeros(X.shape[1], dtype=bool)
        for stage in model._predictors:  # the only place that says which columns were split
            for tree in stage:
                nodes = tree.nodes
                split[nodes["feature_idx"][nodes["is_leaf"] == 0]] = True
        return _Trees(model, split, 1e-9)


class Forest(Learner):
    """A random forest of 200 trees; risk is the logit of the share of votes, or the expected class."""

    key, name = "forest", "random forest"
    kinds = frozenset({"binary", "ordinal", "multiclass"})

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Large leaves or small ones."""
        return tuple({"leaf": leaf} for leaf in (10, 3))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        from sklearn.ensemble import RandomForestClassifier

        if X.shape[1] == 0:
            return Undivided.of(target)
        model = RandomForestClassifier(
            n_estimators=_TREES,
            min_samples_leaf=int(min(setting["leaf"], max(1, target.n // 10))),
            max_features="sqrt",
            random_state=seed,
            n_jobs=1,
        ).fit(X, target.event.astype(np.int64))
        return _Trees(model, np.asarray(model.feature_importances_ > 0), 0.5 / _TREES)
