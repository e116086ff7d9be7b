"""Tables beside the lesions: rows of subjects that nobody follows are left out, and it is said whose."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from radiolocus.cohort.ids import Nearest
from radiolocus.model import Problem

__all__ = ["of_followed"]

_NAMED = 5


def of_followed(
    rows: pl.DataFrame, followed: Collection[str], *, where: str, what: str, of: str = "the lesion table"
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Keep the rows of followed subjects.

    Parameters
    ----------
    rows : polars.DataFrame
        With the column ``subject``.
    followed : collection of str
        Subjects that are known, those that were set aside included.
    where : str
        Name of the table.
    what : str
        What a row is, in the plural.
    of : str
        Where the subjects are known from.

    Returns
    -------
    rows : polars.DataFrame
    problems : tuple of Problem
        One that counts the rows left out and names their subjects, with the subject that an id probably means; nothing
        when all are known.
    """
    known = pl.col("subject").is_in(list(followed))
    lost = rows.filter(~known)
    if lost.is_empty():
        return rows, ()
    nearest = Nearest(sorted(followed))
    names = lost["subject"].unique().sort().to_list()
    told = [f"'{n}'" + (f" (perhaps '{near}')" if (near := nearest.find(n)) else "") for n in names[:_NAMED]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    one = len(names) == 1
    whose = "a subject" if one else f"{len(names)} subjects"
    got = f"{what} left out: {lost.height}, of {whose} unknown to {of}: "
    return rows.filter(known), (
        Problem(
            "response",
            got + ", ".join(told) + more,
            "no value",
            names[0] if one else None,
            where=where,
            allowed=f"subjects of {of}",
            todo="correct the ids, or leave the rows out",
            count=lost.height,
        ),
    )
