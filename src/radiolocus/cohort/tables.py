"""Tables of subjects: unique ids, typed columns, several tables joined to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from radiolocus.cohort.align import align
from radiolocus.cohort.ids import Nearest
from radiolocus.cohort.options import CohortOptions, ColumnOptions
from radiolocus.cohort.values import as_text, canonical
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.registry import suggest

__all__ = ["Member", "Part", "SourceTable", "check_columns", "merge", "note"]


Member = tuple[str, str, str | None, str, str | None]
"""A row of ``cohort/membership``: subject, source, raw id, status, nearest."""


class SourceTable(NamedTuple):
    """A table of subjects as read: where it came from, its cells, and the file row of each of its rows."""

    source: str
    frame: pl.DataFrame
    row_number: Sequence[int]
    id: str | None = None


def check_columns(tables: Sequence[SourceTable], options: CohortOptions) -> None:
    """Refuse id, clinical and endpoint columns that no table has."""
    for t in tables:
        wanted = t.id or options.id
        if wanted is not None and wanted not in t.frame.columns:
            raise _unknown(wanted, t.frame.columns, f"cohort.id, {t.source}")
    raw = list(dict.fromkeys(c for t in tables for c in t.frame.columns))
    for name in options.columns:
        if name not in raw:
            raise _unknown(name, raw, "cohort.columns")
    new = {n: o.rename for n, o in options.columns.items() if o.rename}
    columns = [new.get(c, c) for c in raw]
    for name, e in options.endpoints.items():
        for key in ("event", "time", "censor_time", "entry", "strata", "weights"):
            column = getattr(e, key)
            if column and column not in columns:
                raise _unknown(column, columns, f"cohort.endpoints.{name}.{key}")
    for key, column in options.dates.columns().items():
        if column not in columns:
            raise _unknown(column, columns, f"cohort.dates.{key}")


def _unknown(name: str, columns: Sequence[str], where: str) -> ConfigError:
    shown = ", ".join(f"'{c}'" for c in columns[:30]) + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
    todo = suggest(name, list(columns)) or "name one of the columns"
    return ConfigError(f"no column '{name}'", where=where, allowed=shown, todo=todo)


@dataclass(frozen=True, eq=False)
class Part:
    """One table after its ids are settled: unique subjects, typed columns."""

    source: str
    frame: pl.DataFrame
    row: dict[str, int]
    raw: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, table: SourceTable, options: CohortOptions) -> Part:
        """Settle the ids and the types of one table."""
        column = table.id or options.id or table.frame.columns[0]
        problems: list[Problem] = []
        if not (table.id or options.id):
            problems.append(note(f"the first column, '{column}', was taken as the id column", table.source))
        raw = ["" if r is None else str(r) for r in table.frame[column].to_list()]
        normal = [options.ids.normalise(r) for r in raw]
        changed = [f"'{r}' to '{s}'" for r, s in zip(raw, normal, strict=True) if s and r != s]
        if changed:
            got = f"{len(changed)} of {len(raw)} ids were changed by the id rules ({', '.join(changed[:3])})"
            problems.append(note(got, table.source, count=len(changed)))
        frame = table.frame.drop(column)
        if "subject" in frame.columns:
            frame = frame.rename({"subject": f"subject ({table.source})"})
        keep, found = _unique_rows(normal, raw, frame, table)
        problems.extend(found)
        row = {normal[i]: table.row_number[i] for i in keep}
        frame = pl.DataFrame({"subject": list(row)}, {"subject": pl.String}).hstack(frame[keep])
        frame, found = _shape_columns(frame, options.columns, table.source, row)
        pairs = tuple((s, r) for s, r in zip(normal, raw, strict=True) if s)
        return cls(table.source, frame, row, pairs, tuple(problems) + tuple(found))

    def membership(self, subjects: Sequence[str], elsewhere: set[str]) -> list[Member]:
        """Return the rows of ``cohort/membership``; `elsewhere` are the subjects that other tables hold."""
        rows: list[Member] = []
        known, seen = set(subjects), set()
        for subject, raw in dict.fromkeys(self.raw):
            seen.add(subject)
            status = "joined" if subject in self.row else "missing here" if subject in known else "not in cohort"
            rows.append((subject, self.source, raw, status, None))
        # An id that only this table has may be a missing one in another spelling.
        alone = Nearest([s for s in self.row if s not in elsewhere])
        rows.extend((s, self.source, None, "missing here", alone.find(s)) for s in subjects if s not in seen)
        return rows

    def place(self, subject: str, column: str) -> str:
        """Say where the cell of a subject stands."""
        return f"{self.source}, row {self.row[subject]}, column '{column}'"


def _unique_rows(
    normal: Sequence[str], raw: Sequence[str], frame: pl.DataFrame, table: SourceTable
) -> tuple[list[int], list[Problem]]:
    """Choose the rows to keep: one a subject; rows that differ under one id are all set aside."""
    by_subject: dict[str, list[int]] = {}
    for i, subject in enumerate(normal):
        by_subject.setdefault(subject, []).append(i)
    keep: list[int] = []
    problems: list[Problem] = []
    for subject, rows in by_subject.items():
        numbers = ", ".join(str(table.row_number[i]) for i in rows)
        where = f"{table.source}, {'rows' if len(rows) > 1 else 'row'} {numbers}"
        if not subject:
            got = f"{len(rows)} rows without an id"
            problems.append(Problem("cohort", got, where=where, todo="fill the id column", count=len(rows)))
        elif len(rows) == 1 or frame[rows].n_unique() == 1:
            keep.append(rows[0])
            if len(rows) > 1:
                got = f"{len(rows)} identical rows of one subject count as one"
                problems.append(Problem("cohort", got, "note", subject, where=where, count=len(rows)))
        else:
            names = ", ".join(sorted({f"'{raw[i]}'" for i in rows}))
            problems.append(
                Problem(
                    "cohort",
                    f"{len(rows)} different rows of one subject ({names}); all were left out",
                    subject=subject,
                    where=where,
                    allowed="one row a subject",
                    todo="keep one of them; a change of the ids rules may tell them apart",
                    count=len(rows),
                )
            )
    return sorted(keep), problems


def _shape_columns(
    frame: pl.DataFrame, columns: Mapping[str, ColumnOptions], source: str, row: Mapping[str, int]
) -> tuple[pl.DataFrame, list[Problem]]:
    """Apply the demanded types, categories and names."""
    problems: list[Problem] = []
    for name, chosen in columns.items():
        if name not in frame.columns:
            continue
        before = frame[name]
        if chosen.type == "number":
            after, allowed = before.cast(pl.Float64, strict=False), "a number"
        elif chosen.type == "category" or chosen.categories:
            after, allowed = as_text(before), "one of " + ", ".join(chosen.categories)
            if chosen.categories:
                after = after.cast(pl.Enum(chosen.categories), strict=False)
        else:
            after, allowed = before, ""
        for j in (before.is_not_null() & after.is_null()).arg_true():
            subject = frame["subject"][j]
            problems.append(
                Problem(
                    "cohort",
                    f"'{before[j]}' became null",
                    "no value",
                    subject,
                    name,
                    f"{source}, row {row[subject]}, column '{name}'",
                    allowed,
                    "correct the cell, or change cohort.columns",
                )
            )
        frame = frame.with_columns(after.alias(name))
        if chosen.rename:
            if chosen.rename in frame.columns:
                raise ConfigError(
                    f"rename = '{chosen.rename}' is a column already", where=f"cohort.columns.{name}, {source}"
                )
            frame = frame.rename({name: chosen.rename})
    return frame, problems


def merge(frame: pl.DataFrame, part: Part, origin: dict[str, list[Part]]) -> tuple[pl.DataFrame, list[Problem]]:
    """Add the columns of a table; where a column is there already, fill its gaps and report what differs."""
    new = align(part.frame, frame["subject"].to_list())
    problems: list[Problem] = []
    for name in part.frame.columns[1:]:
        if name in origin:
            first, second = _same_type(frame[name], new[name])
            unread = new[name].is_not_null() & second.is_null()
            differ = first.is_not_null() & new[name].is_not_null() & (unread | (first != second).fill_null(False))
            for j in (differ | unread).arg_true():
                problems.append(_conflict(name, frame["subject"][j], first[j], new[name][j], origin[name], part))
            frame = frame.with_columns(first.zip_with(first.is_not_null(), second).alias(name))
        else:
            frame = frame.with_columns(new[name])
        origin.setdefault(name, []).append(part)
    return frame, problems


def _same_type(first: pl.Series, second: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Bring the second column to the type of the first; what does not fit becomes null."""
    if first.dtype.is_numeric() and second.dtype.is_float():
        first = first.cast(pl.Float64)
    if first.dtype == pl.String or isinstance(first.dtype, pl.Enum):
        second = as_text(second)
    return first, second.cast(first.dtype, strict=False)


def _conflict(name: str, subject: str, first: object, second: object, earlier: Sequence[Part], part: Part) -> Problem:
    other = next((p.place(subject, name) for p in earlier if subject in p.row), "")
    kept = f"'{canonical(first)}' there was kept" if first is not None else "which is of another type and was left out"
    return Problem(
        "cohort",
        f"'{canonical(second)}' against {other}: {kept}",
        "note",
        subject,
        name,
        part.place(subject, name),
        "the same value in every table",
        "correct one of the tables; the table named first in cohort.subjects rules",
    )


def note(got: str, source: str, count: int = 1) -> Problem:
    """Return a note about a table."""
    return Problem("cohort", got, "note", where=source, count=count)
