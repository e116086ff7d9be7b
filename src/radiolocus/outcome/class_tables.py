"""Tables of endpoints of several classes: scores, cuts and calibration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.learn.assess import DRAWS
from radiolocus.learn.assess_classes import assess_classes
from radiolocus.model import Array
from radiolocus.outcome.tasks import Task

__all__ = ["class_tables"]


def class_tables(task: Task, probability: Array, fold: npt.NDArray[np.int64]) -> dict[str, pl.DataFrame]:
    """Return the tables ``classes`` and ``class_calibration`` of a task, without the columns that name it.

    Parameters
    ----------
    task : Task
        Of an ordinal or multiclass endpoint.
    probability : ndarray, shape (R, n, K)
        Out of fold.
    fold : ndarray of int64, shape (R, n)
    """
    judged = assess_classes(task.target, probability, fold, min(task.options.bootstrap, DRAWS), task.options.seed)
    n, label = task.target.n, task.target.event
    events = {"": task.target.events}
    for k, level in enumerate(task.target.levels):
        events |= {f"≥ {level}": int((label >= k).sum()), level: int((label == k).sum())}
    rows = [
        (one.item, m.metric, m.estimate, m.lower, m.upper, n, events[one.item])
        for one in judged
        for m in one.measures
        if np.isfinite(m.estimate)
    ]
    numbers = dict.fromkeys(("estimate", "lower", "upper"), pl.Float64())
    schema = {"item": pl.String(), "metric": pl.String(), **numbers, "n": pl.Int64(), "events": pl.Int64()}
    curves = [
        pl.DataFrame(
            {
                "item": [one.item] * one.curve.x.size,
                "predicted": one.curve.x,
                "observed": one.curve.estimate,
                "lower": one.curve.lower,
                "upper": one.curve.upper,
            }
        )
        for one in judged
        if one.curve is not None
    ]
    nothing = pl.DataFrame(
        schema={"item": pl.String(), **dict.fromkeys(("predicted", "observed", "lower", "upper"), pl.Float64())}
    )
    curve = pl.concat([nothing, *curves]).with_columns(pl.col("observed", "lower", "upper").fill_nan(None))
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("lower", "upper").fill_nan(None))
    return {"classes": table, "class_calibration": curve.filter(pl.col("observed").is_not_null())}
