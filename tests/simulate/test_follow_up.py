"""The simulated study of response is the example, and the same for the same seed."""

from pathlib import Path

import pytest

from radiolocus.config import load_study
from radiolocus.errors import ConfigError
from radiolocus.read.lesions import read_lesions
from radiolocus.simulate.follow_up import STUDY, ResponseSimulation, simulate_response_study

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "response.toml"


def test_the_example_is_the_study_that_the_simulator_writes(tmp_path):
    truth = simulate_response_study(tmp_path / "a", ResponseSimulation(12))
    assert EXAMPLE.read_text(encoding="utf-8") == STUDY
    study = load_study(EXAMPLE, tmp_path / "a")
    assert (tmp_path / "a" / study.sections.response.lesions).is_file()
    table = read_lesions(tmp_path / "a" / "lesions.csv")
    assert [p for p in table.problems if p.severity == "set aside"] == []
    assert set(table.frame["subject"]) == set(truth)
    assert simulate_response_study(tmp_path / "b", ResponseSimulation(12)) == truth
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert simulate_response_study(tmp_path / "c", ResponseSimulation(12, seed=1)) != truth


def test_too_small_a_study_is_refused():
    with pytest.raises(ConfigError, match="5 subjects"):
        ResponseSimulation(5)
