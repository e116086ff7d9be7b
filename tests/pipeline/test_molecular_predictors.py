"""Markers as predictors, in whole studies."""

import re

import numpy as np
import polars as pl
import pytest

from flow.small_study import BENEFIT, EARLY, FOLLOW_UP, OUTCOME, RESPONSE, STUDY, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import StudyError, load_study
from radiolocus.store import read_table

EXPRESSION = """
[molecular]
expression = [{ path = "rna.tsv", unit = "TPM", log2 = true, repeats = "sum"SELECTED }]
scores = ["sets.gmt"]
signatures = ["cytolytic_activity"]
[molecular.subtypes.new]
clusters = [2, 3, 4]
genes = 42
repeats = 20
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = SmallStudy(tmp_path_factory.mktemp("expression"))
    rng = np.random.default_rng(3)
    genes = ["GZMA", "PRF1", *(f"G{i}" for i in range(40))]
    group = np.arange(made.n) % 3
    values = np.exp2(4 + rng.standard_normal((42, made.n)) + 4 * (np.arange(42)[:, None] // 14 == group))
    pl.DataFrame({"gene": genes, **{s: values[:, i] for i, s in enumerate(made.subjects)}}).write_csv(
        made.root / "rna.tsv", separator="\t"
    )
    (made.root / "sets.gmt").write_text("UP\t-\t" + "\t".join(genes[25:]) + "\n")
    return made


def with_text(study, selected):
    study.text = STUDY + EXPRESSION.replace("SELECTED", selected) + OUTCOME
    return study


def test_clusters_predict_nothing_and_scores_do(study):
    finished = with_text(study, "").run("plain")
    used = read_table(finished.root, "outcome/univariate")["predictor"].to_list()
    assert {"ssgsea:UP", "sig:cytolytic_activity", "expr:G3"} <= set(used)
    assert "cluster:new=1" in read_table(finished.root, "molecular/markers").columns
    assert not [name for name in used if name.startswith("cluster:")]
    told = [p["got"] for p in study.problems(finished) if p["stage"] == "outcome"]
    assert any("3 clusters were learned from the whole cohort and predict nothing" in got for got in told)
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    assert "Scores and subtypes of expression" in page
    assert "2 of 2 scores of expression were made" in page
    assert re.search(r"in one cloud.*<td[^>]*>0\.048</td>", page, re.DOTALL)  # 1 / 21, of twenty simulations
    assert "scheme new: 3 clusters, more stable than in one cloud" in page
    # A selection that is declared later counts at once, also for the scores and subtypes made of the genes.
    again = with_text(study, ', selected_on = ["relapse"]').run("plain")
    (told,) = [p for p in study.problems(again) if "was selected on 'relapse'" in p["got"]]
    assert told["where"] == "molecular.expression 'expr'.selected_on"
    assert "44 markers of 'rna.tsv'" in told["got"]


def test_genes_selected_on_one_endpoint_predict_another(study):
    with_text(study, ', selected_on = ["relapse"]').text += 'endpoints = ["os"]\n'
    finished = study.run("os")
    predictors = read_table(finished.root, "outcome/univariate").filter(endpoint="os")["predictor"]
    assert predictors.str.starts_with("expr:").any()


@pytest.mark.parametrize("markers", ['"age", "expr:G3"', '"age", "ssgsea:*"'])
def test_the_choice_of_therapy_takes_no_marker_that_was_selected_on_its_endpoint(study, markers):
    study.treated()
    asked = BENEFIT.replace('"age"', markers)
    study.text = STUDY + EXPRESSION.replace("SELECTED", ', selected_on = ["relapse"]') + asked
    finished = study.run("benefit")
    (told,) = [p for p in study.problems(finished) if "was selected on 'relapse'" in p["got"]]
    assert told["stage"] == "benefit"
    assert "leave 'relapse' out of benefit.endpoints" in told["todo"]
    (mistake,) = check_study(load_study(study.file())).mistakes
    assert mistake.where == "benefit"
    assert told["got"] in mistake.what
    assert read_table(finished.root, "benefit/interactions") is None


def test_the_choice_of_therapy_takes_other_markers_and_no_clusters(study):
    study.treated()
    asked = BENEFIT.replace('"age"', '"*:*"').replace("randomised", 'predictors = ["expr:G3"]\nrandomised')
    study.text = STUDY + EXPRESSION.replace("SELECTED", ', selected_on = ["os"]') + asked
    finished = study.run("apart")
    tested = read_table(finished.root, "benefit/interactions")["marker"].to_list()
    assert "expr:G3" in tested
    assert not [name for name in tested if name.startswith("cluster:")]
    told = [p["got"] for p in study.problems(finished) if p["stage"] == "benefit"]
    assert any("3 clusters were learned from the whole cohort" in got for got in told)


def test_resistance_says_that_genes_were_selected(study, monkeypatch):
    monkeypatch.setattr("radiolocus.pipeline.study.write_report", lambda root: root)
    asked = RESPONSE + "[response.resistance]\n" + FOLLOW_UP.split("[response.resistance]\n")[1]
    told = []
    for selection in ("", ', selected_on = ["relapse"]'):  # declared later, it is said at once
        study.text = STUDY.split("[imaging]")[0] + EXPRESSION.replace("SELECTED", selection) + asked
        finished = study.run("resistance")
        told.append([p for p in study.problems(finished) if "were selected on" in p["got"]])
    (problem,) = told[1]
    assert not told[0]
    assert (problem["got"], problem["where"]) == (
        "the genes of 'rna.tsv' were selected on relapse",
        "response.resistance",
    )


def test_the_check_tells_it_before_the_run(study):
    with_text(study, ', selected_on = ["relapse"]')
    (told,) = [m for m in check_study(load_study(study.file())).mistakes if m.where == "outcome"]
    assert "was selected on 'relapse' and would predict it" in told.what
    with_text(study, "")
    assert not [m for m in check_study(load_study(study.file())).mistakes if m.where == "outcome"]


def test_an_endpoint_that_is_none(study):
    with_text(study, ', selected_on = ["relaps"]')
    with pytest.raises(StudyError, match="unknown endpoint 'relaps'"):
        load_study(study.file())


@pytest.mark.parametrize("section", ["benefit", "early"])
def test_check_tells_what_a_section_says_was_selected_as_the_run_does(study, section):
    study.treated()
    marker, asked = ("age", BENEFIT) if section == "benefit" else ("size", EARLY)
    for endpoint, count in (("relapse", 1), ("os", 0)):
        study.text = STUDY.split("[imaging]")[0] + asked + f'selected_on = {{ {marker} = ["{endpoint}"] }}\n'
        mistakes = check_study(load_study(study.file())).mistakes
        assert [m.where for m in mistakes] == [section] * count
        assert all(f"'{marker}'" in m.what and "was selected on 'relapse'" in m.what for m in mistakes)
