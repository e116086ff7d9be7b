from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filter_mean import MeanFilter, mean_filter


@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_agrees_with_the_definition(dimension, boundary):
    array = np.random.default_rng(0).normal(size=(3, 4, 5))
    found = mean_filter(array, np.ones(3), MeanFilter(size=5, dimension=dimension, boundary=boundary))
    np.testing.assert_allclose(found, naive.window_mean(array, 5, dimension, boundary), atol=1e-13)


@pytest.mark.parametrize("size", [0, -3, 4])
def test_an_even_window_is_refused(size):
    with pytest.raises(ConfigError) as error:
        MeanFilter(size=size)
    assert error.value.got == f"size = {size}"
    assert "odd" in error.value.allowed
