from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filter_log import LogFilter, laplacian_of_gaussian

ARRAY = np.random.default_rng(0).normal(size=(5, 6, 7))


@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_agrees_with_the_definition(dimension, boundary):
    options = LogFilter(sigma_mm=1.4, truncate=2, dimension=dimension, boundary=boundary)
    expected = naive.convolution(ARRAY, naive.log_kernel(0.7, 2, dimension), boundary)
    np.testing.assert_allclose(laplacian_of_gaussian(ARRAY, np.full(3, 2.0), options), expected, atol=1e-13)


def test_on_unequal_voxels_it_is_the_laplacian_in_space():
    """A quadratic image has a constant Laplacian, whatever the voxels."""
    spacing = np.array([2.0, 1.0, 0.5])
    z, y, x = (np.arange(61) * s for s in spacing)
    array = 0.5 * (z[:, None, None] ** 2 + 2 * y[None, :, None] ** 2 - 7 * x[None, None, :] ** 2)
    found = laplacian_of_gaussian(array, spacing, LogFilter(sigma_mm=3, truncate=6, boundary="nearest"))
    # The unit of length is the geometric mean of the edges, 1 mm here.
    assert found[30, 30, 30] == pytest.approx(1 + 2 - 7, rel=1e-4)


def test_a_bright_blob_answers_most_at_its_own_scale():
    grid = np.indices((33, 33, 33)) - 16
    blob = (np.sqrt((grid**2).sum(axis=0)) <= 5).astype(float)
    sigmas = [1.5, 2.0, 5 / np.sqrt(3), 4.0, 5.0]
    scaled = [
        s**2 * laplacian_of_gaussian(blob, np.ones(3), LogFilter(sigma_mm=s, boundary="zero"))[16, 16, 16]
        for s in sigmas
    ]
    # Lindeberg: the scale-normalised response to a ball of radius r is strongest at r / sqrt(3).
    assert int(np.argmin(scaled)) == 2


@pytest.mark.parametrize("key", ["sigma_mm", "truncate"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_numbers_are_refused(key, value):
    with pytest.raises(ConfigError) as error:
        LogFilter(**{key: value})
    assert error.value.got.startswith(f"{key} = ")


def test_names():
    assert LogFilter(sigma_mm=1.5).name == "log_sigma_1.5mm"
    assert LogFilter(sigma_mm=3, truncate=3, dimension="2d", boundary="zero").name == "log_sigma_3mm_truncate_3_2d_zero"
