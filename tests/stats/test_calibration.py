import numpy as np
import pytest

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.stats.calibration import calibration, calibration_at, calibration_gaps, calibration_spline
from radiolocus.stats.logistic import fit_logistic


def four(gaps):
    return [gaps.ici, gaps.e50, gaps.e90, gaps.largest]


def weak(found):
    return [found.intercept, found.intercept_error, found.slope, found.slope_error]


@pytest.mark.parametrize(("name", "state", "cause"), [("one", "e", None), ("cause1", "k", 1)])
def test_at_a_horizon_equals_prodlim_loess_and_geese(judged, told, name, state, cause):
    found = calibration_at(judged["t"], judged[state], judged["p"], 9, cause=cause, span=0.5)
    np.testing.assert_allclose(found.curve, told[f"loess.{name}"], atol=1e-10)
    np.testing.assert_allclose(four(found.gaps), told[f"ici.{name}"], atol=1e-10)
    np.testing.assert_allclose(weak(found), told[f"weak.{name}"], atol=1e-8)
    assert found.observed_expected == pytest.approx(told[f"oe.{name}"][0], abs=1e-10)


def test_of_a_class_equals_glm_and_loess(judged, told):
    found = calibration(judged["y"], judged["p"])
    np.testing.assert_allclose(four(found.gaps), told["binary.ici"], atol=1e-10)
    np.testing.assert_allclose(weak(found), told["binary.weak"], atol=1e-7)
    assert found.observed_expected == pytest.approx(told["binary.oe"][0], abs=1e-12)


def test_risks_recalibrated_on_the_same_labels_are_calibrated(judged):
    label = judged["y"]
    fit = fit_logistic(label, judged["s"])
    risk = 1 / (1 + np.exp(-(fit.intercept + fit.coefficient[0] * judged["s"])))
    found = calibration(label, risk)
    np.testing.assert_allclose([found.intercept, found.slope, found.observed_expected], [0, 1, 1], atol=1e-7)


def test_a_true_model_is_calibrated_and_a_wrong_one_is_not():
    rng = np.random.default_rng(8)
    hazard = np.exp(0.6 * rng.normal(size=2000) - 0.8)
    time = rng.exponential(1 / hazard)
    lost = rng.exponential(2.0, 2000)
    seen = np.minimum(time, lost), time <= lost
    true = 1 - np.exp(-hazard)
    found = calibration_at(*seen, true, 1.0)
    assert abs(found.intercept) < 3 * found.intercept_error
    assert abs(found.slope - 1) < 3 * found.slope_error
    assert found.gaps.ici < 0.03
    extreme = calibration_at(*seen, 1 - np.exp(-(hazard**2)), 1.0)
    assert extreme.slope == pytest.approx(0.5, abs=4 * extreme.slope_error)
    assert extreme.gaps.ici > 2 * found.gaps.ici


def test_gaps_are_those_of_a_list():
    gaps = calibration_gaps([0.1, 0.2, 0.3], [0.2, 0.2, 0.6])
    np.testing.assert_allclose(four(gaps), [0.4 / 3, 0.1, 0.26, 0.3], atol=1e-12)


def test_intercept_of_far_too_low_risks_is_found():
    label = np.r_[np.ones(40), np.zeros(20)]
    risk = np.linspace(1e-9, 1e-8, 60)
    found = calibration(label, np.random.default_rng(0).permutation(risk))
    assert np.mean(1 / (1 + np.exp(-(np.log(risk / (1 - risk)) + found.intercept)))) == pytest.approx(2 / 3, abs=1e-9)


@pytest.mark.parametrize(
    ("risk", "error", "words"),
    [
        ([0.1, 0.0, 0.3, 0.4], InputError, "risk 0"),
        ([0.1, 1.0, 0.3, 0.4], InputError, "risk 1"),
        ([0.1, 1.5, 0.3, 0.4], InputError, r"risk 1\.5"),
        ([0.2, 0.2, 0.2, 0.2], UndefinedError, "the same risk"),
        ([0.2, 0.3], InputError, "risks of shape"),
    ],
)
def test_unusable_risks_are_named(risk, error, words):
    with pytest.raises(error, match=words):
        calibration_at([1, 2, 3, 4], [1, 0, 1, 0], risk, 2)


def test_what_cannot_be_calibrated_says_why():
    with pytest.raises(UndefinedError, match="no events by time 1"):
        calibration_at([1, 2, 3, 4], [0, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], 1)
    with pytest.raises(UndefinedError, match="one class only"):
        calibration([1, 1, 1], [0.1, 0.2, 0.3])
    with pytest.raises(FitError, match="logit of the risk"):
        calibration([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match="horizon 8 beyond follow-up"):
        calibration_at([1, 2, 3, 4], [1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], 8)


def test_hazard_regression_equals_rms_and_coxph(judged, told):
    curve, gaps = calibration_spline(judged["t"], judged["e"], judged["p"], 9)
    np.testing.assert_allclose(four(gaps), told["spline.ici"], atol=1e-10)
    assert gaps == calibration_gaps(judged["p"], curve)


@pytest.mark.parametrize("knots", [3, 4, 5])
def test_hazard_regression_returns_a_true_model(knots):
    rng = np.random.default_rng(4)
    hazard = np.exp(0.5 * rng.normal(size=2500) - 0.7)
    time, lost = rng.exponential(1 / hazard), rng.exponential(2.0, 2500)
    _, gaps = calibration_spline(np.minimum(time, lost), time <= lost, 1 - np.exp(-hazard), 1.0, knots=knots)
    assert gaps.ici < 0.025


def test_hazard_regression_says_why_not(judged):
    with pytest.raises(InputError, match="7 knots"):
        calibration_spline(judged["t"], judged["e"], judged["p"], 9, knots=7)
    with pytest.raises(InputError, match="too many are equal for 3 knots"):
        calibration_spline([1, 2, 3, 4], [1, 0, 1, 0], [0.1, 0.2, 0.2, 0.2], 2)
