import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from radiolocus.associate.design import regression_design
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.multitrait import Null, fit_null, permuted_design, whitener
from radiolocus.errors import FitError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink


def correlated(rng, n, count):
    return rng.normal(size=(n, count)) + 1.5 * rng.normal(size=(n, 1))


def test_the_permutation_keeps_rows_together_and_orthogonal_to_the_covariates():
    rng = np.random.default_rng(1)
    values, covariates = correlated(rng, 200, 4), rng.normal(size=(200, 2))
    values[rng.random(200) < 0.2, 3] = np.nan
    design = regression_design(values, covariates)
    dealt = permuted_design(design, 5)
    assert dealt.columns.tolist() == [0, 1, 2, 3]
    assert [p.rows.size for p in dealt.patterns] == [p.rows.size for p in design.patterns]
    full = np.column_stack([np.ones(200), covariates])
    np.testing.assert_allclose(full.T @ dealt.response[:, :3], 0, atol=1e-10)
    np.testing.assert_allclose(dealt.correlation(), design.correlation(), atol=0.08)
    assert np.abs((dealt.response * design.response).sum(axis=0)).max() < 0.25
    again = permuted_design(design, 5)
    np.testing.assert_array_equal(again.response, dealt.response)


def test_the_whitener_takes_the_correlation_out_and_leaves_empty_axes():
    rng = np.random.default_rng(2)
    values = correlated(rng, 300, 5)
    values = np.column_stack([values, values[:, 0] + values[:, 1] + 1e-6 * rng.normal(size=300)])
    design = regression_design(values)
    turn = whitener(design)
    assert turn.shape == (6, 5)
    np.testing.assert_allclose(turn.T @ design.correlation() @ turn, np.eye(5), atol=1e-8)


def test_distributions_are_those_that_scipy_fits():
    rng = np.random.default_rng(3)
    statistic = rng.gamma(7.0, 2.1, 4000)
    smallest = rng.beta(1.05, 12.0, 4000)
    null = fit_null(statistic, -np.log10(smallest))
    shape, _, scale = stats.gamma.fit(statistic, floc=0)
    a, b, _, _ = stats.beta.fit(smallest, floc=0, fscale=1)
    assert (null.shape, null.scale) == pytest.approx((shape, scale))
    assert (null.a, null.b) == pytest.approx((a, b), rel=1e-4)
    np.testing.assert_allclose(
        null.mostest([5.0, 40.0]), -stats.gamma.logsf([5.0, 40.0], shape, scale=scale) / np.log(10)
    )
    np.testing.assert_allclose(null.minp([0.5, 6.0]), -np.log10(stats.beta.cdf([10**-0.5, 1e-6], null.a, null.b)))
    with pytest.raises(FitError, match="99 variants with permuted statistics"):
        fit_null(statistic[:99], statistic[:99])


def test_far_p_values_go_on_where_the_beta_function_ends():
    null = Null(1000, 5.0, 2.0, 1.02, 300.0)
    near, far = null.minp([199.999999, 200.000001])
    assert far - near == pytest.approx(1.02 * 2e-6, rel=1e-2)
    assert null.minp([5000.0])[0] > 5000
    assert null.mostest([1e5])[0] > 20_000


def test_tests_hold_their_level_and_find_what_no_single_phenotype_shows(tmp_path):
    rng = np.random.default_rng(4)
    n, m, count = 500, 3000, 12
    dosage = rng.binomial(2, rng.uniform(0.1, 0.9, (m, 1)), (m, n)).astype(np.float32)
    dosage[rng.random(dosage.shape) < 0.005] = np.nan
    names = [f"s{i}" for i in range(n)]
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * m, "variant_id": [f"rs{i}" for i in range(m)], "base_pair_location": range(1, m + 1),
            "effect_allele": ["A"] * m, "other_allele": ["C"] * m,
        }
    )  # fmt: skip
    write_plink(tmp_path / "g", dosage, variants, names)
    values = correlated(rng, n, count)
    # spread over the phenotypes against their common part: small in each, plain in all
    values += 0.28 * np.nan_to_num(dosage[77])[:, None] * np.tile([1, -1], count // 2)
    values[rng.random(values.shape) < 0.03] = np.nan
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": values[:, i] for i in range(count)})
    roots = []
    for jobs in (1, 2):
        root = tmp_path / str(jobs)
        keep = GwasOptions(multi_trait=True)
        gwas(PlinkSource(tmp_path / "g"), phenotypes, None, root, options=GenotypeOptions(block_size=700), keep=keep,
             jobs=jobs)  # fmt: skip
        roots.append(root / "sumstats/multitrait.parquet")
    assert roots[0].read_bytes() == roots[1].read_bytes()
    found = pl.read_parquet(roots[0])
    assert found.height == m
    assert found["mostest_neg_log_10_p_value"].null_count() == 0
    told = json.loads((roots[0].parent / "multitrait.json").read_text())
    assert told["variants"] == m
    assert told["shape"] * told["scale"] == pytest.approx(count, rel=0.05)  # the mean of χ² with 12 degrees of freedom
    others = found.filter(pl.col("variant_id") != "rs77")
    for name in ("mostest_neg_log_10_p_value", "minp_neg_log_10_p_value"):
        for level in (0.05, 0.01):
            share = float((others[name] >= -np.log10(level)).mean())
            error = np.sqrt(2 * level * (1 - level) / m)  # of this share and of the permuted one it is fitted to
            assert abs(share - level) < 4 * error, (name, level, share)
    planted = found.row(77, named=True)
    single = pl.read_parquet(roots[0].parent / "variants.parquet").row(77, named=True)
    assert planted["variant_id"] == single["variant_id"] == "rs77"
    assert planted["mostest_neg_log_10_p_value"] > 8
    assert planted["mostest_neg_log_10_p_value"] > single["top_neg_log_10_p_value"] + 3
    assert planted["minp_neg_log_10_p_value"] < single["top_neg_log_10_p_value"]
