from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.resample import METHODS, new_grid, resample_image, resample_mask
from radiolocus.model import Geometry

ORDER = {"linear": 1, "cubic": 3}


@st.composite
def resamplings(draw):
    """Draw (image, geometry, new voxel size)."""
    shape = tuple(draw(st.integers(1, 9)) for _ in range(3))
    old = tuple(draw(st.sampled_from((0.5, 0.977, 1.0, 3.0))) for _ in range(3))
    new = tuple(draw(st.sampled_from((0.0, 0.7, 1.0, 2.0))) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.normal(size=shape), Geometry.regular(shape, old, (5.0, -3.0, 9.0)), new


@settings(max_examples=80, deadline=None)
@given(resamplings(), st.sampled_from(sorted(ORDER)))
def test_agrees_with_general_interpolation_at_the_same_points(case, method):
    image, geometry, size = case
    grid = new_grid(geometry, size)
    points = np.meshgrid(*grid.positions, indexing="ij")
    points = [np.clip(p, 0, n - 1) for p, n in zip(points, image.shape, strict=True)]
    expected = ndimage.map_coordinates(image, points, order=ORDER[method], mode="mirror")
    np.testing.assert_allclose(resample_image(image, grid, method), expected, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(resamplings())
def test_the_centre_stays_and_the_old_grid_is_covered(case):
    _, geometry, size = case
    grid = new_grid(geometry, size).geometry
    middle = [np.append((np.array(g.shape) - 1) / 2, 1.0) @ g.affine.T for g in (geometry, grid)]
    np.testing.assert_allclose(middle[1], middle[0], atol=1e-9)
    wanted = np.where(np.array(size) > 0, size, geometry.spacing)
    np.testing.assert_allclose(grid.spacing, wanted)
    extent = np.array([np.array(g.shape) * g.spacing for g in (geometry, grid)])
    assert (extent[1] > extent[0] - 2e-3 * wanted).all()
    assert (extent[1] < extent[0] + wanted).all()


@settings(max_examples=60, deadline=None)
@given(resamplings(), st.sampled_from(METHODS), st.data())
def test_a_box_gives_what_the_whole_grid_gives(case, method, data):
    image, geometry, size = case
    grid = new_grid(geometry, size)
    box = []
    for n in grid.geometry.shape:
        start = data.draw(st.integers(0, n - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, n))))
    whole = resample_image(image, grid, method)
    np.testing.assert_allclose(resample_image(image, grid, method, tuple(box)), whole[tuple(box)], atol=1e-12)


def test_a_box_far_from_the_border_needs_no_more_than_the_margin_of_the_spline():
    rng = np.random.default_rng(6)
    image = rng.normal(0, 1000, (3, 4, 400))
    grid = new_grid(Geometry.regular(image.shape), (1.0, 1.0, 0.7))
    box = (slice(0, 3), slice(0, 4), slice(250, 260))
    np.testing.assert_allclose(
        resample_image(image, grid, "cubic", box), resample_image(image, grid, "cubic")[box], rtol=1e-12, atol=1e-10
    )


def test_a_spline_goes_through_cubic_polynomials():
    x = np.arange(60.0)
    image = (0.01 * (x - 30) ** 3 - x)[None, None, :]
    grid = new_grid(Geometry.regular(image.shape), (0, 0, 0.6))
    inner = (grid.positions[2] > 20) & (grid.positions[2] < 40)
    at = grid.positions[2][inner]
    np.testing.assert_allclose(resample_image(image, grid, "cubic")[0, 0, inner], 0.01 * (at - 30) ** 3 - at, atol=1e-4)


def test_nearest_takes_the_nearest():
    image = np.arange(10.0)[None, None, :]
    grid = new_grid(Geometry.regular(image.shape), (0, 0, 0.3))
    np.testing.assert_array_equal(
        resample_image(image, grid, "nearest")[0, 0], np.clip(np.floor(grid.positions[2] + 0.5), 0, 9)
    )


def test_half_a_voxel_is_inside():
    mask = np.zeros((1, 1, 8), dtype=bool)
    mask[..., 2:5] = True
    grid = new_grid(Geometry.regular(mask.shape), (0, 0, 2.0))
    # The new voxels cover (0 1), (2 3), (4 5), (6 7): the third is half full.
    np.testing.assert_array_equal(resample_mask(mask, grid)[0, 0], [False, True, True, False])


def test_header_round_off_adds_no_voxel():
    grid = new_grid(Geometry.regular((60, 512, 512), (3.0, 0.97656, 0.97656)), (3.0000001, 0.9765599, 0.9765601))
    assert grid.geometry.shape == (60, 512, 512)


def test_nothing_to_do_returns_the_same_numbers():
    image = np.random.default_rng(7).normal(size=(4, 5, 6))
    for method in METHODS:
        np.testing.assert_array_equal(
            resample_image(image, new_grid(Geometry.regular(image.shape, (3.0, 0.9, 0.9)), (3.0, 0.9, 0.9)), method),
            image,
        )


@pytest.mark.parametrize("size", [(1.0, 2.0), (1.0, -1.0, 1.0), (np.nan, 1.0, 1.0)])
def test_a_voxel_size_that_makes_no_sense_is_refused(size):
    with pytest.raises(ConfigError, match="voxel size"):
        new_grid(Geometry.regular((3, 3, 3)), size)


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match="interpolation 'sinc'"):
        resample_image(np.ones((2, 2, 2)), new_grid(Geometry.regular((2, 2, 2)), (1, 1, 1)), "sinc")


@pytest.mark.parametrize("size", [1e-9, 1e-4])
def test_voxels_too_many_for_any_memory_are_refused_before_they_are_asked_for(size):
    geometry = Geometry.regular((20, 20, 20))
    with pytest.raises(InputError) as error:
        resample_image(np.zeros((20, 20, 20)), new_grid(geometry, (size, size, size)), "linear")
    assert " x " in error.value.got
    assert "resample_mm" in error.value.todo
