"""Tables of phenotypes and covariates as PLINK and REGENIE take them: ids, then one column each.

Format: https://www.cog-genomics.org/plink/2.0/input#pheno
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.read.delimited import load_text
from radiolocus.registry import suggest

__all__ = ["MISSING", "read_subject_table"]

MISSING = ("NA", "na", "NaN", "nan", "")
# Lines that tell the types of the columns: to look at all of a large table takes longer than to read it.
_TELLING = 100
_IDS = ("FID", "IID", "SID", "PAT", "MAT", "SEX")


def read_subject_table(
    path: Path | str,
    *,
    sample_id: Literal["iid", "fid_iid"] = "iid",
    minus_nine: Literal["refuse", "missing", "number"] = "refuse",
    categorical: Sequence[str] = (),
    keep_sex: bool = False,
) -> pl.DataFrame:
    """Read a table of subjects.

    Parameters
    ----------
    path : Path or str
        Text (plain or gzip) separated by tabs, commas or blanks, or Parquet. The header has ``IID`` or ``#IID`` first,
        or ``FID``/``#FID`` and then ``IID``; columns SID, PAT, MAT and SEX that stand before the values are ids too.
    sample_id : {"iid", "fid_iid"}
        A subject is called by its individual id, or by family and individual id joined by ``_``.
    minus_nine : {"refuse", "missing", "number"}
        What −9 means: PLINK takes it for a missing value, but an image feature can be −9. NA, nan and an empty field
        are missing always.
    categorical : sequence of str
        Columns to dummy-code, whatever stands in them.
    keep_sex : bool
        A column SEX that stands before the values is one of them.

    Returns
    -------
    polars.DataFrame
        Column ``subject``, then the columns of the file.

    Raises
    ------
    FormatError
        No header with IID, or a line with another number of fields.
    TableError
        A column that stands twice; −9 in a column, when it is refused; an id that is missing.
    ConfigError
        A categorical column that is not there.
    """
    file = Path(path)
    frame = _parquet(file) if file.suffix == ".parquet" else _text(file)
    names = [name.removeprefix("#").upper() for name in frame.columns[:1]] + list(frame.columns[1:])
    ids = names[:2] if names[0] == "FID" else names[:1]
    if ids not in (["IID"], ["FID", "IID"]):
        raise FormatError(
            f"a header that begins with {' '.join(frame.columns[:2])}",
            where=file.name,
            allowed="IID or #IID first, or FID and IID",
            todo="name the column of subject ids IID",
        )
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    if sample_id == "fid_iid" and "FID" not in ids:
        raise FormatError("no column FID", where=file.name, allowed="FID and IID", todo="take iid to name samples")
    keys = pl.concat_str(ids if sample_id == "fid_iid" else ["IID"], separator="_")
    values = names[len(ids) :]
    while values and values[0] in (_IDS[2:-1] if keep_sex else _IDS[2:]):
        values = values[1:]
    for name in categorical:
        if name not in values:
            raise ConfigError(
                f"no column '{name}' to take as categories", where=file.name, allowed=", ".join(values[:20]),
                todo=suggest(name, values),
            )  # fmt: skip
    subjects = frame.select(keys.cast(pl.String).alias("subject"))
    if subjects["subject"].null_count():
        row = int(subjects["subject"].is_null().arg_true()[0])
        raise TableError("no id", where=f"{file.name}, row {row + 1}", allowed="an id in every row")
    columns = [_column(frame[name], file.name, minus_nine, name in categorical) for name in values]
    return subjects.with_columns(columns)


def _parquet(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FormatError(f"no Parquet table ({error})", where=file.name) from None


def _text(file: Path) -> pl.DataFrame:
    text = load_text(file)
    head = _first_line(text)
    separator = "\t" if "\t" in head else "," if "," in head else " "
    if separator == " ":
        text = "\n".join("\t".join(line.split()) for line in text.split("\n"))
        separator = "\t"
    header = _first_line(text).rstrip("\r").split(separator)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"columns {', '.join(twice[:5])} stand more than once", where=file.name)
    _refuse_short(text, separator, len(header), file.name)
    named = {name: pl.String for name in header[:2] if name.lstrip("#").upper() in _IDS}
    try:
        return _cells(text.encode(), separator, named)
    except pl.exceptions.PolarsError as error:
        raise FormatError(
            f"no table of separated columns ({str(error).splitlines()[0]})",
            where=file.name,
            allowed="a header, then one line a subject with as many fields",
        ) from None


def _refuse_short(text: str, separator: str, width: int, where: str) -> None:
    """Refuse lines with fewer fields than the header, which would be read as if the others were missing."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(separator) + 1 < width and line.strip() and '"' not in line:
            raise FormatError(
                f"{line.count(separator) + 1} fields instead of {width}: '{line[:40]}'",
                where=f"{where}, line {number}",
                allowed="a header, then one line a subject with as many fields",
                todo="copy the table again: it may have been cut off",
            )


def _first_line(text: str) -> str:
    end = text.find("\n")
    return text if end < 0 else text[:end]


def _cells(text: bytes, separator: str, ids: dict[str, type[pl.String]]) -> pl.DataFrame:
    """Read the columns; their types are told by the first lines, or by all of them where these did not tell."""

    def read(lines: int | None) -> pl.DataFrame:
        return pl.read_csv(
            io.BytesIO(text),
            separator=separator,
            null_values=list(MISSING),
            infer_schema_length=lines,
            schema_overrides=ids,
        )

    try:
        frame = read(_TELLING)
    except pl.exceptions.PolarsError:
        return read(None)
    # text is also what a column is taken for of which the first lines hold nothing
    return frame if pl.String not in frame.drop(ids).dtypes else read(None)


def _column(column: pl.Series, where: str, minus_nine: str, categorical: bool) -> pl.Series:
    if minus_nine != "number":
        is_nine = column == -9 if column.dtype.is_numeric() else column.cast(pl.String).is_in(["-9", "-9.0"])
        count = int(is_nine.sum() or 0)
        if count and minus_nine == "refuse":
            raise TableError(
                f"{count} values of −9",
                where=f"{where}, column {column.name}",
                allowed="NA where a value is missing",
                todo="say what −9 is: --minus-nine missing (as PLINK does), or --minus-nine number",
            )
        if count:
            column = column.to_frame().select(pl.when(~is_nine.fill_null(False)).then(pl.first())).to_series()
    if categorical:
        text = column.cast(pl.String)
        return text.cast(pl.Enum(text.drop_nulls().unique().sort())).alias(column.name)
    return column
