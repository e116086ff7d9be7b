"""Treatment response by RECIST 1.1."""

from __future__ import annotations

from radiolocus.report.blocks import Block, Cell, Row, Section, Table
from radiolocus.report.figures_response import RESPONSES, spider, waterfall
from radiolocus.report.numbers import count, interval, number_cell, plural
from radiolocus.report.source import Artefacts

__all__ = ["response"]


def _rates(art: Artefacts) -> tuple[Table | None, list[str]]:
    frame = art.table("response/rates")
    if frame is None:
        return None, []
    rows: list[Row] = []
    lines = []
    for r in frame.iter_rows(named=True):
        text = interval(r["estimate"], r["lower"], r["upper"], digits=0, scale=100, unit=" %")
        rows.append([r["quantity"], Cell(text, r["estimate"]), f"{r['events']} of {r['n']}"])
        lines.append(f"{r['quantity']} {text}, {r['events']} of {r['n']}")
    table = Table(
        "Response rates",
        ["quantity", "rate (95 % interval)", "subjects"],
        rows,
        [False, True, True],
        note="Exact intervals (Clopper & Pearson 1934).",
    )
    return table, lines


def response(art: Artefacts) -> Section | None:
    """Return the response section, or None when no response was assessed."""
    best, timepoints = art.table("response/best"), art.table("response/timepoints")
    if best is None and timepoints is None:
        return None
    rates, verdict = _rates(art)
    blocks: list[Block] = [rates] if rates is not None else []
    if best is not None and (figure := waterfall(best)):
        blocks.append(figure)
    if timepoints is not None and (figure := spider(timepoints, best)):
        blocks.append(figure)
    if best is not None:
        labels = best["best_response"].to_list()
        tally = [f"{r} {labels.count(r)}" for r in RESPONSES if r in labels]
        verdict = [f"{plural(best.height, 'subject')}: {', '.join(tally)}", *verdict]
        confirmed = "demanded" if best["confirmed"].any() else "not demanded"
        rows: list[Row] = [
            [
                r["subject"],
                r["best_response"],
                number_cell(r["best_change"]),
                number_cell(r["progression_day"]),
                number_cell(r["last_day"]),
                r["reason"] or "–",
            ]
            for r in best.sort("subject").iter_rows(named=True)
        ]
        blocks.append(
            Table(
                f"Best overall response of every subject ({count(best.height)}); confirmation {confirmed}",
                ["subject", "best response", "best change (%)", "progression (day)", "last assessment (day)", "why"],
                rows,
                [False, False, True, True, True, False],
                folded=True,
                sortable=True,
                note="Every visit with its reason: response/timepoints.csv.",
            )
        )
    return Section("response", "Treatment response", blocks, verdict)
