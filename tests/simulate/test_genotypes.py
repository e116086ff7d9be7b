"""Simulated genotypes have the structure and the linkage disequilibrium they are asked for."""

import numpy as np
import polars as pl
import pytest

from radiolocus.simulate.genotypes import simulate_genotypes


@pytest.fixture(scope="module")
def drawn():
    return simulate_genotypes(np.random.default_rng(3), 1500, 400, fst=0.05, missing=0.02, block=20)


def test_dosages_are_counts_with_the_missing_that_was_asked_for(drawn):
    known = drawn.dosage[~np.isnan(drawn.dosage)]
    assert set(np.unique(known)) == {0.0, 1.0, 2.0}
    assert np.isnan(drawn.dosage).mean() == pytest.approx(0.02, abs=0.002)


def test_neighbours_of_a_block_are_correlated_and_blocks_are_not(drawn):
    one = np.nan_to_num(drawn.dosage[:, drawn.population == 0], nan=1.0)
    r2 = np.corrcoef(one) ** 2
    inside = np.array([r2[j, j + 1] for j in range(399) if (j + 1) % 20])
    across = np.array([r2[j, j + 1] for j in range(399) if (j + 1) % 20 == 0])
    assert np.median(inside) > 0.15
    assert across.mean() == pytest.approx(1 / one.shape[1], abs=3e-3)


def test_populations_differ_as_much_as_fst_says(drawn):
    p = [np.nanmean(drawn.dosage[:, drawn.population == k], axis=1) / 2 for k in (0, 1)]
    mean = (p[0] + p[1]) / 2
    # Hudson's estimator, ratio of averages; its expectation here is the drift of the two populations, F.
    fst = ((p[0] - p[1]) ** 2).mean() / (p[0] * (1 - p[1]) + p[1] * (1 - p[0])).mean()
    assert fst == pytest.approx(0.05, abs=0.02)
    assert (mean > 0.02).all()


def test_variants_are_sorted_with_unique_names_and_two_alleles(drawn):
    frame = drawn.variants
    assert frame["variant_id"].n_unique() == 400
    assert (frame["effect_allele"] != frame["other_allele"]).all()
    steps = frame.with_columns(step=pl.col("base_pair_location").diff().over("chromosome"))["step"].drop_nulls()
    assert (steps > 0).all()
    assert frame["chromosome"].n_unique() == 10


def test_same_seed_same_genotypes():
    first, second = (simulate_genotypes(np.random.default_rng(5), 50, 60) for _ in range(2))
    np.testing.assert_array_equal(first.dosage, second.dosage)
