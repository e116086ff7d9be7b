"""The command ``radiolocus outcome``."""

import json

import pytest
from typer.testing import CliRunner

from flow.small_study import MOLECULAR, OUTCOME, SmallStudy
from radiolocus.app.cli import app
from radiolocus.store import read_table

QUICK = OUTCOME.replace("repeats = 2", "repeats = 1\npermutations = 0\nshuffles = 0").replace("= 50", "= 5")


def ran(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = SmallStudy(tmp_path_factory.mktemp("predicting"), n=24)
    made.text += MOLECULAR + QUICK + 'endpoints = ["relapse"]\n'
    made.file()
    return made


def test_endpoints_are_predicted_and_nothing_else_is_analysed(study):
    out = study.root / "outcomes"
    done = ran("outcome", study.root / "study.toml", "--out", out, "--jobs", 1)
    # The convex hull of a block has one density in everybody: that predictor alone is set aside.
    assert done.exit_code == 3, done.output
    assert "models judged out of fold" in done.output
    assert "link" not in done.output
    assert read_table(out, "outcome/performance")["endpoint"].unique().to_list() == ["relapse"]
    assert read_table(out, "link/link") is None
    assert "Out-of-fold performance" in (out / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_more_is_left_as_it_is(study, tmp_path):
    stages = {"cohort": {"ran": True}, "features": {"ran": True}, "link": {"ran": True}, "deep": {"ran": False}}
    (tmp_path / "study.json").write_text(json.dumps({"stages": stages}))
    done = ran("outcome", study.root / "study.toml", "--out", tmp_path)
    assert done.exit_code == 2
    assert "the folder holds results of link, which this command would remove" in done.output
    assert "radiolocus run" in done.output


def test_a_study_without_the_section_is_refused(study):
    file = study.root / "other.toml"
    file.write_text((study.root / "study.toml").read_text().split("[outcome]")[0])
    done = ran("outcome", file)
    assert done.exit_code == 2
    assert "other.toml: no section [outcome]" in done.output
