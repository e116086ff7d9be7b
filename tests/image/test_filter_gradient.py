from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from radiolocus.image.filters import GradientFilter, respond


@pytest.mark.parametrize("boundary", ["mirror", "nearest"])
@pytest.mark.parametrize("per_mm", [True, False])
def test_agrees_with_itk(boundary, per_mm):
    array = np.random.default_rng(0).normal(size=(5, 6, 7))
    spacing = np.array([3.0, 0.7, 1.2])
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1].tolist())
    expected = SimpleITK.GetArrayFromImage(SimpleITK.GradientMagnitude(image, per_mm))
    found = respond(array, spacing, GradientFilter(boundary=boundary, per_mm=per_mm))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_ramp_has_the_slope_of_its_axes():
    z, y, x = np.meshgrid(*(np.arange(6.0),) * 3, indexing="ij")
    spacing = np.array([2.0, 1.0, 0.5])
    ramp = 4 * z + 3 * y + 2 * x
    inside = (slice(1, -1),) * 3
    found = respond(ramp, spacing, GradientFilter())
    np.testing.assert_allclose(found[inside], np.sqrt((4 / 2) ** 2 + 3**2 + (2 / 0.5) ** 2))
    within = respond(ramp, spacing, GradientFilter(dimension="2d", per_mm=False))
    np.testing.assert_allclose(within[inside], np.sqrt(3**2 + 2**2))


def test_names():
    assert GradientFilter().name == "gradient"
    assert GradientFilter(per_mm=False, dimension="2d").name == "gradient_voxel_2d"
