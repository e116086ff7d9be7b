"""The leakage audit and the steps of the protocol, as the outcome section shows them."""

from __future__ import annotations

import polars as pl

from radiolocus.outcome.audit import SIZE
from radiolocus.report.blocks import Block, Row, Table, Text
from radiolocus.report.numbers import count, number_cell

__all__ = ["audit_blocks", "audit_verdict", "protocol_blocks"]

_RANK = {"leak": 0, "suspect": 1, "not checked": 2, "pass": 3}


def audit_verdict(audit: pl.DataFrame) -> str:
    """One line: how many checks found something."""
    wrong = {v: audit.filter((pl.col("verdict") == v) & ~pl.col("check").is_in(SIZE)).height for v in _RANK}
    if wrong["leak"] or wrong["suspect"]:
        return f"leakage audit: {wrong['leak']} leaks, {wrong['suspect']} suspicions; see the table"
    return f"leakage audit: nothing found by {count(wrong['pass'])} checks"


def audit_blocks(audit: pl.DataFrame) -> list[Block]:
    """Return the table of what was found and of the permuted outcomes, and a folded one of all checks."""
    if not audit.height:
        return []
    ranked = audit.with_columns(pl.col("verdict").replace_strict(_RANK, default=9).alias("rank")).sort(
        ["rank", "check", "endpoint", "predictors", "item"]
    )
    shown = pl.col("verdict").is_in(["leak", "suspect"]) | (pl.col("check") == "permuted outcome")
    top = ranked.filter(shown & ~pl.col("check").is_in(SIZE))
    head = ["verdict", "check", "endpoint", "predictors", "model", "item", "what was found", "value", "± error"]
    numeric = [False] * 7 + [True] * 2
    note = (
        "The protocol keeps held-out subjects from being seen; these checks look for what it cannot know. Permuted "
        "outcome: everything, done again on an outcome that means nothing, must not predict it better than a coin; "
        "below 0.5 is no leak. Duplicates: subjects alike in columns that tell subjects apart. Predicts alone: a "
        "column that orders more than 98 % of the pairs. After the outcome: declared times of measurement against the "
        "event. Events: events for each candidate predictor. Sample size: subjects that so many candidate predictors "
        "need by the criteria of Riley and colleagues (BMJ 2020;368:m441)."
    )
    blocks: list[Block] = []
    if top.height:
        blocks.append(Table("Leakage audit", head, _rows(top), numeric, note=note))
    else:
        blocks.append(Text(f"Leakage audit: nothing found by {count(audit.height)} checks. {note}", "note"))
    rest = ranked.filter(~shown | pl.col("check").is_in(SIZE))
    if rest.height:
        told = f"Other checks of the audit ({count(rest.height)})"
        blocks.append(Table(told, head, _rows(rest), numeric, folded=True, sortable=True))
    return blocks


def _rows(frame: pl.DataFrame) -> list[Row]:
    return [
        [
            r["verdict"],
            r["check"],
            r["endpoint"],
            r["predictors"],
            r["model"],
            r["item"],
            r["got"],
            number_cell(r["value"]),
            number_cell(r["error"]),
        ]
        for r in frame.iter_rows(named=True)
    ]


def protocol_blocks(steps: pl.DataFrame) -> list[Block]:
    """Return the steps of the protocol, folded; what all models share stands once."""
    models = steps["model"].n_unique()
    order = {step: k for k, step in enumerate(steps["step"].unique(maintain_order=True))}
    shared = steps.group_by("step", "how", maintain_order=True).agg(pl.col("model"))
    shared = shared.sort(pl.col("step").replace_strict(order), maintain_order=True)
    rows: list[Row] = [
        [r["step"], r["how"], "all" if len(r["model"]) == models else ", ".join(r["model"])]
        for r in shared.iter_rows(named=True)
    ]
    note = (
        "In this order, in every training part and again in its inner folds; nothing is learned from held-out subjects."
    )
    return [Table("Steps of the protocol", ["step", "what it does", "models"], rows, folded=True, note=note)]
