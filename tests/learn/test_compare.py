import numpy as np
import pytest

from naive import out_of_fold as naive
from radiolocus.errors import UndefinedError
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.target import Target


def two(gap, n=100, seed=0):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    died, lost = rng.exponential(np.exp(-2 * risk)), rng.exponential(2, n)
    target = Target((died <= lost).astype(float), np.minimum(died, lost))
    noise = rng.normal(size=(3, n))
    fold = np.array([rng.permutation(n) % 5 for _ in range(3)])
    return target, risk + (1.0 + gap) * noise, risk + noise, fold


def test_the_difference_is_that_of_the_two_statistics():
    target, first, second, fold = two(1.0)
    found = compare_on_same_folds(target, first, second, fold, draws=100)
    ones = np.ones(target.n)
    expected = [
        naive.statistic(target.time, target.event, b, f, ones) - naive.statistic(target.time, target.event, a, f, ones)
        for a, b, f in zip(first, second, fold, strict=True)
    ]
    np.testing.assert_allclose(found.repeats, expected, rtol=1e-12)
    assert found.estimate == pytest.approx(np.mean(expected))
    assert found.first == pytest.approx(out_of_fold_discrimination(target, first, fold, draws=10).estimate)
    assert found.second - found.first == pytest.approx(found.estimate)


def test_a_model_against_itself_has_no_difference_and_no_width():
    target, first, _, fold = two(1.0)
    found = compare_on_same_folds(target, first, first, fold, draws=50)
    assert (found.estimate, found.lower, found.upper) == (0.0, 0.0, 0.0)


def test_a_better_model_is_found_better_and_pairing_narrows_the_interval():
    target, first, second, fold = two(4.0, 150)
    found = compare_on_same_folds(target, first, second, fold, draws=200)
    assert found.lower > 0
    alone = out_of_fold_discrimination(target, first, fold, draws=200)
    nearly = compare_on_same_folds(target, first, first + 0.01 * second, fold, draws=200)
    assert nearly.upper - nearly.lower < 0.3 * (alone.upper - alone.lower)


def test_who_was_held_out_by_nobody_does_not_count():
    target, first, second, fold = two(1.0)
    fold = np.where(np.arange(100) < 60, -1, 0)[None]
    masked = [np.where(fold == 0, s[:1], np.nan) for s in (first, second)]
    found = compare_on_same_folds(target, *masked, fold, draws=30)
    late = np.arange(100) >= 60
    alone = compare_on_same_folds(
        target.take(late), masked[0][:, late], masked[1][:, late], np.zeros((1, 40), int), draws=30
    )
    assert found.estimate == pytest.approx(alone.estimate)


def test_nothing_to_compare_is_said():
    with pytest.raises(UndefinedError, match="repetition 0"):
        compare_on_same_folds(Target(np.array([1, 0.0])), np.zeros((1, 2)), np.zeros((1, 2)), np.array([[0, 1]]))
