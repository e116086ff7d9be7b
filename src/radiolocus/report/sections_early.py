"""Baseline against early prediction."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Row, Section, Table, Text
from radiolocus.report.figures_outcome import forest
from radiolocus.report.numbers import interval, interval_cell, plural
from radiolocus.report.sections_lead import early_lead
from radiolocus.report.source import Artefacts

__all__ = ["early"]


def _visits(frame: pl.DataFrame) -> Text:
    told = ", ".join(f"{plural(r['subjects'], 'subject')} with {r['visits']}" for r in frame.iter_rows(named=True))
    order, number_of = frame["order"][0], frame["early_visit"][0]
    assumed = (
        " The table does not label its visits: that its rows stand in time is what the study file says, not the data."
        if order == "rows of the table"
        else ""
    )
    return Text(
        f"Visits: {told}. Their order was taken from the {order}; baseline is the first, the early visit number "
        f"{number_of}.{assumed}",
        "note",
    )


def _comparisons(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            f"{r['second']} less {r['first']}",
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            "yes" if r["lower"] > 0 or r["upper"] < 0 else "no",
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "What one set of predictors tells beyond another",
        ["endpoint", "difference of", "metric", "difference (95 %)", "beyond its error"],
        rows,
        [False, False, False, True, False],
        note="Same subjects, same folds, same bootstrap draws.",
    )


def _audit(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [r["endpoint"], r["check"], r["verdict"], r["item"] or "–", r["got"]] for r in frame.iter_rows(named=True)
    ]
    return Table("Audit", ["endpoint", "check", "verdict", "of", "found"], rows, folded=True)


def early(art: Artefacts) -> Section | None:
    """Return the section on early prediction, or None when it was not asked for."""
    performance, visits = art.table("early/performance"), art.table("early/visits")
    if performance is None:
        return None
    blocks: list[Block] = [_visits(visits)] if visits is not None else []
    audit = art.table("early/audit")
    doubt = None if audit is None else audit.filter((pl.col("check") == "visit order") & (pl.col("verdict") != "pass"))
    if doubt is not None and doubt.height:
        blocks.append(Text(f"Visit order in doubt: {doubt['got'][0]}.", "note"))
    drawn = forest(performance)
    blocks += [drawn] if drawn is not None else []
    makers = (("comparisons", _comparisons), ("lead", early_lead), ("audit", _audit))
    for name, make in makers:
        frame = art.table(f"early/{name}")
        blocks += [make(frame)] if frame is not None else []
    lines = [
        f"{r['endpoint']} from {r['predictors']}: {r['metric']} {interval(r['estimate'], r['lower'], r['upper'])}"
        for r in performance.iter_rows(named=True)
        if r["predictors"] in ("baseline", "change", "baseline and change") or r["predictors"].startswith("change of ")
    ]
    if doubt is not None and doubt.height:
        lines.insert(0, "the order of the visits is in doubt: no feature moves from the first to the early one")
    return Section("early", "Early prediction", blocks, lines[:6])
