import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.competing import aalen_johansen, pseudo_observations
from radiolocus.stats.survival import kaplan_meier


def test_aalen_johansen_equals_survfit(judged, told):
    curve = aalen_johansen(judged["t"], judged["k"])
    np.testing.assert_array_equal(curve.time, told["aj.time"])
    np.testing.assert_allclose(curve.incidence, np.column_stack([told["aj.1"], told["aj.2"]]), atol=1e-12)
    np.testing.assert_allclose(curve.standard_error[:, 0], told["aj.se.1"], atol=1e-12)


@pytest.mark.parametrize(
    ("time", "state", "cause", "value"),
    [([1, 2, 3, 4, 5, 6], [0, 1, 1, 2, 2, 0], 2, 0.4), ([1, 1, 1, 2, 2, 3, 3, 4], [1, 2, 0, 1, 2, 1, 2, 0], 1, 0.425)],
)
def test_known_incidences(time, state, cause, value):
    # Worked by hand; the first and the second of the reference for heavily tied times.
    curve = aalen_johansen(time, state)
    assert curve.incidence_at(max(time), cause) == pytest.approx(value, abs=1e-12)
    assert np.isnan(curve.incidence_at(max(time) + 1, cause))
    assert curve.incidence_at(0, cause) == 0


def test_one_kind_of_event_is_one_less_kaplan_meier(judged):
    curve, other = aalen_johansen(judged["t"], judged["e"]), kaplan_meier(judged["t"], judged["e"])
    np.testing.assert_allclose(curve.incidence[:, 0], 1 - other.survival, atol=1e-13)
    # The infinitesimal jackknife of Kaplan–Meier is not Greenwood's, but near it.
    np.testing.assert_allclose(curve.standard_error[:, 0], other.standard_error, rtol=0.05)


@pytest.mark.parametrize(("name", "state", "cause"), [("one", "e", None), ("cause1", "k", 1)])
def test_pseudo_observations_equal_prodlim(judged, told, name, state, cause):
    found = pseudo_observations(judged["t"], judged[state], 9, cause=cause)
    np.testing.assert_allclose(found, told[f"pseudo.{name}"], atol=1e-10)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=3, max_size=15), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_pseudo_observations_equal_leaving_each_out(rows, horizon):
    time, state = (np.array(column) for column in zip(*rows, strict=True))
    if not (state == 1).sum() or horizon > time.max():
        return
    n = time.size
    found = pseudo_observations(time, state, horizon, cause=1)

    def incidence(t, s):
        total, alive = 0.0, 1.0
        for at in sorted({u for u in t if u <= horizon}):
            total += alive * np.sum((t == at) & (s == 1)) / np.sum(t >= at)
            alive *= 1 - np.sum((t == at) & (s > 0)) / np.sum(t >= at)
        return total

    for i in range(n):
        expected = n * incidence(time, state) - (n - 1) * incidence(np.delete(time, i), np.delete(state, i))
        assert found[i] == pytest.approx(expected, abs=1e-10)


def test_without_censoring_a_pseudo_observation_is_the_event_itself():
    time = np.array([3.0, 1, 2, 5, 2])
    np.testing.assert_allclose(pseudo_observations(time, np.ones(5), 2), time <= 2, atol=1e-12)


def test_unusable_input_is_named():
    with pytest.raises(InputError, match=r"state 1.5"):
        aalen_johansen([1, 2], [1, 1.5])
    with pytest.raises(InputError, match="state nan"):
        aalen_johansen([1, 2], [1, np.nan])
    with pytest.raises(UndefinedError, match="no events"):
        aalen_johansen([1, 2], [0, 0])
    with pytest.raises(InputError, match="cause 3"):
        aalen_johansen([1, 2], [1, 2]).incidence_at(1, 3)
    with pytest.raises(InputError, match="horizon 9 beyond follow-up"):
        pseudo_observations([1, 2], [1, 0], 9)
    with pytest.raises(InputError, match="one patient"):
        pseudo_observations([1], [1], 1)
