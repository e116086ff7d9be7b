"""Blocks of the section of links: families, batches, gene sets, combinations, replication."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Table
from radiolocus.report.figures_link_map import set_map
from radiolocus.report.figures_link_sets import batch_figure, replication_figure, running_sums
from radiolocus.report.numbers import count, interval, number, number_cell, p_cell, plural, small_cell
from radiolocus.report.source import Artefacts

__all__ = ["further_blocks", "further_verdict"]

_SHOWN = 25


def further_blocks(art: Artefacts) -> list[Block]:
    """What was asked for beyond the tests of pairs."""
    parts = (_families(art), _batch(art), _sets(art), _combinations(art), _replication(art))
    return [block for part in parts for block in part]


def further_verdict(art: Artefacts) -> list[str]:
    """Lines of the title."""
    told = []
    if (sets := art.table("link/sets")) is not None:
        passing = sets.filter((pl.col("competitive_q_value") < 0.05) & (pl.col("self_contained_q_value") < 0.05)).height
        told.append(f"gene sets linked with a family of features, by both set tests: {passing} of {sets.height} pairs")
    if (found := art.table("link/replication")) is not None:
        known = found.filter(pl.col("other_effect").is_not_null()).height
        told.append(f"replicated: {int(found['replicated'].fill_null(value=False).sum())} of {plural(known, 'pair')}")
    return told


def _families(art: Artefacts) -> list[Block]:
    frame = art.table("link/families")
    if frame is None:
        return []
    what = "markers" if frame["of"][0] == "marker" else "families of features"
    chosen = frame.filter(pl.col("q_value") <= 0.05).height
    rows: list[Row] = [
        [r["family"], number_cell(r["tests"]), p_cell(r["neg_log_10_p_value"]), small_cell(r["q_value"]),
         number_cell(r["selected"])]
        for r in frame.head(200).iter_rows(named=True)
    ]  # fmt: skip
    return [
        Table(
            f"Hierarchical false discovery rate: {chosen} of {count(frame.height)} {what} selected",
            [what[:-1] if what == "markers" else "family", "tests", "p of the family", "q", "tests selected"],
            rows,
            [False, True, True, True, True],
            folded=True,
            sortable=True,
            note="p of the family: Simes 1986. Families selected at a false discovery rate of 5 %, then tests "
            "within them "
            "(Benjamini & Bogomolov 2014). All: link/families.csv.",
        )
    ]


def _batch(art: Artefacts) -> list[Block]:
    frame = art.table("link/batch")
    if frame is None:
        return []
    rows: list[Row] = [
        [r["feature"], number_cell(r["n"]), number_cell(r["r_squared_before"]), number_cell(r["r_squared_after"]),
         p_cell(r["neg_log_10_p_before"]), number_cell(r["scale_before"]), number_cell(r["scale_after"])]
        for r in frame.head(200).iter_rows(named=True)
    ]  # fmt: skip
    table = Table(
        f"Batches before and after ComBat ({plural(frame.height, 'feature')})",
        ["feature", "n", "R² before", "R² after", "p before", "SD ratio before", "SD ratio after"],
        rows,
        [False] + [True] * 6,
        folded=True,
        sortable=True,
        note="R²: share of variance that the batch explains beyond the covariates. SD ratio: largest standard "
        "deviation "
        "of a batch over the smallest. All: link/batch.csv.",
    )
    figure = batch_figure(frame)
    return [*([figure] if figure else []), table]


def _sets(art: Artefacts) -> list[Block]:
    blocks: list[Block] = []
    sums, enrichment, sets = (art.table(f"link/{name}") for name in ("running_sum", "enrichment", "sets"))
    if sets is not None:
        figure = set_map(sets)
        blocks += [figure] if figure else []
        blocks.append(_set_table(sets))
    if enrichment is not None:
        drawn = running_sums(sums, enrichment) if sums is not None else None
        blocks += [drawn] if drawn else []
        blocks.append(_enrichment(enrichment))
    return blocks


def _set_table(sets: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [r["feature_family"], r["gene_set"], number_cell(r["features"]), number_cell(r["genes"]),
         number_cell(r["mean_r_squared"]), small_cell(r["self_contained_p_value"]),
         small_cell(r["self_contained_q_value"]), small_cell(r["competitive_p_value"]),
         small_cell(r["competitive_q_value"])]
        for r in sets.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        f"Families of features and gene sets: the first {min(_SHOWN, sets.height)} of {count(sets.height)}",
        ["family", "gene set", "features", "genes", "mean r²", "self-contained p", "q", "competitive p", "q "],
        rows,
        [False, False] + [True] * 7,
        sortable=True,
        note="Self-contained: is any feature of the family linked with any gene of the set, by permutation of "
        "subjects. "
        "Competitive: are its genes linked more than other genes (Wu & Smyth 2012, with the correlation of all genes). "
        "All: link/sets.csv.",
    )


def _enrichment(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [r["feature"], r["gene_set"], number_cell(r["genes"]), number_cell(r["enrichment_score"]),
         number_cell(r["normalised_score"]), small_cell(r["p_value"]), small_cell(r["q_value"]),
         small_cell(r["camera_p_value"]), small_cell(r["camera_q_value"])]
        for r in frame.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        f"Gene sets in the rankings of features: the first {min(_SHOWN, frame.height)} of {count(frame.height)}",
        ["feature", "gene set", "genes", "ES", "NES", "p (genes exchanged)", "q ", "p (CAMERA)", "q"],
        rows,
        [False, False] + [True] * 7,
        sortable=True,
        note="ES, NES: (normalised) enrichment score of the pre-ranked method (Subramanian et al. 2005), whose p-value "
        "exchanges genes and is too small where the genes of a set go together; CAMERA allows for that. "
        "All: link/enrichment.csv.",
    )


def _combinations(art: Artefacts) -> list[Block]:
    tests, weights = art.table("link/canonical_tests"), art.table("link/canonical")
    if tests is None:
        return []
    rows: list[Row] = [
        [r["method"], number_cell(r["n"]), number_cell(r["features"]), number_cell(r["genes"]),
         number_cell(r["correlation"]), number_cell(r["penalty"]), small_cell(r["p_value"])]
        for r in tests.iter_rows(named=True)
    ]  # fmt: skip
    blocks: list[Block] = [
        Table(
            "Do features and genes go together at all?",
            ["method", "n", "features", "genes", "correlation", "penalty", "p"],
            rows,
            [False] + [True] * 6,
            note="The correlation of the two combinations is that of the subjects it was made large in; p is that "
            "of the "
            "whole procedure, the choice of the penalty included (Witten, Tibshirani & Hastie 2009).",
        )
    ]
    for method in tests["method"].to_list() if weights is not None else ():
        part = weights.filter(pl.col("method") == method) if weights is not None else pl.DataFrame()
        shown = pl.concat([p.head(15) for p in part.partition_by("side", maintain_order=True)]) if part.height else part
        lines: list[Row] = [
            [r["side"], r["name"], number_cell(r["weight"]), Cell(number(r["stability"]), r["stability"])]
            for r in shown.iter_rows(named=True)
        ]
        sparse = method.startswith("sparse")
        blocks.append(
            Table(
                f"Weights by {method}: the most stable of each side",
                ["side", "name", "weight", "selected in" if sparse else "bootstrap ratio"],
                lines,
                [False, False, True, True],
                folded=True,
                sortable=True,
                note="Selected in: share of half samples. " if sparse else "Bootstrap ratio: mean weight over its SD.",
            )
        )
    return blocks


def _replication(art: Artefacts) -> list[Block]:
    frame = art.table("link/replication")
    if frame is None:
        return []
    rows: list[Row] = [
        [r["feature"], r["marker"], r["test"], interval(r["effect"], r["lower"], r["upper"]),
         interval(r["other_effect"], r["other_lower"], r["other_upper"]), p_cell(r["other_neg_log_10_p_value"]),
         {True: "same", False: "opposite", None: "–"}[r["same_direction"]],
         {True: "yes", False: "no", None: "–"}[r["replicated"]],
         interval(r["combined"], r["combined_lower"], r["combined_upper"]), p_cell(r["combined_neg_log_10_p_value"]),
         small_cell(r["heterogeneity_p_value"])]
        for r in frame.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    table = Table(
        f"Replication: the first {min(_SHOWN, frame.height)} of {plural(frame.height, 'pair')} with q < 0.05",
        ["feature", "marker", "test", "effect here", "in the other cohort", "p there", "direction", "replicated",
         "combined", "p combined", "p heterogeneity"],
        rows,
        [False, False, False, True, True, True, False, False, True, True, True],
        sortable=True,
        note="Effects with 95 % intervals: estimates, or (rank) correlations where the test has no standard error. "
        "Combined "
        "by inverse variance (fixed effect). All: link/replication.csv.",
    )  # fmt: skip
    figure = replication_figure(frame)
    return [*([figure] if figure else []), table]
