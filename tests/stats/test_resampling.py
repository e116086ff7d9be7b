import numpy as np
import pytest

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval


def test_weights_draw_n_patients_with_the_binomial_spread():
    weights = np.concatenate(list(bootstrap_weights(50, 4000, 1)))
    assert weights.shape == (4000, 50)
    assert (weights.sum(axis=1) == 50).all()
    # Each count is binomial(50, 1/50): mean 1, variance 0.98; 200,000 of them.
    assert weights.mean() == 1.0
    assert weights.var() == pytest.approx(0.98, rel=0.02)


def test_stratified_weights_keep_every_stratum():
    stratum = np.array(["a", "b", "a", "c", "b", "a"])
    weights = next(bootstrap_weights(6, 100, 1, stratum=stratum))
    for name, size in (("a", 3), ("b", 2), ("c", 1)):
        assert (weights[:, stratum == name].sum(axis=1) == size).all()


def test_percentile_interval_leaves_undefined_draws_out_and_counts_them():
    draws = np.r_[np.linspace(0, 1, 101), np.nan, np.nan]
    interval = percentile_interval(draws, 0.9)
    assert (interval.lower, interval.upper) == pytest.approx((0.05, 0.95))
    assert (interval.draws, interval.undefined, interval.level) == (101, 2, 0.9)


def test_percentile_interval_of_nothing_is_undefined():
    with pytest.raises(UndefinedError, match="0 of 3 bootstrap draws"):
        percentile_interval(np.full(3, np.nan))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_outside_zero_and_one_is_refused(level):
    with pytest.raises(InputError, match="between 0 and 1"):
        percentile_interval(np.arange(10.0), level)


def test_no_draws_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        next(bootstrap_weights(5, 0, 1))
