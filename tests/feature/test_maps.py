"""Feature maps against starting afresh at every voxel."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from naive import maps as naive
from radiolocus.errors import ConfigError, InputError, RoiError, UndefinedError
from radiolocus.feature import glcm, intensity, maps
from radiolocus.feature.core import AGGREGATIONS, Context
from radiolocus.feature.extract import extract
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.maps import MAPPABLE, feature_map
from radiolocus.feature.pyradiomics_names import SAME
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.discretise import Scale
from radiolocus.image.filters import respond
from radiolocus.image.region import Region, prepare_region
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
    assert {name for name, _, _ in MAPPABLE.values()} == set(FAMILIES) - {"morphology"}
    of_families = 18 + 23 + 7 + 2 + 6 * (25 + 16) + 3 * (16 + 16 + 17 + 5)
    assert len(MAPPABLE) == of_families


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
    families = tuple(name for name in FAMILIES if name != "morphology")
    settings = FeatureSettings(families=families, bin_number=8, aggregations=tuple(AGGREGATIONS))
    volume, mask = pair(*_blurred(1), (3.0, 1.0, 1.0))
    whole = extract(volume, mask, settings).values
    for name, one in feature_map(volume, mask, settings, whole, radius_voxels=9).items():
        inside = one.array[~np.isnan(one.array)]
        assert inside.size == mask.array.sum()
        np.testing.assert_allclose(inside, whole[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_where_the_window_has_moved_from_changes_nothing_bit_for_bit():
    image, mask = _blurred(2)
    settings = FeatureSettings(bin_width=25, resegment_range=(-300, 400))
    columns = ["stat_skew", "cm_joint_entr_3d_avg", "cm_clust_prom_3d_comb", "ih_entropy", "rlm_rl_entr_3d_avg"]
    columns += ["szm_sze_3d", "dzm_zd_var_2d", "ngl_dc_entr_3d", "ngt_busyness_2_5d"]
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
        (["morph_volume"], ("morph_volume", "family morphology", "any family but", "the shape of a window")),
        (["rlm_sre"], ("unknown feature 'rlm_sre'", "did you mean 'rlm_sre_")),
        (["stat_mean", "stat_men"], ("unknown feature 'stat_men'", "did you mean 'stat_mean'?")),
        (["cm_contrast"], ("unknown feature 'cm_contrast'", "did you mean 'cm_contrast_")),
        (["glcm_contrast"], ("unknown feature 'glcm_contrast'", "did you mean 'cm_contrast_")),
        (["original_glcm_Contrast"], ("did you mean 'cm_contrast_",)),
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


def test_more_cells_than_a_matrix_of_zones_can_have_are_refused():
    image, mask = _blurred(6, (30, 30, 30))
    image[tuple(np.argwhere(mask)[0])] = 60000
    with pytest.raises(InputError, match=r"grey levels and 20412 columns in the matrices of glszm.*smaller radius"):
        feature_map(*pair(image, mask), FeatureSettings(bin_width=1.0), ["szm_sze_3d"], radius_voxels=14)


OF_LEVELS = ("glrlm", "glszm", "gldzm", "ngldm", "ngtdm", "intensity_histogram", "intensity_volume_histogram")


def _afresh(volume, mask, settings, columns, radius):
    """Cut every window out, and take the features of it as those of a region; levels and scale of the whole."""
    region = prepare_region(volume, mask, resegment_range=settings.resegment_range)
    whole = Context(region, settings.discretise, settings.volume_scale(volume.unit))
    known = np.unique(whole.values)
    levels, scale = whole.discretise(known), whole.scale(known)
    out = {column: np.full(region.image.shape, np.nan) for column in columns}
    for at in np.argwhere(region.intensity):
        box = tuple(slice(max(0, a - radius), a + radius + 1) for a in at)
        inside = region.intensity[box]
        part = Context(
            Region(region.image[box], region.morphological[box], inside, region.spacing, (), {}),
            lambda values: levels[np.searchsorted(known, values)],
            lambda values: Scale(scale.step[np.searchsorted(known, values)], scale.last, scale.lowest, scale.width),
        )
        for column in columns:
            name, aggregation, tag = MAPPABLE[column]
            family = FAMILIES[name]
            try:
                prepared = family.prepare(part, aggregation)
                out[column][tuple(at)] = family.reduce(family.features[tag].compute(prepared))
            except UndefinedError:
                pass
    return out


@pytest.mark.parametrize("family", OF_LEVELS)
@examples(max_examples=12)
@given(region=regions(), radius=st.integers(1, 3), low=st.sampled_from([1, 2]))
def test_matrices_and_histograms_are_those_of_each_window(family, region, radius, low):
    image, mask, spacing = region
    image[np.argwhere(mask)[0][0], np.argwhere(mask)[0][1], np.argwhere(mask)[0][2]] = 3
    settings = FeatureSettings(bin_width=1.0, resegment_range=(low, None))  # what is dropped is no border of zones
    columns = [column for column, (name, _, _) in MAPPABLE.items() if name == family]
    scene = pair(image, mask, spacing, "CT", "HU")
    got = feature_map(*scene, settings, columns, radius_voxels=radius)
    _same(got, _afresh(*scene, settings, columns, radius))


def test_volume_histograms_of_any_scale_are_those_of_each_window():
    volume, mask = pair(*_blurred(7, (5, 6, 6)), (3.0, 1.0, 1.0), "CT", "HU")
    columns = [column for column in MAPPABLE if column.startswith("ivh_")]
    for settings in (FeatureSettings(), FeatureSettings(ivh_bin_number=7), FeatureSettings(ivh_bin_width=20.0)):
        _same(
            feature_map(volume, mask, settings, columns, radius_voxels=2), _afresh(volume, mask, settings, columns, 2)
        )


def test_peaks_are_the_largest_of_the_spheres_around_the_voxels_of_the_window():
    rng = np.random.default_rng(9)
    image, mask = rng.integers(1, 9, (5, 14, 15)).astype(float), np.zeros((5, 14, 15), dtype=bool)
    mask[1:4, 3:11, 3:12] = rng.random((3, 8, 9)) < 0.8
    volume, region = pair(image, mask, (3.0, 2.0, 2.0))
    got = feature_map(volume, region, FeatureSettings(), ["loc_peak_loc", "loc_peak_glob"], radius_voxels=1)
    far = np.indices(image.shape).reshape(3, -1).T * (3.0, 2.0, 2.0)
    radius = 10 * (3 / (4 * np.pi)) ** (1 / 3)
    means = np.full(image.shape, np.nan)
    for at in np.argwhere(mask):
        near = np.linalg.norm(far - at * (3.0, 2.0, 2.0), axis=1) <= radius
        means[tuple(at)] = image.ravel()[near].mean()
    expected = {name: np.full(image.shape, np.nan) for name in got}
    for at in np.argwhere(mask):
        box = tuple(slice(a - 1, a + 2) for a in at)
        inner, bright = mask[box], image[box][mask[box]]
        expected["loc_peak_glob"][tuple(at)] = means[box][inner].max()
        expected["loc_peak_loc"][tuple(at)] = means[box][inner][bright == bright.max()].max()
    box = _box(mask)
    _same(got, {name: array[box] for name, array in expected.items()})


def test_the_number_of_threads_changes_nothing_bit_for_bit(monkeypatch):
    volume, mask = pair(*_blurred(10))
    columns = [c for c in MAPPABLE if c.endswith(("_3d", "_3d_comb", "_2d", "_glob", "_entropy", "auc")) or "stat" in c]
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(maps, "available_threads", lambda threads=threads: threads)
        found.append(feature_map(volume, mask, FeatureSettings(bin_number=6), columns, radius_voxels=1))
    for name in columns:
        for other in found[1:]:
            np.testing.assert_array_equal(found[0][name].array, other[name].array, err_msg=name)


def test_an_empty_region_is_refused():
    with pytest.raises(RoiError):
        feature_map(*pair(np.ones((3, 3, 3)), np.zeros((3, 3, 3))), FeatureSettings(), ["stat_mean"], radius_voxels=1)


_THEIRS = """
import json, logging, sys
import numpy, SimpleITK, radiomics
from radiomics.featureextractor import RadiomicsFeatureExtractor
radiomics.logger.setLevel(logging.CRITICAL)
folder, radius, features = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
extractor = RadiomicsFeatureExtractor(binWidth=1, kernelRadius=radius, maskedKernel=True, initValue=float("nan"))
extractor.disableAllFeatures()
extractor.enableFeaturesByName(**features)
found = extractor.execute(folder + "/image.nrrd", folder + "/mask.nrrd", voxelBased=True)
maps = {k: SimpleITK.GetArrayFromImage(v) for k, v in found.items() if isinstance(v, SimpleITK.Image)}
numpy.savez(folder + "/maps.npz", **maps)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("radius", "share"), [(1, 0.9), (1, 1.1), (2, 1.1)])
def test_maps_agree_with_pyradiomics(radius, share, tmp_path):
    python = os.environ.get("RADIOLOCUS_PYRADIOMICS")
    if not python:
        pytest.skip("PyRadiomics is not here (set RADIOLOCUS_PYRADIOMICS to the Python of an environment that has it)")
    rng = np.random.default_rng(12)
    image, mask = rng.integers(1, 9, (12, 13, 14)).astype(np.int16), np.zeros((12, 13, 14), dtype=np.uint8)
    mask[3:9, 3:10, 3:11] = rng.random((6, 7, 8)) < share
    image[tuple(np.argwhere(mask)[0])] = 1
    for name, array in (("image", image), ("mask", mask)):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    order = json.dumps({name: list(same) for name, same in SAME.items()})
    call = [python, "-W", "ignore", "-c", _THEIRS, str(tmp_path), str(radius), order]
    subprocess.run(call, check=True, capture_output=True)
    theirs = np.load(tmp_path / "maps.npz")
    columns = {
        f"original_{name}_{feature}": tag + ("_3d_avg" if name in ("glcm", "glrlm") else "_3d")
        for name, same in SAME.items()
        for feature, tag in same.items()
    }
    got = feature_map(*pair(image, mask > 0), BINS, columns.values(), radius_voxels=radius)
    inside = mask[_box(mask)] > 0
    for name, column in columns.items():
        # Theirs lie on the box of the region and as much around it as the window reaches.
        expected = theirs[name][(slice(radius, -radius),) * 3][inside]
        found = got[column].array[inside]
        if "_glrlm_" in name and share < 1:
            continue  # PyRadiomics leaves out directions in which no line of the window holds two voxels
        if name == "original_glcm_JointAverage":
            # PyRadiomics averages this one over all directions, and has NaN where one of them has no pair.
            found = np.where(np.isnan(expected), np.nan, found)
            assert np.isfinite(expected).mean() > 0.5
        atol = 8 * np.sqrt(np.finfo(float).eps) if "info_corr2" in column else 1e-9
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=atol, err_msg=name)


FILTERED = FeatureSettings(
    bin_number=8,
    resample_mm=(2.0, 2.0, 2.0),
    filters=({"filter": "mean", "size": 3}, {"filter": "log", "sigma_mm": 2.0}),
)


def test_maps_of_a_response_are_those_of_its_windows():
    rng = np.random.default_rng(3)
    array, spacing = rng.normal(50, 20, (9, 12, 11)), (3.0, 1.5, 1.5)
    mask = np.zeros(array.shape, dtype=bool)
    mask[2:6, 3:8, 2:9] = True
    columns = ("log_sigma_2mm.stat_mean", "stat_max", "mean_s3.stat_max", "mean_s3.cm_contrast_3d_comb")
    names = [o.name for o in FILTERED.filter_options]
    columns = tuple(c.replace("mean_s3", names[0]) for c in columns)
    volume, region = pair(array, mask, spacing)
    got = feature_map(replace(volume, unit="HU"), region, FILTERED, columns, radius_voxels=1)
    assert list(got) == list(columns)
    assert [got[c].unit for c in columns] == ["", "HU", "", ""]
    whole = prepare_region(volume, region, resample_mm=(2.0, 2.0, 2.0), margin_mm=1e5)
    box = _box(whole.morphological)
    for column, options in zip((columns[0], columns[2]), FILTERED.filter_options[::-1], strict=True):
        response = respond(whole.image, whole.spacing, options)
        values = np.where(whole.intensity, response, np.nan)[box]
        padded = np.pad(values, 1, constant_values=np.nan)
        reduce = np.nanmean if column.endswith("mean") else np.nanmax
        for at in np.argwhere(whole.intensity[box]):
            window = padded[tuple(slice(i, i + 3) for i in at)]
            assert got[column].array[tuple(at)] == pytest.approx(reduce(window), rel=1e-9)


def test_a_window_as_large_as_the_region_gives_the_feature_of_the_response():
    rng = np.random.default_rng(4)
    array = rng.normal(50, 20, (7, 8, 8))
    mask = np.zeros(array.shape, dtype=bool)
    mask[2:5, 2:6, 3:6] = True
    columns = ("loc_peak_glob", "stat_kurt", "ih_entropy", "cm_contrast_3d_avg", "rlm_sre_3d_comb", "ngt_contrast_3d")
    columns = tuple(f"log_sigma_2mm.{c}" for c in columns if c in MAPPABLE)
    families = tuple(f for f in FAMILIES if f != "morphology")
    chosen = replace(FILTERED, families=families, aggregations=("3d_avg", "3d_comb"))
    expected = extract(*pair(array, mask, (3.0, 1.0, 1.0)), chosen).values
    got = feature_map(*pair(array, mask, (3.0, 1.0, 1.0)), FILTERED, columns, radius_voxels=20)
    for column, volume in got.items():
        values = volume.array[np.isfinite(volume.array)]
        assert values.size
        np.testing.assert_allclose(values, expected[column], rtol=1e-9, err_msg=column)


def test_a_filter_that_the_settings_do_not_hold_is_named():
    inputs = pair(np.ones((3, 3, 3)), np.ones((3, 3, 3), dtype=bool), (1.0, 1.0, 1.0))
    with pytest.raises(ConfigError) as error:
        feature_map(*inputs, FILTERED, ["log_sigma_3mm.stat_mean"], radius_voxels=1)
    assert "log_sigma_2mm" in error.value.allowed
    assert "did you mean" in error.value.todo
    with pytest.raises(ConfigError, match="add the filter"):
        feature_map(*inputs, BINS, ["log_sigma_3mm.stat_mean"], radius_voxels=1)


def test_a_filter_without_value_in_the_region_is_an_error():
    kurtosis = FeatureSettings(filters=({"filter": "lbp", "level": 0},))
    inputs = pair(np.ones((5, 5, 5)), np.ones((5, 5, 5), dtype=bool), (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="the filter has no value at 125 of 125 voxels"):
        feature_map(*inputs, kurtosis, [f"{kurtosis.filter_options[0].name}.stat_mean"], radius_voxels=1)
