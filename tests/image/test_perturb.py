"""Perturbed copies: on images whose value is known everywhere, and against the image that is not perturbed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from radiolocus.errors import GeometryError, InputError, RoiError
from radiolocus.image.perturb import perturbed_regions
from radiolocus.image.perturb_options import Perturbation
from radiolocus.image.region import prepare_region
from radiolocus.model import Geometry, Mask, Volume

SPACING = (3.0, 2.0, 1.5)
GRID = Geometry.regular((16, 26, 30), SPACING)
Z, Y, X = (i * s for i, s in zip(np.indices(GRID.shape), SPACING, strict=True))
CENTRE = (24.0, 26.0, 22.5)  # of the region, on voxel (8, 13, 15)
BALL = (Z - CENTRE[0]) ** 2 + (Y - CENTRE[1]) ** 2 + (X - CENTRE[2]) ** 2 <= 12.0**2


def _pair(array, mask=BALL, grid=GRID):
    return Volume(np.asarray(array, float), grid), Mask(mask, grid)


def perturbed_region(volume, mask, copy, margin_mm=0.0, **asked):
    return perturbed_regions(volume, mask, copy, **asked)(margin_mm)


def _texture(seed=0):
    return 100 + 20 * np.sin(X / 4) + 15 * np.cos(Y / 5 + Z / 7) + np.random.default_rng(seed).normal(0, 2, GRID.shape)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("mm", [None, (2.0, 2.0, 2.0), (0.0, 1.7, 1.7)])
def test_without_a_change_it_is_the_region_that_is_not_perturbed(mm, method):
    volume, mask = _pair(_texture())
    asked = {"resample_mm": mm, "interpolation": method, "margin_mm": 5.0, "resegment_range": (90.0, None)}
    plain, copy = prepare_region(volume, mask, **asked), perturbed_region(volume, mask, Perturbation(), **asked)
    np.testing.assert_allclose(copy.image, plain.image, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(copy.morphological, plain.morphological)
    np.testing.assert_array_equal(copy.intensity, plain.intensity)
    np.testing.assert_array_equal(copy.spacing, plain.spacing)


@pytest.mark.parametrize("mm", [None, (2.0, 2.0, 2.0)])
def test_all_of_the_image_can_be_kept_around_the_region(mm):
    volume, mask = _pair(_texture())
    plain = prepare_region(volume, mask, resample_mm=mm, margin_mm=1e5)
    copy = perturbed_region(volume, mask, Perturbation(noise=0), resample_mm=mm, margin_mm=1e5)
    np.testing.assert_allclose(copy.image, plain.image, atol=1e-11)


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize(("axis", "first", "second"), [("z", 1, 2), ("y", 0, 2), ("x", 0, 1)])
def test_a_rotated_ramp_has_its_slope_in_millimetres_turned(axis, first, second, method):
    # A ramp is a ramp under linear and cubic interpolation: its slopes along the new axes are known exactly.
    slope = np.array([0.7, -1.3, 2.1])  # per mm along z, y, x
    ramp = slope[0] * Z + slope[1] * Y + slope[2] * X
    angle = 17.0
    copy = Perturbation(rotation_deg=angle, rotation_axis=axis)
    region = perturbed_region(*_pair(ramp), copy, resample_mm=(1.0, 1.5, 2.0), interpolation=method)
    found = [np.diff(region.image, axis=a).mean() / s for a, s in enumerate(region.spacing)]
    wanted = slope.copy()
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wanted[first], wanted[second] = c * slope[first] - s * slope[second], s * slope[first] + c * slope[second]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=5e-4)
    assert np.ptp(np.diff(region.image, axis=2)[2:-2, 2:-2, 2:-2]) < (1e-9 if method == "linear" else 0.02)


def test_a_quarter_turn_is_the_turned_array():
    grid = Geometry.regular((9, 21, 21), (3.0, 2.0, 2.0))
    array = np.random.default_rng(1).normal(size=grid.shape)
    mask = np.zeros(grid.shape, bool)
    mask[2:7, 6:13, 8:15] = True
    mask[3, 6, 8] = False
    plain = prepare_region(*_pair(array, mask, grid), margin_mm=4.0)
    turned = perturbed_region(*_pair(array, mask, grid), Perturbation(rotation_deg=90.0), margin_mm=4.0)
    back = [np.rot90(a, 1, axes=(1, 2)) for a in (plain.image, plain.morphological)]
    np.testing.assert_allclose(turned.image, back[0], atol=1e-12)
    np.testing.assert_array_equal(turned.morphological, back[1])


@given(st.floats(-180, 180), st.sampled_from("zyx"))
def test_a_rotation_keeps_volume_and_mean_of_a_ball(angle, axis):
    region = perturbed_region(
        *_pair(_texture()), Perturbation(rotation_deg=angle, rotation_axis=axis), resample_mm=(1.5, 1.5, 1.5)
    )
    plain = prepare_region(*_pair(_texture()), resample_mm=(1.5, 1.5, 1.5))
    # A turned mask is cut anew between voxels, which takes 1.4 % of this small ball in the mean and up to 3.1 %.
    assert region.morphological.sum() == pytest.approx(plain.morphological.sum(), rel=0.04)
    inside = [r.image[r.intensity].mean() for r in (region, plain)]
    assert inside[0] == pytest.approx(inside[1], abs=0.6)


@pytest.mark.parametrize("mm", [None, (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("fraction", [0.25, -0.5])
def test_a_shift_moves_the_grid_by_a_fraction_of_its_voxel(mm, fraction):
    volume, mask = _pair(X)
    plain = prepare_region(volume, mask, resample_mm=mm, margin_mm=6.0)
    copy = perturbed_region(volume, mask, Perturbation(translation=fraction), resample_mm=mm, margin_mm=6.0)
    size = plain.spacing[2]
    rest = (copy.image[0, 0] - plain.image[0, 0, 0]) / size  # in new voxels
    np.testing.assert_allclose(np.diff(rest), 1.0, atol=1e-9)
    assert (rest[0] - fraction) % 1.0 == pytest.approx(0, abs=1e-9) or (rest[0] - fraction) % 1.0 == pytest.approx(1)


def test_a_shift_by_a_whole_voxel_changes_nothing():
    volume, mask = _pair(_texture())
    plain, copy = prepare_region(volume, mask), perturbed_region(volume, mask, Perturbation(translation=1.0))
    np.testing.assert_allclose(copy.image, plain.image, atol=1e-11)
    np.testing.assert_array_equal(copy.intensity, plain.intensity)


def test_the_image_is_interpolated_once_and_not_twice():
    # Linear interpolation halfway between voxels along three axes leaves 1/8 of the variance of white noise, a second
    # one would leave less.
    noise = np.random.default_rng(5).normal(0, 1, (40, 40, 40))
    grid = Geometry.regular(noise.shape)
    mask = np.zeros(noise.shape, bool)
    mask[4:36, 4:36, 4:36] = True
    copy = perturbed_region(*_pair(noise, mask, grid), Perturbation(translation=0.5), resample_mm=(1.0, 1.0, 1.0))
    assert copy.image[copy.intensity].var() == pytest.approx(1 / 8, rel=0.05)


def test_noise_is_added_to_the_voxels_of_the_image():
    volume, mask = _pair(_texture())
    plain = prepare_region(volume, mask, margin_mm=9.0)
    first, again, second = (
        perturbed_region(volume, mask, Perturbation(noise=k, seed=3), margin_mm=9.0).image for k in (1, 1, 2)
    )
    assert (first - plain.image).std() == pytest.approx(2, rel=0.15)
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef((first - plain.image).ravel(), (second - plain.image).ravel())[0, 1]) < 0.05


def test_what_is_kept_around_the_region_does_not_change_the_region():
    volume, mask = _pair(_texture())
    copy = Perturbation(8.0, "z", 0.25, 1, 0.1, 1, seed=5)
    near, far = (perturbed_region(volume, mask, copy, interpolation="cubic", margin_mm=m) for m in (0.0, 12.0))
    np.testing.assert_allclose(near.image[near.intensity], far.image[far.intensity], rtol=1e-12)


@given(st.floats(-0.6, 0.6).filter(lambda f: abs(f) > 0.02))
def test_the_volume_changes_by_what_was_asked(fraction):
    region = perturbed_region(*_pair(_texture()), Perturbation(volume=fraction, seed=2), resample_mm=(2.0, 2.0, 2.0))
    before = region.counts["voxels_resampled"]
    assert region.counts["voxels_perturbed"] == before + round(before * fraction)


def test_a_chain_does_what_its_links_do():
    volume, mask = _pair(_texture())
    moved = perturbed_region(volume, mask, Perturbation(rotation_deg=10.0, translation=0.5))
    grown = perturbed_region(volume, mask, Perturbation(rotation_deg=10.0, translation=0.5, volume=0.2))
    assert grown.counts["voxels_resampled"] == moved.counts["voxels_resampled"]
    assert grown.counts["voxels_perturbed"] == round(1.2 * moved.counts["voxels_resampled"])


def test_a_region_at_the_border_of_the_image_stays_within_it():
    mask = np.zeros(GRID.shape, bool)
    mask[:4, :6, :8] = True
    plain = mask.sum() * GRID.voxel_volume
    for copy in (Perturbation(rotation_deg=20.0), Perturbation(translation=0.3), Perturbation(volume=0.3)):
        region = perturbed_region(*_pair(_texture(), mask), copy, margin_mm=4.0)
        volume = region.morphological.sum() * np.prod(region.spacing)
        assert volume == pytest.approx(plain * (1 + copy.volume), rel=0.12)
        assert np.isfinite(region.image).all()


def test_a_region_that_cannot_grow_within_the_image_is_refused():
    with pytest.raises(RoiError) as error:
        perturbed_region(*_pair(_texture(), np.ones(GRID.shape, bool)), Perturbation(volume=0.1))
    assert "larger by 10%" in error.value.got
    assert "within the image" in error.value.allowed


def test_the_same_pairs_are_refused_as_without_perturbation():
    volume, mask = _pair(_texture())
    with pytest.raises(GeometryError):
        perturbed_region(volume, Mask(BALL, Geometry.regular(GRID.shape)), Perturbation(noise=1))
    with pytest.raises(RoiError):
        perturbed_region(volume, Mask(np.zeros(GRID.shape, bool), GRID), Perturbation(noise=1))
    speck = np.zeros(GRID.shape, bool)
    speck[1, 1, 1] = True
    with pytest.raises(RoiError) as small:
        perturbed_region(volume, Mask(speck, GRID), Perturbation(rotation_deg=3.0), resample_mm=(9.0, 9.0, 9.0))
    assert "nothing is left" in small.value.got
    volume.array[8, 13, 15] = np.nan
    with pytest.raises(InputError):
        perturbed_region(volume, mask, Perturbation(rotation_deg=3.0))


@pytest.mark.parametrize("copy", [Perturbation(rotation_deg=4.0), Perturbation(translation=0.3)])
def test_voxels_that_are_not_finite_count_only_where_they_are_read(copy):
    volume, mask = _pair(_texture())
    volume.array[0, 0, 0] = np.nan  # far away
    far = perturbed_region(volume, mask, copy, margin_mm=1e5)
    assert np.isfinite(far.image[far.morphological]).all()
    assert np.isnan(far.image).any()
    assert far.notes
    volume.array[binary_dilation(BALL) & ~BALL] = np.nan
    with pytest.raises(InputError) as error:
        perturbed_region(volume, mask, copy)
    assert "interpolation (linear)" in error.value.got
