"""Reporting checklists in the report: a line for each, the scores as ranges, and every item, folded."""

from __future__ import annotations

from radiolocus.report.blocks import Block, Cell, Row, Section, Table
from radiolocus.report.numbers import MISSING, number_cell
from radiolocus.report.source import Artefacts

__all__ = ["reporting"]


def _score(least: float | None, most: float | None) -> Cell:
    if least is None or most is None:
        return Cell(MISSING)
    return Cell(f"{least:.0f} %" if round(least) == round(most) else f"{least:.0f} to {most:.0f} %", least)


def reporting(art: Artefacts) -> Section | None:
    """Return the section of reporting checklists, or None when they were not filled in."""
    scores, items = art.table("reporting/scores"), art.table("reporting/checklist")
    if scores is None or items is None or not art.has("outcome/performance", "features/features"):
        return None
    rows: list[Row] = [
        [
            r["checklist"],
            *(number_cell(r[c]) for c in ("items", "reported", "partly", "not_done", "not_applicable", "open")),
            _score(r["least"], r["most"]),
        ]
        for r in scores.iter_rows(named=True)
    ]
    papers = " ".join(f"{r['checklist']}: {r['citation']}." for r in scores.iter_rows(named=True))
    blocks: list[Block] = [
        Table(
            "Checklists",
            ["checklist", "items", "reported", "partly", "not done", "not applicable", "open", "score"],
            rows,
            [False] + [True] * 7,
            note="Filled in from what the run knows; the rest is open, and only the authors can answer it. Reported: "
            "stands in the artefacts and in this report. The score is a range: from every open item missed to every "
            f"open item met. It describes the study, not the paper. {papers}",
        )
    ]
    for name in scores["checklist"].to_list():
        own = items.filter(checklist=name)
        scored = own["most"].null_count() < own.height
        cells: list[Row] = [
            [
                r["item"],
                r["section"],
                r["asks"],
                r["status"],
                r["known"] or MISSING,
                *([_points(r["least"], r["most"])] if scored else []),
            ]
            for r in own.iter_rows(named=True)
        ]
        head = ["item", "part", "what it asks", "status", "what the run knows", *(["points"] if scored else [])]
        blocks.append(Table(f"{name}, item by item", head, cells, [False] * 5 + [True], folded=True))
    known = scores.filter(scores["most"].is_not_null())
    told = [f"{r['checklist']} {_score(r['least'], r['most']).text}" for r in known.iter_rows(named=True)]
    return Section("reporting", "Reporting checklists", blocks, [f"quality scores, as far as known: {', '.join(told)}"])


def _points(least: float | None, most: float | None) -> Cell:
    if least is None or most is None:
        return Cell(MISSING)
    one, two = (f"{v:g}".replace("-", "−") for v in (least, most))
    return Cell(one if least == most else f"{one} to {two}", least)
