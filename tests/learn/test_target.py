import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.learn.target import Target


def test_events_coded_one_and_two_are_not_guessed():
    with pytest.raises(InputError) as caught:
        Target(np.array([1.0, 2.0, 2.0]))
    assert caught.value.got == "event 2"
    assert caught.value.where == "index 1 (2 such)"
    assert "0 (censored or negative)" in caught.value.allowed
    assert "1/2 coding is not guessed" in caught.value.todo


@pytest.mark.parametrize("time", [-1.0, np.nan, np.inf])
def test_times_are_finite_and_not_negative(time):
    with pytest.raises(InputError) as caught:
        Target(np.array([1.0, 0.0]), np.array([3.0, time]))
    assert caught.value.got == f"time {time:g}"
    assert caught.value.where == "index 1 (1 such)"


@pytest.mark.parametrize(
    ("event", "time", "got"),
    [
        ([0, 0, 0, 0], None, "no events among 4 subjects"),
        ([0, 0, 0, 0], [1, 2, 3, 4], "no events among 4 subjects"),
        ([1, 1, 1, 1], None, "only events among 4 subjects"),
        ([0, 0, 0, 1], [1, 2, 3, 4], "no event while another subject is at risk"),
        ([1, 1, 0, 0], None, "2 subjects in the rarer class among 4 subjects"),
        ([1, 1, 0, 0], [1, 2, 3, 4], "2 events among 4 subjects"),
    ],
)
def test_what_no_model_can_learn_is_refused(event, time, got):
    target = Target(np.array(event, float), None if time is None else np.array(time, float))
    with pytest.raises(FitError) as caught:
        target.check()
    assert caught.value.got == got
    assert "at least 3" in caught.value.allowed
    assert "event_values" in caught.value.todo


def test_everybody_with_an_event_is_fine_for_survival():
    Target(np.ones(4), np.arange(4.0)).check()
