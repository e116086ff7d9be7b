"""What each column of a fitted model contributed to each prediction: Shapley values.

Linear models: coefficient times distance from the training mean, which is exact when the other columns are taken as
independent (Lundberg & Lee 2017). Trees: exact Shapley values of the game in which an unknown column sends a subject
down both branches in the proportion of the training subjects (path-dependent TreeSHAP, Lundberg et al. 2020); of
XGBoost its own. The contributions of a subject and the base add up to what is explained, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.tree_shap import add_tree_shap, node_cover
from radiolocus.learn.interface import Fitted
from radiolocus.model import Array

__all__ = ["Contributions", "contributions"]

Ints = npt.NDArray[np.int64]
_LINEAR = "linear predictor"


@dataclass(frozen=True, eq=False)
class Contributions:
    """Shapley values of some subjects.

    Parameters
    ----------
    value : ndarray, shape (n, p)
        One a column.
    base : float
        What is predicted on average when no column is known.
    scale : str
        What is explained: ``linear predictor`` (what the model predicts), ``expected events`` (of a survival forest,
        whose prediction is its logarithm), ``probability`` or ``expected class``.
    """

    value: Array
    base: float
    scale: str

    @property
    def total(self) -> Array:
        """Base and contributions together, shape (n,): what is explained."""
        return np.asarray(self.base + self.value.sum(axis=1))


def contributions(fit: Fitted, training: Array, X: Array) -> Contributions | None:
    """Shapley values of the predictions of a model.

    Parameters
    ----------
    fit : Fitted
    training : ndarray, shape (m, p)
        Standardised columns that it was fitted to.
    X : ndarray, shape (n, p)
        Of the subjects to explain.

    Returns
    -------
    Contributions or None
        None of a model that is neither linear nor a sum of trees.

    References
    ----------
    Lundberg & Lee, NeurIPS 2017. Lundberg et al., Nat Mach Intell 2020;2:56.
    """
    coefficient = np.asarray(fit.coefficient)
    if np.isfinite(coefficient).all():
        return _linear(fit, coefficient, training, X)
    if hasattr(fit, "contributed"):
        found = fit.contributed(X)
        return Contributions(found[:, :-1], float(found[:1, -1].sum()), _LINEAR)
    if hasattr(fit, "passed"):
        return _sum_of_trees(_survival_trees(fit), training, X, "expected events")
    model: Any = getattr(fit, "model", None)
    if hasattr(model, "estimators_"):
        # scikit-learn compares columns in single precision.
        training, X = (part.astype(np.float32).astype(np.float64) for part in (training, X))
        number = not hasattr(model, "classes_")
        scale = _LINEAR if number else "probability" if len(model.classes_) == 2 else "expected class"
        return _sum_of_trees(_forest_trees(model), training, X, scale)
    if hasattr(model, "_predictors") and len(model._predictors[0]) == 1:
        sums = _sum_of_trees(_boosted_trees(model), training, X, _LINEAR)
        return replace(sums, base=sums.base + float(np.ravel(model._baseline_prediction)[0]))
    return None


def _linear(fit: Fitted, coefficient: Array, training: Array, X: Array) -> Contributions | None:
    mean = training.mean(axis=0) if len(training) else np.zeros(coefficient.size)
    found = Contributions((X - mean) * coefficient, float(fit.predict(mean[None, :])[0]), _LINEAR)
    # A model with coefficients may still predict something else than their sum: then they do not explain it.
    return found if np.allclose(found.total, fit.predict(X), rtol=1e-6, atol=1e-8) else None


Tree = tuple[Ints, Array, Array]  # column and children of each node, threshold, value


def _sum_of_trees(trees: Iterable[Tree], training: Array, X: Array, scale: str) -> Contributions:
    out, base = np.zeros(X.shape), 0.0
    X, training = np.ascontiguousarray(X), np.ascontiguousarray(training)
    for children, threshold, value in trees:
        cover = node_cover(training, children, threshold)
        base += add_tree_shap(X, children, threshold, cover, value, out)
    return Contributions(out, base, scale)


def _survival_trees(fit: Any) -> Iterable[Tree]:
    """Trees of a survival forest: the events that each leaf expects of everybody."""
    count = len(fit.trees)
    for nodes, threshold, _, stage, jump in fit.trees:
        value = np.zeros(len(nodes))
        for leaf in np.flatnonzero(nodes[:, 0] < 0):
            own = slice(nodes[leaf, 1], nodes[leaf, 2])
            value[leaf] = np.diff(jump[own], prepend=0.0) @ fit.passed[stage[own]] / count
        yield nodes, threshold, value


def _forest_trees(model: Any) -> Iterable[Tree]:
    """Trees of a random forest: probability of the second class, expected class, or the number itself."""
    for tree in (estimator.tree_ for estimator in model.estimators_):
        leaf = tree.feature < 0
        children = np.column_stack([np.where(leaf, -1, tree.feature), tree.children_left, tree.children_right])
        value = tree.value[:, 0, :]
        if hasattr(model, "classes_"):
            value = value / value.sum(axis=1, keepdims=True) @ np.arange(len(model.classes_))
        value = np.asarray(value, dtype=np.float64).reshape(-1)
        yield children.astype(np.int64), tree.threshold.astype(np.float64), value / len(model.estimators_)


def _boosted_trees(model: Any) -> Iterable[Tree]:
    for (stage,) in model._predictors:
        nodes = stage.nodes
        column = np.where(nodes["is_leaf"] == 1, -1, nodes["feature_idx"].astype(np.int64))
        children = np.column_stack([column, nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)])
        yield children, nodes["num_threshold"].astype(np.float64), nodes["value"].astype(np.float64)
