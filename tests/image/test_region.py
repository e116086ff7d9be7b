from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from radiolocus.errors import RoiError
from radiolocus.image.region import bounding_box, prepare_region
from regions import pair, regions


@settings(max_examples=50, deadline=None)
@given(regions())
def test_the_box_is_the_smallest(region):
    _, mask, _ = region
    points = np.argwhere(mask)
    expected = tuple(slice(a, b + 1) for a, b in zip(points.min(axis=0), points.max(axis=0), strict=True))
    assert bounding_box(mask) == expected


def test_an_empty_mask_has_no_box():
    with pytest.raises(RoiError, match="empty mask"):
        bounding_box(np.zeros((2, 2, 2), dtype=bool))


@settings(max_examples=50, deadline=None)
@given(regions())
def test_without_options_a_region_is_a_crop(region):
    image, mask, spacing = region
    found = prepare_region(*pair(image, mask, spacing))
    box = bounding_box(mask)
    np.testing.assert_array_equal(found.image, image[box])
    np.testing.assert_array_equal(found.morphological, mask[box])
    np.testing.assert_array_equal(found.intensity, mask[box])
    np.testing.assert_allclose(found.spacing, spacing)
    assert found.counts == {"voxels": mask.sum(), "voxels_resegmented": mask.sum()}
    assert found.notes == ()


def test_a_margin_ends_at_the_edge_of_the_image():
    image = np.arange(5 * 6 * 7.0).reshape(5, 6, 7)
    mask = np.zeros(image.shape, dtype=bool)
    mask[0, 3, 3] = True
    found = prepare_region(*pair(image, mask, (4.0, 1.0, 1.0)), margin_mm=2.5)
    np.testing.assert_array_equal(found.image, image[0:2, 0:7, 0:7])
    assert np.argwhere(found.morphological).tolist() == [[0, 3, 3]]


def test_resampling_within_slices_keeps_the_slices():
    rng = np.random.default_rng(8)
    image, mask = rng.normal(size=(4, 8, 8)), np.ones((4, 8, 8), dtype=bool)
    found = prepare_region(*pair(image, mask, (5.0, 1.0, 1.0)), resample_mm=(0, 2, 2))
    np.testing.assert_allclose(found.spacing, (5.0, 2.0, 2.0))
    # Twice the voxel, centre on centre: the mean of two by two.
    np.testing.assert_allclose(found.image, image.reshape(4, 4, 2, 4, 2).mean(axis=(2, 4)))
    assert found.counts["voxels_resampled"] == 4 * 4 * 4


def test_the_morphological_mask_survives_resegmentation():
    image = np.array([[[0.0, 50.0, 500.0]]])
    found = prepare_region(*pair(image, np.ones(image.shape, dtype=bool)), resegment_range=(0.0, 100.0))
    assert found.morphological.tolist() == [[[True, True, True]]]
    assert found.intensity.tolist() == [[[True, True, False]]]


def test_rounding_comes_before_the_range():
    image = np.array([[[0.6, 3.0]]])
    choice = {"rounded": True, "resegment_range": (1.0, None)}
    assert prepare_region(*pair(image, np.ones(image.shape, dtype=bool)), **choice).intensity.all()
