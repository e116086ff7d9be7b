"""Tables of the networks: performance by who is judged, differences to simple models, horizons, explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError, UndefinedError
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.horizons import horizons_of, out_of_fold_at_horizons
from radiolocus.learn.models import display_name
from radiolocus.learn.protocol import family_of
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.outcome.deep import NETWORK, DeepTask, DeepUnit
from radiolocus.schema import conform, empty

__all__ = ["summarise_deep"]

# Subjects of a pattern of modalities, and events among them, from which on the pattern is judged by itself.
_FEWEST, _EVENTS = 20, 5
Fold = npt.NDArray[np.int64]
_UNITS = ("predictions", "risks", "notes", "training", "attention", "columns", "windows", "maps")


@dataclass(frozen=True, eq=False)
class _Judged:
    """Predictions (R, n) of one model, and who held whom out; −1 where it cannot predict."""

    predictors: str
    model: str
    prediction: Array
    fold: Fold


def summarise_deep(
    units: Sequence[DeepUnit],
    results: Sequence[Mapping[str, pl.DataFrame] | Exception],
    labels: pl.DataFrame | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Put the units together.

    Parameters
    ----------
    units : sequence of DeepUnit
    results : sequence
        What :func:`radiolocus.outcome.deep.run_deep` returned for each, or the exception it raised. An endpoint of
        which any unit of the networks failed is left out with the reason, and so is a simple model.
    labels : polars.DataFrame, optional
        What the windows of sequences are of.
    spacing : tuple of float
        Distance (y, x) of the pixels of the maps in mm.

    Returns
    -------
    dict of str to polars.DataFrame
        Tables ``deep/...``.
    list of Problem
    """
    names = ("performance", "differences", "horizons", "predictions", "training", "attention", "columns", "windows")
    parts: dict[str, list[pl.DataFrame]] = {name: [empty(f"deep/{name}")] for name in (*names, "maps")}
    problems: list[Problem] = []
    by_endpoint: dict[str, list[int]] = {}
    for i, unit in enumerate(units):
        by_endpoint.setdefault(unit.task.endpoint, []).append(i)
    for rows in by_endpoint.values():
        task = units[rows[0]].task
        done, found = _finished([units[i] for i in rows], [results[i] for i in rows])
        problems += found
        if done is None:
            continue
        try:
            tables, found = _of_endpoint(task, done, labels, spacing)
        except RadiolocusError as error:
            problems.append(_problem(error, task.endpoint))
            continue
        problems += found
        for name, table in tables.items():
            parts[name].append(conform(table, f"deep/{name}"))
    return {f"deep/{name}": pl.concat(tables) for name, tables in parts.items()}, problems


def _finished(
    units: Sequence[DeepUnit], results: Sequence[Mapping[str, pl.DataFrame] | Exception]
) -> tuple[dict[str, pl.DataFrame] | None, list[Problem]]:
    """Rows of all units of an endpoint, without models of which any failed; None where the networks did."""
    problems = []
    failed: dict[str, RadiolocusError] = {}
    for unit, result in zip(units, results, strict=True):
        if isinstance(result, Exception):
            if not isinstance(result, RadiolocusError):
                raise result
            failed.setdefault(unit.model, result)
    for model, error in failed.items():
        shown = model if model == NETWORK else display_name(model, units[0].task.target.kind)
        problems.append(_problem(error, f"{units[0].task.endpoint} by {shown}"))
    if NETWORK in failed:
        return None, problems
    kept = [r for u, r in zip(units, results, strict=True) if u.model not in failed and not isinstance(r, Exception)]
    tables = {name: pl.concat([r[name] for r in kept if name in r]) for name in _UNITS}
    return tables, problems


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("deep", error.got, "set aside", None, item, error.where, error.allowed, error.todo)


def _of_endpoint(
    task: DeepTask, done: Mapping[str, pl.DataFrame], labels: pl.DataFrame | None, spacing: tuple[float, float]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    judged = [
        _aligned(task, str(key[0]), str(key[1]), part)
        for key, part in done["predictions"].group_by("predictors", "model", maintain_order=True)
    ]
    network = judged[0]
    horizons, problems = _horizons(task, judged, done["risks"])
    notes = done["notes"].group_by("item", "got", maintain_order=True).agg(pl.col("count").sum())
    problems += [
        Problem("deep", r["got"], "note", item=r["item"] or None, where=task.endpoint, count=r["count"])
        for r in notes.iter_rows(named=True)
    ]
    tables = {
        "performance": _performance(task, judged),
        "differences": _differences(task, network, judged[1:]),
        "horizons": horizons,
        "predictions": done["predictions"]
        .with_columns(
            pl.col("prediction").fill_nan(None),
            group=pl.when(pl.col("prediction").is_nan())
            .then(None)
            .when(pl.col("prediction") > pl.col("threshold"))
            .then(pl.lit("high"))
            .otherwise(pl.lit("low")),
        )
        .drop("threshold"),
        "training": done["training"],
        "attention": done["attention"],
        "columns": _columns(done["columns"]),
        "windows": _windows(done["windows"], labels),
        "maps": _maps(done["maps"], task.options.explained, spacing),
    }
    return tables, problems


def _aligned(task: DeepTask, predictors: str, model: str, rows: pl.DataFrame) -> _Judged:
    place = {s: i for i, s in enumerate(task.subject)}
    shape = (task.options.runs, len(task.subject))
    prediction, fold = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
    at = (rows["repeat"].to_numpy(), np.array([place[s] for s in rows["subject"]]))
    prediction[at], fold[at] = rows["prediction"].to_numpy(), rows["fold"].to_numpy()
    return _Judged(predictors, model, np.nan_to_num(prediction), np.where(np.isnan(prediction), -1, fold))


def _patterns(task: DeepTask) -> dict[str, BoolArray]:
    """Who is judged by himself: everybody, who has every modality, and who lacks one, where they are enough."""
    present = task.data.present
    found = {"all": np.ones(len(present), dtype=bool)}
    if not present.all():
        found["complete"] = np.asarray(present.all(axis=1))
        found |= {f"without {name}": ~present[:, m] for m, name in enumerate(task.data.names)}
    kept = {}
    for name, rows in found.items():
        part = task.target.take(rows)
        if name == "all" or (part.n >= _FEWEST and part.rarest >= _EVENTS and not part.obstacle()):
            kept[name] = rows
    return kept


def _performance(task: DeepTask, judged: Sequence[_Judged]) -> pl.DataFrame:
    rows = []
    for one in judged:
        whole = one.model != NETWORK or one.predictors == task.predictors
        patterns = _patterns(task) if whole else {f"with {one.predictors}": (one.fold >= 0).all(axis=0)}
        for patients, who in patterns.items():
            fold = np.where(who, one.fold, -1)
            try:
                found = out_of_fold_discrimination(
                    task.target, one.prediction, fold, task.options.bootstrap, task.options.seed
                )
            except UndefinedError:
                if patients == "all":
                    raise
                continue
            counted = task.target.take(np.flatnonzero(who & (one.fold >= 0).any(axis=0)))
            key = (task.endpoint, one.predictors, one.model, patients, task.target.kind, _metric(task))
            design = (len(fold), int(one.fold.max()) + 1, task.options.split)
            rows.append((*key, found.estimate, found.lower, found.upper, counted.n, counted.events, *design))
    return pl.DataFrame(rows, schema=empty("deep/performance").schema, orient="row")


def _metric(task: DeepTask) -> str:
    return family_of(task.target, task.options).metric


def _differences(task: DeepTask, network: _Judged, others: Sequence[_Judged]) -> pl.DataFrame:
    rows = []
    for other in others:
        who = (other.fold >= 0).any(axis=0)
        try:
            found = compare_on_same_folds(
                task.target, other.prediction, network.prediction, other.fold, task.options.bootstrap, task.options.seed
            )
        except UndefinedError:
            continue
        patients = "all" if other.model != NETWORK else f"with {other.predictors}"
        key = (task.endpoint, other.predictors, other.model, patients, _metric(task))
        rows.append((*key, found.second, found.first, found.estimate, found.lower, found.upper, int(who.sum())))
    return pl.DataFrame(rows, schema=empty("deep/differences").schema, orient="row")


def _horizons(task: DeepTask, judged: Sequence[_Judged], risks: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    horizons = horizons_of(task.target, task.options.horizons)
    rows: list[tuple[object, ...]] = []
    problems: list[Problem] = []
    for one in judged if horizons else ():
        own = risks.filter(predictors=one.predictors, model=one.model)
        who = np.flatnonzero((one.fold >= 0).all(axis=0))
        if not own.height:
            continue
        order = {task.subject[i]: k for k, i in enumerate(who)}
        cube = np.full((2, task.options.runs, who.size, len(horizons)), np.nan)
        when = np.searchsorted(np.array(horizons), own["time"].to_numpy())
        at = (own["repeat"].to_numpy(), np.array([order[s] for s in own["subject"]]), when)
        cube[0][at], cube[1][at] = own["risk"].to_numpy(), own["without"].to_numpy()
        target = task.target.take(who)
        judge = (cube[0], cube[1], horizons, task.options.bootstrap, task.options.seed)
        try:
            found = out_of_fold_at_horizons(target, one.prediction[:, who], one.fold[:, who], *judge)
        except UndefinedError as error:
            problems.append(Problem("deep", error.message, "note", item="horizons", where=task.endpoint))
            continue
        key = (task.endpoint, one.predictors, one.model)
        rows += [(*key, f.metric, f.time, f.estimate, f.lower, f.upper, target.n, f.events) for f in found]
    return pl.DataFrame(rows, schema=empty("deep/horizons").schema, orient="row"), problems


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    spread = pl.col("value").var(ddof=0)
    return (
        rows.group_by("endpoint", "modality", "item", maintain_order=True)
        .agg(
            mean_absolute=pl.col("attribution").abs().mean(),
            slope=pl.when(spread > 0).then(pl.cov("value", "attribution", ddof=0) / spread),
            n=pl.len(),
        )
        .sort(["mean_absolute", "item"], descending=[True, False])
    )


def _windows(rows: pl.DataFrame, labels: pl.DataFrame | None) -> pl.DataFrame:
    if labels is None:
        return empty("deep/windows")
    return rows.join(labels, on=["subject", "window"], how="left", maintain_order="left")


def _maps(rows: pl.DataFrame, most: int, spacing: tuple[float, float]) -> pl.DataFrame:
    """Rows of the subjects of highest risk, and of as many of the lowest."""
    subjects = rows.select("subject", "prediction").unique().sort(["prediction", "subject"], descending=[True, False])
    high, low = subjects.head(most - most // 2), subjects.tail(most // 2)
    chosen = pl.concat([high, low.join(high, on="subject", how="anti")])
    kept = chosen.select("subject").join(rows, on="subject", how="left", maintain_order="left")
    return kept.with_columns(spacing_y=pl.lit(spacing[0]), spacing_x=pl.lit(spacing[1]))
