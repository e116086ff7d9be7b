"""Out-of-fold performance of each block of predictors, and of all together.

The work is cut into units, endpoint × predictors × model × repetition, each a pure function of its input: units may run
in any order, in any process, and may be kept between runs. :func:`radiolocus.outcome.tasks.plan` cuts, :func:`run_unit`
computes one, :func:`summarise` puts the tables together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from radiolocus.errors import RadiolocusError, UndefinedError
from radiolocus.learn.classes import out_of_fold_classes
from radiolocus.learn.discrimination import metric_of, out_of_fold_discrimination
from radiolocus.learn.horizons import horizons_of, out_of_fold_at_horizons
from radiolocus.learn.null import permuted, protocol_statistic
from radiolocus.learn.protocol import Protocol, Repeat
from radiolocus.learn.resampled import resampled_discrimination
from radiolocus.model import Array, Problem
from radiolocus.outcome.audit import permutation_audit
from radiolocus.outcome.class_tables import class_tables
from radiolocus.outcome.explained import bare_risk, repeat_frames
from radiolocus.outcome.groups import risk_groups
from radiolocus.outcome.notes import HORIZONS, told_once
from radiolocus.outcome.tasks import Plan, Task, Unit, plan
from radiolocus.schema import CONTROL, conform, empty

__all__ = ["Plan", "Summary", "Task", "Unit", "plan", "run_unit", "summarise"]


@dataclass(frozen=True, eq=False)
class Summary:
    """The tables of the stage by name, and what happened on the way (beside the problems of the plan)."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def run_unit(unit: Unit) -> dict[str, pl.DataFrame]:
    """Compute one repetition, or one run on a permuted outcome.

    Returns
    -------
    dict of str to polars.DataFrame
        ``predictions`` (as table ``outcome/predictions``, and the risk-group ``threshold`` of the subject's model),
        ``risks`` (probability of the event by each horizon, of the model and of the same without predictors; survival
        only), ``selection`` (coefficient of every column that an outer fit used) and ``notes`` (what happened, how
        often), and what :func:`radiolocus.outcome.explained.repeat_frames` keeps. Of a bootstrap sample ``fold`` holds
        how often the subject was drawn. Of a permuted outcome ``permuted`` alone: what the protocol gave.

    Raises
    ------
    FitError
        The model cannot be fitted to these subjects.
    """
    task = unit.task
    protocol = Protocol(task.options, task.model)
    if unit.permuted:
        statistic = protocol_statistic(protocol, task.data, task.rows)
        return {"permuted": pl.DataFrame({"value": [statistic(permuted(task.target, task.options.seed, unit.repeat))]})}
    if task.options.split == "bootstrap":
        bag = protocol.draw(task.data, task.target, unit.repeat, task.rows)
        threshold = np.full(task.target.n, bag.model.threshold)
        chances = bag.model.probability(task.data) if task.target.levels else None
        found = Repeat(bag.times, bag.prediction, threshold, (bag.model,), bag.notes, chances)
    else:
        found = protocol.run(task.data, task.target, unit.repeat, task.rows)
    key = {"endpoint": task.endpoint, "predictors": task.predictors, "model": task.shown}
    predictions = pl.DataFrame(
        {
            "subject": task.subject,
            "fold": found.fold,
            "prediction": found.prediction,
            "threshold": found.threshold,
        }
    ).with_columns(pl.col("prediction", "threshold").fill_nan(None))
    notes = pl.DataFrame(
        list(found.notes), schema={"item": pl.String, "got": pl.String, "count": pl.Int64}, orient="row"
    )
    named = [pl.lit(value).alias(name) for name, value in key.items()]
    repeat = pl.lit(unit.repeat, dtype=pl.Int64).alias("repeat")
    return {
        "predictions": predictions.select(*named, "subject", repeat, "fold", "prediction", "threshold"),
        "risks": _risks(task, found).select(*named, "subject", repeat, pl.exclude("subject")),
        "selection": _coefficients(found).select(*named, repeat, pl.all()),
        "notes": notes.select(*named, pl.all()),
        **({"classes": _chances(found)} if task.target.levels else {}),
        **repeat_frames(task, found, unit.repeat),
    }


def _chances(found: Repeat) -> pl.DataFrame:
    """Probability of each class of every subject, one list a subject."""
    chances = np.zeros((0, 0)) if found.probability is None else found.probability
    return pl.DataFrame([pl.Series("probability", chances.tolist(), dtype=pl.List(pl.Float64))])


def _coefficients(found: Repeat) -> pl.DataFrame:
    rows = [
        (k, column, block, float(coefficient))
        for k, model in enumerate(found.models)
        for column, block, coefficient in zip(
            model.preprocess.columns, model.preprocess.blocks, model.fit.coefficient, strict=True
        )
        if coefficient != 0.0  # NaN: used, without a coefficient
    ]
    schema = {"fold": pl.Int64, "predictor": pl.String, "block": pl.String, "coefficient": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("coefficient").fill_nan(None))


def _risks(task: Task, found: Repeat) -> pl.DataFrame:
    """Risk of every subject by each horizon, with the baseline hazard of the training part of its fold."""
    target, horizons = task.target, horizons_of(task.target, task.options.horizons)
    with_predictors, without = np.full((2, target.n, len(horizons)), np.nan)
    if target.time is not None and horizons and task.options.split == "bootstrap":
        sample = target.take(np.repeat(np.arange(target.n), found.fold))
        with_predictors = 1.0 - found.models[0].survival(task.data, horizons)
        without[:] = bare_risk(sample, horizons, task.options.ties)
    elif target.time is not None and horizons:
        for k, model in enumerate(found.models):
            inside, held_out = found.fold != k, found.fold == k
            with_predictors[held_out] = 1.0 - model.survival(task.data.take(held_out), horizons)
            without[held_out] = bare_risk(target.take(inside), horizons, task.options.ties)
    return pl.DataFrame(
        {
            "subject": np.repeat(np.array(task.subject, dtype=object), len(horizons)),
            "time": np.tile(np.array(horizons, dtype=np.float64), target.n),
            "risk": with_predictors.ravel(),
            "without": without.ravel(),
        },
        schema={"subject": pl.String, "time": pl.Float64, "risk": pl.Float64, "without": pl.Float64},
    )


def summarise(planned: Plan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]) -> Summary:
    """Put the units together.

    Parameters
    ----------
    planned : Plan
    results : sequence
        What :func:`run_unit` returned for each unit of the plan, in its order, or the exception it raised. A task of
        which any repetition failed is left out, with the reason.

    Returns
    -------
    Summary
        Tables ``outcome/univariate``, ``performance``, ``horizons``, ``predictions``, ``selection``, ``groups``,
        ``kaplan_meier``, ``logrank``, ``audit`` and ``protocol``. Selection lists the columns that at least one outer
        fit used. Of a bootstrap risk groups and horizons are those of the subjects that samples left out.
    """
    names = ["performance", "horizons", "predictions", "selection", "groups", "kaplan_meier", "logrank"]
    names += ["incidence", "gray", "classes", "class_calibration"]
    parts: dict[str, list[pl.DataFrame]] = {name: [empty(f"outcome/{name}")] for name in names}
    problems: list[Problem] = []
    timed: dict[str, Task] = {}
    audits = [planned.audit]
    begin = 0
    while begin < len(planned.units):
        task = planned.units[begin].task
        own = results[begin : begin + task.options.runs]
        begin += task.options.runs
        if task.permutations:
            draws = [_permuted_value(result, task) for result in results[begin : begin + task.permutations]]
            begin += task.permutations
            table, found = permutation_audit(task, np.array(draws))
            audits.append(table)
            problems += found
        failed = next((r for r in own if isinstance(r, Exception)), None)
        if failed is not None:
            problems.append(_failed(failed, task))
            continue
        done = [r for r in own if not isinstance(r, Exception)]
        try:
            tables, found = _task_tables(task, done)
        except RadiolocusError as error:
            problems.append(_failed(error, task))
            continue
        problems += found
        if "horizons" in tables:
            timed[task.label] = task
        for name, table in tables.items():
            parts[name].append(conform(table, f"outcome/{name}"))
    tables = {f"outcome/{name}": pl.concat(tables) for name, tables in parts.items()}
    tables |= {"outcome/audit": pl.concat(audits), "outcome/protocol": _steps(planned)}
    if tables["outcome/logrank"].height or tables["outcome/gray"].height:
        problems.append(_CAVEAT)
    return Summary({"outcome/univariate": planned.univariate, **tables}, tuple(told_once(problems, timed)))


def _permuted_value(result: Mapping[str, pl.DataFrame] | Exception, task: Task) -> float:
    if isinstance(result, Exception):
        _failed(result, task)  # raises what is no fault of the permuted outcome
        return float("nan")
    return float(result["permuted"]["value"][0])


def _steps(planned: Plan) -> pl.DataFrame:
    tasks = {unit.task.shown: unit.task for unit in planned.units}
    rows = [(name, *step) for name, task in tasks.items() for step in Protocol(task.options, task.model).steps()]
    schema = {"model": pl.String, "step": pl.String, "how": pl.String}
    return conform(pl.DataFrame(rows, schema=schema, orient="row"), "outcome/protocol")


_CAVEAT = Problem(
    "outcome",
    "tests and hazard ratios compare risk groups that were assigned out of fold; the subjects of different "
    "folds are not independent, so that p-values and intervals describe and do not prove "
    "(Simon et al. 2011, Brief Bioinform 12:203)",
    "note",
    item="risk groups",
)


def _task_tables(
    task: Task, done: Sequence[Mapping[str, pl.DataFrame]]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    predictions = pl.concat([r["predictions"] for r in done])
    key = pl.DataFrame({"endpoint": [task.endpoint], "predictors": [task.predictors], "model": [task.shown]})
    if task.options.split == "bootstrap":
        return _bootstrap_tables(task, done, predictions, key)
    judged = (predictions["fold"].to_numpy() >= 0)[: task.target.n]
    if not judged.all():
        task = replace(
            task,
            subject=tuple(s for s, kept in zip(task.subject, judged, strict=True) if kept),
            target=task.target.take(judged),
            data=task.data.take(judged),
        )
        predictions = predictions.filter(pl.col("fold") >= 0)
    risks = pl.concat([r["risks"] for r in done]).filter(pl.col("subject").is_in(list(task.subject)))
    chances = None
    if task.target.levels:
        chances = np.stack([np.array(r["classes"]["probability"].to_list())[judged] for r in done])
    tables = {
        "performance": key.hstack(_performance(task, predictions, chances)),
        "predictions": predictions.drop("threshold"),
        "selection": _selection(task, done, predictions),
    }
    problems = _notes(task, pl.concat([r["notes"] for r in done]))
    if task.predictors.startswith(CONTROL):
        return {"performance": tables["performance"], "predictions": tables["predictions"]}, problems
    if task.target.time is not None:
        found_tables, told = _timed_tables(task, predictions, risks)
        tables |= {name: key.join(table, how="cross") for name, table in found_tables.items()}
        problems += told
    elif chances is not None:
        found_tables = class_tables(task, chances, predictions["fold"].to_numpy().reshape(len(done), -1))
        tables |= {name: key.join(table, how="cross") for name, table in found_tables.items()}
    return tables, problems


def _timed_tables(
    task: Task, predictions: pl.DataFrame, risks: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Risk groups, and performance at times, without the columns that name the task."""
    groups, problems = risk_groups(task.target, task.subject, predictions, task.label)
    at_times, told = _at_horizons(task, predictions, risks, task.label)
    return groups | {"horizons": at_times}, problems + told


def _bootstrap_tables(
    task: Task, done: Sequence[Mapping[str, pl.DataFrame]], predictions: pl.DataFrame, key: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Tables of a bootstrap: repetition 0 is the model of everybody, the others are samples."""
    times = predictions["fold"].to_numpy().reshape(-1, task.target.n)
    score = predictions["prediction"].to_numpy().reshape(-1, task.target.n)
    found = resampled_discrimination(
        task.target, score[0], score[1:], times[1:], task.options.bootstrap, task.options.seed
    )
    rows = [_row(task, r.estimate, r.lower, r.upper, r.samples, 0, r.method) for r in found]
    left_out = predictions.filter((pl.col("fold") == 0) & (pl.col("repeat") > 0))
    samples = predictions.filter(pl.col("repeat") > 0).with_columns(fold=pl.lit(0, pl.Int64))
    tables = {
        "performance": key.join(pl.concat(rows), how="cross"),
        "predictions": left_out.drop("threshold"),
        "selection": _selection(task, done[1:], samples),
    }
    problems = _notes(task, pl.concat([r["notes"] for r in done]))
    ever = (times[1:] == 0).any(axis=0)
    if task.target.time is not None and ever.any() and not task.predictors.startswith(CONTROL):
        if not ever.all():
            got = f"{int((~ever).sum())} subjects were in every sample: nobody predicts them at times or groups them"
            problems.append(Problem("outcome", got, "note", item="bootstrap", where=task.label))
        whom = [s for s, kept in zip(task.subject, ever, strict=True) if kept]
        task = replace(task, subject=tuple(whom), target=task.target.take(ever), data=task.data.take(ever))
        # Who was drawn into a sample is not held out by it: fold −1, and no vote on his risk group.
        out = predictions.filter((pl.col("repeat") > 0) & pl.col("subject").is_in(whom)).with_columns(
            fold=pl.when(pl.col("fold") == 0).then(0).otherwise(-1).cast(pl.Int64),
            threshold=pl.when(pl.col("fold") == 0).then(pl.col("threshold")).otherwise(float("nan")),
        )
        risks = pl.concat([r["risks"] for r in done[1:]]).filter(pl.col("subject").is_in(whom))
        found_tables, told = _timed_tables(task, out, risks)
        tables |= {name: key.join(table, how="cross") for name, table in found_tables.items()}
        problems += told
    return tables, problems


def _performance(task: Task, predictions: pl.DataFrame, chances: Array | None = None) -> pl.DataFrame:
    shape = (-1, len(task.subject))
    fold = predictions["fold"].to_numpy().reshape(shape)
    score = predictions["prediction"].to_numpy().reshape(shape)
    draws, seed = task.options.bootstrap, task.options.seed
    if chances is not None and task.target.kind == "multiclass":
        found = out_of_fold_classes(task.target, chances, fold, draws, seed)
    else:
        found = out_of_fold_discrimination(task.target, score, fold, draws, seed)
    return _row(task, found.estimate, found.lower, found.upper, len(fold), int(fold.max()) + 1, task.options.split)


def _row(task: Task, estimate: float, lower: float, upper: float, repeats: int, folds: int, split: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "kind": [task.target.kind],
            "metric": [metric_of(task.target)],
            "estimate": [estimate],
            "lower": [lower],
            "upper": [upper],
            "n": [task.target.n],
            "events": [task.target.events],
            "candidates": [task.data.candidates],
            "repeats": [repeats],
            "folds": [folds],
            "split": [split],
        }
    )


def _at_horizons(
    task: Task, predictions: pl.DataFrame, risks: pl.DataFrame, where: str
) -> tuple[pl.DataFrame, list[Problem]]:
    # Those at which the risks were taken: of all subjects, more than are judged here where some were never held out.
    told = risks["time"].unique().sort().to_list()
    last = 0.0 if task.target.time is None else float(task.target.time.max())
    kept = [k for k, t in enumerate(told) if t < last]
    horizons = [told[k] for k in kept]
    problems = [
        Problem(
            "outcome",
            f"the horizon {t:g} is not before the last time of follow-up and was left out",
            "note",
            item=HORIZONS,
            where=where,
        )
        for t in task.options.horizons
        if t not in horizons
    ]
    if task.target.needs & {"entry", "strata"}:
        got = "no performance at times: neither weights by censoring nor one risk for all with delayed entry or strata"
        return empty("outcome/horizons").drop("endpoint", "predictors", "model"), [
            Problem("outcome", got, "note", item=HORIZONS, where=where)
        ]
    schema = {"metric": pl.String, "time": pl.Float64, "estimate": pl.Float64, "lower": pl.Float64}
    schema |= {"upper": pl.Float64, "n": pl.Int64, "events": pl.Int64}
    shape = (-1, len(task.subject))

    # Spelled out, since there may be no horizon: where all times are tied none lies before the last.
    of_risks = (predictions.height // shape[1], shape[1], len(told))
    bootstrap = task.options.split == "bootstrap"
    draws = task.options.bootstrap
    try:
        found = out_of_fold_at_horizons(
            task.target,
            predictions["prediction"].to_numpy().reshape(shape),
            predictions["fold"].to_numpy().reshape(shape),
            risks["risk"].to_numpy().reshape(of_risks)[:, :, kept],
            risks["without"].to_numpy().reshape(of_risks)[:, :, kept],
            horizons,
            max(10, -(-10 * draws // task.options.resamples)) if bootstrap else draws,
            task.options.seed,
            partial=bootstrap,
        )
    except UndefinedError as error:
        problems.append(Problem("outcome", error.message, "note", item=HORIZONS, where=where))
        return pl.DataFrame(schema=schema), problems
    rows = [(f.metric, f.time, f.estimate, f.lower, f.upper, task.target.n, f.events) for f in found]
    return pl.DataFrame(rows, schema=schema, orient="row"), problems


def _selection(task: Task, done: Sequence[Mapping[str, pl.DataFrame]], predictions: pl.DataFrame) -> pl.DataFrame:
    fits = predictions.select("repeat", "fold").n_unique()
    return (
        pl.concat([r["selection"] for r in done])
        .group_by("endpoint", "predictors", "model", "predictor", "block")
        .agg(
            (pl.len() / fits).alias("fraction"),
            pl.when(pl.col("coefficient").is_null().any())
            .then(None)
            .otherwise(pl.col("coefficient").sum() / fits)
            .alias("mean_coefficient"),
        )
        .sort(["fraction", "predictor", "block"], descending=[True, False, False])
    )


def _notes(task: Task, notes: pl.DataFrame) -> list[Problem]:
    total = notes.group_by("item", "got", maintain_order=True).agg(pl.col("count").sum())
    return [
        Problem(
            "outcome",
            row["got"],
            "note",
            item=row["item"] or None,
            where=task.label,
            count=row["count"],
        )
        for row in total.iter_rows(named=True)
    ]


def _failed(error: Exception, task: Task) -> Problem:
    if isinstance(error, RadiolocusError):
        return _problem(error, task.label)
    raise error


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
