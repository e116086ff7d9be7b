import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import InputError
from radiolocus.stats.counts import log_cpm, tmm_factors, tpm

RECIPE = Path(__file__).resolve().parents[1] / "reference"
ROWS = [0, 59, 119]


@pytest.fixture(scope="module")
def counts():
    return pl.read_csv(RECIPE / "expression_counts.csv")[:, 1:].to_numpy().astype(float)


def answer(what):
    told = pl.read_csv(RECIPE / "expression_answers.csv").filter(what=what)
    return told.pivot(on="column", index="row", values="value")[:, 1:].to_numpy()


def test_factors_and_logarithms_are_those_of_edger(counts):
    factors = tmm_factors(counts)
    np.testing.assert_allclose(factors, answer("tmm")[0], rtol=1e-12)
    np.testing.assert_allclose(log_cpm(counts)[ROWS], answer("logcpm"), rtol=1e-12)
    np.testing.assert_allclose(log_cpm(counts, factors)[ROWS], answer("logcpm_tmm"), rtol=1e-12)


@pytest.mark.slow
def test_r_gives_the_recorded_numbers(tmp_path):
    script = (
        "for (p in c('edgeR', 'GSVA', 'ConsensusClusterPlus')) if (!requireNamespace(p, quietly = TRUE)) quit('no', 9)"
    )
    if shutil.which("Rscript") is None or subprocess.run(["Rscript", "-e", script], capture_output=True).returncode:
        pytest.skip("R with edgeR, GSVA and ConsensusClusterPlus is not installed (apt: r-bioc-edger r-bioc-gsva ...)")
    subprocess.run(["Rscript", str(RECIPE / "expression.R"), str(tmp_path)], check=True, capture_output=True)
    for name in ("expression_counts.csv", "expression_clusters.csv"):
        assert (tmp_path / name).read_text() == (RECIPE / name).read_text()
    now, kept = (pl.read_csv(f / "expression_answers.csv") for f in (tmp_path, RECIPE))
    assert now[:, :3].equals(kept[:, :3])
    np.testing.assert_allclose(now["value"], kept["value"], rtol=1e-9)


def test_a_few_very_abundant_genes_do_not_move_the_factors():
    rng = np.random.default_rng(2)
    base = rng.poisson(np.exp(rng.normal(4, 1, 2000))[:, None] * np.ones(2)).astype(float)
    base[:40, 1] *= 60
    factors = tmm_factors(base)
    library = base.sum(axis=0) * factors
    quiet = base[40:].sum(axis=0)
    assert library[1] / library[0] == pytest.approx(quiet[1] / quiet[0], rel=0.03)
    assert np.log(factors).sum() == pytest.approx(0, abs=1e-12)


def test_same_samples_have_factor_one(counts):
    twice = np.column_stack([counts[:, 0], 2 * counts[:, 0], counts[:, 0]])
    np.testing.assert_allclose(tmm_factors(twice), 1.0, rtol=1e-12)


def test_transcripts_per_million():
    found = tpm(np.array([[10.0, 0.0], [10.0, 5.0]]), np.array([1000.0, 500.0]))
    np.testing.assert_allclose(found, [[1e6 / 3, 0.0], [2e6 / 3, 1e6]])


@pytest.mark.parametrize("bad", [[[-1.0], [2.0]], [[np.nan], [2.0]], [[0.0], [0.0]]])
def test_what_are_no_counts(bad):
    for call in (log_cpm, tmm_factors, lambda c: tpm(c, np.ones(2))):
        with pytest.raises(InputError):
            call(np.array(bad))
    with pytest.raises(InputError, match="length"):
        tpm(np.ones((2, 1)), np.array([1.0, 0.0]))
