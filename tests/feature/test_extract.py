from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings

from radiolocus.errors import GeometryError, InputError, RoiError
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import dictionary, extract
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import FeatureSettings
from radiolocus.model import Geometry, Mask, Volume
from regions import SPACINGS, pair, regions

EVERY = FeatureSettings(tuple(FAMILIES), aggregations=tuple(AGGREGATIONS))


def blob(seed=0, shape=(12, 14, 16), spacing=(3.0, 1.0, 1.0)):
    rng = np.random.default_rng(seed)
    grid = np.indices(shape) - np.array(shape)[:, None, None, None] / 2
    mask = (grid**2).sum(axis=0) < 25
    return rng.normal(100, 20, shape), mask, spacing


@settings(max_examples=60, deadline=None)
@given(regions())
def test_every_region_gives_every_column_a_number_or_a_reason(region):
    found = extract(*pair(*region), EVERY)
    assert list(found.values) == dictionary(EVERY)["feature"].to_list()
    missing = [k for k, v in found.values.items() if v is None]
    assert [p.item for p in found.problems if p.severity == "no value"] == missing
    assert all(math.isfinite(v) for v in found.values.values() if v is not None)
    assert all(type(v) is float for v in found.values.values() if v is not None)


def test_default_settings_give_the_three_families_in_order():
    families = dictionary()["family"].unique(maintain_order=True).to_list()
    assert families == ["morphology", "intensity", "glcm"]
    assert len(extract(*pair(*blob())).values) == 25 + 18 + 25


def test_the_order_of_names_in_the_settings_does_not_matter():
    a = FeatureSettings(("glcm", "morphology"), aggregations=("3d_comb", "2d_avg"))
    b = FeatureSettings(("morphology", "glcm"), aggregations=("2d_avg", "3d_comb"))
    assert dictionary(a).equals(dictionary(b))
    assert list(extract(*pair(*blob()), a).values) == list(extract(*pair(*blob()), b).values)


def test_threads_change_no_bit():
    inputs = [pair(*blob(seed)) for seed in range(4)]
    choice = FeatureSettings(tuple(FAMILIES), resample_mm=(1.5, 1.5, 1.5), interpolation="cubic")
    alone = [extract(*one, choice).values for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: extract(*one, choice).values, inputs * 2))
    with scipy.fft.set_workers(2):
        spread = [extract(*one, choice).values for one in inputs]
    assert together == alone * 2
    assert spread == alone


def test_threads_within_a_region_change_no_bit():
    rng = np.random.default_rng(2)
    mask = np.pad(rng.random((20, 30, 40)) < 0.7, ((0, 5), (3, 0), (2, 2)))
    image = rng.normal(100, 20, mask.shape).cumsum(axis=2)
    for choice in (EVERY, FeatureSettings(tuple(FAMILIES), filters=({"filter": "mean", "size": 3},))):
        one, two, three = (extract(*pair(image, mask), choice, threads=n) for n in (1, 2, 3))
        assert one.values == two.values == three.values == extract(*pair(image, mask), choice).values
        assert one.problems == two.problems == three.problems
        assert one.diagnostics == two.diagnostics == three.diagnostics


def test_too_many_grey_levels_are_refused_whatever_the_threads():
    image, mask, spacing = blob()
    for threads in (1, 2):
        with pytest.raises(InputError, match="grey levels"):
            extract(*pair(image, mask, spacing), FeatureSettings(("glcm", "glszm"), bin_width=1e-5), threads=threads)


def test_the_memory_layout_and_type_of_the_image_do_not_matter():
    image, mask, spacing = blob()
    image = np.round(image).astype(np.float32)
    expected = extract(*pair(image, mask, spacing), EVERY).values
    geometry = Geometry.regular(image.shape, spacing)
    turned = Volume(np.asfortranarray(image), geometry), Mask(np.asfortranarray(mask), geometry)
    assert extract(*turned, EVERY).values == expected


@pytest.mark.parametrize("spacing", SPACINGS)
def test_resampling_to_the_own_voxel_size_changes_nothing(spacing):
    image, mask, _ = blob()
    plain = extract(*pair(image, mask, spacing), EVERY).values
    choice = FeatureSettings(tuple(FAMILIES), resample_mm=spacing, aggregations=tuple(AGGREGATIONS))
    assert extract(*pair(image, mask, spacing), choice).values == pytest.approx(plain, rel=1e-12)


def test_hounsfield_units_are_rounded_after_resampling_and_others_are_not():
    image, mask, spacing = blob()
    choice = FeatureSettings(("intensity",), resample_mm=(2.0, 1.5, 1.5))
    for modality, unit, whole in (("CT", "HU", True), ("PT", "SUVbw g/mL", False), ("MR", "", False)):
        found = extract(*pair(image, mask, spacing, modality, unit), choice).values
        assert found["stat_min"].is_integer() == whole
    forced = FeatureSettings(("intensity",), resample_mm=(2.0, 1.5, 1.5), round_intensity=True)
    assert extract(*pair(image, mask, spacing), forced).values["stat_min"].is_integer()
    assert not extract(*pair(image, mask, spacing, "CT", "HU"), EVERY).values["stat_min"].is_integer()


def test_diagnostics_tell_the_voxels_after_each_step():
    image, mask, spacing = blob()
    found = extract(
        *pair(image, mask, spacing), FeatureSettings(("intensity",), resample_mm=(3, 2, 2), resegment_range=(90, None))
    )
    told = found.diagnostics
    assert told["voxels"] == mask.sum()
    assert told["voxels"] / 4 == pytest.approx(told["voxels_resampled"], rel=0.2)
    assert 0 < told["voxels_resegmented"] < told["voxels_resampled"]
    assert told["intensity_minimum"] >= 90
    assert "grey_levels" not in told
    assert (told["spacing_z_mm"], told["spacing_x_mm"]) == (3.0, 2.0)


def test_a_mask_of_another_grid_is_refused():
    image, mask, spacing = blob()
    volume, _ = pair(image, mask, spacing)
    moved = Mask(mask, Geometry.regular(mask.shape, spacing, origin=(0.5, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="mask lies on another grid") as caught:
        extract(volume, moved)
    assert "0.5 mm apart" in caught.value.got
    assert caught.value.allowed
    assert caught.value.todo


def test_an_empty_mask_is_refused():
    with pytest.raises(RoiError, match="empty mask") as caught:
        extract(*pair(np.ones((3, 3, 3)), np.zeros((3, 3, 3), dtype=bool)))
    assert caught.value.allowed == "at least one voxel"
    assert caught.value.todo


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_placed(bad):
    image, mask, spacing = blob()
    image[6, 7, 8] = image[6, 8, 8] = bad
    with pytest.raises(InputError, match=r"2 NaN or infinite voxels inside the region.*\(6, 7, 8\)") as caught:
        extract(*pair(image, mask, spacing))
    assert caught.value.todo


def test_bad_voxels_beside_the_region_are_a_note():
    image, mask, spacing = blob()
    clean = extract(*pair(image, mask, spacing)).values
    corner = tuple(np.argwhere(mask).min(axis=0))
    assert not mask[corner]
    image[corner] = np.nan
    found = extract(*pair(image, mask, spacing))
    assert found.values == clean
    assert [(p.severity, p.item) for p in found.problems] == [("note", None)]
    assert found.problems[0].got.startswith("1 NaN or infinite voxels lie beside")


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_bad_voxels_that_interpolation_would_carry_in_are_refused(method):
    image, mask, _ = blob(spacing=(1.0, 1.0, 1.0))
    z, y, x = np.argwhere(mask)[0]
    image[z - 1, y, x] = np.nan
    choice = FeatureSettings(("intensity",), resample_mm=(0.8, 0.8, 0.8), interpolation=method)
    with pytest.raises(InputError, match=r"would carry some into \d+ voxels") as caught:
        extract(*pair(image, mask), choice)
    assert method in caught.value.got


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_bad_voxels_out_of_reach_of_interpolation_are_a_note(method):
    image, mask, _ = blob()
    corner = tuple(np.argwhere(mask).min(axis=0))
    choice = FeatureSettings(("intensity", "morphology"), resample_mm=(0.8, 0.8, 0.8), interpolation=method)
    clean = extract(*pair(image, mask), choice).values
    image[corner] = np.inf
    found = extract(*pair(image, mask), choice)
    assert found.values == clean
    assert {p.severity for p in found.problems} == {"note"}


def test_a_region_that_vanishes_in_resampling_is_refused():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2, 2, 2] = True  # the new voxel centres lie at 0, 4 and 8
    with pytest.raises(RoiError, match="nothing is left of 1 voxels") as caught:
        extract(*pair(np.ones(mask.shape), mask), FeatureSettings(resample_mm=(4, 4, 4)))
    assert "4.0" in caught.value.got
    assert "resample_mm" in caught.value.todo


def test_a_region_that_vanishes_in_resegmentation_is_refused():
    image, mask, spacing = blob()
    with pytest.raises(RoiError, match="after re-segmentation") as caught:
        extract(*pair(image, mask, spacing), FeatureSettings(resegment_range=(-1000, -500)))
    assert "(-1000.0, -500.0)" in caught.value.got
    assert "at least one voxel" in caught.value.allowed
    assert "re-segmentation settings" in caught.value.todo


def test_grey_levels_are_told_when_they_were_made():
    assert extract(*pair(*blob())).diagnostics["grey_levels"] == 32


def test_too_many_grey_levels_are_refused():
    image, mask, spacing = blob()
    with pytest.raises(InputError, match=r"grey levels with bin_width = 0\.0001") as caught:
        extract(*pair(image, mask, spacing), FeatureSettings(bin_width=0.0001))
    assert caught.value.allowed == "at most 65536"
    assert "larger bin_width, or use bin_number" in caught.value.todo


@pytest.mark.parametrize("limits", [None, (None, 400.0)])
def test_bins_that_begin_at_the_minimum_of_each_region_are_told(limits):
    image, mask, spacing = blob()
    scene = pair(image, mask, spacing)
    (note,) = extract(*scene, FeatureSettings(("glcm",), bin_width=10, resegment_range=limits)).problems
    assert note.severity == "note"
    assert f"begin at the minimum of this region, {image[mask].min():g}" in note.got
    assert "lower end of resegment_range" in note.allowed
    assert "bin_number" in note.todo
    for choice in (
        FeatureSettings(("glcm",), bin_width=10, resegment_range=(-1000, limits and limits[1])),
        FeatureSettings(("glcm",), bin_number=16, resegment_range=limits),
        FeatureSettings(("intensity",), bin_width=10, resegment_range=limits),
    ):
        assert extract(*scene, choice).problems == ()


def test_a_sheared_grid_is_refused():
    image, mask, _ = blob()
    affine = Geometry.regular(image.shape, (3.0, 1.0, 1.0)).affine.copy()
    affine[1, 0] = 0.4
    geometry = Geometry(image.shape, affine)
    with pytest.raises(GeometryError, match=r"sheared grid.*7\.\d+ degrees"):
        extract(Volume(image, geometry), Mask(mask, geometry))


def test_an_oblique_grid_changes_nothing():
    image, mask, spacing = blob()
    straight = Geometry.regular(image.shape, spacing)
    angle = np.radians(25)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = Geometry(image.shape, turn @ straight.affine)
    choice = FeatureSettings(tuple(FAMILIES), resample_mm=(2.0, 1.3, 1.3))
    found = extract(Volume(image, oblique), Mask(mask, oblique), choice).values
    assert found == pytest.approx(extract(*pair(image, mask, spacing), choice).values, rel=1e-9)


GREY = ("intensity_histogram", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")


def test_a_shift_of_intensity_leaves_grey_levels_alone_when_bins_start_at_the_minimum():
    image, mask, spacing = blob()
    choice = FeatureSettings(GREY, bin_width=25, aggregations=tuple(AGGREGATIONS))
    before = extract(*pair(np.round(image), mask, spacing), choice).values
    assert len(before) == 23 + 6 * 16 + 3 * (16 + 16 + 5 + 17)
    assert extract(*pair(np.round(image) - 1024, mask, spacing), choice).values == before


def test_the_axes_may_be_exchanged_in_3d():
    image, mask, spacing = blob()
    choice = FeatureSettings(GREY, bin_width=10, aggregations=("3d_avg", "3d_comb"))
    before = extract(*pair(image, mask, spacing), choice).values
    after = extract(*pair(image.transpose(2, 0, 1), mask.transpose(2, 0, 1), spacing), choice).values
    assert after == {name: pytest.approx(value, rel=1e-11, abs=1e-11) for name, value in before.items()}


@pytest.mark.parametrize("skip", [("morph_moran_i", "morph_geary_c"), ("stat_mean", "cm_joint_max"), ("loc_peak_loc",)])
def test_what_is_skipped_is_left_out_and_changes_nothing_else(skip):
    image, mask, spacing = blob()
    choice = FeatureSettings(("morphology", "local_intensity", "intensity", "glcm"), filters=({"filter": "mean"},))
    shorter = replace(choice, skip=skip)
    whole = extract(*pair(image, mask, spacing), choice).values
    found = extract(*pair(image, mask, spacing), shorter).values
    assert found == {name: value for name, value in whole.items() if not any(tag in name for tag in skip)}
    assert 0 < len(whole) - len(found) < len(whole)
    assert dictionary(shorter)["feature"].to_list() == list(found)


def test_a_family_that_is_skipped_whole_asks_for_nothing():
    image, mask, spacing = blob()
    peaks = tuple(FAMILIES["local_intensity"].features)
    choice = FeatureSettings(("local_intensity", "intensity"), skip=peaks)
    assert (
        extract(*pair(image, mask, spacing), choice).values
        == extract(*pair(image, mask, spacing), FeatureSettings(("intensity",))).values
    )


def told(modality, unit="", **chosen):
    volume, mask = pair(*blob())
    volume = replace(volume, modality=modality, unit=unit)
    return [p.got for p in extract(volume, mask, FeatureSettings(**chosen)).problems if p.severity == "note"]


def test_bins_of_a_fixed_size_on_arbitrary_intensities_are_noted():
    chosen = {"bin_width": 5.0, "resegment_range": (0.0, None)}
    assert [note[:50] for note in told("MR", **chosen)] == ["bin_width = 5 on MR intensities without a unit: a "]
    assert told("MR", unit="1e-6 mm2/s", **chosen) == told("CT", unit="HU", **chosen) == []
    assert told("MR", bin_number=8) == told("MR", families=("intensity",), **chosen) == []


def test_an_image_of_unknown_modality_is_not_rounded_and_that_is_noted():
    assert [note[:37] for note in told("", resample_mm=(2, 2, 2))] == ["the modality of the image is not know"]
    assert told("", resample_mm=(2, 2, 2), round_intensity=False) == told("MR", resample_mm=(2, 2, 2)) == told("") == []
