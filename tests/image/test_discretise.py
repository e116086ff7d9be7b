from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.discretise import MAX_LEVELS, fixed_bin_number, fixed_bin_size

VALUES = st.lists(st.integers(-1000, 3000), min_size=1, max_size=40).map(lambda v: np.array(v, dtype=float))


@given(VALUES, st.integers(1, 300))
def test_fixed_bin_number_is_its_formula(values, bins):
    low, high = min(values), max(values)
    for x, level in zip(values, fixed_bin_number(values, bins), strict=True):
        expected = 1 if low == high else min(bins, math.floor(bins * (x - low) / (high - low)) + 1)
        assert level == expected


@given(VALUES, st.sampled_from((1.0, 7.0, 25.0)), st.sampled_from((None, -1000.0, -1024.0)))
def test_fixed_bin_size_is_its_formula(values, width, lower):
    start = min(values) if lower is None else lower
    expected = [math.floor((x - start) / width) + 1 for x in values]
    np.testing.assert_array_equal(fixed_bin_size(values, width, lower), expected)


def test_the_largest_number_of_levels_is_accepted_and_one_more_is_not():
    values = np.array([0.0, MAX_LEVELS - 1.0])
    assert fixed_bin_size(values, 1.0).max() == MAX_LEVELS
    with pytest.raises(InputError, match="65537 grey levels") as caught:
        fixed_bin_size(values + np.array([0.0, 1.0]), 1.0)
    assert "larger bin_width" in caught.value.todo


def test_an_intensity_below_the_first_bin_is_refused():
    with pytest.raises(InputError, match="below the first bin"):
        fixed_bin_size(np.array([-5.0, 3.0]), 1.0, 0.0)


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_width_that_makes_no_sense_is_refused(width):
    with pytest.raises(ConfigError, match="bin_width"):
        fixed_bin_size(np.ones(3), width)


@pytest.mark.parametrize("bins", [0, MAX_LEVELS + 1])
def test_a_number_that_makes_no_sense_is_refused(bins):
    with pytest.raises(ConfigError, match="bin_number"):
        fixed_bin_number(np.ones(3), bins)
