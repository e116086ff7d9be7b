import numpy as np
import pytest
from scipy import stats

from radiolocus.errors import ConfigError
from radiolocus.stats.multiplicity import (
    benjamini_hochberg,
    bonferroni,
    effective_number_galwey,
    effective_number_li_ji,
    lambda_gc,
)

# Benjamini & Hochberg 1995, section 4.1: fifteen p-values of a trial of thrombolysis; the procedure at 0.05 rejects
# the four smallest, Bonferroni the three smallest.
PUBLISHED = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0]
)


def test_the_published_example():
    q = benjamini_hochberg(-np.log10(PUBLISHED))
    assert (q <= 0.05).sum() == 4
    assert (bonferroni(-np.log10(PUBLISHED)) <= 0.05).sum() == 3
    np.testing.assert_allclose(q, stats.false_discovery_control(PUBLISHED), rtol=1e-12)


def test_order_ties_and_missing_values():
    rng = np.random.default_rng(1)
    p = np.round(rng.uniform(size=(20, 10)), 2) + 0.001
    log_p = -np.log10(np.minimum(p, 1))
    log_p[3, 4] = log_p[11, 0] = np.nan
    there = ~np.isnan(log_p)
    q = benjamini_hochberg(log_p)
    assert np.isnan(q[~there]).all()
    np.testing.assert_allclose(q[there], stats.false_discovery_control(10 ** -log_p[there]), rtol=1e-10)
    np.testing.assert_allclose(bonferroni(log_p)[there], np.minimum(10 ** -log_p[there] * there.sum(), 1), rtol=1e-12)


def test_a_stated_number_of_tests_counts_those_not_kept():
    p = np.array([1e-9, 1e-3, 0.01])
    np.testing.assert_allclose(bonferroni(-np.log10(p), 1000), [1e-6, 1, 1])
    full = np.concatenate([p, np.ones(997)])
    np.testing.assert_allclose(benjamini_hochberg(-np.log10(p), 1000), stats.false_discovery_control(full)[:3])
    for function in (bonferroni, benjamini_hochberg):
        with pytest.raises(ConfigError, match="2 tests for 3 p-values; allowed: at least 3"):
            function(-np.log10(p), 2)


def test_beyond_underflow_the_order_stands():
    q = benjamini_hochberg([4000.0, 300.0, 0.1])
    assert q[0] == 0
    assert q[1] == pytest.approx(1.5e-300)
    assert benjamini_hochberg([]).shape == (0,)


def test_lambda_is_the_median_chi_squared():
    rng = np.random.default_rng(3)
    for size in (1, 2, 999, 1000):
        chi2 = rng.chisquare(1, size) * 1.3
        log_p = -stats.chi2.logsf(chi2, 1) / np.log(10)
        expected = np.median(chi2) / stats.chi2.median(1)
        assert lambda_gc(np.append(log_p, np.nan)) == pytest.approx(expected, rel=1e-9)
    assert np.isnan(lambda_gc([np.nan]))
    assert lambda_gc([5000.0]) > 10_000


def test_effective_numbers_of_tests():
    # independent tests count in full, copies once
    assert effective_number_li_ji(np.ones(7)) == effective_number_galwey(np.ones(7)) == 7
    copies = np.linalg.eigvalsh(np.ones((5, 5)))
    assert effective_number_li_ji(copies) == pytest.approx(1, abs=1e-6)
    assert effective_number_galwey(copies) == pytest.approx(1, abs=1e-6)
    # three correlated by 0.5: eigenvalues 2, 0.5, 0.5
    three = np.linalg.eigvalsh(np.full((3, 3), 0.5) + np.eye(3) / 2)
    assert effective_number_li_ji(three) == pytest.approx(1 + 0 + 0.5 + 0.5)
    assert effective_number_galwey(three) == pytest.approx((2**0.5 + 2 * 0.5**0.5) ** 2 / 3)
    assert effective_number_galwey([-1.0, 0.0]) == 0
