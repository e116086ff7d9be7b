"""Average effects: published intervals, exact balance, the sandwich, double robustness."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit

from naive.benefit import newcombe
from radiolocus.errors import FitError, InputError
from radiolocus.stats.effects import (
    Estimate,
    doubly_robust_scores,
    effective_size,
    mean_estimate,
    number_needed,
    overlap_weighted,
    rate_difference,
    standardised_differences,
)


def observed(n=400, seed=2, effect=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1, 4, 0.1]
    e = expit(0.8 * X[:, 0] - 0.1 * X[:, 1])
    a = rng.random(n) < e
    y = 2 * X[:, 0] + effect * a + rng.normal(size=n)
    return y, a, X, e


@pytest.mark.parametrize(
    ("treated", "control", "lower", "upper"),
    # Newcombe 1998, table II, method 10.
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_newcombe_as_published(treated, control, lower, upper):
    found = rate_difference(treated, control)
    assert (round(found.lower, 4), round(found.upper, 4)) == (lower, upper)
    np.testing.assert_allclose((found.lower, found.upper), newcombe(*treated, *control), rtol=1e-12)


def test_overlap_weights_balance_exactly():
    y, a, X, _ = observed()
    found, weight = overlap_weighted(y, a, X)
    np.testing.assert_allclose(standardised_differences(X, a, weight), 0.0, atol=1e-8)
    assert np.abs(standardised_differences(X, a)).max() > 0.5
    assert abs(found.estimate - 1.0) < 3 * found.standard_error
    assert effective_size(weight) < a.size
    # Without confounders they are the plain difference.
    plain, _ = overlap_weighted(y, a, X[:, :0])
    assert plain.estimate == pytest.approx(y[a].mean() - y[~a].mean())


def test_sandwich_is_that_of_the_stacked_equations():
    """The same estimator written as one vector of estimating equations, its bread by numerical derivatives."""
    y, a, X, _ = observed(n=150)
    Z = np.column_stack([np.ones(150), X])
    found, _ = overlap_weighted(y, a, X)

    def equations(theta):
        e = expit(Z @ theta[:4])
        one, none = theta[4], theta[5]
        parts = [Z * (a - e)[:, None], (a * (1 - e) * (y - one))[:, None], (~a * e * (y - none))[:, None]]
        return np.hstack(parts)

    from scipy.optimize import root

    theta = root(lambda t: equations(t).sum(axis=0), np.r_[np.zeros(4), 1.0, 0.0], tol=1e-12).x
    bread = np.array([approx_fprime(theta, lambda t, j=j: equations(t)[:, j].sum(), 1e-6) for j in range(6)])
    meat = equations(theta).T @ equations(theta)
    inverse = np.linalg.inv(bread)
    variance = inverse @ meat @ inverse.T
    contrast = np.r_[np.zeros(4), 1.0, -1.0]
    assert found.estimate == pytest.approx(theta[4] - theta[5], rel=1e-6)
    assert found.standard_error == pytest.approx(np.sqrt(contrast @ variance @ contrast), rel=1e-3)


def test_treatment_told_by_a_confounder_has_no_overlap():
    y, _, X, _ = observed(n=60)
    with pytest.raises(FitError, match="separation"):
        overlap_weighted(y, X[:, 0] > 0, X)


@pytest.mark.parametrize("wrong", ["outcome", "propensity"])
def test_scores_are_doubly_robust(wrong):
    y, a, X, e = observed(n=4000)
    mu = (2 * X[:, 0], 2 * X[:, 0] + 1)
    if wrong == "outcome":
        mu = (np.zeros(4000), np.zeros(4000))
    else:
        e = np.full(4000, 0.5)
    none, one = doubly_robust_scores(y, a, mu, e)
    found = mean_estimate(one - none)
    assert abs(found.estimate - 1.0) < 3.5 * found.standard_error
    assert abs((y[a].mean() - y[~a].mean()) - 1.0) > 0.5  # what confounding makes of it
    with pytest.raises(InputError, match="propensity of 0 or 1"):
        doubly_robust_scores(y, a, mu, np.where(a, 1.0, 0.5))


def test_standardised_differences():
    X = np.column_stack([[1.0, 2, 3, 4, 5, 7], [1, 1, 1, 1, 1, 1], [1, np.nan, 2, 5, 6, 8]])
    a = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    found = standardised_differences(X, a)
    assert found[0] == pytest.approx((2 - 16 / 3) / np.sqrt((1 + 7 / 3) / 2))
    assert np.isnan(found[1])
    assert found[2] == pytest.approx((1.5 - 19 / 3) / np.sqrt((0.5 + 7 / 3) / 2))


def test_number_needed_inverts_the_interval():
    assert number_needed(Estimate(0.25, 0.1, 0.05, 0.5, 10)) == (4.0, 2.0, 20.0)
    number, lower, upper = number_needed(Estimate(0.1, 0.1, -0.05, 0.25, 10))
    assert (number, lower, upper) == (10.0, 4.0, -20.0)  # through infinity
    assert number_needed(Estimate(0.0, 0.1, -0.2, 0.2, 10))[0] == np.inf


def test_rates_that_cannot_be():
    with pytest.raises(InputError, match="5 events among 4 subjects"):
        rate_difference((5, 4), (1, 4))
    with pytest.raises(InputError, match="1 scores"):
        mean_estimate([1.0])
