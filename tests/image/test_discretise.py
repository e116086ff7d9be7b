from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.errors import ConfigError, InputError, UndefinedError
from radiolocus.image.discretise import MAX_LEVELS, fixed_bin_number, fixed_bin_size, volume_scale

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


def scale_of(values, unit="", **choice):
    found = volume_scale(np.array(values, dtype=float), unit, **choice)
    return found.step.tolist(), found.last, found.lowest, found.width


def test_the_scale_of_whole_numbers_with_a_unit_is_their_own():
    assert scale_of([3, -2, 5], "HU") == ([5, 0, 7], 7, -2.0, 1.0)
    assert scale_of([3, -2, 5], "HU", limits=(-10, None)) == ([13, 8, 15], 15, -10.0, 1.0)
    assert scale_of([3, -2, 5], "HU", limits=(-3.5, 7.5)) == ([6, 1, 8], 10, -3.0, 1.0)


def test_the_scale_of_other_numbers_with_a_unit_is_of_bin_centres():
    steps, last, lowest, width = scale_of([0.05, 0.1, 1.0], "SUVbw g/mL", limits=(0, 1))
    assert (steps, last, width) == ([0, 1, 9], 9, 0.1)
    assert lowest == pytest.approx(0.05)
    assert scale_of([0.5, 7, 10], "HU", limits=(0, 10)) == ([0, 2, 3], 3, 1.25, 2.5)
    steps, last, lowest, width = scale_of([0.5, 1.5], "1e-6 mm2/s")
    assert (steps, last, width) == ([0, 999], 999, 0.001)
    assert lowest == pytest.approx(0.5005)


def test_arbitrary_units_become_a_thousand_bins():
    assert scale_of([1, 3, 2]) == ([0, 999, 500], 999, 1.0, 1.0)
    assert scale_of([1, 3, 2], bins=4) == ([0, 3, 2], 3, 1.0, 1.0)
    assert scale_of([4, 4]) == ([0, 0], 0, 1.0, 1.0)


def test_a_width_that_is_asked_for_holds_whatever_the_unit():
    assert scale_of([-1000, 400, -997.5], "HU", limits=(-1000, 400), width=2.5) == ([0, 559, 1], 559, -998.75, 2.5)
    assert scale_of([7, 7], "HU", width=0.5) == ([0, 0], 0, 7.25, 0.5)


def test_a_scale_that_cannot_be_counted_is_refused():
    with pytest.raises(UndefinedError, match=r"1e\+16 steps of 1") as caught:
        volume_scale(np.array([0.0, 1e16]), "HU")
    assert "ivh_bin_width" in caught.value.todo
    with pytest.raises(UndefinedError, match="steps of 1e-12"):
        volume_scale(np.array([0.5, 1e5]), "HU", width=1e-12)
