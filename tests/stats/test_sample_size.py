import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.stats.sample_size import largest_r2, needed_binary, needed_survival


def test_the_published_example_of_a_binary_outcome():
    # Riley et al. 2020, BMJ 368:m441: pre-eclampsia-like example of pmsampsize: 24 parameters, prevalence 0.174.
    found = needed_binary(24, 0.174, 0.288)
    assert (found.shrinkage, found.optimism, found.risk) == (623, 662, 221)
    assert found.subjects == 662
    assert found.events_per_parameter == pytest.approx(4.8, abs=0.005)


def test_the_published_example_of_a_time_to_event():
    # Riley et al. 2020, BMJ 368:m441: recurrence of venous thromboembolism, 30 parameters.
    found = needed_survival(30, 0.065, 2.07, 2.0, 0.051)
    assert found.subjects == found.shrinkage == 5143
    assert found.events == pytest.approx(692, abs=0.5)
    assert found.events_per_parameter == pytest.approx(23.07, abs=0.005)


def test_without_an_r2_it_is_15_percent_of_the_largest():
    found = needed_binary(10, 0.1)
    assert found.largest_r2 == pytest.approx(0.48, abs=0.005)  # Riley et al. 2020: 0.48 for a proportion of 0.1
    assert found.r2 == pytest.approx(0.15 * found.largest_r2)
    assert largest_r2(0.5, True) == pytest.approx(0.75)


def test_the_risk_of_everybody_is_known_to_five_percent():
    found = needed_survival(1, 0.1, 2.0, 3.0)
    # The criterion read backwards: the upper end of the interval with so many subjects.
    upper = 0.1 + 1.959963984540054 * np.sqrt(0.1 / (2.0 * found.risk))
    assert np.exp(-0.1 * 3.0) - np.exp(-upper * 3.0) == pytest.approx(0.05, abs=2e-4)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: needed_binary(5, 0.0), "prevalence"),
        (lambda: needed_binary(0, 0.2), "parameters"),
        (lambda: needed_binary(5, 0.1, 0.6), "r2"),
        (lambda: needed_survival(5, 0.1, -2.0, 1.0), "follow_up"),
    ],
)
def test_values_outside_their_range_are_named(call, told):
    with pytest.raises(InputError, match=told) as error:
        call()
    assert error.value.allowed
