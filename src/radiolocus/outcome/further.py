"""After the repetitions: how well risks are calibrated, what a decision gains, what models lean on, and the models.

One part is one endpoint, set of predictors and model; a part is a pure function of what its repetitions left. Parts
may run in any order and any process. :func:`parts_of` cuts, :func:`run_part` computes, :func:`gather` puts together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.assess import (
    DRAWS,
    Curve,
    Measure,
    assess_curves,
    assess_groups,
    assess_net_benefit,
    assess_risk,
    assess_time_lost,
    time_grid,
)
from radiolocus.learn.horizons import horizons_of, out_of_fold_at_horizons, truncation_of
from radiolocus.model import Array, Problem
from radiolocus.outcome.everyone import show_everyone
from radiolocus.outcome.explained import explanation_tables, stacked
from radiolocus.outcome.groups import high_risk
from radiolocus.outcome.performance import Summary
from radiolocus.outcome.tasks import Plan, Task
from radiolocus.schema import conform, empty
from radiolocus.stats.reclassification import reclassification
from radiolocus.stats.roc import delong_paired

__all__ = ["TABLES", "Part", "gather", "parts_of", "run_part"]

TABLES = (
    "evaluation",
    "calibration",
    "decision",
    "over_time",
    "importance",
    "shap",
    "nomogram",
    "nomogram_risk",
    "hazard_ratios",
    "proportional_hazards",
    "schoenfeld",
)
_OWN_MODEL = ("nomogram", "nomogram_risk", "hazard_ratios", "proportional_hazards", "schoenfeld")
_TIMES = 12
_Z = 1.959963984540054
Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True, eq=False)
class Part:
    """A task and what its repetitions left; `grid` are the times of its curves, those of all its subjects."""

    task: Task
    done: tuple[Mapping[str, pl.DataFrame], ...]
    grid: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def name(self) -> str:
        """``further/endpoint/predictors/model``."""
        return f"further/{self.task.endpoint}/{self.task.predictors}/{self.task.model}"


def parts_of(planned: Plan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]) -> list[Part]:
    """Tasks whose repetitions all came out, and left something to look at further.

    Parameters
    ----------
    planned : Plan
    results : sequence
        As for :func:`radiolocus.outcome.performance.summarise`.
    """
    parts: dict[int, tuple[Task, list[Mapping[str, pl.DataFrame] | Exception]]] = {}
    for unit, result in zip(planned.units, results, strict=True):
        if not unit.permuted:
            parts.setdefault(id(unit.task), (unit.task, []))[1].append(result)
    found = []
    for task, own in parts.values():
        done = [r for r in own if not isinstance(r, Exception) and "curves" in r]
        if len(done) == len(own):
            found.append(_judged(task, done))
    return found


def _judged(task: Task, done: Sequence[Mapping[str, pl.DataFrame]]) -> Part:
    """Leave out subjects whom nobody held out (a temporal split), and what is no table of theirs."""
    kept = ("predictions", "curves", "shap", "importance")
    rows = np.flatnonzero(done[0]["predictions"]["fold"].to_numpy() >= 0)
    frames = [{name: frame[name] for name in kept if name in frame} for frame in done]
    grid = time_grid(task.target)
    if rows.size == task.target.n:
        return Part(task, tuple(frames), grid)
    trimmed = [{name: f[name] if name == "importance" else f[name][rows] for name in f} for f in frames]
    subject = tuple(task.subject[i] for i in rows)
    return Part(
        replace(task, subject=subject, target=task.target.take(rows), data=task.data.take(rows)), tuple(trimmed), grid
    )


def run_part(part: Part) -> Frames:
    """Compute the tables of a part, by the names of :data:`TABLES`, and ``notes``.

    Every table has the columns ``endpoint``, ``predictors`` and ``model`` first.
    """
    task, done = part.task, part.done
    score = np.stack([f["predictions"]["prediction"].to_numpy() for f in done])
    fold = np.stack([f["predictions"]["fold"].to_numpy() for f in done])
    tables = explanation_tables(task, done)
    notes: list[Problem] = []
    if task.target.time is not None and not task.target.needs & {"entry", "strata"}:
        tables |= _over_time(part, score, fold, notes)
    elif task.target.kind == "binary":
        tables |= _of_class(part)
    # Their unpenalised models know neither delayed entry nor strata nor weights.
    if task.target.kind in ("survival", "binary") and not task.target.needs:
        shown, found = show_everyone(task, _centred(score, fold))
        tables |= shown
        notes += found
    key = [pl.lit(v).alias(c) for c, v in (("endpoint", task.endpoint), ("predictors", task.predictors))]
    model = pl.lit(task.shown).alias("model")
    named = {
        name: table.select(*key, *(("model", pl.exclude("model")) if name in _OWN_MODEL else (model, pl.all())))
        for name, table in tables.items()
    }
    rows = [(n.got, n.severity, n.item, n.where, n.allowed, n.todo) for n in notes]
    columns = ("got", "severity", "item", "where", "allowed", "todo")
    return named | {"notes": pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row")}


def _centred(score: Array, fold: npt.NDArray[np.int64]) -> Array:
    """Mean over repetitions of the predictions less the mean of their fold."""
    total = np.zeros(score.shape[1])
    for s, f in zip(score, fold, strict=True):
        total += s - (np.bincount(f, weights=s) / np.maximum(np.bincount(f), 1))[f]
    return np.round(total / len(score), 12)


def _draws(task: Task) -> int:
    return min(task.options.bootstrap, DRAWS)


def _over_time(part: Part, score: Array, fold: npt.NDArray[np.int64], notes: list[Problem]) -> Frames:
    task, target, grid = part.task, part.task.target, part.grid
    draws, seed = _draws(task), task.options.seed
    survival, bare = (stacked([f["curves"] for f in part.done], name) for name in ("survival", "bare"))
    distance = np.stack(
        [(f["predictions"]["prediction"] - f["predictions"]["threshold"]).to_numpy() for f in part.done]
    )
    measures = assess_curves(target, score, fold, survival, bare, grid, draws, seed)
    if target.state is None:
        measures.append(assess_groups(target, high_risk(distance)))
    else:
        measures += assess_time_lost(target, high_risk(distance), draws, seed)
    curves: Frames = {}
    for t in horizons_of(target, task.options.horizons):
        risk = 1.0 - survival[:, :, _last(grid, t)] if t >= grid[0] else np.zeros(survival.shape[:2])
        if np.ptp(risk) == 0:
            continue
        try:
            found, calibration = assess_risk(target, risk, t, draws, seed)
            benefit = assess_net_benefit(target, risk, t, draws=draws, seed=seed)
        except RadiolocusError as error:
            notes.append(Problem("outcome", error.got, "no value", item=f"risk by {t:g}, {task.label}"))
            continue
        measures += found
        _append(curves, "calibration", _calibration(calibration, t))
        _append(curves, "decision", _decision(benefit, t))
    return {"evaluation": _measures(measures, task), "over_time": _course(part, score, fold, survival, bare)} | curves


def _last(grid: Array, time: float) -> int:
    return max(0, int(np.searchsorted(grid, time, side="right")) - 1)


def _course(part: Part, score: Array, fold: npt.NDArray[np.int64], survival: Array, bare: Array) -> pl.DataFrame:
    """AUC(t) and Brier score at up to twelve times between the first events and the last followed subjects."""
    task, target, grid = part.task, part.task.target, part.grid
    schema = {"metric": pl.String, "time": pl.Float64, "estimate": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
    if target.time is None:
        return pl.DataFrame(schema=schema)
    events = target.time[(target.event == 1) & (target.time <= truncation_of(target.time, target.event))]
    wanted = np.unique(np.quantile(events, np.linspace(0.15, 1.0, _TIMES), method="lower"))
    times = wanted[(wanted > 0) & (wanted < target.time.max())]
    rows = []
    for t in times.tolist():  # one at a time: a time that cannot be judged takes none of the others with it
        at = _last(grid, t)
        risk, without = (1.0 - curves[:, :, [at]] for curves in (survival, bare))
        try:
            found = out_of_fold_at_horizons(
                target, score, fold, risk, without, [t], -(-_draws(task) // len(score)), task.options.seed
            )
        except RadiolocusError:
            continue
        rows += [
            (f.metric, f.time, f.estimate, f.lower, f.upper) for f in found if f.metric not in ("Uno C", "Wolbers C")
        ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _of_class(part: Part) -> Frames:
    task = part.task
    risk = stacked([f["curves"] for f in part.done], "probability")
    if not np.isfinite(risk).all():
        return {}
    draws, seed = _draws(task), task.options.seed
    measures, calibration = assess_risk(task.target, risk, None, draws, seed)
    tables = {"evaluation": _measures(measures, task)}
    if np.ptp(risk) > 0:
        _append(tables, "calibration", _calibration(calibration, None))
        _append(tables, "decision", _decision(assess_net_benefit(task.target, risk, draws=draws, seed=seed), None))
    return tables


def _append(tables: Frames, name: str, table: pl.DataFrame) -> None:
    tables[name] = pl.concat([tables[name], table]) if name in tables else table


def _measures(measures: Sequence[Measure], task: Task) -> pl.DataFrame:
    rows = [
        (m.metric, m.time, m.estimate, m.lower, m.upper, task.target.n, task.target.events)
        for m in measures
        if np.isfinite(m.estimate)
    ]
    schema = {"metric": pl.String} | dict.fromkeys(("time", "estimate", "lower", "upper"), pl.Float64())
    frame = pl.DataFrame(rows, schema={**schema, "n": pl.Int64(), "events": pl.Int64()}, orient="row")
    return frame.with_columns(pl.col("time", "lower", "upper").fill_nan(None))


def _calibration(curve: Curve | None, time: float | None) -> pl.DataFrame:
    names = ("time", "predicted", "observed", "lower", "upper")
    if curve is None:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Float64()))
    columns = (curve.x, curve.estimate, curve.lower, curve.upper)
    frame = pl.DataFrame(dict(zip(names[1:], columns, strict=True)))
    known = frame.with_columns(pl.all().fill_nan(None)).filter(pl.col("observed").is_not_null())
    return known.select(pl.lit(time, pl.Float64).alias("time"), pl.all())


def _decision(curve: Curve, time: float | None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "threshold": curve.x,
            "net_benefit": curve.estimate,
            "lower": curve.lower,
            "upper": curve.upper,
            "treat_all": curve.reference,
        }
    ).with_columns(pl.all().fill_nan(None))
    return frame.select(pl.lit(time, pl.Float64).alias("time"), pl.all())


def gather(parts: Sequence[Part], results: Sequence[Mapping[str, pl.DataFrame] | Exception]) -> Summary:
    """Put the parts together; what a part raised is told and its tables are left out.

    Parameters
    ----------
    parts : sequence of Part
    results : sequence
        What :func:`run_part` returned for each, or the exception it raised.
    """
    tables = {name: [empty(f"outcome/{name}")] for name in TABLES}
    problems: list[Problem] = []
    for part, result in zip(parts, results, strict=True):
        if isinstance(result, RadiolocusError):
            problems.append(Problem("outcome", result.got, "no value", item=part.task.label, where=result.where))
            continue
        if isinstance(result, Exception):
            raise result
        for name in TABLES:
            if name in result:
                tables[name].append(conform(result[name], f"outcome/{name}"))
        problems += [Problem("outcome", **row) for row in result["notes"].iter_rows(named=True)]
    found = {f"outcome/{name}": pl.concat(own) for name, own in tables.items()}
    return Summary(found | {"outcome/comparison": _comparisons(parts)}, tuple(problems))


def _comparisons(parts: Sequence[Part]) -> pl.DataFrame:
    """Pairs of sets of predictors of a binary endpoint, clinical first and everything last, on the same subjects."""
    rows: list[tuple[object, ...]] = []
    binary = [p for p in parts if p.task.target.kind == "binary"]
    for first, second in permutations(binary, 2):
        a, b = first.task, second.task
        forward = a.predictors == "clinical" or (b.predictors == "all" and a.predictors != "all")
        if forward and (a.endpoint, a.model, a.subject) == (b.endpoint, b.model, b.subject):
            rows += [(a.endpoint, a.shown, a.predictors, b.predictors, *row) for row in _compared(first, second)]
    return conform(pl.DataFrame(rows, schema=empty("outcome/comparison").schema, orient="row"), "outcome/comparison")


def _compared(first: Part, second: Part) -> list[tuple[object, ...]]:
    label = first.task.target.event
    old, new = (stacked([f["curves"] for f in p.done], "probability").mean(axis=0) for p in (first, second))
    counts = (first.task.target.n, first.task.target.events)
    try:
        test, moved = delong_paired(label, new, old), reclassification(label, old, new)
    except RadiolocusError:
        return []
    rows: list[tuple[object, ...]] = [
        ("AUC difference", test.difference, test.lower, test.upper, test.neg_log10_p, "", *counts)
    ]
    for name, value, error in (("NRI", moved.nri, moved.nri_error), ("IDI", moved.idi, moved.idi_error)):
        rows.append((name, value, value - _Z * error, value + _Z * error, None, moved.warning, *counts))
    for name, value in (("NRI, events", moved.nri_positive), ("NRI, non-events", moved.nri_negative)):
        rows.append((name, value, None, None, None, moved.warning, *counts))
    return [tuple(None if isinstance(v, float) and not np.isfinite(v) else v for v in row) for row in rows]
