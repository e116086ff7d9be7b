"""Patients who are not of the study: their risk after each scan, by the model of a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, FitError, StoreError
from radiolocus.learn.target import Target
from radiolocus.model import Problem
from radiolocus.outcome.histories import Histories, checked_visits, histories_of
from radiolocus.outcome.monitoring import clinical_predictors, risk_with_interval
from radiolocus.outcome.monitoring_options import SIZE, MonitoringOptions
from radiolocus.outcome.supermodel import Landmarks, Tracked
from radiolocus.pipeline.finished import FinishedRun, open_run
from radiolocus.pipeline.monitoring_visits import dates_of, time_factor
from radiolocus.read.clinical import read_table as read_file
from radiolocus.registry import suggest
from radiolocus.store import read_table

__all__ = ["Foreseen", "foresee"]

# Before the name of a new patient, who may be called as one of the study is.
_NEW = "new\0"


@dataclass(frozen=True, eq=False)
class Foreseen:
    """Risks of new patients.

    Parameters
    ----------
    endpoint : str
    window : float
    unit : str
    risk : polars.DataFrame
        Columns subject, time, visits, risk, lower and upper: one row a visit.
    problems : tuple of Problem
        Who was set aside and what was not used; values beyond those that the model was fitted to.
    """

    endpoint: str
    window: float
    unit: str
    risk: pl.DataFrame
    problems: tuple[Problem, ...]


def foresee(folder: Path, table: Path, endpoint: str = "") -> Foreseen:
    """Estimate the risk of new patients after each of their scans.

    The model is fitted to all subjects of the run, as it fitted them: same landmarks, markers and clinical columns. How
    good it is, the run says; in other hospitals it has to be shown again.

    Parameters
    ----------
    folder : Path
        Output folder of a study with ``[monitoring]``.
    table : Path
        One row a patient and visit, with the columns that the study file names, and the clinical ones.
    endpoint : str
        Default: the first one that was monitored.

    Raises
    ------
    StoreError
        The study was not monitored.
    ConfigError
        Another endpoint, or a column that is not there.
    FitError
        No visit that can be predicted.
    """
    run = open_run(folder)
    options, tables = (
        run.sections.monitoring,
        {n: read_table(folder, f"monitoring/{n}") for n in ("landmarks", "visits")},
    )
    landmarks, visits = tables["landmarks"], tables["visits"]
    if options is None or landmarks is None or visits is None or not landmarks.height:
        raise StoreError("no monitoring in this run", where=folder.name, todo="add [monitoring] to its study file")
    known = landmarks["endpoint"].unique(maintain_order=True).to_list()
    chosen = endpoint or known[0]
    if chosen not in known:
        raise ConfigError(f"no endpoint '{chosen}'", where="monitor", allowed=", ".join(known))
    own = landmarks.filter(endpoint=chosen).sort("landmark")
    window, unit = own.select("window", "unit").row(0)
    marks = Landmarks(tuple(own["landmark"].to_list()), float(window), options.varying)
    markers = options.markers or (SIZE,)
    frame, clinical, problems = _patients(table, options, markers, str(unit))
    every, lost = _together(run.clinical.select("subject", *options.clinical), clinical)
    training = _training(run, visits.filter(endpoint=chosen), every, options, chosen)
    until = dict(frame.group_by("subject", maintain_order=True).agg(pl.col("time").max()).iter_rows())
    histories, told = histories_of(frame, markers, options.log, until)
    target = Target(np.zeros(len(histories.subject)), np.array([until[s] for s in histories.subject]))
    known_of, _ = clinical_predictors(every, [f"{_NEW}{s}" for s in histories.subject], options)
    data = Tracked(target, histories, known_of)
    there = (histories.at >= marks.times[0]) & (histories.at <= marks.times[-1])
    who, at = histories.person[there].astype(np.intp), histories.at[there]
    if not who.size:
        raise FitError(
            f"no visit from {marks.times[0]:g} to {marks.times[-1]:g}", where=table.name,
            allowed="visits between the first and the last landmark of the study",
        )  # fmt: skip
    seed = np.random.SeedSequence(options.seed, spawn_key=(7927,))
    risk, lower, upper = risk_with_interval(training, marks, data, who, at, options.draws, seed)
    rows = pl.DataFrame(
        {
            "subject": [histories.subject[i] for i in who],
            "time": at,
            "visits": histories.visits_until(who, at),
            "risk": risk,
            "lower": lower,
            "upper": upper,
        }
    )
    notes = [*problems, *lost, *told, *_late(histories, marks), *_beyond(histories, training.histories)]
    return Foreseen(chosen, float(window), str(unit), rows, tuple(notes))


def _patients(
    table: Path, options: MonitoringOptions, markers: tuple[str, ...], unit: str
) -> tuple[pl.DataFrame, pl.DataFrame, list[Problem]]:
    """Visits of new patients with times in the unit of the endpoint, and their clinical columns."""
    read = read_file(table, sheet=options.sheet, id_column=options.id if options.source == "table" else None)
    key = options.id if options.source == "table" and options.id else read.frame.columns[0]
    frame = (
        read.frame.drop(key).insert_column(0, read.frame[key].cast(pl.String).alias("subject")).drop_nulls("subject")
    )
    time = options.time or "time"
    for name in (*((options.origin,) if options.origin else ()), *options.clinical, time):
        if name not in frame.columns:
            allowed = ", ".join(frame.columns[1:])
            todo = suggest(name, frame.columns[1:])
            raise ConfigError(f"no column '{name}'", where=table.name, allowed=allowed, todo=todo)
    factor = time_factor(options.time_unit or ("days" if options.source == "response" else unit), unit)
    if options.origin:
        days = (dates_of(frame[time]) - dates_of(frame[options.origin])).dt.total_days().cast(pl.Float64)
        frame, factor = frame.with_columns(days.alias(time)), time_factor("days", unit)
    numbered = options.visit if options.source == "table" and options.visit in frame.columns else ""
    measured = options.unit if options.unit in frame.columns else ""
    found, problems = checked_visits(frame, markers, time=time, visit=numbered, unit=measured, where=table.name)
    if not found.height:
        raise FitError("no visit with a measurement", where=table.name)
    first = frame.group_by("subject", maintain_order=True).agg(pl.col(c).drop_nulls().first() for c in options.clinical)
    return found.with_columns(pl.col("time") * factor), first, problems


def _training(
    run: FinishedRun, visits: pl.DataFrame, clinical: pl.DataFrame, options: MonitoringOptions, endpoint: str
) -> Tracked:
    """Subjects of the run as its stage had them."""
    names = visits["marker"].unique(maintain_order=True).to_list()
    wide = visits.pivot(on="marker", index=["subject", "time"], values="value").sort("subject", "time")
    told = run.endpoints()[endpoint]
    place = {s: i for i, s in enumerate(told.subject)}
    here = set(wide["subject"].to_list())
    time, event = np.asarray(told.time, dtype=np.float64), np.asarray(told.event, dtype=np.float64)
    until = {s: float(time[i]) for s, i in place.items() if s in here}
    histories, _ = histories_of(wide, names, (), until, endpoint)
    at = np.array([place[s] for s in histories.subject], dtype=np.intp)
    known, _ = clinical_predictors(clinical, histories.subject, options)
    entry = None if told.entry is None else np.asarray(told.entry, dtype=np.float64)[at]
    state = None if told.state is None else np.asarray(told.state, dtype=np.float64)[at]
    return Tracked(Target(event[at], time[at], state=state), histories, known, entry)


def _together(known: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Clinical columns of the subjects of the run and, under names of their own, of the new patients."""
    cast = new.with_columns(pl.col(name).cast(dtype, strict=False) for name, dtype in known.schema.items())
    lost = [
        Problem(
            "monitor", f"'{value}' of '{name}' is no {known[name].dtype} as in the study", "no value", subject, name
        )
        for name in known.columns[1:]
        for subject, value in new.filter(cast[name].is_null() & new[name].is_not_null())
        .select("subject", name)
        .iter_rows()
    ]
    named = cast.select(known.columns).with_columns((pl.lit(_NEW) + pl.col("subject")).alias("subject"))
    return pl.concat([known, named]), lost


def _late(histories: Histories, marks: Landmarks) -> list[Problem]:
    late = histories.at > marks.times[-1]
    if not late.any():
        return []
    got = f"{int(late.sum())} visits after the last landmark, {marks.times[-1]:g}: no risk beyond it is estimated"
    return [Problem("monitor", got, "note", count=int(late.sum()))]


def _beyond(histories: Histories, training: Histories) -> list[Problem]:
    """Tell of values that the model has not seen the like of."""
    found = []
    for j, marker in enumerate(training.markers):
        low, high = np.nanmin(training.value[:, j]), np.nanmax(training.value[:, j])
        value = histories.value[:, j]
        out = np.isfinite(value) & ((value < low) | (value > high))
        for i in np.unique(histories.person[out]):
            got = f"{marker} outside {low:.3g} to {high:.3g}, which the model was fitted to"
            found.append(Problem("monitor", got, "note", histories.subject[i], marker))
    return found
