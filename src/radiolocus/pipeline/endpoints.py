"""Endpoints that a study predicts: those of its clinical tables, and those made of its own response calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from radiolocus.config import Sections
from radiolocus.errors import ConfigError
from radiolocus.model import Array, Endpoint
from radiolocus.pipeline.run import Followed, Run
from radiolocus.registry import suggest
from radiolocus.response.study_endpoints import kind_of
from radiolocus.schema import TABLES
from radiolocus.store import read_table

__all__ = [
    "ENDPOINT_TABLES",
    "endpoint_markers",
    "endpoints_of",
    "only_simple",
    "response_endpoints",
    "simple_endpoints",
]

ENDPOINT_TABLES = ("cohort/endpoints", "response/study_endpoints")
"""Artefacts that a stage starts from which predicts endpoints."""


def endpoints_of(run: Run) -> tuple[Endpoint, ...]:
    """Every endpoint of a run that can be predicted, aligned with the subjects."""
    return (*run.gathered.cohort.endpoints, *response_endpoints(run))


def simple_endpoints(run: Run) -> tuple[Endpoint, ...]:
    """Endpoints of yes and no and of one kind of event, for stages that know no others.

    Competing events, several classes, delayed entry, strata and weights are for the stage of outcome: taken for less
    than they are, they would be wrong.
    """
    return only_simple(endpoints_of(run))


def only_simple(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Those of :func:`simple_endpoints` among some."""
    return tuple(
        e
        for e in endpoints
        if e.kind in ("survival", "binary") and e.entry is None and e.stratum is None and e.weight is None
    )


def planned_endpoints(sections: Sections, subjects: Sequence[str]) -> list[Endpoint]:
    """Endpoints that response calls will make, before anything is called: nobody's is known."""
    made = sections.response.endpoints if sections.response else {}
    kinds = {name: kind_of(asked) for name, asked in made.items()}
    nothing = np.full(len(subjects), np.nan)
    return [
        Endpoint(name, kind, tuple(subjects), nothing, nothing if kind == "survival" else None, "days", decided=nothing)
        for name, kind in kinds.items()
        if kind != "continuous"
    ]


def response_endpoints(run: Followed) -> list[Endpoint]:
    """Endpoints made of response calls; nobody's is known where the stage of response did not run."""
    rows = read_table(run.root, "response/study_endpoints")
    found = []
    for planned in planned_endpoints(run.sections, run.subjects):
        part = None if rows is None else rows.filter(pl.col("endpoint") == planned.name)
        event, time, decided = (_aligned(part, column, run.subjects) for column in ("event", "time", "decided"))
        when = time if planned.kind == "survival" else None
        found.append(replace(planned, event=event, time=when, decided=decided))
    return found


def endpoint_markers(run: Run, names: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Endpoints as markers: binary ones as 0 and 1, the best depth as a number.

    Returns
    -------
    frame : polars.DataFrame
        ``subject`` and a column an endpoint, of the subjects who have any.
    dictionary : polars.DataFrame
        What they are, as rows of ``molecular/dictionary``.

    Raises
    ------
    ConfigError
        No such endpoint, or one with times.
    """
    known = {e.name: ("binary", e.event) for e in endpoints_of(run) if e.kind == "binary"}
    options, rows = run.sections.response, read_table(run.root, "response/study_endpoints")
    for name, asked in options.endpoints.items() if options else ():
        if kind_of(asked) == "continuous":
            part = None if rows is None else rows.filter(pl.col("endpoint") == name)
            known[name] = ("continuous", _aligned(part, "value", run.subjects))
    frame = pl.DataFrame({"subject": run.subjects}, schema={"subject": pl.String})
    told = []
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no endpoint '{name}' that is yes or no, or a number",
                where="link.endpoints",
                allowed=", ".join(known) or "none is there",
                todo=suggest(name, list(known)),
            )
        kind, values = known[name]
        frame = frame.with_columns(pl.Series(name, values).fill_nan(None))
        count = int(np.isfinite(values).sum())
        positive = int(np.nansum(values)) if kind == "binary" else None
        told.append({"marker": name, "kind": kind, "source": "endpoints", "n": count, "n_positive": positive})
    rest = {"unit": "", "definition": "endpoint of the study"}
    table = pl.DataFrame([row | rest for row in told], schema=TABLES["molecular/dictionary"].schema)
    return frame.filter(pl.any_horizontal(pl.col(list(names)).is_not_null())), table


def _aligned(part: pl.DataFrame | None, column: str, subjects: Sequence[str]) -> Array:
    if part is None:
        return np.full(len(subjects), np.nan)
    asked = pl.DataFrame({"subject": subjects}, schema={"subject": pl.String})
    joined = asked.join(part.select("subject", column), on="subject", how="left", maintain_order="left")
    return joined[column].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
