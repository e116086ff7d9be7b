import numpy as np
import pytest
from scipy.stats import spearmanr

from radiolocus.learn.select import not_redundant, strongest


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_whoever_goes_is_represented_by_one_who_stays(threshold):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 25)) + 0.4 * rng.normal(size=(60, 25))
    rho = np.abs(spearmanr(X).statistic)
    keep = not_redundant(X, threshold)
    assert 0 < keep.sum() < 25
    for j in np.flatnonzero(~keep):
        assert rho[j, keep].max() >= threshold - 1e-9
    alone = [j for j in range(25) if np.delete(rho[j], j).max() < threshold]
    assert keep[alone].all()


def test_the_most_typical_of_a_cluster_stays():
    rng = np.random.default_rng(0)
    middle = rng.normal(size=200)
    X = np.column_stack([middle + 0.3 * rng.normal(size=200), middle, middle + 0.3 * rng.normal(size=200)])
    np.testing.assert_array_equal(not_redundant(X, 0.8), [False, True, False])


def test_of_copies_the_first_stays_whatever_their_direction_and_scale():
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    keep = not_redundant(np.column_stack([y, x, np.exp(x), -3 * x]), 1.0)
    np.testing.assert_array_equal(keep, [True, True, False, False])


def test_a_chain_is_not_one_cluster():
    # Neighbours correlate, ends do not: complete linkage never drops an end for a column it hardly resembles.
    rng = np.random.default_rng(1)
    steps = np.cumsum(rng.normal(size=(400, 6)), axis=1) + 2 * rng.normal(size=(400, 1))
    rho = np.abs(spearmanr(steps).statistic)
    assert (np.diag(rho, 1) > 0.85).all()
    assert rho[0, -1] < 0.85
    keep = not_redundant(steps, 0.85)
    assert keep.sum() >= 2


def test_strongest_keeps_the_largest_and_the_first_of_equals():
    np.testing.assert_array_equal(strongest(np.array([0.1, -3.0, 2.0, 2.0]), 2), [False, True, True, False])
    assert strongest(np.ones(3), 5).all()
