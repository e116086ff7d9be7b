"""Loops over the neighbours of each voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.texture import row_extent
from radiolocus.model import Array

__all__ = ["compare_neighbours", "count_neighbours", "tone_complexity"]

Levels = npt.NDArray[np.unsignedinteger | np.int32]
Counts = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]


@kernel
def _compare(
    here: Levels, there: Levels, inside: npt.NDArray[np.uint8], alike: npt.NDArray[np.uint8], total: Counts
) -> None:
    """Compare the voxels of a row with one neighbour each: whether it is inside, whether it is alike, its level."""
    for x in range(len(here)):
        inside[x] += there[x] > 0
        alike[x] += there[x] == here[x]
        total[x] += there[x]


@kernel
def count_neighbours(padded: Levels, offsets: Whole, n_levels: int, by_slice: bool) -> tuple[Whole, Whole, Whole]:
    """Compare the grey level of each voxel with those of its neighbours and count what comes out, in one pass.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0. C order.
    offsets : ndarray of int64, shape (d, 3)
        One of each pair of opposite neighbours (z, y, x), each within one voxel.
    n_levels : int
    by_slice : bool
        One set of tables a slice instead of one for all.

    Returns
    -------
    alike, inside, tone : ndarray of int64, shape (z or 1, n_levels, 2 d + 1)
        Of level i + 1: the voxels with k neighbours of the same level; those with k neighbours within the region; and
        for the latter the sum of ``|k level - sum of the neighbours' levels|``, k times what the manual calls the
        difference from the mean of the neighbours. Whole numbers throughout, so that no order of summing matters.
    """
    nz, ny, nx = padded.shape
    groups, most = nz - 2 if by_slice else 1, 2 * len(offsets) + 1
    alike = np.zeros((groups, n_levels + 1, most), dtype=np.int64)
    inside, tone = np.zeros_like(alike), np.zeros_like(alike)
    row_inside, row_alike = np.empty(nx, dtype=np.uint8), np.empty(nx, dtype=np.uint8)
    row_total = np.empty(nx, dtype=np.int32)
    for z in range(1, nz - 1):
        g = z - 1 if by_slice else 0
        for y in range(1, ny - 1):
            first, end = row_extent(padded[z, y])
            if first == end:
                continue
            here, size = padded[z, y, first:end], end - first
            around, same, total = row_inside[:size], row_alike[:size], row_total[:size]
            around[:], same[:], total[:] = 0, 0, 0
            for d in range(len(offsets)):
                dz, dy, dx = offsets[d]
                _compare(here, padded[z - dz, y - dy, first - dx : end - dx], around, same, total)
                _compare(here, padded[z + dz, y + dy, first + dx : end + dx], around, same, total)
            for x in range(size):
                level, k = int(here[x]), int(around[x])
                alike[g, level, same[x]] += 1
                inside[g, level, k] += 1
                tone[g, level, k] += abs(level * k - total[x])
    return alike[:, 1:], inside[:, 1:], tone[:, 1:]


@kernel
def compare_neighbours(padded: Levels, offsets: Whole) -> tuple[Counts, Counts, Array]:
    """Compare the grey level of each voxel with those of its neighbours: for tables too large to be held dense.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
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
        level = int(flat[at])
        if level == 0:
            continue
        inside, same, total = 0, 0, 0
        for d in range(len(steps)):
            before, after = int(flat[at - steps[d]]), int(flat[at + steps[d]])
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
