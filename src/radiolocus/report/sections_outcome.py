"""Outcome models: what they predict out of fold, risk groups, and single predictors."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.report.blocks import Block, Row, Section, Table, Text
from radiolocus.report.figures_outcome import forest, ordered, protocol, selection_bars, told_apart
from radiolocus.report.figures_survival import kaplan_meier
from radiolocus.report.numbers import MISSING, count, interval, interval_cell, number_cell, p_cell, small_cell
from radiolocus.report.sections_audit import audit_blocks, audit_verdict, protocol_blocks
from radiolocus.report.sections_fusion import fusion_blocks, told_gain
from radiolocus.report.sections_judged import compared_blocks, explained_blocks, judged_blocks, predicted_blocks
from radiolocus.report.sections_landmark import landmark_blocks
from radiolocus.report.sections_states import class_blocks, competing_blocks
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL

__all__ = ["outcome"]

_SHOWN = 8
_MANY = 24  # rows of a table that opens on demand
_LEFT = {
    "imaging": "everything",
    "shuffled": "shape and histogram of the region; where its intensities lie is random",
    "outside": "the region; its surroundings are random",
    "volume": "volume of the region",
}


def _design(row: Mapping[str, object]) -> str:
    """Who was held out, in a word."""
    split, repeats, folds = row.get("split", "kfold"), row["repeats"], row["folds"]
    told = {"kfold": f"{repeats} × {folds} folds", "site": f"{folds} sites", "temporal": "the latest"}
    return told.get(str(split), f"{repeats} bootstrap samples, {split}")


def _performance(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["model"],
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
            number_cell(r["candidates"]),
            _design(r),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        "Out-of-fold performance",
        [
            "endpoint",
            "predictors",
            "model",
            "metric",
            "estimate (95 % CI)",
            "n",
            "events",
            "candidates",
            "held out",
        ],
        rows,
        [False] * 4 + [True] * 5,
        sortable=True,
        note=f"{protocol(frame)}; CI: bootstrap interval. Events: events or positives. Candidates: predictors offered "
        f"to the model, before categories become columns.{_below(frame)}",
    )


def _horizons(frame: pl.DataFrame, units: Mapping[str, str]) -> Table:
    """Uno's C, AUC(t) and Brier score, beside the Brier score without predictors."""
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["metric"],
            f"{r['time']:g} {units.get(r['endpoint']) or ''}".strip(),
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        "Out-of-fold performance at times",
        ["endpoint", "predictors", "metric", "time", "estimate (95 % CI)", "n", "events by then"],
        rows,
        [False] * 4 + [True] * 3,
        folded=len(rows) > _MANY,
        sortable=True,
        note="Uno's (with competing events Wolbers') C counts events up to the time, the last by which a tenth of the "
        "subjects are followed; who had a competing event counts as one who never has the event. AUC(t) and "
        "Brier score: events by the time against subjects followed beyond it, censored subjects by weights (inverse "
        "probability of censoring, just before each event). Rankings are compared within a fold. A Brier score is an "
        "error: smaller is better, and a model is worth its predictors only where it is below the one without them. "
        "CI: bootstrap interval; intervals of rows do not test their difference.",
    )


def _below(frame: pl.DataFrame) -> str:
    """Explain estimates that lie below the line of no information with their whole interval, where there are any."""
    if not frame.filter(pl.col("upper") < 0.5).height:
        return ""
    return (
        " An interval that lies below 0.5 is no finding: out of fold, a model without information tends to fall below "
        "0.5, because what is overrepresented in the training part is underrepresented in the part held out."
    )


def _univariate(frame: pl.DataFrame) -> Table:
    rows: list[Row] = []
    for _, part in frame.sort("endpoint").group_by(["endpoint"], maintain_order=True):
        top = part.sort(["neg_log_10_p_value", "predictor"], descending=[True, False], nulls_last=True).head(_SHOWN)
        rows += [
            [
                r["endpoint"],
                r["predictor"],
                r["block"],
                r["metric"],
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                p_cell(r["neg_log_10_p_value"]),
                small_cell(r["q_value"]),
                number_cell(r["n"]),
                number_cell(r["events"]),
            ]
            for r in top.iter_rows(named=True)
        ]
    return Table(
        f"Single predictors: the {_SHOWN} smallest p-values of each endpoint, of {count(frame.height)} tests",
        ["endpoint", "predictor", "block", "metric", "estimate (95 % CI)", "p", "q", "n", "events"],
        rows,
        [False] * 4 + [True] * 5,
        sortable=True,
        note="CI: bootstrap interval. On all subjects, no model is learned and nothing is validated: chosen from many, "
        "these estimates are optimistic. Above 0.5: larger values go with the event. q: false discovery rate within "
        "the endpoint. All: outcome/univariate.csv.",
    )


def _logrank(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            interval_cell(r["hazard_ratio"], r["lower"], r["upper"]),
            number_cell(r["statistic"]),
            number_cell(r["degrees_of_freedom"]),
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
        ]
        for r in ordered(frame).iter_rows(named=True)
    ]
    return Table(
        "Risk groups: high against low",
        ["endpoint", "predictors", "hazard ratio (95 % CI)", "log-rank χ²", "df", "p", "n", "events"],
        rows,
        [False, False] + [True] * 6,
        note="Hazard ratio with its confidence interval (CI) from a Cox model with Efron's treatment of ties. The "
        "groups were assigned out of fold, and subjects of different folds are not independent: these p-values and "
        "intervals describe, they do not prove (Simon 2011).",
    )


def _selection(frame: pl.DataFrame) -> list[Block]:
    """A figure for the widest model of each endpoint, and everything in a folded table."""
    blocks: list[Block] = []
    for endpoint in frame["endpoint"].unique().sort().to_list():
        mine = frame.filter(pl.col("endpoint") == endpoint)
        sizes = mine.group_by("predictors").agg(pl.col("predictor").n_unique().alias("size"))
        widest = sizes.sort(["size", "predictors"], descending=[True, False])["predictors"][0]
        if mine.filter((pl.col("predictors") == widest) & (pl.col("fraction") > 0)).height:
            blocks.append(selection_bars(frame, endpoint, widest))
    used = ordered(frame.filter(pl.col("fraction") > 0)).sort(
        ["endpoint", "predictors", "fraction", "predictor"], descending=[False, False, True, False]
    )
    rows: list[Row] = [
        [
            r["endpoint"],
            r["predictors"],
            r["predictor"],
            r["block"],
            number_cell(100 * r["fraction"]),
            number_cell(r["mean_coefficient"]),
        ]
        for r in used.iter_rows(named=True)
    ]
    if rows:
        blocks.append(
            Table(
                f"Selection frequency of every predictor that was used ({count(len(rows))})",
                ["endpoint", "predictors", "predictor", "block", "fits that used it (%)", "mean coefficient per SD"],
                rows,
                [False] * 4 + [True] * 2,
                folded=True,
                sortable=True,
            )
        )
    return blocks


def _controls(frame: pl.DataFrame) -> list[Block]:
    """Performance of negative controls beside that of imaging, and whether a signal survives them."""
    block = pl.col("predictors").str.split(", ").list.first()
    compared = frame.filter(pl.col("predictors").str.starts_with(CONTROL) | (block == "imaging"))
    if not frame["predictors"].str.starts_with(CONTROL).any():
        return []
    rows: list[Row] = []
    survived = []
    for r in ordered(compared).iter_rows(named=True):
        name = r["predictors"].removeprefix(CONTROL)
        left = name.split(", ")[0]
        alive = left in ("shuffled", "volume") and r["lower"] is not None and r["lower"] > 0.5
        survived += [f"{r['endpoint']}: {name} {interval(r['estimate'], r['lower'], r['upper'])}"] if alive else []
        rows.append(
            [
                r["endpoint"],
                name,
                _LEFT.get(left, MISSING),
                r["metric"],
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                number_cell(r["n"]),
                number_cell(r["events"]),
                number_cell(r["candidates"]),
            ]
        )
    verdict = (
        f"A signal survives: {'; '.join(survived)}. What survives shuffling is no matter of texture alone, and what "
        "volume alone predicts needs no other feature."
        if survived
        else "No interval of the shuffled image or of volume alone lies above 0.5."
    )
    return [
        Table(
            "Negative controls",
            ["endpoint", "predictors", "what is left", "metric", "estimate (95 % CI)", "n", "events", "candidates"],
            rows,
            [False] * 4 + [True] * 4,
            note="The same features, model and folds as imaging, taken of images in which something was destroyed at "
            "random (Welch et al. 2019). The control outside leaves the region as it is: it should do as well as "
            "imaging. Regions stay as they were drawn or derived, so that the shape of a habitat still tells where "
            "intensities lay. Intervals of rows do not test their difference. Controls are part of no other model.",
        ),
        Text(verdict, "note"),
    ]


def _units(art: Artefacts) -> dict[str, str]:
    endpoints = art.table("cohort/endpoints")
    return dict(endpoints.select("endpoint", "unit").unique().iter_rows()) if endpoints is not None else {}


def _risk_groups(art: Artefacts, performance: pl.DataFrame | None) -> list[Block]:
    curves, tests = art.table("outcome/kaplan_meier"), art.table("outcome/logrank")
    if curves is None:
        return []
    curves = told_apart(curves, performance)
    tests = told_apart(tests, performance) if tests is not None else None
    units = _units(art)
    found = {(r["endpoint"], r["predictors"]): r for r in tests.iter_rows(named=True)} if tests is not None else {}
    blocks: list[Block] = []
    for key, part in ordered(curves).group_by(["endpoint", "predictors"], maintain_order=True):
        blocks.append(kaplan_meier(part, found.get((str(key[0]), str(key[1]))), units.get(str(key[0])) or ""))
    return blocks


def _audit(art: Artefacts, verdict: list[str]) -> list[Block]:
    """Return the audit, a line of which goes to `verdict`."""
    audit = art.table("outcome/audit")
    if audit is None:
        return []
    verdict.append(audit_verdict(audit))
    return audit_blocks(audit)


def _told(labelled: pl.DataFrame) -> list[str]:
    """Performance of every set of predictors, a line an endpoint."""
    lines = []
    for (endpoint, metric), part in ordered(labelled).group_by(["endpoint", "metric"], maintain_order=True):
        values = [
            f"{r['predictors']} {interval(r['estimate'], r['lower'], r['upper'])}" for r in part.iter_rows(named=True)
        ]
        lines.append(f"{endpoint}, out-of-fold {metric}: {'; '.join(values)}")
    return lines


def _modelled(art: Artefacts, judged: pl.DataFrame, verdict: list[str]) -> list[Block]:
    """What was predicted, by which protocol, and how well."""
    performance = judged.filter(~pl.col("predictors").str.starts_with(CONTROL))
    steps = art.table("outcome/protocol")
    blocks = predicted_blocks(performance, art.table("outcome/audit"))
    blocks += landmark_blocks(art) + (protocol_blocks(steps) if steps is not None else [])
    labelled = told_apart(performance, judged)
    figure = forest(labelled)
    blocks += [figure] if figure is not None else []
    verdict += _told(labelled)
    return [*blocks, _performance(performance)]


def outcome(art: Artefacts) -> Section | None:
    """Return the outcome section, or None when no outcome table was made."""
    judged, univariate = art.table("outcome/performance"), art.table("outcome/univariate")
    tests, selection = art.table("outcome/logrank"), art.table("outcome/selection")
    if judged is None and univariate is None:
        return None
    verdict: list[str] = []
    blocks: list[Block] = [Text("No model was fitted; the problems at the end say why.", "note")]
    if judged is not None:
        blocks = _modelled(art, judged, verdict)
    at_times, units = art.table("outcome/horizons"), _units(art)
    blocks += [_horizons(told_apart(at_times, judged), units)] if at_times is not None else []
    blocks += fusion_blocks(art, units)
    verdict += told_gain(art)
    blocks += judged_blocks(art, judged, units) + compared_blocks(art.table("outcome/comparison"))
    blocks += _risk_groups(art, judged)
    blocks += [_logrank(told_apart(tests, judged))] if tests is not None and tests.height else []
    blocks += competing_blocks(art, judged, units) + class_blocks(art, judged)
    blocks += explained_blocks(art, judged, units)
    blocks += _selection(told_apart(selection, judged)) if selection is not None else []
    blocks += _controls(told_apart(judged, judged)) if judged is not None else []
    blocks += _audit(art, verdict)
    blocks += [_univariate(univariate)] if univariate is not None else []
    return Section("outcome", "Outcome", blocks, verdict)
