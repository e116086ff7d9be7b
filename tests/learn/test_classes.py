import numpy as np
import pytest

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.learn.classes import out_of_fold_classes
from radiolocus.learn.discrimination import fold_statistic, out_of_fold_discrimination
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.target import Target


def cohort(n=90, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 3, n).astype(float)
    probability = rng.dirichlet(np.ones(3), n) + 0.4 * np.eye(3)[code.astype(int)]
    return Target(code, None, ("a", "b", "c")), probability / probability.sum(axis=1, keepdims=True), np.arange(n) % 3


def naive(target, probability, fold):
    """Hand and Till's M from pairs of patients, one after the other."""
    total = []
    for i in range(3):
        for j in range(3):
            won = pairs = 0.0
            for a in range(target.n):
                for b in range(target.n):
                    if i != j and target.event[a] == i and target.event[b] == j and fold[a] == fold[b]:
                        gap = probability[a, i] - probability[b, i]
                        won, pairs = won + (gap > 0) + 0.5 * (gap == 0), pairs + 1
            total += [won / pairs] if i != j else []
    return np.mean(total)


def test_m_is_the_mean_over_pairs_of_classes_within_folds():
    target, probability, fold = cohort()
    found = out_of_fold_classes(target, probability.round(1)[None], fold[None], draws=50)
    assert found.estimate == pytest.approx(naive(target, probability.round(1), fold), rel=1e-12)
    assert found.lower < found.estimate < found.upper


def test_two_classes_are_the_auc():
    target, probability, fold = cohort()
    two = Target((target.event > 0).astype(float), None, ("a", "b"))
    pair = np.column_stack([probability[:, 0], 1 - probability[:, 0]])
    found = out_of_fold_classes(two, pair[None], fold[None], draws=20)
    binary = out_of_fold_discrimination(Target(two.event), pair[None, :, 1], fold[None], draws=20)
    assert (found.estimate, found.lower) == (binary.estimate, binary.lower)


def test_ordinal_concordance_counts_pairs_of_unlike_classes():
    target, probability, fold = cohort()
    ordinal = Target(target.event, None, target.levels, ordered=True)
    score = probability @ np.arange(3)
    won = pairs = 0
    for a in range(90):
        for b in range(90):
            if fold[a] == fold[b] and target.event[a] > target.event[b]:
                won, pairs = won + (score[a] > score[b]), pairs + 1
    assert fold_statistic(ordinal, score, fold) == pytest.approx(won / pairs)


def test_classes_are_checked_and_dealt_evenly():
    target, _, _ = cohort()
    assert (target.kind, target.classes, target.n) == ("multiclass", 3, 90)
    folds = draw_folds(target, 5, np.random.SeedSequence(1))
    for k in range(5):
        assert np.ptp(np.bincount(target.event[folds.fold == k].astype(int), minlength=3)) <= 12
        for level in range(3):
            counts = [(target.event[folds.fold == j] == level).sum() for j in range(5)]
            assert np.ptp(counts) <= 1
    with pytest.raises(InputError, match="class 3"):
        Target([0, 1, 3], None, ("a", "b", "c"))
    with pytest.raises(InputError, match="every one once"):
        Target([0, 1], None, ("a", "a"))
    rare = Target(np.r_[np.zeros(20), np.ones(20), 2.0], None, ("a", "b", "c"))
    with pytest.raises(FitError, match="1 subjects in the rarer class among 41"):
        rare.check()
    with pytest.raises(FitError, match="nobody of class 'c'"):
        Target(np.r_[np.zeros(5), np.ones(5)], None, ("a", "b", "c")).check()


def test_classes_that_no_fold_holds_together_have_no_value():
    target, probability, _ = cohort()
    with pytest.raises(UndefinedError, match="in no fold together in repetition 0"):
        out_of_fold_classes(target, probability[None], target.event.astype(int)[None], draws=5)
