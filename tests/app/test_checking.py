"""The command ``checklist``: what it shows, and what it refuses."""

import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.store import write_json


@pytest.fixture
def run(tmp_path):
    write_json(tmp_path / "study.json", {"radiolocus_version": "9.9", "settings": {}})
    return tmp_path


def test_one_checklist_is_shown_and_only_what_is_open(run):
    told = CliRunner().invoke(app, ["checklist", str(run), "--only", "rqs", "--open"])
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert lines[0] == "RQS: 16 items, 0 reported, 0 partly, 0 not done, 16 open; score 0 to 100 %"
    assert len(lines) == 18
    assert (run / "reporting" / "checklist.csv").is_file()


def test_an_unknown_checklist_is_refused_before_anything_is_written(run):
    told = CliRunner().invoke(app, ["checklist", str(run), "--only", "METRIC"])
    assert told.exit_code == 2
    assert "TRIPOD+AI, CLEAR, METRICS, RQS" in told.stderr
    assert "METRICS" in told.stderr.split("what to do")[-1]
    assert not (run / "reporting").exists()
