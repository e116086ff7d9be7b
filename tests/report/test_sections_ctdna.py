"""Section and figures of circulating tumour DNA, clones and resistance."""

import numpy as np
import polars as pl
import pytest

from radiolocus.molecular.clones import CloneOptions, clones
from radiolocus.read.variants import read_variants
from radiolocus.report.figures_clones import blood_course, evolution, nested_bands
from radiolocus.report.sections_ctdna import follow_up
from radiolocus.report.source import Artefacts
from radiolocus.response.combined import combine
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.response.resistance import ResistanceOptions, resistance
from radiolocus.simulate.blood import simulate_blood, simulate_clones
from radiolocus.store import write_table


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("ctdna")
    rng = np.random.default_rng(2)
    people = [f"P{i}" for i in range(12)]
    blood = []
    for i, s in enumerate(people):
        late = 2.5 if i % 2 else 0.0
        blood += simulate_blood(rng, s, [(0, 1.0), (56, 0.3), (112, late)], resistant_from=60.0 if i % 2 else None)
    pl.DataFrame(blood).write_csv(root / "b.csv")
    found = ctdna(read_variants(root / "b.csv").frame, CtdnaOptions(table="b.csv"))
    tumour, _ = simulate_clones(
        rng, "P0", ((1, 1), (0.5, 0.2), (0.3, 0.1), (0, 0.6)), (9, 9, 9, 9), purity=(0.8, 0.8), days=(0, 90)
    )
    pl.DataFrame(tumour).write_csv(root / "t.csv")
    grown = clones(read_variants(root / "t.csv").frame, CloneOptions(table="t.csv"))
    visits = pl.DataFrame(
        [(s, f"w{d}", float(d), "PR" if d == 56 else "PD") for s in people for d in (56, 112)],
        schema=["subject", "visit", "day", "overall_response"],
        orient="row",
    )
    best = pl.DataFrame(
        {"subject": people, "best_response": ["PR", "PD"] * 6, "progression_day": [112.0, 56.0] * 6,
         "last_day": [112.0] * 12}
    )  # fmt: skip
    markers = pl.DataFrame({"subject": people, "m": rng.normal(size=12)})
    told = resistance(best, markers, ResistanceOptions(min_group=3), samples=found.samples, variants=found.variants)
    tables = {
        "ctdna": found.samples, "ctdna_variants": found.variants, "clones": grown.clones, "clone_trees": grown.trees,
        "combined": combine(visits, found.samples), "resistance_classes": told.classes, "resistance": told.tests,
    }  # fmt: skip
    for name, table in tables.items():
        write_table(root, f"response/{name}", table)
    return root


def test_the_section_says_what_the_tables_hold(root):
    section = follow_up(Artefacts(root))
    tables = {b.caption: b for b in section.blocks if b.kind == "table"}
    first = tables["Molecular response of the first sample on treatment"]
    assert {r[0]: r[1].text for r in first.rows}["RESPONSE"] == "12"
    known = tables["Known resistance mutations found"].rows
    assert [(r[0], r[2].text, r[3].text) for r in known] == [("EGFR T790M", "6", "6")]
    calls = {(r[0], r[1]): r[3].text for r in tables["Imaging and ctDNA at the same visits"].rows}
    assert calls["response", "response"] == "12"
    assert calls["progression", "progression"] == calls["progression", "response"] == "6"
    assert "pseudoprogression suspected in 6 subjects" in section.verdict
    assert any("together in 6" in line for line in section.verdict)
    assert any("acquired 6" in line for line in section.verdict)
    assert "Clones that rose or were lost" in tables


def test_figures_say_how_sure_they_are(root):
    figures = [b for b in follow_up(Artefacts(root)).blocks if b.kind == "figure"]
    assert "limit of detection" in figures[0].caption
    assert "95 % credible" in figures[1].caption
    assert "trees that they allow" in figures[1].caption
    assert "nothing was measured there" in figures[1].caption


def test_nothing_asked_for_gives_no_section(tmp_path):
    assert follow_up(Artefacts(tmp_path)) is None


def test_nothing_to_draw_gives_no_figure(root):
    art = Artefacts(root)
    assert blood_course(art.table("response/ctdna").filter(pl.col("day") == 0)) is None
    assert evolution("P0", art.table("response/clones").filter(pl.col("day") == 0), None) is None


def test_without_a_tree_only_the_fractions_are_drawn(root):
    figure = evolution("P0", Artefacts(root).table("response/clones"), None)
    assert "no tree of these clones is consistent" in figure.caption


def test_bands_lie_inside_their_parent_and_never_overlap():
    fractions = {
        "a": np.array([1.0, 0.9]),
        "b": np.array([0.5, 0.6]),
        "c": np.array([0.4, 0.5]),
        "d": np.array([0.2, 0]),
    }
    bands = nested_bands(fractions, {"a": "normal", "b": "a", "c": "a", "d": "b"})
    for child, parent in (("b", "a"), ("c", "a"), ("d", "b")):
        assert (bands[child][0] >= bands[parent][0] - 1e-12).all()
        assert (bands[child][1] <= bands[parent][1] + 1e-12).all()
    assert (bands["b"][1] <= bands["c"][0] + 1e-12).all()
    width = {k: high - low for k, (low, high) in bands.items()}
    assert width["a"] == pytest.approx(fractions["a"])
    assert width["b"][0] == pytest.approx(0.5)
    # 0.6 and 0.5 do not fit into 0.9: they share it in proportion
    assert width["b"][1] == pytest.approx(0.9 * 0.6 / 1.1)
