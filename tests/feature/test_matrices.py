from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.feature import matrices
from radiolocus.feature.core import AGGREGATIONS

KEYS = st.lists(st.integers(0, 60), min_size=1, max_size=50).map(np.array)


@given(KEYS)
def test_counting_and_sorting_give_the_same_groups(keys):
    weights = np.arange(keys.size) + 0.5
    found = []
    for slots in (10**6, -(10**6)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(matrices, "_SLOTS", slots)
            found.append([matrices.groups(keys), matrices.groups(keys, weights)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    expected = {k: int((keys == k).sum()) for k in sorted(set(keys.tolist()))}
    assert dict(zip(*(part.tolist() for part in found[0][0]), strict=True)) == expected
    sums = {k: weights[keys == k].sum() for k in expected}
    assert dict(zip(*(part.tolist() for part in found[0][1]), strict=True)) == pytest.approx(sums)


def test_matrices_without_items_are_left_out():
    found = matrices.tally(
        np.array([4, 1, 4, 4]), np.array([2, 3, 2, 1]), np.array([5, 1, 5, 9]), np.array([9.0, 7, 9, 9, 30])
    )
    assert found.matrix.tolist() == [0, 1, 1]
    assert list(zip(found.level, found.other, found.count, strict=True)) == [(3, 1, 1), (1, 9, 1), (2, 5, 2)]
    assert found.voxels.tolist() == [7, 30]
    assert found.total.tolist() == [1, 3]


def test_every_aggregation_leads_to_a_dimension():
    assert set(matrices.BY_DIMENSION) == set(AGGREGATIONS)
    assert set(matrices.BY_DIMENSION.values()) == {("_2d", "2D"), ("_2_5d", "2.5D"), ("_3d", "3D")}
