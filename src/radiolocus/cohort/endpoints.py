"""Endpoints: what happened to each subject and when, or why that is not known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.cohort.dated import DAYS, dated_endpoint
from radiolocus.cohort.options import DateOptions, EndpointOptions
from radiolocus.cohort.tables import Part
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError
from radiolocus.model import Array, BoolArray, Endpoint, Problem
from radiolocus.registry import suggest

__all__ = ["Deriver"]


class Deriver:
    """Derives one endpoint, and says for every subject without it why."""

    def __init__(
        self,
        name: str,
        options: EndpointOptions,
        frame: pl.DataFrame,
        subjects: tuple[str, ...],
        origin: Mapping[str, Sequence[Part]],
        dates: DateOptions | None = None,
    ) -> None:
        self.name, self.options, self.frame, self.subjects, self.origin = name, options, frame, subjects, origin
        self.dates = dates or DateOptions()
        self.problems: list[Problem] = []

    def derive(self) -> tuple[Endpoint, list[Problem]]:
        """Return the endpoint, aligned with the subjects, and its problems.

        Raises
        ------
        ConfigError
            A column that cannot be what it is said to be; an event column of ones and twos without `event_values`.
        """
        o = self.options
        if o.rule is not None:
            endpoint = self._dated()
        elif o.kind in ("ordinal", "multiclass"):
            endpoint = self._classes()
        else:
            endpoint = self._told()
        endpoint = self._at_risk(endpoint)
        if not endpoint.levels or o.timed:
            self._count(endpoint.event)
        return endpoint, self.problems

    def _count(self, event: Array) -> None:
        """Say that nothing can be learned where that is so."""
        known, happened = int((~np.isnan(event)).sum()), int(np.nansum(event))
        if happened in (0, known):
            some = f"{'no' if not happened else 'only'} events among {known} subjects"
            what = some if known else "no subject is known"
            self._say(f"{what}; nothing can be learned about this endpoint", "set aside", todo="check event_values")

    def _told(self) -> Endpoint:
        """An endpoint that a column tells."""
        o = self.options
        state = self._event()
        time = None
        if o.timed and o.time is not None:
            time = self._time(state, o.time, o.censor_time or o.time)
            state = np.where(np.isnan(time), np.nan, state)
        if o.kind != "competing":
            return Endpoint(self.name, o.kind, self.subjects, state, time, o.unit)
        levels = (", ".join(map(canonical, o.event_values or (1,))), *map(canonical, o.competing_values))
        return self._competing(state, time, o.unit, levels)

    def _competing(self, state: Array, time: Array | None, unit: str, levels: tuple[str, ...]) -> Endpoint:
        event = np.where(np.isnan(state), np.nan, (state == 1).astype(np.float64))
        others = int(np.nansum(state > 1))
        if not others:
            self._say("no competing event among those known", "note", todo="check competing_values, or kind")
        return Endpoint(self.name, "competing", self.subjects, event, time, unit, levels=levels, state=state)

    def _dated(self) -> Endpoint:
        """An endpoint derived from dates."""
        o = self.options
        happened = np.where((status := self._event()) == 1, 1.0, status) if o.event else None
        found = dated_endpoint(o, self.dates, self.frame, self.subjects, self._aside, happened)
        unit = o.unit or ("days" if self.dates.baseline is not None else "")
        self._say(f"rule '{o.rule}': event {found.states[0]}; {self._rule_in_words(found.states)}", "note")
        if o.kind == "competing":
            endpoint = self._competing(found.state, found.time, unit, found.states)
        else:
            endpoint = Endpoint(self.name, o.kind, self.subjects, found.state, found.time, unit)
        return endpoint if found.entry is None else replace(endpoint, entry=found.entry)

    def _rule_in_words(self, states: tuple[str, ...]) -> str:
        o, dates = self.options, self.dates
        zero = f"from '{dates.baseline}'" if dates.baseline else "times since time zero"
        days = f", {DAYS[o.unit]:g} days each" if dates.baseline and o.unit in ("months", "years") else ""
        rival = f"competing event {states[1]}" if len(states) > 1 else "without it observed until death or last seen"
        return f"{rival}; {zero}{days}"

    def _classes(self) -> Endpoint:
        """An endpoint of several classes."""
        o = self.options
        cells = [None if v is None else canonical(v) for v in self.frame[o.event].to_list()]
        seen = Counter(c for c in cells if c is not None)
        levels = tuple(canonical(v) for v in o.levels) or tuple(sorted(seen))
        code = {level: float(k) for k, level in enumerate(levels)}
        self._say(f"column '{o.event}': " + ", ".join(f"'{v}' {seen.get(v, 0)}" for v in levels), "note")
        event = np.full(len(cells), np.nan)
        for j, (subject, cell) in enumerate(zip(self.subjects, cells, strict=True)):
            event[j] = code.get(cell, np.nan) if cell is not None else np.nan
            if np.isnan(event[j]):
                got = "no class" if cell is None else f"class '{cell}'"
                self._aside(subject, got, o.event, f"one of {', '.join(levels)}")
        lacking = [level for level in levels if level not in seen]
        if lacking or len(levels) < 2:
            got = f"nobody of class '{lacking[0]}'" if lacking else f"one class ({', '.join(levels)})"
            todo = suggest(lacking[0], list(seen)) if lacking else ""
            self._say(f"{got}; nothing can be learned about this endpoint", "set aside", todo=todo or "check levels")
        return Endpoint(self.name, o.kind, self.subjects, event, levels=levels)

    def _at_risk(self, endpoint: Endpoint) -> Endpoint:
        """Add entry, stratum and weight, and set aside whoever lacks one of them."""
        o = self.options
        known = ~np.isnan(endpoint.event)
        entry, weight, stratum = endpoint.entry, None, None
        if o.entry and endpoint.time is not None:
            entry = self._numbers(o.entry, known, "entry")
            late = known & ~(entry < endpoint.time)
            for j in np.flatnonzero(late & ~np.isnan(entry)):
                got = f"entry at {entry[j]:g}, not before the end of observation at {endpoint.time[j]:g}"
                self._aside(self.subjects[j], got, o.entry, "entry before exit")
            known &= ~late
        if o.weights:
            weight = self._numbers(o.weights, known, "weight")
            for j in np.flatnonzero(known & (weight <= 0)):
                self._aside(self.subjects[j], f"weight {weight[j]:g}", o.weights, "a positive number")
            known &= weight > 0
        if o.strata:
            cells = self.frame[o.strata].to_list()
            stratum = tuple("" if v is None else canonical(v) for v in cells)
            for j in np.flatnonzero(known & np.array([s == "" for s in stratum], dtype=bool)):
                self._aside(self.subjects[j], "no stratum", o.strata, "a filled cell")
            known &= np.array([s != "" for s in stratum], dtype=bool)

        def kept(values: Array | None) -> Array | None:
            return None if values is None else np.where(known, values, np.nan)

        if entry is None and weight is None and stratum is None:
            return endpoint
        return replace(
            endpoint,
            event=np.where(known, endpoint.event, np.nan),
            time=kept(endpoint.time),
            state=kept(endpoint.state),
            entry=kept(entry),
            weight=kept(weight),
            stratum=stratum,
        )

    def _numbers(self, column: str, known: BoolArray, what: str) -> Array:
        """Cells of a column as numbers; subjects without one are told."""
        values = self.frame[column].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        values = np.where(np.isfinite(values), values, np.nan)
        for j in np.flatnonzero(known & np.isnan(values)):
            cell = self.frame[column][int(j)]
            self._aside(self.subjects[j], f"no {what}" if cell is None else f"{what} '{cell}'", column, "a number")
        return values

    def _say(self, got: str, severity: Literal["set aside", "note"], todo: str = "") -> None:
        where = f"cohort.endpoints.{self.name}"
        self.problems.append(Problem("cohort", got, severity, item=self.name, where=where, todo=todo))

    def _aside(self, subject: str, got: str, column: str, allowed: str) -> None:
        place = next((p.place(subject, column) for p in self.origin[column] if subject in p.row), "")
        where = place or f"{self.origin[column][0].source}, column '{column}' (no row of this subject)"
        todo = "correct the cell; the subject is left out of this endpoint only"
        self.problems.append(Problem("cohort", got, "set aside", subject, self.name, where, allowed, todo))

    def _event(self) -> Array:
        o = self.options
        cells = [None if v is None else canonical(v) for v in self.frame[o.event].to_list()]
        seen = Counter(c for c in cells if c is not None)
        if o.event_values is None and set(seen) == {"1", "2"}:
            raise ConfigError(
                f"column '{o.event}' is coded 1 and 2 ({seen['1']} and {seen['2']} subjects), and which of them is the "
                "event is not guessed",
                where=f"cohort.endpoints.{self.name}",
                allowed="0 and 1, or event_values",
                todo="name the event: event_values = [2], or [1]",
            )
        yes = {canonical(v) for v in o.event_values or (1,)}
        code = dict.fromkeys(yes, 1.0) | {canonical(v): k + 2.0 for k, v in enumerate(o.competing_values)}
        # 'DEAD' beside 'dead' is no censoring: what differs from a value of the event by case alone stays unknown.
        folded = {v.casefold() for v in code}
        no = {canonical(v) for v in o.censor_values} or {v for v in seen if v.casefold() not in folded}
        code |= dict.fromkeys(no, 0.0)
        for value in sorted(set(code) - set(seen)):
            todo = suggest(value, list(seen)) or "values there: " + ", ".join(f"'{v}'" for v in list(seen)[:12])
            self._say(f"no cell of column '{o.event}' is '{value}'", "note", todo=todo)
        sides = (yes, no, set(code) - yes - no)
        words = [", ".join(f"'{v}' {n}" for v, n in sorted(seen.items()) if v in side) or "none" for side in sides]
        rival = f"; competing {words[2]}" if o.competing_values else ""
        self._say(f"column '{o.event}': event {words[0]}; no event {words[1]}{rival}", "note")
        if not seen:
            return np.full(len(cells), np.nan)
        event = np.full(len(cells), np.nan)
        for j, (subject, cell) in enumerate(zip(self.subjects, cells, strict=True)):
            if cell in code:
                event[j] = code[cell]
            else:
                got = "no event status" if cell is None else f"event status '{cell}'"
                like = [v for v in code if cell is not None and v.casefold() == cell.casefold()]
                got += f", which differs from '{like[0]}' by case" if like else ""
                self._aside(subject, got, o.event, "a value of event_values, or of censor_values")
        return event

    def _time(self, event: Array, column: str, censor_column: str) -> Array:
        values = {}
        for c in {column, censor_column}:
            values[c] = self.frame[c].cast(pl.Float64, strict=False).to_list()
            if all(v is None for v in values[c]):
                raise ConfigError(
                    f"column '{c}' holds no number",
                    where=f"cohort.endpoints.{self.name}",
                    allowed="times in numbers",
                    todo="name another column; of dates, give a rule and [cohort.dates]",
                )
        time = np.full(event.size, np.nan)
        for j, subject in enumerate(self.subjects):
            if np.isnan(event[j]):
                continue
            c = column if event[j] else censor_column
            value = values[c][j]
            if value is not None and math.isfinite(value) and value >= 0:
                time[j] = value
                continue
            cell = self.frame[c][j]
            what = "no time" if cell is None else f"time {cell}" if value is not None else f"time '{cell}', a text"
            self._aside(subject, f"{what} for {'the event' if event[j] else 'the end of observation'}", c, "0 or more")
        return time
