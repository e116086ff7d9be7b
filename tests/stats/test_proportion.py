"""Limits of proportions, means and ratios."""

import numpy as np
import pytest
from scipy.stats import binomtest

from radiolocus.errors import InputError
from radiolocus.stats.proportion import detectable, exact_limits, mean_limits, ratio_limits, wilson_limits


def test_exact_limits_are_those_of_scipy():
    events, trials = np.array([0, 1, 7, 20, 20]), np.array([10, 30, 25, 20, 4000])
    lower, upper = exact_limits(events, trials)
    for x, n, low, high in zip(events, trials, lower, upper, strict=True):
        slow = binomtest(int(x), int(n)).proportion_ci(0.95, method="exact")
        assert (low, high) == pytest.approx((slow.low, slow.high), abs=1e-12)


def test_what_is_not_known_has_no_limits_and_nonsense_is_refused():
    lower, upper = exact_limits([np.nan, 1.0], [10.0, np.nan])
    assert np.isnan([lower, upper]).all()
    assert [float(v[0]) for v in exact_limits([0.0], [0.0])] == [0.0, 1.0]
    with pytest.raises(InputError, match="more events than trials"):
        exact_limits([5], [4])


def test_mean_of_one_keeps_its_limits_and_of_two_is_by_hand():
    one = mean_limits(np.array([0.2]), np.array([0.1]), np.array([0.4]))
    assert one == pytest.approx((0.2, 0.1, 0.4))
    two = mean_limits(np.array([0.2, 0.4]), np.array([0.17, 0.36]), np.array([0.26, 0.48]))
    assert two == pytest.approx((0.3, 0.3 - 0.05 / 2, 0.3 + 0.1 / 2))


def test_ratio_of_a_known_bottom_scales_the_top():
    assert ratio_limits((0.2, 0.1, 0.4), (0.5, 0.5, 0.5)) == pytest.approx((0.4, 0.2, 0.8))
    assert ratio_limits((0.0, 0.0, 0.01), (0.5, 0.4, 0.6)) == pytest.approx((0.0, 0.0, 0.025))
    assert ratio_limits((0.1, 0.0, 0.2), (0.5, 0.0, 0.6))[1:] == (0.0, np.inf)
    assert np.isnan(ratio_limits((0.1, 0.05, 0.2), (0.0, 0.0, 0.1))).all()


def test_more_depth_shows_less():
    shown = detectable(2, [100, 1000, 10000])
    assert (np.diff(shown) < 0).all()
    assert np.isnan(detectable(2, np.nan))


@pytest.mark.parametrize(("events", "trials"), [(0, 5), (31, 69), (30, 177), (69, 69), (1, 1)])
def test_wilson_limits_equal_scipy(events, trials):
    lower, upper = wilson_limits([events / trials], [trials])
    expected = binomtest(events, trials).proportion_ci(method="wilson")
    assert (lower[0], upper[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)
