from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes

from naive.shape import spectral_sum
from radiolocus.kernels import shape
from regions import regions


def padded(region):
    return np.pad(region[1], 1)


def plain(function):
    """Return the Python function behind a compiled one."""
    return getattr(function, "py_func", function)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_the_census_counts_every_cell_by_its_corners(region):
    mask = padded(region)
    count, place = np.zeros(256, dtype=int), np.zeros((256, 3), dtype=int)
    for z, y, x in itertools.product(*(range(n - 1) for n in mask.shape)):
        corners = mask[z : z + 2, y : y + 2, x : x + 2].ravel()
        pattern = sum(int(c) << bit for bit, c in enumerate(corners))
        if 0 < pattern < 255:
            count[pattern] += 1
            place[pattern] += (z, y, x)
    for function in (shape.cell_census, plain(shape.cell_census)):
        found = function(mask)
        np.testing.assert_array_equal(found[0], count)
        np.testing.assert_array_equal(found[1], place)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_moments_are_sums_over_voxels(region):
    points = np.argwhere(region[1])
    for function in (shape.moments, plain(shape.moments)):
        n, first, second = function(region[1])
        assert n == len(points)
        np.testing.assert_array_equal(first, points.sum(axis=0))
        np.testing.assert_array_equal(second, points.T @ points)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_weighted_sums_are_sums_over_voxels(region):
    image, mask, _ = region
    points, values = np.argwhere(mask), image[mask]
    image[~mask] = np.nan
    for function in (shape.weighted_sums, plain(shape.weighted_sums)):
        assert function(image, mask).tolist() == [values.sum(), *(points.T @ values).tolist()]


@settings(max_examples=40, deadline=None)
@given(regions())
def test_the_farthest_points_are_those_of_all_pairs(region):
    points = np.argwhere(region[1]) * region[2]
    expected = max(math.dist(a, b) for a in points for b in points)
    for function in (shape.farthest, plain(shape.farthest)):
        assert function(points) == pytest.approx(expected, rel=1e-15)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_candidates_are_mesh_vertices_and_hold_the_whole_hull(region):
    mask = padded(region)
    found = {tuple(p) for p in shape.hull_candidates(mask).tolist()}
    vertices, _, _, _ = marching_cubes(mask.astype(np.float32), 0.5)
    doubled = np.unique(np.rint(2 * vertices).astype(int), axis=0)
    corners = ConvexHull(doubled).vertices
    assert found <= {tuple(p) for p in doubled.tolist()}
    assert {tuple(p) for p in doubled[corners].tolist()} <= found


def test_candidates_without_compilation():
    mask = np.pad(np.random.default_rng(9).random((3, 4, 4)) < 0.5, 1)
    patched = {name: getattr(shape, name) for name in ("_row_ends", "_chain")}
    try:
        for name, function in patched.items():
            setattr(shape, name, plain(function))
        interpreted = plain(shape.hull_candidates)(mask)
    finally:
        for name, function in patched.items():
            setattr(shape, name, function)
    np.testing.assert_array_equal(interpreted, shape.hull_candidates(mask))


def test_a_convex_solid_needs_few_candidates():
    grid = np.indices((41, 41, 41)) - 20
    mask = (grid**2).sum(axis=0) <= 18**2
    assert len(shape.hull_candidates(np.pad(mask, 1))) < 0.1 * mask.sum()


def test_inverse_distances_are_those_from_the_first_point():
    spacing = np.array([3.0, 0.5, 1.25])
    points = np.stack(np.meshgrid(*(np.arange(n) for n in (3, 4, 2)), indexing="ij"), axis=-1) * spacing
    lengths = np.linalg.norm(points, axis=-1)
    lengths[0, 0, 0] = np.inf
    for function in (shape.inverse_distances, plain(shape.inverse_distances)):
        np.testing.assert_allclose(function(np.array([3, 4, 2]), spacing), 1 / lengths, rtol=1e-15)


def test_rows_stand_where_they_were():
    filled = np.array([[False, True, True], [False, False, False], [True, False, True]])
    lines = (np.arange(8) + 1 + 2j).reshape(2, 4)
    expected = np.zeros((2, 3, 5), dtype=complex)
    expected[:, :, :3][:, filled] = lines
    for function in (shape.spread_rows, plain(shape.spread_rows)):
        np.testing.assert_array_equal(function(lines, filled, 5), expected)


@pytest.mark.parametrize(("planes", "half"), [(1, (1, 1)), (3, (2, 5)), (4, (6, 3))])
def test_spectral_sums_know_the_mirror_images_of_the_weights(planes, half):
    rng = np.random.default_rng(5)
    size = (planes, 2 * half[0], 2 * half[1])
    f, g = (rng.normal(size=size) + 1j * rng.normal(size=size) for _ in range(2))
    weights, times = rng.normal(size=(planes, half[0] + 1, half[1] + 1)), rng.uniform(1, 2, planes)
    for function in (shape.spectral_sum, plain(shape.spectral_sum)):
        for other in (f, g):
            expected = spectral_sum(f, other, weights, times)
            assert function(f, other, weights, times) == pytest.approx(expected, rel=1e-12, abs=1e-12)
