"""Edges and nodes of the graph of mechanism, and the graph as a file."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from radiolocus.associate.graphml import graphml
from radiolocus.associate.mechanism import edges_of, graph_text, nodes_of
from radiolocus.schema import TABLES, empty


def rows(table, *given):
    """Rows of a table of the vocabulary; columns that are not given are null."""
    schema = TABLES[table].schema
    return pl.DataFrame([dict.fromkeys(schema) | row for row in given], schema=schema)


def link(marker, feature, q, r, test="linear"):
    return {
        "marker": marker, "feature": feature, "test": test, "q_value": q, "correlation": r, "estimate": 2 * r,
        "lower": r, "upper": 3 * r, "neg_log_10_p_value": 5.0, "n": 50,
    }  # fmt: skip


@pytest.fixture
def tables():
    sums = [
        ("rs1", "1", 9.0, 0.5), ("rs2", "1", 12.0, -0.5), ("rs3", "2", 8.0, 0.2), ("rs4", "2", 7.0, 0.2),
    ]  # fmt: skip
    return {
        "link/link": rows(
            "link/link",
            link("mut:A", "CT:x", 0.01, -0.4),
            link("mut:B", "CT:x", 0.2, 0.4),
            link("expr:C", "CT:y", 0.03, 0.1, "distance"),
        ),
        "link/replication": rows(
            "link/replication", {"feature": "CT:x", "marker": "mut:A", "test": "linear", "replicated": False}
        ),
        "link/enrichment": rows(
            "link/enrichment",
            {"feature": "CT:x", "gene_set": "HYPOXIA", "genes": 20, "normalised_score": -1.9, "camera_t": -4.0,
             "camera_p_value": 1e-4, "camera_q_value": 0.02, "q_value": 0.9},
            {"feature": "CT:x", "gene_set": "OTHER", "genes": 20, "normalised_score": 3.0, "camera_t": 1.0,
             "camera_p_value": 0.3, "camera_q_value": 0.4, "q_value": 0.0},
        ),
        "sumstats/sumstats": rows(
            "sumstats/sumstats",
            *({"phenotype": "CT:x", "variant_id": v, "chromosome": c, "neg_log_10_p_value": p, "beta": b,
               "standard_error": 0.1, "effect_allele": "T", "n": 60} for v, c, p, b in sums),
        ),
        "outcome/univariate": rows(
            "outcome/univariate",
            {"endpoint": "os", "kind": "survival", "predictor": "CT:x", "block": "imaging", "metric": "Harrell C",
             "estimate": 0.4, "lower": 0.35, "upper": 0.45, "neg_log_10_p_value": 3.0, "q_value": 0.01, "n": 40,
             "events": 20},
            {"endpoint": "os", "kind": "survival", "predictor": "age", "block": "clinical", "metric": "Harrell C",
             "estimate": 0.7, "q_value": 0.001},
            {"endpoint": "relapse", "kind": "binary", "predictor": "mut:A", "block": "molecular", "metric": "AUC",
             "estimate": 0.7, "q_value": 0.04, "neg_log_10_p_value": 2.0},
        ),
    }  # fmt: skip


def by_ends(frame):
    return {(r["source"], r["target"]): r for r in frame.iter_rows(named=True)}


def test_findings_below_the_level_become_edges(tables):
    edges = by_ends(edges_of(tables, 0.05))
    assert set(edges) == {
        ("mut:A", "CT:x"), ("expr:C", "CT:y"), ("HYPOXIA", "CT:x"), ("rs2", "CT:x"), ("rs3", "CT:x"), ("CT:x", "os"),
        ("mut:A", "relapse"),
    }  # fmt: skip
    assert set(by_ends(edges_of(tables, 0.02))) == {
        ("mut:A", "CT:x"), ("HYPOXIA", "CT:x"), ("rs2", "CT:x"), ("rs3", "CT:x"), ("CT:x", "os"),
    }  # fmt: skip


def test_an_edge_carries_its_evidence(tables):
    edges = by_ends(edges_of(tables, 0.05))
    one = edges["mut:A", "CT:x"]
    assert (one["relation"], one["estimate"], one["lower"], one["upper"]) == ("link", -0.8, -0.4, -1.2000000000000002)
    assert (one["direction"], one["replicated"], one["n"], one["q_value"]) == (-1, False, 50, 0.01)
    assert edges["expr:C", "CT:y"]["direction"] == 0
    assert edges["expr:C", "CT:y"]["replicated"] is None
    gene_set = edges["HYPOXIA", "CT:x"]
    assert (gene_set["direction"], gene_set["q_value"], gene_set["n"]) == (-1, 0.02, 20)
    assert gene_set["neg_log_10_p_value"] == pytest.approx(4.0)
    assert gene_set["lower"] is None
    variant = edges["rs2", "CT:x"]
    assert variant["measure"] == "unit of the feature per T"
    assert variant["lower"] == pytest.approx(-0.5 - 1.959964 * 0.1, abs=1e-6)
    assert edges["CT:x", "os"]["direction"] == -1
    assert edges["CT:x", "os"]["events"] == 20
    assert (edges["mut:A", "relapse"]["source_kind"], edges["mut:A", "relapse"]["direction"]) == ("marker", 1)


def test_no_table_no_edge():
    assert edges_of({}, 0.05).equals(empty("mechanism/edges"))
    assert nodes_of(empty("mechanism/edges"), empty("mechanism/paths"), {}).height == 0


def test_nodes_have_their_layer_and_degree(tables):
    paths = rows(
        "mechanism/paths",
        {"exposure": "rs9", "mediator": "CT:z", "outcome": "os", "contrast": "one copy more"},
        {"exposure": "mut:A", "mediator": "CT:x", "outcome": "os", "contrast": "present − absent"},
    )
    nodes = nodes_of(edges_of(tables, 0.05), paths, {"CT:x": "Volume (mesh)"})
    told = {r["node"]: r for r in nodes.iter_rows(named=True)}
    assert nodes["layer"].unique(maintain_order=True).to_list() == ["genome", "image", "outcome"]
    assert (told["CT:x"]["degree"], told["CT:x"]["description"]) == (5, "Volume (mesh)")
    assert (told["rs9"]["kind"], told["rs9"]["degree"]) == ("variant", 0)
    assert (told["mut:A"]["kind"], told["mut:A"]["degree"]) == ("marker", 2)
    assert nodes.height == nodes.select("node", "kind").unique().height


def test_another_program_reads_the_graph(tables, tmp_path):
    networkx = pytest.importorskip("networkx")
    edges = edges_of(tables, 0.05)
    nodes = nodes_of(edges, empty("mechanism/paths"), {"CT:x": 'a < b & "c" \x07 µ'})
    text = graph_text(nodes, edges)
    assert text == graph_text(nodes, edges)
    (tmp_path / "graph.graphml").write_text(text, encoding="utf-8")
    graph = networkx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    assert graph.is_directed()
    names = {i: d["label"] for i, d in graph.nodes(data=True)}
    assert list(names.values()) == nodes["node"].to_list()
    found = {(names[a], names[b]): d for a, b, d in graph.edges(data=True)}
    for ends, row in by_ends(edges).items():
        for key in ("relation", "estimate", "lower", "direction", "q_value", "n"):
            assert found[ends].get(key) == row[key]
        said = {True: "yes", False: "no", None: "not looked for"}
        assert found[ends]["replicated"] == said[row["replicated"]]
    described = next(d for _, d in graph.nodes(data=True) if d["label"] == "CT:x")
    assert described["description"] == 'a < b & "c" \ufffd µ'


def test_every_number_can_be_written():
    nodes = pl.DataFrame({"node": ["a", "b"], "kind": ["k", "k"]})
    ends = {"source": ["a"], "source_kind": ["k"], "target": ["b"], "target_kind": ["k"]}
    text = graphml(
        nodes, pl.DataFrame(ends | {"x": [math.inf], "y": [math.nan], "z": [None]}, schema_overrides={"z": pl.Boolean})
    )
    space = "{http://graphml.graphdrawing.org/xmlns}"
    root = ET.fromstring(text)
    data = {d.get("key"): d.text for d in root.find(f"{space}graph/{space}edge")}
    assert data == {"e0": "INF"}
    assert [k.get("attr.type") for k in root.iter(f"{space}key")] == ["string", "string", "double", "double", "boolean"]
