from __future__ import annotations

import math

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filter_gabor import GaborFilter, gabor_filter

ARRAY = np.random.default_rng(0).normal(size=(2, 4, 5))
KEPT = {"modulus": np.abs, "real": np.real, "imaginary": np.imag}


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("response", sorted(KEPT))
def test_agrees_with_the_definition(boundary, response):
    options = GaborFilter(
        sigma_mm=0.9,
        lambda_mm=2.5,
        gamma=0.8,
        theta_deg=25,
        response=response,
        rotation_invariant=False,
        boundary=boundary,
    )
    spacing = np.array([3.0, 1.0, 0.8])
    expected = [KEPT[response](naive.gabor_plane(plane, spacing[1:], options)) for plane in ARRAY]
    np.testing.assert_allclose(gabor_filter(ARRAY, spacing, options), expected, atol=1e-5)


def test_the_wave_turns_clockwise():
    """Where y points down, a wave towards the lower right has a direction between 0 and 90 degrees."""
    y, x = np.indices((41, 41)) * 1.0
    angle = math.radians(30)
    image = np.cos(2 * np.pi * (x * math.cos(angle) + y * math.sin(angle)) / 6)[None]
    found = [
        gabor_filter(
            image, np.ones(3), GaborFilter(sigma_mm=5, lambda_mm=6, gamma=1, theta_deg=t, rotation_invariant=False)
        )[0, 20, 20]
        for t in (-30, 0, 30, 60)
    ]
    assert int(np.argmax(found)) == 2
    # On the wave itself the response is half the sum of the Gaussian.
    assert found[2] == pytest.approx(np.pi * 5**2, rel=1e-3)


def test_pooling_is_over_all_orientations_and_planes():
    options = GaborFilter(sigma_mm=1, lambda_mm=3, gamma=1.5, theta_step_deg=90, boundary="nearest")
    array = np.random.default_rng(3).normal(size=(4, 5, 6))
    maps = []
    for axis in range(3):
        planes = np.moveaxis(array, axis, 0)
        for theta in (0, 90, 180, 270):
            single = GaborFilter(
                sigma_mm=1, lambda_mm=3, gamma=1.5, theta_deg=theta, rotation_invariant=False, boundary="nearest"
            )
            maps.append(np.moveaxis(gabor_filter(planes, np.ones(3), single), 0, axis))
    np.testing.assert_allclose(gabor_filter(array, np.ones(3), options), np.mean(maps, axis=0), atol=1e-10)
    turned = gabor_filter(np.rot90(array, axes=(0, 2)), np.ones(3), options)
    np.testing.assert_allclose(turned, np.rot90(gabor_filter(array, np.ones(3), options), axes=(0, 2)), atol=1e-10)


def test_half_a_turn_is_left_out_only_where_it_repeats():
    assert len(GaborFilter(theta_step_deg=45).angles) == 4
    assert len(GaborFilter(theta_step_deg=120).angles) == 3
    assert len(GaborFilter(theta_step_deg=45, response="imaginary").angles) == 8


@pytest.mark.parametrize("key", ["sigma_mm", "lambda_mm", "gamma", "theta_step_deg"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_impossible_numbers_are_refused(key, value):
    with pytest.raises(ConfigError) as error:
        GaborFilter(**{key: value})
    assert error.value.got.startswith(f"{key} = ")


def test_orientations_that_do_not_close_are_refused():
    with pytest.raises(ConfigError, match="integer part of 360"):
        GaborFilter(theta_step_deg=50)
    with pytest.raises(ConfigError, match="theta_deg"):
        GaborFilter(theta_deg=float("inf"))
    with pytest.raises(ConfigError, match="did you mean 'modulus'"):
        GaborFilter(response="module")
