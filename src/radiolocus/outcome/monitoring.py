"""Progression monitoring: what is computed, cut into units, each a pure function of its arguments.

In every repetition the subjects are divided into folds; of each training part are learned the course of the markers,
the columns, the penalty and the model, and the subjects held out are predicted at every landmark from what had been
measured of them by then. All ways to predict share folds, subjects and landmarks. The risk of a subject after each
visit, with its interval, is that of the first repetition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, FitError, RadiolocusError
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.null import permuted
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, Endpoint, Problem
from radiolocus.outcome.blocks import read_blocks
from radiolocus.outcome.histories import histories_of
from radiolocus.outcome.monitoring_fits import whole_tables
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.supermodel import (
    BASELINE,
    CHANGE,
    CLINICAL,
    LAST,
    MIXED,
    Landmarks,
    Tracked,
    fit_monitor,
)
from radiolocus.schema import conform
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.survival import kaplan_meier

__all__ = [
    "TIMED",
    "MonitoringPlan",
    "MonitoringTask",
    "MonitoringUnit",
    "clinical_predictors",
    "observed_risk",
    "plan_monitoring",
    "risk_with_interval",
    "run_monitoring",
]

#: Kinds of endpoints that can be monitored.
TIMED = ("survival", "competing")
_MOST_LANDMARKS = 12
_LARGEST, _LEAST = 1.0 - 1e-12, 1e-12


@dataclass(frozen=True, eq=False)
class MonitoringTask:
    """One endpoint.

    Parameters
    ----------
    endpoint, unit : str
        Name, and unit of its time.
    data : Tracked
    landmarks : Landmarks
    options : MonitoringOptions
    """

    endpoint: str
    unit: str
    data: Tracked
    landmarks: Landmarks
    options: MonitoringOptions

    @property
    def predictors(self) -> tuple[str, ...]:
        """What is predicted from, the simplest first."""
        clinical = (CLINICAL,) if self.data.clinical.candidates else ()
        return (*clinical, BASELINE, LAST, CHANGE, MIXED)


@dataclass(frozen=True, eq=False)
class MonitoringUnit:
    """One repetition of a task, one run of it on a permuted outcome, or the models of all its subjects."""

    task: MonitoringTask
    kind: Literal["repeat", "permuted", "whole"]
    number: int = 0

    @property
    def name(self) -> str:
        """``endpoint/kind/number``."""
        return f"{self.task.endpoint}/{self.kind}/{self.number}"


@dataclass(frozen=True, eq=False)
class MonitoringPlan:
    """What will be computed, and what cannot be."""

    units: tuple[MonitoringUnit, ...]
    problems: tuple[Problem, ...]


def plan_monitoring(
    visits: pl.DataFrame, endpoints: Sequence[Endpoint], clinical: pl.DataFrame, options: MonitoringOptions
) -> MonitoringPlan:
    """Decide what will be computed.

    Parameters
    ----------
    visits : polars.DataFrame
        As :func:`radiolocus.outcome.histories.checked_visits` returns it, with times in the unit of the endpoints.
    endpoints : sequence of Endpoint
    clinical : polars.DataFrame
        ``subject`` and clinical columns.
    options : MonitoringOptions

    Raises
    ------
    ConfigError
        A clinical column that is not there.
    """
    for name in options.clinical:
        if name not in clinical.columns[1:]:
            known = ", ".join(clinical.columns[1:])
            raise ConfigError(f"no clinical column '{name}'", where="monitoring.clinical", allowed=known)
    units: list[MonitoringUnit] = []
    problems: list[Problem] = []
    wanted = [e for e in endpoints if e.name in options.endpoints or (not options.endpoints and e.kind in TIMED)]
    for endpoint in wanted:
        try:
            task, told = _task(endpoint, visits, clinical, options)
        except RadiolocusError as error:
            problems.append(_failed(endpoint.name, error))
            continue
        problems += told
        units += [MonitoringUnit(task, "whole")]
        units += [MonitoringUnit(task, "repeat", r) for r in range(options.repeats)]
        units += [MonitoringUnit(task, "permuted", k) for k in range(options.permutations)]
    return MonitoringPlan(tuple(units), tuple(problems))


def _failed(endpoint: str, error: RadiolocusError) -> Problem:
    return Problem("monitoring", error.got, "set aside", None, endpoint, error.where, error.allowed, error.todo)


def _task(
    endpoint: Endpoint, visits: pl.DataFrame, clinical: pl.DataFrame, options: MonitoringOptions
) -> tuple[MonitoringTask, list[Problem]]:
    if endpoint.kind not in TIMED or endpoint.time is None:
        raise FitError(f"a {endpoint.kind} endpoint", where="monitoring", allowed="an endpoint with times")
    event, time = np.asarray(endpoint.event, dtype=np.float64), np.asarray(endpoint.time, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(event) & np.isfinite(time) & (np.nan_to_num(time, nan=-1.0) >= 0))
    problems = []
    if unknown := event.size - rows.size:
        got = f"{unknown} of {event.size} subjects have no known value of this endpoint"
        problems.append(Problem("monitoring", got, "note", None, endpoint.name, count=unknown))
    if endpoint.weight is not None or endpoint.stratum is not None:
        got = "weights and strata of the endpoint are not used by landmark models"
        problems.append(Problem("monitoring", got, "note", None, endpoint.name))
    until = {endpoint.subject[i]: float(time[i]) for i in rows}
    histories, told = histories_of(visits, _columns(visits), options.log, until, endpoint.name)
    place = {endpoint.subject[i]: i for i in rows}
    at = np.array([place[s] for s in histories.subject], dtype=np.intp)
    known, notes = clinical_predictors(clinical, histories.subject, options)
    entry = None if endpoint.entry is None else np.asarray(endpoint.entry, dtype=np.float64)[at]
    state = None if endpoint.state is None else np.asarray(endpoint.state, dtype=np.float64)[at]
    data = Tracked(Target(event[at], time[at], state=state), histories, known, entry)
    data.target.check()
    landmarks, said = _landmarks(data, options, endpoint.name)
    return MonitoringTask(endpoint.name, endpoint.unit, data, landmarks, options), [*problems, *told, *notes, *said]


def _columns(visits: pl.DataFrame) -> list[str]:
    return [c for c in visits.columns if c not in ("subject", "time")]


def clinical_predictors(
    clinical: pl.DataFrame, subject: Sequence[str], options: MonitoringOptions
) -> tuple[Predictors, list[Problem]]:
    """Clinical columns of some subjects; all missing of those who have none.

    Parameters
    ----------
    clinical : polars.DataFrame
        ``subject`` and clinical columns.
    subject : sequence of str
    options : MonitoringOptions
    """
    nothing = Predictors(np.zeros((len(subject), 0)), (), (), np.zeros((len(subject), 0), dtype=np.int64))
    if not options.clinical:
        return nothing, []
    frame = clinical.select("subject", *options.clinical)
    blocks, told = read_blocks({CLINICAL: frame}, OutcomeOptions(clinical=options.clinical))
    notes = [replace(p, stage="monitoring") for p in told]
    if CLINICAL not in blocks:
        return nothing, notes
    block = blocks[CLINICAL]
    at = np.array([block.row.get(s, -1) for s in subject], dtype=np.intp)
    taken = block.predictors.take(np.maximum(at, 0))
    absent = (at < 0)[:, None]
    numeric, codes = np.where(absent, np.nan, taken.numeric), np.where(absent, -1, taken.codes)
    return replace(taken, numeric=numeric, codes=codes), notes


def _judgeable(data: Tracked, landmark: float, options: MonitoringOptions) -> tuple[int, int]:
    """Events in the window after a landmark, and subjects followed beyond it."""
    who = data.at_risk(landmark)
    time, end = data.time[who], landmark + options.window
    return int(np.sum((data.target.event[who] == 1) & (time <= end))), int(np.sum(time > end))


def _landmarks(data: Tracked, options: MonitoringOptions, name: str) -> tuple[Landmarks, list[Problem]]:
    """Landmarks with enough events, and subjects beyond, to be judged."""
    steps = np.arange(_MOST_LANDMARKS) * options.window / 2
    asked = sorted(options.landmarks) or [float(s) for s in steps]
    kept, problems = [], []
    for s in asked:
        events, beyond = _judgeable(data, s, options)
        if min(events, beyond) >= options.min_events:
            kept.append(s)
        elif options.landmarks:
            got = f"landmark {s:g} left out: {events} events in the window, {beyond} subjects followed beyond it"
            allowed = f"at least {options.min_events} of each (min_events)"
            problems.append(Problem("monitoring", got, "note", None, name, "monitoring.landmarks", allowed))
        elif kept:
            break
    if not kept:
        raise FitError(
            f"no landmark with {options.min_events} events in a window of {options.window:g} and as many subjects "
            "followed beyond it",
            where="monitoring.landmarks",
            todo="choose a longer or shorter window or other landmarks, or lower min_events",
        )
    return Landmarks(tuple(kept), options.window, options.varying), problems


def run_monitoring(unit: MonitoringUnit) -> dict[str, pl.DataFrame]:
    """Compute one unit."""
    task = unit.task
    if unit.kind == "whole":
        return whole_tables(task.endpoint, task.data, task.landmarks, task.predictors)
    if unit.kind == "permuted":
        return _permuted(task, unit.number)
    return _repeat(task, unit.number, task.data, task.predictors, unit.number == 0)


def _folds(task: MonitoringTask, target: Target, repeat: int) -> Folds:
    return draw_folds(target, task.options.folds, np.random.SeedSequence(task.options.seed, spawn_key=(repeat,)))


def _permuted(task: MonitoringTask, draw: int) -> dict[str, pl.DataFrame]:
    """Run one repetition on the outcomes of other subjects; what was measured after the new end is left out."""
    target = permuted(task.data.target, task.options.seed, draw)
    data = replace(task.data, target=target)
    data = replace(data, histories=data.histories.until(data.time))
    frames = _repeat(task, draw, data, (MIXED,), False)
    place = {s: i for i, s in enumerate(data.histories.subject)}
    at = np.array([place[s] for s in frames["predictions"]["subject"].to_list()], dtype=np.intp)
    outcome = (pl.Series("time", data.time[at]), pl.Series("state", data.state[at], pl.Float64))
    return frames | {"predictions": frames["predictions"].with_columns(*outcome)}


def _repeat(
    task: MonitoringTask, repeat: int, data: Tracked, predictors: Sequence[str], with_risk: bool
) -> dict[str, pl.DataFrame]:
    folds = _folds(task, data.target, repeat)
    rows: list[pl.DataFrame] = []
    risks: list[pl.DataFrame] = []
    notes = [("", note) for note in folds.notes]
    for k in range(folds.count):
        training, held = data.take(folds.fold != k), np.flatnonzero(folds.fold == k)
        for name in predictors:
            model = fit_monitor(training, name, task.landmarks)
            notes += model.notes
            for s in task.landmarks.times:
                who = np.intersect1d(data.at_risk(s), held)
                told = model.score(data, who, s), model.risk(data, who, s)
                rows.append(_rows(task, data, name, (repeat, k, s), who, told, _bare(training, s, task.landmarks)))
            if with_risk and name == MIXED:
                risks.append(_risk(task, k, training, held, model.ridge))
    frames = {"predictions": conform(pl.concat(rows), "monitoring/predictions"), "notes": _notes(notes)}
    if risks:
        frames["risk"] = conform(pl.concat(risks).sort("subject", "time"), "monitoring/risk")
    return frames


def _rows(
    task: MonitoringTask,
    data: Tracked,
    name: str,
    place: tuple[int, int, float],
    who: Rows,
    told: tuple[Array, Array],
    bare: float,
) -> pl.DataFrame:
    subject = pl.Series("subject", [data.histories.subject[i] for i in who], pl.String)
    return pl.DataFrame([subject]).with_columns(
        pl.lit(task.endpoint).alias("endpoint"),
        pl.lit(name).alias("predictors"),
        pl.lit(place[0]).cast(pl.Int64).alias("repeat"),
        pl.lit(place[1]).cast(pl.Int64).alias("fold"),
        pl.lit(place[2]).alias("landmark"),
        pl.Series("prediction", told[0], pl.Float64),
        pl.Series("risk", told[1], pl.Float64),
        pl.lit(bare).alias("risk_without_predictors"),
    )


def _bare(training: Tracked, landmark: float, landmarks: Landmarks) -> float:
    """Risk in the window of everybody at risk, whatever is known of them."""
    who = training.at_risk(landmark)
    return observed_risk(training.time[who] - landmark, training.state[who], landmarks.window)[0]


def _notes(notes: Sequence[tuple[str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(list(notes), schema={"item": pl.String, "note": pl.String}, orient="row")
    return frame.group_by("item", "note", maintain_order=True).len("count").with_columns(pl.col("count").cast(pl.Int64))


def _risk(task: MonitoringTask, fold: int, training: Tracked, held: Rows, ridge: float) -> pl.DataFrame:
    """Risk after each visit of those held out; its interval from models of bootstrap samples and drawn courses."""
    data, landmarks = task.data, task.landmarks
    histories = data.histories
    there = np.isin(histories.person, held) & (histories.at >= landmarks.times[0])
    there &= (histories.at <= landmarks.times[-1]) & (histories.at < data.time[histories.person])
    who, at = histories.person[there].astype(np.intp), histories.at[there]
    seed = np.random.SeedSequence(task.options.seed, spawn_key=(104729, fold))
    estimate, lower, upper = risk_with_interval(training, landmarks, data, who, at, task.options.draws, seed, ridge)
    time, state = data.time[who], data.state[who]
    end = at + landmarks.window
    other = (time >= end) | (state > 1)
    came = np.where((state == 1) & (time <= end), 1.0, np.where(other, 0.0, np.nan))
    return pl.DataFrame(
        {
            "endpoint": [task.endpoint] * who.size,
            "subject": [histories.subject[i] for i in who],
            "time": at,
            "visits": histories.visits_until(who, at),
            "risk": estimate,
            "lower": lower,
            "upper": upper,
            "event": pl.Series(came, dtype=pl.Float64).fill_nan(None).cast(pl.Int64),
        },
        schema_overrides={"subject": pl.String, "endpoint": pl.String},
    ).with_columns(pl.col("lower", "upper").fill_nan(None))


def observed_risk(time: Array, state: Array, window: float) -> tuple[float, float, float]:
    """Share of subjects with the event by the end of a window, by Kaplan–Meier or, with competing ones, Aalen–Johansen.

    Parameters
    ----------
    time, state : ndarray, shape (n,)
        State 0 end of observation, 1 the event, 2 and more competing ones.
    window : float
        Beyond the last time, that one is taken.

    Returns
    -------
    risk, lower, upper : float
        With the log-log interval; NaN where it is not defined.
    """
    if not (state == 1).any():
        return 0.0, np.nan, np.nan
    last = min(window, float(time.max()))
    if (state > 1).any():
        curve = aalen_johansen(time, state)
        j = int(np.searchsorted(curve.time, last, side="right")) - 1
        risk, error = float(curve.incidence_at(last, 1)), float(curve.standard_error[j, 0])
    else:
        single = kaplan_meier(time, state)
        j = int(np.searchsorted(single.time, last, side="right")) - 1
        risk, error = 1.0 - float(single.survival[j]), float(single.standard_error[j])
    if not (0.0 < risk < 1.0 and error > 0):
        return risk, np.nan, np.nan
    # On the scale of log(−log(1 − risk)), as survfit's log-log.
    width = 1.959963984540054 * error / ((1.0 - risk) * -np.log1p(-risk))
    low, high = (float(-np.expm1(np.log1p(-risk) * np.exp(side * width))) for side in (-1.0, 1.0))
    return risk, low, high


def risk_with_interval(
    training: Tracked,
    landmarks: Landmarks,
    data: Tracked,
    who: Rows,
    at: Array,
    draws: int,
    seed: np.random.SeedSequence,
    ridge: float | None = None,
) -> tuple[Array, Array, Array]:
    """Risk in the window after times `at` of subjects `who`, by the mixed model of a training part, with its interval.

    Parameters
    ----------
    training : Tracked
    landmarks : Landmarks
    data : Tracked
        Holds the subjects that are predicted.
    who : ndarray of int, shape (k,)
    at : ndarray, shape (k,)
        From the first landmark to the last.
    draws : int
        Models of bootstrap samples of the training part; each draws the course of the subjects anew.
    seed : numpy.random.SeedSequence
    ridge : float, optional
        Penalty; chosen when not given.

    Returns
    -------
    risk, lower, upper : ndarray, shape (k,)
        95 % interval on the scale of the log cumulative hazard; NaN where fewer than two samples could be fitted.
    """
    whole = fit_monitor(training, MIXED, landmarks, ridge=ridge)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        sample = np.sort(generator.integers(training.target.n, size=training.target.n))
        try:
            model = fit_monitor(training.take(sample), MIXED, landmarks, ridge=whole.ridge)
        except FitError:  # a sample without events, or without spread
            continue
        drawn.append(_log_hazard(model.risk(data, who, at, generator)))
    estimate = whole.risk(data, who, at)
    spread = np.std(drawn, axis=0, ddof=1) if len(drawn) > 1 else np.full(who.size, np.nan)
    lower, upper = (-np.expm1(-np.exp(_log_hazard(estimate) + side * 1.96 * spread)) for side in (-1.0, 1.0))
    return estimate, lower, upper


def _log_hazard(risk: Array) -> Array:
    """Logarithm of the cumulative hazard of a risk."""
    return np.asarray(np.log(-np.log1p(-np.clip(risk, _LEAST, _LARGEST))))
