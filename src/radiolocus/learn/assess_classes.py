"""Out-of-fold probabilities of several classes: scores of the whole, and each cut or class as a binary outcome.

Classes in an order are judged cut by cut (this class or a higher one, against the lower ones), classes without an
order one against the rest. Scores are means over subjects; the same score of the frequencies of each training part
stands beside them, because a score has no scale of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import RadiolocusError
from radiolocus.learn.assess import DRAWS, Curve, Measure, assess_risk
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["ClassJudged", "assess_classes", "ranked_probability_score"]


@dataclass(frozen=True, eq=False)
class ClassJudged:
    """What is told of one cut, one class, or (item empty) all classes together.

    Parameters
    ----------
    item : str
        ``≥ class``, or the class.
    measures : tuple of Measure
    curve : Curve or None
        Calibration; None of all together.
    """

    item: str
    measures: tuple[Measure, ...]
    curve: Curve | None = None


def ranked_probability_score(probability: Array, label: npt.NDArray[np.intp]) -> Array:
    """Ranked probability score of each subject: mean squared distance of cumulative probabilities, over the cuts.

    Parameters
    ----------
    probability : ndarray, shape (n, K)
        Of each class, in their order.
    label : ndarray of int, shape (n,)

    References
    ----------
    Epstein, J Appl Meteorol 1969;8:985.
    """
    K = probability.shape[1]
    reached = label[:, None] <= np.arange(K - 1)[None, :]
    return np.asarray(np.square(np.cumsum(probability, axis=1)[:, :-1] - reached).mean(axis=1))


def _brier(probability: Array, label: npt.NDArray[np.intp]) -> Array:
    return np.asarray(np.square(probability - np.eye(probability.shape[1])[label]).sum(axis=1))


def _logarithmic(probability: Array, label: npt.NDArray[np.intp]) -> Array:
    return np.asarray(-np.log(np.maximum(probability[np.arange(label.size), label], 1e-6)))


def assess_classes(
    target: Target, probability: Array, fold: npt.NDArray[np.int64], draws: int = DRAWS, seed: int = 1
) -> list[ClassJudged]:
    """Judge out-of-fold probabilities of an ordinal or multiclass endpoint.

    Parameters
    ----------
    target : Target
        Of n subjects and K classes.
    probability : ndarray, shape (R, n, K)
    fold : ndarray of int64, shape (R, n)
    draws, seed : int
        Bootstrap draws of subjects over all repetitions, and their seed.

    Returns
    -------
    list of ClassJudged
        All together: ``ranked probability score`` (ordinal) or ``Brier`` (multiclass), and ``log score``, each beside
        that ``without predictors``. Each cut or class: ``AUC`` (pairs within folds), ``O/E``, calibration intercept and
        slope, ``ICI``, ``E50``, ``E90``, ``Brier``, ``average precision``.
    """
    label = target.event.astype(np.intp)
    ordered = target.ordered
    name, score = ("ranked probability score", ranked_probability_score) if ordered else ("Brier", _brier)
    bare = np.stack([_frequencies(target, f) for f in fold])
    whole = []
    for metric, function in ((name, score), ("log score", _logarithmic)):
        for suffix, predicted in (("", probability), (" without predictors", bare)):
            values = np.stack([function(p, label) for p in predicted])
            whole += [_mean(metric + suffix, values, draws, seed)] if np.isfinite(values).all() else []
    return [ClassJudged("", tuple(whole)), *_each(target, probability, fold, draws, seed)]


def _frequencies(target: Target, fold: npt.NDArray[np.int64]) -> Array:
    """Frequencies of the classes in the training part of each subject; NaN where that is not among the subjects."""
    member = np.eye(target.classes)[target.event.astype(np.intp)]
    out = np.empty_like(member)
    for k in np.unique(fold):
        others = member[fold != k]
        out[fold == k] = others.mean(axis=0) if len(others) else np.nan
    return out


def _mean(metric: str, values: Array, draws: int, seed: int) -> Measure:
    """Mean over subjects of values, shape (R, n), with the interval of draws of subjects pooled over repetitions."""
    each = -(-draws // len(values))
    drawn = np.concatenate([w @ values.T / values.shape[1] for w in bootstrap_weights(values.shape[1], each, seed)])
    interval = percentile_interval(drawn.ravel())
    return Measure(metric, float("nan"), float(values.mean()), interval.lower, interval.upper)


def _each(
    target: Target, probability: Array, fold: npt.NDArray[np.int64], draws: int, seed: int
) -> Sequence[ClassJudged]:
    found = []
    for k, level in enumerate(target.levels):
        if target.ordered and k == 0:
            continue
        label = (target.event >= k if target.ordered else target.event == k).astype(np.float64)
        risk = probability[:, :, k:].sum(axis=2) if target.ordered else probability[:, :, k]
        one = Target(label)
        measures, curve = assess_risk(one, risk, None, draws, seed)
        try:
            auc = out_of_fold_discrimination(one, risk, fold, -(-draws // len(risk)), seed)
            measures.insert(0, Measure("AUC", float("nan"), auc.estimate, auc.lower, auc.upper))
        except RadiolocusError:  # nobody to compare within any fold
            pass
        found.append(ClassJudged(f"≥ {level}" if target.ordered else level, tuple(measures), curve))
    return found
