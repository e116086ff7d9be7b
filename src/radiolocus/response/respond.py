"""Everything that is said of a lesion table: calls by all criteria asked for, end points, kinetics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from radiolocus import schema
from radiolocus.model import Problem
from radiolocus.response.assess import assess, lacking
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.endpoints import survival_endpoints, survival_summary
from radiolocus.response.kinetics import kinetics
from radiolocus.response.nodes import RANKED, placed_nodes
from radiolocus.response.recist11 import recist11
from radiolocus.response.therapy import before_new_therapy

__all__ = ["Responses", "leading", "respond"]


@dataclass(frozen=True, eq=False)
class Responses:
    """What is said of a lesion table.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Tables of the room ``response`` by name.
    problems : tuple of Problem
        Notes, and criteria that were set aside.
    criterion : str
        The criterion of the end points: the first that could be followed.
    """

    tables: Mapping[str, pl.DataFrame]
    problems: tuple[Problem, ...]
    criterion: str


def leading(best: pl.DataFrame | None, asked: str) -> str:
    """The criterion that end points and figures follow: the one asked for, or the first that could be followed.

    Parameters
    ----------
    best : polars.DataFrame or None
        Table ``response/criteria_best``.
    asked : str
    """
    found = [] if best is None else best["criterion"].unique(maintain_order=True).to_list()
    return asked if asked in found or not found else str(found[0])


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
        The table lacks baselines, or columns that every one of the criteria needs.

    Notes
    -----
    A criterion whose columns the table lacks is set aside by name; the others go on.
    """
    criteria, refused = _followed(lesions, criteria, options)
    found = {name: assess(lesions, name, options) for name in criteria}
    problems = (*refused, *dict.fromkeys(p for each in found.values() for p in each.problems))
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
    followed, _ = before_new_therapy(lesions)
    if criteria[0] in RANKED:
        followed, *_ = placed_nodes(followed, options.small_nodes)
    tables["response/kinetics"] = kinetics(followed)
    return Responses({name: schema.conform(table, name) for name, table in tables.items()}, problems, criteria[0])


def _followed(
    lesions: pl.DataFrame, criteria: tuple[str, ...], options: CriteriaOptions
) -> tuple[tuple[str, ...], list[Problem]]:
    """Criteria whose columns the table has, and what is said of the others; all of them where it has none's."""
    missing = {name: lacking(lesions.columns, name, options) for name in criteria}
    able = tuple(name for name, columns in missing.items() if not columns)
    if not able:
        return criteria, []
    instead = "" if criteria[0] == able[0] else f"; end points and figures follow {able[0]}"
    return able, [
        Problem(
            "response",
            f"criterion '{name}' cannot be followed: no column {', '.join(columns)}",
            item=name,
            where="lesions",
            todo=f"add what it measures, or name the column in the measures of the columns{instead}",
        )
        for name, columns in missing.items()
        if columns
    ]
