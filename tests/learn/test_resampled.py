import numpy as np
import pytest

from radiolocus.errors import UndefinedError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.resampled import resampled_discrimination
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import auc


def bags(effect, n=60, p=15, draws=12, seed=0):
    """What a weakly penalised model makes of bootstrap samples."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    target = Target((effect * X[:, 0] + rng.logistic(size=n) > 0).astype(float))
    predictors = Predictors(X, tuple(f"x{j}" for j in range(p)), ("imaging",) * p, np.zeros((n, 0), np.int64))
    protocol = Protocol(ProtocolOptions(split="bootstrap", penalties=6, inner_folds=3), "ridge")
    found = [protocol.draw(predictors, target, k) for k in range(draws + 1)]
    return (
        target,
        found[0].prediction,
        np.array([b.prediction for b in found[1:]]),
        np.array([b.times for b in found[1:]]),
    )


def test_numbers_are_those_of_the_definitions():
    rng = np.random.default_rng(2)
    target = Target(np.r_[np.ones(15), np.zeros(20)])
    own, scores = rng.normal(size=35) + target.event, rng.normal(size=(4, 35)) + target.event
    times = np.array([np.bincount(rng.integers(35, size=35), minlength=35) for _ in range(4)])
    apparent = auc(target.event, own)
    inside = [auc(np.repeat(target.event, t), np.repeat(s, t)) for s, t in zip(scores, times, strict=True)]
    whole = [auc(target.event, s) for s in scores]
    outside = np.mean([auc(target.event[t == 0], s[t == 0]) for s, t in zip(scores, times, strict=True)])
    found = {r.method: r for r in resampled_discrimination(target, own, scores, times, draws=100)}
    assert found["apparent"].estimate == pytest.approx(apparent, rel=1e-12)
    assert found["optimism"].estimate == pytest.approx(apparent - np.mean(np.subtract(inside, whole)), rel=1e-12)
    assert found[".632"].estimate == pytest.approx(0.368 * apparent + 0.632 * outside, rel=1e-12)
    rate = np.clip((apparent - outside) / (apparent - 0.5), 0, 1)
    weight = 0.632 / (1 - 0.368 * rate)
    assert found[".632+"].estimate == pytest.approx((1 - weight) * apparent + weight * outside, rel=1e-12)
    width = {round(r.upper - r.lower, 12) for r in found.values()}
    assert len(width) == 1, "the interval is moved, not changed"
    assert found["optimism"].samples == 4


def test_what_overfits_wholly_has_no_information_by_632_plus():
    target = Target(np.r_[np.ones(10), np.zeros(10)])
    times = np.tile([2, 0], (3, 10))
    worse = np.tile(-target.event, (3, 1))
    found = {r.method: r.estimate for r in resampled_discrimination(target, target.event, worse, times, draws=10)}
    assert found[".632+"] == pytest.approx(0.5)
    assert found[".632"] == pytest.approx(0.368)


def test_the_apparent_performance_is_taken_down_on_noise_and_less_on_signal():
    target, own, scores, times = bags(0.0)
    noise = {r.method: r.estimate for r in resampled_discrimination(target, own, scores, times, draws=20)}
    assert noise["apparent"] >= noise[".632+"]
    assert abs(noise[".632+"] - 0.5) < 0.15
    target, own, scores, times = bags(3.0)
    signal = {r.method: r.estimate for r in resampled_discrimination(target, own, scores, times, draws=20)}
    assert signal["apparent"] > signal["optimism"] > 0.7
    assert signal[".632+"] > 0.7


def test_nothing_to_compare_is_said():
    target = Target(np.r_[np.ones(5), np.zeros(5)])
    times = np.tile(np.r_[np.zeros(5), np.full(5, 2)], (2, 1)).astype(np.int64)
    with pytest.raises(UndefinedError, match="no comparable pair in bootstrap sample 1"):
        resampled_discrimination(target, target.event, np.zeros((2, 10)), times, draws=5)
