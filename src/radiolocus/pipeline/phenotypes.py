"""Which imaging features the later stages analyse: of which images, visits and repeatability."""

from __future__ import annotations

import polars as pl

from radiolocus.cohort import phenotype_matrix
from radiolocus.cohort.repeatable import IccDemand, repeatable
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.pipeline.run import Followed
from radiolocus.store import read_table

__all__ = ["analysed_images", "control_frames", "phenotypes", "told_left_out", "upstream_of"]

_LEFT_OUT = "imaging feature not analysed"
_NOTHING = {"subject": pl.String}


def analysed_images(run: Followed) -> list[str]:
    """Names of the images, and tables of features, that are analysed."""
    imaging = run.sections.imaging
    if imaging is None:
        return []
    return [i.name for i in imaging.images if i.analyse] + [t.name for t in imaging.tables if t.analyse]


def upstream_of(demand: IccDemand) -> tuple[str, ...]:
    """Artefacts of the features stage that a stage with this demand starts from."""
    return ("features/features", *(("features/repeatability",) if demand.icc_min is not None else ()))


def phenotypes(
    run: Followed, demand: IccDemand, stage: str, *, at_baseline: bool = False
) -> tuple[pl.DataFrame, list[Problem]]:
    """Imaging features that are analysed, one row a subject; subjects without any are left out.

    Parameters
    ----------
    run : Followed
    demand : IccDemand
    stage : str
        Section of the study file.
    at_baseline : bool
        Leave out visits that ``response/delta`` knows to be later: they do not predict what is counted from baseline.

    Returns
    -------
    polars.DataFrame
        ``subject`` and a column a phenotype. The visits of a retest are no further phenotypes: only the test counts.
    list of Problem
        A note for every phenotype that is not repeatable enough.

    Raises
    ------
    ConfigError
        A repeatability is demanded and none is known, or no feature reaches it.
    """
    rows = read_table(run.root, "features/features")
    if rows is None or rows.height == 0:
        return pl.DataFrame(schema=_NOTHING), []
    rows = rows.filter(pl.col("image").is_in(analysed_images(run)) & ~pl.col("visit").is_in(_again(run)))
    later = _later(run, rows, stage) if at_baseline else []
    rows = rows.filter(~pl.col("visit").is_in([told.item for told in later])) if later else rows
    matrix, names = _matrix(run, rows)
    if demand.icc_min is None:
        return matrix, later
    table = read_table(run.root, "features/repeatability")
    if table is None or table.height == 0:
        raise ConfigError(
            f"icc_min = {demand.icc_min:g} without a table of repeatability",
            where=f"{stage}.icc_min",
            allowed="features of perturbed copies, or visits of a test and a retest, of two subjects or more",
            todo="add [imaging.perturb] or [imaging.retest], or take icc_min out",
        )
    kept, dropped = repeatable(names, table, demand)
    if names.height and not kept:
        raise ConfigError(
            f"none of {names.height} imaging features reaches icc_min = {demand.icc_min:g} (by {demand.icc_by})",
            where=f"{stage}.icc_min",
            allowed="an icc_min that some feature reaches",
            todo="look at features/repeatability.csv, lower icc_min, or measure more subjects or repeats",
        )
    notes = [Problem(stage, f"imaging feature not analysed: {why}", "note", item=name) for name, why in dropped.items()]
    return matrix.select("subject", *kept), [*later, *notes]


def told_left_out(run: Followed, stage: str) -> str:
    """Say how many features a stage left out because they are not repeatable enough; nothing when there are none."""
    problems = read_table(run.root, "problems")
    rows = 0 if problems is None else problems.filter(pl.col("got").str.starts_with(_LEFT_OUT), stage=stage).height
    return f"; {rows} imaging features left out by icc_min" if rows else ""


def _again(run: Followed) -> list[str]:
    imaging = run.sections.imaging
    return list(imaging.retest.visits[1:]) if imaging and imaging.retest else []


def _later(run: Followed, rows: pl.DataFrame, stage: str) -> list[Problem]:
    """Visits of the images that are known to come after baseline."""
    changes = read_table(run.root, "response/delta")
    seen = set(rows["visit"].drop_nulls())
    known = [] if changes is None else sorted(seen & set(changes["visit"]))
    got = "visit after baseline: its features do not predict what is counted from baseline"
    todo = "take its change as a block of predictors: [outcome.delta]" if stage == "outcome" else ""
    return [Problem(stage, got, "note", item=visit, todo=todo) for visit in known]


def _matrix(run: Followed, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    matrix, names = phenotype_matrix(rows, run.subjects)
    return matrix.filter(pl.col("subject").is_in(rows["subject"].implode())), names


def control_frames(run: Followed, imaging: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Negative controls as predictors, by control: the features that `imaging` has, for its subjects.

    Of the control ``volume`` everything is taken, since it is no feature of `imaging`.
    """
    rows = read_table(run.root, "features/controls")
    if rows is None or rows.height == 0:
        return {}
    found = {}
    for control in rows["control"].unique(maintain_order=True):
        part = rows.filter(control=control).drop("control").with_columns(pl.lit("").alias("modality"))
        frame, _ = _matrix(run, part)
        columns = [c for c in frame.columns if control == "volume" or c in imaging.columns]
        frame = frame.select(columns).filter(pl.col("subject").is_in(imaging["subject"].implode()))
        if frame.width > 1 and frame.height:
            found[control] = frame
    return found
