import numpy as np
import pytest
from scipy import optimize, special

from radiolocus.errors import FitError, InputError
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.ordinal import fit_multinomial, fit_ordinal


def draw(n=150, seed=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, np.digitize(1.5 * X[:, 0] + rng.logistic(size=n), [-1.0, 1.0]).astype(float)


def naive(code, X, theta, ridge):
    beta, cuts = theta[:2], np.r_[-np.inf, theta[2:], np.inf]
    total = 0.0
    for k, x in zip(code.astype(int), X, strict=True):
        total += np.log(special.expit(cuts[k + 1] - x @ beta) - special.expit(cuts[k] - x @ beta))
    return total - 0.5 * len(code) * ridge * np.sum(beta**2)


@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_nothing_has_a_larger_likelihood(ridge):
    X, code = draw(40)
    fit = fit_ordinal(code, X, 3, ridge=ridge)
    own = np.r_[fit.coefficient, fit.threshold]
    assert fit.loglik == pytest.approx(naive(code, X, own, 0.0), rel=1e-10)
    best = optimize.minimize(lambda theta: -naive(code, X, theta, ridge), own + 0.05, tol=1e-10)
    np.testing.assert_allclose(best.x, own, atol=2e-5)


def test_two_classes_are_a_logistic_model():
    X, code = draw()
    binary = (code > 0).astype(float)
    ordinal, logistic = fit_ordinal(binary, X, 2), fit_logistic(binary, X)
    np.testing.assert_allclose(ordinal.coefficient, logistic.coefficient, rtol=1e-8)
    np.testing.assert_allclose(-ordinal.threshold[0], logistic.intercept, rtol=1e-8)
    np.testing.assert_allclose(ordinal.covariance[:2, :2], logistic.covariance[:2, :2], rtol=1e-7)


def test_probabilities_add_up_and_far_values_lose_no_digits():
    X, code = draw()
    for fit in (fit_ordinal(code, X, 3), fit_multinomial(code, X, 3, ridge=0.1)):
        probability = fit.probability(X * 30)
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-12)
        assert (probability >= 0).all()


def test_multinomial_is_stationary_and_symmetric():
    X, code = draw()
    fit = fit_multinomial(code, X, 3, ridge=0.1)
    residual = fit.probability(X) - np.eye(3)[code.astype(int)]
    np.testing.assert_allclose(X.T @ residual / 150 + 0.1 * fit.coefficient, 0.0, atol=1e-6)
    np.testing.assert_allclose(residual.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(fit.coefficient.sum(axis=1), 0.0, atol=1e-12)


def test_bad_input_is_named():
    X, code = draw()
    with pytest.raises(FitError, match="nobody of class 3"):
        fit_ordinal(code, X, 4)
    with pytest.raises(InputError, match="no class numbers"):
        fit_ordinal(code + 0.5, X, 3)
    with pytest.raises(InputError, match="ridge = 0"):
        fit_multinomial(code, X, 3, ridge=0.0)
    with pytest.raises(FitError, match="separation"):
        fit_ordinal(np.repeat([0.0, 1.0, 2.0], 5), np.arange(15.0)[:, None], 3)
