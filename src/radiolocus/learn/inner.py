"""Paths of penalties in the inner folds, followed side by side, and which penalty they choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from radiolocus.learn.linear import Family, LinearFit
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["InnerPath", "choose", "follow"]

# Inner fits only rank penalties; the fit that is used is held to a stricter tolerance.
_INNER_TOLERANCE = 1e-5
_STRIDE, _PATIENCE = 5, 10


def follow(
    parts: Sequence[InnerPath], target: Target, fold: npt.NDArray[np.int64], penalties: Array
) -> tuple[Array, Array, float]:
    """Follow the paths of all inner folds until ten penalties in a row were no better.

    Beyond, models only overfit more.

    Parameters
    ----------
    parts : sequence of InnerPath
        One an inner fold.
    target : Target
        Of everybody.
    fold : ndarray of int64, shape (n,)
        Inner fold that holds each subject out.
    penalties : ndarray, shape (L,)
        Descending.

    Returns
    -------
    deviance : ndarray, shape (K, l)
        Of each inner fold, for the penalties that were reached.
    out_of_fold : ndarray, shape (l, n)
        Inner out-of-fold predictions.
    bare : float
        Deviance of all inner folds without any predictor.
    """
    bare = sum(float(p.family.held_out_deviance(p.last.predict(p.X)[None], target, p.inside)[0]) for p in parts)
    deviance, out_of_fold = np.zeros((len(parts), 0)), np.zeros((0, target.n))
    for begin in range(0, penalties.size, _STRIDE):
        stretch = penalties[begin : begin + _STRIDE]
        lost, predicted = np.empty((len(parts), stretch.size)), np.empty((stretch.size, target.n))
        for k, part in enumerate(parts):
            eta = part.extend(stretch)
            lost[k] = part.family.held_out_deviance(eta, target, part.inside)
            predicted[:, ~part.inside] = eta[:, ~part.inside]
        deviance, out_of_fold = np.hstack([deviance, lost]), np.vstack([out_of_fold, predicted])
        if deviance.shape[1] - 1 - int(np.argmin(deviance.sum(axis=0))) >= _PATIENCE:
            break
    return deviance, out_of_fold, bare


class InnerPath:
    """The models of one inner fold, a stretch of penalties after the other.

    Parameters
    ----------
    family : Family
    X : ndarray, shape (n, p)
        Columns of everybody, as the training part of the inner fold made them.
    goal : Target
        Of that training part.
    inside : ndarray of bool, shape (n,)
        Who is in it.
    l1_ratio : float
    """

    def __init__(self, family: Family, X: Array, goal: Target, inside: BoolArray, l1_ratio: float) -> None:
        self.family, self.goal, self.inside = family, goal, inside
        self.X, self.training = X, X[inside]
        self.last = LinearFit(np.zeros(X.shape[1]), family.null(goal), np.inf, l1_ratio)
        self.ended = X.shape[1] == 0

    def extend(self, penalties: Array) -> Array:
        """Predictions of all training subjects under the next penalties, shape (L, n)."""
        found = np.zeros((0, len(self.X)))
        if not self.ended:
            path = self.family.path(
                self.training, self.goal, penalties, self.last.l1_ratio, _INNER_TOLERANCE, self.last
            )
            found, self.last = path.predict(self.X), path.fit(-1)
            self.ended = path.penalties.size < penalties.size
        # A path that ended early (a saturated fit) stands for every smaller penalty, as in glmnet.
        rest = np.repeat(self.last.predict(self.X)[None, :], penalties.size - len(found), axis=0)
        return np.vstack([found, rest])


def choose(deviance: Array, fold: npt.NDArray[np.int64], rule: str) -> int:
    """Index of the penalty; the largest among equals."""
    size = np.bincount(fold)[:, None]
    mean = deviance.sum(axis=0) / fold.size
    best = int(np.argmin(mean))
    if rule == "min":
        return best
    spread = (size * (deviance / size - mean) ** 2).sum(axis=0) / fold.size
    error = np.sqrt(spread / max(len(deviance) - 1, 1))
    return int(np.flatnonzero(mean <= mean[best] + error[best])[0])
