"""Clinical tables as people keep them: CSV, TSV, Excel and Parquet.

Such tables carry note rows under the data, five spellings of "missing", a remark typed into a column of numbers and
the same header twice. Each of these is understood, and each is said: nothing is dropped or turned to null without a
line in :attr:`ClinicalTable.problems` that names the file, the sheet, the row and the column.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fastexcel
import polars as pl
from polars.exceptions import PolarsError

from radiolocus.errors import FormatError, TableError
from radiolocus.model import Problem
from radiolocus.registry import suggest

__all__ = ["MISSING", "NUMERIC_FRACTION", "SUFFIXES", "ClinicalTable", "read_table", "sheet_names"]

MISSING = (
    "",
    "?",
    "-",
    "--",
    "---",
    "–",
    "—",
    ".",
    "na",
    "n/a",
    "#n/a",
    "nan",
    "null",
    "not available",
    "[not available]",
    "not applicable",
    "[not applicable]",
    "not collected",
    "not recorded",
    "not recorded in database",
    "not reported",
    "not assessed",
    "not evaluated",
    "[not evaluated]",
    "missing",
    "unknown",
    "[unknown]",
)
"""Cells read as missing, compared without regard to case and surrounding space."""

NUMERIC_FRACTION = 0.9
"""A column of text is a column of numbers when at least this fraction of its filled cells are numbers."""

_EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_TEXT = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".tab": "\t"}
SUFFIXES = (*_TEXT, *_EXCEL, ".parquet")
"""Endings of the files :func:`read_table` understands; text files may be gzipped (``.gz`` behind the ending)."""

_DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d+$"
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
# 2**53 has 16 digits: longer whole numbers are identifiers that a float would round.
_LONG = r"^[+-]?\d{16,}$"
_LEADING_ZERO = r"^[+-]?0\d"
_NOTE = re.compile(r"^\W*(notes?|legend|abbreviations?|footnotes?|source|key|explanations?|remarks?)\b", re.IGNORECASE)

Cells = list[list[str]]


@dataclass(frozen=True, eq=False)
class ClinicalTable:
    """A table with typed columns, and where each row stands in its file.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns are Int64, Float64 or String under the names of the header (surrounding space removed); missing is null.
        The id column, when one was named, is String as written.
    row_number : tuple of int
        Row of the file of each row of `frame`; the first row of the file (of the sheet) is 1. In Parquet, which has
        no header row, the first record is row 1.
    problems : tuple of Problem
        Values that became null (``"no value"``) and everything else that was decided (``"note"``).
    source : str
        File name, with the sheet when there is one.
    missing : polars.DataFrame
        ``column``, ``marker``, ``count``: what was read as missing, in the order of the columns.
    """

    frame: pl.DataFrame
    row_number: tuple[int, ...]
    problems: tuple[Problem, ...]
    source: str
    missing: pl.DataFrame


@dataclass
class _Notebook:
    """Collects what was decided while one table is read."""

    source: str
    problems: list[Problem] = field(default_factory=list)
    missing: list[tuple[str, str, int]] = field(default_factory=list)

    def note(
        self, got: str, *, count: int = 1, rows: Sequence[int] = (), item: str | None = None, todo: str = ""
    ) -> None:
        """Add a note about the rows `rows` of the file."""
        where = f"{self.source}, {_row_words(rows)}" if rows else self.source
        self.problems.append(Problem("cohort", got, "note", item=item, where=where, todo=todo, count=count))


@dataclass(frozen=True)
class _Rules:
    """How the cells of one table are understood."""

    missing: frozenset[str]
    numeric: frozenset[str]
    text: frozenset[str]
    id_column: str | None
    decimal_comma: bool = False

    def check(self, columns: Sequence[str], source: str) -> None:
        """Refuse an id column that the table does not have."""
        if self.id_column is not None and self.id_column not in columns:
            raise TableError(
                f"no column '{self.id_column}'",
                where=source,
                allowed=_listed(columns),
                todo=suggest(self.id_column, list(columns)) or "name one of the columns of the table",
            )


def read_table(
    path: Path | str,
    *,
    sheet: str | None = None,
    id_column: str | None = None,
    missing: Sequence[str] = (),
    numeric: Sequence[str] = (),
    text: Sequence[str] = (),
) -> ClinicalTable:
    """Read a clinical table.

    A column is numeric when at least 90 % of its filled cells are numbers; the other cells of such a column become
    null, each with its own problem. Columns of identifiers (leading zeros, 16 digits and more) stay text. In files
    delimited by semicolons a decimal comma is understood. Error cells of Excel (``#DIV/0!``) read as empty.

    Parameters
    ----------
    path : Path or str
        File ending in one of :data:`SUFFIXES`.
    sheet : str, optional
        Sheet of a workbook; the first one by default.
    id_column : str, optional
        Column of subject ids, kept as written. It also tells note rows from data rows; default: the first column.
    missing : sequence of str
        Further markers of a missing value beside :data:`MISSING`.
    numeric, text : sequence of str
        Columns whose type is demanded, whatever their cells look like. Names that this table does not have are passed
        over, because one list serves all tables of a study; :func:`radiolocus.cohort.build` refuses unknown ones.

    Raises
    ------
    FormatError
        The file is not what its ending says.
    TableError
        No such file, sheet or column; no row under the header; ragged rows.
    """
    path = Path(path)
    if not path.is_file():
        near = suggest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise TableError(f"no such file '{path.name}'", where=path.parent.name, todo=near or "correct the path")
    suffix = _suffix(path)
    if sheet is not None and suffix not in _EXCEL:
        raise TableError(
            f"sheet '{sheet}' asked of a {suffix} file", where=path.name, allowed="sheets in " + ", ".join(_EXCEL)
        )
    book = _Notebook(path.name)
    markers = frozenset((*MISSING, *(m.strip().lower() for m in missing)))
    comma = False
    if suffix == ".parquet":
        frame, numbers = _parquet(path)
    else:
        if suffix in _EXCEL:
            cells = _excel_cells(path, sheet, book)
        else:
            cells, comma = _text_cells(path, suffix, book)
        frame, numbers = _lay_out(cells, book, id_column)
    rules = _Rules(markers, frozenset(numeric), frozenset(text), id_column, comma)
    rules.check(frame.columns, book.source)
    plain = _plain_numbers(frame, rules)
    columns = [plain[n] if n in plain else _typed(frame[n], numbers, rules, book) for n in frame.columns]
    _say_missing(book)
    counts = pl.DataFrame(book.missing, {"column": pl.String, "marker": pl.String, "count": pl.Int64}, orient="row")
    return ClinicalTable(pl.DataFrame(columns), tuple(numbers), tuple(book.problems), book.source, counts)


def sheet_names(path: Path | str) -> tuple[str, ...]:
    """Return the names of the sheets of a workbook, in order; empty for a file that has none."""
    path = Path(path)
    if _suffix(path) not in _EXCEL:
        return ()
    try:
        return tuple(fastexcel.read_excel(path).sheet_names)
    except fastexcel.FastExcelError as error:
        raise _unreadable(error, path) from error


def _unreadable(error: Exception, path: Path) -> FormatError:
    reason = str(error).partition("\n")[0]
    return FormatError(f"not a readable workbook ({reason})", where=path.name, todo="save it again")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix not in SUFFIXES or (name.endswith(".gz") and suffix not in _TEXT):
        raise TableError(f"a table ending in '{path.suffix}'", where=path.name, allowed=", ".join(SUFFIXES))
    return suffix


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{n}'" for n in names[:most]) + more


def _row_words(rows: Sequence[int]) -> str:
    """Say rows as runs: ``rows 53-63, 70``."""
    runs: list[list[int]] = []
    for row in sorted(rows):
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    words = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return f"{'row' if len(rows) == 1 else 'rows'} {words}"


# --- files to cells ------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> tuple[pl.DataFrame, list[int]]:
    try:
        frame = pl.read_parquet(path)
    except (PolarsError, OSError) as error:
        raise FormatError(f"not a readable Parquet file ({error})", where=path.name, todo="export it again") from error
    if frame.height == 0:
        raise TableError("a table without rows", where=path.name, allowed="at least one row")
    return frame, list(range(1, frame.height + 1))


def _excel_cells(path: Path, sheet: str | None, book: _Notebook) -> Cells:
    try:
        workbook = fastexcel.read_excel(path)
        names = list(workbook.sheet_names)
        name = names[0] if sheet is None else sheet
        if name not in names:
            raise TableError(
                f"no sheet '{name}'",
                where=path.name,
                allowed=_listed(names),
                todo=suggest(name, names) or "name one of the sheets",
            )
        book.source = f"{path.name}, sheet '{name}'"
        if sheet is None and len(names) > 1:
            book.note(
                f"{len(names)} sheets, the first one was read", todo=f"name another with sheet: {_listed(names[1:])}"
            )
        # skip_rows=0 keeps blank rows at the top, so that a row number is the one that Excel shows.
        said = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
        exact = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="float").to_polars()
    except fastexcel.FastExcelError as error:
        raise _unreadable(error, path) from error
    columns = [_exact(said[name], exact[name]) for name in said.columns]
    return [[(cell or "").strip() for cell in row] for row in zip(*columns, strict=True)]


def _exact(said: pl.Series, exact: pl.Series) -> list[str | None]:
    # The text form of a number is cut at nine decimals; the float is what the workbook holds.
    shown = said.str.strip_chars()
    wrong = (shown.cast(pl.Float64, strict=False) != exact) & shown.str.contains(_NUMBER)
    return pl.select(pl.when(wrong).then(exact.cast(pl.String)).otherwise(shown)).to_series().to_list()


def _text_cells(path: Path, suffix: str, book: _Notebook) -> tuple[Cells, bool]:
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    except (OSError, EOFError) as error:
        raise FormatError(f"a file that cannot be read ({error})", where=path.name, todo="copy it again") from error
    content = _decode(data, book)
    delimiter = _delimiter(content, _TEXT[suffix], book)
    try:
        rows = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FormatError(
            f"quoting that cannot be followed ({error})", where=path.name, todo="export it again"
        ) from error
    return [[cell.strip() for cell in row] for row in rows], delimiter == ";"


def _decode(data: bytes, book: _Notebook) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise FormatError(
                f"text that begins as UTF-16 and is none at byte {error.start}",
                where=book.source,
                todo="export it again",
            ) from None
    if b"\0" in data:
        raise FormatError(
            "zero bytes in a text table", where=book.source, allowed="text in UTF-8", todo="export it again"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        book.note(
            f"not UTF-8 (byte 0x{data[error.start]:02x} in line {line}); read as Latin-1",
            todo="save it as UTF-8 when letters look wrong",
        )
        return data.decode("latin-1")


def _delimiter(content: str, expected: str, book: _Notebook) -> str:
    header = next((line for line in content.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header)
    found = max(_DELIMITERS, key=bare.count)
    if expected in bare or found not in bare:
        return expected
    book.note(f"a header delimited by {_DELIMITERS[found]}, not by {_DELIMITERS[expected]} as the file's ending says")
    return found


# --- cells to a table of text --------------------------------------------------------------------------------------


def _lay_out(cells: Cells, book: _Notebook, id_column: str | None) -> tuple[pl.DataFrame, list[int]]:
    """Find the header and the data rows; name the columns."""
    first = next((i for i, row in enumerate(cells) if any(row)), None)
    if first is None:
        raise TableError("an empty table", where=book.source, allowed="a header and at least one row")
    if first:
        book.note(f"{first} blank rows above the header", count=first, rows=range(1, first + 1))
    header = [re.sub(r"\s+", " ", name) for name in cells[first]]
    key = header.index(id_column) if id_column in header else 0
    body = [(i, row) for i, row in enumerate(cells[first + 1 :], start=first + 2)]
    rows = _data_rows(body, key, book)
    if not rows:
        raise TableError("a header without rows", where=book.source, allowed="at least one row under the header")
    width = len(header)
    _check_width(rows, header, book)
    columns = [[row[j] if j < len(row) else "" for _, row in rows] for j in range(width)]
    named = _name_columns(header, columns, book, id_column)
    return pl.DataFrame([pl.Series(n, c, pl.String) for n, c in named]), [i for i, _ in rows]


def _shape(cell: str) -> str:
    """Reduce a cell to its kinds of characters: ``STS_001`` to ``a_9``."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell))


def _data_rows(body: list[tuple[int, list[str]]], key: int, book: _Notebook) -> list[tuple[int, list[str]]]:
    """Leave out blank rows, and the notes that stand under a table.

    A note row stands under the first blank row or at the very end, is at most half filled, and either reads like a
    note or has an id cell unlike every id above it.
    """
    blank = [i for i, row in body if not any(row)]
    full = [(i, row) for i, row in body if any(row)]
    end = len(full)
    while end and _filled(full[end - 1][1]) <= 1:
        end -= 1
    # Rows above both the first blank row and the sparse tail are data and show what an id looks like.
    first_blank = blank[0] if blank else body[-1][0] + 1 if body else 0
    trusted = [row for n, (i, row) in enumerate(full) if n < end and i < first_blank]
    shapes = {_shape(_cell(row, key)) for row in trusted}
    width = max((_filled(row) for row in trusted), default=0)
    notes: list[tuple[int, list[str]]] = []
    rows: list[tuple[int, list[str]]] = []
    for n, (i, row) in enumerate(full):
        below = i > first_blank or n >= end
        (notes if below and width > 1 and _is_note(row, key, shapes, width) else rows).append((i, row))
    if notes:
        texts = [next(c for c in row if c) for _, row in notes]
        quoted = "; ".join(t if len(t) <= 60 else t[:57] + "..." for t in texts[:3])
        book.note(
            f"{len(notes)} note rows under the table were left out ({quoted})",
            count=len(notes),
            rows=[i for i, _ in notes],
        )
    last = rows[-1][0] if rows else 0
    gaps = [i for i in blank if i < last]
    if gaps:
        book.note(f"{len(gaps)} blank rows between the rows were left out", count=len(gaps), rows=gaps)
    return rows


def _is_note(row: list[str], key: int, shapes: set[str], width: int) -> bool:
    if 2 * _filled(row) > width and _filled(row) > 1:
        return False
    return bool(_NOTE.match(next(c for c in row if c))) or _shape(_cell(row, key)) not in shapes


def _filled(row: list[str]) -> int:
    return sum(1 for cell in row if cell)


def _cell(row: list[str], j: int) -> str:
    return row[j] if j < len(row) else ""


def _check_width(rows: list[tuple[int, list[str]]], header: list[str], book: _Notebook) -> None:
    width = max(j for j, name in enumerate(header, start=1) if name)
    ragged = [(i, len(row)) for i, row in rows if len(row) < width or any(row[len(header) :])]
    if ragged:
        shown = ", ".join(f"row {i} has {n}" for i, n in ragged[:5]) + (", ..." if len(ragged) > 5 else "")
        raise TableError(
            f"{len(ragged)} rows whose number of cells is not that of the header ({shown})",
            where=book.source,
            allowed=f"{width} cells in every row",
            todo="quote cells that contain the delimiter; give every column a header",
        )


def _name_columns(
    header: list[str], columns: list[list[str]], book: _Notebook, id_column: str | None
) -> list[tuple[str, list[str]]]:
    """Name nameless columns, drop empty nameless and repeated ones, and number those that share a name but differ."""
    repeated = {name for name, n in Counter(header).items() if name and n > 1}
    ambiguous = {n for n in repeated if len({tuple(c) for m, c in zip(header, columns, strict=True) if m == n}) > 1}
    if id_column in ambiguous:
        raise TableError(
            f"column '{id_column}' stands {header.count(str(id_column))} times with different ids",
            where=book.source,
            allowed="one column of ids",
            todo="rename or remove one of them",
        )
    named: list[tuple[str, list[str]]] = []
    taken: set[str] = set()
    for j, (name, column) in enumerate(zip(header, columns, strict=True), start=1):
        if name in taken and name in repeated - ambiguous:
            book.note(f"column {j} repeats column '{name}' with the same cells and was left out", item=name)
            continue
        if not name and not any(column):
            book.note(f"column {j} has neither header nor cells and was left out")
            continue
        unique = name
        if not name:
            unique = f"column {j}"
            book.note(f"column {j} has no header and is called '{unique}'", item=unique)
        elif name in ambiguous:
            unique = f"{name} [{j}]"
            book.note(
                f"the header '{name}' stands over different columns; column {j} is called '{unique}'",
                item=unique,
                todo="rename the columns in the file, or use the new names",
            )
        if unique in taken:
            raise TableError(f"two columns called '{unique}'", where=book.source, allowed="each header once")
        taken.add(unique)
        named.append((unique, column))
    return named


# --- text to types -------------------------------------------------------------------------------------------------


def _plain_numbers(frame: pl.DataFrame, rules: _Rules) -> dict[str, pl.Series]:
    """Convert at once the columns of text that hold nothing but numbers; tables of features have thousands of them."""
    kept = [n for n in frame.columns if frame[n].dtype == pl.String and n != rules.id_column and n not in rules.text]
    if not kept:
        return {}
    cells = frame.select(kept)
    values = cells.cast(pl.Float64, strict=False)

    def holds(table: pl.DataFrame, test: pl.Expr) -> set[str]:
        (row,) = table.select(test).rows()
        return {n for n, yes in zip(kept, row, strict=True) if yes}

    numbers = holds(values, pl.all().is_finite().all(ignore_nulls=False))
    numbers -= holds(cells, pl.all().str.contains(f"{_LONG}|{_LEADING_ZERO}+$").any())
    numbers -= holds(cells, pl.all().str.to_lowercase().is_in(sorted(rules.missing)).any())
    whole = holds(cells, pl.all().str.contains(_WHOLE).all()) & numbers
    return {n: (values[n].cast(pl.Int64) if n in whole else values[n]) for n in kept if n in numbers}


def _typed(column: pl.Series, numbers: Sequence[int], rules: _Rules, book: _Notebook) -> pl.Series:
    """Give a column its type; count what is missing and name what is set aside."""
    name = column.name
    if column.dtype.is_numeric() and name != rules.id_column and name not in rules.text:
        return _typed_number(column, book)
    cells = column.cast(pl.String).fill_null("").str.strip_chars()
    absent = _absent(cells, rules)
    for marker, count in sorted(Counter(cells.filter(absent).to_list()).items()):
        book.missing.append((name, marker, count))
    cells = cells.zip_with(~absent, _nulls(cells)) if absent.any() else cells
    if name == rules.id_column or name in rules.text:
        return cells
    return _number_column(cells, numbers, rules, book)


def _nulls(like: pl.Series) -> pl.Series:
    return pl.Series(like.name, [None], like.dtype).new_from_index(0, like.len())


def _typed_number(column: pl.Series, book: _Notebook) -> pl.Series:
    if column.dtype.is_integer():
        book.missing.extend([(column.name, "", column.null_count())] * bool(column.null_count()))
        return column.cast(pl.Int64)
    values = column.cast(pl.Float64).fill_nan(None)
    infinite = int(values.is_infinite().sum())
    if infinite:
        got = f"{infinite} infinite values in column '{column.name}' became null"
        book.problems.append(Problem("cohort", got, "no value", item=column.name, where=book.source, count=infinite))
        values = values.zip_with(values.is_finite(), _nulls(values))
    missing = values.null_count() - infinite
    book.missing.extend([(column.name, "", missing)] * bool(missing))
    return values


def _absent(cells: pl.Series, rules: _Rules) -> pl.Series:
    folded = cells.str.to_lowercase()
    markers = rules.missing
    # A column of '+' and '-' is a test result, not a column of gaps.
    if (folded == "+").any():
        markers = markers - {"-"}
    return folded.is_in(sorted(markers))


def _number_column(cells: pl.Series, numbers: Sequence[int], rules: _Rules, book: _Notebook) -> pl.Series:
    name, demanded = cells.name, cells.name in rules.numeric
    written = cells
    if rules.decimal_comma and cells.str.contains(_DECIMAL_COMMA).any() and not cells.str.contains(r"\.").any():
        cells = cells.str.replace(",", ".", literal=True)
        book.note(f"decimal commas in column '{name}' were understood", item=name)
    good = cells.str.contains(_NUMBER).fill_null(False)
    good &= cells.cast(pl.Float64, strict=False).is_finite().fill_null(False)
    filled, fit = cells.len() - cells.null_count(), int(good.sum())
    if not demanded and (fit == 0 or fit < NUMERIC_FRACTION * filled or _identifiers(cells)):
        return written
    if demanded and fit == 0 and filled:
        raise TableError(
            f"no number in column '{name}' (first cell '{written.drop_nulls()[0]}')",
            where=book.source,
            allowed="numbers, and markers of missing values",
            todo="take the column from the list of numeric columns",
        )
    for j in (~good & cells.is_not_null()).arg_true():
        book.problems.append(_set_aside(written[j], name, numbers[j], book.source, fit, filled))
    kept = cells if fit == filled else cells.zip_with(good, _nulls(cells))
    if kept.drop_nulls().str.contains(_WHOLE).all() and not kept.drop_nulls().str.contains(_LONG).any():
        return kept.str.strip_prefix("+").cast(pl.Int64)
    return kept.cast(pl.Float64)


def _identifiers(cells: pl.Series) -> bool:
    return bool(cells.str.contains(_LONG).any() or cells.str.contains(_LEADING_ZERO + "+$").any())


def _set_aside(cell: str, name: str, row: int, source: str, fit: int, filled: int) -> Problem:
    return Problem(
        "cohort",
        f"text '{cell}' in a column of numbers became null",
        "no value",
        item=name,
        where=f"{source}, row {row}, column '{name}'",
        allowed=f"a number ({fit} of {filled} filled cells are), or a marker of a missing value",
        todo="correct the cell, add its text to the markers of missing values, or declare the column as text",
    )


def _say_missing(book: _Notebook) -> None:
    """One note a marker: in how many cells of which columns."""
    by_marker: dict[str, list[tuple[str, int]]] = {}
    for column, marker, count in book.missing:
        by_marker.setdefault(marker, []).append((column, count))
    for marker, columns in sorted(by_marker.items()):
        total = sum(n for _, n in columns)
        shown = ", ".join(f"'{c}' {n}" for c, n in columns[:12])
        more = f" and {len(columns) - 12} more columns" if len(columns) > 12 else ""
        what = f"'{marker}'" if marker else "empty cells"
        book.note(f"{what} read as missing in {total} cells ({shown}{more})", count=total)
