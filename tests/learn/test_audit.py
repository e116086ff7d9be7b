import numpy as np
import pytest

from radiolocus.learn.audit import after_outcome, duplicates, fewer_events, permuted_outcome, predicts_alone, too_few
from radiolocus.learn.null import Null, permuted, protocol_statistic
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.select import strongest, univariate_strength
from radiolocus.learn.target import Target

OPTIONS = ProtocolOptions(folds=3, inner_folds=2, penalties=6)


def imaging(X):
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    return Predictors(X, names, ("imaging",) * len(names), np.zeros((len(X), 0), np.int64))


def names(n):
    return tuple(f"S{i:03d}" for i in range(n))


def test_an_honest_protocol_passes_on_permuted_outcomes(make):
    predictors, _, target = make(80, 20, effect=2.0)
    statistic = protocol_statistic(Protocol(OPTIONS), predictors)
    draws = np.array([statistic(permuted(target, 1, k)) for k in range(8)])
    found = permuted_outcome(Null(np.nan, draws), target)
    assert found.verdict == "pass"
    assert f"mean {draws.mean():.3f} ±" in found.got
    assert found.error > 0.01


def test_a_selection_outside_the_folds_is_a_leak():
    """The audit of a procedure that looks at the outcome of everybody before it divides them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 400))
    target = Target((rng.random(80) < 0.5).astype(float))

    def peeking(t):
        chosen = strongest(univariate_strength(X, t, OPTIONS), 10)
        return protocol_statistic(Protocol(OPTIONS), imaging(X[:, chosen]))(t)

    draws = np.array([peeking(permuted(target, 1, k)) for k in range(5)])
    found = permuted_outcome(Null(np.nan, draws), target)
    assert found.verdict == "leak"
    assert found.value > 0.7
    assert "leaks into the prediction" in found.got


def test_permutations_that_could_not_be_run_are_said():
    found = permuted_outcome(Null(np.nan, np.array([np.nan])), Target(np.array([0.0, 1])))
    assert found.verdict == "not checked"


def test_below_one_half_is_no_leak():
    assert permuted_outcome(Null(np.nan, np.full(5, 0.2)), Target(np.arange(80) % 2.0)).verdict == "pass"


def test_copies_of_a_subject_are_found_and_strangers_are_not():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 12))
    assert [f.verdict for f in duplicates(imaging(X), names(60))] == ["pass"]
    X[40], X[41] = X[3], X[7] + 0.01 * rng.normal(size=12)
    X[40, 2] = np.nan
    found = duplicates(imaging(X), names(60))
    assert [(f.verdict, f.item) for f in found] == [("leak", "S003, S040"), ("suspect", "S007, S041")]
    assert "equal in every column" in found[0].got


def test_strangers_in_correlated_features_are_not_taken_for_copies():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 40)) + 0.05 * rng.normal(size=(150, 40))
        alarms += sum(f.verdict != "pass" for f in duplicates(imaging(X), names(150)))
    assert alarms <= 4, "0.05 pairs a cohort are expected"


def test_few_columns_or_classes_tell_nobody_apart():
    rng = np.random.default_rng(0)
    found = duplicates(imaging(rng.integers(0, 3, (50, 20)).astype(float)), names(50))
    assert (found[0].verdict, found[0].got[:37]) == ("not checked", "columns that tell subjects apart: 0; ")


def test_a_column_that_is_the_outcome_is_found():
    found = predicts_alone(["a", "b", "c", "d"], np.array([0.6, 1.0, 0.01, 0.97]), "AUC")
    assert [(f.item, f.verdict) for f in found] == [("b", "leak"), ("c", "suspect")]
    clean = predicts_alone(["a"], np.array([0.3]), "AUC")
    assert (clean[0].verdict, clean[0].got) == (
        "pass",
        "none of 1 columns predicts alone; the strongest reaches AUC 0.70",
    )
    assert predicts_alone([], np.zeros(0), "AUC")[0].verdict == "pass"


def test_what_was_measured_after_the_outcome_is_found():
    target = Target(np.array([1, 0, 1.0]), np.array([10.0, 20.0, 30.0]))
    late = after_outcome("PET", np.array([12.0, np.nan, 0.0]), target)
    assert (late.verdict, late.value) == ("leak", 1.0)
    assert "in 1 of 2 subjects" in late.got
    landmark = after_outcome("PET", np.array([5.0, 5.0, 0.0]), target)
    assert landmark.verdict == "suspect"
    assert "landmark" in landmark.got
    assert after_outcome("PET", np.array([-3.0, 0.0, np.nan]), target).got == "not after time zero; unknown in 1"
    assert after_outcome("PET", np.full(3, np.nan), target).verdict == "not checked"


@pytest.mark.parametrize(("candidates", "verdict"), [(3, "pass"), (10, "pass"), (11, "suspect")])
def test_fewer_events_than_parameters(candidates, verdict):
    found = fewer_events(Target(np.r_[np.ones(10), np.zeros(20)]), candidates)
    assert found.verdict == verdict
    assert found.value == 10 / candidates


def test_subjects_are_compared_with_those_that_riley_asks_for():
    rng = np.random.default_rng(0)
    event = (rng.random(400) < 0.3).astype(float)
    few, many = too_few(Target(event), 40), too_few(Target(event), 3)
    assert (few.verdict, many.verdict) == ("suspect", "pass")
    assert few.value > 400 > many.value
    assert "400 subjects" in few.got
    timed = too_few(Target(event, rng.exponential(2.0, 400)), 40)
    assert timed.value > 400
    assert too_few(Target(np.ones(5)), 3).verdict == "not checked"
