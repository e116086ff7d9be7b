"""How well a number is predicted: against scipy fold by fold, and simulated truth."""

import numpy as np
import pytest
from scipy import stats

from radiolocus.errors import InputError, UndefinedError
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.numbers import explained, number_metrics, training_mean
from radiolocus.learn.target import Target
from radiolocus.stats.conformal import conformal_interval


def predicted(n=60, seed=0, strength=1.0):
    rng = np.random.default_rng(seed)
    y = rng.normal(10, 2, n)
    fold = draw_folds(Target(y, number=True), 5, np.random.SeedSequence(seed)).fold
    return Target(y, number=True), strength * (y - 10) + rng.normal(10, 1, n), fold


def table_of(target, p, fold, draws=200):
    means = np.array([training_mean(target, f) for f in fold])
    return {m.metric: m for m in number_metrics(target, p, fold, means, draws)}


def test_estimates_are_those_of_scipy_within_folds():
    target, p, fold = predicted()
    p[fold == 2] = 7.0  # everybody alike: no correlation there
    found = table_of(target, p[None], fold[None])
    y, rho, together, spread = target.event, [], 0.0, 0.0
    mean = np.array([y[fold != k].mean() for k in fold])
    for k in range(5):
        a, b = y[fold == k], p[fold == k]
        rho.append((stats.spearmanr(a, b).statistic if k != 2 else 0.0, a.size))
        together += ((a - a.mean()) * (b - b.mean())).sum()
        spread += np.square(b - b.mean()).sum()
    expected = {
        "R²": 1 - np.square(y - p).sum() / np.square(y - mean).sum(),
        "root mean squared error": np.sqrt(np.mean((y - p) ** 2)),
        "Spearman's ρ": np.average([r for r, _ in rho], weights=[n for _, n in rho]),
        "calibration slope": together / spread,
        "mean error": np.mean(y - p),
    }
    assert {k: m.estimate for k, m in found.items()} == pytest.approx(expected, rel=1e-10)
    assert found["R²"].estimate == pytest.approx(explained(target, p, fold))
    assert all(m.lower < m.estimate < m.upper for m in found.values())
    assert found["root mean squared error"].reference == pytest.approx(np.sqrt(np.mean((y - mean) ** 2)))


def test_a_draw_is_the_statistic_of_the_subjects_drawn():
    target, p, fold = predicted(40)
    one = number_metrics(target, p[None], fold[None], training_mean(target, fold)[None], draws=2, seed=3)
    rows = np.random.default_rng(3)
    drawn = [rows.integers(40, size=40) for _ in range(2)]
    for j, name in ((2, "Spearman's ρ"), (1, "root mean squared error")):
        values = []
        for chosen in drawn:
            y, q, f = target.event[chosen], p[chosen], fold[chosen]
            parts = [(stats.spearmanr(y[f == k], q[f == k]).statistic, (f == k).sum()) for k in np.unique(f)]
            rho, size = zip(*parts, strict=True)
            values.append(np.average(rho, weights=size) if j == 2 else np.sqrt(np.mean((y - q) ** 2)))
        assert one[j].metric == name
        # Copies of a subject tie with themselves, which mid-ranks know: the numbers are the same.
        assert (one[j].lower, one[j].upper) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), rel=1e-9)


def test_predicting_the_training_mean_is_worth_nothing_and_has_no_slope():
    target, _, fold = predicted()
    mean = training_mean(target, fold)
    found = table_of(target, mean[None], fold[None])
    assert found["R²"].estimate == pytest.approx(0.0, abs=1e-12)
    assert found["Spearman's ρ"].estimate == 0.0
    assert "calibration slope" not in found
    with pytest.raises(UndefinedError, match="one value among 4"):
        number_metrics(Target(np.ones(4), number=True), np.ones((1, 4)), np.zeros((1, 4), int), np.ones((1, 4)))


def test_folds_of_a_number_have_like_means():
    target, _, _ = predicted(100, seed=4)
    folds = draw_folds(target, 5, np.random.SeedSequence(1))
    assert np.bincount(folds.fold).tolist() == [20] * 5
    means = [target.event[folds.fold == k].mean() for k in range(5)]
    assert np.ptp(means) < 1.0  # at random: standard deviation 0.45 each, a range of about 1.0


def test_conformal_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    held = []
    for _ in range(40):
        y, fold = rng.normal(size=60), np.arange(60) % 5
        x = y + rng.normal(0, 0.7, 60)
        model = np.array([np.polyfit(x[fold != k], y[fold != k], 1) for k in range(5)])
        residual = y - (model[fold, 0] * x + model[fold, 1])
        truth = rng.normal(size=50)
        centre = model[:, :1] * (truth + rng.normal(0, 0.7, 50)) + model[:, 1:]
        lower, upper = conformal_interval(residual, fold, centre, 0.8)
        held.append(np.mean((lower <= truth) & (truth <= upper)))
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


def test_conformal_interval_by_hand_and_what_it_refuses():
    lower, upper = conformal_interval([0.1, -0.2, 0.3, 0.4], [0, 0, 1, 1], [[1.0], [2.0]], 0.8)
    assert (lower[0], upper[0]) == pytest.approx((0.8, 2.4))  # first and last of four: (n + 1) α = 1
    lower, upper = conformal_interval([0.1, -0.2], [0, 1], [[1.0], [2.0]], 0.9)
    assert (lower[0], upper[0]) == (-np.inf, np.inf), "two residuals cannot bound nine tenths"
    with pytest.raises(InputError, match="residuals of shape"):
        conformal_interval([0.1], [0, 1], [[1.0]], 0.9)
    with pytest.raises(InputError, match="not finite"):
        conformal_interval([np.nan], [0], [[1.0]], 0.9)
