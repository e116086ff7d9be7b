"""Mechanism in the report: what is drawn, what is told, and what is said when nothing was found."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.associate.mechanism import edges_of
from radiolocus.report.figures_mechanism import layered_graph, path_effects
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.sections_mechanism import edge_table, mechanism
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table
from report.artefacts import make


def rows(table, *given):
    schema = TABLES[table].schema
    return pl.DataFrame([dict.fromkeys(schema) | row for row in given], schema=schema)


def path(outcome, low, high, q, mediator="CT:x"):
    bounds = {"lower": low, "upper": high, "direct_lower": -0.1, "direct_upper": 0.1, "total_lower": 0.0}
    return bounds | {
        "exposure": "mut:A", "mediator": mediator, "outcome": outcome, "contrast": "present − absent",
        "scale": "probability", "mediated": (low + high) / 2, "p_value": q, "q_value": q, "direct": 0.0, "total": 0.1,
        "total_upper": 0.2, "e_value": 2.345, "e_value_limit": 1.5, "n": 60, "events": 30,
    }  # fmt: skip


PATHS = rows(
    "mechanism/paths", path("relapse", 0.05, 0.2, 0.01), path("relapse", 0.05, 0.2, 0.2, "CT:y"),
    path("death", -0.1, 0.2, 0.01),
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    folder = make(tmp_path, subjects=20, features=6, variants=30, without=("genome", "sumstats", "response"))
    link, univariate = (pl.read_parquet(folder / f"{n}.parquet") for n in ("link/link", "outcome/univariate"))
    write_table(folder, "mechanism/edges", edges_of({"link/link": link, "outcome/univariate": univariate}, 0.5))
    write_table(folder, "mechanism/paths", PATHS)
    write_json(folder / "mechanism/manifest.json", {"stage": "mechanism"})
    return folder


def test_the_section_tells_edges_and_paths(root):
    section = mechanism(Artefacts(root))
    edges = pl.read_parquet(root / "mechanism/edges.parquet")
    assert section.verdict[0].startswith(f"{edges.height} edges: ")
    # one interval is apart from zero but its q is not small, one q is small but its interval holds zero
    assert section.verdict[1] == "1 of 3 paths with a mediated effect apart from zero at a false discovery rate of 5 %"
    assert [b.kind for b in section.blocks] == ["figure", "table", "text", "figure", "table"]
    table = section.blocks[-1]
    assert table.rows[0][3].text == "−0.100 to 0.200" or table.rows[0][3].text.startswith("0.050 (−0.100 to 0.200")
    assert {"2.35", "1.50"} <= {c.text for c in table.rows[0] if not isinstance(c, str)}


def test_methods_and_papers_follow(root):
    art = Artefacts(root)
    names = {name for name, _ in references_of(art)}
    assert {"Mediation", "Additive hazards", "E-value"} <= names
    assert any("split into what goes through an imaging feature" in text for text in methods_of(art))


def test_nothing_found_is_said(root):
    write_table(root, "mechanism/edges", rows("mechanism/edges"))
    write_table(root, "mechanism/paths", rows("mechanism/paths"))
    section = mechanism(Artefacts(root))
    assert section.verdict == ["no edge"]
    assert [b.kind for b in section.blocks] == ["text"]


def test_a_study_that_did_not_ask_has_no_section(tmp_path):
    assert mechanism(Artefacts(tmp_path)) is None


def many(sources, features, relation="link"):
    return rows(
        "mechanism/edges",
        *(
            {"source": f"m{i}", "source_kind": "marker", "target": f"CT:f{j:02d}", "target_kind": "feature",
             "relation": relation, "direction": 1, "neg_log_10_p_value": float(50 - j - i / 100),
             "replicated": False if i else None}
            for i in range(sources)
            for j in range(features)
        ),
        *({"source": f"CT:f{j:02d}", "source_kind": "feature", "target": "os", "target_kind": "endpoint",
           "relation": "univariate", "direction": -1, "neg_log_10_p_value": 3.0} for j in (0, features - 1)),
    )  # fmt: skip


def test_the_cap_of_the_graph_is_said_and_its_bytes_repeat():
    edges = many(20, 30)
    drawn = layered_graph(edges, PATHS)
    assert "of 602 edges" in drawn.caption
    assert "at most 16 features" in drawn.caption
    assert drawn.source == layered_graph(edges, PATHS).source
    # the cap takes edges end by end, so that none of the markers and features chosen is lost
    assert drawn.alt == "Graph of 14 markers, 16 imaging features and 1 outcome with 62 edges"


def test_only_edges_past_the_image_are_no_graph():
    straight = many(1, 1).filter(pl.col("source") == "none")
    assert layered_graph(straight, None) is None
    assert path_effects(PATHS.clear()) is None


def test_a_table_of_edges_tells_replication_where_it_was_looked_for():
    assert "replicated" in edge_table(many(2, 2), "x").head
    assert "replicated" not in edge_table(many(1, 2), "x").head
    assert "n counts genes" in edge_table(many(1, 1, "enrichment"), "x").note


def test_what_is_beyond_the_figure_is_counted():
    paths = rows("mechanism/paths", *(path(f"o{k}", 0.1, 0.2, 0.01, f"CT:{i}") for k in range(5) for i in range(16)))
    assert "2 further outcomes and 2 further pairs are in the table alone" in path_effects(paths).caption
