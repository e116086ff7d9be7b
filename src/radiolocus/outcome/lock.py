"""A locked model: one file of plain numbers that predicts new patients, safe to open from a stranger."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from scipy import special

from radiolocus.errors import ConfigError, InputError, TableError
from radiolocus.learn.interface import Proportional
from radiolocus.learn.linear import LinearFit
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.tune import TunedModel
from radiolocus.model import Array
from radiolocus.registry import suggest

__all__ = ["FORMAT", "MOST", "LockedModel", "ModelColumn", "lock_model", "read_model"]

FORMAT = "radiolocus locked model 1"
#: Stands where a warning names no single patient.
MOST = "most patients"
_OUTSIDE = "outside the training range"
_LARGEST_FILE = 64 * 2**20
ColumnKind = Literal["number", "missing", "level"]


@dataclass(frozen=True)
class ModelColumn:
    """A column of the model.

    Parameters
    ----------
    predictor : str
        Name of the predictor it is made of.
    block : str
        clinical, imaging, molecular or genetic.
    kind : {"number", "missing", "level"}
        The number itself, 1 where it is missing, or 1 where the category is `level`.
    level : str
        Category; empty for numbers.
    impute : float
        What a missing number becomes: the training median; 0 for the other kinds.
    mean, scale : float
        Of the column in training.
    coefficient : float
        For each standard deviation.
    low, high : float
        Smallest and largest training value; of the other kinds 0 and 1.
    """

    predictor: str
    block: str
    kind: ColumnKind
    level: str
    impute: float
    mean: float
    scale: float
    coefficient: float
    low: float
    high: float


@dataclass(frozen=True)
class LockedModel:
    """Everything that a prediction needs, and where it came from.

    Parameters
    ----------
    endpoint, kind, unit : str
        What is predicted: its name, ``survival``, ``competing`` or ``binary``, and the unit of its time.
    predictors, model : str
        Set of predictors and name of the model.
    columns : tuple of ModelColumn
    intercept : float
    threshold : float
        Above it a patient is of high risk.
    baseline_time, baseline_hazard : tuple of float
        Cumulative hazard (with competing events, of the subdistribution) of a patient of linear predictor 0, from each
        event time on; empty for a binary endpoint.
    categories : dict of str to list of str
        Categories that training held, by predictor.
    patients, events : int
        Of training.
    performance : tuple of dict
        Rows of ``outcome/performance``: how the protocol that made this model did out of fold.
    settings : dict
        Of the study: imaging features, molecular markers, protocol.
    versions : dict of str to str
    """

    endpoint: str
    kind: Literal["survival", "binary", "competing"]
    unit: str
    predictors: str
    model: str
    columns: tuple[ModelColumn, ...]
    intercept: float
    threshold: float
    baseline_time: tuple[float, ...]
    baseline_hazard: tuple[float, ...]
    categories: dict[str, list[str]]
    patients: int
    events: int
    performance: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    versions: dict[str, str]

    @property
    def needed(self) -> dict[str, str]:
        """Predictors the model uses, and their blocks."""
        return {c.predictor: c.block for c in self.columns if c.coefficient != 0.0}

    def to_json(self) -> bytes:
        """Return the file: the fields, and the SHA-256 of all of them."""
        body = {"format": FORMAT, **asdict(self)}
        return (json.dumps({**body, "sha256": _hash(body)}, indent=1, ensure_ascii=False) + "\n").encode()

    def linear(self, frame: pl.DataFrame) -> tuple[Array, list[tuple[str, str, str]]]:
        """Return the linear predictor of every row, and warnings.

        Parameters
        ----------
        frame : polars.DataFrame
            ``subject`` and a column for each predictor that is needed.

        Returns
        -------
        ndarray, shape (n,)
        list of (str, str, str)
            Subject, predictor, and what is wrong: missing, outside the training range, or an unknown category. First
            come predictors of which most patients lie outside: they may be measured in another unit.

        Raises
        ------
        TableError
            A predictor that the model needs is no column, or no number.
        """
        lacking = [name for name in self.needed if name not in frame.columns]
        if lacking:
            raise TableError(
                f"no column '{lacking[0]}' ({len(lacking)} of {len(self.needed)} predictors lacking)",
                where="new patients",
                allowed=", ".join(self.needed),
                todo=suggest(lacking[0], frame.columns) or "measure it with the settings in the model file",
            )
        total = np.full(frame.height, self.intercept)
        told: list[tuple[str, str, str]] = []
        subjects = frame["subject"].cast(pl.String).to_list()
        for column in self.columns:
            if column.coefficient == 0.0:
                continue
            value, found = _column(column, frame[column.predictor], self.categories)
            total += column.coefficient * (value - column.mean) / column.scale
            told += [(subjects[i], column.predictor, what) for i, what in found]
        return total, list(dict.fromkeys([*_elsewhere(told, frame.height), *told]))

    def risk(self, linear: Array, times: Sequence[float]) -> Array:
        """Probability of the event (of interest) by each time, shape (n, t), or of a binary one at all, (n, 1)."""
        if self.kind == "binary":
            probability: Array = np.asarray(special.expit(linear))[:, None]
            return probability
        last = np.searchsorted(np.array(self.baseline_time), np.asarray(times), side="right")
        hazard = np.append(0.0, self.baseline_hazard)[last]
        risk: Array = -np.expm1(-hazard[None, :] * np.exp(linear)[:, None])
        return risk


def _elsewhere(told: Sequence[tuple[str, str, str]], patients: int) -> list[tuple[str, str, str]]:
    """Predictors that lie outside the training range in more than half of three patients or more."""
    outside: dict[str, set[str]] = {}
    for subject, predictor, what in told:
        if _OUTSIDE in what:
            outside.setdefault(predictor, set()).add(subject)
    got = f"{{}} of {patients} patients are {_OUTSIDE}: is it measured as in training, in the same unit?"
    return [
        (MOST, predictor, got.format(len(who)))
        for predictor, who in outside.items()
        if patients >= 3 and len(who) > patients / 2
    ]


def _column(
    column: ModelColumn, values: pl.Series, categories: Mapping[str, Sequence[str]]
) -> tuple[Array, list[tuple[int, str]]]:
    if column.kind == "level":
        text = values.cast(pl.String)
        known = set(categories.get(column.predictor, ()))
        told = [
            (i, "missing: the most frequent category is taken" if v is None else f"category '{v}' was not in training")
            for i, v in enumerate(text)
            if v not in known
        ]
        return (text == column.level).fill_null(False).to_numpy().astype(np.float64), told
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
        raise TableError(f"column '{column.predictor}' of type {values.dtype}", where="new patients", allowed="numbers")
    number = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    missing = ~np.isfinite(number)
    if column.kind == "missing":
        return missing.astype(np.float64), []
    outside = ~missing & ((number < column.low) | (number > column.high))
    told = [(int(i), f"missing: {column.impute:.6g} is taken, the training median") for i in np.flatnonzero(missing)]
    told += [
        (int(i), f"{number[i]:.6g} is {_OUTSIDE}, {column.low:.6g} to {column.high:.6g}")
        for i in np.flatnonzero(outside)
    ]
    return np.where(missing, column.impute, number), told


def lock_model(tuned: TunedModel, training: Predictors, **about: Any) -> LockedModel:
    """Take the numbers of a fitted model out of it.

    Parameters
    ----------
    tuned : TunedModel
        An elastic net, lasso or ridge; a ridge Cox model, or Fine and Gray's.
    training : Predictors
        That it was fitted to.
    **about
        The other fields of :class:`LockedModel`.

    Raises
    ------
    ConfigError
        A model without coefficients, or one that harmonises sites.
    """
    fit = tuned.fit
    if not isinstance(fit, LinearFit | Proportional):
        alike = bool(tuned.deviance.size) and not tuned.setting
        raise ConfigError(
            f"a locked {about.get('model', type(fit).__name__)}" + (" that predicts everybody alike" if alike else ""),
            where="lock",
            allowed="elastic_net, lasso, ridge, cox, fine_gray, with predictors that are worth it",
        )
    if tuned.preprocess.harmonises:
        raise ConfigError(
            "a locked model of harmonised features",
            where="outcome.harmonise",
            allowed="features as they were measured: ComBat knows no scanner that training did not hold",
            todo="leave harmonise out",
        )
    time, hazard = _baseline(fit)
    return LockedModel(
        columns=tuple(
            ModelColumn(**part, mean=float(m), scale=float(s), coefficient=float(b))
            for part, m, s, b in zip(
                tuned.preprocess.described(training),
                tuned.preprocess.mean,
                tuned.preprocess.scale,
                fit.coefficient,
                strict=True,
            )
        ),
        intercept=fit.intercept if isinstance(fit, LinearFit) else 0.0,
        threshold=tuned.threshold,
        baseline_time=time,
        baseline_hazard=hazard,
        categories={
            name: [training.levels[q][k] for k in np.unique(training.codes[:, q]).tolist() if k >= 0]
            for q, name in enumerate(training.categorical_names)
        },
        **about,
    )


def _baseline(fit: LinearFit | Proportional) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not isinstance(fit, LinearFit):
        moments, cumulative = fit.baseline_hazard()
        return tuple(moments.tolist()), tuple(cumulative.tolist())
    if fit.baseline is None:
        return (), ()
    times = np.unique(fit.baseline.time[fit.baseline.event > 0])
    hazard = np.full(times.size, np.inf)
    # A survival that is next to nothing has lost its hazard: there it is read off a patient of lower risk.
    for lower in np.arange(0.0, 200.0, 4.0):
        survival = fit.baseline.survival(np.array([-lower]), times)[0]
        told = np.isinf(hazard) & (survival > 1e-8)
        hazard[told] = -np.log(survival[told]) * np.exp(lower)
        if np.isfinite(hazard).all():
            break
    return tuple(times.tolist()), tuple(hazard.tolist())


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_model(file: Path | str) -> LockedModel:
    """Read a model file: JSON that holds data alone, every value checked before it is used.

    Raises
    ------
    InputError
        No such model, another version, or a file that was changed after it was written.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError("no such file", where=file.name, allowed="a file that `radiolocus lock` wrote")
    if file.stat().st_size > _LARGEST_FILE:
        raise InputError(f"{file.stat().st_size:,} bytes", where=file.name, allowed=f"at most {_LARGEST_FILE:,}")
    try:
        raw = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise InputError("not JSON", where=file.name, allowed="a file that `radiolocus lock` wrote") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        got = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise InputError(f"format {got!r}", where=file.name, allowed=FORMAT, todo="lock the model again")
    if raw.pop("sha256", None) != _hash(raw):
        raise InputError(
            "the content does not match its SHA-256: the file was changed or damaged",
            where=file.name,
            todo="get the file from its author again",
        )
    del raw["format"]
    try:
        return _checked(raw)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"unusable: {error}", where=file.name, allowed=FORMAT, todo="lock the model again") from None


def _checked(raw: dict[str, Any]) -> LockedModel:
    columns = tuple(ModelColumn(**c) for c in raw["columns"])
    for name in ("baseline_time", "baseline_hazard"):
        raw[name] = _numbers(raw[name], name)
    for name in ("intercept", "threshold"):
        raw[name] = _numbers([raw[name]], name)[0]
    for column in columns:
        numbers = [getattr(column, f.name) for f in fields(column) if f.type == "float"]
        _numbers(numbers, column.predictor)
        if column.scale <= 0.0 or column.kind not in get_args(ColumnKind):
            raise ValueError(f"column '{column.predictor}'")
    if raw["kind"] not in ("survival", "binary", "competing") or len(raw["baseline_time"]) != len(
        raw["baseline_hazard"]
    ):
        raise ValueError("kind or baseline")
    return LockedModel(**{**raw, "columns": columns, "performance": tuple(raw["performance"])})


def _numbers(values: Sequence[object], name: str) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values if isinstance(v, int | float) and math.isfinite(v))
    if len(numbers) < len(values):
        raise ValueError(f"'{name}' holds what is no finite number")
    return numbers
