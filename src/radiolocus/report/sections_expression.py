"""What was made of expression matrices: scores, signatures, subtypes and clusters."""

from __future__ import annotations

import math

import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Row, Section, Table, Text
from radiolocus.report.numbers import count, number_cell, p_cell
from radiolocus.report.source import Artefacts

__all__ = ["expression"]

_LISTED = 200
_CHANCE = 0.05


def expression(art: Artefacts) -> Section | None:
    """Return the section of scores, subtypes and clusters, or None when nothing was made of expression."""
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    for part in (_scores, _subtypes, _clusters):
        made, said = part(art)
        blocks += made
        verdict += said
    return Section("expression", "Scores and subtypes of expression", blocks, verdict) if blocks else None


def _scores(art: Artefacts) -> tuple[list[Block], list[str]]:
    table = art.table("molecular/scores")
    if table is None or not table.height:
        return [], []
    lost = int((table["reason"] != "").sum())
    shown = table.sort(pl.col("reason") == "", maintain_order=True).head(_LISTED)
    rows: list[Row] = [
        [
            r["score"],
            r["method"],
            number_cell(r["found"]),
            number_cell(r["genes"]),
            number_cell(r["n"]),
            r["reason"] or "–",
            r["reference"],
        ]
        for r in shown.iter_rows(named=True)
    ]
    listed = Table(
        "Scores of gene sets and signatures",
        ["score", "method", "genes measured", "genes", "subjects", "why it was not made", "paper"],
        rows,
        [False, False, True, True, True, False, False],
        sortable=True,
        folded=True,
        note="Definitions and units: molecular/dictionary.csv; missing genes: molecular/scores.csv."
        + (f" {count(table.height - _LISTED)} more stand there." if table.height > _LISTED else ""),
    )
    made = table.height - lost
    said = f"{count(made)} of {count(table.height)} scores of expression were made"
    return [listed], [said + (f"; {count(lost)} lacked genes" if lost else "")]


def _subtypes(art: Artefacts) -> tuple[list[Block], list[str]]:
    table = art.table("molecular/subtypes")
    if table is None or not table.height:
        return [], []
    counts = table.group_by("scheme", "subtype", maintain_order=True).agg(
        n=pl.len(), similarity=pl.col("similarity").median(), margin=pl.col("margin").median()
    )
    rows: list[Row] = [
        [r["scheme"], r["subtype"], number_cell(r["n"]), number_cell(r["similarity"]), number_cell(r["margin"])]
        for r in counts.sort("scheme", "subtype").iter_rows(named=True)
    ]
    listed = Table(
        "Subtypes",
        ["scheme", "subtype", "subjects", "median similarity", "median margin"],
        rows,
        [False, False, True, True, True],
        note="Similarity to the nearest centroid, and how far the second is behind. Subjects: molecular/subtypes.csv.",
    )
    return [listed], []


def _clusters(art: Artefacts) -> tuple[list[Block], list[str]]:
    table = art.table("molecular/consensus")
    if table is None or not table.height:
        return [], []
    rows: list[Row] = [
        [
            r["scheme"],
            number_cell(r["clusters"]),
            number_cell(r["area"]),
            number_cell(r["delta_area"]),
            number_cell(r["pac"]),
            number_cell(r["reference_pac"]),
            p_cell(-math.log10(r["p_value"])),
            "yes" if r["chosen"] else "no",
        ]
        for r in table.iter_rows(named=True)
    ]
    listed = Table(
        "Consensus clustering",
        ["scheme", "clusters", "area", "gain", "ambiguous pairs", "in one cloud", "p", "markers made"],
        rows,
        [False, True, True, True, True, True, True, False],
        note="Ambiguous: pairs of subjects whose consensus lies between 0.1 and 0.9, and their share in simulations of "
        "one cloud with the same covariance; p over all numbers. Consensus clustering finds clusters in any "
        "data. They were learned from the whole cohort and are left out of every prediction.",
    )
    said = [
        f"scheme {scheme}: "
        + (
            f"{int(part.filter('chosen')['clusters'][0])} clusters, more stable than in one cloud"
            if part["chosen"].any()
            else "no clusters more stable than in one cloud"
        )
        for (scheme,), part in table.group_by("scheme", maintain_order=True)
    ]
    told: list[Block] = [listed]
    if (table["p_value"] > _CHANCE).any():
        told.append(Text("Where p exceeds 0.05 no marker was made of the clusters."))
    return told, said
