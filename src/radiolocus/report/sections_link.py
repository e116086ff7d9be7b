"""Links between imaging features and molecular markers."""

from __future__ import annotations

import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Cell, Row, Section, Table
from radiolocus.report.figures_link import FDR, volcano
from radiolocus.report.figures_link_map import link_map
from radiolocus.report.figures_oncoprint import marker_print
from radiolocus.report.numbers import count, interval, number_cell, p_cell, p_html, plural, small_cell
from radiolocus.report.sections_link_sets import further_blocks, further_verdict
from radiolocus.report.sections_molecular import linked_tracks
from radiolocus.report.source import Artefacts

__all__ = ["link"]

_SHOWN = 25


def _top(frame: pl.DataFrame) -> Table:
    permuted = bool(frame["family_wise_p_value"].is_not_null().any())
    rows: list[Row] = [
        [
            r["feature"],
            r["marker"],
            r["test"],
            number_cell(r["correlation"]),
            Cell(interval(r["estimate"], r["lower"], r["upper"]), r["estimate"]),
            p_cell(r["neg_log_10_p_value"]),
            *([] if permuted else [small_cell(r["bonferroni_p_value"])]),
            small_cell(r["q_value"]),
            *([small_cell(r["family_wise_p_value"])] if permuted else []),
            number_cell(r["n"]),
        ]
        for r in frame.head(_SHOWN).iter_rows(named=True)
    ]
    return Table(
        f"The {min(_SHOWN, frame.height)} strongest links of {count(frame.height)}",
        [
            "feature",
            "marker",
            "test",
            "correlation",
            "estimate (95 % interval)",
            "p",
            *([] if permuted else ["Bonferroni p"]),
            "q",
            *(["family-wise p"] if permuted else []),
            "n",
        ],
        rows,
        [False] * 3 + [True] * 6,
        sortable=True,
        note="q: false discovery rate over all pairs (Benjamini & Hochberg 1995)."
        + (" Family-wise p: step-down by permutation (Westfall & Young 1993)." if permuted else "")
        + " All: link/link.csv.",
    )


def _tested(frame: pl.DataFrame, families: pl.DataFrame | None) -> str:
    made = frame.height if families is None else int(families["tests"].sum())
    kept = f", {count(frame.height)} kept" if made > frame.height else ""
    return plural(made, "feature–marker pair") + kept


def _markers(dictionary: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [r["marker"], r["kind"], r["source"], r["unit"] or "–", number_cell(r["n"]), number_cell(r["n_positive"])]
        for r in dictionary.iter_rows(named=True)
    ]
    return Table(
        f"Molecular markers ({count(dictionary.height)})",
        ["marker", "kind", "source", "unit", "n", "with the marker"],
        rows,
        [False, False, False, False, True, True],
        folded=True,
        sortable=True,
    )


def _beside(art: Artefacts) -> list[Block]:
    """Binary markers beside the features that go with them; where variants were read, their section draws that."""
    markers, dictionary = art.table("molecular/markers"), art.table("molecular/dictionary")
    if markers is None or dictionary is None or art.has("molecular/mutations"):
        return []
    binary = dictionary.filter(pl.col("kind") == "binary")["marker"].to_list()
    drawn = marker_print(markers, binary, linked_tracks(art, pl.col("marker").is_in(binary)))
    return [drawn] if drawn else []


def link(art: Artefacts) -> Section | None:
    """Return the section of markers and links, or None when neither was made."""
    frame, dictionary = art.table("link/link"), art.table("molecular/dictionary")
    if frame is None and dictionary is None:
        return None
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    if frame is not None:
        ordered = frame.sort(
            ["neg_log_10_p_value", "feature", "marker"], descending=[True, False, False], nulls_last=True
        )
        passing = int((frame["q_value"] < FDR).sum())
        strict = int((frame["bonferroni_p_value"] < 0.05).sum())
        top = ordered.row(0, named=True)
        verdict += [
            _tested(frame, art.table("link/families")),
            f"{count(passing)} with q < 0.05, {count(strict)} with Bonferroni p < 0.05",
            Markup("smallest p = {} ({} and {})").format(
                p_html(top["neg_log_10_p_value"]), top["feature"], top["marker"]
            ),
        ]
        drawn = link_map(frame)
        blocks += [volcano(frame), *([drawn] if drawn else []), *_beside(art), _top(ordered), *further_blocks(art)]
        verdict += further_verdict(art)
    if dictionary is not None:
        binary = dictionary.filter(pl.col("kind") == "binary").height
        verdict.append(f"markers: {binary} binary, {dictionary.height - binary} continuous")
        blocks.append(_markers(dictionary))
    return Section("links", "Links of imaging and molecular markers", blocks, verdict)
