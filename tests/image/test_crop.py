"""Crops around a region."""

import numpy as np
import pytest

from radiolocus.errors import InputError, RoiError
from radiolocus.image.crop import crop
from radiolocus.model import Geometry, Mask, Volume

GRID = Geometry.regular((6, 20, 24), spacing=(3.0, 2.0, 1.0))


def pair(box=(slice(2, 4), slice(5, 11), slice(8, 18))):
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in GRID.shape), indexing="ij")
    region = np.zeros(GRID.shape, dtype=bool)
    region[box] = True
    return Volume((100 * z + 10 * y + x).astype(np.float32), GRID), Mask(region, GRID)


def test_on_its_own_voxels_a_crop_is_a_cut_of_the_image():
    volume, mask = pair()
    found = crop(volume, mask, (0, 2.0, 1.0), (2, 8, 12))
    np.testing.assert_array_equal(found.image, volume.array[2:4, 4:12, 7:19])
    np.testing.assert_array_equal(found.mask, mask.array[2:4, 4:12, 7:19])
    assert not found.cut


def test_a_linear_image_is_sampled_exactly_on_other_voxels():
    volume, mask = pair()
    found = crop(volume, mask, (3.0, 1.0, 2.0), (2, 10, 6))
    y = 7.5 + (np.arange(10) - 4.5) / 2
    x = 12.5 + (np.arange(6) - 2.5) * 2
    np.testing.assert_allclose(found.image[0], 200 + 10 * y[:, None] + x[None, :], rtol=1e-6)
    assert found.mask.all()


def test_a_single_slice_is_that_of_the_largest_area():
    volume, mask = pair()
    mask.array[3, 5:8] = False
    found = crop(volume, mask, (0, 2.0, 1.0), (1, 8, 12))
    np.testing.assert_array_equal(found.image[0], volume.array[2, 4:12, 7:19])
    assert not found.cut


def test_a_region_larger_than_the_box_is_told_and_beyond_the_image_there_is_no_region():
    volume, mask = pair((slice(0, 6), slice(0, 20), slice(0, 24)))
    assert crop(volume, mask, (0, 2.0, 1.0), (6, 8, 12)).cut
    whole = crop(volume, mask, (0, 2.0, 1.0), (6, 30, 24))
    assert not whole.cut
    assert whole.mask.sum() == mask.array.sum()
    assert np.isfinite(whole.image).all()
    assert (whole.image[:, 0] == volume.array[:, 0]).all()


def test_what_is_not_finite_outside_the_region_does_not_reach_into_it():
    volume, mask = pair()
    clean = crop(volume, mask, (0, 2.0, 1.0), (2, 8, 12))
    spoiled = volume.array.copy()
    spoiled[:, :4] = np.nan
    found = crop(Volume(spoiled, GRID), mask, (0, 2.0, 1.0), (2, 8, 12))
    assert np.isfinite(found.image).all()
    np.testing.assert_array_equal(found.image[clean.mask], clean.image[clean.mask])


def test_a_hole_in_the_region_and_a_region_that_vanishes_are_refused():
    volume, mask = pair()
    spoiled = volume.array.copy()
    spoiled[2, 6, 9] = np.nan
    with pytest.raises(InputError, match="1 of 120 voxels of the region are not finite"):
        crop(Volume(spoiled, GRID), mask, (0, 2.0, 1.0), (2, 8, 12))
    tiny = np.zeros(GRID.shape, dtype=bool)
    tiny[2, 6, 9] = tiny[2, 7, 10] = True
    with pytest.raises(RoiError, match="voxel_mm"):
        crop(volume, Mask(tiny, GRID), (3.0, 9.0, 9.0), (2, 8, 8))
