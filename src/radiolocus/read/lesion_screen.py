"""Rows of a lesion table that still stand, and the problems of the subjects that fell."""

from __future__ import annotations

import polars as pl

from radiolocus.model import Problem

__all__ = ["NUMBER", "Screen"]

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


class Screen:
    """Rows that still stand, and the problems of the subjects that fell.

    Parameters
    ----------
    frame : polars.DataFrame
        With the columns subject and row, and those of `place`.
    source : str
        File, for messages.
    place : tuple of str
        Columns that say which measurement a row is.
    """

    def __init__(self, frame: pl.DataFrame, source: str, place: tuple[str, ...] = ("lesion", "visit")) -> None:
        self.frame = frame
        self.source = source
        self.place = place
        self.problems: list[Problem] = []

    def aside(self, bad: pl.Expr, got: str | pl.Expr, allowed: str, todo: str) -> None:
        """Set every subject with a row `bad` aside, naming its first such row."""
        text = pl.lit(got) if isinstance(got, str) else got
        marked = self.frame.with_columns(bad.fill_null(False).alias("_bad"))
        if not marked["_bad"].any():
            return
        found = marked.with_columns(text.alias("_got")).filter("_bad")
        worst = found.sort("row").group_by("subject", maintain_order=True).agg(pl.all().first(), pl.len().alias("_n"))
        for line in worst.iter_rows(named=True):
            item = ", ".join(f"{c} {'?' if line[c] is None else line[c]}" for c in self.place)
            self.problems.append(
                Problem(
                    "response",
                    line["_got"],
                    subject=line["subject"],
                    item=item,
                    where=f"{self.source}, row {line['row']}",
                    allowed=allowed,
                    todo=todo,
                    count=line["_n"],
                )
            )
        self.frame = self.frame.join(worst.select("subject"), on="subject", how="anti", maintain_order="left")

    def note(self, got: str, *, subject: str | None = None, item: str | None = None, count: int = 1) -> None:
        """Say a decision that changes no subject's standing."""
        self.problems.append(Problem("response", got, "note", subject, item, self.source, count=count))
