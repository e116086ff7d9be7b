"""How well a number is predicted out of fold: R², error, rank correlation and calibration, with bootstrap intervals.

A prediction is compared with the mean of the part that trained it, which is all that can be known without predictors.
What concerns order or slope is judged within folds: a useless model predicts the mean of its training part, which is
low exactly where the held-out part is high, so that pooling across folds puts it below zero (Parker, Günter & Bedo
2007, BMC Bioinformatics 8:326).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["NumberMetric", "explained", "number_metrics", "training_mean"]

_FEWEST = 3


class NumberMetric(NamedTuple):
    """A metric, its 95 % interval (NaN: none), and what a model without information has."""

    metric: str
    estimate: float
    lower: float
    upper: float
    reference: float
    repeats: Array


def training_mean(target: Target, fold: npt.NDArray[np.int64]) -> Array:
    """Mean of those who trained the model of each subject; NaN where nobody held the subject out.

    Parameters
    ----------
    target : Target
        A number, of n subjects.
    fold : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    mean = np.full(target.n, np.nan)
    for k in np.unique(fold[fold >= 0]):
        mean[fold == k] = target.event[fold != k].mean()
    return mean


def explained(target: Target, prediction: Array, fold: npt.NDArray[np.int64]) -> float:
    """R² of one repetition: share of the squared error of the training means that the predictions take away.

    Negative where predictions are worse than the mean of the training part.
    """
    held, mean = fold >= 0, training_mean(target, fold)
    y = target.event[held]
    return 1.0 - float(np.square(y - prediction[held]).sum() / np.square(y - mean[held]).sum())


def number_metrics(
    target: Target,
    prediction: Array,
    fold: npt.NDArray[np.int64],
    mean: Array,
    draws: int = 1000,
    seed: int = 1,
) -> list[NumberMetric]:
    """R², root mean squared error, Spearman's ρ, calibration slope and mean error of out-of-fold predictions.

    Estimates are means over repetitions; intervals hold the bootstrap draws of every repetition, pooled, since
    repetitions are not more subjects. ρ is the mean of the folds, each weighted by its subjects; predictions that are
    all alike within a fold have ρ = 0 there. The slope is that of the observed on the predicted number within folds
    (ideal 1; below, predictions are too extreme); none where all are predicted alike. The mean error is observed less
    predicted (ideal 0).

    Parameters
    ----------
    target : Target
        A number, of n subjects who were all held out.
    prediction, mean : ndarray, shape (R, n)
        Predicted, and :func:`training_mean`.
    fold : ndarray of int64, shape (R, n)
    draws, seed : int

    Raises
    ------
    UndefinedError
        Everybody has the same number.
    """
    if np.ptp(target.event) == 0:
        raise UndefinedError(f"one value among {target.n} held-out subjects", allowed="a number that varies")
    y, ones = target.event, np.ones((1, target.n))
    parts = [_statistics(y, p, f, m) for p, f, m in zip(prediction, fold, mean, strict=True)]
    each = np.array([part(ones)[:, 0] for part in parts])
    drawn: list[Array] = []
    for weights in bootstrap_weights(target.n, draws, seed):
        drawn += [part(weights.astype(np.float64)) for part in parts]
    pooled = np.concatenate(drawn, axis=1)
    useless = float(np.sqrt(np.square(y - mean).mean()))
    names = ("R²", "root mean squared error", "Spearman's ρ", "calibration slope", "mean error")
    out = []
    for j, (name, reference) in enumerate(zip(names, (0.0, useless, 0.0, 1.0, 0.0), strict=True)):
        known = each[np.isfinite(each[:, j]), j]
        if not known.size:
            continue
        try:
            found = percentile_interval(pooled[j])
            ends = (found.lower, found.upper)
        except UndefinedError:
            ends = (float("nan"), float("nan"))
        out.append(NumberMetric(name, float(known.mean()), *ends, reference, each[:, j]))
    return out


def _statistics(y: Array, p: Array, fold: npt.NDArray[np.int64], mean: Array) -> Callable[[Array], Array]:
    """From weights of subjects, shape (draws, n), to the five statistics, shape (5, draws)."""
    error, useless = np.square(y - p), np.square(y - mean)
    folds = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    ranked = [(rows, _below(y[rows]), _below(p[rows])) for rows in folds if rows.size >= _FEWEST]

    def of(weights: Array) -> Array:
        total = weights.sum(axis=1)
        lost, bare = weights @ error, weights @ useless
        r2 = 1.0 - np.divide(lost, bare, out=np.full(len(weights), np.nan), where=bare > 0)
        together, spread = np.zeros(len(weights)), np.zeros(len(weights))
        for rows in folds:
            w = weights[:, rows]
            together += _moment(w, y[rows][None], p[rows][None])
            spread += _moment(w, p[rows][None], p[rows][None])
        slope = np.divide(together, spread, out=np.full(len(weights), np.nan), where=spread > 1e-12 * total * y.var())
        return np.array([r2, np.sqrt(lost / total), _spearman(weights, ranked), slope, weights @ (y - p) / total])

    return of


def _below(v: Array) -> Array:
    """Whether subject j is below subject i, ties one half, shape (i, j)."""
    return 0.5 * (1.0 + np.sign(v[:, None] - v[None, :]))


def _moment(w: Array, a: Array, b: Array) -> Array:
    """Weighted sum of products around the weighted means, shape (draws,)."""
    total = np.maximum(w.sum(axis=1), 1e-300)
    return np.asarray((w * a * b).sum(axis=1) - (w * a).sum(axis=1) * (w * b).sum(axis=1) / total)


def _spearman(weights: Array, ranked: list[tuple[npt.NDArray[np.intp], Array, Array]]) -> Array:
    """Mean over folds of the correlation of weighted mid-ranks."""
    total, size = np.zeros(len(weights)), np.zeros(len(weights))
    for rows, below_y, below_p in ranked:
        w = weights[:, rows]
        a, b = w @ below_y.T, w @ below_p.T
        spread_a, spread_b = _moment(w, a, a), _moment(w, b, b)
        known = spread_a > 1e-9
        scale = np.sqrt(spread_a * spread_b)
        rho = np.divide(_moment(w, a, b), scale, out=np.zeros(len(weights)), where=scale > 1e-9)
        total += np.where(known, rho * w.sum(axis=1), 0.0)
        size += np.where(known, w.sum(axis=1), 0.0)
    return np.asarray(np.divide(total, size, out=np.full(len(weights), np.nan), where=size > 0))
