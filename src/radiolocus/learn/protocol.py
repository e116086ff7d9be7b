"""The honest protocol: repeated cross-validation in which every learned step happens inside the fold.

For each outer fold, the training part alone decides what is imputed, which columns there are and how they are scaled,
which penalty is best (by inner cross-validation, in which all of this happens again) and what the coefficients are. The
held-out part is looked at once, to be predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.linear import Family, LinearFit, penalty_grid
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess, fit_preprocess
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["ProtocolOptions", "Repeat", "TunedModel", "cross_validate", "family_of", "fit_tuned"]

# Inner fits only rank penalties; the fit that is used is held to a stricter tolerance.
_INNER_TOLERANCE, _TOLERANCE = 1e-5, 1e-7
_STRIDE, _PATIENCE = 5, 10


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A model whose every number comes from one training part.

    Parameters
    ----------
    preprocess : Preprocess
    fit : LinearFit
        Coefficients per standard deviation.
    threshold : float
        Median prediction of the training subjects, each predicted by the inner model that did not see it: above it is
        high risk. Unlike the fitted values it is not drawn apart by overfitting.
    penalties, deviance : ndarray, shape (L,)
        Penalties tried, and their inner cross-validated deviance per training subject.
    notes : tuple of (str, str)
        Item concerned (empty: the whole model), and what happened.
    """

    preprocess: Preprocess
    fit: LinearFit
    threshold: float
    penalties: Array
    deviance: Array
    notes: tuple[tuple[str, str], ...] = ()

    def predict(self, predictors: Predictors) -> Array:
        """Log relative hazard or logit of the probability, shape (n,)."""
        return self.fit.predict(self.preprocess.apply(predictors))


@dataclass(frozen=True, eq=False)
class Repeat:
    """One repetition of the outer cross-validation.

    Parameters
    ----------
    fold : ndarray of int64, shape (n,)
        Fold that held each subject out.
    prediction : ndarray, shape (n,)
        By the model that did not see the subject.
    threshold : ndarray, shape (n,)
        Risk-group threshold of that model.
    models : tuple of TunedModel
        One a fold.
    notes : tuple of (str, str, int)
        Item concerned, what happened, in how many outer fits.
    """

    fold: npt.NDArray[np.int64]
    prediction: Array
    threshold: Array
    models: tuple[TunedModel, ...]
    notes: tuple[tuple[str, str, int], ...] = ()


def family_of(target: Target, options: ProtocolOptions) -> Family:
    """Return the model that a kind of endpoint is predicted with."""
    return CoxNet(options.ties) if target.kind == "survival" else LogisticNet()


def cross_validate(
    predictors: Predictors,
    target: Target,
    options: ProtocolOptions,
    repeat: int = 0,
    groups: npt.ArrayLike | None = None,
) -> Repeat:
    """Run one repetition of the outer cross-validation; a pure function of its arguments.

    Parameters
    ----------
    predictors : Predictors
        Of n rows.
    target : Target
        Of the same rows.
    options : ProtocolOptions
    repeat : int
        Which repetition, from 0; other repetitions have other folds.
    groups : array_like, shape (n,), optional
        Patient of each row, when a patient has several (visits). Rows of a patient are never split.

    Raises
    ------
    FitError
        Too few events, or no usable partition.
    """
    target.check()
    _check_division(target, options, groups)
    outer = draw_folds(target, options.folds, _seed(options, repeat), groups)
    labels = None if groups is None else np.asarray(groups)
    prediction, threshold = np.empty(target.n), np.empty(target.n)
    models, told = [], [("", note) for note in outer.notes]
    for k in range(outer.count):
        training, held_out = outer.fold != k, outer.fold == k
        model = fit_tuned(
            predictors.take(training),
            target.take(training),
            options,
            _seed(options, repeat, k),
            None if labels is None else labels[training],
        )
        part = predictors.take(held_out)
        prediction[held_out] = model.predict(part)
        threshold[held_out] = model.threshold
        models.append(model)
        told += model.notes
        told += [
            (name, f"category '{level}' was not in a training part") for name, level in model.preprocess.unseen(part)
        ]
    return Repeat(outer.fold, prediction, threshold, tuple(models), _counted(told))


def fit_tuned(
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    groups: npt.ArrayLike | None = None,
) -> TunedModel:
    """Learn everything from a training part: columns, penalty, coefficients, risk-group threshold.

    Parameters
    ----------
    training : Predictors
    target : Target
        Of the same rows.
    options : ProtocolOptions
    seed : numpy.random.SeedSequence
        Of the inner folds.
    groups : array_like, optional
        Patient of each row.

    Raises
    ------
    FitError
        The training part cannot be divided further, or no penalty could be fitted.
    """
    family = family_of(target, options)
    preprocess = fit_preprocess(training, options, partial(family.slopes, target=target))
    X = preprocess.apply(training)
    if X.shape[1] == 0:
        nothing = LinearFit(np.zeros(0), family.null(target), np.inf, 0.0)
        notes = (*preprocess.notes, ("", "no usable predictor in a training part: everybody is predicted alike"))
        return TunedModel(preprocess, nothing, nothing.intercept, np.zeros(0), np.zeros(0), notes)
    l1_ratio = options.l1_ratio if X.shape[1] > options.ridge_up_to else 0.0
    slope = float(np.abs(family.slopes(X, target)).max())
    penalties = penalty_grid(slope, l1_ratio, options.penalties, options.penalty_ratio)
    inner = draw_folds(target, options.inner_folds, seed, groups)
    deviance, out_of_fold, bare = _tune(family, training, target, inner, penalties, l1_ratio, options)
    notes = (*preprocess.notes, *(("", f"inner cross-validation: {note}") for note in inner.notes))
    mean = deviance.sum(axis=0) / target.n
    # A ridge never leaves all predictors out by itself, and however small its coefficients, they rank the patients.
    if l1_ratio == 0.0 and bare <= deviance.sum(axis=0).min():
        nothing = LinearFit(np.zeros(X.shape[1]), family.null(target), np.inf, l1_ratio)
        told = "no penalty predicted the inner folds better than no predictor at all: everybody is predicted alike"
        return TunedModel(preprocess, nothing, nothing.intercept, penalties[: mean.size], mean, (*notes, ("", told)))
    chosen = _choose(deviance, inner.fold, options.penalty_rule)
    path = family.path(X, target, penalties[: chosen + 1], l1_ratio, _TOLERANCE)
    threshold = float(np.median(out_of_fold[chosen]))
    return TunedModel(preprocess, path.fit(-1), threshold, penalties[: mean.size], mean, notes)


def _tune(
    family: Family,
    training: Predictors,
    target: Target,
    inner: Folds,
    penalties: Array,
    l1_ratio: float,
    options: ProtocolOptions,
) -> tuple[Array, Array, float]:
    """Deviance of each inner fold (K, L) and inner out-of-fold predictions (L, n), penalty by penalty.

    Last comes the deviance of all inner folds without any predictor.

    The path is followed only until ten penalties in a row were no better: beyond, models only overfit more.
    """
    parts = []
    for k in range(inner.count):
        inside = inner.fold != k
        part, goal = training.take(inside), target.take(inside)
        preprocess = fit_preprocess(part, options, partial(family.slopes, target=goal))
        parts.append(_Inner(family, preprocess.apply(training), goal, inside, l1_ratio))
    bare = sum(float(family.held_out_deviance(p.last.predict(p.X)[None], target, p.inside)[0]) for p in parts)
    deviance = np.zeros((inner.count, 0))
    out_of_fold = np.zeros((0, target.n))
    for begin in range(0, penalties.size, _STRIDE):
        stretch = penalties[begin : begin + _STRIDE]
        lost, predicted = np.empty((inner.count, stretch.size)), np.empty((stretch.size, target.n))
        for k, part_k in enumerate(parts):
            eta = part_k.extend(stretch)
            lost[k] = family.held_out_deviance(eta, target, part_k.inside)
            predicted[:, ~part_k.inside] = eta[:, ~part_k.inside]
        deviance, out_of_fold = np.hstack([deviance, lost]), np.vstack([out_of_fold, predicted])
        if deviance.shape[1] - 1 - int(np.argmin(deviance.sum(axis=0))) >= _PATIENCE:
            break
    return deviance, out_of_fold, bare


class _Inner:
    """The models of one inner fold, a stretch of penalties after the other."""

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


def _choose(deviance: Array, fold: npt.NDArray[np.int64], rule: str) -> int:
    """Index of the penalty; the largest among equals."""
    size = np.bincount(fold)[:, None]
    mean = deviance.sum(axis=0) / fold.size
    best = int(np.argmin(mean))
    if rule == "min":
        return best
    spread = (size * (deviance / size - mean) ** 2).sum(axis=0) / fold.size
    error = np.sqrt(spread / max(len(deviance) - 1, 1))
    return int(np.flatnonzero(mean <= mean[best] + error[best])[0])


def _check_division(target: Target, options: ProtocolOptions, groups: npt.ArrayLike | None) -> None:
    """Each training part must keep two patients of each kind, so that it can be divided in its turn."""
    labels = np.arange(target.n) if groups is None else np.asarray(groups)
    fewest = np.unique(labels[target.event == 1]).size
    if target.kind == "binary":
        fewest = min(fewest, np.unique(labels[target.event == 0]).size)
    folds = min(options.folds, max(fewest, 1))
    if fewest - -(-fewest // folds) < 2:
        what = "with an event" if target.kind == "survival" else "in the rarer class"
        raise FitError(
            f"{fewest} patients {what}",
            where=f"nested cross-validation with {options.folds} outer folds",
            allowed="enough to leave 2 in every training part",
            todo="leave this endpoint out, collect more events, or use more folds",
        )


def _seed(options: ProtocolOptions, *place: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(options.seed, spawn_key=place)


def _counted(notes: Iterable[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((item, note, count) for (item, note), count in Counter(notes).items())
