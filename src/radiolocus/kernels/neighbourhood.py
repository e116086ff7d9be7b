"""Loops over the neighbours of each voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["compare_neighbours", "tone_complexity"]

Levels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]


@kernel
def compare_neighbours(padded: Levels, offsets: Whole) -> tuple[Levels, Levels, Array]:
    """Compare the grey level of each voxel with those of its neighbours, in one pass.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels, 0 outside the region; the outermost voxels are all 0. C order.
    offsets : ndarray of int64, shape (d, 3)
        One of each pair of opposite neighbours (z, y, x), each within one voxel.

    Returns
    -------
    neighbours, alike : ndarray of int32, shape (n,)
        Neighbours within the region, and those of the same grey level, of each voxel of the region in C order.
    difference : ndarray, shape (n,)
        Absolute difference between the grey level and the mean of the neighbours; 0 without neighbours.
    """
    _, ny, nx = padded.shape
    flat = padded.ravel()
    steps = (offsets[:, 0] * ny + offsets[:, 1]) * nx + offsets[:, 2]
    size = np.count_nonzero(flat)
    neighbours, alike = np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int32)
    difference = np.zeros(size)
    n = 0
    for at in range(ny * nx, flat.size - ny * nx):
        level = flat[at]
        if level == 0:
            continue
        inside, same, total = 0, 0, 0
        for d in range(len(steps)):
            before, after = flat[at - steps[d]], flat[at + steps[d]]
            inside += before > 0
            inside += after > 0
            same += before == level
            same += after == level
            total += before + after
        neighbours[n], alike[n] = inside, same
        if inside > 0:
            # One division of whole numbers: level minus the mean, without its rounding.
            difference[n] = abs(level * inside - total) / inside
        n += 1
    return neighbours, alike, difference


@kernel
def tone_complexity(matrix: Whole, level: Array, p: Array, weighted: Array, m: int) -> Array:
    """Add up ``|i - j| (p_i s_i + p_j s_j) / (p_i + p_j)`` over ordered pairs of grey levels of each matrix.

    Parameters
    ----------
    matrix : ndarray of int64, shape (k,)
        Number of the matrix of each entry, ascending, below `m`.
    level, p, weighted : ndarray, shape (k,)
        Grey level i, its probability p_i > 0, and p_i s_i.
    m : int

    Returns
    -------
    ndarray, shape (m,)
    """
    out = np.zeros(m)
    for a in range(len(matrix)):
        total = 0.0
        b = a + 1
        while b < len(matrix) and matrix[b] == matrix[a]:
            total += abs(level[a] - level[b]) * (weighted[a] + weighted[b]) / (p[a] + p[b])
            b += 1
        out[matrix[a]] += 2 * total
    return out
