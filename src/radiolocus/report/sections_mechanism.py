"""Mechanism: the graph with the evidence on its edges, and the paths through it."""

from __future__ import annotations

import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_mechanism import layered_graph, path_effects
from radiolocus.report.numbers import (
    MISSING,
    count,
    interval,
    number,
    number_cell,
    p_cell,
    percent,
    plural,
    small_cell,
)
from radiolocus.report.source import Artefacts

__all__ = ["edge_table", "mechanism", "path_table"]

_SHOWN = 25
_RELATIONS = {
    "link": "links of features with markers", "scan": "variants at 5 × 10⁻⁸", "enrichment": "gene sets",
    "univariate": "features or markers alone against an outcome",
}  # fmt: skip


def _with_bounds(estimate: float | None, lower: float | None, upper: float | None) -> Cell:
    if estimate is None or lower is None or upper is None:
        return number_cell(estimate)
    return Cell(f"{number(estimate)} ({number(lower)} to {number(upper)})", estimate)


def edge_table(edges: pl.DataFrame, caption: str, shown: int = _SHOWN) -> Table:
    """Edges with their evidence, strongest first."""
    replication = edges["replicated"].is_not_null().any()
    ordered = edges.sort(
        ["neg_log_10_p_value", "source", "target"], descending=[True, False, False], nulls_last=True
    ).head(shown)
    rows: list[Row] = [
        [
            r["source"], r["target"], r["test"], r["measure"],
            _with_bounds(r["estimate"], r["lower"], r["upper"]), p_cell(r["neg_log_10_p_value"]),
            small_cell(r["q_value"]), number_cell(r["n"]),
            *([{True: "yes", False: "no"}.get(r["replicated"], MISSING)] if replication else []),
        ]
        for r in ordered.iter_rows(named=True)
    ]  # fmt: skip
    note = "q: false discovery rate of the table of the finding; of a scan the genome-wide level stands for it."
    if (edges["relation"] == "enrichment").any():
        note += " Of gene sets n counts genes."
    head = ["from", "to", "test", "estimate of", "estimate (95 % interval)", "p", "q", "n"]
    return Table(
        caption, [*head, *(["replicated"] if replication else [])], rows, [False] * 4 + [True] * 4, sortable=True,
        note=note,
    )  # fmt: skip


def path_table(paths: pl.DataFrame, caption: str, *, folded: bool = False) -> Table:
    """Split effects with what an unmeasured cause would have to be."""
    rows: list[Row] = [
        [
            f"{r['exposure']} ({r['contrast']})", r["mediator"], r["outcome"],
            Cell(interval(r["mediated"], r["lower"], r["upper"], 3), r["mediated"]),
            Cell(interval(r["direct"], r["direct_lower"], r["direct_upper"], 3), r["direct"]),
            Cell(interval(r["total"], r["total_lower"], r["total_upper"], 3), r["total"]),
            small_cell(r["p_value"]), small_cell(r["q_value"]), number_cell(r["e_value"]),
            number_cell(r["e_value_limit"]), number_cell(r["n"]), number_cell(r["events"]),
        ]
        for r in paths.sort(["p_value", "exposure", "mediator", "outcome"]).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        caption,
        ["exposure", "through", "outcome", "mediated", "direct", "total", "p", "q", "E-value", "of the limit", "n",
         "events"],
        rows, [False] * 3 + [True] * 9, folded=folded, sortable=True,
        note="Effects with 95 % bootstrap intervals: difference of probability of a binary outcome, events per unit of "
        "time of a survival outcome. p and q of the mediated effect; q over the paths listed here. E-value: the risk "
        "ratio that an unmeasured cause would need with both feature and outcome to explain the mediated effect away "
        "(VanderWeele & Ding 2017), and to move the end of its interval to no effect (1: it is there already). All: "
        "mechanism/paths.csv.",
    )  # fmt: skip


def mechanism(art: Artefacts) -> Section | None:
    """Return the section of mechanism, or None when it was not asked for."""
    if "mechanism" not in art.manifests:
        return None
    edges, paths = art.table("mechanism/edges"), art.table("mechanism/paths")
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    if edges is None:
        blocks.append(Text("No finding reached the level that makes it an edge: there is no graph to draw."))
        verdict.append("no edge")
    else:
        by = dict(edges.group_by("relation").len().sort("relation").iter_rows())
        verdict.append(
            plural(edges.height, "edge") + ": " + ", ".join(f"{count(n)} {_RELATIONS[r]}" for r, n in by.items())
        )
        drawn = layered_graph(edges, paths)
        blocks += [drawn] if drawn else []
        blocks.append(
            edge_table(edges, f"The {min(_SHOWN, edges.height)} strongest of {plural(edges.height, 'edge')}; all: "
                       "mechanism/edges.csv, and for Cytoscape or Gephi mechanism/graph.graphml")
        )  # fmt: skip
    if paths is not None:
        apart = paths.filter(((pl.col("lower") > 0) | (pl.col("upper") < 0)) & (pl.col("q_value") < 0.05)).height
        verdict.append(
            f"{count(apart)} of {plural(paths.height, 'path')} with a mediated effect apart from zero at a false "
            f"discovery rate of {percent(0.05)}"
        )
        drawn = path_effects(paths)
        blocks += [
            Text(
                "A mediated effect is causal only if nothing unmeasured makes marker and feature, marker and outcome, "
                "or feature and outcome go together, and the marker came before the feature. Where pairs were chosen "
                "because they were linked in these same subjects, effects look larger than they are; another cohort "
                "tells. Features that measure nearly the same share one path: their effects must not be added.",
                "note",
            ),
            *([drawn] if drawn else []),
            path_table(paths, plural(paths.height, "path") + " from a marker through a feature to an outcome"),
        ]
    return Section("mechanism", "Mechanism", blocks, verdict)
