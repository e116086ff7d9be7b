"""Type I error with relatives and structure, and power, on a small edition of the benchmark."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.associate.query import query
from radiolocus.read.plink import PlinkSource, write_plink


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


@pytest.mark.slow
def test_the_ridge_finds_what_the_mixed_model_finds(tmp_path):
    rng, n, m = np.random.default_rng(2), 800, 1200
    dosage = rng.binomial(2, rng.uniform(0.1, 0.9, (m, 1)), (m, n)).astype(np.float32)
    names, variants = [f"s{i}" for i in range(n)], {"variant_id": [f"rs{i}" for i in range(m)]}
    variants |= {"chromosome": [str(1 + i // 120) for i in range(m)], "base_pair_location": np.arange(m) * 1000 + 1}
    alleles = {"effect_allele": ["A"] * m, "other_allele": ["G"] * m}
    write_plink(tmp_path / "g", dosage, pl.DataFrame(variants | alleles), names)
    causal = np.sort(rng.choice(m, 30, replace=False))
    told = dosage[causal] - dosage[causal].mean(axis=1, keepdims=True)
    genetic = (told / told.std(axis=1, keepdims=True) * rng.normal(size=(30, 1))).sum(axis=0)
    value = np.sqrt(0.6) * genetic / genetic.std() + np.sqrt(0.4) * rng.normal(size=n)
    chi, table = {}, pl.DataFrame({"subject": names, "y": value})
    models = {
        "linear": None, "lmm": MixedOptions(model="lmm-exact", loco=True),
        "ridge": MixedOptions(model="ridge", ridge_block=100),
    }  # fmt: skip
    for name, model in models.items():
        gwas(PlinkSource(tmp_path / "g"), table, None, tmp_path / name, keep=GwasOptions(p_value=1), mixed=model)
        rows = query(tmp_path / name, phenotype=["y"]).sort("base_pair_location")
        assert rows["variant_id"].to_list() == variants["variant_id"]
        chi[name] = np.square(rows["beta"] / rows["standard_error"]).to_numpy()
    # where something is, the ridge has the power of the exact mixed model, which the linear scan has not
    found = {name: values[causal].sum() / chi["lmm"][causal].sum() for name, values in chi.items()}
    assert found["linear"] < 0.9 < 0.94 < found["ridge"] < 1.08, found
    rest = np.delete(np.arange(m), causal)
    for name, values in chi.items():
        assert abs(values[rest].mean() - 1) < 3 * np.sqrt(2 / rest.size), name
    assert np.corrcoef(np.sqrt(chi["ridge"]), np.sqrt(chi["lmm"]))[0, 1] > 0.9
