"""Discrimination of several classes out of fold: Hand & Till's M, and the concordance of classes in an order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.discrimination import OutOfFold, out_of_fold_discrimination
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.concordance import pair_sums
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["out_of_fold_classes"]


def out_of_fold_classes(
    target: Target,
    probability: Array,
    fold: npt.NDArray[np.int64],
    draws: int = 1000,
    seed: int = 1,
) -> OutOfFold:
    """Mean over pairs of classes of the AUC between them, out of fold (Hand & Till's M).

    Of two classes i and j the AUC is the mean of two: how well the probability of i tells i from j, and that of j.
    Patients are compared within a fold only, as in :mod:`radiolocus.learn.discrimination`; draws are stratified by
    class. For classes in an order, the concordance of the risk is :func:`out_of_fold_discrimination`.

    Parameters
    ----------
    target : Target
        Of n patients and K classes.
    probability : ndarray, shape (R, n, K)
    fold : ndarray of int64, shape (R, n)
    draws, seed : int

    Raises
    ------
    UndefinedError
        Two classes that no fold of a repetition holds together.

    References
    ----------
    Hand & Till (2001) Mach Learn 45:171.
    """
    if target.classes == 2:
        binary = Target(target.event)
        return out_of_fold_discrimination(binary, probability[:, :, 1], fold, draws, seed)
    ones = np.ones((1, target.n))
    estimates = np.array([_measure(target, p, f, ones)[0] for p, f in zip(probability, fold, strict=True)])
    if np.isnan(estimates).any():
        raise UndefinedError(
            f"two classes are in no fold together in repetition {int(np.argmax(np.isnan(estimates)))}",
            allowed="at least one fold that holds both, for every pair of classes",
            todo="use fewer folds",
        )
    drawn = []
    for counts in bootstrap_weights(target.n, draws, seed, stratum=target.event):
        weights = counts.astype(np.float64)
        drawn += [_measure(target, p, f, weights) for p, f in zip(probability, fold, strict=True)]
    interval = percentile_interval(np.concatenate(drawn))
    return OutOfFold(float(estimates.mean()), interval.lower, interval.upper, estimates, interval.undefined)


def _measure(target: Target, probability: Array, fold: npt.NDArray[np.int64], weights: Array) -> Array:
    """M under each row of weights."""
    total = np.zeros(len(weights))
    for i in range(target.classes):
        for j in range(i):
            total += 0.5 * (_between(target, probability, fold, weights, i, j))
            total += 0.5 * (_between(target, probability, fold, weights, j, i))
    return total / (target.classes * (target.classes - 1) / 2)


def _between(
    target: Target, probability: Array, fold: npt.NDArray[np.int64], weights: Array, case: int, control: int
) -> Array:
    """AUC of the probability of `case` between two classes."""
    won, pairs = np.zeros((2, len(weights)))
    for k in np.unique(fold[fold >= 0]):
        rows = np.flatnonzero((fold == k) & np.isin(target.event, (case, control)))
        if rows.size == 0:
            continue
        first = weights[:, rows] * (target.event[rows] == case)
        second = weights[:, rows] * (target.event[rows] == control)
        sums = pair_sums(first, second, probability[rows, case])
        won, pairs = won + sums[0], pairs + sums[1]
    return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))
