"""Grids know where they lie."""

import numpy as np
import pytest

from radiolocus.errors import GeometryError
from radiolocus.model import Geometry, Mask, Volume


def test_spacing_volume_and_place_of_a_regular_grid():
    grid = Geometry.regular((4, 5, 6), spacing=(3.0, 2.0, 1.0), origin=(10, 20, 30))
    assert grid.spacing.tolist() == [3.0, 2.0, 1.0]
    assert grid.voxel_volume == pytest.approx(6.0)
    assert (grid.affine @ [1, 1, 1, 1])[:3].tolist() == [11, 22, 33]


def test_difference_is_told_in_words_and_small_rounding_is_not_one():
    grid = Geometry.regular((4, 5, 6))
    assert grid.difference(Geometry.regular((4, 5, 6), origin=(0.001, 0, 0))) == ""
    assert "shape (4, 5, 6) against (4, 5, 7)" in grid.difference(Geometry.regular((4, 5, 7)))
    assert "2 mm apart" in grid.difference(Geometry.regular((4, 5, 6), origin=(0, 2, 0)))


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_a_grid_without_volume_is_refused(affine):
    with pytest.raises(GeometryError):
        Geometry((1, 1, 1), affine)


def test_arrays_must_fit_their_grid():
    grid = Geometry.regular((2, 2, 2))
    with pytest.raises(GeometryError, match=r"\(2, 2, 3\)"):
        Volume(np.zeros((2, 2, 3)), grid)
    with pytest.raises(GeometryError):
        Mask(np.zeros((2, 2, 3), bool), grid)
    assert Mask(np.ones((2, 2, 2), np.uint8), grid).array.dtype == bool
