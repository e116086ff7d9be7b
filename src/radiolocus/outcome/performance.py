"""Out-of-fold performance of each block of predictors, and of all together.

The work is cut into units, endpoint × predictors × repetition, each a pure function of its input: units may run in any
order, in any process, and may be kept between runs. :func:`plan` cuts, :func:`run_unit` computes one,
:func:`summarise` puts the tables together.

Who is judged: each block on the subjects that have it, ``all`` on the subjects that have every block; with
``same_subjects`` every block on the latter. A block that a subject lacks altogether is never imputed. Folds depend on
the seed, the repetition and the subjects alone, so that blocks with the same subjects share their folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from radiolocus.errors import RadiolocusError, UndefinedError
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.horizons import horizons_of, out_of_fold_at_horizons
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.protocol import Repeat, cross_validate, family_of
from radiolocus.learn.target import Target
from radiolocus.model import Endpoint, Problem
from radiolocus.outcome.blocks import Block, Known, chosen_endpoints, read_blocks, rows_of, target_of
from radiolocus.outcome.groups import risk_groups
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.univariate import univariate
from radiolocus.schema import CONTROL, conform, empty
from radiolocus.stats.cox import cox_risk

__all__ = ["Plan", "Summary", "Task", "Unit", "plan", "run_unit", "summarise"]

ALL = "all"


@dataclass(frozen=True, eq=False)
class Task:
    """One endpoint predicted from one set of predictors.

    Parameters
    ----------
    endpoint, predictors : str
        Names.
    subject : tuple of str
    target : Target
    data : Predictors
        Both aligned with `subject`.
    options : OutcomeOptions
    """

    endpoint: str
    predictors: str
    subject: tuple[str, ...]
    target: Target
    data: Predictors
    options: OutcomeOptions


@dataclass(frozen=True, eq=False)
class Unit:
    """One repetition of a task; `name` identifies it within a study."""

    task: Task
    repeat: int

    @property
    def name(self) -> str:
        """``endpoint/predictors/repeat``."""
        return f"{self.task.endpoint}/{self.task.predictors}/{self.repeat}"


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed.

    Parameters
    ----------
    units : tuple of Unit
        Repetitions of a task stand together.
    univariate : polars.DataFrame
        Table ``outcome/univariate``; computed already, since it takes no time worth dividing.
    problems : tuple of Problem
        What cannot be computed, and who is left out.
    """

    units: tuple[Unit, ...]
    univariate: pl.DataFrame
    problems: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class Summary:
    """The tables of the stage by name, and what happened on the way (beside the problems of the plan)."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def plan(
    endpoints: Mapping[str, Endpoint],
    frames: Mapping[str, pl.DataFrame],
    options: OutcomeOptions,
    controls: Mapping[str, pl.DataFrame] | None = None,
) -> Plan:
    """Align endpoints and predictors, judge every predictor alone, and cut the rest of the work into units.

    Parameters
    ----------
    endpoints : mapping of str to Endpoint
        The cohort's endpoints.
    frames : mapping of str to polars.DataFrame
        See :func:`radiolocus.outcome.blocks.read_blocks`.
    options : OutcomeOptions
    controls : mapping of str to polars.DataFrame, optional
        Negative controls of the block ``imaging``, by name, as blocks of their own: judged out of fold on the subjects
        that the block ``imaging`` is judged on, with its folds, and part of nothing else.

    Returns
    -------
    Plan
        An endpoint that cannot be predicted (no events, one class, too few) is a problem, not an exception.

    Raises
    ------
    ConfigError
        An unknown endpoint or clinical column.
    TableError
        A subject twice in a table.
    """
    blocks, problems = read_blocks(frames, options)
    against, found = read_blocks({f"{CONTROL}{name}": frame for name, frame in (controls or {}).items()}, options)
    problems += found
    tasks: list[Task] = []
    singles: list[pl.DataFrame] = []
    for endpoint in chosen_endpoints(endpoints, options):
        try:
            known, found = target_of(endpoint)
        except RadiolocusError as error:
            problems.append(_problem(error, endpoint.name))
            continue
        problems += found
        table, found = univariate(known, blocks, options)
        singles.append(table)
        problems += found
        for name, members in _sets(blocks).items():
            task, found = _task(known, name, members, blocks, options)
            problems += found
            tasks += [task] if task is not None else []
        for name in against if "imaging" in blocks else ():
            task, found = _task(known, name, (name, "imaging"), blocks | against, options)
            problems += found
            tasks += [_alone(task, against[name])] if task is not None else []
    units = tuple(Unit(task, repeat) for task in tasks for repeat in range(options.repeats))
    return Plan(units, pl.concat([empty("outcome/univariate"), *singles]), tuple(problems))


def run_unit(unit: Unit) -> dict[str, pl.DataFrame]:
    """Compute one repetition.

    Returns
    -------
    dict of str to polars.DataFrame
        ``predictions`` (as table ``outcome/predictions``, and the risk-group ``threshold`` of the subject's model),
        ``risks`` (probability of the event by each horizon, of the model and of the same without predictors; survival
        only), ``selection`` (coefficient of every column that an outer fit used) and ``notes`` (what happened, how
        often).

    Raises
    ------
    FitError
        The model cannot be fitted to these subjects.
    """
    task = unit.task
    found = cross_validate(task.data, task.target, task.options, unit.repeat)
    key = {"endpoint": task.endpoint, "predictors": task.predictors}
    predictions = pl.DataFrame(
        {
            "subject": task.subject,
            "fold": found.fold,
            "prediction": found.prediction,
            "threshold": found.threshold,
        }
    )
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
    }


def _coefficients(found: Repeat) -> pl.DataFrame:
    rows = [
        (k, column, block, float(coefficient))
        for k, model in enumerate(found.models)
        for column, block, coefficient in zip(
            model.preprocess.columns, model.preprocess.blocks, model.fit.coefficient, strict=True
        )
        if coefficient != 0.0
    ]
    schema = {"fold": pl.Int64, "predictor": pl.String, "block": pl.String, "coefficient": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _risks(task: Task, found: Repeat) -> pl.DataFrame:
    """Risk of every subject by each horizon, with the baseline hazard of the training part of its fold."""
    target, horizons = task.target, horizons_of(task.target, task.options.horizons)
    with_predictors, without = np.empty((2, target.n, len(horizons)))
    if target.time is not None and horizons:
        for k, model in enumerate(found.models):
            inside, held_out = found.fold != k, found.fold == k
            fitted = model.predict(task.data.take(inside))
            for risk, known, new in (
                (with_predictors, fitted, found.prediction[held_out]),
                (without, np.zeros(fitted.size), np.zeros(int(held_out.sum()))),
            ):
                risk[held_out] = cox_risk(
                    target.time[inside], target.event[inside], known, new, horizons, ties=task.options.ties
                )
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
        ``kaplan_meier`` and ``logrank``. Selection lists the columns that at least one outer fit used.
    """
    names = ("performance", "horizons", "predictions", "selection", "groups", "kaplan_meier", "logrank")
    parts: dict[str, list[pl.DataFrame]] = {name: [empty(f"outcome/{name}")] for name in names}
    problems: list[Problem] = []
    begin = 0
    while begin < len(planned.units):
        task = planned.units[begin].task
        own = results[begin : begin + task.options.repeats]
        begin += task.options.repeats
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
        for name, table in tables.items():
            parts[name].append(conform(table, f"outcome/{name}"))
    tables = {f"outcome/{name}": pl.concat(tables) for name, tables in parts.items()}
    if tables["outcome/logrank"].height:
        problems.append(_CAVEAT)
    return Summary({"outcome/univariate": planned.univariate, **tables}, tuple(problems))


_CAVEAT = Problem(
    "outcome",
    "log-rank tests and hazard ratios compare risk groups that were assigned out of fold; the subjects of different "
    "folds are not independent, so that p-values and intervals describe and do not prove "
    "(Simon et al. 2011, Brief Bioinform 12:203)",
    "note",
    item="risk groups",
)


def _task_tables(
    task: Task, done: Sequence[Mapping[str, pl.DataFrame]]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    predictions = pl.concat([r["predictions"] for r in done])
    key = pl.DataFrame({"endpoint": [task.endpoint], "predictors": [task.predictors]})
    tables = {
        "performance": key.hstack(_performance(task, predictions)),
        "predictions": predictions.drop("threshold"),
        "selection": _selection(task, done, predictions),
    }
    problems = _notes(task, pl.concat([r["notes"] for r in done]))
    if task.predictors.startswith(CONTROL):
        return {"performance": tables["performance"], "predictions": tables["predictions"]}, problems
    if task.target.kind == "survival":
        where = f"{task.endpoint} from {task.predictors}"
        groups, found = risk_groups(task.target, task.subject, predictions, where)
        at_times, told = _at_horizons(task, predictions, pl.concat([r["risks"] for r in done]), where)
        tables |= {name: key.join(table, how="cross") for name, table in (groups | {"horizons": at_times}).items()}
        problems += [*found, *told]
    return tables, problems


def _performance(task: Task, predictions: pl.DataFrame) -> pl.DataFrame:
    shape = (-1, len(task.subject))
    fold = predictions["fold"].to_numpy().reshape(shape)
    score = predictions["prediction"].to_numpy().reshape(shape)
    found = out_of_fold_discrimination(task.target, score, fold, task.options.bootstrap, task.options.seed)
    family = family_of(task.target, task.options)
    return pl.DataFrame(
        {
            "kind": [task.target.kind],
            "model": [family.name],
            "metric": [family.metric],
            "estimate": [found.estimate],
            "lower": [found.lower],
            "upper": [found.upper],
            "n": [task.target.n],
            "events": [task.target.events],
            "candidates": [task.data.candidates],
            "repeats": [len(fold)],
            "folds": [int(fold.max()) + 1],
        }
    )


def _at_horizons(
    task: Task, predictions: pl.DataFrame, risks: pl.DataFrame, where: str
) -> tuple[pl.DataFrame, list[Problem]]:
    horizons = horizons_of(task.target, task.options.horizons)
    problems = [
        Problem(
            "outcome",
            f"the horizon {t:g} is not before the last time of follow-up and was left out",
            "note",
            item="horizons",
            where=where,
        )
        for t in task.options.horizons
        if t not in horizons
    ]
    schema = {"metric": pl.String, "time": pl.Float64, "estimate": pl.Float64, "lower": pl.Float64}
    schema |= {"upper": pl.Float64, "n": pl.Int64, "events": pl.Int64}
    shape = (-1, len(task.subject))

    of_risks = (task.options.repeats, shape[1], len(horizons))
    try:
        found = out_of_fold_at_horizons(
            task.target,
            predictions["prediction"].to_numpy().reshape(shape),
            predictions["fold"].to_numpy().reshape(shape),
            risks["risk"].to_numpy().reshape(of_risks),
            risks["without"].to_numpy().reshape(of_risks),
            horizons,
            task.options.bootstrap,
            task.options.seed,
        )
    except UndefinedError as error:
        problems.append(Problem("outcome", error.message, "note", item="horizons", where=where))
        return pl.DataFrame(schema=schema), problems
    rows = [(f.metric, f.time, f.estimate, f.lower, f.upper, task.target.n, f.events) for f in found]
    return pl.DataFrame(rows, schema=schema, orient="row"), problems


def _selection(task: Task, done: Sequence[Mapping[str, pl.DataFrame]], predictions: pl.DataFrame) -> pl.DataFrame:
    fits = predictions.select("repeat", "fold").n_unique()
    return (
        pl.concat([r["selection"] for r in done])
        .group_by("endpoint", "predictors", "predictor", "block")
        .agg((pl.len() / fits).alias("fraction"), (pl.col("coefficient").sum() / fits).alias("mean_coefficient"))
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
            where=f"{task.endpoint} from {task.predictors}",
            count=row["count"],
        )
        for row in total.iter_rows(named=True)
    ]


def _sets(blocks: Mapping[str, Block]) -> dict[str, tuple[str, ...]]:
    sets: dict[str, tuple[str, ...]] = {name: (name,) for name in blocks}
    return {**sets, ALL: tuple(blocks)} if len(blocks) > 1 else sets


def _task(
    known: Known, name: str, members: tuple[str, ...], blocks: Mapping[str, Block], options: OutcomeOptions
) -> tuple[Task | None, list[Problem]]:
    needed = tuple(b for b in blocks if not b.startswith(CONTROL) or b in members) if options.same_subjects else members
    have = np.array([all(s in blocks[b].row for b in needed) for s in known.subject], dtype=bool)
    problems = []
    label = f"{known.endpoint.name} from {name}"
    lacking = int((~have).sum())
    if lacking:
        counts = ", ".join(
            f"{count} without {b}" for b in needed if (count := sum(s not in blocks[b].row for s in known.subject))
        )
        got = f"{lacking} of {have.size} subjects left out: {counts}"
        problems.append(Problem("outcome", got, "note", item=label, count=lacking))
    target = known.target.take(have)
    try:
        target.check()
    except RadiolocusError as error:
        return None, [*problems, _problem(error, label)]
    subject = tuple(s for s, kept in zip(known.subject, have, strict=True) if kept)
    data = join_predictors([blocks[b].predictors.take(rows_of(blocks[b], subject)) for b in members])
    return Task(known.endpoint.name, name, subject, target, data, options), problems


def _alone(task: Task, block: Block) -> Task:
    """The task of a control: its subjects are those that have the block it is compared with, its predictors its own."""
    return replace(task, data=block.predictors.take(rows_of(block, task.subject)))


def _failed(error: Exception, task: Task) -> Problem:
    label = f"{task.endpoint} from {task.predictors}"
    if isinstance(error, RadiolocusError):
        return _problem(error, label)
    raise error


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
