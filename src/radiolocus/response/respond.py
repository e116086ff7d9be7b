"""Everything that is said of a lesion table: calls by all criteria asked for, end points, kinetics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from radiolocus import schema
from radiolocus.model import Problem
from radiolocus.response.assess import assess
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.endpoints import survival_endpoints, survival_summary
from radiolocus.response.kinetics import kinetics
from radiolocus.response.nodes import RANKED, placed_nodes
from radiolocus.response.recist11 import recist11
from radiolocus.response.therapy import before_new_therapy

__all__ = ["Responses", "respond"]


@dataclass(frozen=True, eq=False)
class Responses:
    """Tables of the room ``response`` by name, and notes."""

    tables: Mapping[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def respond(
    lesions: pl.DataFrame, criteria: tuple[str, ...], options: CriteriaOptions, visit_days: float = 0.0
) -> Responses:
    """Apply criteria to a lesion table; the first is the one of the end points.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    criteria : tuple of str
        Names of criteria, each once.
    options : CriteriaOptions
    visit_days : float
        Planned days between visits; 0: not known.

    Raises
    ------
    ConfigError
        No such criterion.
    TableError
        The table lacks columns that a criterion needs, or baselines.
    """
    found = {name: assess(lesions, name, options) for name in criteria}
    problems = tuple(dict.fromkeys(p for each in found.values() for p in each.problems))
    tables = {
        "response/criteria": pl.concat([f.timepoints for f in found.values()]),
        "response/criteria_best": pl.concat([f.best for f in found.values()]),
        "response/criteria_rates": pl.concat([f.rates for f in found.values()]),
    }
    if "recist11" in criteria:
        whole = recist11(lesions, options)
        tables |= {"response/timepoints": whole.timepoints, "response/best": whole.best, "response/rates": whole.rates}
    ends = survival_endpoints(lesions, criteria[0], options, visit_days)
    tables |= {"response/endpoints": ends, "response/endpoint_summary": survival_summary(ends)}
    followed = placed_nodes(before_new_therapy(lesions)[0], options.small_nodes if criteria[0] in RANKED else "target")
    tables["response/kinetics"] = kinetics(followed[0])
    return Responses({name: schema.conform(table, name) for name, table in tables.items()}, problems)
