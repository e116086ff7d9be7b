"""Feature maps against starting afresh at every voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from naive import maps as naive
from radiolocus.errors import ConfigError, InputError, RoiError
from radiolocus.feature import glcm, intensity
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.maps import MAPPABLE, feature_map
from radiolocus.feature.settings import FeatureSettings
from radiolocus.kernels.window import PAIR_FEATURES, STATISTICS
from radiolocus.model import Geometry, Mask, Volume
from regions import pair, regions

BINS = FeatureSettings(bin_width=1.0, resegment_range=(1, None))  # whole intensities are their own grey levels
STATISTIC_COLUMNS = tuple(intensity.FAMILY.features)


def _box(mask):
    at = np.argwhere(mask)
    return tuple(slice(a, b + 1) for a, b in zip(at.min(0), at.max(0), strict=True))


def _same(got, expected):
    assert list(got) == list(expected)
    for name, volume in got.items():
        # The root of what should be 0 is the root of the rounding of three entropies, also in one of many directions.
        atol = 8 * np.sqrt(np.finfo(float).eps) if name.startswith("cm_info_corr2") else 1e-9
        np.testing.assert_allclose(volume.array, expected[name], rtol=1e-9, atol=atol, equal_nan=True, err_msg=name)


def test_the_kernels_know_every_feature_of_their_family():
    assert set(STATISTICS) == set(intensity.FAMILY.features)
    assert set(PAIR_FEATURES) == set(glcm.FAMILY.features)
    assert len(MAPPABLE) == 18 + 6 * 25


@given(regions(), st.integers(1, 3))
def test_statistics_are_those_of_each_window(region, radius):
    image, mask, spacing = region
    image = image - 2.25  # a mean of 0 and signs of both kinds
    got = feature_map(*pair(image, mask, spacing), FeatureSettings(), STATISTIC_COLUMNS, radius_voxels=radius)
    box = _box(mask)
    _same(got, naive.statistics(image[box], mask[box], (radius,) * 3))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@examples(max_examples=20)
@given(region=regions(), radius=st.integers(1, 3))
def test_co_occurrence_is_that_of_each_window(aggregation, region, radius):
    image, mask, spacing = region
    columns = [f"{tag}_{aggregation}" for tag in glcm.FAMILY.features]
    got = feature_map(*pair(image, mask, spacing), BINS, columns, radius_voxels=radius)
    box = _box(mask)
    expected = naive.pairs(np.where(mask, image, 0).astype(int)[box], aggregation, (radius,) * 3)
    _same(got, {name: expected[name] for name in columns})


def test_a_radius_in_mm_counts_whole_voxels_along_each_axis():
    rng = np.random.default_rng(5)
    image, mask = rng.integers(1, 6, (4, 9, 8)).astype(float), rng.random((4, 9, 8)) < 0.8
    volume, region = pair(image, mask, (3.0, 1.0, 2.0))
    columns = ["cm_contrast_3d_comb", "cm_joint_entr_2_5d_comb", "stat_median"]
    got = feature_map(volume, region, BINS, columns, radius_mm=2.0)
    box = _box(mask)
    levels = np.where(mask, image, 0).astype(int)[box]
    reach = (0, 2, 1)
    expected = {
        columns[0]: naive.pairs(levels, "3d_comb", reach)[columns[0]],
        columns[1]: naive.pairs(levels, "2_5d_comb", reach)[columns[1]],
        columns[2]: naive.statistics(image[box], mask[box], reach)[columns[2]],
    }
    _same(got, expected)


def _blurred(seed, shape=(7, 8, 9)):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, dtype=bool)
    mask[1:-1, 2:-1, 1:-2] = rng.random((shape[0] - 2, shape[1] - 3, shape[2] - 3)) < 0.9
    return rng.normal(100, 40, shape), mask


def test_a_window_that_holds_the_region_gives_the_features_of_the_region():
    settings = FeatureSettings(families=("intensity", "glcm"), bin_number=8, aggregations=tuple(AGGREGATIONS))
    volume, mask = pair(*_blurred(1), (3.0, 1.0, 1.0))
    whole = extract(volume, mask, settings).values
    for name, one in feature_map(volume, mask, settings, whole, radius_voxels=9).items():
        inside = one.array[~np.isnan(one.array)]
        assert inside.size == mask.array.sum()
        np.testing.assert_allclose(inside, whole[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_where_the_window_has_moved_from_changes_nothing_bit_for_bit():
    image, mask = _blurred(2)
    settings = FeatureSettings(bin_width=25, resegment_range=(-300, 400))
    columns = ["stat_skew", "cm_joint_entr_3d_avg", "cm_clust_prom_3d_comb"]
    whole = feature_map(*pair(image, mask), settings, columns, radius_voxels=1)
    # Without its first planes the lines of the region start elsewhere; one plane on, the windows are the same again.
    part = mask.copy()
    part[:, :, :3] = False
    later = feature_map(*pair(image, part), settings, columns, radius_voxels=1)
    for name in columns:
        size = later[name].array.shape[2] - 1
        np.testing.assert_array_equal(whole[name].array[:, :, -size:], later[name].array[:, :, 1:], err_msg=name)


def test_outside_the_region_and_its_re_segmentation_is_nan():
    image, mask = _blurred(3)
    settings = FeatureSettings(resegment_range=(60, 140))
    got = feature_map(*pair(image, mask), settings, ["stat_mean"], radius_voxels=1)["stat_mean"]
    kept = (mask & (image >= 60) & (image <= 140))[_box(mask)]
    np.testing.assert_array_equal(~np.isnan(got.array), kept)


def test_the_map_lies_where_the_region_lies():
    image, mask = _blurred(4)
    oblique = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0] * [3.0, 1.5, 1.0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = oblique, (-40.0, 7.0, 3.0)
    geometry = Geometry(image.shape, affine)
    volume, region = Volume(image, geometry, "CT", "HU"), Mask(mask, geometry)
    got = feature_map(volume, region, FeatureSettings(), ["stat_max"], radius_voxels=1)["stat_max"]
    start = [part.start for part in _box(mask)]
    here = np.argwhere(~np.isnan(got.array))
    np.testing.assert_array_equal(here + start, np.argwhere(mask))
    z, y, x = start
    np.testing.assert_allclose(got.geometry.affine @ [1, 2, 3, 1], affine @ [z + 1, y + 2, x + 3, 1])
    assert (got.modality, got.unit) == ("CT", "HU")


def test_after_resampling_the_map_lies_on_the_new_grid():
    # The intensity says where a voxel lies, and linear interpolation keeps it.
    shape, spacing = (9, 10, 11), (3.0, 2.0, 1.0)
    geometry = Geometry.regular(shape, spacing, origin=(5.0, -6.0, 70.0))
    index = np.indices(shape).reshape(3, -1)
    world = geometry.affine @ np.vstack([index, np.ones(index.shape[1])])
    mask = np.zeros(shape, dtype=bool)
    mask[2:7, 3:8, 2:9] = True
    settings = FeatureSettings(resample_mm=(1.5, 1.5, 1.5))
    for axis in range(3):
        volume = Volume(world[axis].reshape(shape), geometry)
        got = feature_map(volume, Mask(mask, geometry), settings, ["stat_min", "stat_max"], radius_voxels=1)
        middle = (got["stat_min"].array + got["stat_max"].array) / 2
        at = [n // 2 for n in middle.shape]
        assert middle[tuple(at)] == pytest.approx((got["stat_min"].geometry.affine @ [*at, 1])[axis])


def test_what_has_no_value_is_nan_and_counted():
    image = np.ones((3, 3, 3))
    image[0, 0, 0] = 2
    got = feature_map(*pair(image, np.ones((3, 3, 3))), BINS, ["cm_corr_3d_avg", "stat_mean"], radius_voxels=1)
    lost = np.isnan(got["cm_corr_3d_avg"].array)
    assert lost.sum() == 27 - 8
    assert got["cm_corr_3d_avg"].notes[-1].startswith("cm_corr_3d_avg has no value at 19 of 27 voxels")
    assert got["stat_mean"].notes == ()


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ([], ("no feature",)),
        (["morph_volume"], ("morph_volume", "family morphology", "intensity (stat_mean", "glcm")),
        (["rlm_sre_3d_avg"], ("family glrlm",)),
        (["stat_mean", "stat_men"], ("unknown feature 'stat_men'", "did you mean 'stat_mean'?")),
        (["cm_contrast"], ("unknown feature 'cm_contrast'", "did you mean 'cm_contrast_")),
        (["log_sigma_3mm.stat_mean"], ("log_sigma_3mm.stat_mean",)),
    ],
)
def test_features_that_have_no_map_are_refused(columns, parts):
    with pytest.raises(ConfigError) as refused:
        feature_map(*pair(*_blurred(0)), FeatureSettings(), columns, radius_voxels=1)
    assert all(part in refused.value.message for part in parts)


@pytest.mark.parametrize(
    "radius",
    [{}, {"radius_voxels": 1, "radius_mm": 1.0}, {"radius_voxels": 0}, {"radius_voxels": -1}, {"radius_voxels": 51}]
    + [{"radius_mm": v} for v in (0.5, -1.0, float("nan"), float("inf"))],
)
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(ConfigError, match="radi"):
        feature_map(*pair(*_blurred(0)), FeatureSettings(), ["stat_mean"], **radius)


def test_more_grey_levels_than_a_matrix_can_hold_are_refused():
    image, mask = _blurred(6)
    image[tuple(np.argwhere(mask)[0])] = 60000
    with pytest.raises(InputError, match=r"grey levels in 13 matrices.*at most 4\d{3} grey levels.*bin_width"):
        feature_map(*pair(image, mask), FeatureSettings(bin_width=1.0), ["cm_energy_3d_avg"], radius_voxels=1)


def test_an_empty_region_is_refused():
    with pytest.raises(RoiError):
        feature_map(*pair(np.ones((3, 3, 3)), np.zeros((3, 3, 3))), FeatureSettings(), ["stat_mean"], radius_voxels=1)
