"""Inner models of a training part: their folds, thresholds and prediction sets."""

from dataclasses import replace

import numpy as np
import pytest

from radiolocus.learn.conformal import InnerModels, fit_inner
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.splits import seed_of
from radiolocus.learn.target import Target
from radiolocus.learn.tune import fit_tuned

OPTIONS = ProtocolOptions(inner_folds=4, penalties=6)


def part(n=90, strength=2.0, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(float)
    X = rng.normal(size=(n, 5))
    X[:, 0] += strength * y
    return Predictors(X, tuple("abcde"), ("imaging",) * 5, np.zeros((n, 0), np.int64)), Target(y)


def inner(data, target, model="ridge"):
    seed = seed_of(OPTIONS, 0, 0)
    tuned = fit_tuned(data, target, OPTIONS, seed, None, model)
    return fit_inner(data, target, OPTIONS, seed, tuned, None, model), tuned


@pytest.mark.parametrize("model", ["ridge", "elastic_net", "boosting", "multinomial"])
def test_nobody_is_predicted_by_a_model_that_saw_him(model):
    data, target = part()
    found, _ = inner(data, target, model)
    strange = data.numeric.copy()
    strange[found.fold == 0] = 1e3
    changed, _ = inner(Predictors(strange, data.numeric_names, data.numeric_blocks, data.codes), target, model)
    # The setting may differ; the model of fold 0 is fitted to the same rows under it.
    first, second = found.parts[0], changed.parts[0]
    assert np.array_equal(first[0].mean, second[0].mean)
    assert found.probability.sum(axis=1) == pytest.approx(np.ones(target.n))
    assert found.of(data.take([0, 1])).shape == (4, 2, 2)


def test_the_median_of_the_inner_predictions_is_the_threshold_of_the_tuned_model():
    """The inner models are those that tuning used: its threshold is the median of what they predict."""
    found, tuned = inner(*part())
    logit = np.log(found.probability[:, 1] / found.probability[:, 0])
    assert np.median(logit) == pytest.approx(tuned.threshold, abs=2e-3)


def test_where_nothing_is_worth_its_predictors_every_class_is_in_every_set():
    data, target = part(strength=0.0, seed=3)
    seed = seed_of(OPTIONS, 0, 0)
    # As tuning leaves it when no setting predicts the inner folds better than no predictor.
    tuned = replace(fit_tuned(data, target, OPTIONS, seed, None, "ridge"), setting={})
    found = fit_inner(data, target, OPTIONS, seed, tuned, None, "ridge")
    assert found.conformal(data).min() > 0.2


def test_thresholds_by_hand():
    target = Target([1, 1, 1, 1, 0, 0, 0, 0])
    risk = np.array([0.9, 0.8, 0.6, 0.3, 0.7, 0.4, 0.2, 0.1])
    found = InnerModels(target, np.zeros(8, int), (), np.column_stack([1 - risk, risk]))
    assert found.threshold_of_sensitivity(0.75) == 0.6
    assert found.threshold_of_sensitivity(0.9) == 0.3
    assert found.threshold_of_sensitivity(0.5) == 0.8
    # At 0.3 4 of 4 called and 2 of 4 spared, at 0.6 3 and 3, at 0.8 2 and 4: the lowest of equals.
    assert found.threshold_of_balance() == 0.3


@pytest.mark.parametrize("seed", range(10))
def test_the_best_balance_is_the_best_of_all_cuts(seed):
    rng = np.random.default_rng(seed)
    y, risk = rng.integers(0, 2, 30).astype(float), rng.integers(0, 12, 30) / 12
    found = InnerModels(Target(y), np.zeros(30, int), (), np.column_stack([1 - risk, risk]))
    cut = found.threshold_of_balance()

    def balance(at):
        return (risk >= at)[y == 1].mean() + (risk < at)[y == 0].mean()

    assert balance(cut) == pytest.approx(max(balance(at) for at in np.unique(risk)))
