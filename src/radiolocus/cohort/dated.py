"""Endpoints from dates: one rule each, and a subject whose dates contradict each other is set aside."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.cohort.options import RULES, DateOptions, EndpointOptions
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError
from radiolocus.model import Array

__all__ = ["DAYS", "Dated", "dated_endpoint"]

#: Days of each unit that times are told in.
DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}

Aside = Callable[[str, str, str, str], None]
"""Sets a subject aside: subject, what was got, column, what is allowed."""


@dataclass(frozen=True, eq=False)
class Dated:
    """What follows from the dates of each subject; NaN where they do not tell.

    Parameters
    ----------
    time : ndarray, shape (n,)
        From time zero to the first event, or to the last that is known.
    state : ndarray, shape (n,)
        0 censored, 1 event, 2 competing event.
    entry : ndarray, shape (n,), or None
    states : tuple of str
        Names of the events.
    """

    time: Array
    state: Array
    entry: Array | None
    states: tuple[str, ...]


@dataclass(frozen=True)
class _Case:
    """The dates of one subject, in days (or in the unit, without a baseline) since time zero."""

    events: Mapping[str, float]
    death: float | None
    last: float | None
    entry: float | None


def dated_endpoint(
    options: EndpointOptions,
    dates: DateOptions,
    frame: pl.DataFrame,
    subjects: Sequence[str],
    aside: Aside,
    happened: Array | None = None,
) -> Dated:
    """Derive an endpoint by its rule.

    The event is the first of the dated events of the rule. Who has none is observed until death, if death is no event
    of the rule (a competing event), and otherwise until last seen.

    Parameters
    ----------
    options : EndpointOptions
        With a rule.
    dates : DateOptions
    frame : polars.DataFrame
        One row a subject.
    subjects : sequence of str
    aside : callable
        Told of every subject whose dates cannot be used, and why.
    happened : ndarray, shape (n,), optional
        1 where another column says that a dated event of the rule, other than death, happened, 0 where not, NaN unknown
        (the subject was told already).

    Returns
    -------
    Dated

    Raises
    ------
    ConfigError
        A column that holds neither dates nor numbers, or numbers beside dates.
    """
    reader = _Reader(dates, frame, _wanted(options, dates))
    vital = _vital(dates, frame)
    n = len(subjects)
    time, state, entry = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    factor = DAYS[options.unit or "days"] if dates.baseline is not None else 1.0
    named = tuple(e for e in reader.columns if e in _events(options, dates))
    for j, subject in enumerate(subjects):
        told = None if happened is None else happened[j]
        if told is not None and math.isnan(told):
            continue
        fault = reader.fault(j)
        if not fault:
            # One column of the last contact may serve for both, where another tells who died.
            lives = dates.death == dates.last and vital[j] is False
            case = _Case(
                {e: t for e in named if (t := reader.since(j, e)) is not None},
                None if lives else reader.since(j, "death"),
                reader.since(j, "last"),
                reader.since(j, "entry"),
            )
            fault = _disorder(case, dates) or _contradiction(case, told, vital[j], dates, options)
        if not fault:
            time[j], state[j], fault = _ended(case, options, dates, j, frame)
        if not fault and options.delayed_entry:
            entry[j] = case.entry if case.entry is not None else np.nan
            fault = _late(case, time[j], dates)
        if fault:
            time[j] = state[j] = entry[j] = np.nan
            aside(subject, *fault)
    first = " or ".join(_events(options, dates) + (("death",) if _deadly(options) else ()))
    interest = f"death of {', '.join(map(str, options.cause_values))}" if options.cause_values else first
    other = "death of another cause" if options.rule == "cause_specific" else "death"
    competing = options.kind == "competing"
    return Dated(
        time / factor,
        state,
        entry / factor if options.delayed_entry else None,
        (interest, other) if competing else (interest,),
    )


Fault = tuple[str, str, str]
"""What is wrong, in which column, and what is allowed."""


def _events(options: EndpointOptions, dates: DateOptions) -> tuple[str, ...]:
    """Dated events of the rule other than death."""
    if options.rule is None:
        return ()
    named = options.events if options.rule == "first" else RULES[options.rule][0]
    return tuple(e for e in named if e in dates.events())


def _deadly(options: EndpointOptions) -> bool:
    """Whether death is an event of the rule."""
    return options.rule is not None and (RULES[options.rule][1] or "death" in options.events)


def _wanted(options: EndpointOptions, dates: DateOptions) -> dict[str, str]:
    """Columns of dates by key."""
    keys = {"baseline", "death", "last", *_events(options, dates)} | ({"entry"} if options.delayed_entry else set())
    return {k: c for k, c in dates.columns().items() if k in keys}


def _vital(dates: DateOptions, frame: pl.DataFrame) -> list[bool | None]:
    """Whether each subject died, by the column that says so; None where it does not."""
    if dates.vital is None:
        return [None] * frame.height
    dead = {canonical(v) for v in dates.dead_values}
    return [None if v is None else canonical(v) in dead for v in frame[dates.vital].to_list()]


class _Reader:
    """Cells of the date columns as numbers of days, and what cannot be read."""

    def __init__(self, dates: DateOptions, frame: pl.DataFrame, columns: Mapping[str, str]) -> None:
        self.columns, self.form, self.raw = columns, dates.format, {k: frame[c].to_list() for k, c in columns.items()}
        numeric = {k: frame[c].dtype.is_numeric() for k, c in columns.items() if frame[c].null_count() < frame.height}
        self.numbers = all(numeric.values())
        if not self.numbers and (any(numeric.values()) or dates.baseline is None):
            usual = numeric.get("baseline", True)
            which = next(k for k, is_number in numeric.items() if is_number != usual)
            allowed = "dates in every column, or numbers in every column"
            got = f"column '{columns[which]}' holds {'numbers' if numeric[which] else 'no numbers'}"
            if dates.baseline is None:
                allowed = "times since time zero in every column, or dates and the date of time zero: baseline"
            raise ConfigError(got, where="cohort.dates", allowed=allowed, todo="see what the other columns hold")
        self.value = {k: [self._read(v) for v in cells] for k, cells in self.raw.items()}

    def _read(self, cell: object) -> float | None:
        """Day number of a cell; None when it is empty, NaN when it cannot be read."""
        if cell is None:
            return None
        if self.numbers:
            return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else math.nan
        if isinstance(cell, dt.date):
            return float(cell.toordinal())
        text = str(cell).strip()
        if self.form == "%Y-%m-%d":
            text = text[:10] if text[10:11] in ("", " ", "T") else text
        try:
            return float(dt.datetime.strptime(text, self.form).toordinal())
        except ValueError:
            return math.nan

    def since(self, row: int, key: str) -> float | None:
        """Time since time zero."""
        if key not in self.value or self.value[key][row] is None:
            return None
        zero = self.value["baseline"][row] if "baseline" in self.value else 0.0
        return self.value[key][row] - zero  # type: ignore[operator]

    def fault(self, row: int) -> Fault | None:
        """Say which cell of a subject cannot be read."""
        for key, column in self.columns.items():
            value = self.value[key][row]
            if value is None and key == "baseline":
                return "no date of time zero", column, "a date"
            if value is not None and math.isnan(value):
                allowed = "a number" if self.numbers else f"dates written as {self.form}"
                return f"'{self.raw[key][row]}' for {key}", column, allowed
        return None


def _disorder(case: _Case, dates: DateOptions) -> Fault | None:
    """Dates that cannot follow each other as they do."""
    column = dates.columns()
    known = [(e, t) for e, t in case.events.items()]
    known += [("death", case.death)] if case.death is not None else []
    known += [("last", case.last)] if case.last is not None else []
    for name, when in known:
        if when < 0:
            return f"{_named(name)} {-when:g} before time zero", column[name], "time zero or later"
    for name, when in known:
        if case.death is not None and when > case.death:
            return f"{_named(name)} {when - case.death:g} after death", column[name], "nothing after death"
    for name, when in case.events.items():
        if case.death is None and case.last is not None and when > case.last:
            got = f"{name} {when - case.last:g} after the subject was last seen"
            return got, column["last"], "seen on the day of the event or later"
    return None


def _named(name: str) -> str:
    return "last seen" if name == "last" else name


def _contradiction(
    case: _Case, happened: float | None, dead: bool | None, dates: DateOptions, options: EndpointOptions
) -> Fault | None:
    """Dates against the columns that say whether something happened."""
    columns = dates.columns()
    if happened is not None and bool(happened) != bool(case.events):
        got = f"'{options.event}' says that the event happened, and it has no date"
        if not happened:
            got = f"'{next(iter(case.events))}' has a date, and '{options.event}' says it did not happen"
        return got, options.event, "a date where the event happened, and nowhere else"
    if dead is not None and dead != (case.death is not None):
        got = "died, and there is no date of death" if dead else "lives, and there is a date of death"
        return got, columns.get("death", columns["vital"]), "a date of death of those who died, and of nobody else"
    return None


def _ended(
    case: _Case, options: EndpointOptions, dates: DateOptions, row: int, frame: pl.DataFrame
) -> tuple[float, float, Fault | None]:
    """Time and state of a subject: the first event, or the end of observation."""
    columns = dates.columns()
    own, other = dict(case.events), None
    if case.death is not None:
        counts: bool | None = _deadly(options)
        if options.rule == "cause_specific" and dates.cause is not None:
            cause = frame[dates.cause][row]
            if cause is None:
                return math.nan, math.nan, ("death of no known cause", dates.cause, "a cause for every death")
            counts = canonical(cause) in {canonical(v) for v in options.cause_values}
        if counts:
            own["death"] = case.death
        else:
            other = case.death
    if own:
        return min(own.values()), 1.0, None
    if other is not None:
        return other, 2.0 if options.kind == "competing" else 0.0, None
    if case.last is None:
        return math.nan, math.nan, ("no event, and no date when last seen", columns["last"], "a date")
    return case.last, 0.0, None


def _late(case: _Case, end: float, dates: DateOptions) -> Fault | None:
    """Entry that is unknown, or not before the end of observation."""
    column = dates.columns()["entry"]
    if case.entry is None:
        return "no date of entry", column, "a date"
    if case.entry >= end:
        return f"entry at {case.entry:g}, not before the end of observation at {end:g}", column, "entry before exit"
    return None
