"""Individual effects: what is planted is found, and where nothing is, no rule seems to gain."""

import importlib.util

import numpy as np
import pytest

from naive.benefit import ridge_leave_one_out
from radiolocus.errors import ConfigError, FitError
from radiolocus.learn.effects import LEARNERS, EffectOptions, _folds, check_learners, cross_fit
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.regress import check_base, fit_regression
from radiolocus.stats.benefit import policy_value

META = ("dr", "t", "s", "x", "r")


def columns(X):
    return Predictors(
        X, tuple(f"x{i}" for i in range(X.shape[1])), ("c",) * X.shape[1], np.zeros((len(X), 0), np.int64)
    )


def trial(seed, n=300, interaction=0.0, effect=0.0, confounded=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    chance = 1 / (1 + np.exp(-1.2 * X[:, 0])) if confounded else np.full(n, 0.5)
    a = rng.random(n) < chance
    eta = 0.6 * X[:, 0] + a * (effect + interaction * X[:, 1])
    y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    true = 1 / (1 + np.exp(-(0.6 * X[:, 0] + effect + interaction * X[:, 1]))) - 1 / (1 + np.exp(-0.6 * X[:, 0]))
    return y, a, X, true


def fitted(y, a, X, *, lot=True, **options):
    confounders = columns(X[:, :0] if lot else X[:, :1])
    return cross_fit(y, a, columns(X), confounders, EffectOptions(**options), np.zeros(y.size) if lot else None)


def test_ridge_has_the_penalty_of_least_leave_one_out_error():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(25, 6))
    y, w = X[:, 0] + rng.normal(size=25), rng.uniform(0.5, 2, 25)
    found = fit_regression("ridge", X, y, w)
    level, slopes = found(np.zeros((1, 6)))[0], found(np.eye(6)) - found(np.zeros((1, 6)))[0]
    mean = np.average(X, axis=0, weights=w)
    assert level + mean @ slopes == pytest.approx(np.average(y, weights=w))
    # The penalty it chose, from the normal equations of the solution.
    rest = y - level - X @ slopes
    penalty = ((X - mean).T * w) @ rest @ slopes / (slopes @ slopes)
    grid = np.geomspace(1e-4, 1e2, 25) * np.linalg.svd((X - mean) * np.sqrt(w)[:, None], compute_uv=False)[0] ** 2
    assert np.abs(np.log(grid / penalty)).min() < 1e-6
    errors = [ridge_leave_one_out(X, y, p, w) for p in grid]
    assert ridge_leave_one_out(X, y, penalty, w) <= 1.02 * min(errors)


def test_planted_effects_are_found_by_every_learner():
    y, a, X, true = trial(3, n=500, interaction=2.0)
    for name, benefit in fitted(y, a, X, repeats=1, folds=3).benefit.items():
        assert np.corrcoef(benefit[0], true)[0, 1] > 0.8, name


@pytest.mark.slow
def test_planted_effects_are_found_by_forests():
    y, a, X, true = trial(3, n=300, interaction=2.5)
    found = fitted(y, a, X, base="forest", repeats=1, folds=2, learners=("dr",))
    assert np.corrcoef(found.benefit["dr"][0], true)[0, 1] > 0.5


def test_confounding_is_taken_out():
    y, a, X, true = trial(5, n=1500, effect=0.0, confounded=True)
    found = fitted(y, a, X, lot=False, repeats=1, learners=("dr",))
    gap = found.treated[0] - found.control[0]
    error = gap.std() / np.sqrt(gap.size)
    assert abs(gap.mean() - true.mean()) < 3 * error
    assert y[a].mean() - y[~a].mean() > 4 * error  # what it looks like
    told = np.corrcoef(found.propensity[0], 1 / (1 + np.exp(-1.2 * X[:, 0])))[0, 1]
    assert told > 0.95


def test_the_same_seed_gives_the_same_numbers_and_rows_are_not_seen_by_their_own_model():
    y, a, X, _ = trial(7, n=120, interaction=1.0)
    one, two = (fitted(y, a, X, repeats=2, folds=3) for _ in range(2))
    for name in META:
        np.testing.assert_array_equal(one.benefit[name], two.benefit[name])
    # Changing a subject's outcome changes no prediction of its own effect.
    other = y.copy()
    other[11] = 1 - other[11]
    three = fitted(other, a, X, repeats=2, folds=3)
    for name in META:
        np.testing.assert_array_equal(one.benefit[name][:, 11], three.benefit[name][:, 11])
        assert not np.array_equal(one.benefit[name], three.benefit[name])


def test_folds_follow_treatment_alone():
    a = np.arange(100) < 30
    fold = _folds(a, EffectOptions(), 0)
    assert np.bincount(fold[a]).tolist() == [6] * 5
    assert np.bincount(fold[~a]).tolist() == [14] * 5
    assert not np.array_equal(fold, _folds(a, EffectOptions(), 1))


def test_strata_of_the_lot_give_its_odds():
    rng = np.random.default_rng(2)
    stratum = rng.integers(0, 2, 400)
    a = rng.random(400) < np.where(stratum, 0.7, 0.2)
    found = cross_fit(
        rng.integers(0, 2, 400), a, columns(rng.normal(size=(400, 2))), columns(np.zeros((400, 0))),
        EffectOptions(repeats=1, learners=("t",)), stratum,
    )  # fmt: skip
    for k in (0, 1):
        assert found.propensity[0][stratum == k] == pytest.approx(a[stratum == k].mean(), abs=0.05)


def gains(interaction, effect, seeds):
    """How often the rule beats treating all alike, and each of both alone, by the DR- and T-learner."""
    out = []
    for seed in seeds:
        y, a, X, _ = trial(seed, interaction=interaction, effect=effect)
        found = fitted(y, a, X, repeats=1, learners=("dr", "t"), seed=seed)
        values = [policy_value(found.control, found.treated, found.benefit[k] > 0) for k in ("dr", "t")]
        out.append([(v.beats_alike, v.over_everybody.estimate, v.over_everybody.standard_error) for v in values])
    return np.array(out, dtype=float)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_without_interaction_no_rule_beats_treating_all_alike(effect):
    found = gains(0.0, effect, range(120))
    level = 0.025
    assert (found[:, :, 0].mean(axis=0) <= level + 3 * np.sqrt(level * (1 - level) / 120)).all()
    # Its mean gain over treating all lies within its Monte Carlo error of nothing, or below.
    gain = found[:, :, 1]
    assert (gain.mean(axis=0) < 3 * gain.std(axis=0) / np.sqrt(120)).all()


@pytest.mark.slow
def test_an_interaction_makes_a_rule_that_beats_treating_all_alike():
    found = gains(2.5, 0.0, range(200, 240))
    assert (found[:, :, 0].mean(axis=0) > 0.8).all()


def test_causal_forest_finds_the_effect():
    if importlib.util.find_spec("econml") is None:
        pytest.skip("econml is not installed: no causal forest")
    y, a, X, true = trial(3, n=500, interaction=2.0)
    found = fitted(y, a, X, repeats=1, folds=3, learners=("causal_forest",))
    assert np.corrcoef(found.benefit["causal_forest"][0], true)[0, 1] > 0.6


def test_what_cannot_be_learned_is_said(monkeypatch):
    y, _, X, _ = trial(1, n=60)
    few = np.zeros(60, dtype=bool)
    few[:6] = True
    with pytest.raises(FitError, match="6 subjects in the smaller group"):
        fitted(y, few, X)
    with pytest.raises(ConfigError, match=r"benefit: learners = .*'q'.*causal_forest"):
        check_learners(["t", "q"], "benefit")
    with pytest.raises(ConfigError, match="every one once"):
        check_learners(["t", "t"], "benefit")
    with pytest.raises(ConfigError, match="base = tree"):
        check_base("tree", "benefit")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package econml.*radiolocus\[causal\]"):
        check_learners(["causal_forest"], "benefit")
    assert set(META) < set(LEARNERS)
