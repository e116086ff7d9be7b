"""Models of everybody, to be shown and not to be judged: nomogram, effects with intervals, proportional hazards.

What is shown here saw all subjects; how good it is says the out-of-fold performance alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import FitError, RadiolocusError
from radiolocus.learn.horizons import horizons_of
from radiolocus.learn.models import MODELS, Net
from radiolocus.learn.preprocess import Predictors, fit_preprocess
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.tune import TunedModel
from radiolocus.model import Array, Problem
from radiolocus.outcome.lock import LockedModel, lock_model
from radiolocus.outcome.nomogram import nomogram
from radiolocus.outcome.tasks import Task
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.proportional import ProportionalHazards, proportional_hazards

__all__ = ["EVERYBODY", "FEWEST", "fit_everyone", "show_everyone", "training_frame"]

#: Part of the seed of the model of everybody, the same as of a locked model.
EVERYBODY = 0x10C4
#: Events (or members of the smaller class) that each column of an unpenalised model must have, at least.
FEWEST = 3
_Z = 1.959963984540054
_RESIDUALS_OF = 6
_RISK = "out-of-fold risk"
Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True, eq=False)
class _Design:
    """Columns of an unpenalised model of everybody."""

    X: Array
    names: tuple[str, ...]
    blocks: tuple[str, ...]
    unit: tuple[str, ...]
    chosen: bool


def fit_everyone(task: Task) -> TunedModel:
    """Fit a model to everybody, by the protocol and with the seed of a locked model."""
    seed = np.random.SeedSequence([task.options.seed, EVERYBODY])
    return Protocol(task.options, task.model).fit(task.data, task.target, seed, task.rows)


def training_frame(subject: Sequence[str], data: Predictors) -> pl.DataFrame:
    """Predictors as a table with a column each; what is missing is null."""
    columns = {"subject": pl.Series("subject", list(subject))}
    for j, name in enumerate(data.numeric_names):
        columns[name] = pl.Series(name, data.numeric[:, j]).fill_nan(None)
    for q, name in enumerate(data.categorical_names):
        levels = [None if code < 0 else data.levels[q][code] for code in data.codes[:, q].tolist()]
        columns[name] = pl.Series(name, levels, dtype=pl.String)
    return pl.DataFrame(columns)


def show_everyone(task: Task, score: Array) -> tuple[Tables, list[Problem]]:
    """Tables of the models of everybody for one endpoint, set of predictors and model.

    Parameters
    ----------
    task : Task
        Survival or binary.
    score : ndarray, shape (n,)
        Out-of-fold prediction, mean over repetitions, each centred within its folds.

    Returns
    -------
    dict of str to polars.DataFrame
        ``nomogram``, ``nomogram_risk``, ``hazard_ratios``, ``proportional_hazards`` and ``schoenfeld``, without the
        columns that name endpoint and predictors.
    list of Problem
    """
    tables: Tables = {}
    problems: list[Problem] = []
    ties = task.options.ties
    first = next(m for m in task.options.models if task.target.kind in MODELS[m].kinds)
    tuned = fit_everyone(task) if isinstance(MODELS[task.model], Net) else None
    if tuned is not None and not tuned.preprocess.harmonises:
        tables |= _nomogram(task, tuned)
    if task.model == first:
        try:
            if (whole := _design(task, tuned)) is not None:
                effects, design = _effects(task, whole)
                tables |= effects
                if design.names and task.target.time is not None:
                    found = proportional_hazards(
                        task.target.time, task.target.event, design.X, ties=ties, names=design.names
                    )
                    _add(tables, _tested(found, design.names, _name(task), task))
        except RadiolocusError as error:
            problems.append(_told(error, f"unpenalised model, {task.label}"))
    if task.target.time is not None and np.ptp(score) > 0:
        try:
            found = proportional_hazards(task.target.time, task.target.event, score, ties=ties, names=[_RISK])
            _add(tables, _tested(found, (_RISK,), task.shown, task))
        except RadiolocusError as error:
            problems.append(_told(error, f"proportional hazards of the risk, {task.label}"))
    return tables, problems


def _name(task: Task) -> str:
    return "Cox" if task.target.time is not None else "logistic"


def _locked(task: Task, tuned: TunedModel) -> LockedModel:
    return lock_model(
        tuned,
        task.data,
        endpoint=task.endpoint,
        kind=task.target.kind,
        unit="",
        predictors=task.predictors,
        model=task.shown,
        patients=task.target.n,
        events=task.target.events,
        performance=(),
        settings={},
        versions={},
    )


def _nomogram(task: Task, tuned: TunedModel) -> Tables:
    times = horizons_of(task.target, task.options.horizons)
    found = nomogram(_locked(task, tuned), training_frame(task.subject, task.data), times)
    if found is None:
        return {}
    model = pl.lit(task.shown).alias("model")
    return {"nomogram": found.axes.with_columns(model), "nomogram_risk": found.risk.with_columns(model)}


def _design(task: Task, tuned: TunedModel | None) -> _Design | None:
    """Columns for an unpenalised model: all that are offered, else those that the penalised one kept, else none."""
    smaller = min(task.target.events, task.target.n - task.target.events) if task.target.time is None else 0
    most = (task.target.events if task.target.time is not None else smaller) // FEWEST
    if task.data.candidates <= most:
        whole = fit_preprocess(task.data, task.options)
        if 0 < len(whole.columns) <= most:
            return _columns(task, whole.apply(task.data), whole.described(task.data), whole.columns, whole.scale, False)
    if tuned is None:
        return None
    used = np.flatnonzero(tuned.fit.coefficient != 0)
    if not 0 < used.size <= most:
        return None
    pre = tuned.preprocess
    described = pre.described(task.data)
    X = pre.apply(task.data)[:, used]
    return _columns(task, X, [described[j] for j in used], tuple(pre.columns[j] for j in used), pre.scale[used], True)


def _columns(
    task: Task, X: Array, described: Sequence[dict[str, object]], names: Sequence[str], scale: Array, chosen: bool
) -> _Design:
    """Numbers per standard deviation; marks (0 or 1), categories and missing values as they are."""
    unit, per = list[str](), np.array(scale, dtype=np.float64)
    for j, d in enumerate(described):
        mark = d["kind"] == "number" and (d["low"], d["high"]) == (0.0, 1.0) and np.unique(X[:, j]).size == 2
        told = ""
        if d["kind"] in ("missing", "level"):
            others = chosen or d["kind"] == "missing"
            told = f"against {'all others' if others else _reference(task, str(d['predictor']))}"
        unit.append(told or ("1 against 0" if mark else f"standard deviation, {scale[j]:.4g}"))
        per[j] = scale[j] if told or mark else 1.0
    return _Design(X * per, tuple(names), tuple(str(d["block"]) for d in described), tuple(unit), chosen)


def _reference(task: Task, name: str) -> str:
    """Most frequent category of a predictor, which has no column of its own."""
    q = task.data.categorical_names.index(name)
    codes = task.data.codes[:, q]
    return task.data.levels[q][int(np.argmax(np.bincount(codes[codes >= 0])))]


def _effects(task: Task, design: _Design) -> tuple[Tables, _Design]:
    """Ratios of all columns, and the columns that have one: a column that separates the outcome has none."""
    kept = np.arange(len(design.names))
    while True:
        names = [design.names[j] for j in kept]
        try:
            found = _fit(task, design.X[:, kept], names) if kept.size else (np.zeros(0),) * 3
            break
        except FitError as error:
            endless = [k for k, name in enumerate(names) if f"coefficient of {name} runs to infinity" in error.got]
            if not endless:
                raise
            kept = np.delete(kept, endless)
    beta, error_of, p = (np.full(len(design.names), np.nan) for _ in range(3))
    beta[kept], error_of[kept], p[kept] = found
    frame = pl.DataFrame(
        {
            "model": [_name(task)] * len(design.names),
            "covariate": design.names,
            "block": design.blocks,
            "unit": design.unit,
            "measure": ["hazard ratio" if task.target.time is not None else "odds ratio"] * len(design.names),
            "estimate": np.exp(beta),
            "lower": np.exp(beta - _Z * error_of),
            "upper": np.exp(beta + _Z * error_of),
            "neg_log_10_p_value": p,
            "chosen": [design.chosen] * len(design.names),
            "n": [task.target.n] * len(design.names),
            "events": [task.target.events] * len(design.names),
        }
    ).with_columns(pl.col("estimate", "lower", "upper", "neg_log_10_p_value").fill_nan(None))
    some = _Design(
        design.X[:, kept],
        tuple(design.names[j] for j in kept),
        tuple(design.blocks[j] for j in kept),
        tuple(design.unit[j] for j in kept),
        design.chosen,
    )
    return {"hazard_ratios": frame}, some


def _fit(task: Task, X: Array, names: Sequence[str]) -> tuple[Array, Array, Array]:
    """Coefficients, standard errors and −log10 p-values."""
    target = task.target
    if target.time is not None:
        fit = fit_cox(target.time, target.event, X, ties=task.options.ties, names=names)
        return fit.coefficient, fit.standard_error, fit.neg_log10_p
    logistic = fit_logistic(target.event, X, names=names)
    k = len(names)
    return logistic.coefficient[:k], logistic.standard_error[:k], logistic.neg_log10_p[:k]


def _tested(found: ProportionalHazards, names: Sequence[str], model: str, task: Task) -> Tables:
    p = len(names)
    covariates = [*names, "all together"] if p > 1 else list(names)
    tests = pl.DataFrame(
        {
            "model": [model] * len(covariates),
            "covariate": covariates,
            "statistic": found.statistic[: len(covariates)],
            "degrees_of_freedom": [*[1] * p, p][: len(covariates)],
            "neg_log_10_p_value": found.neg_log10_p[: len(covariates)],
            "n": [task.target.n] * len(covariates),
            "events": [task.target.events] * len(covariates),
        }
    )
    strongest = np.argsort(-found.neg_log10_p[:p], kind="stable")[:_RESIDUALS_OF]
    curves = [_curve(found, int(j), names[j], model) for j in sorted(strongest.tolist())]
    return {"proportional_hazards": tests, "schoenfeld": pl.concat(curves)}


def _curve(found: ProportionalHazards, column: int, name: str, model: str) -> pl.DataFrame:
    residual = found.residual[:, column]
    rows: list[tuple[object, ...]] = [
        ("residual", float(t), float(a), float(v), None, None)
        for t, a, v in zip(found.time, found.at, residual, strict=True)
    ]
    try:
        smooth = found.smooth(column)
        rows += [
            ("smooth", float(t), float(a), float(v), float(v - 2 * e), float(v + 2 * e))
            for t, a, v, e in zip(smooth.time, smooth.at, smooth.estimate, smooth.error, strict=True)
        ]
    except RadiolocusError:
        pass  # too few event times for a curve: the residuals stand alone
    schema = {"part": pl.String, "time": pl.Float64, "transformed": pl.Float64}
    schema |= {"estimate": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.select(pl.lit(model).alias("model"), pl.lit(name).alias("covariate"), pl.all())


def _add(tables: Tables, further: Tables) -> None:
    for name, table in further.items():
        tables[name] = pl.concat([tables[name], table]) if name in tables else table


def _told(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "no value", None, item, error.where, error.allowed, error.todo)
