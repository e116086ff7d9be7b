"""Lines of separated fields: what MAF, GCT and plain expression matrices have in common."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from radiolocus.errors import FormatError

__all__ = ["Delimited", "load_text", "parse_delimited"]

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class Delimited:
    """A text table, every field still text.

    Parameters
    ----------
    header : tuple of str
        Column names as they stand in the file; they may repeat.
    cells : polars.DataFrame
        One text column per name of `header`, named by its position (``"0"``, ``"1"``, ...); null where empty.
    lines : tuple of int
        Line of the file, from 1, on which each row of `cells` stands.
    comments : tuple of str
        Comment lines, in order.
    """

    header: tuple[str, ...]
    cells: pl.DataFrame
    lines: tuple[int, ...]
    comments: tuple[str, ...] = ()


def load_text(path: Path) -> str:
    """Return the text of a plain or gzip-compressed file (told by its first bytes, not by its name).

    Raises
    ------
    FormatError
        When the file is absent, is a damaged gzip file, or is not UTF-8 text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"a file that cannot be read ({error.strerror})", where=path.name, todo="check the path"
        ) from None
    if raw.startswith(_GZIP):
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as error:
            raise FormatError(
                f"a gzip file that ends early or is damaged ({error})", where=path.name, todo="fetch the file again"
            ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FormatError(
            f"a byte that is not UTF-8 (0x{raw[error.start]:02x})",
            where=f"{path.name}, line {line}",
            allowed="UTF-8 text, plain or gzip-compressed",
            todo="save the file as UTF-8 text",
        ) from None


def parse_delimited(
    text: str,
    separator: str,
    where: str,
    *,
    comment: str | None = "#",
    quote: str | None = '"',
    first_line: int = 1,
) -> Delimited:
    """Split `text` into a header and rows of the same width.

    Blank lines are passed over. When every row has one field more than the header, the header lacks the name of the
    row labels (as R writes tables), and an empty name is put in front.

    Parameters
    ----------
    text : str
    separator : str
        One character.
    where : str
        Name of the file, for messages.
    comment : str or None
        Lines that begin so are comments.
    quote : str or None
        Quoting character; None takes quotes as ordinary characters, as MAF does.
    first_line : int
        Number of the first line of `text` in its file.

    Raises
    ------
    FormatError
        When there is no header or a row has another number of fields than the header.
    """
    comments: list[str] = []
    rows: list[str] = []
    lines: list[int] = []
    for number, raw in enumerate(text.split("\n"), first_line):
        line = raw.removesuffix("\r")
        if comment is not None and line.startswith(comment):
            comments.append(line)
        elif line.strip():
            rows.append(line)
            lines.append(number)
    if not rows:
        raise FormatError("no table", where=where, allowed="a line of column names, then one line a row")
    header = _fields(rows[0], separator, quote)
    widths = [_width(line, separator, quote) for line in rows[1:]]
    if widths and set(widths) == {len(header) + 1}:
        header = ("", *header)
    for place, width in zip(lines[1:], widths, strict=True):
        if width != len(header):
            raise FormatError(
                f"{width} fields",
                where=f"{where}, line {place}",
                allowed=f"{len(header)} fields, as in the header on line {lines[0]}",
                todo="the line is cut short or holds a stray separator: mend it, or write the file again",
            )
    return Delimited(header, _cells(rows[1:], len(header), separator, quote), tuple(lines[1:]), tuple(comments))


def _fields(line: str, separator: str, quote: str | None) -> tuple[str, ...]:
    if quote is None:
        return tuple(line.split(separator))
    return tuple(next(csv.reader([line], delimiter=separator, quotechar=quote)))


def _width(line: str, separator: str, quote: str | None) -> int:
    if quote is None or quote not in line:
        return line.count(separator) + 1
    return len(_fields(line, separator, quote))


def _cells(rows: Sequence[str], width: int, separator: str, quote: str | None) -> pl.DataFrame:
    schema = {str(i): pl.String() for i in range(width)}
    if not rows:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(
        io.BytesIO("\n".join(rows).encode()),
        has_header=False,
        separator=separator,
        quote_char=quote,
        schema=schema,
    )
