"""What the outcome stage does with its finished repetitions: judge further, explain, show the models of everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from radiolocus.outcome.further import gather, parts_of, run_part
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
    return gather(parts, run_all(run, stage, "outcome", run_part, parts, keys))
