"""The sheet on which every molecular source puts its markers, aligned with the subjects of the cohort.

Two sources that would fill the same marker are an error that says how often they disagree, unless the study names
which of them it trusts more: then that one fills the cells it has, the next one the others, and every cell in which
they disagree is told by the subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.cohort import Cohort, Match
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, Problem
from radiolocus.schema import conform, empty

__all__ = ["Marker", "Molecules", "Sheet", "below"]


@dataclass(frozen=True, eq=False)
class Molecules:
    """The molecular tables of a cohort.

    Parameters
    ----------
    table : polars.DataFrame
        Table ``molecular/markers``: `subject`, then a column a marker; 0 and 1, or a number; null where missing. Only
        subjects that some source knows, in the order of the cohort.
    dictionary : polars.DataFrame
        Table ``molecular/dictionary``.
    membership : polars.DataFrame
        Rows of ``cohort/membership``, one source after the other.
    problems : tuple of Problem
    tables : dict of str to polars.DataFrame
        Further tables of the room by their name; those without a source are empty.
    """

    table: pl.DataFrame
    dictionary: pl.DataFrame
    membership: pl.DataFrame
    problems: tuple[Problem, ...]
    tables: dict[str, pl.DataFrame]


@dataclass(frozen=True, eq=False)
class Marker:
    """One marker: its values stand in the order of the cohort, NaN where missing."""

    name: str
    kind: Literal["binary", "continuous", "ordinal"]
    source: str
    unit: str
    values: Array
    definition: str = ""


class Sheet:
    """Collects the markers, aligned with the subjects of the cohort.

    Parameters
    ----------
    cohort : Cohort
    precedence : sequence of str
        Sources (paths or names of tables), the most trusted first.
    """

    def __init__(self, cohort: Cohort, precedence: Sequence[str] = ()) -> None:
        self.cohort = cohort
        self.precedence = tuple(precedence)
        self.row = {subject: i for i, subject in enumerate(cohort.subjects)}
        self.known = np.zeros(len(cohort.subjects), dtype=bool)
        self.markers: dict[str, Marker] = {}
        self.membership: list[pl.DataFrame] = [empty("cohort/membership")]
        self.problems: list[Problem] = []
        self.tables: dict[str, list[pl.DataFrame]] = {}

    def join(
        self, source: str, raw_ids: Iterable[str], *, several: bool = False, measured: Iterable[str] = ()
    ) -> Match:
        """Join the ids of a source to the cohort and keep what was said about it."""
        match = self.cohort.match(source, raw_ids, several=several, measured=measured)
        self.membership.append(match.membership)
        self.say(match.problems)
        self.known[[self.row[s] for s in match.mapping.values()]] = True
        return match

    def say(self, problems: Iterable[Problem]) -> None:
        """Keep problems, as those of this stage."""
        self.problems += [replace(p, stage="molecular") for p in problems]

    def keep(self, name: str, frame: pl.DataFrame) -> None:
        """Keep rows of a further table of the room, such as ``molecular/mutations``."""
        self.tables.setdefault(name, []).append(conform(frame, name))

    def spread(self, subjects: Iterable[str], values: Array) -> Array:
        """Put one value a subject into the order of the cohort; NaN for everybody else."""
        column = np.full(len(self.row), np.nan)
        column[[self.row[s] for s in subjects]] = values
        return column

    def add(self, marker: Marker) -> None:
        """Add a marker; where another source has filled it, the precedence of the study decides, or none may."""
        if marker.name == "subject":
            raise TableError(
                "a marker called 'subject'", where=marker.source, todo="give the table a name, or drop the column"
            )
        first = self.markers.get(marker.name)
        if first is not None:
            marker = self._merged(first, marker)
        self.markers[marker.name] = marker

    def _place(self, source: str) -> int | None:
        found = [i for i, name in enumerate(self.precedence) if source == name or source.startswith(f"{name},")]
        return found[0] if found else None

    def _merged(self, first: Marker, second: Marker) -> Marker:
        both = ~np.isnan(first.values) & ~np.isnan(second.values)
        differ = np.flatnonzero(both & (first.values != second.values)).tolist()
        places = self._place(first.source), self._place(second.source)
        if places[0] is None or places[1] is None or first.kind != second.kind or first.source == second.source:
            raise self._conflict(first, second, differ, int(both.sum()))
        ruling, other = (first, second) if places[0] <= places[1] else (second, first)
        self.say(self._told(ruling, other, differ, int(both.sum())))
        filled = np.where(np.isnan(ruling.values), other.values, ruling.values)
        return replace(ruling, source=f"{ruling.source}, then {other.source}", values=filled)

    def _told(self, ruling: Marker, other: Marker, differ: Sequence[int], both: int) -> list[Problem]:
        told = [
            Problem(
                "molecular",
                f"{other.source} says {other.values[i]:g}; {ruling.values[i]:g} of {ruling.source} was kept",
                "note",
                subject=self.cohort.subjects[i],
                item=ruling.name,
                where="molecular.precedence",
                todo="look at the source of both; the order of molecular.precedence decides",
            )
            for i in differ
        ]
        taken = int((np.isnan(ruling.values) & ~np.isnan(other.values)).sum())
        got = (
            f"marker '{ruling.name}': {ruling.source} and {other.source} disagree for {len(told)} of {both} subjects; "
            f"{taken} values that only {other.source} has were taken from there"
        )
        return [*told, Problem("molecular", got, "note", item=ruling.name, where="molecular.precedence")]

    def _conflict(self, first: Marker, second: Marker, differ: Sequence[int], both: int) -> TableError:
        shown = ", ".join(self.cohort.subjects[i] for i in differ[:5]) + (" ..." if len(differ) > 5 else "")
        kinds = "" if first.kind == second.kind else f" ({first.kind} there, {second.kind} here)"
        return TableError(
            f"marker '{first.name}' comes from {first.source} and from {second.source}{kinds}, which disagree for "
            f"{len(differ)} of {both} subjects" + (f" ({shown})" if len(differ) else ""),
            where="molecular",
            allowed="every marker from one source",
            todo="name both under molecular.precedence, the trusted one first; or give one of the tables a name, or "
            "drop the column from the one that you trust less",
        )

    def result(self, names: Iterable[str] = ()) -> Molecules:
        """Return the tables; values that no number can be made of are null. `names`: further tables, if only empty."""
        markers = list(self.markers.values())
        columns = [pl.Series(m.name, m.values[self.known], nan_to_null=True) for m in markers]
        subjects = [s for s, known in zip(self.cohort.subjects, self.known, strict=True) if known]
        table = pl.DataFrame([pl.Series("subject", subjects, pl.String), *columns])
        rows = [
            (
                m.name,
                m.kind,
                m.source,
                m.unit,
                int((~np.isnan(m.values)).sum()),
                int(np.nansum(m.values)) if m.kind == "binary" else None,
                m.definition,
            )
            for m in markers
        ]
        dictionary = pl.DataFrame(rows, schema=empty("molecular/dictionary").schema, orient="row")
        return Molecules(
            conform(table, "molecular/markers"),
            conform(dictionary, "molecular/dictionary"),
            conform(pl.concat(self.membership), "cohort/membership"),
            tuple(self.problems),
            {name: pl.concat([empty(name), *self.tables.get(name, [])]) for name in (*names, *self.tables)},
        )


def below(root: Path, path: str) -> Path:
    """Return the path of a source.

    Raises
    ------
    ConfigError
        It leads out of the root of the study.
    """
    full = (root / path).resolve()
    if not full.is_relative_to(root.resolve()):
        raise ConfigError(f"path '{path}' leads out of the root", where="molecular", allowed="a path below cohort.root")
    return full
