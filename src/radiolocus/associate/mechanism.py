"""The graph of markers, imaging features and outcomes: findings of earlier stages as edges, each with its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from radiolocus.associate.graphml import graphml
from radiolocus.schema import TABLES, conform, empty

__all__ = ["GENOME_WIDE", "LAYERS", "edges_of", "graph_text", "nodes_of"]

#: Layer of each kind of node.
LAYERS = {"marker": "genome", "variant": "genome", "gene set": "genome", "feature": "image", "endpoint": "outcome"}
#: −log10 of the genome-wide level (Pe'er et al. 2008), which stands for the false discovery rate of a scan.
GENOME_WIDE = -math.log10(5e-8)
_MEASURES = {
    "linear": "SD of the feature, present − absent or per SD",
    "rank-sum": "rank-biserial correlation",
    "Spearman": "rank correlation",
    "partial Spearman": "partial rank correlation",
    "logistic": "log odds ratio per SD of the feature",
    "logistic, Firth": "log odds ratio per SD of the feature",
    "proportional odds": "log odds ratio per SD of the feature",
    "distance": "squared distance correlation",
}
_NORMAL = 1.959963984540054


def edges_of(tables: Mapping[str, pl.DataFrame], max_q: float) -> pl.DataFrame:
    """Findings of earlier stages as edges.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Any of ``link/link``, ``link/replication``, ``link/enrichment``, ``sumstats/sumstats`` (rows that were kept)
        and ``outcome/univariate``, by name.
    max_q : float
        Findings with a larger false discovery rate are left out; of a scan, those above p = 5 × 10⁻⁸, and of the
        variants of one chromosome only the strongest for a feature stays, since its neighbours tell the same.

    Returns
    -------
    polars.DataFrame
        Table ``mechanism/edges``, by relation, strongest first.

    Notes
    -----
    The evidence of gene sets is CAMERA's (Wu & Smyth 2012), whose q-value holds over all features and sets and allows
    for genes that go together; the permutation of genes does not.
    """
    makers = {
        "link/link": _links, "sumstats/sumstats": _variants, "link/enrichment": _sets, "outcome/univariate": _outcomes,
    }  # fmt: skip
    parts = [empty("mechanism/edges")]
    for name, make in makers.items():
        if name in tables:
            found = make(tables[name], max_q)
            if name == "link/link":
                found = _replicated(found, tables.get("link/replication"))
            parts.append(_whole(found))
    return pl.concat(parts).sort(
        ["relation", "neg_log_10_p_value", "source", "target"], descending=[False, True, False, False], nulls_last=True
    )


def _whole(frame: pl.DataFrame) -> pl.DataFrame:
    schema = TABLES["mechanism/edges"].schema
    absent = [pl.lit(None, dtype=t).alias(c) for c, t in schema.items() if c not in frame.columns]
    return conform(frame.with_columns(absent).select(list(schema)), "mechanism/edges")


def _sign(column: str, zero: float = 0.0) -> pl.Expr:
    return (pl.col(column) - zero).sign().cast(pl.Int64).fill_null(0).alias("direction")


def _links(frame: pl.DataFrame, max_q: float) -> pl.DataFrame:
    return frame.filter(pl.col("q_value") <= max_q).select(
        pl.col("marker").alias("source"),
        pl.lit("marker").alias("source_kind"),
        pl.col("feature").alias("target"),
        pl.lit("feature").alias("target_kind"),
        pl.lit("link").alias("relation"),
        "test",
        pl.col("test").replace_strict(_MEASURES, default="").alias("measure"),
        "estimate",
        "lower",
        "upper",
        pl.when(pl.col("test") == "distance").then(0).otherwise(_sign("correlation")).alias("direction"),
        "neg_log_10_p_value",
        "q_value",
        "n",
    )


def _replicated(edges: pl.DataFrame, table: pl.DataFrame | None) -> pl.DataFrame:
    if table is None:
        return edges
    found = table.select(pl.col("marker").alias("source"), pl.col("feature").alias("target"), "test", "replicated")
    return edges.join(found, on=["source", "target", "test"], how="left", maintain_order="left")


def _variants(frame: pl.DataFrame, _: float) -> pl.DataFrame:
    strongest = frame.filter(pl.col("neg_log_10_p_value") > GENOME_WIDE).sort(
        ["neg_log_10_p_value", "variant_id"], descending=[True, False]
    )
    half = _NORMAL * pl.col("standard_error")
    return strongest.unique(["phenotype", "chromosome"], keep="first", maintain_order=True).select(
        pl.col("variant_id").alias("source"),
        pl.lit("variant").alias("source_kind"),
        pl.col("phenotype").alias("target"),
        pl.lit("feature").alias("target_kind"),
        pl.lit("scan").alias("relation"),
        pl.lit("genome-wide scan").alias("test"),
        pl.format("unit of the feature per {}", "effect_allele").alias("measure"),
        pl.col("beta").alias("estimate"),
        (pl.col("beta") - half).alias("lower"),
        (pl.col("beta") + half).alias("upper"),
        _sign("beta"),
        "neg_log_10_p_value",
        "n",
    )


def _sets(frame: pl.DataFrame, max_q: float) -> pl.DataFrame:
    return frame.filter(pl.col("camera_q_value") <= max_q).select(
        pl.col("gene_set").alias("source"),
        pl.lit("gene set").alias("source_kind"),
        pl.col("feature").alias("target"),
        pl.lit("feature").alias("target_kind"),
        pl.lit("enrichment").alias("relation"),
        pl.lit("CAMERA").alias("test"),
        pl.lit("normalised enrichment score").alias("measure"),
        pl.col("normalised_score").alias("estimate"),
        _sign("camera_t"),
        (-pl.col("camera_p_value").clip(1e-300).log10()).alias("neg_log_10_p_value"),
        pl.col("camera_q_value").alias("q_value"),
        pl.col("genes").alias("n"),
    )


def _outcomes(frame: pl.DataFrame, max_q: float) -> pl.DataFrame:
    kinds = {"imaging": "feature", "molecular": "marker"}
    return frame.filter((pl.col("q_value") <= max_q) & pl.col("block").is_in(list(kinds))).select(
        pl.col("predictor").alias("source"),
        pl.col("block").replace_strict(kinds, default="").alias("source_kind"),
        pl.col("endpoint").alias("target"),
        pl.lit("endpoint").alias("target_kind"),
        pl.lit("univariate").alias("relation"),
        pl.when(pl.col("kind") == "survival")
        .then(pl.lit("Cox, likelihood ratio"))
        .otherwise(pl.lit("logistic, likelihood ratio"))
        .alias("test"),
        pl.col("metric").alias("measure"),
        "estimate",
        "lower",
        "upper",
        _sign("estimate", 0.5),
        "neg_log_10_p_value",
        "q_value",
        "n",
        "events",
    )


def nodes_of(edges: pl.DataFrame, paths: pl.DataFrame, descriptions: Mapping[str, str]) -> pl.DataFrame:
    """Everything that an edge or a path touches.

    Parameters
    ----------
    edges, paths : polars.DataFrame
        Tables ``mechanism/edges`` and ``mechanism/paths``.
    descriptions : mapping of str to str
        What nodes are, by name.

    Returns
    -------
    polars.DataFrame
        Table ``mechanism/nodes``, by layer and name.
    """
    ends = pl.concat(
        [
            edges.select(pl.col("source").alias("node"), pl.col("source_kind").alias("kind"), pl.lit(1).alias("k")),
            edges.select(pl.col("target").alias("node"), pl.col("target_kind").alias("kind"), pl.lit(1).alias("k")),
            *(
                paths.select(pl.col(column).alias("node"), pl.lit(kind).alias("kind"), pl.lit(0).alias("k"))
                for column, kind in (("mediator", "feature"), ("outcome", "endpoint"))
            ),
            paths.select(
                pl.col("exposure").alias("node"),
                pl.when(pl.col("contrast") == "one copy more").then(pl.lit("variant")).otherwise(pl.lit("marker"))
                .alias("kind"),
                pl.lit(0).alias("k"),
            ),
        ]
    )  # fmt: skip
    order = {layer: i for i, layer in enumerate(dict.fromkeys(LAYERS.values()))}
    found = ends.group_by("node", "kind").agg(pl.col("k").sum().alias("degree")).with_columns(
        pl.col("kind").replace_strict(LAYERS, default="").alias("layer"),
        pl.col("node").replace_strict(dict(descriptions) or {"": ""}, default="").alias("description"),
    )  # fmt: skip
    place = pl.col("layer").replace_strict(order, default=9)
    return conform(found.sort([place, pl.col("kind"), pl.col("node")]), "mechanism/nodes")


def graph_text(nodes: pl.DataFrame, edges: pl.DataFrame) -> str:
    """Write both tables as GraphML.

    Replication is told in words, because some programs read a flag that is missing as one that is false.
    """
    words = pl.when("replicated").then(pl.lit("yes")).otherwise(pl.lit("no"))
    told = pl.when(pl.col("replicated").is_null()).then(pl.lit("not looked for")).otherwise(words)
    return graphml(nodes, edges.with_columns(told.alias("replicated")))
