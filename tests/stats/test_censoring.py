import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import evaluation as naive
from radiolocus.errors import UndefinedError
from radiolocus.stats.censoring import Clock, censoring_curve

cohorts = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=20).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


@given(cohorts)
@settings(max_examples=100, deadline=None)
def test_equals_the_product_over_censoring_times(cohort):
    time, event = cohort
    curve = censoring_curve(time, event)
    for t in np.unique(time):
        assert curve.before(t) == pytest.approx(naive.uncensored(time, event, t, before=True), abs=1e-12)
        after = naive.uncensored(time, event, t, before=False)
        if after < 1e-14:
            with pytest.raises(UndefinedError, match=f"at time {t}: everybody left was censored"):
                curve.at(t)
        else:
            assert curve.at(t) == pytest.approx(after, abs=1e-12)


def test_events_come_before_censorings_of_the_same_time():
    curve = censoring_curve([1, 1, 2, 2], [1, 0, 0, 1])
    np.testing.assert_allclose(curve.survival, [2 / 3, 0])
    assert curve.before([0, 1, 2]).tolist() == pytest.approx([1, 1, 2 / 3])


def test_beyond_follow_up_is_an_error_with_the_time():
    with pytest.raises(UndefinedError, match=r"before time 3\.5: beyond the last time of follow-up"):
        censoring_curve([1, 2], [0, 1]).before([1, 3.5, 4])


def test_weights_are_patients_drawn_as_often():
    time, event, weight = np.array([3.0, 1, 2, 2]), np.array([True, False, False, True]), np.array([[2, 0, 1, 3]])
    drawn = np.repeat(np.arange(4), weight[0])
    curve = Clock.of(time, event).uncensored(weight)[0]
    again = censoring_curve(time[drawn], event[drawn])
    np.testing.assert_allclose(curve, [1, 1, *again.survival])
