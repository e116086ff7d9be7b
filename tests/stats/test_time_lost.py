import csv
from pathlib import Path

import numpy as np
import pytest

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.explained import restricted_mean
from radiolocus.stats.time_lost import restricted_time_lost, restricted_time_lost_difference

ANSWERS = Path(__file__).resolve().parent.parent / "reference" / "competing_answers.csv"


@pytest.fixture(scope="module")
def lost():
    """Mean time in the state of each kind of event, by R's survfit."""
    rows = list(csv.reader(ANSWERS.read_text().splitlines()))[1:]
    return {key: float(value) for key, value in rows if key.startswith("lost.")}


@pytest.mark.parametrize("tau", [9, 15])
@pytest.mark.parametrize("cause", [1, 2])
def test_time_lost_equals_survfit(judged, lost, tau, cause):
    t, k, g = judged["t"], judged["k"], judged["g"]
    assert restricted_time_lost(t, k, tau, cause=cause) == pytest.approx(lost[f"lost.{tau}.{cause - 1}"], abs=1e-12)
    found = restricted_time_lost_difference(t, k, g, tau, cause=cause, draws=200)
    each = [lost[f"lost.g.{tau}.{2 * (cause - 1) + group}"] for group in (0, 1)]
    np.testing.assert_allclose([found.first, found.second, found.difference], [*each, each[1] - each[0]], atol=1e-12)
    assert found.interval.lower < found.difference < found.interval.upper


def test_times_lost_and_time_without_event_add_up_to_the_horizon(judged):
    t, k = judged["t"], judged["k"]
    lost = [restricted_time_lost(t, k, 13, cause=cause) for cause in (1, 2)]
    assert sum(lost) + restricted_mean(t, k > 0, 13).estimate == pytest.approx(13, abs=1e-12)


@pytest.mark.parametrize(("horizon", "undefined"), [(9, 0), (20, 4)])
def test_draws_equal_estimates_of_the_drawn_patients(judged, horizon, undefined):
    t, k = judged["t"][:40], judged["k"][:40]
    k = np.where(t > 12, 0, k) if undefined else k
    g = np.arange(40) % 2
    found = restricted_time_lost_difference(t, k, g, horizon, draws=50, seed=4)
    rng = np.random.default_rng(4)
    slow = []
    for _ in range(50):
        drawn = []
        for group in (0, 1):
            members = np.flatnonzero(g == group)
            rows = members[rng.integers(members.size, size=members.size)]
            curve = aalen_johansen(t[rows], k[rows])
            steps = np.arange(1000 * horizon) / 1000  # whole-number times: the mean of the steps is exact
            if k[rows][t[rows] == t[rows].max()].all():  # nobody is left: the curve stays where it is
                steps = np.minimum(steps, t[rows].max())
            drawn.append(curve.incidence_at(steps, 1).mean() * horizon if 1 in curve.cause else 0.0)
        slow.append(drawn[1] - drawn[0])
    # A draw that is not followed to the horizon has no value.
    assert found.interval.undefined == np.isnan(slow).sum() == undefined
    ends = [found.interval.lower, found.interval.upper]
    np.testing.assert_allclose(ends, np.nanquantile(slow, [0.025, 0.975]), atol=1e-9)


def test_intervals_cover_a_difference_that_is_known():
    # Constant hazards a and b of two kinds of event: the incidence is a/(a+b) (1 − exp(−(a+b)t)).
    def true(a, b, tau):
        return a / (a + b) * (tau - (1 - np.exp(-(a + b) * tau)) / (a + b))

    rng = np.random.default_rng(3)
    difference = true(0.2, 0.05, 5.0) - true(0.1, 0.05, 5.0)
    covered = 0
    for draw in range(100):
        g = np.repeat([0, 1], 60)
        first, second = rng.exponential(1 / np.where(g, 0.2, 0.1)), rng.exponential(20.0, 120)
        gone = rng.uniform(2, 12, 120)
        time = np.minimum(np.minimum(first, second), gone)
        state = np.where(time == gone, 0, np.where(time == first, 1, 2))
        found = restricted_time_lost_difference(time, state, g, 5.0, draws=200, seed=draw)
        covered += found.interval.lower <= difference <= found.interval.upper
    assert 88 <= covered <= 100


def test_after_the_last_event_of_everybody_the_curve_goes_on():
    assert restricted_time_lost([1, 2, 2, 4], [1, 2, 1, 1], 10) == pytest.approx((9 + 8 + 6) / 4)
    assert restricted_time_lost([1, 2], [2, 2], 10, cause=1) == 0


def test_what_cannot_be_told_is_named():
    t, k = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1, 0, 2, 0, 1, 0])
    with pytest.raises(InputError, match="horizon 7 beyond follow-up") as told:
        restricted_time_lost(t, k, 7)
    assert told.value.where == "last time 6"
    with pytest.raises(InputError, match="horizon 5 beyond follow-up") as told:
        restricted_time_lost_difference(t, k, [0, 0, 1, 0, 1, 1], 5)
    assert told.value.where == "last time 4"
    with pytest.raises(InputError, match="finite, positive"):
        restricted_time_lost(t, k, 0)
    with pytest.raises(InputError, match="3 values"):
        restricted_time_lost_difference(t, k, [0, 1, 2, 0, 1, 2], 3)
    with pytest.raises(UndefinedError, match="kind looked at"):
        restricted_time_lost_difference(t, k, [0, 1, 0, 1, 0, 1], 3, cause=3)
