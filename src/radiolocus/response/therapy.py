"""Assessments behind the start of another treatment say nothing of the first."""

from __future__ import annotations

import polars as pl

from radiolocus.model import Problem

__all__ = ["before_new_therapy"]


def before_new_therapy(lesions: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Leave out visits after ``new_therapy_day`` and say whose and which; a table without that column stays as it is.

    A visit on the day itself counts: it was made before the first dose.
    """
    if "new_therapy_day" not in lesions.columns:
        return lesions, ()
    late = (pl.col("day") > pl.col("new_therapy_day")).fill_null(False)
    lost = (
        lesions.filter(late)
        .group_by("subject")
        .agg(pl.col("visit").sort_by("day").unique(maintain_order=True), pl.col("new_therapy_day").first())
        .sort("subject")
    )
    notes = tuple(
        Problem(
            "response",
            f"{len(visits)} visits after the start of another treatment at day {day:g} left out",
            "note",
            subject,
            f"visit {', '.join(visits)}",
            "lesions",
            "assessments up to the start of another treatment",
            "follow that treatment from a baseline of its own",
        )
        for subject, visits, day in lost.rows()
    )
    return lesions.filter(~late), notes
