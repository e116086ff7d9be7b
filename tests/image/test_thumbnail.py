"""The picture of a region shows its largest slice, whole, with the window that is stated."""

import numpy as np

from radiolocus.image.thumbnail import thumbnail
from radiolocus.model import Geometry, Mask, Volume


def _case(modality="CT", shape=(3, 40, 50), scale=1.0):
    grid = Geometry.regular(shape, spacing=(5.0, 2.0, 2.0))
    array = np.full(shape, -160.0)
    region = np.zeros(shape, bool)
    region[1, 10:20, 15:30] = True
    region[2, 10:12, 15:17] = True
    array[region] = 240.0 * scale
    return Volume(array, grid, modality), Mask(region, grid)


def test_the_slice_of_the_largest_area_with_its_margin():
    picture = thumbnail(*_case(), margin_mm=6.0)
    assert picture.pixels.shape == (10 + 2 * 3, 15 + 2 * 3)
    assert picture.mask.sum() == 150
    assert (picture.pixels[picture.mask] == 255).all()
    assert (picture.pixels[~picture.mask] == 0).all()
    assert (picture.low, picture.high) == (-160.0, 240.0)


def test_pet_is_dark_where_it_is_high():
    volume, mask = _case("PT", scale=0.05)
    picture = thumbnail(volume, mask)
    assert (picture.pixels[picture.mask] == 0).all()
    assert (picture.low, picture.high) == (12.0, 0.0)


def test_large_slices_are_thinned_and_the_spacing_follows():
    grid = Geometry.regular((1, 400, 300))
    picture = thumbnail(
        Volume(np.random.default_rng(1).normal(size=(1, 400, 300)), grid), Mask(np.ones((1, 400, 300), bool), grid)
    )
    assert max(picture.pixels.shape) <= 128
    assert picture.spacing == (4.0, 4.0)


def test_voxels_that_are_not_numbers_do_not_break_the_picture():
    volume, mask = _case("MR")
    volume.array[1, 12, 16] = np.nan
    assert thumbnail(volume, mask).pixels.dtype == np.uint8
