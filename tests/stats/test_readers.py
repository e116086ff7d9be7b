"""Agreement of two readers against published numbers, another library and simulation."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from radiolocus.errors import InputError
from radiolocus.stats.readers import bland_altman, cohen_kappa

# Peak expiratory flow by two meters, Bland & Altman, Lancet 1986;i:307, table 1 (first measurements).
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_limits_of_agreement_as_published():
    found = bland_altman(WRIGHT, MINI)
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert (found.bias_lower, found.bias_upper) == pytest.approx((-22.0, 17.8), abs=0.1)
    assert (found.lower, found.upper) == pytest.approx((-2.118 - 1.96 * 38.765, -2.118 + 1.96 * 38.765), abs=0.01)
    # The paper takes 2 s for its limits, −79.7 and 75.5, whose standard error it gives as √(3 s²/n) = 16.3.
    assert (found.upper_upper - found.upper) / 2.12 == pytest.approx(16.3, abs=0.05)
    assert found.n == 17


@pytest.mark.parametrize(("n", "words"), [(40, "ab"), (200, "abcd"), (60, "abc")])
def test_kappa_equals_scikit_learn(n, words):
    rng = np.random.default_rng(n)
    one = rng.choice(list(words), n)
    other = np.where(rng.random(n) < 0.6, one, rng.choice(list(words), n))
    found = cohen_kappa(one.tolist(), other.tolist())
    assert found.value == pytest.approx(cohen_kappa_score(one, other), rel=1e-12)
    assert found.observed == pytest.approx((one == other).mean())
    assert found.lower < found.value < found.upper


def test_the_interval_of_kappa_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    chance = np.array([0.5, 0.3, 0.2])
    truth = 0.6  # the share that is copied is κ when both have the same margins
    hits = 0
    for _ in range(600):
        one = rng.choice(3, 150, p=chance)
        other = np.where(rng.random(150) < truth, one, rng.choice(3, 150, p=chance))
        found = cohen_kappa([str(x) for x in one], [str(x) for x in other])
        hits += found.lower <= truth <= found.upper
    assert 0.92 <= hits / 600 <= 0.975


def test_the_interval_of_kappa_is_that_of_the_delta_method_when_the_readers_differ():
    """Numerical derivatives of κ by the cells; margins that differ tell the rows from the columns."""
    cells = np.array([[40.0, 18.0, 22.0], [2.0, 25.0, 14.0], [1.0, 3.0, 45.0]])
    n = int(cells.sum())

    def kappa(table):
        table = table / n
        chance = table.sum(axis=1) @ table.sum(axis=0)
        return (np.trace(table) - chance) / (1 - chance)

    def slope(cell, step=1e-5):
        moved = np.zeros((3, 3))
        moved[cell] = step * n
        # κ of shares that need not sum to one, as its derivative is taken
        return (kappa(cells + moved) - kappa(cells - moved)) / (2 * step)

    slopes = np.array([[slope((i, j)) for j in range(3)] for i in range(3)])
    share = cells / n
    error = np.sqrt(((share * slopes**2).sum() - (share * slopes).sum() ** 2) / n)
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(int(cells[i, j]))]
    found = cohen_kappa([f"{i}" for i, _ in pairs], [f"{j}" for _, j in pairs])
    assert found.value == pytest.approx(kappa(cells))
    assert (found.upper - found.lower) / 2 == pytest.approx(1.959964 * error, rel=1e-5)
    # R, psych::cohen.kappa of the same cells
    assert (found.lower, found.upper) == pytest.approx((0.38089652, 0.57855260), abs=1e-7)


def test_ends():
    assert cohen_kappa(["a", "b"], ["a", "b"]).value == 1
    assert np.isnan(cohen_kappa(["a", "a"], ["a", "a"]).value)
    with pytest.raises(InputError, match="0 and 0 calls"):
        cohen_kappa([], [])
    with pytest.raises(InputError, match="at least two pairs"):
        bland_altman([1.0], [2.0])
