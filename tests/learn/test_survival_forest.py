import numpy as np
import pytest

from radiolocus.errors import UndefinedError
from radiolocus.learn.models import MODELS
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import harrell_c


def patients(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    time = rng.exponential(np.exp(-1.5 * np.where(X[:, 0] * X[:, 1] > 0, 1.0, -1.0)))
    lost = rng.exponential(3.0, n)
    return X, Target((time <= lost).astype(float), np.minimum(time, lost))


def test_a_forest_finds_an_interaction_that_no_linear_model_has():
    X, target = patients(300, 1)
    new, truth = patients(300, 2)
    forest = MODELS["survival_forest"].fit(X, target, {"leaf": 15}, 1)
    assert harrell_c(truth.time, truth.event, forest.predict(new)).estimate > 0.7
    cox = MODELS["ridge"].fit(X, target, {"penalty": 0.01, "l1_ratio": 0.0}, 1)
    assert harrell_c(truth.time, truth.event, cox.predict(new)).estimate < 0.6


def test_survival_is_that_of_the_new_patients_and_falls():
    X, target = patients(300, 1)
    new, _ = patients(2000, 2)
    forest = MODELS["survival_forest"].fit(X, target, {"leaf": 15}, 1)
    at = np.array([2.0, 0.2, 0.0, 1.0])
    survival = forest.survival(new, at)
    assert survival.shape == (2000, 4)
    assert (survival[:, 2] == 1.0).all()
    falling = survival[:, [2, 1, 3, 0]]
    assert (np.diff(falling, axis=1) <= 0).all()
    group = new[:, 0] * new[:, 1] > 0
    # True survival at 1 is exp(−exp(±1.5)): leaves that mix both groups draw them together, and leave the mean alone.
    truth = np.where(group, np.exp(-np.exp(1.5)), np.exp(-np.exp(-1.5)))
    assert survival[:, 3].mean() == pytest.approx(truth.mean(), abs=0.06)
    assert survival[~group, 3].mean() - survival[group, 3].mean() > 0.15
    with pytest.raises(UndefinedError):
        forest.probability(new)


def test_the_same_seed_grows_the_same_forest_whatever_the_order_of_patients_with_their_own_times():
    X, target = patients(120, 3)
    learner = MODELS["survival_forest"]
    risk = learner.fit(X, target, {"leaf": 5}, 7).predict(X)
    np.testing.assert_array_equal(risk, learner.fit(X, target, {"leaf": 5}, 7).predict(X))
    order = np.random.default_rng(0).permutation(120)
    mixed = learner.fit(X[order], Target(target.event[order], target.time[order]), {"leaf": 5}, 7)
    np.testing.assert_allclose(mixed.predict(X), risk)
    assert (learner.fit(X, target, {"leaf": 5}, 8).predict(X) != risk).any()


def test_no_column_is_everybody_alike():
    X, target = patients(60, 4)
    fit = MODELS["survival_forest"].fit(X[:, :0], target, {"leaf": 15}, 1)
    assert np.unique(fit.predict(X[:, :0])).size == 1
    assert fit.coefficient.size == 0
