import numpy as np
import pytest

from naive import out_of_fold as naive
from radiolocus.errors import UndefinedError
from radiolocus.learn import discrimination
from radiolocus.learn.discrimination import discrimination_batch, out_of_fold_discrimination
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import auc, auc_bootstrap, harrell_c, harrell_c_bootstrap
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval


def sample(kind, n=40, seed=0):
    rng = np.random.default_rng(seed)
    event = (rng.random(n) < 0.5).astype(float)
    time = np.ceil(rng.exponential(5, n)) if kind == "survival" else None
    prediction = rng.normal(size=(3, n)).round(1) + event
    fold = np.array([rng.permutation(n) % 4 for _ in range(3)])
    return Target(event, time), prediction, fold


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_estimate_and_interval_are_those_of_counting_pairs(kind):
    target, prediction, fold = sample(kind)
    found = out_of_fold_discrimination(target, prediction, fold, draws=20, seed=3)

    def each(weight):
        parts = zip(prediction, fold, strict=True)
        return [naive.statistic(target.time, target.event, p, f, weight) for p, f in parts]

    assert found.estimate == pytest.approx(np.mean(each(np.ones(40))), rel=1e-12)
    stratum = target.event if kind == "binary" else None
    weights = np.concatenate(list(bootstrap_weights(40, 20, 3, stratum=stratum)))
    expected = percentile_interval(np.array([each(w) for w in weights]).ravel())
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper), rel=1e-12)
    assert found.repeats.mean() == found.estimate


def test_one_fold_and_one_repeat_are_the_ordinary_statistic():
    target, prediction, _ = sample("survival")
    together = np.zeros((1, 40), np.int64)
    found = out_of_fold_discrimination(target, prediction[:1], together, draws=50, seed=2)
    assert found.estimate == pytest.approx(harrell_c(target.time, target.event, prediction[0]).estimate, rel=1e-14)


def test_a_model_that_knows_nothing_is_at_one_half_although_its_baselines_differ():
    # Each fold is predicted by the event rate of the others: pooled over folds that ranks exactly the wrong way.
    event = np.r_[np.ones(3), np.zeros(7), np.ones(5), np.zeros(5)]
    fold = np.repeat([[0, 1]], 10, axis=1).reshape(1, 20, order="F")
    fold = np.sort(fold, axis=1)
    rate = np.where(fold[0] == 0, event[10:].mean(), event[:10].mean())
    assert auc(event, rate) < 0.45
    found = out_of_fold_discrimination(Target(event), rate[None, :], fold, draws=50)
    assert (found.estimate, found.lower, found.upper) == (0.5, 0.5, 0.5)


def test_more_repeats_of_the_same_predictions_do_not_narrow_the_interval():
    target, prediction, fold = sample("survival", 80)
    once = out_of_fold_discrimination(target, prediction[:1], fold[:1], draws=200)
    often = out_of_fold_discrimination(target, np.tile(prediction[:1], (9, 1)), np.tile(fold[:1], (9, 1)), draws=200)
    assert (often.lower, often.upper) == pytest.approx((once.lower, once.upper), rel=1e-12)


def test_folds_without_a_comparable_pair_are_an_error():
    target = Target(np.array([1.0, 0.0, 0.0, 1.0]), np.array([5.0, 1.0, 1.0, 6.0]))
    with pytest.raises(UndefinedError) as caught:
        out_of_fold_discrimination(target, np.zeros((1, 4)), np.array([[0, 0, 1, 1]]))
    assert "no comparable pair inside the folds of repetition 0 (2 events among 4 patients)" in caught.value.got
    assert caught.value.todo == "use fewer folds"


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("dense", [True, False])
def test_batch_equals_the_single_statistic_and_its_bootstrap(kind, dense, monkeypatch):
    monkeypatch.setattr(discrimination, "_DENSE", 1e9 if dense else 0)
    target, prediction, _ = sample(kind, 60)
    found = discrimination_batch(target, prediction.T, draws=100, seed=5)
    for row, score in zip(found, prediction, strict=True):
        if kind == "survival":
            estimate = harrell_c(target.time, target.event, score).estimate
            draws = harrell_c_bootstrap(target.time, target.event, score, 100, 5)
        else:
            estimate, draws = auc(target.event, score), auc_bootstrap(target.event, score, 100, 5)
        interval = percentile_interval(draws)
        np.testing.assert_allclose(row, [estimate, interval.lower, interval.upper], rtol=1e-12)


def test_batch_without_comparable_pairs_is_an_error():
    with pytest.raises(UndefinedError, match="no comparable pair among 2 patients with 1 events"):
        discrimination_batch(Target(np.array([0.0, 1.0]), np.array([1.0, 2.0])), np.ones((2, 1)))
