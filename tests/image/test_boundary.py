from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import filters as naive
from radiolocus.image.boundary import BOUNDARIES, box_mean, convolve, pad


@st.composite
def lines(draw):
    """Draw (image, kernel) where the kernel may be longer than the image."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    return rng.normal(size=shape), rng.normal(size=2 * draw(st.integers(0, 6)) + 1)


@settings(max_examples=60, deadline=None)
@given(lines(), st.sampled_from(BOUNDARIES), st.integers(0, 2))
def test_convolution_is_that_of_the_definition(case, boundary, axis):
    array, kernel = case
    shape = [1, 1, 1]
    shape[axis] = -1
    expected = naive.convolution(array, kernel.reshape(shape), boundary)
    np.testing.assert_allclose(convolve(array, kernel, axis, boundary), expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(lines(), st.sampled_from(BOUNDARIES))
def test_padding_continues_the_image_as_the_convolution_does(case, boundary):
    array, kernel = case
    reach = kernel.size // 2
    widths = [(reach, 0), (0, reach), (reach, reach)]
    padded = pad(array, widths, boundary)
    for index in np.ndindex(padded.shape):
        source = [i - before for i, (before, _) in zip(index, widths, strict=True)]
        assert padded[index] == naive.value(array, source, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_box_mean_is_a_convolution_with_equal_weights(boundary):
    array = np.random.default_rng(0).normal(size=(4, 5, 6))
    expected = convolve(convolve(array, np.full(9, 1 / 9), 0, boundary), np.full(9, 1 / 9), 2, boundary)
    np.testing.assert_allclose(box_mean(array, 9, (0, 2), boundary), expected, atol=1e-12)
