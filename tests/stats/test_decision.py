import time as clock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import survival as naive
from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.decision import decision_curve, decision_curve_at, decision_curve_bootstrap
from radiolocus.stats.resampling import bootstrap_weights

AT = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7]


def curve(judged, kind):
    if kind == "yy":
        return decision_curve(judged["y"], judged["p"], AT)
    state, cause = ("e", None) if kind == "km" else ("k", 1)
    return decision_curve_at(judged["t"], judged[state], judged["p"], 9, AT, cause=cause)


@pytest.mark.parametrize("kind", ["km", "aj", "yy"])
def test_equals_the_definition_by_survfit(judged, told, kind):
    found = curve(judged, kind)
    np.testing.assert_allclose(found.net_benefit, told[f"net.{kind}"], atol=1e-12)
    np.testing.assert_allclose(found.treat_all, told[f"net.all.{kind}"], atol=1e-12)
    np.testing.assert_array_equal(found.threshold, AT)


cohorts = st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(0, 4)), min_size=3, max_size=20).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


@given(cohorts, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_equals_a_curve_of_those_above_each_threshold(cohort, horizon):
    time, event, level = cohort
    if not event.any() or horizon > time.max():
        return
    found = decision_curve_at(time, event, level / 4, horizon, [0.2, 0.5, 0.9])
    for k, p in enumerate([0.2, 0.5, 0.9]):
        above = level / 4 >= p
        assert found.share[k] == above.mean()
        if not above.any():
            assert found.net_benefit[k] == 0
            continue
        survival = naive.kaplan_meier(time[above], event[above], horizon)
        if time[above].max() < horizon and survival > 1e-12:
            assert np.isnan(found.net_benefit[k])
        else:
            expected = above.mean() * ((1 - survival) - survival * p / (1 - p))
            assert found.net_benefit[k] == pytest.approx(expected, abs=1e-12)


def test_binary_is_true_less_weighted_false_positives():
    label, risk = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.5, 0.4, 0.2, 0.1])
    found = decision_curve(label, risk, [0.3, 0.5, 0.95])
    np.testing.assert_allclose(found.net_benefit, [2 / 5 - 1 / 5 * 3 / 7, 1 / 5 - 1 / 5, 0], atol=1e-14)
    np.testing.assert_allclose(found.treat_all, [0.4 - 0.6 * 3 / 7, 0.4 - 0.6, 0.4 - 0.6 * 19], atol=1e-12)
    np.testing.assert_allclose(found.share, [0.6, 0.4, 0])
    assert decision_curve(label, risk).threshold[[0, -1]].tolist() == [0.01, 0.99]


def test_bootstrap_equals_curves_of_the_patients_drawn(judged):
    time, state, risk = judged["t"], judged["k"], judged["p"]
    draws = decision_curve_bootstrap(time, state, risk, 9, AT, cause=1, draws=5, seed=3)
    for row, weight in zip(draws, next(bootstrap_weights(time.size, 5, 3)), strict=True):
        drawn = np.repeat(np.arange(time.size), weight)
        again = decision_curve_at(time[drawn], state[drawn], risk[drawn], 9, AT, cause=1)
        np.testing.assert_allclose(row, again.net_benefit, atol=1e-13)


def test_ninety_nine_thresholds_cost_next_to_nothing():
    rng = np.random.default_rng(0)
    data = rng.exponential(size=2000), rng.random(2000) < 0.6, rng.random(2000), 1.0
    decision_curve_at(*data)
    took = []
    for _ in range(5):
        begin = clock.process_time()
        decision_curve_at(*data)
        took.append(clock.process_time() - begin)
    assert min(took) < 0.05  # measured: 0.001 s


@pytest.mark.parametrize("thresholds", [[0.0], [1.0], [0.2, 0.2], [], [np.nan]])
def test_thresholds_lie_inside(thresholds):
    with pytest.raises(InputError, match="thresholds"):
        decision_curve([0, 1], [0.2, 0.3], thresholds)


def test_unusable_input_is_named():
    with pytest.raises(InputError, match=r"risk 1\.2"):
        decision_curve([0, 1], [0.2, 1.2])
    with pytest.raises(InputError, match="label 2"):
        decision_curve([1, 2], [0.2, 0.3])
    with pytest.raises(UndefinedError, match="one class only"):
        decision_curve([1, 1], [0.2, 0.3])
    with pytest.raises(InputError, match="horizon 9 beyond follow-up"):
        decision_curve_at([1, 2], [1, 0], [0.2, 0.3], 9)
