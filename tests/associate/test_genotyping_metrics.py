"""Metrics of out-of-fold probabilities: by hand, and against the same numbers made another way."""

import numpy as np
import pytest

from radiolocus.associate import genotyping_metrics as metrics
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.target import Target
from radiolocus.stats.calibration import calibration


def predicted(n=80, repeats=2, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(float)
    risk = 1 / (1 + np.exp(-rng.normal(1.5 * y - 0.8, 1.0, (repeats, n))))
    fold = np.stack([rng.permutation(np.arange(n) % 5) for _ in range(repeats)])
    return Target(y), risk, fold


def test_the_area_under_the_roc_curve_is_the_auc_within_folds():
    target, risk, fold = predicted(n=400)
    curve = metrics.pooled_roc(target, risk, fold, 20, 1)
    auc = out_of_fold_discrimination(target, risk, fold, 50).estimate
    # The curve is right-continuous on a grid of fifty steps: trapezoids are off by half a step at most.
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(auc, abs=0.01)
    assert (np.diff(curve.y) >= -1e-12).all()
    assert (curve.lower <= curve.y + 0.05).all()
    assert (curve.upper >= curve.y - 0.05).all()


def test_predictions_without_information_lie_on_the_diagonal():
    target, _, fold = predicted()
    curve = metrics.pooled_roc(target, np.full(fold.shape, 0.4), fold, 10, 1)
    assert curve.y[curve.x < 0.5].max() == 0.0
    assert curve.y[curve.x >= 0.5].min() == 1.0  # ties stand in the middle: half of the strangers are above


def test_calls_by_hand():
    target = Target([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    call = np.array([[1, 1, 1, 0, 1, 0, 0, 0, 0, 0]], dtype=bool)
    found = {e.metric: e for e in metrics.called(target, call, 200, 1)}
    assert found["sensitivity"].estimate == 0.75
    assert found["specificity"].estimate == pytest.approx(5 / 6)
    assert found["positive predictive value"].estimate == 0.75
    assert found["negative predictive value"].estimate == pytest.approx(5 / 6)
    assert found["balanced accuracy"].estimate == pytest.approx(0.5 * (0.75 + 5 / 6))
    assert found["positive predictive value"].reference == 0.4
    assert all(e.lower <= e.estimate <= e.upper for e in found.values())


def test_nobody_called_has_no_predictive_value():
    found = {e.metric: e for e in metrics.called(Target([1, 1, 0, 0]), np.zeros((1, 4), bool), 50, 1)}
    assert np.isnan(found["positive predictive value"].estimate)
    assert found["sensitivity"].estimate == 0.0


def test_brier_score_is_the_mean_squared_error_of_one_class():
    target, risk, _ = predicted()
    found = metrics.quadratic(target, np.stack([1 - risk, risk], axis=2), 50, 1)
    assert found.estimate == pytest.approx(np.mean((risk - target.event) ** 2))
    assert found.reference == pytest.approx(target.event.mean() * (1 - target.event.mean()))


def test_calibration_is_the_mean_over_repetitions():
    target, risk, _ = predicted()
    each = [calibration(target.event, r) for r in risk]
    slope, intercept = metrics.calibration_of(target, risk)
    assert slope.estimate == pytest.approx(np.mean([c.slope for c in each]))
    assert intercept.estimate == pytest.approx(np.mean([c.intercept for c in each]))
    assert slope.upper - slope.lower >= 2 * 1.95 * min(c.slope_error for c in each)
    assert metrics.calibration_of(target, np.full_like(risk, 0.3)) == []


def test_wilson_interval():
    # Newcombe (1998) Stat Med 17:857, table I: 81 of 263 has 0.2553 to 0.3662; 15 of 148 has 0.0624 to 0.1605.
    low, high = metrics.wilson(np.array([81 / 263, 15 / 148]), np.array([263.0, 148.0]))
    assert low == pytest.approx([0.2553, 0.0624], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605], abs=5e-5)


def test_net_benefit_of_treating_everybody():
    target, risk, _ = predicted()
    model, everybody = metrics.net_benefit(target, risk, 20, 1)
    share = target.event.mean()
    assert everybody.y == pytest.approx(share - (1 - share) * everybody.x / (1 - everybody.x))
    assert model.y[0] >= everybody.y[0] - 0.02


def test_the_most_probable_class():
    target = Target([0, 0, 1, 2], levels=("a", "b", "c"))
    probability = np.eye(3)[[[0, 1, 1, 2]]]
    found = metrics.recall_of(target, probability, 50, 1)
    assert found.estimate == pytest.approx((0.5 + 1 + 1) / 3)
    assert found.reference == pytest.approx(1 / 3)
