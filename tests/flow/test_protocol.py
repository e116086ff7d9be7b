"""Models, splits and the leakage audit of a whole study, from its file to its report."""

import json

import polars as pl
import pytest

from flow.small_study import OUTCOME, SmallStudy
from radiolocus.config import StudyError, load_study
from radiolocus.store import read_table

MORE = """endpoints = ["os"]
models = ["elastic_net", "discrete_time"]
harmonise = "hospital"
select = "univariate"
select_count = 4
permutations = 2
"""


def _study(root, text):
    root.mkdir()
    study = SmallStudy(root, n=36)
    study.text = study.text.replace('families = ["morphology", "intensity"]', 'families = ["intensity"]') + text
    study.clinical = study.clinical.with_columns(hospital=pl.Series(["A", "B", "C"] * 12))
    return study


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return _study(tmp_path_factory.mktemp("protocol") / "study", OUTCOME + MORE).run()


@pytest.mark.slow
def test_models_stand_side_by_side_on_the_same_folds(finished):
    table = read_table(finished.root, "outcome/performance")
    assert table.select("predictors", "model").rows() == [
        (block, model)
        for block in ("clinical", "imaging", "all")
        for model in ("elastic-net Cox", "discrete-time logistic hazard")
    ]
    predictions = read_table(finished.root, "outcome/predictions").filter(predictors="all")
    parts = predictions.partition_by("model")
    assert parts[0].select("subject", "repeat", "fold").equals(parts[1].select("subject", "repeat", "fold"))


@pytest.mark.slow
def test_the_audit_and_the_steps_are_written_and_told(finished):
    audit = read_table(finished.root, "outcome/audit")
    permuted = audit.filter(check="permuted outcome")
    assert permuted["predictors"].to_list() == ["all", "all"]
    assert permuted["got"].str.contains("on 2 permuted outcomes").all()
    assert {"duplicates", "predicts alone", "events"} <= set(audit["check"])
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    for word in ("Leakage audit", "Steps of the protocol", "ComBat by hospital", "all, discrete-time logistic hazard"):
        assert word in page, word
    settings = json.loads((finished.root / "study.json").read_text(encoding="utf-8"))
    assert settings["settings"]["outcome"]["models"] == ["elastic_net", "discrete_time"]


def test_mistakes_are_told_before_anything_runs(tmp_path):
    study = _study(tmp_path / "study", OUTCOME)
    plain = study.text
    for line, words in (
        ('models = ["bosting"]\n', "did you mean 'boosting'"),
        ('split = "site"\n', "without a column 'site'"),
        ('select = "best"\n', "univariate"),
        ("models = []\n", "at least one"),
    ):
        study.text = plain + line
        with pytest.raises(StudyError) as caught:
            load_study(study.file())
        assert words in str(caught.value)
