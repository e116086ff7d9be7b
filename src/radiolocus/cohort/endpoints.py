"""Endpoints: what happened to each subject and when, or why that is not known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.cohort.options import EndpointOptions
from radiolocus.cohort.tables import Part
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError
from radiolocus.model import Array, Endpoint, Problem
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
    ) -> None:
        self.name, self.options, self.frame, self.subjects, self.origin = name, options, frame, subjects, origin
        self.problems: list[Problem] = []

    def derive(self) -> tuple[Endpoint, list[Problem]]:
        """Return the endpoint, aligned with the subjects, and its problems."""
        o = self.options
        event = self._event()
        time = None
        if o.kind == "survival" and o.time is not None:
            time = self._time(event, o.time, o.censor_time or o.time)
            event = np.where(np.isnan(time), np.nan, event)
        known, happened = int((~np.isnan(event)).sum()), int(np.nansum(event))
        if happened in (0, known):
            some = f"{'no' if not happened else 'only'} events among {known} subjects"
            what = some if known else "no subject is known"
            self._say(f"{what}; nothing can be learned about this endpoint", "set aside", todo="check event_values")
        return Endpoint(self.name, o.kind, self.subjects, event, time, o.unit), self.problems

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
        yes = {canonical(v) for v in o.event_values}
        no = {canonical(v) for v in o.censor_values} or set(seen) - yes
        for value in sorted((yes | no) - set(seen)):
            todo = suggest(value, list(seen)) or "values there: " + ", ".join(f"'{v}'" for v in list(seen)[:12])
            self._say(f"no cell of column '{o.event}' is '{value}'", "note", todo=todo)
        words = [", ".join(f"'{v}' {n}" for v, n in sorted(seen.items()) if v in side) or "none" for side in (yes, no)]
        self._say(f"column '{o.event}': event {words[0]}; no event {words[1]}", "note")
        if not seen:
            return np.full(len(cells), np.nan)
        event = np.full(len(cells), np.nan)
        for j, (subject, cell) in enumerate(zip(self.subjects, cells, strict=True)):
            if cell in yes or cell in no:
                event[j] = float(cell in yes)
            else:
                got = "no event status" if cell is None else f"event status '{cell}'"
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
                    todo="name another column; dates must be turned into durations first",
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
