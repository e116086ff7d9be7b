"""From tables to predictors and targets, with a line for everything that could not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.learn.models import MODELS, models_for
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, Endpoint, Problem
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.registry import suggest

__all__ = ["Block", "Known", "chosen_endpoints", "read_blocks", "suited_models", "target_of"]

CLINICAL = "clinical"


@dataclass(frozen=True, eq=False)
class Block:
    """Predictors of one kind, for the subjects that have any of them.

    Parameters
    ----------
    name : str
        clinical, imaging, molecular or genetic.
    row : dict of str to int
        Row of each subject in `predictors`.
    predictors : Predictors
    """

    name: str
    row: dict[str, int]
    predictors: Predictors


@dataclass(frozen=True, eq=False)
class Known:
    """The subjects whose endpoint is known, and what it is.

    Parameters
    ----------
    endpoint : Endpoint
    subject : tuple of str
    target : Target
        Aligned with `subject`.
    """

    endpoint: Endpoint
    subject: tuple[str, ...]
    target: Target


def chosen_endpoints(endpoints: Mapping[str, Endpoint], options: OutcomeOptions) -> list[Endpoint]:
    """Endpoints that the study file asks for; all of them when it names none.

    Raises
    ------
    ConfigError
        An endpoint that the cohort does not have.
    """
    for name in options.endpoints:
        if name not in endpoints:
            raise ConfigError(
                f"unknown endpoint '{name}'",
                where="outcome.endpoints",
                allowed=", ".join(endpoints),
                todo=suggest(name, list(endpoints)),
            )
    return [endpoints[name] for name in options.endpoints or endpoints]


def target_of(endpoint: Endpoint) -> tuple[Known, list[Problem]]:
    """Take the subjects whose endpoint is known.

    Returns
    -------
    Known
    list of Problem
        Subjects without the endpoint are counted; a subject with a negative time is set aside by name.

    Raises
    ------
    FitError
        No events, one class only, or too few events to be predicted at all.
    InputError
        An event that is neither 0, 1 nor missing.
    """
    event = np.asarray(endpoint.event, dtype=np.float64)
    time = None if endpoint.time is None else np.asarray(endpoint.time, dtype=np.float64)
    known = np.isfinite(event) if time is None else np.isfinite(event) & np.isfinite(time)
    negative = np.zeros(event.size, dtype=bool) if time is None else known & (np.nan_to_num(time) < 0)
    problems = []
    unknown = int((~known).sum())
    if unknown:
        got = f"{unknown} of {event.size} subjects have no known value of this endpoint"
        problems.append(Problem("outcome", got, "note", item=endpoint.name, count=unknown))
    for i in np.flatnonzero(negative):
        problems.append(
            Problem(
                "outcome",
                f"time {'' if time is None else format(time[i], 'g')} {endpoint.unit}".rstrip(),
                "set aside",
                endpoint.subject[i],
                endpoint.name,
                allowed="zero or positive",
                todo="correct the time; the subject is left out of this endpoint",
            )
        )
    rows = np.flatnonzero(known & ~negative)
    target = _target(endpoint, event, time, rows)
    target.check()
    return Known(endpoint, tuple(endpoint.subject[i] for i in rows), target), problems


def _target(endpoint: Endpoint, event: Array, time: Array | None, rows: Rows) -> Target:
    if time is None:
        levels = endpoint.levels if endpoint.kind in ("ordinal", "multiclass") else ()
        return Target(event[rows], levels=levels, ordered=endpoint.kind == "ordinal")
    state, entry, weight = (None if v is None else v[rows] for v in (endpoint.state, endpoint.entry, endpoint.weight))
    stratum = None if endpoint.stratum is None else np.array(endpoint.stratum)[rows]
    return Target(event[rows], time[rows], state=state, entry=entry, stratum=stratum, weight=weight)


def suited_models(known: Known, options: OutcomeOptions) -> tuple[OutcomeOptions | None, list[Problem]]:
    """Keep the models that can predict an endpoint; where none of those asked for can, take those made for it.

    Returns
    -------
    OutcomeOptions or None
        None where no model knows what the endpoint asks for.
    list of Problem
        That other models were taken.
    """
    kind, needs = known.target.kind, known.target.needs
    wanted = models_for(kind, options.models, needs)
    wanted, problems = _of_positive_times(known, wanted)
    if wanted or (kind in ("survival", "binary") and not needs and not problems):
        return (_of_models(options, wanted) if wanted else options), problems
    told = f" with {', '.join(sorted(needs))}" if needs else ""
    made = models_for(kind, _MADE_FOR.get(kind, ()), needs)
    got = f"none of models = {list(options.models)} predicts {'an' if kind == 'ordinal' else 'a'} {kind} endpoint{told}"
    allowed = ", ".join(models_for(kind, tuple(MODELS), needs)) or "none"
    where = "outcome.models"
    if not made:
        todo = "leave this endpoint out, or give it without them"
        return None, [Problem("outcome", got, "set aside", None, known.endpoint.name, where, allowed, todo)]
    got += f": {', '.join(made)} {'are' if len(made) > 1 else 'is'} taken"
    return _of_models(options, made), [
        *problems,
        Problem("outcome", got, "note", None, known.endpoint.name, where, allowed, "name one of those"),
    ]


def _of_positive_times(known: Known, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], list[Problem]]:
    """Models without those that take the logarithm of a time of zero, and whose time that is."""
    time = known.target.time
    zero = [] if time is None else [known.subject[i] for i in np.flatnonzero(time <= 0)]
    unfit = [name for name in wanted if zero and MODELS[name].logarithm]
    if not unfit:
        return wanted, []
    got = f"{', '.join(unfit)} cannot predict: time 0 of {len(zero)} (first {zero[0]})"
    problem = Problem(
        "outcome",
        got,
        "set aside",
        item=known.endpoint.name,
        where="outcome.models",
        allowed="times above zero, of which the model takes the logarithm",
        todo="correct the times, or use models of hazards: elastic_net, cox, ...",
    )
    return tuple(name for name in wanted if name not in unfit), [problem]


_MADE_FOR: dict[str, tuple[str, ...]] = {
    "survival": ("cox",),
    "competing": ("cause_specific_cox", "fine_gray"),
    "ordinal": ("ordinal",),
    "multiclass": ("multinomial",),
}


def read_blocks(frames: Mapping[str, pl.DataFrame], options: OutcomeOptions) -> tuple[dict[str, Block], list[Problem]]:
    """Read tables of predictors.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        Block name to a table with a column ``subject`` (each subject once) and a column a predictor. Of the block
        ``clinical`` only the columns named in ``options.clinical`` are taken; text there makes a categorical
        predictor. Elsewhere text is not a predictor.
    options : OutcomeOptions

    Returns
    -------
    dict of str to Block
        Blocks with at least one predictor and one subject.
    list of Problem
        Columns that are not predictors, with the reason.

    Raises
    ------
    ConfigError
        A clinical column that the table does not have.
    TableError
        A subject twice.
    """
    blocks: dict[str, Block] = {}
    problems: list[Problem] = []
    for name, frame in frames.items():
        twice = frame.filter(pl.col("subject").is_duplicated())["subject"].unique(maintain_order=True)
        if twice.len():
            raise TableError(
                f"subject {twice[0]} more than once ({twice.len()} such)",
                where=f"predictors '{name}'",
                allowed="one row a subject",
                todo="choose one visit or region, or give each its own columns",
            )
        columns = (
            _clinical_columns(frame, options) if name == CLINICAL else [c for c in frame.columns if c != "subject"]
        )
        predictors, found = _predictors(name, frame, columns)
        problems += found
        has_any = np.asarray(np.hstack([np.isfinite(predictors.numeric), predictors.codes >= 0]).any(axis=1))
        if predictors.candidates and has_any.any():
            subjects = frame["subject"].to_list()
            row = {subjects[i]: k for k, i in enumerate(np.flatnonzero(has_any))}
            blocks[name] = Block(name, row, predictors.take(has_any))
        elif columns:
            got = f"no subject has a usable value among {len(columns)} columns"
            problems.append(Problem("outcome", got, "set aside", item=name, todo="look at the columns of this block"))
    return blocks, problems


def _of_models(options: OutcomeOptions, models: tuple[str, ...]) -> OutcomeOptions:
    """The options with some models alone; what only other models can do about an absent block goes with them."""
    strategies = tuple(s for s in options.missing_modality if s != "dropout" or "stacked" in models)
    return replace(options, models=models, missing_modality=strategies)


def rows_of(block: Block, subjects: tuple[str, ...]) -> Rows:
    """Rows of `subjects`, all of whom the block has."""
    return np.array([block.row[s] for s in subjects], dtype=np.intp)


def _clinical_columns(frame: pl.DataFrame, options: OutcomeOptions) -> list[str]:
    for column in options.clinical:
        if column not in frame.columns or column == "subject":
            known = [c for c in frame.columns if c != "subject"]
            raise ConfigError(
                f"no clinical column '{column}'",
                where="outcome.clinical",
                allowed=", ".join(known),
                todo=suggest(column, known),
            )
    return list(options.clinical)


def _spelled_twice(column: str, levels: Sequence[str]) -> list[Problem]:
    """Say where categories differ by case or spaces alone: each is a category of its own."""
    alike: dict[str, list[str]] = {}
    for level in levels:
        alike.setdefault("".join(level.casefold().split()), []).append(level)
    return [
        Problem(
            "outcome",
            f"categories {', '.join(map(repr, twice))} differ by case or spaces alone and count as different ones",
            "note",
            item=column,
            where="outcome.clinical",
            todo="spell them alike in the table if they mean the same",
        )
        for twice in alike.values()
        if len(twice) > 1
    ]


def _predictors(name: str, frame: pl.DataFrame, columns: list[str]) -> tuple[Predictors, list[Problem]]:
    numeric: dict[str, Array] = {}
    codes, levels = {}, {}
    problems = []
    structure = None
    for column in columns:
        values = frame[column]
        if isinstance(values.dtype, pl.List):  # dosages, of which components are made inside the fold
            structure = np.array(values.to_list(), dtype=np.float64).reshape(frame.height, -1)
        elif values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null):
            numeric[column] = values.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
        elif name == CLINICAL and values.dtype in (pl.String, pl.Categorical, pl.Enum):
            text = values.cast(pl.String)
            levels[column] = tuple(text.drop_nulls().unique().sort().to_list())
            position = {level: k for k, level in enumerate(levels[column])}
            codes[column] = np.array([position.get(v, -1) for v in text.to_list()], dtype=np.int64)
            problems += _spelled_twice(column, levels[column])
        else:
            problems.append(
                Problem(
                    "outcome",
                    f"column of type {values.dtype} among '{name}' predictors",
                    "set aside",
                    item=column,
                    allowed="numbers; text in clinical columns only",
                    todo="give the column numbers, or leave it out",
                )
            )
    raw = np.column_stack([np.zeros((frame.height, 0)), *numeric.values()])
    predictors = Predictors(
        raw,
        tuple(numeric),
        (name,) * len(numeric),
        np.column_stack([np.zeros((frame.height, 0), dtype=np.int64), *codes.values()]),
        tuple(levels.values()),
        tuple(codes),
        (name,) * len(codes),
        structure=structure,
    )
    lost = np.isnan(predictors.numeric).sum(axis=0) - np.isnan(raw).sum(axis=0)
    problems += [
        Problem(
            "outcome",
            f"{lost[j]} values of '{name}' are infinite or beyond 1e100 and count as missing",
            "note",
            item=predictors.numeric_names[j],
            count=int(lost[j]),
        )
        for j in np.flatnonzero(lost)
    ]
    return predictors, problems
