import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from naive import link as naive
from radiolocus.stats.correlation import (
    average_ranks,
    correlate,
    correlation_t,
    partial_correlation,
    rank_sum,
    spanning_basis,
    unit_residuals,
)


def test_correlation_is_pearsons():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 4)) * 1e6 + 1e9
    r = partial_correlation(X, Y)
    for i in range(3):
        for j in range(4):
            assert r[i, j] == pytest.approx(stats.pearsonr(X[:, i], Y[:, j]).statistic, abs=1e-12)


def test_correlation_given_covariates_is_that_of_the_residuals():
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(50, 3))
    X, Y = rng.normal(size=(50, 2)) + Z[:, :1], rng.normal(size=(50, 2)) - Z[:, 1:2]
    r = partial_correlation(X, Y, Z)
    for i in range(2):
        for j in range(2):
            assert r[i, j] == pytest.approx(naive.partial(X[:, i], Y[:, j], list(Z.T)), abs=1e-12)


def test_constant_columns_and_columns_that_covariates_explain_have_no_correlation():
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(30, 2))
    X = np.column_stack([np.full(30, 0.1), Z @ [1.0, 2.0] + 5.0, rng.normal(size=30)])
    r = partial_correlation(X, X, Z)
    assert np.isnan(r[:2]).all()
    assert np.isnan(r[:, :2]).all()
    assert r[2, 2] == pytest.approx(1.0)


def test_basis_counts_dependent_and_constant_covariates_once():
    rng = np.random.default_rng(4)
    a = rng.normal(size=25)
    basis = spanning_basis(np.column_stack([a, 2 * a + 3, np.ones(25), rng.normal(size=25) * 1e-8]), 25)
    assert basis.shape == (25, 3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    assert spanning_basis(None, 25).shape == (25, 1)
    assert spanning_basis(np.ones((25, 2)), 25).shape == (25, 1)


def test_t_of_a_nearly_perfect_correlation_keeps_its_digits():
    x = np.linspace(-1.0, 1.0, 21)
    odd = np.tile([1.0, -1.0], 11)[:21]
    odd -= odd.mean()
    odd -= x * (odd @ x) / (x @ x)
    y = x + 1e-9 * odd
    basis = spanning_basis(None, 21)
    (u, _), (v, _) = unit_residuals(x[:, None], basis), unit_residuals(y[:, None], basis)
    r, unexplained = correlate(u, v)
    exact = np.sqrt((x @ x) / (1e-18 * (odd @ odd))) * np.sqrt(19)
    assert correlation_t(r, unexplained, 19)[0, 0] == pytest.approx(exact, rel=1e-6)
    r, unexplained = correlate(u, u)
    assert np.isfinite(correlation_t(r, unexplained, 19)[0, 0])


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_ranks_share_ties(values):
    np.testing.assert_array_equal(average_ranks(np.array(values, dtype=float)[:, None])[:, 0], naive.ranks(values))


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (1,), (57,), (57, 4)])
def test_ranks_are_scipys_also_with_infinities_and_nan(shape):
    values = np.random.default_rng(3).choice([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0, np.inf], size=shape)
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values, axis=0))
    values.ravel()[20:60:7] = np.nan
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values, axis=0))


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=6, max_size=40).filter(
        lambda rows: len({b for _, b in rows}) == 2 and len({v for v, _ in rows}) > 1
    )
)
@settings(max_examples=80, deadline=None)
def test_rank_sum_is_that_of_scipy(rows):
    values = np.array([v for v, _ in rows], dtype=float)
    group = np.array([b for _, b in rows], dtype=float)
    z, biserial = rank_sum(average_ranks(values[:, None]), group[:, None])
    expected = stats.mannwhitneyu(values[group == 1], values[group == 0], method="asymptotic", use_continuity=True)
    pairs = group.sum() * (1 - group).sum()
    assert biserial[0, 0] == pytest.approx(2 * expected.statistic / pairs - 1, abs=1e-12)
    assert 2 * stats.norm.sf(abs(z[0, 0])) == pytest.approx(expected.pvalue, rel=1e-10)


def test_rank_sum_of_a_constant_column_or_an_empty_group_is_undefined():
    z, biserial = rank_sum(average_ranks(np.arange(8.0)[:, None]), np.ones((8, 1)))
    assert np.isnan(z).all()
    assert np.isnan(biserial).all()
    z, biserial = rank_sum(average_ranks(np.ones((8, 1))), np.array([[0.0, 1.0] * 4]).T)
    assert np.isnan(z).all()
    assert np.isnan(biserial).all()
