"""Parts of the outcome section: what was predicted, how far risks can be trusted, what models lean on."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.report.blocks import Block, Row, Table, Text
from radiolocus.report.figures_explained import beeswarm, importance_bars, nomogram, ratios, schoenfeld
from radiolocus.report.figures_judged import calibration, decision, over_time, widest
from radiolocus.report.figures_outcome import ordered, told_apart
from radiolocus.report.numbers import MISSING, count, interval_cell, number, number_cell, p_cell
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL

__all__ = ["compared_blocks", "explained_blocks", "judged_blocks", "predicted_blocks"]

Units = Mapping[str, str]


def predicted_blocks(performance: pl.DataFrame, audit: pl.DataFrame | None) -> list[Block]:
    """What was predicted from what, and whether there are enough subjects for it."""
    size = dict[tuple[str, str], float]()
    if audit is not None:
        need = audit.filter(pl.col("check") == "sample size")
        size = {(r["endpoint"], r["predictors"]): r["value"] for r in need.iter_rows(named=True)}
    own = performance.filter(~pl.col("predictors").str.starts_with(CONTROL))
    sets = own.unique(["endpoint", "predictors"], keep="first", maintain_order=True)
    rows: list[Row] = []
    for r in ordered(sets).iter_rows(named=True):
        smaller = r["events"] if r["kind"] in ("survival", "competing") else min(r["events"], r["n"] - r["events"])
        each = smaller / r["candidates"] if r["candidates"] else None
        rows.append(
            [
                r["endpoint"],
                r["kind"],
                r["predictors"],
                number_cell(r["n"]),
                number_cell(r["events"]),
                number_cell(r["candidates"]),
                number_cell(each, 2),
                number_cell(size.get((r["endpoint"], r["predictors"]))),
            ]
        )
    head = ["endpoint", "kind", "predictors", "n", "events", "candidates", "events each", "subjects needed"]
    return [
        Table(
            "What was predicted",
            head,
            rows,
            [False] * 3 + [True] * 5,
            note="Events each: events (of a class, members of the smaller one) for each candidate predictor. Subjects "
            "needed: for an unpenalised model of so many candidates, by the criteria of Riley and colleagues (BMJ "
            "2020;368:m441); a penalty or a selection needs fewer, and how much was gained is told out of fold alone.",
        )
    ]


def judged_blocks(art: Artefacts, performance: pl.DataFrame | None, units: Units) -> list[Block]:
    """Calibration, net benefit and performance over time: figures an endpoint, and all numbers in a table."""
    blocks: list[Block] = []
    measures, course = art.table("outcome/evaluation"), art.table("outcome/over_time")
    curves, benefit = art.table("outcome/calibration"), art.table("outcome/decision")
    endpoints = measures["endpoint"].unique(maintain_order=True).to_list() if measures is not None else []
    for endpoint in endpoints:
        unit = units.get(endpoint) or ""
        if (own := _of(course, endpoint, performance)) is not None:
            blocks.append(over_time(own, unit))
        own, net = _of(curves, endpoint, performance), _of(benefit, endpoint, performance)
        for time in _times(own):
            part = own.filter(_at(time)) if own is not None else None
            if part is not None and part.height:
                told = _of(measures, endpoint, performance)
                blocks.append(calibration(part, _by_metric(told, widest(part), time), unit))
            if net is not None and (part := net.filter(_at(time))).height:
                blocks.append(decision(part, unit))
    return [*blocks, _evaluation(told_apart(measures, performance), units)] if measures is not None else blocks


def _at(time: float | None) -> pl.Expr:
    return pl.col("time").is_null() if time is None else pl.col("time") == time


def _times(curves: pl.DataFrame | None) -> list[float | None]:
    return [] if curves is None else curves["time"].unique(maintain_order=True).to_list()


def _of(frame: pl.DataFrame | None, endpoint: str, performance: pl.DataFrame | None) -> pl.DataFrame | None:
    """Rows of one endpoint and of its first model: figures of several models would show none of them."""
    if frame is None or not (own := frame.filter(pl.col("endpoint") == endpoint)).height:
        return None
    models = performance.filter(pl.col("endpoint") == endpoint)["model"].to_list() if performance is not None else []
    first = next((m for m in models if (own["model"] == m).any()), own["model"][0])
    return ordered(own.filter(pl.col("model") == first))


def _by_metric(frame: pl.DataFrame | None, predictors: str, time: float | None) -> dict[str, dict[str, object]]:
    if frame is None:
        return {}
    own = frame.filter((pl.col("predictors") == predictors) & (_at(time) | pl.col("time").is_null()))
    return {r["metric"]: r for r in own.iter_rows(named=True)}


def _evaluation(frame: pl.DataFrame, units: Units) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["metric"],
            MISSING if r["time"] is None else f"{r['time']:g} {units.get(r['endpoint']) or ''}".strip(),
            interval_cell(r["estimate"], r["lower"], r["upper"]),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        f"Calibration and further measures, out of fold ({count(len(rows))})",
        ["endpoint", "predictors", "metric", "time", "estimate (95 % CI)"],
        rows,
        [False] * 4 + [True],
        folded=True,
        sortable=True,
        note="Mean over repetitions; CI: percentiles of bootstrap draws of subjects pooled over repetitions; of "
        "Royston's D and the restricted mean a Wald interval. O/E, slope: 1 is ideal, intercept: 0; for these, risks "
        "are kept 0.001 from 0 and 1. Integrated Brier: up to the last event by which a tenth of the subjects are "
        "followed; a model is worth its predictors only below the one without them. Restricted mean difference: time "
        "without event, low less high risk; restricted time lost (competing events): area under the cumulative "
        "incidence of each risk group, and high less low, percentiles of draws within the groups. The groups were "
        "assigned out of fold. Definitions: docs/evaluation.md.",
    )


def explained_blocks(art: Artefacts, performance: pl.DataFrame | None, units: Units) -> list[Block]:
    """What the widest model of each endpoint leans on, and the models of everybody."""
    importance, shap = art.table("outcome/importance"), art.table("outcome/shap")
    endpoints = performance["endpoint"].unique(maintain_order=True).to_list() if performance is not None else []
    blocks: list[Block] = []
    for endpoint in endpoints:
        unit = units.get(endpoint) or ""
        if (own := _leading(importance, endpoint, performance)) is not None:
            bars = importance_bars(own)
            blocks += [bars] if bars is not None else []
        some = _leading(shap, endpoint, performance)
        if own is not None and some is not None and some["contribution"].abs().max() != 0.0:
            blocks.append(beeswarm(some, str(own["scale"][0])))
        blocks += _everybody(art, endpoint, performance, unit)
    if importance is not None:
        blocks.append(_importance(told_apart(importance, performance)))
    tests = art.table("outcome/proportional_hazards")
    return [*blocks, _proportional(tests)] if tests is not None else blocks


def _leading(frame: pl.DataFrame | None, endpoint: str, performance: pl.DataFrame | None) -> pl.DataFrame | None:
    """Rows of the widest set of predictors and the first model of an endpoint."""
    if frame is None or performance is None:
        return None
    own = ordered(frame.filter(pl.col("endpoint") == endpoint))
    if not own.height:
        return None
    models = performance.filter(pl.col("endpoint") == endpoint)["model"].unique(maintain_order=True).to_list()
    own = own.filter(pl.col("predictors") == widest(own))
    first = next((m for m in models if (own["model"] == m).any()), own["model"][0])
    return own.filter(pl.col("model") == first)


def _everybody(art: Artefacts, endpoint: str, performance: pl.DataFrame | None, unit: str) -> list[Block]:
    blocks: list[Block] = []
    points, risk = art.table("outcome/nomogram"), art.table("outcome/nomogram_risk")
    if risk is not None and (own := _leading(points, endpoint, performance)) is not None:
        keys = ["endpoint", "predictors", "model"]
        mine = risk.join(own.select(keys).unique(), on=keys, how="semi")
        # No horizon, no scale of risk: where all times are tied, for one.
        blocks += [nomogram(own, mine, unit)] if mine.height else []
    table = art.table("outcome/hazard_ratios")
    if table is not None:
        mine = ordered(table.filter(pl.col("endpoint") == endpoint))
        shown = [n for n in mine["predictors"].unique(maintain_order=True).to_list() if n == "clinical"]
        shown += [widest(mine)] if mine.height and widest(mine) not in shown else []
        blocks += [ratios(mine.filter(pl.col("predictors") == name)) for name in shown]
    return blocks + _effects_over_time(art, endpoint, unit)


def _effects_over_time(art: Artefacts, endpoint: str, unit: str) -> list[Block]:
    curves, tests = art.table("outcome/schoenfeld"), art.table("outcome/proportional_hazards")
    if curves is None or tests is None:
        return []
    mine = ordered(curves.filter(pl.col("endpoint") == endpoint))
    blocks: list[Block] = []
    for model in ("Cox", None):
        part = mine.filter(pl.col("model") == "Cox" if model else pl.col("covariate") == "out-of-fold risk")
        if part.height:
            part = part.filter(pl.col("predictors") == widest(part))
            part = part.filter(pl.col("model") == part["model"][0])
            keys = ["endpoint", "predictors", "model"]
            blocks.append(schoenfeld(part, tests.join(part.select(keys).unique(), on=keys, how="semi"), unit))
    return blocks


def _importance(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["predictor"],
            r["block"],
            MISSING
            if r["importance"] is None
            else f"{_signed(r['importance'])} ({_signed(r['lower'])} to {_signed(r['upper'])})",
            number_cell(r["mean_abs_shap"]),
            r["scale"] or MISSING,
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        f"Importance of every predictor that was used ({count(len(rows))})",
        [
            "endpoint",
            "predictors",
            "predictor",
            "block",
            "C or AUC lost (95 % CI)",
            "mean |contribution|",
            "on the scale of",
        ],
        rows,
        [False] * 4 + [True, True, False],
        folded=True,
        sortable=True,
        note="Among held-out subjects. Contributions (Shapley values): of linear models exact for independent "
        "predictors, of trees exact along the training subjects' ways; what each subject's are stands in "
        "outcome/shap.csv.",
    )


def _signed(value: float | None) -> str:
    return number(value, 2) if value is None or value < 0 else f"+{number(value, 2)}" if value > 0 else "0"


def _proportional(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["model"],
            r["covariate"],
            number_cell(r["statistic"]),
            number_cell(r["degrees_of_freedom"]),
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["events"]),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        f"Proportional hazards ({count(len(rows))} tests)",
        ["endpoint", "predictors", "model", "covariate", "χ²", "df", "p", "events"],
        rows,
        [False] * 4 + [True] * 4,
        folded=True,
        sortable=True,
        note="Score tests that an effect does not change with time, as R's cox.zph (time as one less Kaplan–Meier). A "
        "small p-value says that one hazard ratio does not tell the whole story; a large one among few events says "
        "little.",
    )


def compared_blocks(frame: pl.DataFrame | None) -> list[Block]:
    """DeLong's test, reclassification and discrimination improvement, with the warning."""
    if frame is None or not frame.height:
        return []
    rows: list[Row] = [
        [
            r["endpoint"],
            r["model"],
            f"{r['second']} against {r['first']}",
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            p_cell(r["neg_log_10_p_value"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    warning = next((w for w in frame["warning"].to_list() if w), "")
    return [
        Table(
            f"Sets of predictors compared on a class ({count(len(rows))})",
            ["endpoint", "model", "compared", "metric", "estimate (95 % CI)", "p"],
            rows,
            [False] * 4 + [True, True],
            folded=True,
            sortable=True,
            note="Out-of-fold probabilities, mean over repetitions, pooled over folds: their AUC may differ from the "
            "one counted within folds. AUC difference: DeLong. Subjects of different folds are not independent: these "
            "p-values and intervals describe.",
        ),
        *([Text(warning, "note")] if warning else []),
    ]
