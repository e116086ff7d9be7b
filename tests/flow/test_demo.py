"""The demo finds what was planted, and nothing else."""

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest

from radiolocus.store import open_folder, read_json, read_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "radiolocus", "demo", "--out", str(out), "--jobs", "2"]
    return out, subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_statements_about_the_planted_truth_hold(demo):
    out, told = demo
    assert told.returncode == 0, told.stdout + told.stderr
    truth = read_table(out / "results", "demo/truth")
    assert truth["found"].all()
    assert {"planted effect", "false positives", "negative control", "bad data"} == set(truth["kind"])
    assert "NO" not in told.stdout


def test_the_report_has_every_section(demo):
    out, _ = demo
    page = (out / "results" / "report.html").read_text()
    for word in ("Manhattan", "Kaplan–Meier", "aterfall", "volcano", "Planted truth"):
        assert word.lower() in page.lower(), word


def test_without_principal_components_the_planted_structure_inflates(demo, tmp_path):
    """The negative of the correction: the demo's clean λ is not for want of structure."""
    from radiolocus.config import load_study
    from radiolocus.pipeline import run_study

    out, _ = demo
    study = out / "data" / "study.toml"
    text = study.read_text().replace(
        "principal_components = 3", 'principal_components = 0\nphenotypes = ["CT:stat_mean"]'
    )
    text = text[: text.index("[molecular]")]
    (out / "data" / "bare.toml").write_text(text)
    finished = run_study(load_study(out / "data" / "bare.toml"), tmp_path / "bare", jobs=2)
    bare = read_table(finished.root, "sumstats/summary")["lambda_gc"][0]
    corrected = read_table(out / "results", "sumstats/summary").filter(pl.col("phenotype") == "CT:stat_mean")[
        "lambda_gc"
    ][0]
    assert bare > 1.1
    assert abs(corrected - 1) < 0.1 < bare - corrected


def test_the_verdict_has_its_manifest(demo):
    out, _ = demo
    told = read_json(out / "results", "demo/manifest.json")
    assert told["tables"]["demo/truth"]["rows"] == read_table(out / "results", "demo/truth").height
    assert set(told["input_hash"]) >= {"link/link", "problems"}
    assert told["seed"] == 20


def test_a_second_demo_may_start_afresh(demo):
    """Everything that the demo writes is known as its own."""
    out, _ = demo
    root = out / "fresh"
    shutil.copytree(out / "results", root)
    open_folder(root, "other", "other", fresh=True)
    assert [p.name for p in root.iterdir() if p.name != ".lock"] == []


def test_the_planted_path_through_texture_is_split_as_the_page_of_mechanism_says(demo):
    root, data = demo[0] / "results", demo[0] / "data"
    variant = json.loads((data / "truth.json").read_text(encoding="utf-8"))["causal_variant"]
    paths = read_table(root, "mechanism/paths")
    columns = ["mediated", "lower", "upper", "direct", "direct_lower", "direct_upper"]
    texture, volume = (
        paths.filter(exposure=exposure, mediator=mediator, outcome="overall_survival").select(columns).row(0)
        for exposure, mediator in ((variant, "CT:stat_range"), ("mut:EGFR", "CT:morph_volume"))
    )
    assert texture == pytest.approx((0.030, 0.015, 0.053, -0.002, -0.026, 0.020), abs=6e-4)
    assert volume[:3] == pytest.approx((0.0, -0.028, 0.031), abs=6e-4)
