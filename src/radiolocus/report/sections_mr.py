"""Mendelian randomisation: estimates, whether the instruments can be trusted, and the pictures of the strongest."""

from __future__ import annotations

import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Row, Section, Table, Text
from radiolocus.report.figures_mr import forest, funnel, left_out, scatter
from radiolocus.report.numbers import interval_cell, number, number_cell, p_cell, p_html, plural
from radiolocus.report.source import Artefacts

__all__ = ["mendelian"]

_MAIN = ("inverse variance, random effects", "Wald ratio")
_DRAWN = 4
_SHOWN = 60


def _ordered(estimates: pl.DataFrame) -> pl.DataFrame:
    """Pairs by the p-value of their main estimate."""
    return estimates.filter(pl.col("method").is_in(_MAIN)).sort(
        ["neg_log_10_p_value", "exposure", "outcome"], descending=[True, False, False]
    )


def _estimates(estimates: pl.DataFrame, order: pl.DataFrame) -> Table:
    pairs = order.select("exposure", "outcome").head(_SHOWN)
    shown = pairs.join(estimates, on=["exposure", "outcome"], how="left", maintain_order="left_right")
    rows: list[Row] = [
        [
            r["exposure"], r["outcome"], r["method"], number_cell(r["instruments"]),
            interval_cell(r["estimate"], r["lower"], r["upper"]), p_cell(r["neg_log_10_p_value"]), number_cell(r["q"]),
            p_cell(r["q_neg_log_10_p_value"]),
        ]
        for r in shown.iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        f"Effects of {plural(order.height, 'pair')} of exposure and outcome",
        ["exposure", "outcome", "method", "instruments", "estimate (95 % interval)", "p", "Q", "p of Q"],
        rows, [False] * 3 + [True] * 5, sortable=True,
        note="Per unit of the exposure; on a disease the logarithm of the odds ratio. Egger: Student's t with n − 2 "
        "degrees of freedom; median and mode: bootstrap. All: mendelian/estimates.csv.",
    )  # fmt: skip


def _checks(checks: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["exposure"], r["outcome"], number_cell(r["instruments"]), number_cell(r["mean_f"]),
            number_cell(r["min_f"]), number_cell(r["i2_gx"]), number_cell(r["intercept"]),
            p_cell(r["intercept_neg_log_10_p_value"]),
            number_cell(r["r2_exposure"]), number_cell(r["r2_outcome"]),
            "–" if r["direction"] is None else "exposure first" if r["direction"] else "outcome first",
            p_cell(r["steiger_neg_log_10_p_value"]),
        ]
        for r in checks.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        "Instruments",
        ["exposure", "outcome", "instruments", "mean F", "least F", "I²GX", "Egger's intercept", "its p",
         "r² exposure", "r² outcome", "Steiger", "its p"],
        rows, [False] * 2 + [True] * 8 + [False, True], sortable=True,
        note="F below 10: weak instruments. I²GX below 0.9 dilutes Egger's slope. An intercept away from zero: "
        "directional pleiotropy. r²: variance explained by the instruments, of a disease that of the observed cases "
        "and controls.",
    )  # fmt: skip


def _harmonisation(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [r["exposure"], r["table"], r["outcome"], r["meaning"], number_cell(r["count"])]
        for r in frame.iter_rows(named=True)
    ]
    head = ["exposure", "outcome", "alleles", "meaning", "variants"]
    return Table("Alleles of exposure and outcome", head, rows, [False] * 4 + [True], folded=True)


def mendelian(art: Artefacts) -> Section | None:
    """Return the section of Mendelian randomisation, or None when it was not made."""
    estimates, checks = art.table("mendelian/estimates"), art.table("mendelian/checks")
    instruments = art.table("mendelian/instruments")
    if estimates is None or checks is None or instruments is None:
        return None
    order = _ordered(estimates)
    top = order.row(0, named=True)
    verdict: list[str | Markup] = [
        plural(order.height, "pair") + " of exposure and outcome",
        Markup("smallest p = {} ({} on {}: {})").format(
            p_html(top["neg_log_10_p_value"]), top["exposure"], top["outcome"], number(top["estimate"])
        ),
    ]
    blocks: list[Block] = [
        Text(
            "An effect is causal only if the instruments act on the outcome through the exposure alone, are not tied "
            "to confounders, and both samples are of one ancestry and do not overlap. The methods relax the first in "
            "different ways; their agreement is the evidence, not one p-value.",
            "note",
        ),
        _estimates(estimates, order),
        _checks(checks),
    ]
    leave, harmony = art.table("mendelian/leave_one_out"), art.table("mendelian/harmonisation")
    for exposure, outcome in order.select("exposure", "outcome").head(_DRAWN).iter_rows():
        own = (pl.col("exposure") == exposure) & (pl.col("outcome") == outcome)
        pair, mine, methods = (exposure, outcome), instruments.filter(own), estimates.filter(own)
        if mine.height < 2 or leave is None:
            continue
        intercept = checks.filter(own)["intercept"][0]
        blocks += [
            scatter(pair, mine, methods, intercept or 0.0), funnel(pair, mine, methods),
            forest(pair, mine, methods), left_out(pair, leave.filter(own), methods),
        ]  # fmt: skip
    if harmony is not None:
        blocks.append(_harmonisation(harmony))
    return Section("mendelian", "Mendelian randomisation", blocks, verdict)
