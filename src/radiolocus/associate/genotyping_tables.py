"""The tables of predicted genotypes: performance, predictions with their sets, thresholds, curves, null, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import stdtrit

from radiolocus.associate import genotyping_metrics as metrics
from radiolocus.associate.genotyping import (
    BASE,
    BOTH,
    CLINICAL,
    IMAGING,
    PERMUTED,
    VOLUME,
    GenotypingPlan,
    GenotypingTask,
)
from radiolocus.errors import RadiolocusError
from radiolocus.learn.classes import out_of_fold_classes
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.discrimination import OutOfFold, out_of_fold_discrimination
from radiolocus.learn.null import Null
from radiolocus.learn.numbers import NumberMetric, number_metrics, training_mean
from radiolocus.model import Array, Problem
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.roc import delong_paired

__all__ = ["GenotypingSummary", "summarise"]

_NAMES = (
    "performance",
    "predictions",
    "coverage",
    "null",
    "verdict",
    "differences",
    "thresholds",
    "curves",
    "selection",
)
# What is compared with what: (first, second), of the first model.
_PAIRS = ((CLINICAL, IMAGING), (VOLUME, IMAGING), (CLINICAL, BOTH), (BASE, BOTH), (PERMUTED, IMAGING))
# One side of a 95 % interval.
_TOLD = 0.025


@dataclass(frozen=True, eq=False)
class GenotypingSummary:
    """The tables of the stage by name, and what happened on the way (beside the problems of the plan)."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class _Judged:
    """One candidate and its repetitions."""

    task: GenotypingTask
    probability: Array  # (R, n, K)
    fold: npt.NDArray[np.int64]  # (R, n)
    values: Array  # statistic of each repetition
    overall: OutOfFold
    results: tuple[Mapping[str, pl.DataFrame], ...]
    subject: tuple[str, ...]
    rows: npt.NDArray[np.intp]
    mean: Array  # (R, n), of those who trained the model of each subject; of a number
    numbers: tuple[NumberMetric, ...] = ()

    @property
    def target(self):  # type: ignore[no-untyped-def]
        return self.task.aim.target.take(self.rows)


def summarise(planned: GenotypingPlan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]) -> GenotypingSummary:
    """Put the units together.

    Parameters
    ----------
    planned : GenotypingPlan
    results : sequence
        What :func:`radiolocus.associate.genotyping.run_unit` returned for each unit of the plan, in its order, or the
        exception it raised. A candidate of which any repetition failed is left out, with the reason.

    Returns
    -------
    GenotypingSummary
        Tables ``genotyping/performance``, ``predictions``, ``coverage``, ``null``, ``verdict``, ``differences``,
        ``thresholds``, ``curves`` and ``selection``.
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [empty(f"genotyping/{name}")] for name in _NAMES}
    problems: list[Problem] = []
    by_target: dict[str, list[_Judged]] = {}
    nulls: dict[int, Null] = {}
    for task, own, draws in _grouped(planned, results):
        failed = next((r for r in own if isinstance(r, Exception)), None)
        if failed is None:
            try:
                judged = _judge(task, [r for r in own if not isinstance(r, Exception)])
            except RadiolocusError as error:
                failed = error
        if failed is not None:
            problems.append(_failed(failed, task))
            continue
        problems += _notes(judged)
        by_target.setdefault(task.aim.name, []).append(judged)
        if draws:
            null = Null(float(judged.values[0]), np.array([_permuted_value(r, task) for r in draws]))
            nulls[id(judged)] = null
            _add(parts, "null", task, _null_rows(judged, null))
        _fill(parts, judged)
    for name, candidates in by_target.items():
        parts["differences"].append(_differences(name, candidates))
        for judged in candidates:
            if judged.task.primary:
                table, told = _verdict(judged, nulls.get(id(judged)))
                _add(parts, "verdict", judged.task, table)
                problems += told
    tables = {f"genotyping/{name}": pl.concat(frames) for name, frames in parts.items()}
    return GenotypingSummary(tables, tuple(problems))


def _grouped(
    planned: GenotypingPlan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]
) -> Iterator[
    tuple[
        GenotypingTask,
        Sequence[Mapping[str, pl.DataFrame] | Exception],
        Sequence[Mapping[str, pl.DataFrame] | Exception],
    ]
]:
    begin = 0
    while begin < len(planned.units):
        task = planned.units[begin].task
        middle = begin + task.options.runs
        end = middle + task.permutations
        yield task, results[begin:middle], results[middle:end]
        begin = end


def _judge(task: GenotypingTask, done: Sequence[Mapping[str, pl.DataFrame]]) -> _Judged:
    target, shape = task.aim.target, (len(done), task.aim.target.n, task.aim.target.classes or 1)
    every = pl.concat([r["predictions"] for r in done])
    fold = every["fold"].to_numpy().reshape(shape)[:, :, 0]
    rows = np.flatnonzero((fold >= 0).all(axis=0))  # of a temporal split only the later subjects are judged
    mean = np.array([training_mean(target, f)[rows] if target.number else np.zeros(rows.size) for f in fold])
    probability = every["prediction"].to_numpy().reshape(shape)[:, rows]
    fold, part = fold[:, rows], target.take(rows)
    draws, seed = task.options.bootstrap, task.options.seed
    numbers: tuple[NumberMetric, ...] = ()
    if target.number:
        numbers = tuple(number_metrics(part, probability[:, :, 0], fold, mean, draws, seed))
        overall = OutOfFold(numbers[0].estimate, numbers[0].lower, numbers[0].upper, numbers[0].repeats)
    elif target.kind == "binary":
        overall = out_of_fold_discrimination(part, probability[:, :, 1], fold, draws, seed)
    else:
        overall = out_of_fold_classes(part, probability, fold, draws, seed)
    values = np.array([r["value"]["value"][0] for r in done], dtype=np.float64)
    subject = tuple(task.aim.subject[i] for i in rows)
    return _Judged(task, probability, fold, values, overall, tuple(done), subject, rows, mean, numbers)


def _add(parts: dict[str, list[pl.DataFrame]], name: str, task: GenotypingTask, frame: pl.DataFrame) -> None:
    keyed = frame.select(*(pl.lit(v).alias(k) for k, v in task.key.items()), pl.all())
    if "primary" in TABLES[f"genotyping/{name}"].schema:
        keyed = keyed.with_columns(primary=pl.lit(task.primary))
    known = [c for c, t in keyed.schema.items() if t.is_float()]
    parts[name].append(conform(keyed.with_columns(pl.col(known).fill_nan(None)), f"genotyping/{name}"))


def _metric(judged: _Judged) -> str:
    return {"binary": "AUC", "continuous": "R²"}.get(judged.task.aim.target.kind, "Hand & Till M")


def _useless(judged: _Judged) -> float:
    """What the metric is without information."""
    return 0.0 if judged.task.aim.target.number else 0.5


def _fill(parts: dict[str, list[pl.DataFrame]], judged: _Judged) -> None:
    task = judged.task
    _add(parts, "performance", task, _performance(judged))
    if task.is_control:
        return
    _add(parts, "predictions", task, _predictions(judged))
    _add(parts, "coverage", task, _coverage(judged))
    _add(parts, "selection", task, _selection(judged))
    if task.aim.target.kind == "binary":
        _add(parts, "thresholds", task, _repeated(judged, "thresholds"))
        _add(parts, "curves", task, _curves(judged))
    if task.aim.target.number:
        _add(parts, "curves", task, _groups(judged))


def _repeated(judged: _Judged, name: str) -> pl.DataFrame:
    frames = [r[name].with_columns(pl.lit(k, pl.Int64).alias("repeat")) for k, r in enumerate(judged.results)]
    return pl.concat(frames)


def _performance(judged: _Judged) -> pl.DataFrame:
    task, target, options = judged.task, judged.target, judged.task.options
    found = judged.overall
    first = metrics.Estimate(_metric(judged), found.estimate, found.lower, found.upper, _useless(judged))
    rows = [("", first)]
    draws, seed = options.bootstrap, options.seed
    if not target.number:
        rows.append(("", metrics.quadratic(target, judged.probability, draws, seed)))
    if target.number:
        rows += [("", metrics.Estimate(*m[:5])) for m in judged.numbers[1:]]
    elif target.kind == "binary":
        risk = judged.probability[:, :, 1]
        rows.append(("", metrics.precision_of(target, risk, draws, seed)))
        rows += [("", e) for e in metrics.calibration_of(target, risk)]
        for rule, positive in _called(judged).items():
            rows += [(rule, e) for e in metrics.called(target, positive, draws, seed)]
    else:
        rows.append(("", metrics.recall_of(target, judged.probability, draws, seed)))
    return pl.DataFrame(
        [
            (
                target.kind, e.metric, rule, e.estimate, e.lower, e.upper, e.reference, target.n, _positives(judged),
                task.data.candidates, len(judged.fold), int(judged.fold.max()) + 1, options.split,
            )
            for rule, e in rows
        ],
        schema=[
            "kind", "metric", "rule", "estimate", "lower", "upper", "reference", "n", "positives", "candidates",
            "repeats", "folds", "split",
        ],
        orient="row",
    )  # fmt: skip


def _positives(judged: _Judged) -> int | None:
    return None if judged.target.number else int(judged.target.events)


def _called(judged: _Judged) -> dict[str, npt.NDArray[np.bool_]]:
    """Who is called present by each rule, shape (R, n); nobody of a control, which has no thresholds."""
    table = _repeated(judged, "thresholds")
    risk = judged.probability[:, :, 1]
    out = {}
    for rule in table["rule"].unique(maintain_order=True):
        cut = np.full(judged.fold.shape, np.nan)
        for row in table.filter(rule=rule).iter_rows(named=True):
            cut[row["repeat"], judged.fold[row["repeat"]] == row["fold"]] = row["threshold"]
        out[rule] = risk >= cut
    return out


def _predictions(judged: _Judged) -> pl.DataFrame:
    level = 1.0 - judged.task.options.coverage + 1e-9  # a p-value of exactly α is out, whatever its last digit
    return (
        _repeated(judged, "predictions")
        .filter(pl.col("fold") >= 0)
        .with_columns(
            in_set=pl.lit(None, pl.Boolean) if judged.target.number else pl.col("conformal_p_value") > level,
        )
    )


def _coverage(judged: _Judged) -> pl.DataFrame:
    """Coverage of the truth, over all repetitions; the interval is that of as many subjects, not repetitions."""
    table = _predictions(judged)
    aimed = judged.task.options.coverage
    if judged.target.number:
        return _interval_coverage(table, aimed)
    sets = table.group_by("subject", "repeat", maintain_order=True).agg(
        pl.col("in_set").sum().alias("size"),
        pl.col("in_set").filter(pl.col("observed") == 1).first().alias("held"),
        pl.col("class").filter(pl.col("observed") == 1).first().alias("class"),
    )
    rows = []
    for name in ("", *judged.task.aim.classes):
        part = sets if not name else sets.filter(pl.col("class") == name)
        if not part.height:
            continue
        n = part["subject"].n_unique()
        held = np.array([part["held"].mean()], dtype=np.float64)
        low, high = metrics.wilson(held, np.array([float(n)]))
        size = part["size"].to_numpy()
        told = (float(size.mean()), float(np.mean(size == 1)), float(np.mean(size == 0)))
        rows.append((name, aimed, held[0], low[0], high[0], *told, n))
    names = ["class", "aimed_at", "coverage", "lower", "upper", "mean_size", "singletons", "empty", "n"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _interval_coverage(table: pl.DataFrame, aimed: float) -> pl.DataFrame:
    """Coverage of prediction intervals; an end that is not finite holds everything on its side."""
    ends = table.select(pl.col("lower").fill_nan(None), pl.col("upper").fill_nan(None), "observed")
    inside = (pl.col("lower").is_null() | (pl.col("lower") <= pl.col("observed"))) & (
        pl.col("upper").is_null() | (pl.col("upper") >= pl.col("observed"))
    )
    n = table["subject"].n_unique()
    held = np.array([ends.select(inside).to_series().mean()], dtype=np.float64)
    low, high = metrics.wilson(held, np.array([float(n)]))
    width = ends.select((pl.col("upper") - pl.col("lower")).mean()).item()
    return pl.DataFrame(
        {
            "class": [""], "aimed_at": [aimed], "coverage": held, "lower": low, "upper": high, "mean_size": [width],
            "singletons": [None], "empty": [None], "n": [n],
        }
    )  # fmt: skip


def _groups(judged: _Judged) -> pl.DataFrame:
    """Fifths of the subjects by their mean prediction: mean predicted and observed, with its 95 % interval."""
    mean, y = judged.probability[:, :, 0].mean(axis=0), judged.target.event
    parts = [p for p in np.array_split(np.argsort(mean, kind="stable"), 5) if p.size > 1]
    middle = np.array([y[p].mean() for p in parts])
    half = np.array([stdtrit(p.size - 1, 0.975) * y[p].std(ddof=1) / np.sqrt(p.size) for p in parts])
    return pl.DataFrame(
        {
            "curve": ["calibration groups"] * len(parts), "x": [mean[p].mean() for p in parts], "y": middle,
            "lower": middle - half, "upper": middle + half,
        }
    )  # fmt: skip


def _curves(judged: _Judged) -> pl.DataFrame:
    target, risk, options = judged.target, judged.probability[:, :, 1], judged.task.options
    curves = [
        metrics.pooled_roc(target, risk, judged.fold, options.draws, options.seed),
        *metrics.calibration_curve(target, risk),
        *metrics.net_benefit(target, risk, options.draws, options.seed),
    ]
    return pl.concat(
        [
            pl.DataFrame({"x": c.x, "y": c.y, "lower": c.lower, "upper": c.upper}).select(
                pl.lit(c.name).alias("curve"), pl.all()
            )
            for c in curves
        ]
    )


def _selection(judged: _Judged) -> pl.DataFrame:
    fits = len(judged.fold) * (int(judged.fold.max()) + 1)
    return (
        pl.concat([r["selection"] for r in judged.results])
        .group_by("predictor", "block")
        .agg(
            (pl.len() / fits).alias("fraction"),
            pl.when(pl.col("coefficient").is_null().any())
            .then(None)
            .otherwise(pl.col("coefficient").sum() / fits)
            .alias("mean_coefficient"),
        )
        .sort(["fraction", "predictor", "block"], descending=[True, False, False])
    )


def _null_rows(judged: _Judged, null: Null) -> pl.DataFrame:
    draws = np.concatenate([[null.observed], null.draws])
    return pl.DataFrame({"draw": np.arange(-1, null.draws.size), "value": draws}).with_columns(
        metric=pl.lit(_metric(judged))
    )


def _verdict(judged: _Judged, null: Null | None) -> tuple[pl.DataFrame, list[Problem]]:
    """Say whether the image tells the marker.

    0.5 (of R²: 0) is in the interval unless the bootstrap and the permutation of the whole procedure both reject it:
    the bootstrap alone takes the models as they happened to be fitted. Below there is no information, only less than
    none. Where the bootstrap rejects it and no permuted marker reached it, but there were too few of them for any
    p-value to be small enough, nothing is judged: that is no lack of evidence in the image.
    """
    found, target, name = judged.overall, judged.target, judged.task.aim.name
    known = null is not None and null.finite.size > 0
    p = null.p_value if null is not None and known else float("nan")
    useless = _useless(judged)
    told = known and p <= _TOLD and found.lower > useless
    undecided = null is not None and found.lower > useless and _too_few(null)
    lower = found.lower if told or not known else min(found.lower, useless)
    upper = max(found.upper, useless)
    verdict = _sentence(judged, (lower, upper), null if known else None, told)
    row = {
        "kind": target.kind, "metric": _metric(judged), "estimate": found.estimate, "lower": lower,
        "upper": upper, "n": target.n, "positives": _positives(judged),
        "null_mean": null.mean if null is not None and known else float("nan"),
        "p_value": p, "p_error": null.p_error if null is not None and known else float("nan"),
        "permutations": null.finite.size if null is not None else 0, "told": told if known and not undecided else None,
        "verdict": verdict,
    }  # fmt: skip
    problems = [] if told or not known else [Problem("genotyping", verdict, "note", item=name)]
    return pl.DataFrame([row]), problems


def _sentence(judged: _Judged, interval: tuple[float, float], null: Null | None, told: bool) -> str:
    found, name = judged.overall, judged.task.aim.name
    numbers = f"{_metric(judged)} {found.estimate:.2f} ({interval[0]:.2f} to {interval[1]:.2f})".replace("-", "−")
    if null is None:
        return f"not judged: {numbers}, but the procedure was not run on permuted markers"
    numbers += f"; whole procedure on {null.finite.size} permuted markers: p = {null.p_value:.3f}"
    if found.lower > _useless(judged) and _too_few(null):
        return f"not judged: {numbers}, and so few cannot give {_TOLD:g} or less: at least {round(1 / _TOLD) - 1}"
    return f"the image tells {name}: {numbers}" if told else f"no evidence that the image tells {name}: {numbers}"


def _too_few(null: Null) -> bool:
    """No permuted marker reached the observed value, and still the p-value is too large to tell."""
    return null.p_value > _TOLD and null.p_value == 1.0 / (1 + null.finite.size)


def _differences(name: str, candidates: Sequence[_Judged]) -> pl.DataFrame:
    """What one candidate adds to another."""
    primary = next((j for j in candidates if j.task.primary), None)
    by_set = {j.task.predictors: j for j in reversed(candidates)}
    pairs = [(by_set.get(a), by_set.get(b)) for a, b in _PAIRS]
    pairs += [(primary, j) for j in candidates if j.task.predictors == IMAGING and not j.task.primary]
    rows = [_difference(name, a, b) for a, b in pairs if a is not None and b is not None]
    frame = pl.DataFrame(rows, schema=TABLES["genotyping/differences"].schema, orient="row")
    known = [c for c, t in frame.schema.items() if t.is_float()]
    return frame.with_columns(pl.col(known).fill_nan(None))


def _difference(name: str, first: _Judged, second: _Judged) -> tuple[object, ...]:
    target, options = first.target, first.task.options
    words = [f"{j.task.predictors}, {j.task.shown}" for j in (first, second)]
    one, two = first.overall.estimate, second.overall.estimate
    none = float("nan")
    if target.number:
        gap = _number_difference(first, second)
        return (name, *words, "R²", one, two, *gap, *(none,) * 4, target.n)
    if target.kind != "binary":
        gap = (two - one, none, none)
        return (name, *words, _metric(first), one, two, *gap, *(none,) * 4, target.n)
    a, b = first.probability[:, :, 1], second.probability[:, :, 1]
    found = compare_on_same_folds(target, a, b, first.fold, options.bootstrap, options.seed)
    try:
        test = delong_paired(target.event, b.mean(axis=0), a.mean(axis=0))
        delong = (test.difference, test.lower, test.upper, test.neg_log10_p)
    except RadiolocusError:  # scores that rank the patients alike
        delong = (none,) * 4
    return (name, *words, "AUC", one, two, found.estimate, found.lower, found.upper, *delong, target.n)


def _number_difference(first: _Judged, second: _Judged) -> tuple[float, float, float]:
    """R² of the second less that of the first, with a percentile interval of the draws of all repetitions."""
    y, options = first.target.event, first.task.options
    errors = [
        [np.square(y - j.probability[k, :, 0]) for j in (first, second)] + [np.square(y - first.mean[k])]
        for k in range(len(first.fold))
    ]
    drawn = [
        (weights @ (a - b)) / (weights @ bare)
        for weights in bootstrap_weights(y.size, options.bootstrap, options.seed)
        for a, b, bare in errors
    ]
    each = [float((a - b).sum() / bare.sum()) for a, b, bare in errors]
    found = percentile_interval(np.concatenate(drawn))
    return float(np.mean(each)), found.lower, found.upper


def _permuted_value(result: Mapping[str, pl.DataFrame] | Exception, task: GenotypingTask) -> float:
    if isinstance(result, Exception):
        _failed(result, task)  # raises what is no fault of the permuted marker
        return float("nan")
    return float(result["value"]["value"][0])


def _notes(judged: _Judged) -> list[Problem]:
    total = (
        pl.concat([r["notes"] for r in judged.results])
        .filter(pl.col("item") == "")
        .group_by("got", maintain_order=True)
        .agg(pl.col("count").sum())
    )
    return [
        Problem("genotyping", row["got"], "note", where=judged.task.label, count=row["count"])
        for row in total.iter_rows(named=True)
    ]


def _failed(error: Exception, task: GenotypingTask) -> Problem:
    if not isinstance(error, RadiolocusError):
        raise error
    return Problem("genotyping", error.got, "set aside", None, task.label, error.where, error.allowed, error.todo)
