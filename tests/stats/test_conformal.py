"""Conformal p-values: against the slow twin, by hand, and their coverage in simulation."""

import numpy as np
import pytest

from naive import conformal as naive
from radiolocus.errors import InputError
from radiolocus.stats.conformal import class_conformal_p


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    n, m, classes, folds = 40, 7, 3, 4
    score, label, fold = rng.integers(0, 10, n) / 10, rng.integers(0, classes, n), rng.integers(0, folds, n)
    candidate = rng.integers(0, 10, (folds, m, classes)) / 10
    assert class_conformal_p(score, label, fold, candidate) == pytest.approx(
        naive.class_conformal_p(score, label, fold, candidate)
    )


def test_by_hand():
    # Class 0 has scores 0.1, 0.3, 0.5; a new score of 0.3 is reached by two of them: (1 + 2) / (1 + 3).
    p = class_conformal_p([0.1, 0.3, 0.5, 0.2], [0, 0, 0, 1], [0, 0, 0, 0], [[[0.3, 0.9]]])
    assert p.tolist() == [[0.75, 0.5]]


def test_everybody_alike_leaves_every_class_in_the_set():
    p = class_conformal_p(np.full(30, 0.4), [0] * 20 + [1] * 10, np.arange(30) % 5, np.full((5, 3, 2), 0.4))
    assert (p == 1.0).all()


def test_a_class_of_few_subjects_is_in_every_set_of_that_level():
    p = class_conformal_p(np.zeros(14), [0] * 8 + [1] * 6, np.zeros(14, int), np.ones((1, 2, 2)))
    assert p[0].tolist() == pytest.approx([1 / 9, 1 / 7])
    assert (p > 0.1).all()


@pytest.mark.parametrize(
    ("score", "fold", "candidate", "said"),
    [
        ([0.1, np.nan], [0, 0], np.zeros((1, 1, 2)), "not finite"),
        ([0.1, 0.2], [0, 3], np.zeros((2, 1, 2)), "fold 3"),
        ([0.1], [0], np.zeros((1, 2)), "shape"),
    ],
)
def test_unusable_scores_are_refused(score, fold, candidate, said):
    with pytest.raises(InputError, match=said):
        class_conformal_p(score, np.zeros(len(score), int), fold, candidate)


def test_coverage_of_each_class_in_simulation():
    """Split conformal (one fold) has a coverage of at least 1 − α in each class; the score tells a bit."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(400):
        label = np.repeat([0, 1], [30, 15])
        risk = 1 / (1 + np.exp(-rng.normal(label - 0.5, 1.0)))
        score = np.where(label == 1, 1 - risk, risk)
        new = 1 / (1 + np.exp(-rng.normal([[-0.5], [0.5]], 1.0, (2, 20))))
        p = [class_conformal_p(score, label, np.zeros(45, int), np.stack([r, 1 - r], axis=1)[None]) for r in new]
        held.append([(p[0][:, 0] > 0.1).mean(), (p[1][:, 1] > 0.1).mean()])
    mean, error = np.mean(held, axis=0), np.std(held, axis=0) / np.sqrt(len(held))
    assert (mean > 0.9 - 3 * error).all()
    assert (mean < 0.9 + 1 / 16 + 3 * error).all()
