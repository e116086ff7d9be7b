"""Patients who lack a block: what each model does about it, judged on those who have everything and on all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import UndefinedError
from radiolocus.learn.discrimination import metric_of, out_of_fold_discrimination
from radiolocus.model import Array, BoolArray
from radiolocus.outcome.sets import ALL, PARTIAL, is_partial
from radiolocus.outcome.tasks import Plan, Task
from radiolocus.schema import conform, empty

__all__ = ["missing_modality_table"]

_WHOLE, _EVERYBODY, _LACKING = "all blocks", "everybody", "a block lacking"


def missing_modality_table(planned: Plan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]) -> pl.DataFrame:
    """Judge every strategy on both patterns of subjects.

    Parameters
    ----------
    planned : Plan
    results : sequence
        As for :func:`radiolocus.outcome.performance.summarise`.

    Returns
    -------
    polars.DataFrame
        Table ``outcome/missing_modality``; empty where no strategy was asked for.
    """
    tasks: dict[int, tuple[Task, list[Mapping[str, pl.DataFrame] | Exception]]] = {}
    for unit, result in zip(planned.units, results, strict=True):
        if not unit.permuted and unit.task.options.split != "bootstrap":
            tasks.setdefault(id(unit.task), (unit.task, []))[1].append(result)
    wide = {task.endpoint: task for task, _ in tasks.values() if is_partial(task.predictors)}
    rows: list[tuple[object, ...]] = []
    for task, own in tasks.values():
        done = [r for r in own if not isinstance(r, Exception)]
        everybody = wide.get(task.endpoint)
        if everybody is None or len(done) < len(own) or not (task.predictors == ALL or is_partial(task.predictors)):
            continue
        strategy = task.predictors.removeprefix(PARTIAL) if is_partial(task.predictors) else "complete"
        score = np.stack([r["predictions"]["prediction"].fill_null(np.nan).to_numpy() for r in done])
        fold = np.stack([r["predictions"]["fold"].to_numpy() for r in done])
        complete: BoolArray = np.asarray(np.column_stack([task.data.having(b) for b in task.data.blocks]).all(axis=1))
        patterns = {_WHOLE: complete, _EVERYBODY: np.ones(task.target.n, dtype=np.bool_), _LACKING: ~complete}
        left_out = everybody.target.n - task.target.n
        for name, inside in patterns.items():
            if strategy == "complete" and name != _WHOLE:
                continue
            found = _judged(task, score, fold, inside)
            if found is not None:
                rows.append((task.endpoint, task.shown, strategy, name, *found, left_out))
    schema = empty("outcome/missing_modality").schema
    return conform(pl.DataFrame(rows, schema=schema, orient="row"), "outcome/missing_modality")


def _judged(
    task: Task, score: Array, fold: npt.NDArray[np.int64], inside: BoolArray
) -> tuple[str, float | None, float | None, float | None, int, int] | None:
    rows = np.flatnonzero(inside & (fold >= 0).all(axis=0))
    if rows.size == 0:
        return None
    target = task.target.take(rows)
    if target.kind == "multiclass":  # no single score ranks classes without an order
        return None
    metric = metric_of(target) if not target.levels else "concordance"
    try:
        found = out_of_fold_discrimination(
            target, score[:, rows], fold[:, rows], task.options.bootstrap, task.options.seed
        )
    except UndefinedError:
        return metric, None, None, None, target.n, target.events
    return metric, found.estimate, found.lower, found.upper, target.n, target.events
