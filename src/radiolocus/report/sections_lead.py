"""Endpoints made of the calls of a study, and how much earlier other calls come."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Table
from radiolocus.report.numbers import MISSING, count, interval_cell, number, number_cell
from radiolocus.report.source import Artefacts
from radiolocus.response.study_endpoints import DERIVED

__all__ = ["early_lead", "lead_blocks", "made_endpoints"]


def made_endpoints(art: Artefacts) -> list[Block]:
    """Return the table of the endpoints of the study that are made of its calls; nothing where it has none."""
    frame = art.table("response/study_endpoints")
    if frame is None or not frame.height:
        return []
    rows: list[Row] = []
    for (name,), part in frame.group_by(["endpoint"], maintain_order=True):
        first = part.row(0, named=True)
        known = part.filter(pl.col("event").is_not_null() | pl.col("value").is_not_null())
        told = (
            f"median {number(float(known['value'].median() or 0.0))} %"  # type: ignore[arg-type]
            if first["kind"] == "continuous" and known.height
            else count(int(part["event"].sum()))
        )
        rows.append(
            [
                str(name),
                first["of"] + _details(art, str(name), first["of"]),
                first["criterion"],
                number_cell(known.height),
                Cell(told, known.height),
                number_cell(part.height - known.height),
            ]
        )
    words = [f"{of}: {DERIVED[of]}" for of in frame["of"].unique(maintain_order=True) if of in DERIVED]
    notes = [told.replace("`", "") for told in words]
    return [
        Table(
            "Endpoints made of the calls",
            ["endpoint", "made of", "criterion", "known", "with it", "unknown"],
            rows,
            [False, False, False, True, True, True],
            note=f"{'; '.join(notes)}. Every subject with its reason: response/study_endpoints.csv.",
        )
    ]


def _details(art: Artefacts, name: str, of: str) -> str:
    """What was chosen of an endpoint: days, rule or percent."""
    asked = art.setting("response", "endpoints", name) or {}
    told = {
        "durable clinical benefit": f" ({asked.get('days', 0):g} days)",
        "progression-free survival": f" ({asked.get('rule', '')})",
        "best depth": f" (at least {asked['percent']:g} %)" if asked.get("percent") else "",
    }
    return told.get(of, "") if asked else ""


def lead_blocks(art: Artefacts) -> list[Block]:
    """Return the lead of other sources over the criterion of the study; nothing where there is none."""
    frame = art.table("response/lead")
    if frame is None or not frame.height:
        return []
    rows: list[Row] = [
        [
            r["source"],
            r["of"],
            number_cell(r["both"]),
            f"{r['earlier']} / {r['same']} / {r['later']}",
            interval_cell(r["share_earlier"], r["share_lower"], r["share_upper"]),
            _days(r),
            f"{r['source_only']} / {r['criterion_only']}",
        ]
        for r in frame.iter_rows(named=True)
    ]
    return [
        Table(
            f"Lead over {art.criterion}",
            [
                "first call by",
                "of",
                "called by both",
                "earlier / same day / later",
                "share earlier (95 % CI)",
                "median lead in days (95 % CI)",
                "it alone / criterion alone",
            ],
            rows,
            [False, False, True, True, True, True, True],
            note="Share: exact interval; median: order statistics, none of fewer than six. Those called by one alone "
            "have no lead, and whoever calls often is early often: look at the last column beside it.",
        )
    ]


def early_lead(frame: pl.DataFrame) -> Table:
    """Return the lead of the early call over the criterion, from table ``early/lead``."""
    rows: list[Row] = [
        [
            r["endpoint"],
            r["of"],
            number_cell(r["before"]),
            number_cell(r["ahead"]),
            number_cell(r["called"]),
            interval_cell(r["share"], r["share_lower"], r["share_upper"]),
            _days(r),
            f"{r['alarms']} of {r['free']}",
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "Lead of the early call over the criterion",
        [
            "endpoint",
            "of",
            "by the early visit",
            "after it",
            "called early",
            "share (95 % CI)",
            "median lead in days (95 % CI)",
            "false alarms",
        ],
        rows,
        [False, False, True, True, True, True, True, True],
        note="Called early: out of fold, by the early change, in more than half of the repetitions. Share: exact "
        "interval; median: order statistics, none of fewer than six. False alarms: called, and never by the criterion. "
        "Every subject: early/lead_time.csv.",
    )


def _days(row: Mapping[str, float | None]) -> str:
    if row["median_days"] is None:
        return MISSING
    if row["lower"] is None or row["upper"] is None:
        return number(row["median_days"])
    return f"{number(row['median_days'])} ({number(row['lower'])} to {number(row['upper'])})"
