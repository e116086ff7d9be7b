"""Type I error with relatives and structure, and power, on a small edition of the benchmark."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def benchmark():
    file = Path(__file__).resolve().parents[2] / "benchmarks/gwas_calibration.py"
    told = importlib.util.spec_from_file_location("gwas_calibration", file)
    module = importlib.util.module_from_spec(told)
    sys.modules[told.name] = module
    told.loader.exec_module(module)
    yield module
    del sys.modules[told.name]


@pytest.mark.slow
def test_a_mixed_model_holds_the_level_that_linear_regression_does_not(benchmark):
    names = ("linear", "linear, 10 components", "lmm", "lmm, loco", "ridge, 10 components")
    found = benchmark.type_one(5, 50, 60, 2000, 20, causal=100, chosen=names)
    assert tuple(found) == names
    rate = {name: cells[0] for name, cells in found.items()}  # at 0.05
    for name in ("lmm", "lmm, loco"):
        assert abs(rate[name][0] - 0.05) < 0.006 + 4 * rate[name][1], rate
    assert rate["linear"][0] > 0.1
    assert rate["linear, 10 components"][0] > 0.065
    assert rate["ridge, 10 components"][0] < 0.055
    at_a_thousandth = {name: cells[2][0] / 5e-4 for name, cells in found.items()}
    assert at_a_thousandth["linear"] > 5
    assert at_a_thousandth["lmm"] < 2


@pytest.mark.slow
def test_the_ridge_takes_most_of_the_inflation_of_cases_and_controls(benchmark):
    names = ("linear", "ridge", "ridge, 10 components")
    found = benchmark.type_one(7, 50, 60, 1500, 20, causal=100, chosen=names, cases=0.3)
    rate = {name: cells[0][0] for name, cells in found.items()}  # at 0.05
    assert rate["linear"] > 0.09, rate
    assert rate["ridge"] - 0.05 < 0.5 * (rate["linear"] - 0.05), rate
    assert 0.035 < rate["ridge, 10 components"] < 0.06, rate


@pytest.mark.slow
def test_what_other_chromosomes_explain_is_power(benchmark):
    names = ("linear", "lmm, loco", "ridge")
    found = benchmark.power(6, 700, 400, 10, causal=40, level=1e-5, chosen=names)
    for name in ("lmm, loco", "ridge"):
        gain = found[name][0] - found["linear"][0]
        assert gain > 2 * (found[name][1] + found["linear"][1]), found
