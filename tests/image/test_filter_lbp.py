from __future__ import annotations

import itertools
import math
import warnings
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.stats import kurtosis
from skimage.feature import local_binary_pattern

from radiolocus.errors import ConfigError
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.image import filter_lbp
from radiolocus.image.filter_lbp import KURTOSIS, icosphere, patterns_2d, patterns_3d
from radiolocus.image.filters import LbpFilter, respond
from radiolocus.model import Geometry, Mask, Volume

ONE = np.ones(3)


def images():
    rng = np.random.default_rng(0)
    yield rng.normal(size=(2, 13, 12)) * 50
    yield rng.integers(0, 4, (2, 13, 12)).astype(float) * 100 - 7
    yield np.full((1, 6, 5), 3.0)


@pytest.mark.parametrize("method", ["uniform", "default", "ror", "nri_uniform"])
@pytest.mark.parametrize(("samples", "radius"), [(8, 1.0), (9, 1.0), (12, 1.5), (4, 2.5), (1, 1.0)])
def test_slices_agree_with_scikit_image(method, samples, radius):
    for image in images():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Applying `local_binary_pattern` to floating-point", UserWarning)
            expected = [local_binary_pattern(one, samples, radius, method) for one in image]
        np.testing.assert_array_equal(patterns_2d(image, samples, radius, method), expected)
        options = LbpFilter(dimension="2d", boundary="zero", samples=samples, radius=radius, method=method)
        np.testing.assert_array_equal(respond(image, ONE, options), expected)


def test_more_samples_than_a_slice_can_hold_go_on_as_the_boundary_says():
    ramp = np.broadcast_to(np.arange(6.0), (1, 5, 6))
    # Beyond the last column the mirrored ramp is as high as its end: nowhere darker than the centre but to the left.
    found = patterns_2d(ramp, 4, 1.0, "default", "mirror")
    assert set(found[0, :, 1:].ravel()) == {1 + 2 + 8}
    assert set(found[0, :, 0]) == {1 + 2 + 4 + 8}
    assert set(patterns_2d(ramp, 4, 1.0, "default", "zero")[0, 1:-1, -1]) == {2 + 8}


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_corners_lie_evenly_on_the_sphere(subdivision):
    corners = icosphere(subdivision, 2.5)
    assert len(corners) == 10 * 4**subdivision + 2
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), 2.5)
    np.testing.assert_allclose(corners.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(corners.T @ corners, np.eye(3) * len(corners) * 2.5**2 / 3, atol=1e-9)
    turned = {tuple(np.round(np.roll(c, 1), 9) + 0.0) for c in corners}
    assert turned == {tuple(np.round(c, 9) + 0.0) for c in corners}


def legendre(order, t):
    return (1.0, t, (3 * t * t - 1) / 2, (5 * t**3 - 3 * t) / 2)[order]


def test_space_agrees_with_the_definition_written_out():
    image = np.random.default_rng(1).normal(size=(4, 5, 6))
    inside = np.zeros(image.shape, dtype=bool)
    inside[1:3, 0, 2:4] = inside[3, 4, 5] = True
    corners = icosphere(1, 1.3)
    unit = corners / 1.3
    found = patterns_3d(image, inside, (1, 2, 3, 4, KURTOSIS), radius=1.3, harmonics="orthonormal")
    for n, place in enumerate(np.argwhere(inside)):
        samples = [map_coordinates(image, (place + c)[:, None], order=3)[0] for c in corners]
        assert found[KURTOSIS][n] == pytest.approx(kurtosis(samples))
        bright = [float(s >= image[tuple(place)]) for s in samples]
        for level in (1, 2, 3, 4):
            order = level - 1
            # The addition theorem: what harmonics of one order make of a function is a convolution with Legendre's.
            part = [
                sum(b * legendre(order, float(u @ w)) for b, u in zip(bright, unit, strict=True))
                * (2 * order + 1)
                / (4 * math.pi)
                for w in unit
            ]
            assert found[level][n] == pytest.approx(math.sqrt(sum(p * p for p in part)), abs=1e-12)


def test_the_first_map_counts_ones():
    image = np.random.default_rng(2).normal(size=(5, 5, 5))
    inside = np.ones(image.shape, dtype=bool)
    found = patterns_3d(image, inside, (1,))[1] * 4 * math.pi / math.sqrt(42)
    np.testing.assert_allclose(found, np.round(found), atol=1e-9)
    assert 0 <= found.min() < found.max() <= 42
    proper = patterns_3d(image, inside, (1,), harmonics="orthonormal")[1]
    np.testing.assert_allclose(proper * 4 * math.pi / math.sqrt(42), found)


def rotations():
    """Rotations that map both the grid and the icosahedron onto themselves: turns of the axes, and half turns."""
    for turn, flips in itertools.product(range(3), ((), (0, 1), (1, 2), (0, 2))):
        yield lambda a, turn=turn, flips=flips: np.flip(np.transpose(a, np.roll((0, 1, 2), turn)), flips)


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
def test_orthonormal_harmonics_turn_with_the_image_and_those_of_pyradiomics_do_not(level):
    image = np.random.default_rng(3).normal(size=(6, 6, 6))
    apart = 0.0
    for turned in rotations():
        for harmonics in ("orthonormal", "pyradiomics"):
            options = LbpFilter(level=level, harmonics=harmonics)
            found = respond(np.ascontiguousarray(turned(image)), ONE, options)
            expected = turned(respond(image, ONE, options))
            if harmonics == "orthonormal":
                np.testing.assert_allclose(found, expected, atol=1e-9)
            else:
                apart = max(apart, float(np.abs(found - expected).max()))
    assert (apart > 0.1) == (level > 1)


def test_a_flat_image_is_bright_everywhere_and_has_no_kurtosis():
    flat = np.full((7, 6, 5), 1234.5)
    found = respond(flat, ONE, LbpFilter())
    np.testing.assert_allclose(found, math.sqrt(42) * 42 / (4 * math.pi))
    assert np.isnan(respond(flat, ONE, LbpFilter(level=0))).all()


def test_a_region_with_a_flat_part_has_no_features_of_the_kurtosis_and_says_why():
    image = np.random.default_rng(8).normal(size=(60, 9, 9))
    image[2:58] = 5.0
    grid = Geometry.regular(image.shape)
    mask = np.zeros(image.shape, dtype=bool)
    mask[28:32, 3:6, 3:6] = True
    settings = FeatureSettings(("intensity", "intensity_histogram"), filters=({"filter": "lbp", "level": 0},))
    found = extract(Volume(image, grid), Mask(mask, grid), settings)
    lost = [name for name in found.values if name.startswith("lbp_r1_kurtosis.")]
    assert len(lost) == 18 + 23
    assert all(found.values[name] is None for name in lost)
    told = {p.item: p for p in found.problems}
    assert "no value at 36 of 36 voxels" in told[lost[0]].got
    assert "flat parts" in told[lost[0]].todo


@pytest.mark.parametrize(("boundary", "mode"), [("nearest", "nearest"), ("periodic", "grid-wrap")])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_beyond_the_border_the_image_goes_on_as_the_boundary_says(boundary, mode, level, monkeypatch):
    image = np.random.default_rng(6).normal(size=(5, 6, 7))
    found = respond(image, ONE, LbpFilter(boundary=boundary, level=level, radius=1.4))
    monkeypatch.setattr(filter_lbp, "map_coordinates", partial(map_coordinates, mode=mode))
    expected = patterns_3d(image, np.ones(image.shape, dtype=bool), (level,), radius=1.4)[level]
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-7, atol=1e-7)
    monkeypatch.setattr(filter_lbp, "_SAMPLES_AT_A_TIME", 1)
    np.testing.assert_array_equal(respond(image, ONE, LbpFilter(boundary=boundary, level=level, radius=1.4)), found)


def test_black_beyond_the_border_is_pyradiomics_rule():
    image = np.random.default_rng(7).normal(size=(4, 5, 6))
    found = respond(image, ONE, LbpFilter(boundary="zero", level=2))
    expected = patterns_3d(image, np.ones(image.shape, dtype=bool), (2,))[2]
    np.testing.assert_array_equal(found.ravel(), expected)


def test_the_margin_that_is_asked_for_is_all_that_counts():
    rng = np.random.default_rng(4)
    image = rng.normal(size=(61, 9, 9))
    options = LbpFilter(level=0)
    reach = math.ceil(options.reach_mm(ONE))
    other = image.copy()
    other[: 30 - reach] = rng.normal(size=other[: 30 - reach].shape) * 100
    np.testing.assert_allclose(respond(image, ONE, options)[30], respond(other, ONE, options)[30], rtol=1e-8)


def test_names():
    assert LbpFilter().name == "lbp_r1_m1"
    assert LbpFilter(level=0, subdivision=2, radius=1.5).name == "lbp_r1.5_s2_kurtosis"
    assert LbpFilter(level=2, harmonics="orthonormal").name == "lbp_r1_m2_orthonormal"
    assert LbpFilter(dimension="2d", samples=12, boundary="zero").name == "lbp_r1_p12_uniform_2d_zero"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"radius": 0}, ("radius = 0", "above 0")),
        ({"samples": 49, "dimension": "2d"}, ("samples = 49", "1 to 48")),
        ({"level": 11}, ("level = 11", "0 to 10")),
        ({"subdivision": 5}, ("subdivision = 5", "0 to 4")),
        ({"method": "unifrom", "dimension": "2d"}, ("unifrom", "did you mean 'uniform'")),
        ({"harmonics": "real"}, ("harmonics = 'real'", "orthonormal")),
        ({"samples": 12}, ("samples = 12 with dimension = '3d'", "'2d' only", "leave it out")),
        ({"level": 2, "dimension": "2d"}, ("level = 2 with dimension = '2d'", "'3d' only")),
    ],
)
def test_options_that_make_no_sense_are_refused(options, parts):
    with pytest.raises(ConfigError) as refused:
        LbpFilter(**options)
    assert all(part in refused.value.message for part in parts)
