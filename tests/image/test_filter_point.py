from __future__ import annotations

import math

import numpy as np
import pytest

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.filters import FILTERS, respond

NAMES = ("square", "squareroot", "logarithm", "exponential")


def naive(name, x, m):
    sign = -1.0 if x < 0 else 1.0
    return {
        "square": lambda: x * x / m,
        "squareroot": lambda: sign * math.sqrt(m * abs(x)),
        "logarithm": lambda: sign * math.log1p(abs(x)) * m / math.log1p(m),
        "exponential": lambda: m ** (x / m),
    }[name]()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.3, 1.0, 900.0])
def test_agrees_with_the_formula_voxel_by_voxel(name, scale):
    array = np.random.default_rng(0).normal(size=(3, 4, 5)) * scale
    array[0, 0, 0] = 0.0
    found = respond(array, np.ones(3), FILTERS[name].options())
    m = max(abs(x) for x in array.ravel())
    expected = np.reshape([naive(name, x, m) for x in array.ravel().tolist()], array.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * m)


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_intensity_stays_where_it_is(name):
    array = np.array([1.0, 5.0, 80.0]).reshape(1, 1, 3)
    assert respond(array, np.ones(3), FILTERS[name].options()).max() == pytest.approx(80.0)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_nothing_cannot_be_scaled(name):
    with pytest.raises(InputError) as error:
        respond(np.zeros((2, 2, 2)), np.ones(3), FILTERS[name].options())
    assert error.value.got == f"an image that is 0 everywhere ({name})"
    assert "other than 0" in error.value.allowed
    assert error.value.todo


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [{"dimension": "2d"}, {"boundary": "zero"}])
def test_what_a_point_does_not_have_is_refused(name, change):
    with pytest.raises(ConfigError) as error:
        FILTERS[name].options(**change)
    assert f"with filter '{name}'" in error.value.got
    assert error.value.todo.startswith("leave them out")
