from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial.transform import Rotation
from scipy.special import elliprg, eval_legendre

from naive import shape as slow
from radiolocus.feature.extract import extract
from radiolocus.feature.lags import lag_sums
from radiolocus.feature.settings import FeatureSettings
from radiolocus.feature.shape import ellipsoid_area
from radiolocus.kernels.shape import pair_sums
from regions import pair, regions

CHOICE = FeatureSettings(("morphology",))


def morphology(image, mask, spacing=(1.0, 1.0, 1.0), choice=CHOICE):
    return extract(*pair(image, mask, spacing), choice).values


def ball(radius, spacing=(1.0, 1.0, 1.0)):
    half = [math.ceil(radius / s) + 1 for s in spacing]
    z, y, x = (np.arange(-h, h + 1) * s for h, s in zip(half, spacing, strict=True))
    return z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= radius**2


@settings(max_examples=60, deadline=None)
@given(regions())
def test_mesh_and_hull_agree_with_the_naive_twin(region):
    image, mask, spacing = region
    found = morphology(image, mask, spacing)
    volume, area = slow.volume_and_area(mask, spacing)
    hull_volume, hull_area, diameter = slow.hull(mask, spacing)
    expected = {
        "morph_volume": volume,
        "morph_area_mesh": area,
        "morph_vol_approx": mask.sum() * math.prod(spacing),
        "morph_av": area / volume,
        "morph_comp_1": volume / (math.sqrt(math.pi) * area**1.5),
        "morph_comp_2": 36 * math.pi * volume**2 / area**3,
        "morph_sphericity": (36 * math.pi * volume**2) ** (1 / 3) / area,
        "morph_vol_dens_conv_hull": volume / hull_volume,
        "morph_area_dens_conv_hull": area / hull_area,
        "morph_diam": diameter,
        "morph_integ_int": volume * image[mask].mean(),
        "morph_com": slow.centre_shift(image, mask, mask, spacing),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@settings(max_examples=60, deadline=None)
@given(regions())
def test_principal_axes_agree_with_the_naive_twin(region):
    image, mask, spacing = region
    found = morphology(image, mask, spacing)
    names = ("morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis")
    if mask.sum() == 1:
        assert [found[n] for n in (*names, "morph_pca_flatness", "morph_vol_dens_aee")] == [None] * 5
        return
    axes = slow.axes(mask, spacing)
    assert [found[n] for n in names] == pytest.approx(axes, rel=1e-6, abs=1e-6)
    assert found["morph_pca_elongation"] == pytest.approx(axes[1] / axes[0], abs=1e-6)
    assert found["morph_pca_flatness"] == pytest.approx(axes[2] / axes[0], abs=1e-6)
    assert (found["morph_vol_dens_aee"] is None) == (axes[2] < 1e-6)


@settings(max_examples=60, deadline=None)
@given(regions(largest=4))
def test_autocorrelation_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = morphology(image, mask, spacing)
    if np.ptp(image[mask]) == 0:
        assert found["morph_moran_i"] is None
        assert found["morph_geary_c"] is None
        return
    moran, geary = slow.autocorrelation(image, mask, spacing)
    assert found["morph_moran_i"] == pytest.approx(moran, abs=1e-11)
    assert found["morph_geary_c"] == pytest.approx(geary, rel=1e-11)


@settings(max_examples=40, deadline=None)
@given(regions(largest=6))
def test_transforms_and_pairs_give_the_same_sums(region):
    image, mask, spacing = region
    values = np.where(mask, image, np.nan)
    pairs = pair_sums(np.argwhere(mask) * np.array(spacing), values[mask] - 2.5)
    assert lag_sums(values, mask, np.array(spacing), mean=2.5) == pytest.approx(pairs, rel=1e-10, abs=1e-10)


def test_autocorrelation_of_a_few_hundred_voxels():
    rng = np.random.default_rng(4)
    image, mask = rng.normal(1000, 1, (9, 8, 11)), rng.random((9, 8, 11)) < 0.6
    found = morphology(image, mask, (3.0, 0.9, 0.9))
    expected = slow.autocorrelation(image, mask, (3.0, 0.9, 0.9))
    assert (found["morph_moran_i"], found["morph_geary_c"]) == pytest.approx(expected, rel=1e-8)


def test_a_ball_comes_near_its_textbook_values():
    mask = ball(20.0, (1.0, 0.8, 0.8))
    found = morphology(np.ones(mask.shape), mask, (1.0, 0.8, 0.8))
    assert found["morph_volume"] == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert found["morph_diam"] == pytest.approx(40, rel=0.03)
    # Four standard deviations of a uniform ball: 4 r / √5.
    assert found["morph_pca_maj_axis"] == pytest.approx(4 * 20 / math.sqrt(5), rel=0.01)
    assert found["morph_pca_flatness"] == pytest.approx(1, abs=0.01)
    assert found["morph_vol_dens_aabb"] == pytest.approx(math.pi / 6, rel=0.1)
    # The staircase of voxels has a larger surface than the ball: about 8 % with marching cubes.
    assert 0.9 < found["morph_sphericity"] < 1
    assert found["morph_com"] == pytest.approx(0, abs=1e-9)


def test_one_voxel_keeps_what_is_defined():
    found = extract(*pair(np.full((3, 3, 3), 5.0), np.arange(27).reshape(3, 3, 3) == 13, (2.0, 1.0, 1.0)), CHOICE)
    # Marching cubes draws an octahedron through the centres of the faces.
    assert found.values["morph_volume"] == pytest.approx(2.0 / 6)
    assert found.values["morph_vol_approx"] == 2.0
    assert found.values["morph_diam"] == pytest.approx(2.0)
    assert found.values["morph_vol_dens_conv_hull"] == pytest.approx(1.0)
    assert found.values["morph_com"] == 0.0
    missing = {k for k, v in found.values.items() if v is None}
    assert missing == {
        "morph_pca_maj_axis",
        "morph_pca_min_axis",
        "morph_pca_least_axis",
        "morph_pca_elongation",
        "morph_pca_flatness",
        "morph_vol_dens_aee",
        "morph_area_dens_aee",
        "morph_moran_i",
        "morph_geary_c",
    }
    assert {p.item for p in found.problems} == missing
    assert all(p.got and p.severity == "no value" and p.stage == "features" for p in found.problems)


def test_a_line_has_axes_of_exactly_nothing():
    found = morphology(np.ones((1, 1, 7)), np.ones((1, 1, 7), dtype=bool))
    assert found["morph_pca_min_axis"] == found["morph_pca_least_axis"] == found["morph_pca_flatness"] == 0.0
    assert found["morph_vol_dens_aee"] is None


def test_intensities_that_cancel_have_no_centre():
    found = extract(*pair([[[-1.0, 1.0]]], np.ones((1, 1, 2), dtype=bool)), CHOICE)
    assert found.values["morph_com"] is None
    assert [p.got for p in found.problems if p.item == "morph_com"] == [
        "the intensities add up to 0: they have no centre"
    ]


def test_geometry_is_of_the_morphological_mask_and_intensities_of_the_other():
    mask = ball(4.0)
    image = np.where(np.arange(mask.shape[0])[:, None, None] < 5, 100.0, -900.0) * np.ones(mask.shape)
    whole = morphology(image, mask)
    cut = morphology(image, mask, choice=FeatureSettings(("morphology",), resegment_range=(0, 200)))
    for name in ("morph_volume", "morph_diam", "morph_pca_maj_axis", "morph_vol_dens_conv_hull"):
        assert cut[name] == whole[name]
    assert cut["morph_integ_int"] == pytest.approx(100 * whole["morph_volume"])
    assert cut["morph_com"] == pytest.approx(slow.centre_shift(image, mask, mask & (image > 0), (1, 1, 1)))


@settings(max_examples=30, deadline=None)
@given(regions())
def test_a_translation_changes_no_bit(region):
    image, mask, spacing = region
    widths = ((2, 1), (0, 3), (1, 0))
    moved = morphology(np.pad(image, widths, constant_values=-7), np.pad(mask, widths), spacing)
    assert moved == morphology(image, mask, spacing)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_flips_and_exchanged_axes_change_nothing(region):
    image, mask, spacing = region
    found = morphology(image, mask, spacing)
    turned = [(np.flip(image, axis), np.flip(mask, axis), spacing) for axis in range(3)]
    turned.append((image.transpose(1, 2, 0), mask.transpose(1, 2, 0), (spacing[1], spacing[2], spacing[0])))
    for other in turned:
        for name, value in morphology(*other).items():
            expected = found[name]
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-7, abs=1e-7)), name


def test_the_ellipsoid_series_is_the_manuals():
    a, b, c = 5.7, 4.66, 4.27
    alpha, beta = math.sqrt(1 - b**2 / a**2), math.sqrt(1 - c**2 / a**2)
    series = sum(
        (alpha * beta) ** nu / (1 - 4 * nu**2) * eval_legendre(nu, (alpha**2 + beta**2) / (2 * alpha * beta))
        for nu in range(21)
    )
    assert ellipsoid_area(np.array([a, b, c])) == pytest.approx(4 * math.pi * a * b * series, rel=1e-12)


def test_the_ellipsoid_series_is_exact_for_a_sphere_and_stays_near_the_true_area():
    assert ellipsoid_area(np.array([3.0, 3.0, 3.0])) == pytest.approx(4 * math.pi * 9)
    # The manual's series is not the true area (4π R_G, Carlson 1995); for tumour-like axes it is within 5 %.
    true = 4 * math.pi * elliprg((5.7 * 4.66) ** 2, (5.7 * 4.27) ** 2, (4.66 * 4.27) ** 2)
    assert ellipsoid_area(np.array([5.7, 4.66, 4.27])) == pytest.approx(true, rel=0.05)


def test_size_is_kept_under_rotation_of_a_smooth_solid():
    grid = np.stack(np.meshgrid(*[np.arange(-14.0, 15.0)] * 3, indexing="ij"), axis=-1)
    sizes = np.array([12.0, 8.0, 6.0])
    found = []
    for angles in ((0, 0, 0), (30, 20, 50)):
        turned = grid @ Rotation.from_euler("zyx", angles, degrees=True).as_matrix()
        mask = ((turned / sizes) ** 2).sum(axis=-1) <= 1
        found.append(morphology(np.ones(mask.shape), mask))
    for name in ("morph_volume", "morph_pca_maj_axis", "morph_pca_least_axis", "morph_diam"):
        assert found[0][name] == pytest.approx(found[1][name], rel=0.05), name
