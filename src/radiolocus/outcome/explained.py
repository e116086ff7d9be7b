"""What one repetition leaves for the tables that judge and explain its models, and those tables of explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.learn.assess import time_grid
from radiolocus.learn.importance import MOST, OuterFit, explain_repeat, outer_fits, shuffled_repeat
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Repeat
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.outcome.tasks import Task
from radiolocus.schema import CONTROL
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.cox import Ties, cox_risk

__all__ = ["EXPLAINED", "bare_risk", "explanation_tables", "repeat_frames", "stacked"]

#: Kinds of endpoints whose models are explained.
EXPLAINED = ("survival", "binary", "ordinal", "competing")
#: Subjects' contributions are kept for so many predictors; the others are summed up.
SHOWN = 20
OTHERS = "(other predictors)"
_MOST_DRAWS = 200
Frames = dict[str, pl.DataFrame]


def repeat_frames(task: Task, found: Repeat, repeat: int) -> Frames:
    """Out-of-fold curves, probabilities, contributions and importance of one repetition.

    Parameters
    ----------
    task : Task
    found : Repeat
    repeat : int

    Returns
    -------
    dict of str to polars.DataFrame
        ``curves`` (survival curve of every subject held out, and that of its training part without predictors, at
        :func:`radiolocus.learn.assess.time_grid`; the probability of a class), ``shap`` (a column a predictor, its
        name after its block) and ``importance``. Empty of what is judged otherwise: controls, bootstrap samples,
        several classes without order.
    """
    if task.predictors.startswith(CONTROL) or task.options.split == "bootstrap" or task.target.kind not in EXPLAINED:
        return {}
    if task.data.partial:  # who lacks whole blocks is judged in a table of its own
        return {}
    frames = {"curves": _curves(task, found)}
    if task.options.shuffles:
        fits = outer_fits(found.models, task.data, found.fold)
        frames |= _explained(task, found, fits, repeat)
    return frames


def _curves(task: Task, found: Repeat) -> pl.DataFrame:
    target, grid = task.target, time_grid(task.target)
    survival, bare = np.full((2, target.n, grid.size), np.nan)
    for k, model in enumerate(found.models if grid.size else ()):
        inside, out = found.fold != k, found.fold == k
        if target.time is None or not out.any():
            continue
        survival[out] = model.survival(task.data.take(out), grid)
        bare[out] = 1.0 - bare_risk(target.take(inside), grid, task.options.ties)
    columns: dict[str, pl.Series] = {"subject": pl.Series("subject", task.subject)}
    columns["survival"] = pl.Series("survival", survival.tolist(), dtype=pl.List(pl.Float64))
    columns["bare"] = pl.Series("bare", bare.tolist(), dtype=pl.List(pl.Float64))
    positive = np.full(target.n, np.nan)
    if target.kind == "binary" and found.probability is not None:
        positive = found.probability[:, 1]
    columns["probability"] = pl.Series("probability", positive)
    return pl.DataFrame(columns)


def bare_risk(training: Target, times: npt.ArrayLike, ties: Ties) -> Array:
    """Risk of anybody by each time, shape (t,), of a training part without predictors.

    One minus the survival of the Cox model without predictors; with competing events Aalen–Johansen.
    """
    time = np.zeros(training.n) if training.time is None else training.time
    if training.state is None:
        return np.asarray(cox_risk(time, training.event, np.zeros(training.n), np.zeros(1), times, ties=ties)[0])
    found = aalen_johansen(time, training.state)
    inside = np.minimum(np.asarray(times, dtype=np.float64), found.time[-1])
    return np.asarray(found.incidence_at(inside, 1))


def stacked(frames: Sequence[pl.DataFrame], column: str) -> Array:
    """One repetition after the other, shape (R, n) or (R, n, g)."""
    return np.stack([np.array(frame[column].to_list(), dtype=np.float64) for frame in frames])


def _explained(task: Task, found: Repeat, fits: Sequence[OuterFit], repeat: int) -> Frames:
    told = explain_repeat(fits, task.target.n)
    names = tuple(dict.fromkeys(name for fit in fits for name in fit.made_of))
    leading = names
    if told is not None:
        size = np.abs(told.value).mean(axis=0)
        leading = tuple(told.predictors[q] for q in np.argsort(-size, kind="stable"))
    lost = shuffled_repeat(
        task.target,
        fits,
        found.prediction,
        found.fold,
        leading[:MOST],
        shuffles=task.options.shuffles,
        draws=min(task.options.bootstrap, _MOST_DRAWS),
        seed=(task.options.seed, repeat),
    )
    importance = pl.DataFrame(
        {
            "predictor": [i.predictor[0] for i in lost] + [n for n, _ in leading[MOST:]],
            "block": [i.predictor[1] for i in lost] + [b for _, b in leading[MOST:]],
            "drop": [i.drop for i in lost] + [None] * len(leading[MOST:]),
            "draws": [i.draws.tolist() for i in lost] + [None] * len(leading[MOST:]),
        },
        schema={"predictor": pl.String, "block": pl.String, "drop": pl.Float64, "draws": pl.List(pl.Float64)},
    )
    frames = {"importance": importance}
    if told is not None:
        columns = {"subject": pl.Series("subject", task.subject), "base": pl.Series("base", told.base)}
        columns["scale"] = pl.Series("scale", [told.scale] * task.target.n)
        for q, (name, block) in enumerate(told.predictors):
            key = f"{block}\t{name}"
            columns[key] = pl.Series(key, told.value[:, q])
        frames["shap"] = pl.DataFrame(columns)
    return frames


def explanation_tables(task: Task, done: Sequence[Mapping[str, pl.DataFrame]]) -> Frames:
    """Tables ``importance`` and ``shap`` of a task, without the columns that name it.

    Parameters
    ----------
    task : Task
    done : sequence of mapping
        What :func:`repeat_frames` gave, repetition by repetition.
    """
    if not done or "importance" not in done[0]:
        return {}
    lost = pl.concat([frame["importance"] for frame in done])
    repeats = len(done)
    mean, shown = _mean_contributions([frame["shap"] for frame in done]) if "shap" in done[0] else (None, {})
    scale = next((s for f in done if "shap" in f for s in f["shap"]["scale"].head(1)), "")
    rows = []
    for (name, block), part in lost.group_by(["predictor", "block"], maintain_order=True):
        known = part["drop"].null_count() == 0
        # A repetition that did not use the predictor loses nothing without it.
        draws = [x for some in part["draws"].to_list() for x in (some or [])]
        draws += [0.0] * (len(draws) // part.height * (repeats - part.height)) if known else []
        low, high = np.quantile(draws, [0.025, 0.975]).tolist() if known and draws else (None, None)
        drop = float(part["drop"].sum()) / repeats if known else None
        rows.append((name, block, drop, low, high, shown.get((str(name), str(block))), scale))
    schema = dict.fromkeys(("importance", "lower", "upper", "mean_abs_shap"), pl.Float64())
    names = {"predictor": pl.String(), "block": pl.String()}
    table = pl.DataFrame(rows, schema={**names, **schema, "scale": pl.String()}, orient="row")
    order = ["importance", "mean_abs_shap", "predictor"]
    tables = {"importance": table.sort(order, descending=[True, True, False], nulls_last=True)}
    return tables | ({"shap": _subjects(task, mean)} if mean is not None else {})


def _mean_contributions(frames: Sequence[pl.DataFrame]) -> tuple[pl.DataFrame, dict[tuple[str, str], float]]:
    """Contributions of each subject, mean over repetitions; and the mean of their absolute values."""
    wide = pl.concat(frames, how="diagonal").drop("scale")
    keys = [c for c in wide.columns if c not in ("subject", "base")]
    filled = wide.with_columns(pl.col(keys).fill_null(0.0)) if keys else wide
    mean = filled.group_by("subject", maintain_order=True).agg(pl.all().mean())
    size = {(k.split("\t", 1)[1], k.split("\t", 1)[0]): float(mean[k].abs().mean()) for k in keys}  # type: ignore[arg-type]
    return mean, size


def _subjects(task: Task, mean: pl.DataFrame) -> pl.DataFrame:
    keys = [c for c in mean.columns if c not in ("subject", "base")]
    size = {k: float(mean[k].abs().mean()) for k in keys}  # type: ignore[arg-type]
    keys.sort(key=lambda k: (-size[k], k))
    rest = mean.select(pl.sum_horizontal(pl.lit(0.0), *(pl.col(k) for k in keys[SHOWN:])).alias("x"))["x"]
    parts = []
    for key in keys[:SHOWN]:
        block, name = key.split("\t", 1)
        value, level = _measured(task.data, name)
        parts.append(_rows(mean, name, block, mean[key], value, level))
    if len(keys) > SHOWN or not keys:
        nothing: list[None] = [None] * mean.height
        rest = rest if keys else pl.Series([0.0] * mean.height)
        parts.append(_rows(mean, OTHERS, "", rest, nothing, nothing))
    return pl.concat(parts)


def _rows(
    mean: pl.DataFrame,
    name: str,
    block: str,
    given: pl.Series,
    value: Sequence[float | None],
    level: Sequence[str | None],
) -> pl.DataFrame:
    return mean.select(
        "subject",
        pl.lit(name).alias("predictor"),
        pl.lit(block).alias("block"),
        pl.Series("value", value, dtype=pl.Float64),
        pl.Series("level", level, dtype=pl.String),
        given.alias("contribution"),
        "base",
    )


def _measured(data: Predictors, name: str) -> tuple[list[float | None], list[str | None]]:
    """Value or category of a predictor for every subject."""
    nothing: list[None] = [None] * len(data.numeric)
    if name in data.numeric_names:
        values = data.numeric[:, data.numeric_names.index(name)]
        return [None if np.isnan(v) else float(v) for v in values], list(nothing)
    q = data.categorical_names.index(name)
    return list(nothing), [None if c < 0 else data.levels[q][c] for c in data.codes[:, q].tolist()]
