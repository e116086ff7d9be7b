"""What the outcome stage does with its finished repetitions: judge further, explain, show the models of everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from radiolocus.model import Problem
from radiolocus.outcome.added import added_value_table, comparisons_of, run_comparison
from radiolocus.outcome.further import gather, parts_of, run_part
from radiolocus.outcome.missing import missing_modality_table
from radiolocus.outcome.performance import Summary
from radiolocus.outcome.tasks import Plan
from radiolocus.pipeline.run import Run, run_all
from radiolocus.store import Stage, digest

__all__ = ["further_tables"]


def further_tables(
    run: Run, stage: Stage, planned: Plan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]
) -> Summary:
    """Compute the tables of every endpoint, set of predictors and model; finished ones are taken up."""
    parts = parts_of(planned, results)
    keys = [digest(stage.key, part.name) for part in parts]
    shown = gather(parts, run_all(run, stage, "outcome", run_part, parts, keys))
    added, told = _added(run, stage, planned, results)
    return Summary(shown.tables | added, (*shown.problems, *told))


def _added(
    run: Run, stage: Stage, planned: Plan, results: Sequence[Mapping[str, pl.DataFrame] | Exception]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """What blocks and models add, and what becomes of patients who lack a block."""
    pairs, apart = comparisons_of(planned, results)
    keys = [digest(stage.key, pair.name) for pair in pairs]
    table, told = added_value_table(pairs, run_all(run, stage, "outcome", run_comparison, pairs, keys))
    tables = {"outcome/added_value": table, "outcome/missing_modality": missing_modality_table(planned, results)}
    return tables, [*apart, *told]
