"""How an image goes on beyond its border, for filters that look past it (IBSI 2, "Boundary conditions").

======== =========================== ==========================
name     extension of ``a b c d``    remark
======== =========================== ==========================
zero     ``0 0 0 [a b c d] 0 0 0``   padding with a constant 0
nearest  ``a a a [a b c d] d d d``   the border value goes on
periodic ``b c d [a b c d] a b c``   the image is tiled
mirror   ``c b a [a b c d] d c b``   mirrored about the voxel's edge
======== =========================== ==========================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from radiolocus.model import Array

__all__ = ["BOUNDARIES", "Boundary", "box_mean", "convolve", "pad"]

Boundary = Literal["zero", "nearest", "periodic", "mirror"]
BOUNDARIES: tuple[Boundary, ...] = ("zero", "nearest", "periodic", "mirror")

# scipy and numpy each have names of their own for the same four rules, and use "reflect" for different ones.
_SCIPY = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}
_NUMPY: dict[Boundary, Any] = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}


def convolve(array: Array, kernel: Array, axis: int, boundary: Boundary) -> Array:
    """Convolve along one axis.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    kernel : ndarray, shape (k,)
        Odd number of taps; the one in the middle is the origin.
    axis : int
        Array axis.
    boundary : {"zero", "nearest", "periodic", "mirror"}

    Returns
    -------
    ndarray of float64, shape (z, y, x)
        ``out[n] = sum over m of kernel[m] * array[n - m]``: a convolution, not a correlation.
    """
    return np.asarray(ndimage.convolve1d(array, kernel, axis=axis, mode=_SCIPY[boundary], output=np.float64))


def box_mean(array: Array, size: int, axes: Iterable[int], boundary: Boundary) -> Array:
    """Return the mean over a window of `size` (odd) voxels along each of `axes`; the cost does not grow with `size`."""
    out = array
    for axis in axes:
        out = ndimage.uniform_filter1d(out, size, axis=axis, mode=_SCIPY[boundary], output=np.float64)
    return np.asarray(out)


def pad(array: Array, widths: Iterable[tuple[int, int]], boundary: Boundary) -> Array:
    """Extend an image by (before, after) voxels along each axis; extensions longer than the image are allowed."""
    return np.pad(array, tuple(widths), mode=_NUMPY[boundary])
