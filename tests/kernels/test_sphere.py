from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolocus.kernels import sphere
from regions import regions


@settings(max_examples=40, deadline=None)
@given(regions(largest=6), st.sampled_from((0.9, 2.0, 3.7, 6.2)))
def test_means_are_over_voxels_whose_centre_lies_within(region, radius):
    image, mask, spacing = region
    grid = np.argwhere(np.ones(image.shape, dtype=bool))
    expected = []
    for voxel in np.argwhere(mask):
        near = (((grid - voxel) * spacing) ** 2).sum(axis=1) <= radius**2 * (1 + 1e-12)
        expected.append(image[tuple(grid[near].T)].mean())
    np.testing.assert_allclose(sphere.sphere_means(image, mask, np.array(spacing), radius), expected, rtol=1e-12)


def test_without_compilation():
    rng = np.random.default_rng(10)
    image, mask = rng.normal(size=(4, 5, 6)), rng.random((4, 5, 6)) < 0.5
    rows = np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    interpreted = getattr(sphere._means, "py_func", sphere._means)(image, mask, rows)
    np.testing.assert_array_equal(interpreted, sphere._means(image, mask, rows))


def test_a_mask_cut_from_a_larger_one_needs_no_loop_of_its_own():
    rng = np.random.default_rng(11)
    image, whole = rng.normal(size=(4, 5, 6)), rng.random((6, 7, 8)) < 0.5
    cut = whole[1:-1, 1:-1, 1:-1]
    expected = sphere.sphere_means(image, cut.copy(), np.ones(3), 2.0)
    known = list(getattr(sphere._means, "signatures", ()))
    np.testing.assert_array_equal(sphere.sphere_means(image, cut, np.ones(3), 2.0), expected)
    assert list(getattr(sphere._means, "signatures", ())) == known
