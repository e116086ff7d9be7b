"""Parts of the outcome section on several kinds of event and on several classes."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.report.blocks import Block, Row, Table
from radiolocus.report.figures_outcome import ordered, told_apart
from radiolocus.report.figures_states import class_calibration, incidence_curves
from radiolocus.report.numbers import interval_cell, number_cell, p_cell
from radiolocus.report.source import Artefacts

__all__ = ["class_blocks", "competing_blocks"]


def _names(art: Artefacts) -> dict[str, dict[int, str]]:
    """Names of the kinds of event of each endpoint."""
    endpoints = art.table("cohort/endpoints")
    if endpoints is None or "state" not in endpoints.columns:  # results of an earlier version
        return {}
    known = endpoints.filter(pl.col("state") > 0).select("endpoint", "state", "label").unique()
    found: dict[str, dict[int, str]] = {}
    for endpoint, state, label in known.iter_rows():
        found.setdefault(endpoint, {})[state] = label
    return found


def competing_blocks(art: Artefacts, performance: pl.DataFrame | None, units: Mapping[str, str]) -> list[Block]:
    """Cumulative incidence of every kind of event in the risk groups, and Gray's test."""
    curves, tests = art.table("outcome/incidence"), art.table("outcome/gray")
    if curves is None or not curves.height:
        return []
    curves = told_apart(curves, performance)
    tests = told_apart(tests, performance) if tests is not None else None
    found = {(r["endpoint"], r["predictors"]): r for r in tests.iter_rows(named=True)} if tests is not None else {}
    names = _names(art)
    blocks: list[Block] = []
    for key, part in ordered(curves).group_by(["endpoint", "predictors"], maintain_order=True):
        endpoint, predictors = str(key[0]), str(key[1])
        row = found.get((endpoint, predictors))
        blocks.append(incidence_curves(part, row, units.get(endpoint) or "", names.get(endpoint, {})))
    return [*blocks, _gray(tests)] if tests is not None and tests.height else blocks


def _gray(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            interval_cell(r["subdistribution_hazard_ratio"], r["lower"], r["upper"]),
            number_cell(r["statistic"]),
            number_cell(r["degrees_of_freedom"]),
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
            number_cell(r["competing_events"]),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    head = ["endpoint", "predictors", "subdistribution hazard ratio (95 % CI)", "Gray's χ²", "df", "p"]
    return Table(
        "Risk groups with competing events: high against low",
        [*head, "n", "events", "competing"],
        rows,
        [False, False] + [True] * 7,
        note="Gray's test compares the cumulative incidence of the event of interest (Gray 1988); the ratio is Fine "
        "and Gray's, with the robust interval. The groups were assigned out of fold, and subjects of different folds "
        "are not independent: these p-values and intervals describe, they do not prove (Simon 2011).",
    )


def class_blocks(art: Artefacts, performance: pl.DataFrame | None) -> list[Block]:
    """Scores of probabilities of several classes, and their calibration."""
    measures, curves = art.table("outcome/classes"), art.table("outcome/class_calibration")
    if measures is None or not measures.height:
        return []
    measures = ordered(told_apart(measures, performance))
    kinds = dict(performance.select("endpoint", "kind").iter_rows()) if performance is not None else {}
    blocks: list[Block] = []
    if curves is not None and curves.height:
        for key, part in ordered(told_apart(curves, performance)).group_by(
            ["endpoint", "predictors"], maintain_order=True
        ):
            blocks.append(class_calibration(part, kinds.get(str(key[0])) == "ordinal"))
    return [*blocks, _scores(measures), _items(measures)]


def _scores(frame: pl.DataFrame) -> Table:
    whole = frame.filter(pl.col("item") == "")
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
        ]
        for r in whole.iter_rows(named=True)
    ]
    return Table(
        "Probabilities of several classes: scores out of fold",
        ["endpoint", "predictors", "score", "estimate (95 % CI)", "n"],
        rows,
        [False] * 3 + [True] * 2,
        note="Scores are errors: smaller is better, and a model is worth its predictors only where it is below the "
        "frequencies of the training part (without predictors). Ranked probability score: mean squared distance of "
        "cumulative probabilities (Epstein 1969). CI: bootstrap interval.",
    )


def _items(frame: pl.DataFrame) -> Table:
    parts = frame.filter(pl.col("item") != "")
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["item"],
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
        ]
        for r in parts.iter_rows(named=True)
    ]
    return Table(
        "Probabilities of several classes: each cut or class",
        ["endpoint", "predictors", "cut or class", "measure", "estimate (95 % CI)", "n", "with it"],
        rows,
        [False] * 4 + [True] * 3,
        folded=True,
        sortable=True,
        note="Cuts of an order: the class or a higher one against the lower ones. AUC: pairs within folds. Calibration "
        "intercept 0 and slope 1 are ideal. CI: bootstrap interval.",
    )
