from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.image.separable import centred, responses, rotations

RNG = np.random.default_rng(5)
X, Y, Z = RNG.normal(size=3), RNG.normal(size=5), RNG.normal(size=3)


def _kernels(filters):
    return {np.round(naive.product_kernel(*(chain[0] for chain in f)), 12).tobytes() for f in filters}


def test_rotations_are_those_of_the_kernel_in_three_dimensions():
    expected = naive.turned(naive.product_kernel(X, Y, Z), "3d")
    assert _kernels(rotations(((X,), (Y,), (Z,)))) == {np.round(k, 12).tobytes() for k in expected}


def test_rotations_are_those_of_the_kernel_in_two_dimensions():
    expected = naive.turned(naive.product_kernel(X, Y), "2d")
    assert _kernels(rotations(((X,), (Y,)))) == {np.round(k, 12).tobytes() for k in expected}


@pytest.mark.parametrize(("kernels", "count"), [("XYZ", 24), ("SSS", 1), ("SST", 3), ("XSS", 6), ("XXX", 8)])
def test_equal_orientations_are_computed_once(kernels, count):
    known = {"X": X, "Y": Y, "Z": Z, "S": np.array([1.0, 2.0, 1.0]), "T": np.array([-1.0, 2.0, -1.0])}
    assert len(rotations(tuple((known[k],) for k in kernels))) == count


def test_the_first_kernel_runs_along_x_which_is_the_last_axis():
    array = RNG.normal(size=(4, 5, 6))
    (found,) = responses(array, [((X,), (Y,), (Z,))], "mirror")
    np.testing.assert_allclose(found, naive.convolution(array, naive.product_kernel(X, Y, Z), "mirror"), atol=1e-12)


def test_kernels_of_a_chain_follow_one_another_and_the_border_is_laid_anew():
    array = RNG.normal(size=(3, 4, 5))
    (found,) = responses(array, [((X, Y), (Z,))], "zero")
    once = naive.convolution(array, naive.product_kernel(X, Z), "zero")
    np.testing.assert_allclose(found, naive.convolution(once, naive.product_kernel(Y, [1.0]), "zero"), atol=1e-12)


def test_an_even_kernel_has_its_origin_right_of_the_middle():
    assert centred(np.array([1.0, 2.0])).tolist() == [1.0, 2.0, 0.0]
    assert centred(X) is X
