"""Discrimination of out-of-fold predictions, averaged over repetitions, with an interval that they do not narrow.

Predictions are compared within a fold only. Models of different folds have different baselines: a model that knows
nothing predicts the event rate of its training part, which is low exactly where the held-out part has many events, so
that pooling across folds puts a useless model below 0.5 (Parker, Günter & Bedo 2007, BMC Bioinformatics 8:326; Airola
et al. 2011, Comput Stat Data Anal 55:1828).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.concordance import auc, auc_bootstrap, harrell_c, harrell_c_bootstrap
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = [
    "OutOfFold",
    "comparable_pairs",
    "discrimination_batch",
    "fold_statistic",
    "metric_of",
    "out_of_fold_discrimination",
    "ratio",
    "within_fold_blocks",
    "within_fold_concordant",
    "within_fold_pairs",
]

# Pairs of an event and anybody up to which every draw multiplies matrices; beyond, every draw walks a sorted list.
_DENSE = 2_000_000


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Harrell's C or AUC out of fold.

    Parameters
    ----------
    estimate : float
        Mean over repetitions.
    lower, upper : float
        95 % percentile interval over bootstrap draws of patients and repetitions.
    repeats : ndarray, shape (R,)
        The statistic of each repetition.
    undefined : int
        Draws of a repetition without a comparable pair, left out of the interval.
    """

    estimate: float
    lower: float
    upper: float
    repeats: Array
    undefined: int = 0


def out_of_fold_discrimination(
    target: Target,
    prediction: Array,
    fold: npt.NDArray[np.int64],
    draws: int = 1000,
    seed: int = 1,
) -> OutOfFold:
    """Harrell's C (survival) or AUC (binary) of out-of-fold predictions, mean over repetitions.

    In each repetition: among the comparable pairs of patients held out by the same fold, the share in which the one
    with the (earlier) event has the higher prediction, ties one half. Comparable: as in
    :func:`radiolocus.stats.concordance.harrell_c`; for a binary endpoint, one of each class.

    The interval does not shrink with the number of repetitions: they divide the same patients again and are not more
    patients. Its draws are those of every single repetition, pooled, so that it holds both which patients were
    sampled and how they happened to be divided. (Bootstrapping the average instead leaves the second out: in
    simulated cohorts of 51 to 120 subjects with 10 to 30 predictors, with and without a signal, such an interval
    covered the performance of the fitted models in 82 to 90 % of cohorts, this one in 97 % or more.) Draws are
    stratified by class for a binary endpoint.

    Parameters
    ----------
    target : Target
        Of n patients.
    prediction : ndarray, shape (R, n)
        Finite.
    fold : ndarray of int64, shape (R, n)
        Fold that held each patient out.
    draws, seed : int

    Raises
    ------
    UndefinedError
        A repetition without a comparable pair inside its folds.
    """
    parts = [within_fold_blocks(target, p, f) for p, f in zip(prediction, fold, strict=True)]
    ones = np.ones((1, target.n))
    estimates = np.array([_statistic(part, ones)[0] for part in parts])
    if np.isnan(estimates).any():
        raise UndefinedError(
            f"no comparable pair inside the folds of repetition {int(np.argmax(np.isnan(estimates)))} "
            f"({target.events} events among {target.n} patients)",
            allowed="an event and a patient at risk beyond it (or both classes) in at least one fold",
            todo="use fewer folds",
        )
    drawn = []
    for counts in bootstrap_weights(target.n, draws, seed, stratum=_stratum(target)):
        weights = counts.astype(np.float64)
        drawn += [_statistic(part, weights) for part in parts]
    interval = percentile_interval(np.concatenate(drawn))
    return OutOfFold(float(estimates.mean()), interval.lower, interval.upper, estimates, interval.undefined)


_METRICS = {
    "survival": "Harrell C",
    "binary": "AUC",
    "competing": "C of competing risks",
    "ordinal": "ordinal C",
    "multiclass": "Hand & Till M",
    "continuous": "R²",
}


def metric_of(target: Target) -> str:
    """Name of the measure of discrimination of a kind of endpoint."""
    return _METRICS[target.kind]


def fold_statistic(target: Target, prediction: Array, fold: npt.NDArray[np.int64]) -> float:
    """Harrell's C, AUC or ordinal concordance over the pairs within folds of one repetition; NaN without any."""
    return float(_statistic(within_fold_blocks(target, prediction, fold), np.ones((1, target.n)))[0])


def discrimination_batch(target: Target, X: Array, draws: int = 1000, seed: int = 1) -> Array:
    """Harrell's C or AUC of many single scores over all patients, with percentile intervals from common draws.

    The same numbers as :func:`radiolocus.stats.concordance.harrell_c_bootstrap` and ``auc_bootstrap`` score by score;
    here the draws and the pairs they can compare are worked out once for all scores.

    Parameters
    ----------
    target : Target
        Of n patients.
    X : ndarray, shape (n, p)
        Scores, finite; larger values are expected to go with the event.
    draws, seed : int

    Returns
    -------
    ndarray, shape (p, 3)
        Estimate and 95 % interval.

    Raises
    ------
    UndefinedError
        No pair of patients is comparable.
    """
    if target.events * target.n > _DENSE and target.kind in ("survival", "binary") and not target.needs:
        return _sorted_batch(target, X, draws, seed)
    together = np.zeros(target.n, dtype=np.int64)
    nobody = within_fold_blocks(target, np.zeros(target.n), together)
    ones = np.ones((1, target.n))
    if within_fold_pairs(nobody, ones)[0] == 0:
        raise UndefinedError(
            f"no comparable pair among {target.n} patients with {target.events} events",
            allowed="an event and a patient at risk beyond it, or both classes",
        )
    weights = np.concatenate(list(bootstrap_weights(target.n, draws, seed, stratum=_stratum(target)))).astype(
        np.float64
    )
    pairs = within_fold_pairs(nobody, weights)
    out = np.empty((X.shape[1], 3))
    for j, column in enumerate(X.T):
        part = within_fold_blocks(target, column, together)
        interval = percentile_interval(ratio(within_fold_concordant(part, weights), pairs))
        out[j] = _statistic(part, ones)[0], interval.lower, interval.upper
    return out


def _sorted_batch(target: Target, X: Array, draws: int, seed: int) -> Array:
    """Give the same numbers in n log n a draw: for cohorts whose pairs would not fit."""
    out = np.empty((X.shape[1], 3))
    for j, column in enumerate(X.T):
        if target.time is None:
            estimate, drawn = auc(target.event, column), auc_bootstrap(target.event, column, draws, seed)
        else:
            estimate = harrell_c(target.time, target.event, column).estimate
            drawn = harrell_c_bootstrap(target.time, target.event, column, draws, seed)
        interval = percentile_interval(drawn)
        out[j] = estimate, interval.lower, interval.upper
    return out


_Block = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array, Array]


def comparable_pairs(target: Target, first: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Pairs of a patient with an event, among `first`, and one of `rows` who should have the lower risk.

    Of times: whose own time is later, or censored at the same time; with competing events also who had another event
    before, and will never have this one (Wolbers et al. 2009, Epidemiology 20:555); with delayed entry only who had
    entered by then; within strata only. Of classes: one of a lower class.
    """
    if target.time is None:
        return np.asarray(target.event[rows][None, :] < target.event[first][:, None])
    gap = target.time[rows][None, :] - target.time[first][:, None]
    state = target.event if target.state is None else target.state
    comparable = (gap > 0) | ((gap == 0) & (state[rows] == 0))
    if target.state is not None:
        comparable |= (gap <= 0) & (state[rows] > 1)
    if target.entry is not None:
        comparable &= target.entry[rows][None, :] < target.time[first][:, None]
    if target.stratum is not None:
        comparable &= target.stratum[rows][None, :] == target.stratum[first][:, None]
    return np.asarray(comparable)


def within_fold_blocks(target: Target, prediction: Array, fold: npt.NDArray[np.int64]) -> list[_Block]:
    """For each fold from 0: rows with an event, all rows, comparable pairs, and concordant pairs (ties one half)."""
    blocks = []
    for k in np.unique(fold[fold >= 0]):
        rows = np.flatnonzero(fold == k)
        first = rows[target.event[rows] > 0]
        comparable = comparable_pairs(target, first, rows)
        higher = 0.5 * (1.0 + np.sign(prediction[first][:, None] - prediction[rows][None, :]))
        blocks.append((first, rows, comparable.astype(np.float64), comparable * higher))
    return blocks


def _statistic(blocks: list[_Block], weights: Array) -> Array:
    """The statistic under each row of weights; sums of halves, hence exact whatever their order."""
    return ratio(within_fold_concordant(blocks, weights), within_fold_pairs(blocks, weights))


def within_fold_pairs(blocks: list[_Block], weights: Array, leading: Array | None = None) -> Array:
    """Weight of the comparable pairs; `leading` are the weights of patients as those with the earlier event."""
    lead = weights if leading is None else leading
    total = np.zeros(len(weights))
    for first, rows, comparable, _ in blocks:
        total += ((lead[:, first] @ comparable) * weights[:, rows]).sum(axis=1)
    return total


def within_fold_concordant(blocks: list[_Block], weights: Array, leading: Array | None = None) -> Array:
    """Weight of the concordant pairs, those of equal prediction by one half; `leading` as in the pairs."""
    lead = weights if leading is None else leading
    total = np.zeros(len(weights))
    for first, rows, _, higher in blocks:
        total += ((lead[:, first] @ higher) * weights[:, rows]).sum(axis=1)
    return total


def ratio(concordant: Array, pairs: Array) -> Array:
    """Concordant share of the pairs; NaN where there are none."""
    return np.asarray(np.divide(concordant, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def _stratum(target: Target) -> Array | None:
    return None if target.time is not None else target.event
