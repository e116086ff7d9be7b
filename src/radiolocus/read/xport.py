"""SAS transport files, version 5: the format in which SDTM data sets are submitted (``.xpt``).

SAS Technical Support document TS-140, "The record layout of a SAS transport data set".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError

__all__ = ["read_xport"]

_RECORD = 80
_LIBRARY = b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!"
_MEMBER = b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!"
_NAMES = b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!"
_ROWS = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!"
_NAME = struct.Struct(">hhhh8s40s8shhh2s8shhl")


@dataclass(frozen=True)
class _Variable:
    name: str
    text: bool
    length: int
    start: int


def read_xport(path: Path) -> pl.DataFrame:
    """Read the only data set of a SAS transport file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    polars.DataFrame
        Text without trailing blanks (empty is null), numbers as Float64 (SAS' missing values are null).

    Raises
    ------
    FormatError
        Another version, a truncated file, or several data sets in one file.
    """
    data = path.read_bytes()
    if not data.startswith(_LIBRARY):
        raise FormatError(
            "no SAS transport file of version 5",
            where=path.name,
            allowed="an .xpt file as PROC COPY with the XPORT engine writes it",
            todo="export it again, or as CSV or Parquet",
        )
    if data.count(_MEMBER) != 1:
        raise FormatError(f"{data.count(_MEMBER)} data sets in one file", where=path.name, allowed="one")
    variables, at = _variables(data, path)
    width = sum(v.length for v in variables)
    body = data[at:]
    # Behind the last row the record is filled up with blanks, which are no row.
    rows = len(body) // width
    while rows and len(body) - rows * width < _RECORD and not body[(rows - 1) * width : rows * width].strip(b" "):
        rows -= 1
    if len(body) - rows * width >= max(_RECORD, width) and body[rows * width :].strip(b" "):
        raise FormatError("rows that end in the middle", where=path.name, todo="export it again")
    table = np.frombuffer(body[: rows * width], dtype=np.uint8).reshape(rows, width)
    return pl.DataFrame([_column(table, v) for v in variables])


def _variables(data: bytes, path: Path) -> tuple[list[_Variable], int]:
    """Variables, and where the rows begin."""
    member, names = data.find(_MEMBER), data.find(_NAMES)
    try:
        size = int(data[member + 74 : member + 78])
        count = int(data[names + 54 : names + 58])
        found = []
        for k in range(count):
            kind, _, length, _, name, *_, start = _NAME.unpack_from(data, names + _RECORD + k * size)
            found.append(_Variable(name.decode("ascii").strip(), kind == 2, length, start))
    except (ValueError, struct.error) as error:
        raise FormatError(f"a broken header ({error})", where=path.name, todo="export it again") from error
    rows = data.find(_ROWS, names)
    if rows < 0 or not found:
        raise FormatError("no rows", where=path.name, todo="export it again")
    return found, rows + _RECORD


def _column(table: npt.NDArray[np.uint8], variable: _Variable) -> pl.Series:
    cells = np.ascontiguousarray(table[:, variable.start : variable.start + variable.length])
    if variable.text:
        raw = [row.tobytes().rstrip(b" \0") for row in cells]
        # SAS writes the encoding of its session; what is no UTF-8 is Latin-1.
        return pl.Series(variable.name, [_text(r) or None for r in raw], pl.String)
    return pl.Series(variable.name, _numbers(cells), pl.Float64, nan_to_null=True)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _numbers(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Numbers of IBM's System/360: sign, exponent of 16 with excess 64, fraction; NaN where SAS has none."""
    full = np.zeros((cells.shape[0], 8), np.uint8)
    full[:, : cells.shape[1]] = cells
    bits = full.view(">u8")[:, 0].astype(np.uint64)
    fraction = (bits & np.uint64((1 << 56) - 1)).astype(np.float64)
    exponent = ((bits >> np.uint64(56)) & np.uint64(0x7F)).astype(np.int64)
    value = np.ldexp(fraction, (4 * (exponent - 64) - 56).astype(np.int32))
    value[(bits >> np.uint64(63)) == 1] *= -1
    # A letter, a point or an underscore over an empty fraction is one of SAS' missing values.
    value[(full[:, 0] != 0) & (fraction == 0)] = np.nan
    return value
