import warnings

import numpy as np
import pytest
from scipy import stats

from radiolocus.stats.tail_fit import _CRITICAL, _anderson_darling, _fit, fit_tail


def test_fit_is_that_of_hosking_and_wallis():
    rng = np.random.default_rng(1)
    excess = np.sort(stats.genpareto.rvs(0.25, scale=2.0, size=4000, random_state=rng))
    scale, shape = _fit(excess)
    assert shape == pytest.approx(0.25, abs=0.06)
    assert scale == pytest.approx(2.0, rel=0.06)
    bounded = np.sort(stats.genpareto.rvs(-0.3, size=4000, random_state=rng))
    assert _fit(bounded) == (pytest.approx(bounded.mean()), 0.0)


def test_anderson_darling_is_that_of_scipy_and_its_critical_value_that_of_this_fit():
    rng = np.random.default_rng(2)
    x = np.sort(rng.exponential(size=80))
    # scipy's exponential test estimates the mean, as the fit does when its shape is 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = stats.anderson(x, "expon").statistic
    assert _anderson_darling(x, x.mean(), 0.0) == pytest.approx(expected, rel=1e-9)
    found = []
    for _ in range(1500):
        x = np.sort(rng.exponential(size=150))
        found.append(_anderson_darling(x, *_fit(x)))
    assert np.quantile(found, 0.95) == pytest.approx(_CRITICAL, abs=0.12)


def test_tails_of_known_distributions():
    """z squared, and the largest of fifty: the median of many fits is prudent, and mostly within a digit."""
    rng = np.random.default_rng(3)
    for draws in (1, 50):
        exact = np.array([1e-3, 1e-4])
        at = stats.chi2.isf(-np.expm1(np.log1p(-exact) / draws), 1)
        found = []
        for _ in range(60):
            tail = fit_tail((rng.normal(size=(1000, draws)) ** 2).max(axis=1))
            found.append(np.log10(tail.p_value(at) / exact))
        middle = np.median(found, axis=0)
        assert (middle > -0.1).all()
        assert (middle < 0.6).all()
        assert (np.abs(found) < 1).mean() > 0.9


def test_what_no_tail_can_tell_is_left_to_counting():
    rng = np.random.default_rng(4)
    assert fit_tail(rng.exponential(size=199)) is None
    assert fit_tail(np.repeat([0.0, 1.0], 500)) is None
    tail = fit_tail(rng.exponential(size=1000))
    assert np.isnan(tail.p_value(np.array([0.0]))).all()
    assert tail.p_value(np.array([1e9]))[0] == pytest.approx(1e-5)
    # beyond the threshold p-values join what is counted there
    assert tail.p_value(np.array([tail.threshold + 1e-12]))[0] == pytest.approx(tail.share, rel=1e-6)
