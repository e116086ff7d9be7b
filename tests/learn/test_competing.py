"""Models of competing events and of subjects who enter late, through the protocol."""

import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.learn.models import MODELS
from radiolocus.learn.target import Target
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.counting import fit_counting_cox, fit_fine_gray

LIGHT = {"ridge": 1e-10, "efron": 1.0}


def drawn(n=150, seed=3):
    """One column drives the event of interest, another the competing one; times to a tenth."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    times = rng.exponential(np.exp(-np.column_stack([X[:, 0], X[:, 1]])) * [10.0, 12.0])
    censor = rng.exponential(15, n)
    time = np.ceil(10 * np.minimum(times.min(axis=1), censor)) / 10
    state = np.where(censor < times.min(axis=1), 0, 1 + times.argmin(axis=1)).astype(float)
    return X, Target((state == 1).astype(float), time, state=state)


def test_without_a_penalty_they_are_the_models_of_the_statistics():
    X, target = drawn()
    gray = MODELS["fine_gray"].fit(X, target, LIGHT, 0)
    np.testing.assert_allclose(gray.coefficient, fit_fine_gray(target.time, target.state, X).coefficient, atol=1e-6)
    specific = MODELS["cause_specific_cox"].fit(X, target, LIGHT, 0)
    np.testing.assert_allclose(
        specific.coefficient, fit_counting_cox(target.time, target.event, X).coefficient, atol=1e-6
    )
    at = [1.0, 3.0]
    bare = MODELS["cause_specific_cox"].fit(X[:, :0], target, LIGHT | {"efron": 0.0}, 0)
    expected = aalen_johansen(target.time, target.state).incidence_at(at, 1)
    np.testing.assert_allclose(1 - bare.survival(X[:2, :0], at), np.tile(expected, (2, 1)), atol=1e-9)
    for fit in (gray, specific):
        incidence = 1 - fit.survival(X, np.array([0.5, 1.0, 3.0, 8.0]))
        assert (np.diff(incidence, axis=1) >= 0).all()
        assert ((incidence >= 0) & (incidence <= 1)).all()
        assert np.corrcoef(fit.predict(X), X[:, 0])[0, 1] > 0.8
    order = np.argsort(specific.predict(X))
    assert (np.diff((1 - specific.survival(X, [target.time[target.event == 1].max()]))[order, 0]) >= 0).all()


def test_the_incidence_is_the_true_one():
    """Constant hazards a and b give the incidence a / (a + b) (1 − exp(−(a + b) t))."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(3000, 2))
    a, b = 0.1 * np.exp(0.7 * X[:, 0]), 0.05 * np.exp(0.5 * X[:, 1])
    first, second, lost = rng.exponential(1 / a), rng.exponential(1 / b), rng.uniform(2, 30, 3000)
    time = np.minimum(np.minimum(first, second), lost)
    state = np.where(lost == time, 0.0, np.where(first == time, 1.0, 2.0))
    fit = MODELS["cause_specific_cox"].fit(X, Target((state == 1) * 1.0, time, state=state), LIGHT, 0)
    for t in (3.0, 10.0):
        truth = a / (a + b) * -np.expm1(-(a + b) * t)
        assert np.abs(1 - fit.survival(X, [t])[:, 0] - truth).mean() < 0.015
    np.testing.assert_allclose(fit.coefficient, [0.7, 0.0], atol=0.1)


def test_a_penalty_shrinks_and_more_columns_than_subjects_are_no_obstacle():
    X, target = drawn(60)
    wide = np.hstack([X, np.random.default_rng(1).normal(size=(60, 100))])
    for key in ("fine_gray", "cause_specific_cox"):
        sizes = [
            np.abs(MODELS[key].fit(wide, target, {"ridge": r, "efron": 1.0}, 0).coefficient).max() for r in (100, 1)
        ]
        assert 0 < sizes[0] < sizes[1]


def test_held_out_loss_is_least_near_the_truth():
    X, target = drawn(400)
    half = np.arange(400) < 200
    for key in ("fine_gray", "cause_specific_cox"):
        learner = MODELS[key]
        part = target.take(half)
        losses = [
            learner.loss(learner.fit(X[half], part, {"ridge": r, "efron": 1.0}, 0), X[~half], target.take(~half))
            for r in (1e6, 0.05)
        ]
        assert losses[1] < losses[0] - 5


def test_cox_knows_entry_strata_and_weights():
    rng = np.random.default_rng(5)
    X, target = drawn(120)
    entry = target.time * rng.random(120) * 0.8
    stratum, weight = rng.choice(["a", "b"], 120), rng.choice([1.0, 2.5], 120)
    late = Target(target.event, target.time, entry=entry, stratum=stratum, weight=weight)
    assert late.needs == {"entry", "strata", "weights"}
    assert late.take(np.arange(5)).stratum.tolist() == stratum[:5].tolist()
    told = fit_counting_cox(target.time, target.event, X, entry=entry, strata=stratum, weights=weight)
    found = MODELS["cox"].fit(X, late, LIGHT, 0)
    np.testing.assert_allclose(found.coefficient, told.coefficient, atol=1e-6)
    # The loss at the fitted coefficients is less than at none, on the very data.
    bare = MODELS["cox"].fit(X[:, :0], late, LIGHT, 0)
    assert MODELS["cox"].loss(found, X, late) < MODELS["cox"].loss(bare, X[:, :0], late)
    breslow = MODELS["cox"].fit(X, late, LIGHT | {"efron": 0.0}, 0)
    plain = fit_counting_cox(target.time, target.event, X, entry=entry, strata=stratum, weights=weight, ties="breslow")
    assert MODELS["cox"].loss(breslow, X, late) == pytest.approx(-plain.loglik, abs=1e-6)


def test_targets_that_contradict_themselves():
    with pytest.raises(InputError, match="contradict"):
        Target(np.array([1.0, 0.0]), np.ones(2), state=np.array([2.0, 0.0]))
    with pytest.raises(InputError, match="entry 1"):
        Target(np.array([1.0, 0.0]), np.ones(2), entry=np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="weight 0"):
        Target(np.array([1.0, 0.0]), np.ones(2), weight=np.array([1.0, 0.0]))
