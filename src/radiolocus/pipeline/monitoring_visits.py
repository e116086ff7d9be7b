"""Where ``[monitoring]`` finds what was measured over time: a table, the imaging features, or the response."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from radiolocus.cohort.dated import DAYS
from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Endpoint, Problem
from radiolocus.outcome.histories import checked_visits
from radiolocus.outcome.monitoring import TIMED
from radiolocus.outcome.monitoring_options import SIZE, MonitoringOptions
from radiolocus.pipeline.run import Run
from radiolocus.read.clinical import read_table as read_file
from radiolocus.read.discover import inside
from radiolocus.registry import suggest
from radiolocus.store import read_table

__all__ = ["dates_of", "monitored_endpoints", "monitored_visits", "time_factor"]

Visits = tuple[pl.DataFrame, list[Problem]]


def monitored_endpoints(endpoints: Sequence[Endpoint], options: MonitoringOptions) -> list[Endpoint]:
    """Endpoints that are predicted; of one unit, in which the window is told.

    Raises
    ------
    ConfigError
        An unknown endpoint, none at all, or several units.
    """
    known = {e.name: e for e in endpoints}
    for name in options.endpoints:
        if name not in known:
            raise ConfigError(
                f"unknown endpoint '{name}'",
                where="monitoring.endpoints",
                allowed=", ".join(known),
                todo=suggest(name, list(known)),
            )
    chosen = [known[n] for n in options.endpoints] or [e for e in endpoints if e.kind in TIMED]
    units = sorted({e.unit for e in chosen if e.time is not None})
    if not chosen:
        raise ConfigError("no survival endpoint", where="monitoring", todo="add [cohort.endpoints.NAME]")
    if len(units) > 1:
        raise ConfigError(
            f"endpoints in {' and '.join(u or 'no unit' for u in units)}",
            where="monitoring.endpoints",
            allowed="endpoints of one unit, in which window and landmarks are told",
            todo="name those endpoints",
        )
    return chosen


def monitored_visits(run: Run, options: MonitoringOptions, unit: str) -> Visits:
    """Visits that can be used, with times in the unit of the endpoints.

    Returns
    -------
    polars.DataFrame
        As :func:`radiolocus.outcome.histories.checked_visits` returns it.
    list of Problem

    Raises
    ------
    ConfigError
        A column, marker or section that is not there, or units that cannot be turned into one another.
    FitError
        No visit.
    """
    if options.source == "response":
        frame, problems = _of_response(run)
        return _checked(frame, (SIZE,), options, time_factor("days", unit), problems, "response")
    rows, problems = _table(run, options, unit)
    factor = 1.0 if options.origin else time_factor(options.time_unit or unit, unit)
    if options.source == "imaging":
        frame = _of_imaging(run, rows, options)
        return _checked(frame, options.markers, options, factor, problems, "features and monitoring.table")
    return _checked(rows, options.markers, options, factor, problems, options.table)


def _checked(
    frame: pl.DataFrame,
    markers: Sequence[str],
    options: MonitoringOptions,
    factor: float,
    problems: list[Problem],
    where: str,
) -> Visits:
    time = options.time or "time"
    numbered = options.visit if options.source == "table" else ""
    found, told = checked_visits(frame, markers, time=time, visit=numbered, unit=options.unit, where=where)
    if not found.height:
        raise FitError("no visit with a measurement", where=where, todo="look at problems.csv")
    return found.with_columns(pl.col("time") * factor), [*problems, *told]


def time_factor(given: str, wanted: str) -> float:
    """What a time in one unit is to be multiplied by to be told in another.

    Raises
    ------
    ConfigError
        A unit that is none of time.
    """
    if given == wanted:
        return 1.0
    for unit in (given, wanted):
        if unit not in DAYS:
            raise ConfigError(
                f"unit '{unit}'",
                where="monitoring.time_unit" if unit == given else "unit of the endpoint",
                allowed=", ".join(DAYS),
                todo="name the units of both, or give times in that of the endpoint",
            )
    return DAYS[given] / DAYS[wanted]


def _table(run: Run, options: MonitoringOptions, unit: str) -> Visits:
    """Rows of the table whose ids are of the cohort; dates become time since time zero."""
    path = inside(run.study.root, options.table, "monitoring.table")
    table = read_file(path, sheet=options.sheet, id_column=options.id)
    key = options.id or table.frame.columns[0]
    raw = table.frame[key].cast(pl.String)
    match = run.gathered.cohort.match(f"visits {path.name}", raw.to_list(), several=True)
    subject = pl.Series("subject", [match.mapping.get(r or "") for r in raw.to_list()], pl.String)
    rows = table.frame.drop(key).insert_column(0, subject).drop_nulls("subject")
    problems = list(match.problems)
    if options.origin:
        rows = _since_origin(run, rows, options, unit)
    return rows, problems


def dates_of(values: pl.Series) -> pl.Series:
    """Dates, or texts that begin with one as 2024-05-31; null where there is none."""
    text = values.cast(pl.String).str.strip_chars().str.slice(0, 10)
    return values.cast(pl.Date) if values.dtype.is_temporal() else text.str.to_date("%Y-%m-%d", strict=False)


def _since_origin(run: Run, rows: pl.DataFrame, options: MonitoringOptions, unit: str) -> pl.DataFrame:
    clinical = run.gathered.cohort.frame
    for frame, column, where in (
        (clinical, options.origin, "monitoring.origin"),
        (rows, options.time, "monitoring.time"),
    ):
        if column not in frame.columns:
            known = frame.columns[1:]
            raise ConfigError(f"no column '{column}'", where=where, allowed=", ".join(known))
        if frame[column].dtype.is_numeric() or dates_of(frame[column]).is_null().all():
            raise ConfigError(f"column '{column}' holds no date", where=where, allowed="dates as 2024-05-31")
    zero = clinical.select("subject", dates_of(clinical[options.origin]).alias("zero"))
    joined = rows.with_columns(dates_of(rows[options.time]).alias("date")).join(
        zero, on="subject", how="left", maintain_order="left"
    )
    days = (joined["date"] - joined["zero"]).dt.total_days().cast(pl.Float64) * time_factor("days", unit)
    return rows.with_columns(days.alias(options.time))


def _of_imaging(run: Run, rows: pl.DataFrame, options: MonitoringOptions) -> pl.DataFrame:
    """Imaging features of the visits that the table dates; a name is ``image:feature`` or ``image:roi:feature``."""
    features = read_table(run.root, "features/features")
    if features is None or not features.height:
        raise ConfigError("no imaging feature was measured", where="monitoring.source", allowed="table, response")
    several = features.select("image", "roi").unique().group_by("image").len().filter(pl.col("len") > 1)["image"]
    parts = []
    for marker in options.markers:
        image, *roi, feature = marker.split(":")
        own = features.filter(pl.col("image") == image)
        if feature not in features.columns or not own.height or (roi and not (own["roi"] == roi[0]).any()):
            raise ConfigError(
                f"no imaging feature '{marker}'",
                where="monitoring.markers",
                allowed="image:feature, or image:roi:feature of an image with several regions",
            )
        if image in several.to_list() and not roi:
            raise ConfigError(
                f"'{marker}' of an image with several regions",
                where="monitoring.markers",
                allowed=", ".join(f"{image}:{r}:{feature}" for r in own["roi"].unique().sort()),
            )
        own = own.filter(pl.col("roi") == roi[0]) if roi else own
        parts.append(
            own.select("subject", "visit", pl.col(feature).cast(pl.Float64).alias("value"), name=pl.lit(marker))
        )
    wide = pl.concat(parts).pivot(on="name", index=["subject", "visit"], values="value", aggregate_function="first")
    known = [c for c in rows.columns if c != "subject"]
    for name in (options.visit, options.time):
        if name not in rows.columns:
            raise ConfigError(f"no column '{name}'", where="monitoring.table", allowed=", ".join(known))
    dated = rows.select("subject", pl.col(options.visit).cast(pl.String).alias("visit"), options.time).unique()
    return wide.join(dated, on=["subject", "visit"], how="left", maintain_order="left")


def _of_response(run: Run) -> Visits:
    """The quantity that the first criterion of the study follows, by day since baseline."""
    rows, asked = read_table(run.root, "response/criteria"), run.sections.response
    if rows is None or asked is None or not rows.height:
        raise ConfigError("no response was called", where="monitoring.source", allowed="table, imaging")
    own = rows.filter(pl.col("criterion") == asked.criterion)
    return own.select("subject", pl.col("day").alias("time"), pl.col("value").alias(SIZE)), []
