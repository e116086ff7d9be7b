"""Metrics and curves of out-of-fold probabilities over repetitions, with intervals that repetitions do not narrow.

As in :mod:`radiolocus.learn.discrimination`: an estimate is the mean over repetitions, and its interval holds the draws
of every single repetition, pooled, since repetitions divide the same patients again and are not more patients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radiolocus.errors import RadiolocusError, UndefinedError
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.stats.calibration import calibration
from radiolocus.stats.decision import decision_curve, decision_curve_bootstrap
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.roc import average_precision, average_precision_bootstrap

__all__ = [
    "Curve",
    "Estimate",
    "calibration_curve",
    "calibration_of",
    "called",
    "net_benefit",
    "pooled_roc",
    "precision_of",
    "quadratic",
    "recall_of",
    "wilson",
]

# Probabilities of 0 and 1 have no logit; nobody knows anything so surely from a cohort of any size.
_LEAST = 1e-4
_GRID = np.linspace(0.0, 1.0, 51)


class Estimate(NamedTuple):
    """A metric: its name, estimate, interval, and value of a model without information (NaN: none)."""

    metric: str
    estimate: float
    lower: float
    upper: float
    reference: float = float("nan")


class Curve(NamedTuple):
    """A curve, and its band (NaN: none)."""

    name: str
    x: Array
    y: Array
    lower: Array
    upper: Array


def _interval(draws: list[Array]) -> tuple[float, float]:
    try:
        found = percentile_interval(np.concatenate(draws))
    except UndefinedError:
        return float("nan"), float("nan")
    return found.lower, found.upper


def precision_of(target: Target, risk: Array, draws: int, seed: int) -> Estimate:
    """Average precision (area under the precision–recall curve), of all folds of a repetition together.

    Parameters
    ----------
    target : Target
        Binary, of n patients.
    risk : ndarray, shape (R, n)
    draws, seed : int
    """
    label = target.event
    each = [average_precision(label, r).estimate for r in risk]
    drawn = [average_precision_bootstrap(label, r, draws, seed) for r in risk]
    return Estimate("average precision", float(np.mean(each)), *_interval(drawn), float(label.mean()))


def quadratic(target: Target, probability: Array, draws: int, seed: int) -> Estimate:
    """Brier score: squared distance of the probabilities from what was, of a binary target for one class.

    Parameters
    ----------
    target : Target
        Of n patients.
    probability : ndarray, shape (R, n, K)
    draws, seed : int
    """
    truth = np.eye(target.classes)[target.event.astype(np.intp)]
    half = 0.5 if target.classes == 2 else 1.0
    loss = half * np.square(probability - truth).sum(axis=2)
    share = truth.mean(axis=0)
    reference = half * float(np.square(share - truth).sum(axis=1).mean())
    drawn: list[Array] = []
    for weights in bootstrap_weights(target.n, draws, seed, stratum=target.event):
        drawn += [weights @ row / target.n for row in loss]
    return Estimate("Brier score", float(loss.mean()), *_interval(drawn), reference)


def calibration_of(target: Target, risk: Array) -> list[Estimate]:
    """Calibration slope (ideal: 1) and intercept (ideal: 0), of all folds of a repetition together.

    Intervals: Wald, the variance being the mean one of a repetition and that between repetitions.

    Parameters
    ----------
    target : Target
        Binary.
    risk : ndarray, shape (R, n)
    """
    rows = []
    for r in np.clip(risk, _LEAST, 1.0 - _LEAST):
        try:
            found = calibration(target.event, r)
        except RadiolocusError:  # one risk for everybody, or risks that separate the classes
            continue
        rows.append((found.slope, found.slope_error, found.intercept, found.intercept_error))
    if not rows:
        return []
    table = np.array(rows)
    out = []
    for name, j, ideal in (("calibration slope", 0, 1.0), ("calibration intercept", 2, 0.0)):
        value, error = table[:, j], table[:, j + 1]
        between = float(value.var(ddof=1)) if value.size > 1 else 0.0
        width = 1.959963984540054 * float(np.sqrt(np.mean(error**2) + between))
        mean = float(value.mean())
        out.append(Estimate(name, mean, mean - width, mean + width, ideal))
    return out


def called(target: Target, positive: BoolArray, draws: int, seed: int) -> list[Estimate]:
    """Sensitivity, specificity, predictive values and balanced accuracy of calls.

    Parameters
    ----------
    target : Target
        Binary, of n patients.
    positive : ndarray of bool, shape (R, n)
        Who was called present, in each repetition.
    draws, seed : int
    """
    case = target.event == 1

    def rates(weights: Array, call: BoolArray) -> list[Array]:
        hit, miss = weights @ (case & call), weights @ (case & ~call)
        false, right = weights @ (~case & call), weights @ (~case & ~call)
        parts = [(hit, hit + miss), (right, right + false), (hit, hit + false), (right, right + miss)]
        found = [np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0) for a, b in parts]
        return [*found, 0.5 * (found[0] + found[1])]

    names = ("sensitivity", "specificity", "positive predictive value", "negative predictive value")
    ones = np.ones((1, target.n))
    each = np.array([[v[0] for v in rates(ones, call)] for call in positive])
    drawn: list[list[Array]] = [[] for _ in range(5)]
    for weights in bootstrap_weights(target.n, draws, seed, stratum=target.event):
        for call in positive:
            for j, values in enumerate(rates(weights.astype(np.float64), call)):
                drawn[j].append(values)
    share = float(case.mean())
    references = (float("nan"), float("nan"), share, 1.0 - share, 0.5)
    out = []
    for j, name in enumerate((*names, "balanced accuracy")):
        known = each[np.isfinite(each[:, j]), j]
        mean = float(known.mean()) if known.size else float("nan")
        out.append(Estimate(name, mean, *_interval(drawn[j]), references[j]))
    return out


def recall_of(target: Target, probability: Array, draws: int, seed: int) -> Estimate:
    """Balanced accuracy of the most probable class: mean share of each class that is called rightly.

    Parameters
    ----------
    target : Target
        Of n patients and K classes.
    probability : ndarray, shape (R, n, K)
    draws, seed : int
    """
    right = probability.argmax(axis=2) == target.event[None, :]
    member = np.eye(target.classes)[target.event.astype(np.intp)]
    size = member.sum(axis=0)
    drawn: list[Array] = []
    for weights in bootstrap_weights(target.n, draws, seed, stratum=target.event):
        drawn += [((weights * row) @ member / size).mean(axis=1) for row in right]
    share = (right @ member / size).mean(axis=1)
    return Estimate("balanced accuracy", float(share.mean()), *_interval(drawn), 1 / target.classes)


def pooled_roc(target: Target, risk: Array, fold: npt.NDArray[np.int64], draws: int, seed: int) -> Curve:
    """ROC curve whose area is the AUC within folds.

    A patient with the marker is placed among those without it who were held out by the same fold: the share of them
    with a higher risk (ties one half). Sensitivity at a false positive rate is the share of patients placed no higher,
    each weighted by how many he was placed among (Pepe & Cai 2004 for one fold).

    Parameters
    ----------
    target : Target
        Binary.
    risk, fold : ndarray, shape (R, n)
    draws, seed : int

    Returns
    -------
    Curve
        With a pointwise 95 % bootstrap band.
    """
    case = target.event == 1
    placed = [_placing(case, r, f) for r, f in zip(risk, fold, strict=True)]
    ones = np.ones((1, target.n))
    y = np.mean([p(ones)[0] for p in placed], axis=0)
    drawn = [
        p(weights.astype(np.float64))
        for weights in bootstrap_weights(target.n, draws, seed, stratum=target.event)
        for p in placed
    ]
    lower, upper = np.nanquantile(np.vstack(drawn), [0.025, 0.975], axis=0)
    return Curve("ROC", _GRID, y, lower, upper)


def _placing(case: BoolArray, risk: Array, fold: npt.NDArray[np.int64]) -> Callable[[Array], Array]:
    """From weights of patients, shape (draws, n), to sensitivities on the grid, shape (draws, grid)."""
    parts = []
    for k in np.unique(fold[fold >= 0]):
        own, others = np.flatnonzero(case & (fold == k)), np.flatnonzero(~case & (fold == k))
        if own.size and others.size:
            above = 0.5 * (1.0 + np.sign(risk[others][None, :] - risk[own][:, None]))
            parts.append((own, others, above))

    def curve(weights: Array) -> Array:
        total, reached = np.zeros(len(weights)), np.zeros((len(weights), _GRID.size))
        for own, others, above in parts:
            size = weights[:, others].sum(axis=1)
            place = np.divide(
                weights[:, others] @ above.T, size[:, None], out=np.zeros((len(weights), own.size)),
                where=size[:, None] > 0,
            )  # fmt: skip
            lead = weights[:, own] * size[:, None]
            total += lead.sum(axis=1)
            for g, x in enumerate(_GRID):
                reached[:, g] += (lead * (place <= x + 1e-12)).sum(axis=1)
        return np.asarray(
            np.divide(reached, total[:, None], out=np.full_like(reached, np.nan), where=total[:, None] > 0)
        )

    return curve


def calibration_curve(target: Target, risk: Array) -> list[Curve]:
    """Smooth observed share at each predicted probability (loess, mean over repetitions), and five groups.

    The groups are equal parts of the patients by their mean probability over repetitions, with Wilson intervals.

    Parameters
    ----------
    target : Target
        Binary.
    risk : ndarray, shape (R, n)
    """
    inside = np.clip(risk, _LEAST, 1.0 - _LEAST)
    low, high = np.quantile(inside, [0.01, 0.99])
    x = np.linspace(low, high, 41)
    rows = []
    for r in inside:
        try:
            smooth = calibration(target.event, r).curve
        except RadiolocusError:
            continue
        order = np.argsort(r)
        at, first = np.unique(r[order], return_index=True)
        rows.append(np.interp(x, at, np.clip(smooth[order][first], 0.0, 1.0)))
    none = np.full(x.size, np.nan)
    curves = [Curve("calibration", x, np.mean(rows, axis=0), none, none)] if rows else []
    mean = inside.mean(axis=0)
    parts = [p for p in np.array_split(np.argsort(mean, kind="stable"), 5) if p.size]
    size = np.array([p.size for p in parts], dtype=np.float64)
    share = np.array([target.event[p].mean() for p in parts])
    lower, upper = wilson(share, size)
    return [*curves, Curve("calibration groups", np.array([mean[p].mean() for p in parts]), share, lower, upper)]


def wilson(share: Array, size: Array) -> tuple[Array, Array]:
    """Wilson's 95 % interval of a share of `size` (Wilson 1927)."""
    z = 1.959963984540054
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    width = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return middle - width, middle + width


def net_benefit(target: Target, risk: Array, draws: int, seed: int) -> list[Curve]:
    """Decision curve: net benefit of acting on the prediction, and of acting on everybody.

    Parameters
    ----------
    target : Target
        Binary.
    risk : ndarray, shape (R, n)
    draws, seed : int
    """
    at, once = np.arange(5, 96, 5) / 100, np.ones(target.n)
    each = [decision_curve(target.event, r, at) for r in risk]
    drawn = [decision_curve_bootstrap(once, target.event, r, 1.0, at, draws=draws, seed=seed) for r in risk]
    lower, upper = np.quantile(np.vstack(drawn), [0.025, 0.975], axis=0)
    none = np.full(at.size, np.nan)
    return [
        Curve("net benefit", at, np.mean([c.net_benefit for c in each], axis=0), lower, upper),
        Curve("net benefit, all", at, each[0].treat_all, none, none),
    ]
