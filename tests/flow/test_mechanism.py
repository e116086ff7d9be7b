"""[mechanism] through a whole study, and the pages that read it."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
from typer.testing import CliRunner

from flow.small_study import GENETICS, MECHANISM, MOLECULAR, SmallStudy
from radiolocus.app.cli import app
from radiolocus.config import StudyError, load_study
from radiolocus.store import read_json, read_table


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("mechanism") / "study"
    root.mkdir()
    study = SmallStudy(root, n=16)
    study.text += GENETICS + MOLECULAR + MECHANISM + 'covariates = ["age"]\n'
    return study


@pytest.fixture(scope="module")
def out(small):
    return small.run().root


def test_a_study_leaves_a_graph_and_split_paths(out):
    edges, paths = read_table(out, "mechanism/edges"), read_table(out, "mechanism/paths")
    links = read_table(out, "link/link")
    assert edges.filter(pl.col("relation") == "link").height == links.filter(pl.col("q_value") <= 1.0).height
    assert paths.select("exposure", "mediator").unique().height == 2
    assert set(paths["outcome"]) <= {"os", "relapse"}
    assert (out / "mechanism/graph.graphml").read_text(encoding="utf-8").startswith("<?xml")
    assert '<h2 id="mechanism-title">' in (out / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def again(small, out, monkeypatch):
    """Run with another text on top of what stands, in a folder of its own and without the report."""

    def run(name, text):
        shutil.copytree(out, out.parent / name)
        monkeypatch.setattr("radiolocus.pipeline.study.write_report", lambda root: root)
        return SmallStudy(small.root, n=16, text=text).run(name).root

    return run


def test_a_second_run_changes_nothing_and_mends_a_lost_graph(small, out, again):
    text, before = ((out / "mechanism" / name).read_bytes() for name in ("graph.graphml", "manifest.json"))
    root = again("second", small.text)
    assert (root / "mechanism/manifest.json").read_bytes() == before
    (root / "mechanism/graph.graphml").unlink()
    small.run("second")
    assert (root / "mechanism/graph.graphml").read_bytes() == text


def test_a_variant_can_be_the_exposure(small, again):
    changed = small.text.replace("pairs = 2\n", 'pairs = 2\nexposures = ["rs3"]\nmediators = ["CT:stat_mean"]\n')
    root = again("variant", changed)
    paths = read_table(root, "mechanism/paths")
    assert set(paths.select("exposure", "contrast").rows()) == {("rs3", "one copy more")}
    told = read_table(root, "mechanism/nodes").filter(pl.col("node") == "rs3")
    assert told["kind"].to_list() == ["variant"]


def test_an_exposure_that_is_nowhere_stops_the_stage_alone(small, again):
    changed = small.text.replace("pairs = 2\n", 'pairs = 2\nexposures = ["egfrr"]\n')
    root = again("wrong", changed)
    stages = read_json(root, "study.json")["stages"]
    assert stages["link"]["ran"]
    assert not stages["mechanism"]["ran"]
    assert "no 'egfrr'" in stages["mechanism"]["why"]


def test_a_section_that_is_taken_out_leaves_nothing_behind(small, again):
    root = again("gone", small.text.replace(MECHANISM + 'covariates = ["age"]\n', ""))
    assert not (root / "mechanism").exists()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('[mechanism]\nendpoints = ["dfs"]\n', "mechanism.endpoints: no endpoint 'dfs'; allowed: os, relapse"),
        ("[mechanism]\nmax_q = 2.0\n", "mechanism: mechanism: max_q = 2.0; allowed: above 0 and at most 1"),
    ],
)
def test_mistakes_of_the_section_are_told(small, tmp_path, text, mistake):
    file = tmp_path / "study.toml"
    file.write_text(small.text.partition("[mechanism]")[0] + text, encoding="utf-8")
    with pytest.raises(StudyError) as raised:
        load_study(file, small.root)
    assert [str(m) for m in raised.value.mistakes] == [mistake]


def test_a_graph_of_nothing_is_a_mistake(small, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(small.text.partition("[genetics]")[0] + "[mechanism]\n", encoding="utf-8")
    with pytest.raises(StudyError) as raised:
        load_study(file, small.root)
    assert raised.value.mistakes[0].where == "mechanism"


def call(*words):
    found = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=True)
    return found.exit_code, found.output if found.exception is None or found.exit_code == 0 else str(found.exception)


def test_commands_write_their_pages(out, tmp_path):
    code, said = call("card", out, "CT:stat_mean", "--out", tmp_path / "card.html")
    assert (code, said.strip()) == (0, f"card: {tmp_path / 'card.html'}")
    code, said = call("profile", out, "S01", "--out", tmp_path / "one.html", "--feature", "CT:stat_mean")
    assert code == 0
    told = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert told["key_features"] == ["CT:stat_mean"]
    assert told["treatments"] is None


def test_commands_refuse_what_is_not_there(out):
    code, said = call("profile", out, "S1")
    assert (code, "did you mean 'S01'?" in said) == (1, True)
    code, said = call("card", out, "CT:stat_maen")
    assert (code, "did you mean 'CT:stat_mean'?" in said) == (1, True)
