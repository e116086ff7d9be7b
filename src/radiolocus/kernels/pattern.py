"""Loops of local binary patterns."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["PATTERN_METHODS", "binary_patterns"]

#: What becomes of the signs of the samples; the place in this list is the number that the kernel takes.
PATTERN_METHODS = ("uniform", "default", "ror", "nri_uniform")


@kernel
def _between(padded: Array, z: int, row: float, column: float, border: int) -> float:
    """Interpolate linearly within a slice."""
    top, left = math.floor(row), math.floor(column)
    down, right = row - top, column - left
    i, j = top + border, left + border
    k, m = math.ceil(row) + border, math.ceil(column) + border
    above = (1 - right) * padded[z, i, j] + right * padded[z, i, m]
    below = (1 - right) * padded[z, k, j] + right * padded[z, k, m]
    between: float = (1 - down) * above + down * below
    return between


@kernel
def _smallest_rotation(signs: npt.NDArray[np.int64]) -> float:
    smallest = math.inf
    for turn in range(signs.size):
        value = 0.0
        for i in range(signs.size):
            value += signs[(i + turn) % signs.size] * 2.0**i
        smallest = min(smallest, value)
    return smallest


@kernel
def _uniform(signs: npt.NDArray[np.int64], rotated: bool) -> float:
    """Number a circle of signs that changes twice at most, by its ones or by its ones and where they are."""
    p = signs.size
    ones, changes = 0, 0
    for i in range(p):
        ones += signs[i]
        changes += signs[i] != signs[(i + 1) % p]
    if not rotated:
        return float(ones) if changes <= 2 else p + 1.0
    if changes > 2:
        return p * (p - 1) + 2.0
    if ones == 0 or ones == p:
        return 0.0 if ones == 0 else p * (p - 1) + 1.0
    first = 0
    while not (signs[first] == 1 and signs[first - 1] == 0):
        first += 1
    return 1.0 + (ones - 1) * p + (p - first) % p


@kernel
def binary_patterns(padded: Array, border: int, rows: Array, columns: Array, method: int) -> Array:
    """Compare every voxel with the samples on a circle around it within its slice.

    Parameters
    ----------
    padded : ndarray, shape (z, y + 2 * border, x + 2 * border)
        The image, with as much around it as the circle reaches.
    border : int
    rows, columns : ndarray, shape (p,)
        Where the samples lie from the voxel, along y and x, in voxels.
    method : int
        Place in :data:`PATTERN_METHODS`: what becomes of the p signs.

    Returns
    -------
    ndarray of float64, shape (z, y, x)
    """
    nz, ny, nx = padded.shape[0], padded.shape[1] - 2 * border, padded.shape[2] - 2 * border
    out = np.empty((nz, ny, nx))
    signs = np.empty(rows.size, dtype=np.int64)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                centre = padded[z, y + border, x + border]
                value = 0.0
                for i in range(rows.size):
                    # The place is added up before its whole part is taken off: ties fall as they do in scikit-image.
                    signs[i] = _between(padded, z, y + rows[i], x + columns[i], border) >= centre
                    value += signs[i] * 2.0**i
                if method == 2:
                    value = _smallest_rotation(signs)
                elif method != 1:
                    value = _uniform(signs, method == 3)
                out[z, y, x] = value
    return out
