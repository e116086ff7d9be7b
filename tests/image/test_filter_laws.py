from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.filter_laws import LAWS, LawsFilter, laws_filter

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 6))
POOL = {"average": np.mean, "max": np.max, "min": np.min}


def unit(name):
    return np.array(LAWS[name]) / np.linalg.norm(LAWS[name])


@pytest.mark.parametrize("pooling", sorted(POOL))
@pytest.mark.parametrize(("kernel", "dimension"), [("L5E5S3", "3d"), ("E3W5", "2d")])
def test_agrees_with_every_rotation_of_the_whole_kernel(kernel, dimension, pooling):
    options = LawsFilter(kernel=kernel, dimension=dimension, pooling=pooling, delta=1, boundary="nearest")
    whole = naive.product_kernel(*(unit(k) for k in options.kernels))
    maps = [naive.convolution(ARRAY, k, "nearest") for k in naive.turned(whole, dimension)]
    expected = naive.window_mean(np.abs(POOL[pooling](maps, axis=0)), 3, dimension, "nearest")
    np.testing.assert_allclose(laws_filter(ARRAY, np.ones(3), options), expected, atol=1e-12)


def test_only_kernels_with_a_level_see_the_mean_of_the_image():
    for name in LAWS:
        sees = laws_filter(
            np.ones((1, 3, 9)),
            np.ones(3),
            LawsFilter(kernel=f"{name}L3", energy=False, rotation_invariant=False, dimension="2d"),
        )
        assert (np.abs(sees).max() > 1e-12) == name.startswith("L")


@pytest.mark.parametrize(
    ("kernel", "dimension"), [("L5E5", "3d"), ("L5E5E5", "2d"), ("L5X5E5", "3d"), ("l5e5e5", "3d")]
)
def test_a_kernel_that_does_not_fit_is_refused(kernel, dimension):
    with pytest.raises(ConfigError) as error:
        LawsFilter(kernel=kernel, dimension=dimension)
    assert error.value.got.startswith(f"kernel = '{kernel}'")
    assert "W5" in error.value.allowed
    assert "kernel = " in error.value.todo


def test_a_neighbourhood_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="delta = 0"):
        LawsFilter(delta=0)
