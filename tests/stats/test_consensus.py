from pathlib import Path

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import InputError
from radiolocus.stats.consensus import cluster_samples, consensus_matrices, consensus_table

RECIPE = Path(__file__).resolve().parents[1] / "reference"


def answer(what):
    told = pl.read_csv(RECIPE / "expression_answers.csv").filter(what=what)
    return told.pivot(on="column", index="row", values="value")[:, 1:].to_numpy()


def planted(groups, apart, n=60, genes=120, seed=1):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % groups
    values = rng.standard_normal((genes, n))
    for g in range(groups):
        values[20 * g : 20 * g + 20, truth == g] += apart
    return values - values.mean(axis=1, keepdims=True), truth


def test_consensus_is_that_of_consensusclusterplus():
    values = pl.read_csv(RECIPE / "expression_clusters.csv")[:, 1:].to_numpy()
    found = consensus_matrices(values, [2, 3], 2000, 0.8, np.random.default_rng(1))
    for i, k in enumerate((2, 3)):
        # 1,000 subsamples there, 2,000 here: a difference of 0.09 is more than three and a half standard errors
        np.testing.assert_allclose(found[i], answer(f"consensus_{k}"), atol=0.09)


def test_area_and_ambiguity_of_a_known_matrix():
    matrix = np.array([[[1, 1, 0.5], [1, 1, 0.0], [0.5, 0.0, 1]]])
    area, pac = consensus_table(matrix)
    assert area[0] == pytest.approx(0.5)  # the distribution function is 1/3 up to 0.5 and 2/3 up to 1
    assert pac[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("groups", [2, 3])
def test_planted_groups_are_found_with_their_number(groups):
    values, truth = planted(groups, 2.0)
    found = cluster_samples(values, (2, 3, 4, 5), repeats=25, references=20)
    assert found.k == groups
    assert found.p_value == pytest.approx(1 / 21)
    pairs = found.labels[:, None] == found.labels[None, :]
    np.testing.assert_array_equal(pairs, truth[:, None] == truth[None, :])
    assert found.consensus.min() > 0.95
    again = cluster_samples(values, (5, 4, 3, 2), repeats=25, references=20)
    np.testing.assert_array_equal(again.pac, found.pac)


@pytest.mark.slow
def test_one_cloud_is_rarely_taken_for_clusters():
    taken = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        cloud = rng.standard_normal((60, 6)) @ rng.standard_normal((6, 40)) + rng.standard_normal((60, 40))
        cloud -= cloud.mean(axis=1, keepdims=True)
        taken += cluster_samples(cloud, (2, 3, 4), repeats=25, references=20, seed=seed).p_value <= 0.05
    assert taken <= 3  # 5 % of 12 are expected; 4 or more have a probability of 0.002


def test_what_cannot_be_clustered():
    values, _ = planted(2, 1.0, n=10)
    for bad in ((1,), (8,), ()):
        with pytest.raises(InputError, match="clusters of 10 samples"):
            cluster_samples(values, bad)
    with pytest.raises(InputError, match="does not vary"):
        cluster_samples(np.ones((5, 10)), (2,))
