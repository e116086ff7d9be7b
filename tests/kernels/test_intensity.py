from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolocus.kernels.intensity import place_levels, whole_counts
from regions import regions


def plain(kernel):
    return getattr(kernel, "py_func", kernel)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=30))
def test_whole_numbers_are_counted_one_by_one(values):
    for function in (whole_counts, plain(whole_counts)):
        lowest, counts = function(np.array(values, dtype=np.float64), 100)
        assert lowest == min(values)
        assert counts.tolist() == [values.count(k) for k in range(min(values), max(values) + 1)]


@pytest.mark.parametrize("values", [[1.0, 2.5], [0.0, 101.0], [2.0**53, 2.0**53 + 2], [-0.5]])
def test_other_numbers_and_far_ranges_are_not_counted(values):
    for function in (whole_counts, plain(whole_counts)):
        assert function(np.array(values), 100)[1].size == 0


@settings(max_examples=40, deadline=None)
@given(regions())
def test_levels_stand_where_their_voxels_are(region):
    image, mask, _ = region
    image = image - 3
    table = np.arange(10, 10 + np.ptp(image[mask]) + 1).astype(np.uint8)
    lowest = int(image[mask].min())
    expected = np.zeros(image.shape, dtype=np.uint8)
    expected[mask] = [table[int(v) - lowest] for v in image[mask]]
    for function in (place_levels, plain(place_levels)):
        found = function(image[mask], mask, lowest, table)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.pad(expected, 1))
