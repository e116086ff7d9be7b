"""What will be computed: endpoints × sets of predictors × models, cut into units.

Who is judged: each block on the subjects that have it, ``all`` on the subjects that have every block; with
``same_subjects`` every block on the latter. A block that a subject lacks altogether is never imputed. Folds depend on
the seed, the repetition and the subjects alone, so that blocks and models with the same subjects share their folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.models import MODELS, display_name, models_for
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.splits import Rowwise
from radiolocus.learn.target import Target
from radiolocus.model import Endpoint, Problem
from radiolocus.outcome.audit import data_audit
from radiolocus.outcome.blocks import Block, Known, chosen_endpoints, read_blocks, rows_of, suited_models, target_of
from radiolocus.outcome.landmark import Landmark, joined
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.rows import check_selected_on
from radiolocus.outcome.sets import ALL, PARTIAL, models_of, partial_models, partial_predictors, sets_of
from radiolocus.outcome.univariate import univariate
from radiolocus.schema import CONTROL, empty

__all__ = ["Plan", "Task", "Unit", "plan"]


@dataclass(frozen=True, eq=False)
class Task:
    """One endpoint predicted from one set of predictors.

    Parameters
    ----------
    endpoint, predictors : str
        Names.
    subject : tuple of str
    target : Target
    data : Predictors
        Both aligned with `subject`.
    options : OutcomeOptions
    model : str
        Key of the model.
    rows : Rowwise
        Site and date, where the split needs them.
    permutations : int
        Runs on a permuted outcome, for the audit.
    """

    endpoint: str
    predictors: str
    subject: tuple[str, ...]
    target: Target
    data: Predictors
    options: OutcomeOptions
    model: str = "elastic_net"
    rows: Rowwise = field(default_factory=Rowwise)
    permutations: int = 0

    @property
    def shown(self) -> str:
        """Name of the model in tables."""
        return display_name(self.model, self.target.kind)

    @property
    def label(self) -> str:
        """What is predicted from what, and by which model where there are several."""
        by = f" by {self.shown}" if len(models_for(self.target.kind, self.options.models)) > 1 else ""
        return f"{self.endpoint} from {self.predictors}{by}"


@dataclass(frozen=True, eq=False)
class Unit:
    """One repetition of a task, or one of its runs on a permuted outcome; `name` identifies it within a study."""

    task: Task
    repeat: int
    permuted: bool = False

    @property
    def name(self) -> str:
        """``endpoint/predictors/model/repeat``, or ``.../permuted/number``."""
        place = f"permuted/{self.repeat}" if self.permuted else str(self.repeat)
        return f"{self.task.endpoint}/{self.task.predictors}/{self.task.model}/{place}"


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed.

    Parameters
    ----------
    units : tuple of Unit
        Repetitions of a task stand together, then its runs on permuted outcomes.
    univariate : polars.DataFrame
        Table ``outcome/univariate``; computed already, since it takes no time worth dividing.
    problems : tuple of Problem
        What cannot be computed, and who is left out.
    audit : polars.DataFrame
        Table ``outcome/audit``, as far as it concerns the data alone.
    landmark : polars.DataFrame
        Table ``outcome/landmark``.
    """

    units: tuple[Unit, ...]
    univariate: pl.DataFrame
    problems: tuple[Problem, ...]
    audit: pl.DataFrame = field(default_factory=lambda: empty("outcome/audit"))
    landmark: pl.DataFrame = field(default_factory=lambda: empty("outcome/landmark"))


def plan(
    endpoints: Mapping[str, Endpoint],
    frames: Mapping[str, pl.DataFrame],
    options: OutcomeOptions,
    controls: Mapping[str, pl.DataFrame] | None = None,
    landmark: Landmark | None = None,
) -> Plan:
    """Align endpoints and predictors, judge every predictor alone, and cut the rest of the work into units.

    Parameters
    ----------
    endpoints : mapping of str to Endpoint
        The cohort's endpoints.
    frames : mapping of str to polars.DataFrame
        See :func:`radiolocus.outcome.blocks.read_blocks`.
    options : OutcomeOptions
    controls : mapping of str to polars.DataFrame, optional
        Negative controls of the block ``imaging``, by name, as blocks of their own: judged out of fold on the subjects
        that the block ``imaging`` is judged on, with its folds, and part of nothing else.
    landmark : Landmark, optional
        When blocks were measured that were not known at baseline. Sets that hold one of them predict the endpoint as
        it is counted from then, and with ``same_subjects`` so do all others.

    Returns
    -------
    Plan
        An endpoint that cannot be predicted (no events, one class, too few) is a problem, not an exception.

    Raises
    ------
    ConfigError
        An unknown endpoint or clinical column; predictors that were selected on the endpoint (``selected_on``).
    TableError
        A subject twice in a table.
    """
    blocks, problems = read_blocks(frames, options)
    against, found = read_blocks({f"{CONTROL}{name}": frame for name, frame in (controls or {}).items()}, options)
    problems += found
    clinic = Clinic(frames.get("clinical"), options, options.measured_at)
    tasks: list[Task] = []
    singles: list[pl.DataFrame] = []
    audits: list[pl.DataFrame] = []
    marks = [empty("outcome/landmark")]
    asked = options
    for endpoint in chosen_endpoints(endpoints, options):
        known, options, found = _suited(endpoint, asked)
        problems += found
        if known is None:
            continue
        check_selected_on(endpoint.name, blocks, list(endpoints), options)
        moment, told, found = _moments(known, blocks, landmark)
        marks.append(told)
        problems += found
        table, found = _alone_each(moment, blocks, options)
        singles.append(table)
        problems += found
        sets = sets_of(tuple(blocks), options.combine)
        for name, members in sets.items():
            whose = tuple(blocks) if options.same_subjects else members
            if (since := moment.of(whose)) is None:
                continue
            task, found = _task(since, name, members, blocks, options, clinic)
            problems += found
            if task is not None:
                findings, found = data_audit(task, members, table, clinic)
                audits.append(findings)
                problems += found
                widest = name == ALL or len(sets) == 1
                tasks += _by_model(replace(task, permutations=options.permutations if widest else 0))
        if len(blocks) > 1 and (since := moment.of(tuple(blocks))) is not None:
            for strategy in options.missing_modality:
                found_tasks, found = _partial_tasks(since, strategy, blocks, options, clinic)
                tasks += found_tasks
                problems += found
        beside = moment.of(tuple(blocks) if options.same_subjects else ("imaging",)) or known
        for name in against if "imaging" in blocks else ():
            task, found = _task(beside, name, (name, "imaging"), blocks | against, options, clinic)
            problems += found
            tasks += _by_model(_alone(task, against[name], clinic)) if task is not None else []
        if not models_for(known.target.kind, options.models):
            problems.append(_no_model(known, options))
    units = tuple(
        Unit(task, k, permuted)
        for task in tasks
        for permuted, count in ((False, options.runs), (True, task.permutations))
        for k in range(count)
    )
    univariates = pl.concat([empty("outcome/univariate"), *singles])
    audit = pl.concat([empty("outcome/audit"), *audits])
    return Plan(units, univariates, tuple(problems), audit, pl.concat(marks))


def _suited(endpoint: Endpoint, asked: OutcomeOptions) -> tuple[Known | None, OutcomeOptions, list[Problem]]:
    """The subjects of an endpoint, and the options with the models that can predict it; None where it cannot be."""
    try:
        known, problems = target_of(endpoint)
    except RadiolocusError as error:
        return None, asked, [_problem(error, endpoint.name)]
    options, found = suited_models(known, asked)
    return (None, asked, problems + found) if options is None else (known, options, problems + found)


@dataclass(frozen=True, eq=False)
class _Moments:
    """One endpoint, counted from baseline and from the landmark; the latter None where it cannot be."""

    known: Known
    later: Known | None
    landmark: Landmark | None

    def of(self, members: Sequence[str]) -> Known | None:
        """Return the endpoint as a set of blocks may predict it."""
        late = self.landmark is not None and self.landmark.concerns(members)
        return self.later if late else self.known


def _moments(
    known: Known, blocks: Mapping[str, Block], landmark: Landmark | None
) -> tuple[_Moments, pl.DataFrame, list[Problem]]:
    nothing = empty("outcome/landmark")
    if landmark is None or not landmark.concerns(tuple(blocks)):
        return _Moments(known, known, None), nothing, []
    try:
        later, told, problems = landmark.of(known)
    except RadiolocusError as error:
        return _Moments(known, None, landmark), nothing, [_problem(error, known.endpoint.name)]
    return _Moments(known, later, landmark), told, problems


def _alone_each(
    moment: _Moments, blocks: Mapping[str, Block], options: OutcomeOptions
) -> tuple[pl.DataFrame, list[Problem]]:
    """Judge every predictor alone, those of the landmark on the endpoint as it is counted from there."""
    early = {name: block for name, block in blocks.items() if moment.of((name,)) is moment.known}
    table, problems = univariate(moment.known, early, options)
    late = {name: block for name, block in blocks.items() if name not in early}
    if not late or moment.later is None:
        return table, problems
    further, found = univariate(moment.later, late, options)
    return joined([table, further]), problems + found


def _by_model(task: Task) -> list[Task]:
    wanted = models_of(task.target.kind, task.options.models, task.data.blocks)
    return [replace(task, model=model) for model in wanted]


def _no_model(known: Known, options: OutcomeOptions) -> Problem:
    kind = known.target.kind
    return Problem(
        "outcome",
        f"none of models = {list(options.models)} predicts a {kind} endpoint",
        "set aside",
        item=known.endpoint.name,
        where="outcome.models",
        allowed=", ".join(models_for(kind, tuple(MODELS))),
        todo="add one of those, or leave this endpoint out",
    )


def _task(
    known: Known,
    name: str,
    members: tuple[str, ...],
    blocks: Mapping[str, Block],
    options: OutcomeOptions,
    clinic: Clinic,
) -> tuple[Task | None, list[Problem]]:
    needed = tuple(b for b in blocks if not b.startswith(CONTROL) or b in members) if options.same_subjects else members
    have = np.array([all(s in blocks[b].row for b in needed) for s in known.subject], dtype=bool)
    problems = []
    label = f"{known.endpoint.name} from {name}"
    lacking = int((~have).sum())
    if lacking:
        counts = ", ".join(
            f"{count} without {b}" for b in needed if (count := sum(s not in blocks[b].row for s in known.subject))
        )
        got = f"{lacking} of {have.size} subjects left out: {counts}"
        problems.append(Problem("outcome", got, "note", item=label, count=lacking))
    dated = clinic.dated(known.subject)
    if (undated := int((have & ~dated).sum())) > 0:
        got = f"{undated} subjects left out: no date in '{options.date}'"
        problems.append(Problem("outcome", got, "set aside", item=label, count=undated, where="outcome.date"))
    have &= dated
    target = known.target.take(have)
    try:
        target.check()
    except RadiolocusError as error:
        return None, [*problems, _problem(error, label)]
    subject = tuple(s for s, kept in zip(known.subject, have, strict=True) if kept)
    data = join_predictors([blocks[b].predictors.take(rows_of(blocks[b], subject)) for b in members])
    dressed = clinic.dressed(data, subject)
    return Task(known.endpoint.name, name, subject, target, dressed, options, rows=clinic.rows(subject)), problems


def _partial_tasks(
    known: Known, strategy: str, blocks: Mapping[str, Block], options: OutcomeOptions, clinic: Clinic
) -> tuple[list[Task], list[Problem]]:
    """All blocks, of everybody who has one of them at least."""
    have = np.array([any(s in b.row for b in blocks.values()) for s in known.subject], dtype=bool)
    have &= clinic.dated(known.subject)
    label = f"{known.endpoint.name} from {PARTIAL}{strategy}"
    subject = tuple(s for s, kept in zip(known.subject, have, strict=True) if kept)
    if all(s in b.row for s in subject for b in blocks.values()):
        got = "nobody lacks a block: nothing is to be told of missing modalities"
        return [], [Problem("outcome", got, "note", item=label)]
    target = known.target.take(have)
    try:
        target.check()
    except RadiolocusError as error:
        return [], [_problem(error, label)]
    data = clinic.dressed(partial_predictors(blocks, subject, strategy), subject)
    task = Task(known.endpoint.name, f"{PARTIAL}{strategy}", subject, target, data, options, rows=clinic.rows(subject))
    return [replace(task, model=m) for m in partial_models(target.kind, options.models, strategy)], []


def _alone(task: Task, block: Block, clinic: Clinic) -> Task:
    """The task of a control: its subjects are those that have the block it is compared with, its predictors its own."""
    return replace(task, data=clinic.dressed(block.predictors.take(rows_of(block, task.subject)), task.subject))


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
