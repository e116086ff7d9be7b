import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.stats import loess as module
from radiolocus.stats.loess import loess


def local(x, y, at, span, degree):
    """The twin: one weighted polynomial regression at one place."""
    distance = np.abs(x - at)
    bandwidth = np.sort(distance)[int(len(x) * span) - 1]
    weight = np.clip(1 - (distance / bandwidth) ** 3, 0, None) ** 1.5
    design = np.vander(x - at, degree + 1, increasing=True)
    return np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0][0]


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_equals_a_weighted_regression_at_each_place(degree):
    rng = np.random.default_rng(1)
    x = rng.random(60)
    y = np.sin(5 * x) + rng.normal(size=60)
    expected = [local(x, y, at, 0.4, degree) for at in x]
    np.testing.assert_allclose(loess(x, y, span=0.4, degree=degree), expected, atol=1e-7)


def test_a_polynomial_of_its_degree_comes_back():
    x = np.random.default_rng(2).random(80)
    np.testing.assert_allclose(loess(x, 1 - 3 * x + x**2, degree=2), 1 - 3 * x + x**2, atol=1e-10)
    np.testing.assert_allclose(loess(x, 1 - 3 * x, degree=1, span=0.3), 1 - 3 * x, atol=1e-10)


def test_a_crowd_at_one_place_gets_its_mean():
    x, y = np.r_[np.zeros(8), 1.0, 2.0], np.r_[np.arange(8.0), 50, 60]
    np.testing.assert_allclose(loess(x, y, span=0.5, degree=1)[:8], 3.5, atol=1e-12)


def test_many_places_are_joined_by_lines(monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.random(400)
    y = np.sin(3 * x) + 0.1 * rng.normal(size=400)
    whole = loess(x, y)
    monkeypatch.setattr(module, "_PLACES", 100)
    monkeypatch.setattr(module, "_BLOCK", 400 * 7)
    np.testing.assert_allclose(loess(x, y), whole, atol=2e-3)


@pytest.mark.parametrize(
    ("x", "y", "more"),
    [
        ([1, 2], [1], {}),
        ([1], [1], {}),
        ([1, np.nan], [1, 2], {}),
        ([1, 2], [1, 2], {"span": 0}),
        ([1, 2], [1, 2], {"degree": 3}),
    ],
)
def test_unusable_input_is_refused(x, y, more):
    with pytest.raises(InputError):
        loess(x, y, **more)
