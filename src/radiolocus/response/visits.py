"""From lesions to visits: what the criteria need to know about each visit of each subject."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.read.lesion_parts import TOO_SMALL_MM
from radiolocus.read.lesions import LESION_COLUMNS

__all__ = ["NORMAL_NODE_MM", "judged_by_pet", "visit_table"]

NORMAL_NODE_MM = 10.0
"""Short axis below which a node is normal (Eisenhauer 2009, section 3.1.1)."""
# Sizes are summed as whole numbers of this part of a millimetre, so that a sum does not depend on the order of rows.
_PART = 1e9


def visit_table(lesions: pl.DataFrame) -> pl.DataFrame:
    """Sum the lesions of every visit.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it, in any order of rows.

    Returns
    -------
    polars.DataFrame
        One row a subject and visit, sorted by both, the baseline (day 0) first: ``subject``, ``visit``, ``day``,
        ``targets`` and ``measured`` (followed; with a size), ``total`` (sum of the measured, mm), ``gone`` (measured
        non-nodal targets 0 and nodal ones below 10 mm), ``nodal`` (there are nodal targets),
        ``nontargets`` and ``evaluated`` (followed; evaluated), ``seen_other`` (a non-nodal non-target is present),
        ``progressed``, ``present`` (any non-target), ``new`` and ``equivocal``
        (new lesions at this visit), ``on_pet`` (a new one is seen by PET whose baseline was negative), ``turned`` (one
        of the equivocal ones is unequivocal at a later visit).

    Raises
    ------
    TableError
        A column is missing, or a subject's first visit is not at day 0.
    """
    missing = [c for c in LESION_COLUMNS if c not in lesions.columns]
    if missing:
        raise TableError(f"a lesion table without {missing}", allowed=", ".join(LESION_COLUMNS))
    lesions = judged_by_pet(lesions)
    target, other, new = (pl.col("kind") == kind for kind in ("target", "non-target", "new"))
    status, node, size = pl.col("status"), pl.col("node"), pl.col("size")
    measured = (
        pl.when(status.is_in(["absent", "merged"]))
        .then(0.0)
        .when((status == "too small") & pl.col("diameter_mm").is_null())
        .then(TOO_SMALL_MM)
        .otherwise(pl.col("diameter_mm"))
    )
    # An enumeration in the order of the alphabet: millions of rows are grouped and sorted by whole numbers.
    subjects = pl.Enum(lesions["subject"].unique().sort())
    rows = lesions.select(
        pl.col("subject").cast(subjects),
        "visit",
        "day",
        "node",
        "status",
        measured.alias("size"),
        "on_pet",
        target.alias("target"),
        other.alias("other"),
        new.alias("new"),
    )
    target, other, new = pl.col("target"), pl.col("other"), pl.col("new")
    flags = rows.select(
        "subject",
        "visit",
        "day",
        target,
        (target & size.is_not_null()).alias("measured"),
        pl.when(target).then((size * _PART).round()).otherwise(0.0).fill_null(0.0).cast(pl.Int64).alias("total"),
        (target & pl.when(node).then(size >= NORMAL_NODE_MM).otherwise(size > 0).fill_null(False)).alias("remains"),
        (target & node).alias("nodal"),
        other.alias("nontargets"),
        (other & (status != "NE")).alias("evaluated"),
        (other & (status == "progression")).alias("progressed"),
        (other & (status == "present")).alias("present"),
        (other & ~node & (status == "present")).alias("seen_other"),
        (new & (status == "present")).alias("new"),
        (new & (status == "equivocal")).alias("equivocal"),
        (new & pl.col("on_pet")).alias("on_pet"),
    )
    counted = ["target", "measured", "nontargets", "evaluated"]
    any_of = ["remains", "nodal", "seen_other", "progressed", "present", "new", "equivocal", "on_pet"]
    visits = _by_visit(flags, [*counted, "total"], any_of)
    # numpy's division is exact to the last digit; polars multiplies by the reciprocal of a constant.
    visits = visits.with_columns(pl.Series("total", visits["total"].to_numpy() / _PART))
    start = pl.col("subject") != pl.col("subject").shift()
    late = visits.filter(start.fill_null(True) & (pl.col("day") != 0))
    if late.height:
        raise TableError(
            f"a first visit at day {late['day'][0]:g}",
            where=f"subject {late['subject'][0]}",
            allowed="a baseline visit at day 0",
            todo="read the table with read_lesions, which dates the visits from the baseline",
        )
    # Lesions are followed from the baseline on: what a later visit leaves out was not evaluated.
    followed = [
        pl.col(c).first().over("subject").alias(n) for c, n in (("target", "targets"), ("nontargets", "listed"))
    ]
    return (
        visits.with_columns(*followed, (~pl.col("remains")).alias("gone"))
        .with_columns(pl.col("listed").alias("nontargets"))
        .drop("target", "remains", "listed")
        .with_columns(pl.col("subject").cast(pl.String))
        .join(_turned(lesions), on=["subject", "day"], how="left", maintain_order="left")
        .with_columns(pl.col("turned").fill_null(False))
    )


def _by_visit(flags: pl.DataFrame, counted: list[str], any_of: list[str]) -> pl.DataFrame:
    """Sum and join the lesions of every visit, sorted by subject and day.

    Rows of a visit are brought together and reduced run by run: for millions of them faster than grouping.
    """
    subject, day = flags["subject"].to_physical().to_numpy(), flags["day"].to_numpy()
    ahead = (subject[1:] > subject[:-1]) | ((subject[1:] == subject[:-1]) & (day[1:] >= day[:-1]))
    if not ahead.all():
        order = np.lexsort((day, subject))
        flags, subject, day = flags[order], subject[order], day[order]
    first = np.ones(flags.height, np.bool_)
    first[1:] = (subject[1:] != subject[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(first)
    return flags[starts].select(
        "subject",
        "day",
        "visit",
        *(pl.Series(c, np.add.reduceat(flags[c].to_numpy(), starts, dtype=np.int64)) for c in counted),
        *(pl.Series(c, np.logical_or.reduceat(flags[c].to_numpy(), starts)) for c in any_of),
    )


def judged_by_pet(lesions: pl.DataFrame) -> pl.DataFrame:
    """Say of new lesions seen by FDG-PET whether they count, and add ``on_pet`` (Eisenhauer 2009, section 4.3.5).

    Positive where the PET of the baseline was negative: a new lesion, whatever CT shows. Without a PET at baseline, or
    a positive one: new when CT shows it (status present), and equivocal until CT does; progression is then dated back
    to the positive PET.
    """
    if "pet" not in lesions.columns:
        return lesions.with_columns(on_pet=pl.lit(False))
    seen = ((pl.col("kind") == "new") & (pl.col("pet") == "positive")).fill_null(False)
    before = pl.col("baseline_pet") if "baseline_pet" in lesions.columns else pl.lit(None, pl.String)
    proven = seen & (before == "negative").fill_null(False)
    return lesions.with_columns(
        pl.when(proven)
        .then(pl.lit("present"))
        .when(seen & (pl.col("status") != "present"))
        .then(pl.lit("equivocal"))
        .otherwise("status")
        .alias("status"),
        proven.alias("on_pet"),
    )


def _turned(lesions: pl.DataFrame) -> pl.DataFrame:
    """Visits at which a new lesion was equivocal that is unequivocal later."""
    new = lesions.filter(pl.col("kind") == "new")
    sure = (
        new.filter(pl.col("status") == "present").group_by("subject", "lesion").agg(pl.col("day").max().alias("sure"))
    )
    return (
        new.filter(pl.col("status") == "equivocal")
        .join(sure, on=["subject", "lesion"])
        .filter(pl.col("day") < pl.col("sure"))
        .select("subject", "day", pl.lit(True).alias("turned"))
        .unique()
    )
