"""The median with the order statistics around it."""

import numpy as np
import pytest

from radiolocus.stats.median import median_interval


@pytest.mark.parametrize(("n", "low"), [(5, 0), (6, 1), (8, 1), (9, 2), (15, 4), (20, 6), (25, 8), (50, 18)])
def test_the_ranks_are_those_of_the_sign_test(n, low):
    # Ranks of the 95 % interval of the median: published tables of the sign test (Conover, table A3).
    estimate, lower, upper = median_interval(np.arange(1.0, n + 1)[::-1])
    assert estimate == (n + 1) / 2
    if low:
        assert (lower, upper) == (low, n + 1 - low)
    else:
        assert np.isnan([lower, upper]).all()


def test_it_covers_at_least_as_often_as_it_says():
    rng = np.random.default_rng(4)
    held = [
        low <= np.log(2) <= high for _, low, high in (median_interval(rng.exponential(size=17)) for _ in range(2000))
    ]
    assert 0.945 < np.mean(held) < 0.975  # P(5 ≤ B ≤ 12) = 0.951


def test_nothing_has_no_median():
    assert np.isnan(median_interval(np.array([]))).all()
