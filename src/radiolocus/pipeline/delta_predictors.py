"""Change between visits as predictors of ``[outcome]``, and when it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.outcome.delta_options import DeltaBlock
from radiolocus.outcome.landmark import Landmark
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline.run import Followed
from radiolocus.registry import suggest
from radiolocus.response.delta import delta_predictors
from radiolocus.schema import empty
from radiolocus.store import read_table

__all__ = ["DELTA_TABLES", "delta_block"]

DELTA_TABLES = ("response/delta", "response/delta_features", "response/criteria", "response/ctdna")
"""Artefacts that the block starts from."""

_CTDNA = "ctdna"
SIZE = "size"
"""Measure that stands for the quantity of the criterion (RECIST 1.1: the sum of diameters)."""


def delta_block(
    run: Followed, options: OutcomeOptions, clinical: pl.DataFrame
) -> tuple[pl.DataFrame | None, Landmark | None, list[Problem]]:
    """Change up to the visit that ``[outcome.delta]`` names, one row a subject who has it.

    Parameters
    ----------
    run : Followed
    options : OutcomeOptions
    clinical : polars.DataFrame
        ``subject`` and clinical columns.

    Returns
    -------
    frame : polars.DataFrame or None
        ``subject`` and a column a change; None where no such block is asked for.
    landmark : Landmark or None
        Of each subject the day of the latest of its changes.
    problems : list of Problem

    Raises
    ------
    ConfigError
        No such visit, measure or clinical column; the stage of response did not run.
    """
    asked = options.delta
    if asked is None:
        return None, None, []
    changes = _changes(run, asked)
    here = _of_visit(changes, asked)
    frame = delta_predictors(here, asked.change)
    days = here.group_by("subject").agg(pl.col("day").max().alias("day"))
    problems: list[Problem] = []
    blood = read_table(run.root, "response/ctdna") if asked.ctdna else None
    if blood is not None:
        fall, problems = _fall(blood, days, asked)
        frame = frame.join(fall, on="subject", how="left", maintain_order="left")
    told = [name for name in frame.columns[1:] if frame[name].null_count() < frame.height]
    names = _matching(told, asked.measures)
    frame = frame.select("subject", *names).filter(pl.any_horizontal(pl.col(names).is_not_null()))
    day = dict(days.filter(pl.col("subject").is_in(frame["subject"].implode())).iter_rows())
    return frame, Landmark(asked.visit, day, _start(clinical, asked.baseline)), problems


def _changes(run: Followed, asked: DeltaBlock) -> pl.DataFrame:
    """Changes of features and functional measures, and of the quantity that the criterion of the study follows."""
    changes, calls = read_table(run.root, "response/delta"), read_table(run.root, "response/criteria")
    if changes is None or calls is None or run.sections.response is None:
        raise ConfigError(
            "no changes between visits", where="outcome.delta", todo="look at why the stage of response did not run"
        )
    if asked.beyond_noise:
        worth = read_table(run.root, "response/delta_features")
        kept = empty("response/delta_features") if worth is None else worth.filter("changes")
        changes = changes.join(kept, on=["image", "roi", "measure", "visit"], how="semi", maintain_order="left")
    criterion = run.sections.response.criterion
    rows = calls.filter(pl.col("criterion") == criterion)
    base = rows.filter(pl.col("day") == 0).select("subject", pl.col("value").alias("baseline_value"))
    start, now = pl.col("baseline_value"), pl.col("value")
    sizes = rows.filter(pl.col("day") > 0).join(base, on="subject", how="inner", maintain_order="left")
    sizes = sizes.with_columns(
        image=pl.lit(criterion),
        roi=pl.lit(""),
        measure=pl.lit(SIZE),
        absolute=now - start,
        relative=pl.when(start > 0).then(100 * (now - start) / start),
        log_ratio=pl.when((start > 0) & (now > 0)).then((now / start).log()),
    )
    return pl.concat([changes, sizes.select(c for c in changes.columns if c in sizes.columns)], how="diagonal")


def _of_visit(changes: pl.DataFrame, asked: DeltaBlock) -> pl.DataFrame:
    here = changes.filter(pl.col("visit") == asked.visit)
    if here.height:
        return here
    known = changes.group_by("visit").agg(pl.col("day").median()).sort("day", "visit")["visit"].to_list()
    raise ConfigError(
        f"no change up to a visit '{asked.visit}'",
        where="outcome.delta.visit",
        allowed=", ".join(known) or "none: nobody has a visit after baseline whose day is known",
        todo=suggest(asked.visit, known),
    )


def _fall(blood: pl.DataFrame, days: pl.DataFrame, asked: DeltaBlock) -> tuple[pl.DataFrame, list[Problem]]:
    """Change of the mean variant allele fraction in the last sample that was drawn by the day of the visit."""
    found = blood.filter((pl.col("day") > 0) & pl.col("change").is_not_null()).join(days, on="subject", suffix="_visit")
    found = found.filter(pl.col("day") <= pl.col("day_visit")).sort("subject", "day")
    first = blood.filter(pl.col("molecular_response") == "baseline")
    start = first.select("subject", pl.col("mean_vaf").alias("start"))
    found = found.group_by("subject", maintain_order=True).agg(pl.col("mean_vaf", "change").last())
    found = found.join(start, on="subject", how="left", maintain_order="left")
    if asked.change == "absolute":
        value, told = pl.col("mean_vaf") - pl.col("start"), "absolute"
    elif asked.change == "log_ratio":
        both = (pl.col("mean_vaf") > 0) & (pl.col("start") > 0)
        value, told = pl.when(both).then((pl.col("mean_vaf") / pl.col("start")).log()), "log_ratio"
    else:
        value, told = pl.col("change"), "relative"
    frame = found.select("subject", value.alias(f"{_CTDNA}@{asked.visit}:mean_vaf:{told}"))
    lost = days.height - frame.height
    got = f"{lost} of {days.height} subjects have no later sample of ctDNA by the day of the visit '{asked.visit}'"
    return frame, [Problem("outcome", got, "note", item=_CTDNA, where="outcome.delta", count=lost)] if lost else []


def _matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Columns whose whole name, or whose measure, one of the patterns is."""

    def fits(name: str, pattern: str) -> bool:
        measure = name.rsplit(":", 2)[1]
        return fnmatchcase(name, pattern) or fnmatchcase(measure, pattern)

    for pattern in patterns:
        if not any(fits(name, pattern) for name in names):
            measures = sorted({name.rsplit(":", 2)[1] for name in names})
            raise ConfigError(
                f"'{pattern}' is no change, no measure and no pattern of them",
                where="outcome.delta.measures",
                allowed=", ".join(measures[:20]),
                todo=suggest(pattern, measures),
            )
    return [name for name in names if not patterns or any(fits(name, pattern) for pattern in patterns)]


def _start(clinical: pl.DataFrame, column: str) -> dict[str, float] | None:
    if not column:
        return None
    if column not in clinical.columns or not clinical[column].dtype.is_numeric():
        known = [name for name, kind in clinical.schema.items() if kind.is_numeric()]
        raise ConfigError(
            f"no clinical column of numbers '{column}'",
            where="outcome.delta.baseline",
            allowed=", ".join(known),
            todo=suggest(column, known),
        )
    return dict(clinical.select("subject", pl.col(column).cast(pl.Float64)).drop_nulls().iter_rows())
