"""From a finished run to a locked model, and from a locked model to the patients of another run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, InputError, TableError
from radiolocus.learn.blockwise import Fusion
from radiolocus.learn.models import MODELS, Net, alone, models_for
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.target import Target
from radiolocus.model import Array, Problem
from radiolocus.outcome.blocks import Known, target_of
from radiolocus.outcome.delta_options import DELTA
from radiolocus.outcome.genetic_options import GENETIC
from radiolocus.outcome.lock import MOST, LockedModel, lock_model
from radiolocus.outcome.recalibration import recalibrate
from radiolocus.outcome.sets import is_partial
from radiolocus.outcome.tasks import Task, plan
from radiolocus.outcome.validation import validate
from radiolocus.pipeline.finished import FinishedRun, open_run
from radiolocus.read.clinical import read_table
from radiolocus.registry import suggest
from radiolocus.store import read_table as read_artefact
from radiolocus.store import versions

__all__ = ["lock_run", "patients_of", "predictions", "recalibrate_run", "validate_run"]

Warned = list[tuple[str, str, str]]
#: Models beside the penalised linear ones that can be written down as coefficients and one baseline.
_WRITTEN = ("cox", "fine_gray")
_TIMED = ("survival", "competing")


def lock_run(folder: Path, endpoint: str | None, predictors: str, model: str) -> LockedModel:
    """Fit one model of a finished run to all its patients, by the protocol of the run.

    Parameters
    ----------
    folder : Path
    endpoint : str or None
        None where the run predicts one endpoint alone.
    predictors : str
        ``clinical``, ``imaging``, ``molecular``, ``all`` or a combination, ``clinical+molecular``.
    model : str
        ``elastic_net``, ``lasso`` or ``ridge``; ``cox`` or, with competing events, ``fine_gray``; of several blocks
        ``ipf_lasso``, ``stacked`` and the like.

    Raises
    ------
    ConfigError
        No such endpoint, predictors or model in this run, or a model that cannot be locked.
    """
    run = open_run(folder)
    if is_partial(predictors):
        raise ConfigError(
            f"a locked model of patients who may lack a block ('{predictors}')",
            where="lock",
            allowed="all: a model file holds one linear predictor, and not one for each set of blocks",
            todo="lock 'all', and a model of the blocks that every patient has for the others",
        )
    allowed = [name for name in MODELS if isinstance(MODELS[name], Net | Fusion) or name in _WRITTEN]
    if model not in allowed:
        raise ConfigError(f"model '{model}'", where="lock", allowed=", ".join(allowed), todo=suggest(model, allowed))
    task = _task(run, endpoint, predictors, model)
    asked = run.outcome.genetic
    if asked is not None and asked.components and GENETIC in task.data.blocks:
        raise ConfigError(
            "a locked model of components of genotypes",
            where="outcome.genetic.components",
            allowed="variants and scores: new patients have no place on components that others span",
            todo="leave components out, or give loadings of a reference panel as scores",
        )
    seed = np.random.SeedSequence([task.options.seed, 0x10C4])
    tuned = Protocol(task.options, model).fit(task.data, task.target, seed, task.rows)
    performance = read_artefact(folder, "outcome/performance")
    rows: list[dict[str, Any]] = []
    if performance is not None:
        rows = performance.filter(endpoint=task.endpoint, predictors=task.predictors, model=task.shown).to_dicts()
    return lock_model(
        tuned,
        task.data,
        endpoint=task.endpoint,
        kind=task.target.kind,
        unit=run.endpoints()[task.endpoint].unit,
        predictors=task.predictors,
        model=task.shown,
        patients=task.target.n,
        events=task.target.events,
        performance=tuple(rows),
        settings={k: run.settings[k] for k in ("imaging", "molecular", "outcome") if k in run.settings},
        versions=versions(),
    )


def _task(run: FinishedRun, endpoint: str | None, predictors: str, model: str) -> Task:
    endpoints = run.endpoints()
    asked = run.outcome.endpoints or tuple(endpoints)
    if endpoint is None and len(asked) == 1:
        endpoint = asked[0]
    if endpoint not in asked:
        got = "no endpoint named" if endpoint is None else f"unknown endpoint '{endpoint}'"
        todo = suggest(endpoint or "", list(asked)) or "give --endpoint"
        raise ConfigError(got, where="lock", allowed=", ".join(asked), todo=todo)
    one = replace(
        run.outcome, endpoints=(endpoint,), models=(model,), missing_modality=(), permutations=0, univariate_bootstrap=2
    )
    units = plan(endpoints, run.predictors((endpoint,)), one, landmark=run.landmark()).units
    tasks = {unit.task.predictors: unit.task for unit in units}
    other = next((t for t in tasks.values() if t.model not in (model, alone(model))), None)
    if other is not None:
        fit = models_for(other.target.kind, (*_WRITTEN, "elastic_net", "lasso", "ridge"), other.target.needs)
        raise ConfigError(
            f"model '{model}' of the {other.target.kind} endpoint '{endpoint}'",
            where="lock",
            allowed=", ".join(fit) or "none: a locked model is one of times, competing events or yes and no",
            todo="give --model" if fit else "",
        )
    if predictors == "all" and "all" not in tasks and len(tasks) == 1:
        return next(iter(tasks.values()))
    if predictors not in tasks:
        raise ConfigError(
            f"no model of '{endpoint}' from '{predictors}'",
            where="lock",
            allowed=", ".join(tasks) or "none can be fitted",
        )
    return tasks[predictors]


def patients_of(model: LockedModel, patients: Path) -> tuple[pl.DataFrame, list[str]]:
    """Read new patients: a finished run, or a table with a column ``subject`` and one for each predictor.

    Returns
    -------
    polars.DataFrame
    list of str
        How the settings of the run differ from those the model was trained with.
    """
    if patients.is_dir():
        run = open_run(patients)
        return _frame(run, model), _differences(model, run)
    return _table(patients, model)


def _table(file: Path, model: LockedModel) -> tuple[pl.DataFrame, list[str]]:
    """New patients of a table, read by the rules of clinical tables; and cells that are no number."""
    names = {kind: [c.predictor for c in model.columns if (c.kind == "level") == kind] for kind in (False, True)}
    table = read_table(file, id_column="subject", numeric=names[False], text=names[True])
    if (frame := table.frame).is_empty():
        raise TableError("no patients", where=file.name, allowed="a row for each patient")
    twice = frame["subject"].is_duplicated() | frame["subject"].is_null()
    if twice.any():
        row = int(np.flatnonzero(twice.to_numpy())[-1])
        got = frame["subject"][row]
        raise TableError(
            "a row without subject" if got is None else f"subject {got} more than once",
            where=f"{file.name}, row {table.row_number[row]}",
            allowed="one row for each patient",
        )
    told = [p for p in table.problems if p.severity == "no value"]
    return frame, [f"{p.where}: {p.got}" for p in told]


def _frame(run: FinishedRun, model: LockedModel) -> pl.DataFrame:
    tables = run.predictors(())
    blocks = dict.fromkeys(model.needed.values())
    frame = run.clinical.select("subject")
    for block in blocks:
        wanted = [name for name, own in model.needed.items() if own == block]
        table = tables.get(block, frame.select("subject"))
        frame = frame.join(
            table.select("subject", *(c for c in wanted if c in table.columns)), on="subject", how="left"
        )
    return frame


def _differences(model: LockedModel, run: FinishedRun) -> list[str]:
    settings = run.settings
    trained = {i["name"]: i.get("settings") for i in model.settings.get("imaging", {}).get("images", [])}
    base = model.settings.get("imaging", {}).get("settings")
    told = []
    if base is not None and base != settings.get("imaging", {}).get("settings"):
        told.append("imaging.settings differ from those the model was trained with: features do not mean the same")
    for image in settings.get("imaging", {}).get("images", []):
        if image["name"] in trained and trained[image["name"]] != image.get("settings"):
            told.append(f"settings of image '{image['name']}' differ from those the model was trained with")
    return told


def predictions(model: LockedModel, frame: pl.DataFrame, times: Sequence[float]) -> tuple[pl.DataFrame, Warned]:
    """Predict: linear predictor, group, and the risk by each time (of a binary endpoint: the probability).

    Raises
    ------
    InputError
        A model of times without a time, or one beyond the last event it was trained with.
    """
    if model.kind in _TIMED:
        _check_times(model, times)
    linear, told = model.linear(frame)
    risk = model.risk(linear, times)
    names = [f"risk_by_{t:g}" for t in times] if model.kind in _TIMED else ["probability"]
    group = np.where(linear > model.threshold, "high", "low")
    table = frame.select(pl.col("subject").cast(pl.String)).with_columns(
        pl.Series("linear_predictor", linear),
        pl.Series("risk_group", group),
        *(pl.Series(name, risk[:, k]) for k, name in enumerate(names)),
    )
    return table, told


def _check_times(model: LockedModel, times: Sequence[float]) -> None:
    last = max(model.baseline_time, default=0.0)
    for t in times:
        if not 0.0 < t <= last:
            raise InputError(
                f"time {t:g}",
                where="--time",
                allowed=f"above 0, up to the last event of training, {last:g} {model.unit}",
            )


def _since_visit(run: FinishedRun, known: Known, problems: list[Problem]) -> tuple[Known, list[Problem]]:
    """Count an endpoint from the visit whose change the model takes."""
    landmark = run.landmark()
    if landmark is None:
        raise InputError(
            "no [outcome.delta]",
            where=run.root.name,
            allowed="a study with the same visit as that of the model, since time counts from it",
        )
    later, _, told = landmark.of(known)
    return later, [*problems, *told]


def validate_run(
    model: LockedModel, folder: Path, endpoint: str | None, times: Sequence[float]
) -> tuple[pl.DataFrame, list[str]]:
    """Judge a locked model in the patients of a finished run.

    Returns
    -------
    polars.DataFrame
        See :func:`radiolocus.outcome.validation.validate`.
    list of str
        Who was left out, and warnings, each kind counted.

    Raises
    ------
    ConfigError
        The run does not have the endpoint.
    InputError
        Too few patients, or an endpoint of another kind or unit.
    """
    if model.kind in _TIMED:
        _check_times(model, times)
    linear, target, notes = _found(model, folder, endpoint)
    return validate(model, linear, target, times), notes


def recalibrate_run(model: LockedModel, folder: Path, endpoint: str | None) -> LockedModel:
    """Recalibrate a locked model in the patients of a finished run; see :mod:`radiolocus.outcome.recalibration`.

    Raises
    ------
    ConfigError, InputError
        As :func:`validate_run`.
    """
    linear, target, _ = _found(model, folder, endpoint)
    return recalibrate(model, linear, target)


def _found(model: LockedModel, folder: Path, endpoint: str | None) -> tuple[Array, Target, list[str]]:
    """Linear predictors of the patients of a run, what happened to them, and warnings."""
    run = open_run(folder)
    endpoints = run.endpoints()
    name = endpoint or model.endpoint
    if name not in endpoints:
        raise ConfigError(
            f"no endpoint '{name}'", where=folder.name, allowed=", ".join(endpoints), todo="give --endpoint"
        )
    if endpoints[name].kind != model.kind:
        raise InputError(f"a {endpoints[name].kind} endpoint", where=name, allowed=f"a {model.kind} endpoint")
    if model.kind in _TIMED and endpoints[name].unit != model.unit:
        raise InputError(f"time in '{endpoints[name].unit}'", where=name, allowed=f"'{model.unit}', as in training")
    known, problems = target_of(endpoints[name])
    if DELTA in model.needed.values():
        known, problems = _since_visit(run, known, problems)
    frame = _frame(run, model).filter(pl.col("subject").is_in(list(known.subject)))
    place = {s: k for k, s in enumerate(known.subject)}
    target = known.target.take(np.array([place[s] for s in frame["subject"]], dtype=np.intp))
    linear, told = model.linear(frame)
    notes = _differences(model, run) + [problem.got for problem in problems]
    notes += [f"{predictor}: {what}" for subject, predictor, what in told if subject == MOST]
    if single := [subject for subject, _, _ in told if subject != MOST]:
        notes.append(
            f"{len(single)} values of {len(set(single))} patients are missing, unknown or outside the training range"
        )
    if (target.n, target.events) == (model.patients, model.events):
        notes.append(
            f"{target.n} patients with {target.events} events, exactly as in training: if they are the same, "
            "this is no validation"
        )
    return linear, target, notes
