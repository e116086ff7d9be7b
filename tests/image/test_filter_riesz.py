from __future__ import annotations

import itertools

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filter_log import LogFilter, laplacian_of_gaussian
from radiolocus.image.filter_riesz import (
    RieszFilter,
    RieszLogFilter,
    RieszSimoncelliFilter,
    riesz_filter,
    riesz_log_filter,
    riesz_simoncelli_filter,
)

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 6))
ODD = np.random.default_rng(1).normal(size=(9, 9, 9))
ONES = np.ones(3)
ORDERS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 2, 0), (1, 0, 1), (1, 1, 1)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", ORDERS)
def test_of_the_simoncelli_wavelet_agrees_with_the_definition(boundary, order):
    band, turn = naive.simoncelli(1), naive.riesz(order)
    expected = naive.fourier(ARRAY, lambda x, y, z: band(x, y, z) * turn(x, y, z), boundary, constant=False)
    found = riesz_simoncelli_filter(ARRAY, ONES, RieszSimoncelliFilter(order=order, boundary=boundary))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_of_the_image_agrees_with_the_definition(order):
    expected = naive.fourier(ODD, naive.riesz(order), "periodic", constant=False)
    found = riesz_filter(ODD, ONES, RieszFilter(order=order, boundary="periodic"))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_of_the_laplacian_of_gaussian_is_the_transform_of_its_response(order):
    options = RieszLogFilter(sigma_mm=1, truncate=3, order=order, boundary="periodic")
    log = laplacian_of_gaussian(ODD, ONES, LogFilter(sigma_mm=1, truncate=3, boundary="periodic"))
    expected = riesz_filter(log, ONES, RieszFilter(order=order, boundary="periodic"))
    np.testing.assert_allclose(riesz_log_filter(ODD, ONES, options), expected, atol=1e-12)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_orders_of_one_total_hold_the_energy_of_the_image(total):
    energy = 0.0
    for order in itertools.product(range(total + 1), repeat=3):
        if sum(order) == total:
            energy += (riesz_filter(ODD, ONES, RieszFilter(order=order, boundary="periodic")) ** 2).sum()
    assert energy == pytest.approx(((ODD - ODD.mean()) ** 2).sum(), rel=1e-10)


def test_the_first_order_of_a_cosine_is_a_sine():
    x = np.arange(21)
    image = np.broadcast_to(np.cos(2 * np.pi * 4 * x / 21), (5, 7, 21))
    found = riesz_filter(image, ONES, RieszFilter(order=(1, 0, 0), boundary="periodic"))
    np.testing.assert_allclose(found, np.broadcast_to(np.sin(2 * np.pi * 4 * x / 21), (5, 7, 21)), atol=1e-12)


def oblique(spacing=(1.0, 1.0, 1.0)):
    """Return a wave, periodic on 21 voxels an axis, and its direction (x, y, z) in space."""
    z, y, x = np.indices((21, 21, 21))
    cycles = np.array([3, 2, 1])
    wave = np.cos(2 * np.pi * (cycles[0] * x + cycles[1] * y + cycles[2] * z) / 21)
    direction = cycles / np.array(spacing[::-1])
    return wave, direction / np.linalg.norm(direction)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.7)])
def test_directions_are_those_of_space(spacing):
    wave, direction = oblique(spacing)
    for axis in range(3):
        order = tuple(2 * (axis == i) for i in range(3))
        found = riesz_filter(wave, np.array(spacing), RieszFilter(order=order, boundary="periodic"))
        np.testing.assert_allclose(found, -(direction[axis] ** 2) * wave, atol=1e-10)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.7)])
def test_an_aligned_transform_looks_along_the_wave_and_sees_nothing_across(spacing):
    wave, _ = oblique(spacing)
    size = np.array(spacing)

    def aligned(order):
        return riesz_filter(wave, size, RieszFilter(order=order, align_sigma_mm=2.0, boundary="periodic"))

    np.testing.assert_allclose(aligned((2, 0, 0)), -wave, atol=1e-10)
    np.testing.assert_allclose(aligned((0, 2, 0)), 0, atol=1e-10)
    np.testing.assert_allclose(aligned((1, 0, 0)), np.sqrt(np.maximum(1 - wave**2, 0)), atol=1e-7)


@pytest.mark.parametrize("order", [(1, 0, 0), (0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 0, 1)])
def test_an_aligned_transform_turns_with_the_image(order):
    options = RieszLogFilter(sigma_mm=1, truncate=3, order=order, align_sigma_mm=1.0, boundary="periodic")
    still = riesz_log_filter(ODD, ONES, options)
    for axes in ((0, 1), (0, 2), (1, 2)):
        turned = riesz_log_filter(np.rot90(ODD, axes=axes), ONES, options)
        np.testing.assert_allclose(turned, np.rot90(still, axes=axes), atol=1e-9)


def test_aligned_orders_of_one_total_hold_the_energy_voxel_by_voxel():
    def energy(sigma):
        return sum(
            riesz_filter(ODD, ONES, RieszFilter(order=order, align_sigma_mm=sigma, boundary="periodic")) ** 2
            for order in itertools.product(range(3), repeat=3)
            if sum(order) == 2
        )

    np.testing.assert_allclose(energy(1.0), energy(None), atol=1e-10)


def test_two_dimensions():
    options = RieszSimoncelliFilter(order=(0, 1), dimension="2d", boundary="periodic", align_sigma_mm=1.0)
    found = riesz_simoncelli_filter(ODD, ONES, options)
    assert options.name == "riesz_simoncelli_level_1_order_01_aligned_1mm_2d_periodic"
    for axis in (0, 1):
        assert np.isfinite(np.take(found, 0, axis)).all()
    turned = riesz_simoncelli_filter(np.rot90(ODD, axes=(1, 2)), ONES, options)
    np.testing.assert_allclose(turned, np.rot90(found, axes=(1, 2)), atol=1e-9)
    np.testing.assert_allclose(riesz_simoncelli_filter(ODD[4:5], ONES, options)[0], found[4], atol=1e-10)


@pytest.mark.parametrize(
    "change",
    [{"order": (1, 0)}, {"order": (0, 0, 0)}, {"order": (-1, 2, 0)}, {"order": (7, 0, 0)}, {"align_sigma_mm": 0.0}],
)
def test_impossible_options_are_refused(change):
    with pytest.raises(ConfigError) as error:
        RieszFilter(**change)
    assert error.value.got.startswith(next(iter(change)))
