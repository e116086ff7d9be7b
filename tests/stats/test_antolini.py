import numpy as np
import pytest

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats import antolini as module
from radiolocus.stats.antolini import antolini_c, antolini_c_bootstrap
from radiolocus.stats.concordance import harrell_c
from radiolocus.stats.resampling import bootstrap_weights


def crossing(judged):
    grid = np.unique(judged["t"])
    power = 1 + 0.5 * (judged["x"] > 0)
    return grid, np.exp(-((grid[None, :] / 10) ** power[:, None]) * np.exp(0.5 * judged["s"])[:, None])


def test_equals_its_definition_in_r(judged, told):
    grid, survival = crossing(judged)
    assert antolini_c(judged["t"], judged["e"], survival, grid) == pytest.approx(told["antolini"][0], abs=1e-12)


def test_curves_that_do_not_cross_give_harrells_c(judged, monkeypatch):
    grid = np.arange(1.0, 25)
    survival = np.exp(-0.02 * grid[None, :] * np.exp(judged["s"])[:, None])
    expected = harrell_c(judged["t"], judged["e"], judged["s"]).estimate
    assert antolini_c(judged["t"], judged["e"], survival, grid) == pytest.approx(expected, abs=1e-14)
    monkeypatch.setattr(module, "_BLOCK", 500)
    assert antolini_c(judged["t"], judged["e"], survival, grid) == pytest.approx(expected, abs=1e-14)


def test_a_step_function_holds_its_value_and_starts_at_one():
    # At time 1 no curve has begun: all tied. At 3 the value of 2 holds, in which the first is lower.
    value = antolini_c([1, 3, 5], [1, 1, 0], [[0.5, 0.1], [0.4, 0.2], [0.6, 0.3]], [2, 4])
    assert value == pytest.approx((0.5 + 0.5 + 1) / 3, abs=1e-15)


def test_draws_are_those_of_the_patients_drawn(judged):
    grid, survival = crossing(judged)
    time, event, survival = judged["t"][:40], judged["e"][:40] == 1, survival[:40]
    draws = antolini_c_bootstrap(time, event, survival, grid, draws=4, seed=6)
    for value, weight in zip(draws, next(bootstrap_weights(40, 4, 6)), strict=True):
        won = total = 0.0
        for i in np.flatnonzero(event):
            at = np.searchsorted(grid, time[i])
            for j in range(40):
                if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                    pair = weight[i] * weight[j]
                    total += pair
                    won += pair * (0.5 + 0.5 * np.sign(survival[j, at] - survival[i, at]))
        assert value == pytest.approx(won / total, abs=1e-13)


@pytest.mark.parametrize(
    ("survival", "grid", "words"),
    [
        ([[0.9, 0.5]], [1, 2], r"curves of shape \(1, 2\)"),
        ([[0.9, 1.5], [0.9, 0.5]], [1, 2], r"survival 1\.5"),
        ([[0.9, np.nan], [0.9, 0.5]], [1, 2], "survival nan"),
        ([[0.5, 0.9], [0.9, 0.5]], [1, 2], "rises after time 1"),
        ([[0.9, 0.5], [0.9, 0.5]], [2, 1], "increasing times"),
        ([[0.9, 0.8], [0.9, 0.5]], [0.5, 0.8], "an event at 1 beyond"),
    ],
)
def test_unusable_curves_are_named(survival, grid, words):
    with pytest.raises(InputError, match=words):
        antolini_c([1, 2], [1, 0], survival, grid)


def test_without_pairs_there_is_no_c():
    with pytest.raises(UndefinedError, match="no comparable pair"):
        antolini_c([1, 2], [0, 1], [[0.9], [0.8]], [2])
