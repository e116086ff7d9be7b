"""Several blocks together: what each adds, what fancier models gain, and who lacks a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from radiolocus.report.blocks import Block, Row, Table, Text
from radiolocus.report.figures_fusion import differences, gains, rank
from radiolocus.report.figures_outcome import simplicity
from radiolocus.report.numbers import interval, interval_cell, number_cell, p_cell
from radiolocus.report.source import Artefacts

__all__ = ["fusion_blocks", "told_gain"]

_WHAT = {
    "complete": "fitted to, and asked of, subjects with every block",
    "impute": "a lacking block is imputed: medians of the training part",
    "indicator": "imputed, and a column says which block is lacking",
    "dropout": "a lacking block is dropped: weights of the blocks there are",
}


def fusion_blocks(art: Artefacts, units: Mapping[str, str]) -> list[Block]:
    """Return the blocks on several blocks of predictors; none where there was one block alone."""
    added, lacking = art.table("outcome/added_value"), art.table("outcome/missing_modality")
    blocks: list[Block] = []
    if added is not None and added.height:
        figure = differences(added, _simplest(added))
        blocks += [figure] if figure is not None else []
        blocks += [_predictors(added, units)] if added.filter(about="predictors").height else []
        blocks += [_models(added), Text(_verdict(added), "note")] if added.filter(about="model").height else []
    if lacking is not None and lacking.height:
        blocks.append(_lacking(lacking))
    return blocks


def _simplest(added: pl.DataFrame) -> str:
    names = added["model"].unique().to_list() + added["reference_model"].unique().to_list()
    return str(min(names, key=simplicity)).rsplit(" ", 1)[0]


def _predictors(added: pl.DataFrame, units: Mapping[str, str]) -> Table:
    rows: list[Row] = []
    for r in gains(added, "predictors"):
        same = ("endpoint", "reference_predictors", "reference_model", "predictors", "model")
        others = added.filter(*(pl.col(k) == r[k] for k in same), about="predictors")
        ratio = next(others.filter(metric="likelihood ratio").iter_rows(named=True), None)
        benefit = "; ".join(_benefit(b, units) for b in others.filter(metric="net benefit").iter_rows(named=True))
        rows.append(
            [
                r["endpoint"],
                r["predictors"],
                r["reference_predictors"],
                r["model"],
                f"{r['reference']:.3f} → {r['value']:.3f}",
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                number_cell(ratio["estimate"]) if ratio else "",
                p_cell(ratio["neg_log_10_p_value"]) if ratio else "",
                benefit,
                number_cell(r["n"]),
            ]
        )
    return Table(
        "Added value of blocks of predictors",
        [
            "endpoint",
            "predictors",
            "beyond",
            "model",
            "without → with",
            "difference (95 % CI)",
            "χ²",
            "p",
            "net benefit, difference (95 % CI)",
            "n",
        ],
        rows,
        [False] * 5 + [True] * 3 + [False, True],
        sortable=True,
        note="Harrell's C, AUC or concordance of both sets on the same subjects, folds and bootstrap draws, and their "
        "difference. χ²: likelihood ratio of the out-of-fold score of the larger set beside that of the smaller one, "
        "within folds, mean over repetitions; one-sided p (a score that would have to be turned round adds nothing). "
        "Subjects of different folds are not independent: p-values describe. Net benefit: per patient, at the risk "
        "from which somebody would be treated; where no threshold was named, at the observed risk.",
    )


def _benefit(r: Mapping[str, Any], units: Mapping[str, str]) -> str:
    unit = units.get(r["endpoint"]) or ""
    when = f" by {r['time']:g} {unit}".rstrip() if r["time"] is not None else ""
    if r["estimate"] is None:
        return f"risk {r['threshold']:.0%}{when}: not known"
    return f"risk {r['threshold']:.0%}{when}: {interval(r['estimate'], r['lower'], r['upper'])}"


def _models(added: pl.DataFrame) -> Table:
    rows: list[Row] = []
    for r in gains(added, "model"):
        rows.append(
            [
                r["endpoint"],
                r["predictors"],
                r["model"],
                r["reference_model"],
                r["metric"],
                number_cell(r["reference"]),
                number_cell(r["value"]),
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                number_cell(r["n"]),
                number_cell(r["events"]),
            ]
        )
    return Table(
        "Fancier models against the simplest, on the same folds",
        ["endpoint", "predictors", "model", "beyond", "metric", "simple", "this", "gain (95 % CI)", "n", "events"],
        rows,
        [False] * 5 + [True] * 5,
        sortable=True,
        note="Models stand in the order of their simplicity. A model that does not gain over the simplest one, on the "
        "same subjects, folds and draws, has nothing that would justify it.",
    )


def _verdict(added: pl.DataFrame) -> str:
    rows = [r for r in gains(added, "model") if r["lower"] is not None]
    won = [r for r in rows if r["lower"] > 0]
    lost = [r for r in rows if r["upper"] < 0]
    told = [f"{r['model']} on {r['predictors']} ({r['endpoint']})" for r in won]
    better = (
        f"Gain with an interval above zero: {'; '.join(told)}." if told else "No model gains over the simplest one."
    )
    worse = [f"{r['model']} on {r['predictors']} ({r['endpoint']})" for r in lost]
    return better + (f" Loss with an interval below zero: {'; '.join(worse)}." if worse else "")


def told_gain(art: Artefacts) -> list[str]:
    """What all blocks add to the best of the single ones, by the simplest model; a line an endpoint."""
    added = art.table("outcome/added_value")
    if added is None or not added.height:
        return []
    simple, lines = _simplest(added), []
    for endpoint in added["endpoint"].unique(maintain_order=True):
        mine = [
            r
            for r in gains(added.filter(endpoint=endpoint), "predictors")
            if r["predictors"] == "all" and r["model"].startswith(simple) and rank(r["reference_predictors"])[0] == 1
        ]
        if mine:
            best = max(mine, key=lambda r: r["reference"])
            lines.append(
                f"{endpoint}, all blocks beyond the best single one ({best['reference_predictors']}): "
                f"{best['metric']} {interval(best['estimate'], best['lower'], best['upper'])}"
            )
    return lines


def _lacking(table: pl.DataFrame) -> Table:
    order = {"complete": 0, "dropout": 1, "indicator": 2, "impute": 3}
    rows: list[Row] = []
    ranked = sorted(
        table.iter_rows(named=True),
        key=lambda r: (r["endpoint"], simplicity(r["model"]), order.get(r["strategy"], 9), r["judged_on"]),
    )
    for r in ranked:
        rows.append(
            [
                r["endpoint"],
                r["model"],
                f"{r['strategy']}: {_WHAT.get(r['strategy'], '')}",
                r["judged_on"],
                r["metric"],
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                number_cell(r["n"]),
                number_cell(r["events"]),
                number_cell(r["unpredicted"]),
            ]
        )
    return Table(
        "Patients who lack a block",
        [
            "endpoint",
            "model",
            "what is done",
            "judged on",
            "metric",
            "estimate (95 % CI)",
            "n",
            "events",
            "unpredicted",
        ],
        rows,
        [False] * 5 + [True] * 4,
        sortable=True,
        note="Models of all blocks, out of fold. Unpredicted: patients with some block to whom the model has nothing "
        "to say. Those who lack a block may differ from the others in their course as well; rows judged on different "
        "patients are not to be compared.",
    )
