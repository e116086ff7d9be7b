"""Calibration, net benefit and further measures of out-of-fold predictions: mean over repetitions, with intervals.

Risks are compared as they are over all subjects: a risk is a number between 0 and 1 whatever fold it comes from. What
ranks subjects (Antolini's C, Royston's D) is taken within folds, or centred in them. Intervals are percentiles over
bootstrap draws of subjects, pooled over the repetitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, RadiolocusError
from radiolocus.learn.horizons import truncation_of
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.stats.antolini import antolini_sums
from radiolocus.stats.calibration import Calibration, calibration, calibration_at
from radiolocus.stats.decision import decision_curve_at, decision_curve_bootstrap
from radiolocus.stats.explained import restricted_mean_difference, royston_d
from radiolocus.stats.horizon import brier_at, horizon_bootstrap, integrated_brier
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.roc import average_precision
from radiolocus.stats.time_lost import restricted_time_lost_difference

__all__ = [
    "Curve",
    "Measure",
    "assess_curves",
    "assess_groups",
    "assess_net_benefit",
    "assess_risk",
    "assess_time_lost",
    "time_grid",
]

#: Risks are kept this far from 0 and 1 where they are judged on the scale of a linear predictor.
LEAST = 0.001
#: Bootstrap draws over all repetitions.
DRAWS = 200
_Z = 1.959963984540054
_POINTS = 50
_MOST_TIMES = 100


@dataclass(frozen=True)
class Measure:
    """A number that says how good predictions are.

    Parameters
    ----------
    metric : str
    time : float
        Horizon; NaN where there is none.
    estimate, lower, upper : float
        Mean over repetitions and its 95 % interval; NaN where it cannot be told.
    """

    metric: str
    time: float
    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve with its pointwise 95 % interval; NaN where it cannot be told.

    Parameters
    ----------
    x, estimate, lower, upper : ndarray, shape (k,)
    reference : ndarray, shape (k,)
        Of a decision curve: the net benefit of treating everybody.
    """

    x: Array
    estimate: Array
    lower: Array
    upper: Array
    reference: Array


def time_grid(target: Target) -> Array:
    """Times at which survival curves are kept: the distinct event times, at most 100 of them and always the last.

    None with delayed entry or strata: a curve for everybody has no meaning, or no weights to be judged by.
    """
    if target.time is None or target.needs & {"entry", "strata"}:
        return np.zeros(0)
    times = np.unique(target.time[target.event == 1])
    if times.size <= _MOST_TIMES:
        return times
    return times[np.unique(np.linspace(0, times.size - 1, _MOST_TIMES).round().astype(np.intp))]


def assess_risk(
    target: Target, risk: Array, horizon: float | None = None, draws: int = DRAWS, seed: int = 1
) -> tuple[list[Measure], Curve | None]:
    """Calibration of out-of-fold risks, and of a class their Brier score and average precision.

    Parameters
    ----------
    target : Target
        Survival or competing (with a horizon), or binary.
    risk : ndarray, shape (R, n)
        Probability of the event by the horizon, or of the class.
    horizon : float, optional
    draws, seed : int

    Returns
    -------
    list of Measure
        ``O/E``, ``calibration intercept``, ``calibration slope``, ``ICI``, ``E50``, ``E90``.
    Curve or None
        Smoothed observed risk at predicted risks between the 1st and the 99th percentile.
    """
    inside = np.clip(risk, LEAST, 1.0 - LEAST)
    low, high = np.quantile(inside, [0.01, 0.99])
    grid = np.linspace(float(low), float(high), _POINTS)
    parts = [_one_risk(target, p, horizon, grid) for p in inside]
    drawn = []
    each = -(-draws // len(inside))
    for r, p in enumerate(inside):
        generator = np.random.default_rng(np.random.SeedSequence([seed, r, 0xCA1B]))
        for _ in range(each):
            rows = generator.integers(target.n, size=target.n)
            drawn.append(_one_risk(target.take(rows), p[rows], horizon, grid))
    estimates, values = np.array(parts).mean(axis=0), np.array(drawn)
    names = ["O/E", "calibration intercept", "calibration slope", "ICI", "E50", "E90"]
    names += ["Brier", "average precision"] if horizon is None else []
    at = float("nan") if horizon is None else horizon
    measures = [_measure(name, at, estimates[k], values[:, k]) for k, name in enumerate(names)]
    lower, upper = _band(values[:, len(names) :])
    curve = Curve(grid, estimates[len(names) :], lower, upper, grid)
    return measures, curve if np.isfinite(curve.estimate).any() and grid[-1] > grid[0] else None


def _one_risk(target: Target, risk: Array, horizon: float | None, grid: Array) -> Array:
    """Measures of one set of risks and its curve at `grid`; NaN where they have no value."""
    try:
        found = _calibrated(target, risk, horizon)
        gaps = found.gaps
        numbers = [found.observed_expected, found.intercept, found.slope, gaps.ici, gaps.e50, gaps.e90]
        order = np.argsort(risk, kind="stable")
        curve = np.interp(grid, risk[order], found.curve[order], left=np.nan, right=np.nan)
    except RadiolocusError:
        numbers, curve = [np.nan] * 6, np.full(grid.size, np.nan)
    if horizon is None:
        numbers.append(float(np.mean((risk - target.event) ** 2)))
        mixed = 0 < target.event.sum() < target.n
        numbers.append(average_precision(target.event, risk).estimate if mixed else np.nan)
    return np.concatenate([np.array(numbers), np.clip(curve, 0.0, 1.0)])


def _calibrated(target: Target, risk: Array, horizon: float | None) -> Calibration:
    if horizon is None or target.time is None:
        return calibration(target.event, risk)
    state, cause = _states(target)
    return calibration_at(target.time, state, risk, horizon, cause=cause)


def _states(target: Target) -> tuple[Array, int | None]:
    """Events, or with competing ones the states and the cause of interest."""
    return (target.event, None) if target.state is None else (target.state, 1)


def assess_net_benefit(
    target: Target,
    risk: Array,
    horizon: float | None = None,
    thresholds: Sequence[float] = tuple(np.arange(1, 100) / 100),
    draws: int = DRAWS,
    seed: int = 1,
) -> Curve:
    """Decision curve of out-of-fold risks: net benefit at each threshold, beside treating everybody.

    Parameters
    ----------
    target : Target
        Survival (with a horizon) or binary.
    risk : ndarray, shape (R, n)
    horizon : float, optional
    thresholds : sequence of float
    draws, seed : int

    Raises
    ------
    RadiolocusError
        A horizon beyond follow-up, or nobody with the event.
    """
    time, at = (np.ones(target.n), 1.0) if target.time is None or horizon is None else (target.time, horizon)
    state, cause = _states(target)
    curves = [decision_curve_at(time, state, p, at, thresholds, cause=cause) for p in risk]
    each = -(-draws // len(risk))
    drawn = [
        decision_curve_bootstrap(time, state, p, at, thresholds, cause=cause, draws=each, seed=seed + r)
        for r, p in enumerate(risk)
    ]
    lower, upper = _band(np.concatenate(drawn))
    benefit = np.mean([c.net_benefit for c in curves], axis=0)
    return Curve(np.asarray(thresholds), benefit, lower, upper, curves[0].treat_all)


def assess_curves(
    target: Target,
    score: Array,
    fold: npt.NDArray[np.int64],
    survival: Array,
    bare: Array,
    grid: Array,
    draws: int = DRAWS,
    seed: int = 1,
) -> list[Measure]:
    """Antolini's C, integrated Brier score (and without predictors), Royston's D and explained variation.

    Parameters
    ----------
    target : Target
        Of n subjects, with times.
    score : ndarray, shape (R, n)
        Higher means an earlier event.
    fold : ndarray of int64, shape (R, n)
    survival, bare : ndarray, shape (R, n, g)
        Out-of-fold survival curves, and those of the same training parts without predictors.
    grid : ndarray, shape (g,)
        See :func:`time_grid`.
    draws, seed : int

    Returns
    -------
    list of Measure
        The integrated score runs to the last event by which a tenth of the subjects are followed. D has a Wald
        interval, of each repetition, averaged. With competing events the integrated score alone: C and D are of a
        single kind of event.
    """
    each = -(-draws // len(score))
    found = [_antolini(target, fold, survival, grid, each, seed)] if target.state is None else []
    for name, curves in (("integrated Brier", survival), ("integrated Brier without predictors", bare)):
        found.append(_integrated(target, curves, grid, each, seed, name))
    return found + (_separation(target, score, fold) if target.state is None else [])


def _times(target: Target) -> Array:
    if target.time is None:
        raise InputError("an endpoint without times", allowed="a survival endpoint")
    return target.time


def _antolini(
    target: Target, fold: npt.NDArray[np.int64], survival: Array, grid: Array, draws: int, seed: int
) -> Measure:
    time = _times(target)
    drawn = np.concatenate(list(bootstrap_weights(target.n, draws, seed))).astype(np.float64)
    weights = np.vstack([np.ones((1, target.n)), drawn])
    values = []
    for folds, curves in zip(fold, np.minimum.accumulate(survival, axis=2), strict=True):
        won, pairs = np.zeros((2, len(weights)))
        for k in np.unique(folds):
            rows = np.flatnonzero(folds == k)
            if target.event[rows].any():
                sums = antolini_sums(
                    time[rows], target.event[rows], np.clip(curves[rows], 0, 1), grid, weights[:, rows]
                )
                won, pairs = won + sums[0], pairs + sums[1]
        values.append(np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    found = np.array(values)
    return _measure("Antolini C", float(grid[-1]), float(found[:, 0].mean()), found[:, 1:].ravel())


def _integrated(target: Target, survival: Array, grid: Array, draws: int, seed: int, name: str) -> Measure:
    time = _times(target)
    end = truncation_of(time, target.event)
    chosen = np.flatnonzero((grid > 0) & (grid <= end) & (grid < time.max()))
    at, values, drawn = grid[chosen], [], []
    state, cause = _states(target)
    try:
        for r, curves in enumerate(survival):
            risk = 1.0 - curves[:, chosen]
            values.append(float(integrated_brier(at, brier_at(time, state, risk, at, cause=cause))))
            found = horizon_bootstrap(time, state, risk, at, cause=cause, draws=draws, seed=seed + r)
            drawn.append(found.integrated_brier)
    except RadiolocusError:  # fewer than two event times before the end
        return Measure(name, end, np.nan, np.nan, np.nan)
    return _measure(name, float(at[-1]), float(np.mean(values)), np.concatenate(drawn))


def _separation(target: Target, score: Array, fold: npt.NDArray[np.int64]) -> list[Measure]:
    nothing = float("nan")
    try:
        found = [royston_d(_times(target), target.event, _centred(s, f)) for s, f in zip(score, fold, strict=True)]
    except RadiolocusError:
        return [Measure(name, nothing, nothing, nothing, nothing) for name in ("Royston D", "R²_D")]
    d, error = np.array([f.d for f in found]), np.array([f.standard_error for f in found])
    low, high = float((d - _Z * error).mean()), float((d + _Z * error).mean())
    return [
        Measure("Royston D", nothing, float(d.mean()), low, high),
        Measure("R²_D", nothing, float(np.mean([f.r_squared for f in found])), nothing, nothing),
    ]


def _centred(score: Array, fold: npt.NDArray[np.int64]) -> Array:
    """Scores less the mean of their fold: models of different folds have different baselines."""
    mean = np.bincount(fold, weights=score) / np.maximum(np.bincount(fold), 1)
    return np.asarray(np.round(score - mean[fold], 12))


def assess_groups(target: Target, high: BoolArray) -> Measure:
    """Restricted mean time without event, low less high risk, up to the last event with a tenth still followed."""
    nothing = float("nan")
    end = truncation_of(_times(target), target.event)
    try:
        found = restricted_mean_difference(_times(target), target.event, ~high, end)
    except RadiolocusError:
        return Measure("restricted mean difference", end, nothing, nothing, nothing)
    return Measure("restricted mean difference", end, found.difference, found.lower, found.upper)


def assess_time_lost(target: Target, high: BoolArray, draws: int = DRAWS, seed: int = 1) -> list[Measure]:
    """Restricted mean time lost to the event of interest in each risk group, and high less low, with competing events.

    Up to the last event of interest with a tenth still followed; intervals: percentiles over draws of subjects within
    their group. None where there is one group, or one that is not followed so far.
    """
    end = truncation_of(_times(target), target.event)
    state, cause = _states(target)
    try:
        found = restricted_time_lost_difference(
            _times(target), state, high, end, cause=cause or 1, draws=draws, seed=seed
        )
    except RadiolocusError:
        return []
    told = (
        ("restricted time lost, low risk", found.first, found.first_interval),
        ("restricted time lost, high risk", found.second, found.second_interval),
        ("restricted time lost difference", found.difference, found.interval),
    )
    return [Measure(name, end, value, interval.lower, interval.upper) for name, value, interval in told]


def _measure(name: str, time: float, estimate: float, drawn: Array) -> Measure:
    nothing = float("nan")
    if not np.isfinite(estimate):
        return Measure(name, time, nothing, nothing, nothing)
    if np.isfinite(drawn).sum() < 2:
        return Measure(name, time, float(estimate), nothing, nothing)
    interval = percentile_interval(drawn)
    return Measure(name, time, float(estimate), interval.lower, interval.upper)


def _band(drawn: Array) -> tuple[Array, Array]:
    """Percentiles of each column; NaN where fewer than half of the draws have a value."""
    enough = np.isfinite(drawn).mean(axis=0) >= 0.5
    ends = np.full((2, drawn.shape[1]), np.nan)
    if enough.any():
        ends[:, enough] = np.nanquantile(drawn[:, enough], [0.025, 0.975], axis=0)
    return ends[0], ends[1]
