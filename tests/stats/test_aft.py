import numpy as np
import pytest
from scipy import optimize, stats

from radiolocus.errors import FitError, InputError
from radiolocus.stats.aft import aft_loglik, fit_aft

ERROR = {"weibull": stats.gumbel_l, "lognormal": stats.norm, "loglogistic": stats.logistic}


def draw(n=200, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    died, lost = np.exp(1 + X[:, 0] + 0.5 * rng.normal(size=n)), rng.exponential(8, n)
    return X, np.minimum(died, lost), (died <= lost).astype(float)


def naive(time, event, X, distribution, theta, ridge=0.0):
    """The log-likelihood written with scipy's densities, one patient after the other."""
    total = 0.0
    scale = np.exp(theta[-1])
    for t, e, x in zip(time, event, X, strict=True):
        z = (np.log(t) - theta[0] - x @ theta[1:-1]) / scale
        kind = ERROR[distribution]
        total += kind.logpdf(z) - np.log(scale * t) if e else kind.logsf(z)
    return total - 0.5 * len(time) * ridge * np.sum((theta[1:-1] / scale) ** 2)


@pytest.mark.parametrize("distribution", ERROR)
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_nothing_has_a_larger_likelihood(distribution, ridge):
    X, time, event = draw(20)
    fit = fit_aft(time, event, X, distribution=distribution, ridge=ridge)
    own = np.r_[fit.intercept, fit.coefficient, np.log(fit.scale)]
    assert fit.loglik == pytest.approx(naive(time, event, X, distribution, own), rel=1e-10)
    assert aft_loglik(fit, X, time, event) == pytest.approx(fit.loglik, rel=1e-10)
    best = optimize.minimize(lambda theta: -naive(time, event, X, distribution, theta, ridge), own + 0.05, tol=1e-10)
    np.testing.assert_allclose(best.x, own, atol=2e-5)


def test_the_truth_is_found():
    X, time, event = draw(4000)
    fit = fit_aft(time, event, X, distribution="lognormal")
    np.testing.assert_allclose([fit.intercept, *fit.coefficient, fit.scale], [1, 1, 0, 0.5], atol=0.04)
    error = np.sqrt(np.diag(fit.covariance))
    assert (np.abs(np.array([fit.intercept, *fit.coefficient]) - [1, 1, 0]) < 4 * error[:3]).all()


def test_survival_falls_from_one():
    X, time, event = draw()
    curve = fit_aft(time, event, X).survival(X[:5], [0.0, 1.0, 10.0, 1e9])
    np.testing.assert_array_equal(curve[:, 0], 1.0)
    assert (np.diff(curve, axis=1) < 0).all()
    assert (curve[:, 3] < 1e-12).all()


def test_a_ridge_takes_more_columns_than_patients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 80))
    fit = fit_aft(np.exp(X[:, 0]), np.ones(30), X, ridge=1.0)
    assert np.argmax(np.abs(fit.coefficient)) == 0


def test_bad_input_is_named():
    X, time, event = draw(20)
    with pytest.raises(InputError) as caught:
        fit_aft(np.r_[0.0, time[1:]], event, X)
    assert (caught.value.got, caught.value.where) == ("time 0", "index 0 (1 such)")
    with pytest.raises(FitError, match="no events among 20 patients"):
        fit_aft(time, np.zeros(20), X)
    with pytest.raises(InputError, match="distribution 'gamma'"):
        fit_aft(time, event, X, distribution="gamma")
    with pytest.raises(FitError):
        fit_aft(np.ones(20), np.ones(20), X)
    with pytest.raises(FitError, match="collinear"):
        fit_aft(time, event, np.column_stack([X, X[:, 0]]))


def test_the_likelihood_of_a_time_of_zero_is_refused_not_infinite():
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 0, 1])
    fit = fit_aft(time, event, None)
    with pytest.raises(InputError, match="time 0"):
        aft_loglik(fit, np.zeros((2, 0)), np.array([0.0, 1.0]), np.array([1, 0]))
