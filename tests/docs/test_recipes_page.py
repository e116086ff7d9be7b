"""The recipes find what was planted."""

import contextlib
import math
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    namespace: dict = {"__name__": "recipes"}
    with contextlib.chdir(tmp_path_factory.mktemp("recipes")):
        _run(namespace)
    return namespace


def _run(namespace):
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), namespace)


def test_interactions_that_were_planted_are_found(told):
    for name, planted in (("chemo", 1.6), ("targeted", -1.0)):
        fit = told[f"{name}_interaction"]
        assert abs(fit.coefficient[0] - planted) < 3 * fit.standard_error[0]
        assert fit.neg_log10_p[0] > 2
    assert told["chemo_q"]["entropy"] < 0.01
    assert told["chemo_q"]["noise_1"] > 0.05


@pytest.mark.parametrize("name", ["chemo", "targeted", "beam"])
def test_what_is_added_is_worth_something(told, name):
    assert told[f"{name}_gain"].lower > 0


def test_imaging_beside_all_molecular_markers_does_no_harm(told):
    assert told["immune_gain"].upper > 0


def test_the_imaging_feature_goes_with_infiltration_and_noise_does_not(told):
    q = dict(told["links"].select("feature", "q_value").iter_rows())
    assert q["infiltration"] < 1e-10
    assert min(v for k, v in q.items() if k.startswith("noise")) > 0.01


def test_what_goes_with_primary_resistance_is_found_and_noise_is_not(told):
    tests = told["found"].tests
    rows = {(r["contrast"], r["marker"]): r for r in tests.to_dicts()}
    primary = next(key for key in rows if key[1] == "entropy" and key[0].startswith("primary"))
    assert rows[primary]["lower"] > 0
    assert rows[primary]["q_value"] < 0.01
    assert rows[primary[0], "noise"]["q_value"] > 0.05
    classes = set(told["found"].classes["resistance_class"])
    assert {"primary", "acquired", "response"} <= classes


def test_hazards_of_radiation_are_the_planted_ones(told):
    fit, truth = told["beam_fit"], told["beam"].truth
    for name, found, error in zip(told["names"], fit.coefficient, fit.standard_error, strict=True):
        assert abs(found - truth[name]) < 3.5 * error
    assert float(told["gard"](0.4, 30, 2.0)) == pytest.approx(-30 * math.log(0.4))
