from __future__ import annotations

import numpy as np
import pytest

from radiolocus.image.pooling import POOLINGS, pool, right_angle_rotations


@pytest.mark.parametrize("method", POOLINGS)
def test_pooling_is_voxel_by_voxel_and_leaves_the_maps_alone(method):
    maps = list(np.random.default_rng(1).normal(size=(5, 2, 3, 4)))
    before = [m.copy() for m in maps]
    expected = {"average": np.mean, "max": np.max, "min": np.min}[method](maps, axis=0)
    np.testing.assert_allclose(pool(iter(maps), method), expected, rtol=1e-14)
    assert all(np.array_equal(m, b) for m, b in zip(maps, before, strict=True))


@pytest.mark.parametrize(("dimensions", "count"), [(2, 4), (3, 24)])
def test_right_angle_rotations_form_a_group_of_proper_rotations(dimensions, count):
    found = right_angle_rotations(dimensions)
    known = {m.tobytes() for m in found}
    assert len(known) == len(found) == count
    assert all(round(np.linalg.det(m)) == 1 for m in found)
    assert {(a @ b).tobytes() for a in found for b in found} == known
