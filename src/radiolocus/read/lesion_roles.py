"""What a lesion is, where its source does not say: reports and masks know sizes, but not which lesions are targets."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import read_table

__all__ = ["UNSAID", "assign_roles", "read_roles", "unused_roles"]

UNSAID = ("", "target")
"""What may be said of lesions whose kind is stated nowhere: nothing, or that those of the first scan are targets."""

_COLUMNS = ("subject", "lesion", "kind", "organ", "node")


def read_roles(path: Path | str) -> pl.DataFrame:
    """Read a table of lesions with the columns subject, lesion, kind and, where they are known, organ and node.

    Raises
    ------
    TableError
        No such file or column, or a lesion twice.
    """
    path = Path(path)
    table = read_table(path, id_column="subject", text=list(_COLUMNS))
    frame = table.frame
    missing = [c for c in _COLUMNS[:3] if c not in frame.columns]
    if missing:
        raise TableError(
            f"no column '{missing[0]}'", where=path.name, allowed="subject, lesion, kind and, if known, organ, node"
        )
    frame = frame.select(
        (pl.col(c).cast(pl.String) if c in frame.columns else pl.lit(None, pl.String)).alias(c) for c in _COLUMNS
    )
    twice = frame.filter(frame.select("subject", "lesion").is_duplicated())
    if twice.height:
        subject, lesion = twice.row(0)[:2]
        raise TableError(f"lesion {lesion} of {subject} twice", where=path.name, allowed="one row a lesion")
    return frame


def assign_roles(rows: pl.DataFrame, roles: pl.DataFrame | None, unsaid: str = "") -> pl.DataFrame:
    """Fill in kind, organ and node where the rows do not say them.

    Parameters
    ----------
    rows : polars.DataFrame
        ``subject``, ``lesion``, ``day`` (a number) and text columns ``kind``, ``organ``, ``node``, null where unsaid.
    roles : polars.DataFrame, optional
        As :func:`read_roles` returns it; what it says wins over the rows.
    unsaid : {"", "target"}
        "target": lesions of unsaid kind that the first scan of their subject shows are targets, others are new.

    Returns
    -------
    polars.DataFrame
        The rows in their order. A kind that is still unsaid stays null, for the reader to refuse.
    """
    if roles is not None:
        told = roles.rename({c: f"_{c}" for c in _COLUMNS[2:]})
        rows = rows.join(told, on=["subject", "lesion"], how="left", maintain_order="left")
        rows = rows.with_columns(pl.coalesce(f"_{c}", c).alias(c) for c in _COLUMNS[2:]).drop(
            f"_{c}" for c in _COLUMNS[2:]
        )
    if unsaid == "target":
        first = pl.col("day").min().over("subject", "lesion") == pl.col("day").min().over("subject")
        at_first = pl.when(first).then(pl.lit("target")).otherwise(pl.lit("new"))
        rows = rows.with_columns(pl.coalesce("kind", at_first).alias("kind"))
    return rows


def unused_roles(roles: pl.DataFrame, rows: pl.DataFrame, where: str) -> tuple[Problem, ...]:
    """Say which roles no lesion has: a misspelt name would leave its lesion without one.

    Parameters
    ----------
    roles : polars.DataFrame
        As :func:`read_roles` returns it.
    rows : polars.DataFrame
        ``subject`` and ``lesion``.
    where : str
        Name of the table of roles.
    """
    lost = roles.join(rows, on=["subject", "lesion"], how="anti", maintain_order="left")
    return tuple(
        Problem(
            "response",
            f"a role ({kind}) of a lesion that was not measured",
            "note",
            subject,
            f"lesion {lesion}",
            where,
            "subjects and lesions as the scans or reports name them",
            "correct the names, or leave the row out",
        )
        for subject, lesion, kind in lost.select("subject", "lesion", "kind").rows()
    )
