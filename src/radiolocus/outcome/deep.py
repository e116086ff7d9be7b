"""Networks judged out of fold, beside simple models on the same subjects and folds.

The work is cut into units: one outer fold of the networks, one repetition of a simple model. Each is a pure function of
its input. :func:`plan_deep` cuts, :func:`run_deep` computes one, and :mod:`radiolocus.outcome.deep_tables` puts the
tables together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.deep_data import SEQUENCES, Crops, DeepData, Windows
from radiolocus.learn.deep_explain import Attributed, attribute, grad_cam
from radiolocus.learn.deep_model import KINDS, DeepModel, fit_deep
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.horizons import horizons_of
from radiolocus.learn.models import display_name, models_for
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.splits import Rowwise, outer_folds, seed_of
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, BoolArray, Endpoint, Problem
from radiolocus.outcome.blocks import target_of
from radiolocus.stats.cox import cox_risk

__all__ = ["NETWORK", "DeepTask", "DeepUnit", "plan_deep", "run_deep"]

#: What networks are called among the models.
NETWORK = "network"


@dataclass(frozen=True, eq=False)
class DeepTask:
    """One endpoint.

    Parameters
    ----------
    endpoint : str
    subject : tuple of str
    target : Target
    data : DeepData
        Of the networks.
    simple : Predictors or None
        Of the simple models. All are aligned with `subject`.
    options : DeepOptions
    rows : Rowwise
        Site and date, where the split needs them.
    """

    endpoint: str
    subject: tuple[str, ...]
    target: Target
    data: DeepData
    simple: Predictors | None
    options: DeepOptions
    rows: Rowwise = field(default_factory=Rowwise)

    @property
    def predictors(self) -> str:
        """What the networks see."""
        return " + ".join(self.data.names)

    @property
    def simple_predictors(self) -> str:
        """What the simple models see."""
        blocks = (*self.simple.numeric_blocks, *self.simple.categorical_blocks) if self.simple is not None else ()
        return " + ".join("features" if name == "imaging" else name for name in dict.fromkeys(blocks))

    @property
    def models(self) -> tuple[str, ...]:
        """Keys of the simple models that predict this endpoint."""
        return models_for(self.target.kind, self.options.models) if self.simple is not None else ()


@dataclass(frozen=True, eq=False)
class DeepUnit:
    """One outer fold of the networks (`model` is :data:`NETWORK`), or one repetition of a simple model (`fold` −1)."""

    task: DeepTask
    model: str
    repeat: int
    fold: int = -1
    checkpoints: Path | None = None

    @property
    def name(self) -> str:
        """``endpoint/model/repeat/fold``."""
        return f"{self.task.endpoint}/{self.model}/{self.repeat}/{self.fold}"


def plan_deep(
    endpoints: Mapping[str, Endpoint],
    subjects: Sequence[str],
    data: DeepData,
    simple: Predictors | None,
    options: DeepOptions,
    clinic: Clinic,
) -> tuple[list[DeepUnit], list[Problem]]:
    """Put endpoints on the subjects and cut the work into units.

    Parameters
    ----------
    endpoints : mapping of str to Endpoint
    subjects : sequence of str
        Those who have any modality.
    data, simple : DeepData, Predictors or None
        Of the same subjects.
    options : DeepOptions
    clinic : Clinic
        Sites and dates.

    Returns
    -------
    list of DeepUnit
        Those of an endpoint stand together: networks by repetition and fold, then simple models by repetition.
    list of Problem
        Endpoints that cannot be predicted, and who is left out.
    """
    place = {s: i for i, s in enumerate(subjects)}
    units: list[DeepUnit] = []
    problems: list[Problem] = []
    for endpoint in (endpoints[name] for name in options.endpoints or endpoints):
        try:
            known, _ = target_of(endpoint)
            if known.target.kind not in KINDS or known.target.needs:
                more = "".join(f" with {need}" for need in sorted(known.target.needs))
                problems.append(_unsuited(endpoint.name, known.target.kind + more))
                continue
            dated = clinic.dated(known.subject)
            have = np.array([s in place for s in known.subject]) & dated
            if lacking := int((~have).sum()):
                got = f"{lacking} of {have.size} subjects left out: no input of any kind, or no date"
                problems.append(Problem("deep", got, "note", item=endpoint.name, count=lacking))
            target = known.target.take(have)
            target.check()
            subject = tuple(s for s, kept in zip(known.subject, have, strict=True) if kept)
            rows: Rows = np.array([place[s] for s in subject], dtype=np.intp)
            own = None if simple is None else simple.take(rows)
            task = DeepTask(endpoint.name, subject, target, data.take(rows), own, options, clinic.rows(subject))
            units += _units(task)
        except RadiolocusError as error:
            told = (error.where, error.allowed, error.todo)
            problems.append(Problem("deep", error.got, "set aside", None, endpoint.name, *told))
    return units, problems


def _unsuited(name: str, kind: str) -> Problem:
    return Problem("deep", f"endpoint of kind {kind}", "note", item=name, allowed=", ".join(KINDS))


def _units(task: DeepTask) -> list[DeepUnit]:
    repeats = range(task.options.runs)
    folds = [outer_folds(task.target, task.options, r, task.rows).count for r in repeats]
    networks = [DeepUnit(task, NETWORK, r, k) for r in repeats for k in range(folds[r])]
    return networks + [DeepUnit(task, model, r) for model in task.models for r in repeats]


def run_deep(unit: DeepUnit) -> dict[str, pl.DataFrame]:
    """Compute one unit.

    Returns
    -------
    dict of str to polars.DataFrame
        ``predictions`` and ``risks`` (probability of the event by each horizon, with and without the model), ``notes``;
        of networks also ``training``, ``attention`` and, in repetition 0, ``columns``, ``windows`` and ``maps``.

    Raises
    ------
    FitError
        A model that cannot be fitted to these subjects.
    """
    return _network(unit) if unit.model == NETWORK else _simple(unit)


def _simple(unit: DeepUnit) -> dict[str, pl.DataFrame]:
    task = unit.task
    if task.simple is None:
        raise ValueError("a simple model without predictors")
    found = Protocol(task.options, unit.model).run(task.simple, task.target, unit.repeat, task.rows)
    horizons = horizons_of(task.target, task.options.horizons)
    parts = []
    for k, model in enumerate(found.models):
        inside, held = found.fold != k, np.flatnonzero(found.fold == k)
        if horizons:
            survival = model.survival(task.simple.take(held), horizons)
            parts.append(_risks(task, held, inside, survival, horizons))
    shown = display_name(unit.model, task.target.kind)
    rows = np.flatnonzero(found.fold >= 0)
    key = (task.simple_predictors, shown, unit.repeat)
    predictions = _predictions(task, key, rows, found.fold[rows], found.prediction[rows], found.threshold[rows])
    notes = [(item, note, count) for item, note, count in found.notes]
    return {"predictions": predictions, "risks": _joined(parts, key), "notes": _notes(notes)}


def _network(unit: DeepUnit) -> dict[str, pl.DataFrame]:
    task, k = unit.task, unit.fold
    fold = outer_folds(task.target, task.options, unit.repeat, task.rows).fold
    training, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
    model = fit_deep(
        task.data.take(training),
        task.target.take(training),
        task.options,
        seed_of(task.options, unit.repeat, k),
        unit.checkpoints,
    )
    part = task.data.take(held)
    predicted = model.predict(part)
    threshold = np.full(held.size, model.threshold)
    folds = np.full(held.size, k)
    key = (task.predictors, NETWORK, unit.repeat)
    predictions = [_predictions(task, key, held, folds, predicted.risk, threshold)]
    for name in task.data.names if len(task.data.names) > 1 else ():
        alone = np.where(task.data.modalities[name].present[held], model.predict(part, name).risk, np.nan)
        predictions.append(_predictions(task, (name, NETWORK, unit.repeat), held, folds, alone, threshold))
    horizons = horizons_of(task.target, task.options.horizons)
    risks = [_risks(task, held, fold != k, model.survival(predicted, horizons), horizons)] if horizons else []
    tables = {
        "predictions": pl.concat(predictions),
        "risks": _joined(risks, key),
        "training": _training(model, unit),
        "notes": _notes([(item, note, 1) for item, note in model.notes]),
    }
    if unit.repeat:
        return tables | {"attention": _attention(task, held, predicted.attention, None, unit.repeat)}
    found = attribute(model, part)
    tables |= {"attention": _attention(task, held, predicted.attention, found, 0)}
    tables |= {"columns": _columns(task, model, held, found), "windows": _windows(task, held, found)}
    return tables | {"maps": _maps(task, model, held, predicted.risk)}


_RISKS = {"subject": pl.String, "time": pl.Float64, "risk": pl.Float64, "without": pl.Float64}


def _joined(parts: list[pl.DataFrame], key: tuple[str, str, int]) -> pl.DataFrame:
    predictors, model, repeat = key
    return pl.concat([pl.DataFrame(schema=_RISKS), *parts]).with_columns(
        predictors=pl.lit(predictors), model=pl.lit(model), repeat=pl.lit(repeat, pl.Int64)
    )


def _predictions(
    task: DeepTask,
    key: tuple[str, str, int],
    rows: Rows,
    fold: npt.NDArray[np.int64],
    risk: Array,
    threshold: Array,
) -> pl.DataFrame:
    predictors, model, repeat = key
    return pl.DataFrame(
        {
            "endpoint": task.endpoint,
            "predictors": predictors,
            "model": model,
            "subject": [task.subject[i] for i in rows],
            "repeat": repeat,
            "fold": fold,
            "prediction": risk,
            "threshold": threshold,
        },
        schema_overrides={"repeat": pl.Int64, "fold": pl.Int64, "subject": pl.String},
    )


def _risks(task: DeepTask, held: Rows, inside: BoolArray, survival: Array, horizons: Sequence[float]) -> pl.DataFrame:
    """Risk by each horizon, of the model and of the training part without predictors."""
    part = task.target.take(inside)
    nothing = (np.zeros(part.n), np.zeros(held.size), horizons)
    time = part.time if part.time is not None else np.zeros(0)
    without = cox_risk(time, part.event, *nothing, ties=task.options.ties)
    columns = {
        "subject": [task.subject[i] for i in held for _ in horizons],
        "time": np.tile(np.array(horizons, dtype=np.float64), held.size),
        "risk": (1.0 - survival).ravel(),
        "without": without.ravel(),
    }
    return pl.DataFrame(columns, schema=_RISKS)


def _notes(notes: Sequence[tuple[str, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(list(notes), schema={"item": pl.String, "got": pl.String, "count": pl.Int64}, orient="row")


def _training(model: DeepModel, unit: DeepUnit) -> pl.DataFrame:
    rows = [
        (unit.task.endpoint, unit.repeat, unit.fold, number, epoch, *losses, epoch == member.network.best)
        for number, member in enumerate(model.members)
        for epoch, losses in enumerate(member.network.history.tolist())
    ]
    names = ("endpoint", "repeat", "fold", "network", "epoch", "training", "validation", "kept")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.col("training").fill_nan(None))


def _attention(task: DeepTask, held: Rows, share: Array, found: Attributed | None, repeat: int) -> pl.DataFrame:
    present = task.data.present[held]
    rows = [
        (
            task.endpoint,
            task.subject[i],
            repeat,
            name,
            float(share[row, m]),
            None if found is None else float(found.total[name][row]),
            None if found is None else float(found.gap[row]),
        )
        for row, i in enumerate(held)
        for m, name in enumerate(task.data.names)
        if present[row, m]
    ]
    schema = {"endpoint": pl.String, "subject": pl.String, "repeat": pl.Int64, "modality": pl.String}
    schema |= {"attention": pl.Float64, "attribution": pl.Float64, "gap": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _columns(task: DeepTask, model: DeepModel, held: Rows, found: Attributed) -> pl.DataFrame:
    """Attribution of every column for every held-out subject who has the modality, beside its standardised value."""
    parts = []
    for name, block in found.columns.items():
        there = np.flatnonzero(task.data.modalities[name].present[held])
        values = _mean_values(model, task.data.take(held), name)
        for column, attributed in block.items():
            parts.append(
                pl.DataFrame(
                    {
                        "endpoint": task.endpoint,
                        "modality": name,
                        "item": column,
                        "subject": [task.subject[held[i]] for i in there],
                        "value": values[column][there],
                        "attribution": attributed[there],
                    }
                )
            )
    schema = {"endpoint": pl.String, "modality": pl.String, "item": pl.String, "subject": pl.String}
    return pl.concat([pl.DataFrame(schema=schema | {"value": pl.Float64, "attribution": pl.Float64}), *parts])


def _mean_values(model: DeepModel, data: DeepData, name: str) -> dict[str, Array]:
    """Standardised values of the columns of a block, the mean over the networks that have them."""
    seen: dict[str, list[Array]] = {}
    for member in model.members:
        if name in member.ready.names:
            values = member.ready.apply(data).inputs[name].astype(np.float64)
            for column, own in zip(member.ready.columns(name), values.T, strict=True):
                seen.setdefault(column, []).append(own)
    return {column: np.asarray(np.mean(values, axis=0)) for column, values in seen.items()}


def _windows(task: DeepTask, held: Rows, found: Attributed) -> pl.DataFrame:
    rows = []
    part = task.data.modalities.get(SEQUENCES)
    if found.windows is not None and isinstance(part, Windows):
        count = part.count[held]
        sums = found.windows.sum(axis=2)
        rows = [
            (task.endpoint, task.subject[i], w, float(sums[row, w]))
            for row, i in enumerate(held)
            for w in range(max(int(count[row]), 0))
        ]
    schema = {"endpoint": pl.String, "subject": pl.String, "window": pl.Int64, "attribution": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _maps(task: DeepTask, model: DeepModel, held: Rows, risk: Array) -> pl.DataFrame:
    """For every held-out subject and image the slice with the highest Grad-CAM."""
    part = task.data.take(held)
    parts = []
    for name, crops in part.modalities.items():
        if not isinstance(crops, Crops) or task.options.explained == 0:
            continue
        maps = grad_cam(model, part, name)
        for row in np.flatnonzero(crops.present):
            cam = (
                maps[row] * crops.mask[row]
                if maps.shape[1:] == crops.mask.shape[1:]
                else np.zeros(crops.mask[row].shape)
            )
            z = int(cam.sum(axis=(1, 2)).argmax()) if cam.any() else int(crops.mask[row].sum(axis=(1, 2)).argmax())
            top = float(cam.max())
            parts.append(
                {
                    "endpoint": task.endpoint,
                    "subject": task.subject[held[row]],
                    "image": name,
                    "prediction": float(risk[row]),
                    "height": cam.shape[1],
                    "width": cam.shape[2],
                    "highest": top,
                    "pixels": _grey(crops.image[row, z]),
                    "mask": crops.mask[row, z].astype(np.uint8).tobytes(),
                    "map": np.round(cam[z] / (top or 1.0) * 255).astype(np.uint8).tobytes(),
                }
            )
    schema = {"endpoint": pl.String, "subject": pl.String, "image": pl.String, "prediction": pl.Float64}
    schema |= {"height": pl.Int64, "width": pl.Int64, "highest": pl.Float64}
    return pl.DataFrame(parts, schema=schema | dict.fromkeys(("pixels", "mask", "map"), pl.Binary))


def _grey(pixels: Array) -> bytes:
    low, high = np.percentile(pixels, (1, 99))
    grey = np.clip((pixels - low) / (high - low if high > low else 1.0), 0.0, 1.0)
    return bytes(np.round(grey * 255).astype(np.uint8).tobytes())
