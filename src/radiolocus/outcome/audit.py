"""The leakage audit of a study: lines of ``outcome/audit``, and a problem for every suspicion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polars as pl

from radiolocus.learn.audit import (
    Finding,
    after_outcome,
    duplicates,
    fewer_events,
    permuted_outcome,
    predicts_alone,
    too_few,
)
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.discrimination import metric_of
from radiolocus.learn.null import Null
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.model import Array, Problem
from radiolocus.schema import conform

__all__ = ["SIZE", "data_audit", "permutation_audit"]

#: Checks of how many subjects and events there are.
SIZE = ("events", "sample size")


class _Task(Protocol):
    """What the audit needs of a task."""

    @property
    def endpoint(self) -> str: ...
    @property
    def predictors(self) -> str: ...
    @property
    def subject(self) -> tuple[str, ...]: ...
    @property
    def target(self) -> Target: ...
    @property
    def data(self) -> Predictors: ...
    @property
    def label(self) -> str: ...
    @property
    def shown(self) -> str: ...


def data_audit(
    task: _Task, members: Sequence[str], univariate: pl.DataFrame, clinic: Clinic
) -> tuple[pl.DataFrame, list[Problem]]:
    """Look at the data of one endpoint and one set of predictors.

    Parameters
    ----------
    task : Task
    members : sequence of str
        Blocks of the set.
    univariate : polars.DataFrame
        Table ``outcome/univariate`` of the endpoint.
    clinic : Clinic

    Returns
    -------
    polars.DataFrame
        Rows of ``outcome/audit``.
    list of Problem
        What is suspect, or a leak.
    """
    single = univariate.filter(pl.col("block").is_in(list(members)))
    metric = "Harrell's C" if task.target.kind == "survival" else metric_of(task.target)
    findings = [
        *duplicates(task.data, task.subject),
        *predicts_alone(single["predictor"].to_list(), single["estimate"].to_numpy(), metric),
        fewer_events(task.target, task.data.candidates),
        too_few(task.target, task.data.candidates),
    ]
    offered = {*task.data.numeric_names, *task.data.categorical_names, *members}
    findings += [
        after_outcome(item, clinic.measured_of(item, task.subject), task.target)
        for item in clinic.measured
        if item in offered
    ]
    return _table(task, "", findings), _problems(task, findings)


def permutation_audit(task: _Task, draws: Array) -> tuple[pl.DataFrame, list[Problem]]:
    """Judge what the whole protocol gave on permuted outcomes; NaN where it could not be run."""
    findings = [permuted_outcome(Null(float("nan"), draws), task.target)]
    return _table(task, task.shown, findings), _problems(task, findings)


def _table(task: _Task, model: str, findings: Sequence[Finding]) -> pl.DataFrame:
    rows = [
        (task.endpoint, task.predictors, model, f.check, f.verdict, f.item, f.got, _known(f.value), _known(f.error))
        for f in findings
    ]
    names = ("endpoint", "predictors", "model", "check", "verdict", "item", "got")
    schema = dict.fromkeys(names, pl.String()) | {"value": pl.Float64(), "error": pl.Float64()}
    return conform(pl.DataFrame(rows, schema=schema, orient="row"), "outcome/audit")


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _problems(task: _Task, findings: Sequence[Finding]) -> list[Problem]:
    """Lines for what a person should look at; few subjects for many predictors are the rule and stand in the table."""
    return [
        Problem("outcome", f"{f.check}: {f.got}", "note", item=f.item or task.label, where=task.label)
        for f in findings
        if f.verdict in ("suspect", "leak") and f.check not in SIZE
    ]
