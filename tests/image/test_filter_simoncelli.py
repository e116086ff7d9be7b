from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filter_simoncelli import SimoncelliFilter, simoncelli_filter, simoncelli_transfer

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 6))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("level", [1, 2])
def test_agrees_with_the_definition(boundary, level):
    found = simoncelli_filter(ARRAY, np.ones(3), SimoncelliFilter(level=level, boundary=boundary, extend=True))
    np.testing.assert_allclose(found, naive.fourier(ARRAY, naive.simoncelli(level), boundary), atol=1e-12)


@pytest.mark.parametrize("boundary", ["mirror", "periodic"])
def test_the_image_counts_as_periodic_unless_it_is_extended(boundary):
    found = simoncelli_filter(ARRAY, np.ones(3), SimoncelliFilter(boundary=boundary))
    np.testing.assert_allclose(found, naive.fourier(ARRAY, naive.simoncelli(1), "periodic"), atol=1e-12)


@pytest.mark.parametrize("boundary", ["zero", "nearest"])
def test_a_boundary_that_would_do_nothing_is_refused(boundary):
    with pytest.raises(ConfigError, match=f'boundary = "{boundary}".*extend = true'):
        SimoncelliFilter(boundary=boundary)


def test_the_name_says_whether_the_image_is_extended():
    assert SimoncelliFilter().name == "simoncelli_level_1"
    assert SimoncelliFilter(extend=True).name == "simoncelli_level_1_extended"


def test_slices_are_filtered_alone_in_two_dimensions():
    options = SimoncelliFilter(dimension="2d")
    found = simoncelli_filter(ARRAY, np.ones(3), options)
    for plane, expected in zip(ARRAY, found, strict=True):
        np.testing.assert_allclose(simoncelli_filter(plane[None], np.ones(3), options)[0], expected, atol=1e-12)


def test_levels_add_up_to_one_between_them():
    """Squares of neighbouring levels add up to one: cos² and sin² on a logarithmic frequency axis."""
    radius = np.linspace(0.26, 0.49, 30)
    squares = sum(simoncelli_transfer([radius], level) ** 2 for level in (1, 2, 3))
    np.testing.assert_allclose(squares, 1, atol=1e-12)


def test_a_wave_at_the_middle_of_the_band_passes_whole():
    wave = np.cos(2 * np.pi * np.arange(65) * 16 / 65)[None, None, :] * np.ones((3, 3, 1))
    found = simoncelli_filter(wave, np.ones(3), SimoncelliFilter(boundary="periodic"))
    np.testing.assert_allclose(found, wave, atol=1e-3)


@pytest.mark.parametrize("level", [0, -1, 9])
def test_a_level_that_no_image_has_is_refused(level):
    with pytest.raises(ConfigError, match=f"level = {level}"):
        SimoncelliFilter(level=level)
