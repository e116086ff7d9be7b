import numpy as np
import pytest

from naive import out_of_fold as naive
from radiolocus.errors import InputError, UndefinedError
from radiolocus.learn.horizons import horizons_of, out_of_fold_at_horizons, truncation_of
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import uno_c
from radiolocus.stats.horizon import auc_at, brier_at
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

METRICS = ["Uno C", "AUC(t)", "Brier(t)", "Brier(t) without predictors"]


def sample(n=40, repeats=2, seed=0):
    rng = np.random.default_rng(seed)
    event, time = (rng.random(n) < 0.6).astype(float), np.ceil(rng.exponential(6, n))
    prediction = (rng.normal(size=(repeats, n)) - 0.2 * time).round(1)
    fold = np.array([rng.permutation(n) % 3 for _ in range(repeats)])
    risk = 1 / (1 + np.exp(-prediction))[:, :, None] * np.array([0.5, 0.8])
    return Target(event, time), prediction, fold, risk, np.full_like(risk, 0.4)


def test_estimates_and_intervals_are_those_of_counting():
    target, prediction, fold, risk, bare = sample()
    found = out_of_fold_at_horizons(target, prediction, fold, risk, bare, [3.0, 6.0], draws=8, seed=3)
    assert [f.metric for f in found] == [METRICS[0], *np.repeat(METRICS[1:], 2)]
    truncation = truncation_of(target.time, target.event)
    assert [f.time for f in found] == [truncation, 3, 6, 3, 6, 3, 6]

    def each(weight, j, t):
        repeats = zip(prediction, fold, risk[:, :, j], strict=True)
        return [naive.at_horizon(target.time, target.event, p, f, r, t, truncation, weight) for p, f, r in repeats]

    weights = np.concatenate(list(bootstrap_weights(40, 8, 3)))
    for j, t in enumerate([3.0, 6.0]):
        whole = np.mean(each(np.ones(40), j, t), axis=0)
        drawn = np.concatenate([each(w, j, t) for w in weights])
        for k, place in enumerate([0, 1 + j, 3 + j]):
            interval = percentile_interval(drawn[:, k])
            answer = found[place]
            np.testing.assert_allclose(
                [answer.estimate, answer.lower, answer.upper], [whole[k], interval.lower, interval.upper], rtol=1e-10
            )
            assert answer.events == np.sum((target.event == 1) & (target.time <= answer.time))


def test_one_fold_and_one_repeat_are_the_ordinary_statistics():
    target, prediction, _, risk, bare = sample(80)
    together = np.zeros((1, 80), np.int64)
    found = out_of_fold_at_horizons(target, prediction[:1], together, risk[:1], bare[:1], [3.0, 6.0], draws=10)
    uno = uno_c(target.time, target.event, prediction[0], truncation=found[0].time)
    expected = [
        uno.estimate,
        *auc_at(target.time, target.event, prediction[0], [3, 6]),
        *brier_at(target.time, target.event, risk[0], [3, 6]),
        *brier_at(target.time, target.event, bare[0], [3, 6]),
    ]
    np.testing.assert_allclose([f.estimate for f in found], expected, rtol=1e-12)
    assert found[0].events == uno.events


def test_horizons_are_those_wanted_within_follow_up_or_the_median_event():
    target = Target(np.array([1.0, 1, 0, 1, 1]), np.array([1.0, 4, 9, 2, 8]))
    assert horizons_of(target, ()) == (2.0,)
    assert horizons_of(target, (9, 5, 0.5, 20)) == (0.5, 5)
    assert horizons_of(Target(np.array([1.0, 0])), (5,)) == ()
    assert horizons_of(Target(np.array([0.0, 0]), np.array([1.0, 2])), ()) == ()
    assert horizons_of(Target(np.array([1.0, 0]), np.array([0.0, 2])), ()) == ()


def test_unos_c_ends_where_few_are_followed():
    time, event = np.arange(1.0, 41), np.ones(40)
    assert truncation_of(time, event) == 37  # four of forty are still followed
    assert truncation_of(np.r_[np.ones(30), 5], np.r_[np.zeros(30), 1]) == 5


def test_what_cannot_be_judged_says_why():
    target, prediction, fold, risk, bare = sample()
    with pytest.raises(InputError, match="an endpoint without times"):
        out_of_fold_at_horizons(Target(target.event), prediction, fold, risk, bare, [3.0, 6.0])
    alone = np.arange(40)[None, :]
    with pytest.raises(UndefinedError, match=r"Uno C at .* has no value in repetition 0"):
        out_of_fold_at_horizons(target, prediction[:1], alone, risk[:1], bare[:1], [3.0, 6.0], draws=5)
