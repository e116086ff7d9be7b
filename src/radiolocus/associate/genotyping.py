"""Genotypes told from the image, honestly: candidates on the same folds, the whole procedure on permuted markers.

The work is cut into units, target × candidate × repetition and permutation, each a pure function of its input.
:func:`plan` cuts, :func:`run_unit` computes one, :func:`radiolocus.associate.genotyping_tables.summarise` puts the
tables together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from radiolocus.associate.genotyping_options import SIGNATURE, GenotypingOptions, GenotypingTarget
from radiolocus.associate.genotyping_targets import (
    Aim,
    aim_at,
    check_selected_on,
    clinical_predictors,
    imaging_predictors,
    patterned,
    volume_columns,
)
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.conformal import fit_inner
from radiolocus.learn.models import MODELS, display_name
from radiolocus.learn.null import permuted, protocol_statistic, repeat_statistic
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.protocol import Protocol, Repeat
from radiolocus.learn.splits import Rowwise, seed_of
from radiolocus.model import Problem
from radiolocus.registry import suggest
from radiolocus.schema import CONTROL

__all__ = ["GenotypingPlan", "GenotypingTask", "GenotypingUnit", "plan", "run_unit"]

CLINICAL, VOLUME, IMAGING = "clinical", "volume", "imaging"
BOTH, BASE = "imaging + clinical", "clinical + volume"
PERMUTED = f"{CONTROL}another patient's image"
_BALANCE = "balanced accuracy"


@dataclass(frozen=True, eq=False)
class GenotypingTask:
    """One target predicted from one set of predictors by one model.

    Parameters
    ----------
    aim : Aim
    predictors : str
        Name of the set.
    data : Predictors
    options : GenotypingOptions
    model : str
        As the study file names it.
    rows : Rowwise
    primary : bool
        Whether the verdict is about this one.
    permutations : int
    """

    aim: Aim
    predictors: str
    data: Predictors
    options: GenotypingOptions
    model: str
    rows: Rowwise
    primary: bool = False
    permutations: int = 0

    @property
    def protocol(self) -> Protocol:
        """The protocol, with the selection that the model stands for."""
        options: ProtocolOptions = self.options
        if self.model == SIGNATURE:
            return Protocol(replace(options, select="stability"), "ridge")
        return Protocol(options, self.model)

    @property
    def shown(self) -> str:
        """Name of the model in tables."""
        if self.model == SIGNATURE:
            return "stability-selected signature"
        return display_name(self.model, self.aim.target.kind)

    @property
    def is_control(self) -> bool:
        """Whether it is a negative control."""
        return self.predictors.startswith(CONTROL)

    @property
    def label(self) -> str:
        """What is predicted from what, by which model."""
        return f"{self.aim.name} from {self.predictors} by {self.shown}"

    @property
    def key(self) -> dict[str, str]:
        """First columns of every table."""
        return {"target": self.aim.name, "predictors": self.predictors, "model": self.shown}


@dataclass(frozen=True, eq=False)
class GenotypingUnit:
    """One repetition of a task, or one run on a permuted marker; `name` identifies it within a study."""

    task: GenotypingTask
    repeat: int
    permuted: bool = False

    @property
    def name(self) -> str:
        """``target/predictors/model/repeat``, or ``.../permuted/number``."""
        place = f"permuted/{self.repeat}" if self.permuted else str(self.repeat)
        return f"{self.task.aim.name}/{self.task.predictors}/{self.task.model}/{place}"


@dataclass(frozen=True, eq=False)
class GenotypingPlan:
    """What will be computed: repetitions of a task stand together, then its runs on permuted markers."""

    units: tuple[GenotypingUnit, ...]
    problems: tuple[Problem, ...]


def plan(
    markers: pl.DataFrame,
    imaging: pl.DataFrame,
    clinical: pl.DataFrame,
    options: GenotypingOptions,
    controls: Mapping[str, pl.DataFrame] | None = None,
) -> GenotypingPlan:
    """Align targets and predictors, and cut the work into units.

    All candidates of a target are judged on the same subjects, those with the marker and any imaging feature, and
    hence by the same folds.

    Parameters
    ----------
    markers, imaging, clinical : polars.DataFrame
        With a column ``subject``, each subject once, and a column a marker, a feature, a clinical value.
    options : GenotypingOptions
    controls : mapping of str to polars.DataFrame, optional
        Negative controls made of the images, by name.

    Returns
    -------
    GenotypingPlan
        A target that cannot be predicted (one class, too few subjects) is a problem, not an exception.

    Raises
    ------
    ConfigError
        A column, marker or feature that is not there; features that were selected on a target.
    """
    clinic = Clinic(clinical, options, section="genotyping")
    tasks: list[GenotypingTask] = []
    problems: list[Problem] = []
    for name, wanted in options.targets.items():
        columns = list(imaging.columns[1:])
        if wanted.features:
            columns = patterned(columns, wanted.features)
            if not columns:
                raise ConfigError(
                    f"no imaging feature '{wanted.features[0]}'",
                    where=f"genotyping.targets.{name}.features",
                    todo=suggest(wanted.features[0], imaging.columns[1:]) or "name features of this study",
                )
        known = _clinical(name, wanted, clinical, options)
        check_selected_on(name, columns, options.selected_on)
        aim, found = aim_at(name, wanted, markers, clinical)
        problems += found
        aim, found = _with_image(aim, imaging, columns, clinic)
        problems += found
        try:
            aim.target.check()
        except RadiolocusError as error:
            problems.append(_problem(error, name))
            continue
        made, found = _candidates(aim, columns, known, imaging, clinical, clinic, options, controls or {})
        tasks += made
        problems += found
    units = tuple(
        GenotypingUnit(task, k, permuted)
        for task in tasks
        for permuted, count in ((False, options.runs), (True, task.permutations))
        for k in range(count)
    )
    return GenotypingPlan(units, tuple(problems))


def _clinical(
    name: str, wanted: GenotypingTarget, clinical: pl.DataFrame, options: GenotypingOptions
) -> tuple[str, ...]:
    """Clinical columns of a target."""
    where = "genotyping.clinical" if wanted.clinical is None else f"genotyping.targets.{name}.clinical"
    chosen = options.clinical if wanted.clinical is None else wanted.clinical
    for column in chosen:
        if column not in clinical.columns[1:]:
            raise ConfigError(
                f"no clinical column '{column}'",
                where=where,
                allowed=", ".join(clinical.columns[1:]),
                todo=suggest(column, clinical.columns[1:]),
            )
    return chosen


def _with_image(aim: Aim, imaging: pl.DataFrame, columns: Sequence[str], clinic: Clinic) -> tuple[Aim, list[Problem]]:
    """Subjects of a target who have an image and, where the split needs one, a date."""
    filled = imaging.filter(pl.any_horizontal(pl.col(columns).is_not_null()))["subject"].to_list() if columns else []
    have = np.isin(np.array(aim.subject, dtype=object), filled)
    problems = []
    if (lacking := int((~have).sum())) > 0:
        got = f"{lacking} of {have.size} subjects with the marker have no imaging feature"
        problems.append(Problem("genotyping", got, "note", item=aim.name, count=lacking))
    dated = clinic.dated(aim.subject)
    if (undated := int((have & ~dated).sum())) > 0:
        got = f"{undated} subjects left out: no date"
        problems.append(Problem("genotyping", got, "set aside", item=aim.name, count=undated, where="genotyping.date"))
    have &= dated
    subject = tuple(s for s, kept in zip(aim.subject, have, strict=True) if kept)
    return replace(aim, subject=subject, target=aim.target.take(have)), problems


def _candidates(
    aim: Aim,
    columns: Sequence[str],
    known: Sequence[str],
    imaging: pl.DataFrame,
    clinical: pl.DataFrame,
    clinic: Clinic,
    options: GenotypingOptions,
    controls: Mapping[str, pl.DataFrame],
) -> tuple[list[GenotypingTask], list[Problem]]:
    """Candidates of one target, from the plainest to the richest, then the negative controls."""
    kind = aim.target.kind
    linear = kind in ("binary", "continuous")
    models = [m for m in options.models if (linear if m == SIGNATURE else kind in MODELS[m].kinds)]
    problems = [
        Problem("genotyping", f"model '{m}' does not predict a {kind} target", "note", item=aim.name)
        for m in options.models
        if m not in models
    ]
    plain = "ridge" if linear else "multinomial"
    models = models or [plain]
    rows = clinic.rows(aim.subject)
    image = imaging_predictors(imaging, aim.subject, columns)
    size = volume_columns(columns, options)
    sets: dict[str, tuple[Predictors, str]] = {}
    if known:
        clinical_part = clinical_predictors(clinical, aim.subject, known)
        sets[CLINICAL] = (clinical_part, plain)
    if size:
        sets[VOLUME] = (imaging_predictors(imaging, aim.subject, size, VOLUME), plain)
    if known and size:
        sets[BASE] = (join_predictors([sets[CLINICAL][0], sets[VOLUME][0]]), plain)
    tasks = [GenotypingTask(aim, n, clinic.dressed(d, aim.subject), options, m, rows) for n, (d, m) in sets.items()]
    dressed = clinic.dressed(image, aim.subject)
    tasks += [
        GenotypingTask(
            aim, IMAGING, dressed, options, model, rows, k == 0,
            options.permutations if k == 0 or options.null_models else 0,
        )
        for k, model in enumerate(models)
    ]  # fmt: skip
    if known:
        joined = clinic.dressed(join_predictors([clinical_part, image]), aim.subject)
        tasks.append(GenotypingTask(aim, BOTH, joined, options, models[0], rows))
    tasks.append(GenotypingTask(aim, PERMUTED, dressed, options, models[0], rows))
    for name, frame in controls.items():
        there = frame.join(pl.DataFrame({"subject": aim.subject}), on="subject", how="right").select(frame.columns)
        kept = [c for c in there.columns[1:] if name == VOLUME or c in columns]
        if kept:
            data = clinic.dressed(imaging_predictors(there, aim.subject, kept), aim.subject)
            tasks.append(GenotypingTask(aim, f"{CONTROL}{name}", data, options, models[0], rows))
    return tasks, problems


def run_unit(unit: GenotypingUnit) -> dict[str, pl.DataFrame]:
    """Compute one repetition, or one run on a permuted marker.

    Returns
    -------
    dict of str to polars.DataFrame
        ``predictions`` (subject, fold, class, observed, prediction, conformal_p_value, lower, upper), ``thresholds``
        (of each fold and rule, with its confusion), ``selection`` (coefficient of every column that an outer fit
        used), ``value`` (the statistic of this repetition) and ``notes``. Of a permuted marker ``value`` alone.

    Raises
    ------
    FitError
        The model cannot be fitted to these subjects.
    """
    task = unit.task
    options, target = task.options, task.aim.target
    if unit.permuted:
        within = task.rows.site if options.split == "site" else None
        statistic = protocol_statistic(task.protocol, task.data, task.rows)
        return {"value": _value(statistic(permuted(target, options.seed, unit.repeat, within=within)))}
    if task.predictors == PERMUTED:
        # Other strangers in every repetition: a single exchange can go with the marker by chance.
        seed = np.random.SeedSequence(options.seed, spawn_key=(104729, unit.repeat))
        task = replace(task, data=task.data.take(np.random.default_rng(seed).permutation(task.data.n)))
    found = task.protocol.run(task.data, target, unit.repeat, task.rows)
    conformal, ends, thresholds = _uncertainty(unit, found)
    notes = pl.DataFrame(
        list(found.notes), schema={"item": pl.String, "got": pl.String, "count": pl.Int64}, orient="row"
    )
    return {
        "predictions": _predictions(task, found, conformal, ends),
        "thresholds": thresholds,
        "selection": _coefficients(found),
        "value": _value(repeat_statistic(target, found)),
        "notes": notes,
    }


def _value(value: float) -> pl.DataFrame:
    return pl.DataFrame({"value": [value]}, schema={"value": pl.Float64})


def _uncertainty(unit: GenotypingUnit, found: Repeat) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Conformal p-values (or intervals) of held-out subjects, and thresholds of each training part and their calls."""
    task = unit.task
    target, options = task.aim.target, task.options
    conformal, ends = np.full((target.n, target.classes or 1), np.nan), np.full((target.n, 2), np.nan)
    rows: list[tuple[str, int, float, int, int, int, int]] = []
    for k, tuned in enumerate(() if task.is_control else found.models):
        inside, out = found.fold != k, found.fold == k
        inner = fit_inner(
            task.data.take(inside),
            target.take(inside),
            task.protocol.options,
            seed_of(options, unit.repeat, k),
            tuned,
            model=task.protocol.model,
        )
        if target.number:
            ends[out] = np.column_stack(inner.interval(task.data.take(out), options.coverage))
            continue
        conformal[out] = inner.conformal(task.data.take(out))
        if target.kind == "binary" and found.probability is not None:
            risk, case = found.probability[out, 1], target.event[out] == 1
            for rule, cut in (
                (f"sensitivity {options.sensitivity:.0%}", inner.threshold_of_sensitivity(options.sensitivity)),
                (_BALANCE, inner.threshold_of_balance()),
            ):
                called = risk >= cut
                counts = [int(np.sum(a & b)) for a in (case, ~case) for b in (called, ~called)]
                rows.append((rule, k, cut, *counts))  # type: ignore[arg-type]
    names = ["rule", "fold", "threshold", "true_positives", "false_negatives", "false_positives", "true_negatives"]
    types = [pl.String, pl.Int64, pl.Float64, pl.Int64, pl.Int64, pl.Int64, pl.Int64]
    return conformal, ends, pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def _predictions(task: GenotypingTask, found: Repeat, conformal: np.ndarray, ends: np.ndarray) -> pl.DataFrame:
    target, K = task.aim.target, task.aim.target.classes or 1
    probability = found.probability if found.probability is not None else found.prediction[:, None]
    observed = target.event if target.number else (target.event[:, None] == np.arange(K)).astype(np.float64).ravel()
    ends = np.where(np.isfinite(ends), ends, np.nan)
    return pl.DataFrame(
        {
            "subject": np.repeat(np.array(task.aim.subject, dtype=object), K),
            "fold": np.repeat(found.fold, K),
            "class": list(task.aim.classes or ("",)) * target.n,
            "observed": observed,
            "prediction": probability.ravel(),
            "conformal_p_value": conformal.ravel(),
            "lower": np.repeat(ends[:, 0], K),
            "upper": np.repeat(ends[:, 1], K),
        },
        schema_overrides={"subject": pl.String},
    )


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


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("genotyping", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
