import numpy as np
import pytest

from monitored import reference_answers, reference_table
from naive import longitudinal as naive
from radiolocus.errors import FitError, InputError
from radiolocus.stats.longitudinal import _Deviance, fit_random_slope, sums_until


def drawn(n=120, seed=1, slope_sd=0.5, noise=0.4):
    rng = np.random.default_rng(seed)
    visits = rng.integers(1, 7, n)
    subject = np.repeat(np.arange(n), visits)
    time = rng.uniform(0, 4, subject.size)
    own = np.column_stack([rng.normal(1.0, 0.8, n), rng.normal(-0.3, slope_sd, n)])[subject]
    return subject, time, own[:, 0] + own[:, 1] * time + rng.normal(0, noise, subject.size)


@pytest.fixture(scope="module")
def told():
    return reference_answers()


@pytest.fixture(scope="module")
def scans():
    table, _ = reference_table()
    names = table["id"].unique(maintain_order=True).to_list()
    subject = np.array([names.index(s) for s in table["id"]])
    return subject, table["day"].to_numpy() / 100.0, np.log(table["volume_ml"].to_numpy())


def test_equals_lme4(scans, told):
    found = fit_random_slope(*scans)
    # Both stop where the deviance is flat: it agrees to the last digits, and its arguments to their square root.
    assert found.criterion == pytest.approx(told["lmm.criterion"], abs=1e-7)
    np.testing.assert_allclose(found.fixed, told["lmm.fixed"], rtol=1e-6)
    np.testing.assert_allclose(found.fixed_covariance.ravel(), told["lmm.vcov"], rtol=1e-5)
    np.testing.assert_allclose(found.random.ravel(), told["lmm.random"], rtol=1e-5)
    assert found.residual == pytest.approx(told["lmm.residual"], rel=1e-6)
    sums = sums_until(scans[0], scans[1], scans[2], np.arange(5), np.inf)
    np.testing.assert_allclose(found.course(sums, 0.0).effects.ravel(), told["lmm.ranef"], rtol=1e-5, atol=1e-7)


def test_intercepts_alone_equal_lme4(scans, told):
    found = fit_random_slope(*scans, slopes=False)
    assert found.criterion == pytest.approx(told["intercepts.criterion"], abs=1e-7)
    np.testing.assert_allclose(found.fixed, told["intercepts.fixed"], rtol=1e-5)
    np.testing.assert_allclose(found.random, [[told["intercepts.random"], 0], [0, 0]], rtol=1e-5)


def test_predictions_until_a_time_equal_matrices_in_r(scans, told):
    table, clinical = reference_table()
    names = table["id"].unique(maintain_order=True).to_list()
    first = [names.index(s) for s in clinical.filter(clinical["days"] > 180)["id"][:5]]
    found = fit_random_slope(*scans)
    course = found.course(sums_until(*scans, first, 1.8), 1.8)
    for k in range(5):
        np.testing.assert_allclose(course.effects[k], told[f"blup.{k}"], rtol=1e-5, atol=1e-7)


def test_no_nearby_variances_are_more_likely_by_whole_matrices():
    data = drawn(40)
    found = fit_random_slope(*data)
    best, fixed = naive.deviance(*data, found.random, found.residual)
    assert best == pytest.approx(found.criterion, abs=1e-8)
    np.testing.assert_allclose(fixed, found.fixed, rtol=1e-9)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        for change in (-1e-3, 1e-3):
            other = found.random.copy()
            other[i, j] += change
            other[j, i] = other[i, j]
            assert naive.deviance(*data, other, found.residual)[0] > best
    for factor in (0.999, 1.001):
        assert naive.deviance(*data, found.random, factor * found.residual)[0] > best


@pytest.mark.parametrize("slopes", [True, False])
def test_the_derivative_is_that_of_the_deviance(slopes):
    subject, time, value = drawn(30)
    model = _Deviance(sums_until(subject, time, value, np.arange(30), np.inf), slopes)
    theta = np.array([0.9, -0.3, 0.6])[: model.size]
    for j in range(model.size):
        step = np.eye(model.size)[j] * 1e-6
        difference = (model.at(theta + step).deviance - model.at(theta - step).deviance) / 2e-6
        assert model.at(theta).gradient[j] == pytest.approx(difference, rel=1e-6)


def test_predictions_equal_whole_matrices():
    subject, time, value = drawn(40)
    found = fit_random_slope(subject, time, value)
    course = found.course(sums_until(subject, time, value, [3, 7], [2.0, 4.0]), [2.0, 4.0])
    for k, (i, until) in enumerate([(3, 2.0), (7, 4.0)]):
        rows = (subject == i) & (time <= until)
        effects, covariance = naive.prediction(time[rows], value[rows], found.fixed, found.random, found.residual)
        np.testing.assert_allclose(course.effects[k], effects, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(course.covariance[k], covariance, rtol=1e-8, atol=1e-12)
        own = found.fixed + effects
        assert course.level[k] == pytest.approx(own @ [1, until])
        assert course.level_error(until)[k] ** 2 == pytest.approx([1, until] @ covariance @ [1, until])


def test_recovers_the_truth():
    found = fit_random_slope(*drawn(800, seed=2))
    np.testing.assert_allclose(found.fixed, [1.0, -0.3], atol=0.08)
    np.testing.assert_allclose(np.sqrt(np.diag(found.random)), [0.8, 0.5], atol=0.06)
    assert np.sqrt(found.residual) == pytest.approx(0.4, abs=0.02)


def test_units_and_order_change_nothing_but_units():
    subject, time, value = drawn(60)
    found = fit_random_slope(subject, time, value)
    order = np.random.default_rng(3).permutation(subject.size)
    other = fit_random_slope(subject[order], 30.0 * time[order] - 7.0, 5.0 * value[order] + 100.0)
    assert other.fixed[1] == pytest.approx(found.fixed[1] * 5 / 30, rel=1e-6)
    assert other.random[1, 1] == pytest.approx(found.random[1, 1] * (5 / 30) ** 2, rel=1e-5)
    here = found.course(sums_until(subject, time, value, [4], [3.0]), 3.0)
    there = other.course(sums_until(subject[order], 30 * time[order] - 7, 5 * value[order] + 100, [4], [83.0]), 83.0)
    assert there.level[0] == pytest.approx(5 * here.level[0] + 100, rel=1e-6)


def test_draws_have_the_covariance_that_is_told():
    subject, time, value = drawn(40)
    found = fit_random_slope(subject, time, value)
    sums = sums_until(subject, time, value, np.zeros(20_000, dtype=int), np.inf)
    course = found.course(sums, 0.0)
    draws = course.draw(np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(draws.T), course.covariance[0], atol=0.03 * course.covariance[0].max())


def test_slopes_that_do_not_vary_are_a_boundary_and_no_failure():
    found = fit_random_slope(*drawn(150, seed=4, slope_sd=0.0, noise=1.5))
    assert found.random[1, 1] < 0.02
    flat = drawn(60, seed=8, slope_sd=0.0, noise=3.0)
    assert np.isfinite(fit_random_slope(*flat).criterion)


def test_without_a_visit_everybody_is_expected():
    subject, time, value = drawn(40)
    found = fit_random_slope(subject, time, value)
    course = found.course(sums_until(subject, time, value, [0], [-1.0]), 2.0)
    assert course.level[0] == pytest.approx(found.fixed @ [1, 2])
    np.testing.assert_allclose(course.covariance[0], found.random, rtol=1e-9)


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(FitError, match="0 of 3 subjects with three visits or more"):
        fit_random_slope([1, 2, 3], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(FitError, match="one time at all 4 visits"):
        fit_random_slope([1, 1, 2, 2], np.zeros(4), [1.0, 2.0, 3.0, 5.0], slopes=False)
    t = np.tile([0.0, 1.0, 2.0], 5)
    with pytest.raises(FitError, match="its own line"):
        fit_random_slope(np.repeat(np.arange(5), 3), t, np.repeat(np.arange(5.0), 3) * t)
    with pytest.raises(InputError, match="1 subjects, 2 times"):
        fit_random_slope([1], [0.0, 1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="without a finite time"):
        fit_random_slope([1, 1], [0.0, np.nan], [1.0, 2.0])
