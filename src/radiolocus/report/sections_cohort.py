"""Who came in, who dropped out, and why."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.model import Array
from radiolocus.report.blocks import Block, Flow, Row, Section, Table, Text
from radiolocus.report.characteristics import characteristics
from radiolocus.report.numbers import MISSING, count, number, number_cell, percent, plural
from radiolocus.report.source import Artefacts
from radiolocus.stats.survival import kaplan_meier

__all__ = ["cohort", "median_follow_up"]

_STATUSES = ("joined", "missing here", "not in cohort", "another sample", "normal tissue")


def median_follow_up(time: Array, event: Array) -> float | None:
    """Median follow-up by the reverse Kaplan–Meier method; None when it is not reached.

    Parameters
    ----------
    time, event : ndarray, shape (n,)
        Time to event (1) or censoring (0), without missing values.

    References
    ----------
    Schemper M, Smith TL. A note on quantifying follow-up in studies of failure time. Control Clin Trials 1996;17:343.
    """
    middle, _, _ = kaplan_meier(time, 1 - event).median()
    return None if np.isnan(middle) else middle


def _set_aside(problems: pl.DataFrame | None) -> pl.DataFrame | None:
    if problems is None:
        return None
    rows = problems.filter((pl.col("severity") == "set aside") & pl.col("subject").is_not_null())
    return rows.sort("subject", "stage", "item", nulls_last=True) if rows.height else None


def _sources(membership: pl.DataFrame) -> list[dict[str, int | str]]:
    # A file that gives clinical columns as well as markers is joined twice, and is one source to the reader.
    told = membership.unique(["source", "subject", "raw_id", "status"], maintain_order=True)
    counts = told.group_by("source", "status", maintain_order=True).len()
    return [
        {"source": source}
        | {
            s: int(counts.filter((pl.col("source") == source) & (pl.col("status") == s))["len"].sum())
            for s in _STATUSES
        }
        for source in membership["source"].unique(maintain_order=True).to_list()
    ]


def _lines(source: dict[str, int | str]) -> list[str]:
    lines = [f"{source['joined']} joined"]
    lines += [f"{source['missing here']} missing here"] if source["missing here"] else []
    lines += [f"{source['not in cohort']} not in the cohort"] if source["not in cohort"] else []
    lines += [f"{source['another sample']} further samples"] if source["another sample"] else []
    return lines + ([f"{source['normal tissue']} of normal tissue"] if source["normal tissue"] else [])


def _available(art: Artefacts, everyone: set[str]) -> Table:
    """How many subjects each analysis could use, from the tables that hold the subjects."""
    named = (
        ("imaging features", "features/features"),
        ("genotypes", "genome/samples"),
        ("molecular markers", "molecular/markers"),
        ("lesion measurements", "response/best"),
    )
    held: list[tuple[str, set[str]]] = []
    for label, name in named:
        frame = art.table(name)
        if frame is not None:
            held.append((label, set(frame["subject"].drop_nulls().to_list())))
    endpoints = art.table("cohort/endpoints")
    if endpoints is not None:
        known = endpoints.filter(pl.col("event").is_not_null())
        held += [
            (f"endpoint {e}", set(p["subject"].to_list()))
            for (e,), p in known.group_by(["endpoint"], maintain_order=True)
        ]
    rows: list[Row] = [[label, number_cell(len(ids)), number_cell(len(everyone - ids))] for label, ids in held]
    if len(held) > 1:
        whole = set.intersection(*(ids for _, ids in held))
        rows.append(["all of these", number_cell(len(whole)), number_cell(len(everyone - whole))])
    return Table("Subjects with data for each analysis", ["data", "subjects", "without"], rows, [False, True, True])


def _endpoints(frame: pl.DataFrame) -> tuple[Table, list[str]]:
    rows, verdict = [], []
    for (endpoint,), part in frame.group_by(["endpoint"], maintain_order=True):
        known = part.filter(pl.col("event").is_not_null())
        kind, unit = part["kind"][0], part["unit"][0] or ""
        timed = kind in ("survival", "competing")
        if timed:
            known = known.filter(pl.col("time").is_not_null())
        # Of several classes: subjects outside the largest.
        several = kind in ("ordinal", "multiclass")
        largest = int(known["event"].value_counts()["count"].max() or 0) if several else 0  # type: ignore[arg-type]
        events = known.height - largest if several else int(known["event"].sum())
        follow, span = MISSING, MISSING
        if timed and known.height:
            time = known["time"].to_numpy()
            left = known["event"] if kind == "survival" else (known["state"] > 0).cast(pl.Int64)
            median = median_follow_up(time, left.to_numpy())
            follow = f"{number(median)} {unit}" if median is not None else "not reached"
            span = f"{number(float(time.min()))}–{number(float(time.max()))} {unit}"
        share = events / known.height if known.height else None
        rows.append(
            [
                endpoint,
                kind,
                number_cell(known.height),
                number_cell(part.height - known.height),
                number_cell(events),
                percent(share),
                follow,
                span,
            ]
        )
        verdict.append(f"{endpoint}: {plural(events, 'event')} in {known.height}")
    table = Table(
        "Endpoints",
        ["endpoint", "kind", "known", "unknown", "events", "share", "median follow-up", "observed times"],
        rows,
        [False, False, True, True, True, True, True, True],
        note="Median follow-up by the reverse Kaplan–Meier method (Schemper & Smith 1996). Events: of competing events "
        "those of interest; of several classes the subjects outside the largest one.",
    )
    return table, verdict


def _dropped(membership: pl.DataFrame) -> Table | None:
    rows = membership.filter(pl.col("status") != "joined").sort(
        "source", "status", "subject", "raw_id", nulls_last=True
    )
    if not rows.height:
        return None
    cells = [
        [r["source"], r["subject"] or r["raw_id"] or MISSING, r["status"], r["nearest"] or MISSING]
        for r in rows.iter_rows(named=True)
    ]
    return Table(
        "Ids that did not match", ["source", "id", "status", "nearest cohort id"], cells, folded=True, sortable=True
    )


def cohort(art: Artefacts) -> Section | None:
    """Return the cohort section, or None when the cohort stage left nothing."""
    subjects, membership = art.table("cohort/subjects"), art.table("cohort/membership")
    if subjects is None:
        return None
    everyone = set(subjects["subject"].to_list())
    blocks: list[Block] = []
    verdict = [plural(len(everyone), "subject")]
    if membership is not None:
        sources = _sources(membership)
        verdict.append(plural(len(sources), "source"))
        blocks.append(
            Flow(("Cohort", [plural(len(everyone), "subject")]), [(str(s["source"]), _lines(s)) for s in sources])
        )
    blocks.append(_available(art, everyone))
    if (who := characteristics(art, subjects)) is not None:
        blocks.append(who)
    aside = _set_aside(art.table("problems"))
    if aside is None:
        blocks.append(Text("No subject was set aside from any stage."))
    else:
        people = aside["subject"].n_unique()
        verdict.append(f"{plural(people, 'subject')} set aside from at least one stage")
        cells = [
            [r[k] or MISSING for k in ("subject", "stage", "item", "where", "got", "allowed", "todo")]
            for r in aside.iter_rows(named=True)
        ]
        blocks.append(
            Table(
                f"Subjects set aside from a stage ({count(people)})",
                ["subject", "stage", "item", "where", "got", "allowed", "what to do"],
                cells,
                sortable=True,
            )
        )
    if membership is not None and (dropped := _dropped(membership)):
        blocks.append(dropped)
    endpoints = art.table("cohort/endpoints")
    if endpoints is not None:
        table, lines = _endpoints(endpoints)
        blocks.append(table)
        verdict += lines
    return Section("cohort", "Cohort", blocks, verdict)
