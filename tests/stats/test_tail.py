import numpy as np
import pytest
from scipy import stats

from naive import tail as naive
from radiolocus.stats.tail import (
    neg_log10_p_chi2,
    neg_log10_p_normal,
    neg_log10_p_t,
    neg_log10_p_t_by,
)


@pytest.mark.parametrize(
    ("t", "df", "digits"),
    [
        (0.01, 2, 60),
        (1.0, 4, 60),
        (1.7, 40, 60),
        (2.0, 400, 60),
        (7.99, 60, 60),
        (8.01, 60, 60),
        (30.0, 58, 120),
        (38.6, 5000, 400),
        (1000000.0, 100, 700),
        (1e52, 100, 5400),
        (155.0, 4986, 5300),
    ],
)
def test_t_equals_the_closed_form_in_long_decimals(t, df, digits):
    expected = naive.t_even(t, df, digits)
    assert expected > 5000 or t < 1e50
    assert float(neg_log10_p_t(t, df)) == pytest.approx(expected, rel=1e-11)
    assert float(neg_log10_p_t(-t, df)) == float(neg_log10_p_t(t, df))


def test_t_equals_scipy_where_scipy_is_right():
    rng = np.random.default_rng(1)
    for df in (1, 3, 7, 2.5, 99, 4987, 100_001):
        t = rng.uniform(-12, 12, 3000)
        expected = -np.log10(2 * stats.t.sf(np.abs(t), df))
        np.testing.assert_allclose(neg_log10_p_t(t, df), expected, rtol=2e-10, atol=1e-13)


def test_one_df_is_the_arctangent():
    t = np.array([1e-6, 0.2, 1.0, 5.0, 7.999, 8.0, 9.0, 1e4])
    np.testing.assert_allclose(neg_log10_p_t(t, 1), -np.log10(1 - 2 * np.arctan(t) / np.pi), rtol=1e-9)


def test_t_is_monotone_over_the_cells_of_its_table():
    t = np.linspace(0, 9, 200_001)
    for df in (1, 5, 5000):
        assert (np.diff(neg_log10_p_t(t, df)) > 0).all()


def test_df_broadcasts_and_each_value_stands_for_itself():
    rng = np.random.default_rng(2)
    t, df = rng.normal(size=(5, 7)) * 4, np.array([3.0, 11.0, 3.0, 50.0, 4.0])[:, None]
    together = neg_log10_p_t(t, df)
    alone = np.array([[float(neg_log10_p_t(t[i, j], df[i, 0])) for j in range(7)] for i in range(5)])
    np.testing.assert_array_equal(together, alone)


def test_undefined_t_is_nan_and_infinite_df_is_normal():
    assert np.isnan(neg_log10_p_t([np.nan, 1.0], [3.0, 0.0])).all()
    assert np.isnan(neg_log10_p_t(1.0, np.nan))
    assert neg_log10_p_t(0.0, 5) == 0
    assert neg_log10_p_t(np.inf, 5) == np.inf
    assert neg_log10_p_t(2.0, np.inf) == neg_log10_p_normal(2.0)
    assert neg_log10_p_t([], 3).shape == (0,)


@pytest.mark.parametrize("z", [1.0, 1.5, 3.0, 8.0, 38.0, 100.0, 152.0, 1000.0])
def test_normal_equals_mills_ratio_in_long_decimals(z):
    assert float(neg_log10_p_normal(z)) == pytest.approx(naive.normal(z), rel=1e-13)


def test_normal_near_zero():
    z = np.array([0.0, 1e-12, 1e-3, 0.5, 0.999])
    # −log10(1 − x) ≈ x / ln 10 with x = z √(2/π) for small z
    np.testing.assert_allclose(neg_log10_p_normal(z), -np.log1p(-(1 - 2 * stats.norm.sf(z))) / np.log(10), atol=1e-15)
    assert float(neg_log10_p_normal(1e-12)) == pytest.approx(1e-12 * np.sqrt(2 / np.pi) / np.log(10), rel=1e-9)
    assert np.isnan(neg_log10_p_normal(np.nan))


@pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 30])
@pytest.mark.parametrize("x", [2.0, 11.0, 40.0, 700.0, 23_100.0])
def test_chi2_equals_the_closed_form_in_long_decimals(x, df):
    assert float(neg_log10_p_chi2(x, df)) == pytest.approx(naive.chi2(x, df), rel=1e-12)


def test_chi2_of_one_df_is_the_squared_normal():
    z = np.array([0.1, 1.0, 6.0, 60.0])
    np.testing.assert_allclose(neg_log10_p_chi2(z**2, 1), neg_log10_p_normal(z), rtol=1e-12)
    assert np.isnan(neg_log10_p_chi2(-1.0, 1))
    assert neg_log10_p_chi2(0.0, 3) == 0


def test_columns_that_share_their_degrees_of_freedom():
    rng = np.random.default_rng(2)
    t, pattern = rng.normal(size=(20, 5)) * 9, np.array([0, 0, 1, 2, 1])
    df = rng.integers(1, 40, size=(20, 3))
    t[3, 2] = np.nan
    found = neg_log10_p_t_by(t, df, pattern)
    np.testing.assert_allclose(found, neg_log10_p_t(t, df[:, pattern]), rtol=1e-13)
    assert np.isnan(found[3, 2])
    assert neg_log10_p_t_by(np.empty((0, 5)), df[:0], pattern).shape == (0, 5)
