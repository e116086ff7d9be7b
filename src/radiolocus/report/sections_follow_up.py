"""Change between visits beside its repeatability, and the courses of single patients."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_timeline import TRACKS, rank_subjects, timeline
from radiolocus.report.numbers import count, number_cell, percent, plural
from radiolocus.report.source import Artefacts

__all__ = ["changes", "timelines"]

_MOST_ROWS, _MOST_PATIENTS = 30, 6


def changes(art: Artefacts) -> Section | None:
    """Return the section on change between visits, or None when nothing was measured at two visits."""
    worth = art.table("response/delta_features")
    if worth is None:
        return None
    judged = worth.filter(pl.col("changes").is_not_null())
    moved = judged.filter("changes")
    blocks: list[Block] = []
    if unknown := worth.height - judged.height:
        blocks.append(
            Text(
                f"No repeatability is known for {count(unknown)} of {count(worth.height)} measures and visits: whether "
                "their change is more than noise cannot be told. State it in [response.delta] repeatability, or have "
                "it measured by [imaging.retest] or [imaging.perturb].",
                "note",
            )
        )
    blocks.append(_table(worth))
    if (calls := art.table("response/function")) is not None:
        blocks.append(_calls(calls))
    verdict = [
        f"{plural(worth['measure'].n_unique(), 'measure')} at two visits or more; of {count(judged.height)} with known "
        f"repeatability {count(moved.height)} change by more than noise in more subjects than chance brings"
    ]
    return Section("changes", "Change between visits", blocks, verdict)


def _table(worth: pl.DataFrame) -> Table:
    order = worth.sort(
        pl.col("image") != "lesions",
        pl.col("share_lower").fill_null(-1.0),
        "measure",
        "day",
        descending=[False, True, False, False],
    )
    rows: list[Row] = [
        [
            r["image"] + (f":{r['roi']}" if r["roi"] else ""),
            r["measure"],
            r["visit"],
            Cell(count(r["n"]), r["n"]),
            number_cell(r["median_absolute"]),
            number_cell(r["median_relative"]),
            number_cell(r["repeatability_coefficient"]),
            "–" if r["beyond"] is None else Cell(f"{r['beyond']} ({percent(r['share_beyond'])})", r["share_beyond"]),
            {True: "yes", False: "no", None: "not known"}[r["changes"]],
        ]
        for r in order.head(_MOST_ROWS).iter_rows(named=True)
    ]
    more = worth.height - len(rows)
    return Table(
        "Change from baseline beside its repeatability",
        [
            "of",
            "measure",
            "visit",
            "subjects",
            "median change",
            "median change (%)",
            "RC",
            "beyond RC",
            "more than noise",
        ],
        rows,
        [False, False, False, True, True, True, True, True, False],
        sortable=True,
        note="RC: repeatability coefficient; differences of an unchanged subject are smaller in 95 % of cases (Bland & "
        "Altman 1999). More than noise: the exact one-sided 95 % limit of the share of subjects beyond RC is above 5 %."
        + (f" {count(more)} further rows: response/delta_features.csv." if more else "")
        + " Every subject: response/delta.csv.",
    )


def _calls(calls: pl.DataFrame) -> Table:
    tally = (
        calls.group_by("measure", "visit", "function")
        .agg(pl.len(), pl.col("day").median())
        .sort("day", "visit", "function")
    )
    rows: list[Row] = [
        [r["measure"], r["visit"], r["function"], Cell(count(r["len"]), r["len"])] for r in tally.iter_rows(named=True)
    ]
    return Table(
        "Calls by function",
        ["measure", "visit", "call", "subjects"],
        rows,
        [False, False, False, True],
        folded=True,
        note="Every visit with its reason: response/function.csv.",
    )


def timelines(art: Artefacts) -> Section | None:
    """Return the courses of the patients of whom most is known, or None where there is but one thing to show."""
    tables = {name: art.table(name) for name in TRACKS}
    calls = tables["response/criteria"]
    if sum(table is not None for table in tables.values()) < 2:
        return None
    tables["response/criteria"] = None if calls is None else calls.filter(pl.col("criterion") == art.criterion)
    ranked = rank_subjects(tables)
    shown = ranked[:_MOST_PATIENTS]
    blocks: list[Block] = [drawn.block() for subject in shown if (drawn := timeline(subject, tables)) is not None]
    if not blocks:
        return None
    if len(ranked) > len(shown):
        told = f"The {len(shown)} patients of whom most is known, of {len(ranked)}."
        blocks.insert(0, Text(told, "note"))
    return Section("timelines", "Courses of patients", blocks)
