"""Lines of treatment: who had what, from which day to which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import read_table

__all__ = ["TherapyLines", "read_therapy_lines"]

_COLUMNS = ("subject", "line", "treatment", "start", "end")


@dataclass(frozen=True, eq=False)
class TherapyLines:
    """Lines that can be used (``subject``, ``line``, ``treatment``, ``start``, ``end``), and what was left out."""

    frame: pl.DataFrame
    problems: tuple[Problem, ...]


def read_therapy_lines(path: Path | str) -> TherapyLines:
    """Read a table of treatments.

    Parameters
    ----------
    path : Path or str
        Columns subject, treatment, start and end (days since the baseline of the lesion table; an empty end: still
        given) and, where it is known, line.

    Returns
    -------
    TherapyLines
        Sorted by subject and start. Rows without subject, treatment or start, with days that are no numbers, with an
        end before the start, or a second time, are left out and named.

    Raises
    ------
    TableError
        No such file or column.
    """
    path = Path(path)
    table = read_table(path, id_column="subject", text=("treatment", "line", "start", "end"))
    missing = [c for c in ("subject", "treatment", "start", "end") if c not in table.frame.columns]
    if missing:
        raise TableError(
            f"no column '{missing[0]}'", where=path.name, allowed="subject, treatment, start, end and, if known, line"
        )
    line = pl.col("line").cast(pl.String) if "line" in table.frame.columns else pl.lit(None, pl.String)
    rows = table.frame.select(
        pl.Series("row", list(table.row_number)),
        "subject",
        line.alias("line"),
        "treatment",
        *(pl.col(c).cast(pl.String).alias(f"said_{c}") for c in ("start", "end")),
        *(pl.col(c).cast(pl.Float64, strict=False) for c in ("start", "end")),
    )
    wrong = (
        pl.when(pl.col("subject").is_null() | pl.col("treatment").is_null())
        .then(pl.lit("no subject or no treatment"))
        .when(pl.col("start").is_null() | (pl.col("said_end").is_not_null() & pl.col("end").is_null()))
        .then(pl.format("days '{}' to '{}'", pl.col("said_start").fill_null(""), pl.col("said_end").fill_null("")))
        .when(pl.col("end") < pl.col("start"))
        .then(pl.format("an end (day {}) before the start (day {})", "said_end", "said_start"))
        .when(~pl.struct("subject", "treatment", "start").is_first_distinct())
        .then(pl.lit("the same treatment from the same day twice"))
    )
    rows = rows.with_columns(wrong.alias("wrong"))
    problems = tuple(
        Problem(
            "response",
            r["wrong"],
            "no value",
            r["subject"],
            r["treatment"],
            f"{path.name}, row {r['row']}",
            "a treatment from a day to a later one, as numbers of days since baseline",
            "correct the row; it was left out",
        )
        for r in rows.filter(pl.col("wrong").is_not_null()).iter_rows(named=True)
    )
    frame = rows.filter(pl.col("wrong").is_null()).select(*_COLUMNS).sort("subject", "start", "treatment")
    return TherapyLines(frame, problems)
