"""Lymph nodes that are named targets: on the wrong axis, or too small for it at baseline."""

from __future__ import annotations

from typing import Literal

import polars as pl

from radiolocus.model import Problem, named_visit
from radiolocus.response.visits import NORMAL_NODE_MM

__all__ = ["LEAST_NODE_MM", "RANKED", "placed_nodes"]

LEAST_NODE_MM = 15.0
"""Smallest short axis of a nodal target at baseline (Eisenhauer 2009, section 3.1.1)."""

RANKED = ("recist11", "irecist", "mrecist")
"""Criteria whose targets are those of RECIST 1.1."""

_TOLERANCE = 1e-9


def placed_nodes(
    lesions: pl.DataFrame, small_nodes: Literal["non-target", "target"] = "non-target"
) -> tuple[pl.DataFrame, tuple[Problem, ...], pl.DataFrame]:
    """Follow nodal targets of less than 15 mm at baseline as what they are.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    small_nodes : {"non-target", "target"}
        "target" leaves the word of the table.

    Returns
    -------
    lesions : polars.DataFrame
        Nodes of 10 to below 15 mm are non-targets, present at the visits at which they measure 10 mm or more; nodes
        below 10 mm are normal and not followed. Subjects are left out whose nodal targets have a diameter at baseline
        beyond the perpendicular: it is the long axis, and the short one counts.
    problems : tuple of Problem
    words : polars.DataFrame
        ``subject`` and ``placed``: what was done, for the trace of the baseline.

    Notes
    -----
    A table cannot say of a target that it progresses as a non-target does, so a node that is placed here never makes
    progression by itself.
    """
    nothing = pl.DataFrame(schema={"subject": pl.String, "placed": pl.String})
    # A table without these columns is refused where its visits are made.
    if not {"node", "diameter_mm", "kind", "day"} <= set(lesions.columns):
        return lesions, (), nothing
    lesions, wrong = _on_short_axis(lesions)
    if small_nodes == "target":
        return lesions, wrong, nothing
    size = pl.col("diameter_mm")
    nodal = (pl.col("kind") == "target") & pl.col("node")
    small = (
        lesions.filter(nodal & (pl.col("day") == 0) & (size < LEAST_NODE_MM - _TOLERANCE))
        .select("subject", "lesion", size.alias("_base"), (size < NORMAL_NODE_MM - _TOLERANCE).alias("_normal"))
        .sort("subject", "lesion")
    )
    if small.is_empty():
        return lesions, wrong, nothing
    placed = pl.col("_normal").is_not_null() & nodal
    status = pl.col("status")
    seen = (
        pl.when(status.is_in(["absent", "merged", "too small"]) | (size < NORMAL_NODE_MM - _TOLERANCE))
        .then(pl.lit("absent"))
        .when(size.is_null())
        .then(pl.lit("NE"))
        .otherwise(pl.lit("present"))
    )
    # A normal node stays as a row that says nothing, so that no visit and no subject is lost with it.
    kind = pl.when("_normal").then(pl.lit("new")).otherwise(pl.lit("non-target"))
    moved = lesions.join(small, on=["subject", "lesion"], how="left", maintain_order="left").with_columns(
        pl.when(placed).then(kind).otherwise("kind").alias("kind"),
        pl.when(placed)
        .then(pl.when("_normal").then(pl.lit("absent")).otherwise(seen))
        .otherwise(status)
        .alias("status"),
        pl.when(placed & pl.col("_normal")).then(None).otherwise(size).alias("diameter_mm"),
    )
    words = small.with_columns(
        pl.format(
            "lymph node {} of {} mm {}",
            "lesion",
            pl.col("_base").round(2).cast(pl.String).str.strip_suffix(".0"),
            pl.when("_normal")
            .then(pl.lit("is normal, not followed [recist11.NODE]"))
            .otherwise(pl.lit("followed as a non-target [recist11.NODE]")),
        ).alias("placed")
    )
    return (
        moved.drop("_base", "_normal"),
        (*wrong, *(_note(*row) for row in small.rows())),
        words.group_by("subject", maintain_order=True).agg(pl.col("placed").str.join("; ")),
    )


def _on_short_axis(lesions: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Leave out subjects of whose nodal targets the diameter at baseline is longer than the perpendicular."""
    if "perpendicular_mm" not in lesions.columns:
        return lesions, ()
    # The baseline decides: a later visit must not change what was said of an earlier one.
    nodal = (pl.col("kind") == "target") & pl.col("node") & (pl.col("day") == 0)
    long = lesions.filter(nodal & (pl.col("diameter_mm") > pl.col("perpendicular_mm")))
    first = long.sort("subject", "lesion").group_by("subject", maintain_order=True).first()
    if first.is_empty():
        return lesions, ()
    return lesions.join(first.select("subject"), on="subject", how="anti", maintain_order="left"), tuple(
        Problem(
            "response",
            f"a nodal target whose diameter, {row['diameter_mm']:g} mm, is longer than its perpendicular of "
            f"{row['perpendicular_mm']:g} mm",
            subject=row["subject"],
            item=f"lesion {row['lesion']}, {named_visit(row['visit'])}",
            where="lesions",
            allowed="the short axis of nodes as diameter (RECIST 1.1, section 3.1.1)",
            todo="write the short axis as diameter; the subject is left out of recist11, irecist and mrecist",
        )
        for row in first.iter_rows(named=True)
    )


def _note(subject: str, lesion: str, size: float, normal: bool) -> Problem:
    done = "it was not followed: a node below 10 mm is normal" if normal else "it was followed as a non-target"
    return Problem(
        "response",
        f"a nodal target of {size:g} mm short axis",
        "note",
        subject,
        f"lesion {lesion}",
        "baseline",
        f"at least {LEAST_NODE_MM:g} mm (RECIST 1.1, section 3.1.1)",
        f"{done}; small_nodes = 'target' leaves the word of the table",
    )
