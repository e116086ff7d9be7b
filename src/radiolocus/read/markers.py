"""Tables of molecular and immunohistochemical markers: what each column is, and which of its values counts as present.

The rule, column by column, on the cells that are not missing (markers of a missing value are those of
:mod:`radiolocus.read.clinical`):

1. Numbers: exactly two different values make a binary marker whose larger value is present (0/1, and 1/2 as well);
   otherwise continuous.
2. A word for present and a word for absent (mutant/wildtype, yes/no, positive/negative, methylated/unmethylated, ...;
   case does not matter) make a binary marker. Further texts are set aside by name when each stands in a single cell and
   all of them in at most 5 % of the cells.
3. Two other texts make a binary marker called ``column=second``, the second in alphabetical order being present.
4. Three to twelve other texts, at most half as many as cells, make one binary marker ``column=text`` for each.
5. Anything else (dates, names, remarks, one value throughout) is no marker and is left out with a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Array, Problem
from radiolocus.read.clinical import ClinicalTable, read_table
from radiolocus.read.readings import READINGS, read_reading
from radiolocus.registry import suggest

__all__ = ["MarkerColumn", "MarkerFile", "MarkerKind", "infer_markers", "read_markers"]

MarkerKind = Literal["binary", "continuous", "categorical"]

# fmt: off
_PRESENT = frozenset((
    "mutant", "mutated", "mut", "yes", "y", "true", "t", "positive", "pos", "+", "present", "methylated", "codel",
    "codeleted", "co-deleted", "amplified", "deleted", "lost", "translocated", "rearranged", "fused", "altered",
    "high", "msi-h", "msi", "unstable",
))
_ABSENT = frozenset((
    "wildtype", "wild-type", "wild_type", "wild type", "wt", "no", "n", "false", "f", "negative", "neg", "-", "absent",
    "none", "intact", "normal", "unaltered", "low", "mss", "stable",
))
# fmt: on
_NOT = ("non-", "non ", "non", "not ", "not-", "no ", "un")
# Between these two there may be a third grade, which is then no slip of the pen.
_GRADES = frozenset({"high", "low"})
_MOST_LEVELS = 12
_STRAY = 0.05


@dataclass(frozen=True, eq=False)
class MarkerColumn:
    """One marker.

    Parameters
    ----------
    name : str
    kind : {"binary", "continuous", "ordinal"}
    values : ndarray of float64, shape (rows,)
        1 present and 0 absent, or the number or grade; NaN where missing.
    unit, definition : str
        Of a reading of pathology; empty otherwise.
    """

    name: str
    kind: Literal["binary", "continuous", "ordinal"]
    values: Array
    unit: str = ""
    definition: str = ""


@dataclass(frozen=True, eq=False)
class MarkerFile:
    """The markers of one table.

    Parameters
    ----------
    ids : tuple of str
        Subject id of each row as written.
    rows : tuple of int
        Row of the file, the header being row 1.
    columns : tuple of MarkerColumn
    source : str
    notes : tuple of Problem
        Which value of each column counts as present, and every cell and column that was set aside.
    """

    ids: tuple[str, ...]
    rows: tuple[int, ...]
    columns: tuple[MarkerColumn, ...]
    source: str
    notes: tuple[Problem, ...] = ()


def read_markers(
    path: Path,
    *,
    sheet: str | None = None,
    id_column: str | None = None,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    kinds: Mapping[str, MarkerKind] | None = None,
    positive: Mapping[str, str] | None = None,
    readings: Mapping[str, str] | None = None,
) -> MarkerFile:
    """Read a marker table (CSV, TSV, Excel or Parquet).

    Parameters
    ----------
    path : Path
    sheet : str, optional
        Sheet of a workbook; the first by default.
    id_column : str, optional
        Column of subject ids; the first by default.
    columns, drop : sequence of str
        Columns that are markers (all, when empty), and columns that are not.
    kinds : mapping of str to {"binary", "continuous", "categorical"}, optional
        Columns whose kind is demanded instead of inferred.
    positive : mapping of str to str, optional
        For a column, the text that counts as present; every other text is then absent.
    readings : mapping of str to str, optional
        For a column, what it is in pathology (:data:`radiolocus.read.readings.READINGS`). A score becomes the marker of
        the column's name and, where it has grades, a second one called ``NAME grade``.

    Raises
    ------
    TableError
        An unknown column, a row without id, a demanded kind or text that the column does not have.
    FormatError
        A file that is not what its ending says.
    """
    kinds, positive, readings = kinds or {}, positive or {}, readings or {}
    # "<1%" in a column of numbers must reach the reading as it stands.
    table = _load(path, sheet, id_column, kinds, readings)
    key = id_column or table.frame.columns[0]
    offered = [c for c in table.frame.columns if c != key]
    for name in (*columns, *drop, *kinds, *positive, *readings):
        if name not in offered:
            raise TableError(
                f"no marker column '{name}'",
                where=table.source,
                allowed=", ".join(offered[:20]) + (" ..." if len(offered) > 20 else ""),
                todo=suggest(name, offered) or "name a column of the table",
            )
    chosen = [name for name in offered if name in (columns or offered) and name not in drop]
    # What was found in columns that nobody asked for is no concern of this study.
    notes = [replace(p, stage="molecular") for p in table.problems if p.item is None or p.item in chosen]
    markers: list[MarkerColumn] = []
    for name in chosen:
        if name in readings:
            found, said = _as_reading(table.frame[name], table.row_number, table.source, readings[name])
            markers += found
            notes += said
            continue
        found, said = infer_markers(
            table.frame[name], table.row_number, table.source, kind=kinds.get(name), positive=positive.get(name)
        )
        markers += found
        notes += said
    if not markers:
        raise TableError("no column that is a marker", where=table.source, todo="see the notes of the table")
    return MarkerFile(_ids(table, key), table.row_number, tuple(markers), table.source, tuple(notes))


def _as_reading(
    column: pl.Series, rows: Sequence[int], source: str, name: str
) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
    reading = READINGS[name]
    read = read_reading(column, rows, source, name)
    if reading.kind == "binary":
        return (MarkerColumn(column.name, "binary", read.values, reading.unit, reading.definition),), read.notes
    found = [MarkerColumn(column.name, "continuous", read.values, reading.unit, reading.definition)]
    if reading.cuts:
        found.append(MarkerColumn(f"{column.name} grade", "ordinal", read.grades, "", reading.definition))
    return tuple(c for c in found if not np.isnan(c.values).all()), read.notes


def _load(
    path: Path, sheet: str | None, id_column: str | None, kinds: Mapping[str, MarkerKind], readings: Mapping[str, str]
) -> ClinicalTable:
    numeric = [name for name, kind in kinds.items() if kind == "continuous"]
    text = [*(name for name, kind in kinds.items() if kind == "categorical"), *readings]
    table = read_table(path, sheet=sheet, id_column=id_column, numeric=numeric, text=text)
    if id_column is None:
        # The first column is known only now; read as ids it keeps its leading zeros.
        table = read_table(path, sheet=sheet, id_column=table.frame.columns[0], numeric=numeric, text=text)
    return table


def _ids(table: ClinicalTable, key: str) -> tuple[str, ...]:
    ids = table.frame[key]
    if ids.null_count():
        row = table.row_number[int(ids.is_null().arg_true()[0])]
        raise TableError(
            f"no subject id ({ids.null_count()} rows in all)",
            where=f"{table.source}, row {row}, column '{key}'",
            allowed="an id in every row",
            todo="fill the id or take the row out",
        )
    return tuple(ids.to_list())


def infer_markers(
    column: pl.Series,
    rows: Sequence[int],
    source: str,
    *,
    kind: MarkerKind | None = None,
    positive: str | None = None,
) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
    """Turn one typed column into markers by the rule of this module.

    Parameters
    ----------
    column : polars.Series
        Numbers or text; null where missing.
    rows : sequence of int
        Row of the file of each cell, for messages.
    source : str
        File and sheet, for messages.
    kind, positive
        What the study demands, instead of the rule.

    Returns
    -------
    markers : tuple of MarkerColumn
        None when the column is no marker.
    notes : tuple of Problem
    """
    if kind == "continuous" and not column.dtype.is_numeric():
        raise TableError(
            f"column '{column.name}' holds text", where=source, allowed="numbers, as kind 'continuous' demands"
        )
    if column.dtype.is_numeric() and kind != "categorical" and positive is None:
        return _numeric(column.cast(pl.Float64), source, kind)
    return _Text(column, rows, source).markers(kind, positive)


def _numeric(
    column: pl.Series, source: str, kind: MarkerKind | None
) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
    values = column.to_numpy().astype(np.float64)
    levels = np.unique(values[~np.isnan(values)])
    if kind == "binary" and levels.size > 2:
        raise TableError(
            f"{levels.size} different numbers in column '{column.name}'",
            where=source,
            allowed="two, as kind 'binary' demands",
            todo="name the value that counts as present under positive",
        )
    if levels.size == 0:
        return (), (_note(column.name, "no value in any row, no marker", source),)
    if kind == "continuous" or levels.size > 2 or (levels.size == 1 and levels[0] not in (0.0, 1.0)):
        return (MarkerColumn(column.name, "continuous", values),), ()
    if set(levels) <= {0.0, 1.0}:
        return (MarkerColumn(column.name, "binary", values),), ()
    coded = np.where(np.isnan(values), np.nan, (values == levels[1]).astype(np.float64))
    said = f"{_counts(coded)}: 1 = {levels[1]:g}, 0 = {levels[0]:g}"
    return (MarkerColumn(column.name, "binary", coded),), (_note(column.name, said, source),)


class _Text:
    """The levels of one column of text, with case and surrounding space folded away."""

    def __init__(self, column: pl.Series, rows: Sequence[int], source: str) -> None:
        self.name, self.rows, self.source = column.name, rows, source
        written = [None if v is None else str(v).strip() for v in column.cast(pl.String).to_list()]
        self.cells = [None if v is None else v.casefold() for v in written]
        self.counts = Counter(v for v in self.cells if v is not None)
        spellings = Counter(v for v in written if v is not None)
        # The commonest spelling speaks for a level, the first in the alphabet among equals.
        ordered = sorted(spellings, key=lambda v: (-spellings[v], v))
        self.shown = {v.casefold(): v for v in reversed(ordered)}
        self.levels = sorted(self.counts)

    def markers(
        self, kind: MarkerKind | None, positive: str | None
    ) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
        if positive is not None:
            return self._chosen(positive.strip().casefold(), positive)
        found = None if kind == "categorical" else self._words()
        if found is not None:
            return found
        if kind == "binary" and len(self.levels) != 2:
            raise TableError(
                f"{len(self.levels)} different texts in column '{self.name}' ({self._list()})",
                where=self.source,
                allowed="two, as kind 'binary' demands",
                todo="name the text that counts as present under positive",
            )
        if len(self.levels) == 2:
            return self._dummies(self.levels[1:])
        few = len(self.levels) <= min(_MOST_LEVELS, self.counts.total() / 2)
        if len(self.levels) > 2 and (few or kind == "categorical"):
            return self._dummies(self.levels)
        reason = f"{len(self.levels)} different texts in {self.counts.total()} cells"
        if len(self.levels) < 2:
            reason = f"one value in every row ({self._list()})" if self.levels else "no value in any row"
        return (), (_note(self.name, f"{reason}: no marker", self.source),)

    def _words(self) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]] | None:
        """Follow rule 2, or return None where it does not hold."""
        present, absent = _poles(self.levels)
        if len(present) > 1 or len(absent) > 1 or not (present or absent):
            return None
        stray = [v for v in self.levels if v not in (*present, *absent)]
        both = bool(present and absent) and not _GRADES & {*present, *absent}
        singles = all(self.counts[v] == 1 for v in stray) and len(stray) <= _STRAY * self.counts.total()
        if stray and not (both and singles):
            return None
        problems = [
            Problem(
                "molecular",
                f"'{self.shown[v]}' among '{self.shown[present[0]]}' and '{self.shown[absent[0]]}' became null",
                "no value",
                item=self.name,
                where=f"{self.source}, row {self.rows[self.cells.index(v)]}, column '{self.name}'",
                allowed=f"'{self.shown[present[0]]}', '{self.shown[absent[0]]}' or a marker of a missing value",
                todo="correct the cell, or name the text that counts as present under positive",
            )
            for v in stray
        ]
        values = self._coded({v: float(v in present) for v in (*present, *absent)})
        return (MarkerColumn(self.name, "binary", values),), (self._said(values, present, absent), *problems)

    def _chosen(self, level: str, asked: str) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
        if level not in self.counts:
            raise TableError(
                f"no cell '{asked}' in column '{self.name}'",
                where=self.source,
                allowed=self._list(),
                todo=suggest(asked, [self.shown[v] for v in self.levels]) or "name one of these texts",
            )
        values = self._coded({v: float(v == level) for v in self.levels})
        said = self._said(values, [level], [v for v in self.levels if v != level])
        return (MarkerColumn(self.name, "binary", values),), (said,)

    def _dummies(self, levels: Sequence[str]) -> tuple[tuple[MarkerColumn, ...], tuple[Problem, ...]]:
        markers = tuple(
            MarkerColumn(
                f"{self.name}={self.shown[level]}",
                "binary",
                self._coded({v: float(v == level) for v in self.levels}),
            )
            for level in levels
        )
        said = f"text with the values {self._list()}: one marker each for " + ", ".join(f"'{m.name}'" for m in markers)
        return markers, (_note(self.name, said, self.source),)

    def _coded(self, code: Mapping[str, float]) -> Array:
        return np.array([np.nan if v is None else code.get(v, np.nan) for v in self.cells], dtype=np.float64)

    def _said(self, values: Array, present: Sequence[str], absent: Sequence[str]) -> Problem:
        ones = ", ".join(f"'{self.shown[v]}'" for v in present) or "nothing"
        zeros = ", ".join(f"'{self.shown[v]}'" for v in absent) or "nothing"
        return _note(self.name, f"{_counts(values)}: 1 = {ones}, 0 = {zeros}", self.source)

    def _list(self) -> str:
        shown = ", ".join(f"'{self.shown[v]}' × {self.counts[v]}" for v in self.levels[:_MOST_LEVELS])
        return shown + (f" and {len(self.levels) - _MOST_LEVELS} more" if len(self.levels) > _MOST_LEVELS else "")


def _poles(levels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the levels that say present and those that say absent; 'x' and 'non-x' are such a pair for any x."""
    absent = [v for v in levels if v in _ABSENT]
    present = [v for v in levels if v in _PRESENT]
    for v in levels:
        opposite = [u for u in levels if u in tuple(prefix + v for prefix in _NOT)]
        if opposite:
            present += [v] * (v not in present)
            absent += [u for u in opposite if u not in absent]
    return present, absent


def _counts(values: Array) -> str:
    missing = int(np.isnan(values).sum())
    return f"{int(np.nansum(values))} present, {int((values == 0).sum())} absent, {missing} missing"


def _note(item: str, got: str, source: str) -> Problem:
    return Problem("molecular", f"marker '{item}': {got}", "note", item=item, where=source)
