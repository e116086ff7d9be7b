"""The noise that an image holds, where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.image.noise import noise_around, noise_level, noise_of
from radiolocus.image.perturb_options import Perturbation
from radiolocus.image.region import bounding_box
from radiolocus.model import Geometry, Volume

SHAPE = (12, 48, 50)


def _smooth(shape=SHAPE):
    z, y, x = np.indices(shape)
    return 40 * np.sin(x / 6) + 30 * np.cos(y / 8) + 5 * z


@given(st.floats(0.5, 50.0), st.integers(0, 1000))
def test_planted_white_noise_is_found_under_a_smooth_image(level, seed):
    noisy = _smooth() + np.random.default_rng(seed).normal(0, level, SHAPE)
    assert noise_level(noisy) == pytest.approx(level, rel=0.06)


def test_a_masked_background_is_left_out():
    shape = (3, 160, 100)
    noisy = _smooth(shape) + np.random.default_rng(2).normal(0, 4, shape)
    noisy[:, :90] = 0.0  # more than half
    assert noise_level(noisy) == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("array", [np.full(SHAPE, 7.0), np.zeros(SHAPE), np.full((1, 1, 1), 3.0)])
def test_an_image_without_variation_has_no_noise(array):
    assert noise_level(array) == 0.0


@given(st.floats(-500, 500), st.floats(0.1, 20))
def test_the_level_has_the_unit_of_the_image(shift, scale):
    noisy = _smooth() + np.random.default_rng(3).normal(0, 2, SHAPE)
    assert noise_level(shift + scale * noisy) == pytest.approx(scale * noise_level(noisy), rel=1e-6)


def test_the_level_is_that_of_the_surroundings():
    grid = Geometry.regular((4, 40, 200), (2.0, 2.0, 2.0))
    rng = np.random.default_rng(4)
    array = rng.normal(0, 1, grid.shape)
    array[:, :, 120:] += rng.normal(0, 20, (4, 40, 80))  # beyond 50 mm
    array[0, 0, :5] = np.nan
    mask = np.zeros(grid.shape, bool)
    mask[1:3, 10:20, 30:60] = True
    assert noise_around(Volume(array, grid), bounding_box(mask)) == pytest.approx(1, rel=0.1)


def test_a_voxel_has_its_noise_whatever_is_cropped():
    copy = Perturbation(noise=1, seed=9)
    whole = noise_of(copy, (6, 8, 9), (slice(0, 6), slice(0, 8), slice(0, 9)), 2.0)
    part = noise_of(copy, (6, 8, 9), (slice(2, 5), slice(1, 8), slice(3, 4)), 2.0)
    np.testing.assert_array_equal(part, whole[2:5, 1:8, 3:4])
    other = noise_of(Perturbation(noise=2, seed=9), (6, 8, 9), (slice(0, 6), slice(0, 8), slice(0, 9)), 2.0)
    assert abs(np.corrcoef(whole.ravel(), other.ravel())[0, 1]) < 0.2
    large = noise_of(copy, (20, 50, 50), (slice(0, 20), slice(0, 50), slice(0, 50)), 2.0)
    assert (large.mean(), large.std()) == (pytest.approx(0, abs=0.05), pytest.approx(2, rel=0.02))
