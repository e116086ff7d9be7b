from __future__ import annotations

import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.fourier import Spectrum

ARRAY = np.random.default_rng(2).normal(size=(4, 5, 6))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2)])
def test_a_transfer_function_of_one_gives_the_image_back(boundary, axes):
    spectrum = Spectrum(ARRAY, axes, boundary)
    np.testing.assert_allclose(spectrum.response(np.ones((1, 1, 1))), ARRAY, atol=1e-13)
    np.testing.assert_allclose(spectrum.response(spectrum.sample(lambda at: np.ones((1, 1, 1)))), ARRAY, atol=1e-13)


@pytest.mark.parametrize(("boundary", "rolled"), [("periodic", True), ("mirror", False)])
def test_a_phase_shift_moves_the_image_over_its_border(boundary, rolled):
    spectrum = Spectrum(ARRAY, (0, 1, 2), boundary)
    found = spectrum.response(np.exp(-2j * np.pi * spectrum.frequencies()[1]))
    expected = np.roll(ARRAY, 1, axis=1)
    if not rolled:
        expected[:, 0] = ARRAY[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_coordinates_run_from_minus_one_to_one_with_both_ends():
    seen = []
    Spectrum(ARRAY, (0, 1, 2), "periodic").sample(lambda at: seen.append(at) or np.ones((1, 1, 1)))
    here, opposite = seen
    np.testing.assert_allclose(np.sort(here[0].ravel()), np.linspace(-1, 1, 4), atol=1e-15)
    np.testing.assert_allclose(np.sort(here[1].ravel()), np.linspace(-1, 1, 5), atol=1e-15)
    # An odd number of samples: the origin is one of them, and every sample has its opposite.
    np.testing.assert_allclose(opposite[1], -here[1], atol=1e-15)


def test_axes_of_one_voxel_have_no_frequency():
    spectrum = Spectrum(np.ones((1, 1, 3)), (0, 1, 2), "periodic")
    assert [f.ravel().tolist() for f in spectrum.frequencies()[:2]] == [[0.0], [0.0]]
    seen = []
    spectrum.sample(lambda at: seen.append(at) or np.ones((1, 1, 1)))
    assert seen[0][0].ravel().tolist() == [0.0]


def test_an_image_that_is_too_large_to_double_is_refused_before_memory_is_taken():
    huge = np.broadcast_to(np.zeros(()), (1024, 512, 512))
    with pytest.raises(InputError) as error:
        Spectrum(huge, (0, 1, 2), "mirror")
    assert error.value.got.startswith(f"{huge.size} voxels, {8 * huge.size} with")
    assert "resample_mm" in error.value.todo
