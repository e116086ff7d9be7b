"""The landmark supermodel: from what was seen of a subject up to a time s, the risk of the event by s + w.

Everybody who is at risk at a landmark enters with the predictors known by then, and is followed to the end of the
window at most. The rows of all landmarks are fitted at once by a Cox model for intervals (s, min(T, s + w)], in which
the landmark changes the baseline hazard smoothly and, where asked for, the effects of predictors linearly. A subject
comes in as often as there are landmarks; standard errors take the subject as cluster. Nothing after s predicts.
With competing events each kind has a model of its own hazard, and the risk is the cumulative incidence from both.

References
----------
van Houwelingen, Scand J Stat 2007;34:70. van Houwelingen & Putter, *Dynamic Prediction in Clinical Survival Analysis*,
2012 (the supermodel, ipl*). Landmarking on predictions of a mixed model: Paige et al., Am J Epidemiol 2018;187:1530.
Competing events: Nicolaie et al., Stat Med 2013;32:2031.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess, fit_preprocess, join_predictors
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, BoolArray
from radiolocus.outcome.histories import Histories
from radiolocus.stats.counting import Baseline, CountingFit, fit_counting_cox
from radiolocus.stats.longitudinal import RandomSlope, fit_random_slope

__all__ = ["BASELINE", "CHANGE", "CLINICAL", "LAST", "MIXED", "Landmarks", "Monitor", "Tracked", "fit_monitor"]

BASELINE, LAST, CHANGE = "baseline", "last value", "last value and change"
MIXED, CLINICAL = "mixed model", "clinical"

# Penalties as shares of the information that a standard column has, one an event of a row: the smallest shrinks by a
# thousandth, the largest by ten elevenths.
_RIDGES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Where windows do not overlap, nothing tells the landmark from the time: this share, which moves no digit that is
# shown, holds its columns at zero then.
_HOLD = 1e-9
# Everything offered is used: few predictors, penalised; copies of one another go.
_COLUMNS = ProtocolOptions(max_missing=0.9)


@dataclass(frozen=True, eq=False)
class Tracked:
    """Subjects with their endpoint, what was measured of them over time, and what was known at time zero.

    Parameters
    ----------
    target : Target
    histories : Histories
    clinical : Predictors
        All three of the same n subjects in the same order.
    entry : ndarray, shape (n,), optional
        Time from which each subject was under observation.
    """

    target: Target
    histories: Histories
    clinical: Predictors
    entry: Array | None = None

    @property
    def time(self) -> Array:
        """Time of the event or of the end of observation, shape (n,)."""
        return np.asarray(self.target.time)

    @property
    def state(self) -> Array:
        """0 end of observation, 1 the event, 2 and more a competing one, shape (n,)."""
        return self.target.event if self.target.state is None else self.target.state

    def take(self, rows: Rows | BoolArray) -> Tracked:
        """Return some subjects; one that is taken twice counts as two."""
        entry = None if self.entry is None else self.entry[rows]
        return Tracked(self.target.take(rows), self.histories.take(rows), self.clinical.take(rows), entry)

    def at_risk(self, landmark: float) -> Rows:
        """Subjects under observation at and beyond a time, of whom something was measured by then."""
        under = self.time > landmark
        if self.entry is not None:
            under &= np.nan_to_num(self.entry) <= landmark
        later = np.flatnonzero(under)
        return later[self.histories.visits_until(later, landmark) > 0]


@dataclass(frozen=True)
class Landmarks:
    """When risk is estimated, how far ahead, and how the model may change with the landmark.

    Parameters
    ----------
    times : tuple of float
        Increasing.
    window : float
    varying : bool
        Effects of predictors change linearly with the landmark.
    """

    times: tuple[float, ...]
    window: float
    varying: bool = False

    @property
    def clock(self) -> int:
        """Columns by which the baseline hazard changes with the landmark: none, a line, or a parabola."""
        return min(2, len(self.times) - 1)

    def scaled(self, at: Array) -> Array:
        """Landmarks from 0 to 1."""
        return (at - self.times[0]) / max(self.times[-1] - self.times[0], 1e-300)


@dataclass(frozen=True, eq=False)
class Monitor:
    """A fitted landmark supermodel.

    Parameters
    ----------
    predictors : str
        What it predicts from: a name of this module.
    landmarks : Landmarks
    mixed : tuple of RandomSlope
        Model of each marker over time; empty unless it predicts from it.
    columns : Preprocess
        What was learned about the columns.
    cox : CountingFit
        Of the event of interest.
    rival : CountingFit or None
        Of the competing events together; None without any.
    ridge : float
        Penalty on a standard column.
    notes : tuple of (str, str)
        Item concerned, and what happened.
    """

    predictors: str
    landmarks: Landmarks
    mixed: tuple[RandomSlope, ...]
    columns: Preprocess
    cox: CountingFit
    rival: CountingFit | None
    ridge: float
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the columns of the Cox model."""
        return _terms(self.columns.columns, self.landmarks)

    def score(self, data: Tracked, who: Rows, at: npt.ArrayLike, generator: np.random.Generator | None = None) -> Array:
        """Log relative hazard of subjects `who` at times `at`, shape (k,).

        With a generator, predictions of the mixed models are drawn from what is known of the subject's own line.
        """
        return _score(self.cox, self._design(data, who, np.asarray(at, dtype=np.float64), generator))

    def _design(self, data: Tracked, who: Rows, at: Array, generator: np.random.Generator | None) -> Array:
        when = np.broadcast_to(at, np.shape(who))
        measured = _measured(self.predictors, self.mixed, data, who, when, generator)
        return _with_clock(self.columns.apply(measured), self.landmarks, when)

    def risk(self, data: Tracked, who: Rows, at: npt.ArrayLike, generator: np.random.Generator | None = None) -> Array:
        """Probability of the event in the window after times `at`, of subjects `who` without it by then, shape (k,).

        Times lie between the first and the last landmark.
        """
        when = np.broadcast_to(np.asarray(at, dtype=np.float64), np.shape(who))
        X = self._design(data, who, when, generator)
        relative = np.exp(np.minimum(_score(self.cox, X), 50.0))
        end = when + self.landmarks.window
        if self.rival is not None:
            other = np.exp(np.minimum(_score(self.rival, X), 50.0))
            return _incidence(self.cox.baseline[0], self.rival.baseline[0], relative, other, when, end)
        baseline = self.cox.baseline[0]
        return np.asarray(-np.expm1(-(baseline.at(end) - baseline.at(when)) * relative))


def _score(fit: CountingFit, X: Array) -> Array:
    return np.asarray((X - fit.mean) @ fit.coefficient)


def _incidence(first: Baseline, second: Baseline, one: Array, other: Array, start: Array, end: Array) -> Array:
    """Cumulative incidence of the first event after `start`, up to `end`: Σ exp(−Λ₁ − Λ₂)(t−) dΛ₁(t)."""
    time = np.union1d(first.time, second.time)
    time = time[(time > start.min(initial=np.inf)) & (time <= end.max(initial=-np.inf))]
    inside = (time[None, :] > start[:, None]) & (time[None, :] <= end[:, None])
    steps = [np.diff(np.r_[b.at(np.array([start.min(initial=np.inf)])), b.at(time)]) for b in (first, second)]
    hazard = one[:, None] * steps[0] * inside
    leaving = hazard + other[:, None] * steps[1] * inside
    before = np.cumsum(leaving, axis=1) - leaving
    return np.asarray(np.minimum((np.exp(-before) * hazard).sum(axis=1), 1.0))


@dataclass(frozen=True, eq=False)
class _Stack:
    """Rows of the supermodel: one a subject and landmark."""

    who: Rows
    entry: Array
    leave: Array
    event: BoolArray
    rival: BoolArray


def _stack(data: Tracked, landmarks: Landmarks) -> _Stack:
    parts = [data.at_risk(s) for s in landmarks.times]
    who = np.concatenate(parts)
    entry = np.repeat(np.asarray(landmarks.times, dtype=np.float64), [part.size for part in parts])
    end = entry + landmarks.window
    time, inside = data.time[who], data.time[who] <= end
    state = data.state[who]
    return _Stack(who, entry, np.minimum(time, end), (state == 1) & inside, (state > 1) & inside)


def fit_monitor(data: Tracked, predictors: str, landmarks: Landmarks, *, ridge: float | None = None) -> Monitor:
    """Learn everything from a training part: the course of each marker, the columns, the penalty and the model.

    The penalty is the one of least composite information criterion, −2 ℓ + 2 tr(J H⁻¹) with the information H and the
    variance J of the score between subjects: since a subject comes in several times, AIC would count too few effective
    parameters.

    Parameters
    ----------
    data : Tracked
        Of the training subjects alone.
    predictors : str
        ``baseline``: first value of each marker; ``last value``; ``last value and change``: also what it changed by
        since the first; ``mixed model``: level and slope by BLUP; ``clinical``: no marker. Always with the clinical
        columns.
    landmarks : Landmarks
    ridge : float, optional
        Penalty; chosen when not given.

    Raises
    ------
    FitError
        Nobody at risk, no event in any window, or nothing to fit.

    References
    ----------
    Varin & Vidoni, Biometrika 2005;92:519. Verweij & van Houwelingen, Stat Med 1994;13:2427 (ridge in Cox's model).
    """
    seen = Tracked(data.target, data.histories.until(data.time), data.clinical, data.entry)
    notes: list[tuple[str, str]] = []
    mixed = _mixed_models(seen.histories, notes) if predictors == MIXED else ()
    stack = _stack(seen, landmarks)
    events = int(stack.event.sum())
    if not events:
        raise FitError(
            f"no events within {landmarks.window:g} of a landmark among {data.target.n} subjects",
            where="landmark model",
            todo="choose other landmarks, or a longer window",
        )
    measured = _measured(predictors, mixed, seen, stack.who, stack.entry, None)
    columns = fit_preprocess(measured, _COLUMNS)
    X = _with_clock(columns.apply(measured), landmarks, stack.entry)
    if X.shape[1] == 0:
        raise FitError("no predictor that varies, and one landmark", where="landmark model", todo="add predictors")
    shrunk = np.arange(X.shape[1]) < X.shape[1] - landmarks.clock
    names = _terms(columns.columns, landmarks)

    def fitted(penalty: float, happened: BoolArray = stack.event) -> CountingFit:
        return fit_counting_cox(
            stack.leave, happened, X, entry=stack.entry, cluster=stack.who,
            ridge=np.where(shrunk, penalty, _HOLD * events), names=names,
        )  # fmt: skip

    if ridge is not None or not shrunk.any():
        chosen = ridge or 0.0
        best = fitted(chosen)
    else:
        fits = [(events * share, fitted(events * share)) for share in _RIDGES]
        chosen, best = min(fits, key=lambda one: _criterion(one[1]))
    rival = fitted(chosen, stack.rival) if stack.rival.any() else None
    return Monitor(predictors, landmarks, mixed, columns, best, rival, chosen, (*notes, *columns.notes))


def _criterion(fit: CountingFit) -> float:
    effective = float(np.trace(np.linalg.solve(fit.naive_covariance, fit.covariance)))
    return -2.0 * fit.loglik + 2.0 * effective


def _mixed_models(histories: Histories, notes: list[tuple[str, str]]) -> tuple[RandomSlope, ...]:
    """Models of all markers over time; of a marker whose slopes cannot be told apart, intercepts alone vary."""
    found = []
    for j, marker in enumerate(histories.markers):
        given = (histories.person, histories.at, histories.value[:, j])
        try:
            model = fit_random_slope(*given)
        except FitError:
            model = fit_random_slope(*given, slopes=False)
            notes.append((marker, "too few visits to tell slopes: intercepts alone vary between subjects"))
        if model.boundary:
            notes.append((marker, "a variance of the mixed model is zero, or slope follows from intercept"))
        found.append(model)
    return tuple(found)


def _measured(
    predictors: str,
    mixed: Sequence[RandomSlope],
    data: Tracked,
    who: Rows,
    at: Array,
    generator: np.random.Generator | None,
) -> Predictors:
    """What is known of subjects `who` at times `at`: clinical columns, and of the markers what the model asks for."""
    values: dict[str, Array] = {}
    for j, marker in enumerate(data.histories.markers if predictors != CLINICAL else ()):
        if predictors == MIXED:
            values |= _course(marker, mixed[j], data.histories, j, who, at, generator)
            continue
        first, last = data.histories.first_and_last(j, who, at)
        values |= {f"{marker}, first": first} if predictors == BASELINE else {f"{marker}, last": last}
        values |= {f"{marker}, change": last - first} if predictors == CHANGE else {}
    block = Predictors(
        np.column_stack([np.empty((len(who), 0)), *values.values()]),
        tuple(values),
        ("markers",) * len(values),
        np.zeros((len(who), 0), dtype=np.int64),
    )
    return join_predictors([data.clinical.take(who), block])


def _course(
    marker: str,
    model: RandomSlope,
    histories: Histories,
    j: int,
    who: Rows,
    at: Array,
    generator: np.random.Generator | None,
) -> dict[str, Array]:
    known = model.course(histories.sums(j, who, at), at)
    level, slope = known.level, known.slope
    if generator is not None:
        drawn = known.draw(generator)
        level, slope = level + drawn[:, 0] + drawn[:, 1] * at, slope + drawn[:, 1]
    return {f"{marker}, level": level} | ({f"{marker}, slope": slope} if model.slopes else {})


def _with_clock(Z: Array, landmarks: Landmarks, at: Array) -> Array:
    u = landmarks.scaled(at)
    clock = [u**k for k in range(1, landmarks.clock + 1)]
    moving = [Z * (u - 0.5)[:, None]] if landmarks.varying and landmarks.clock else []
    return np.column_stack([Z, *moving, *clock])


def _terms(columns: Sequence[str], landmarks: Landmarks) -> tuple[str, ...]:
    moving = [f"{c} × landmark" for c in columns] if landmarks.varying and landmarks.clock else []
    return (*columns, *moving, *("landmark", "landmark²")[: landmarks.clock])
