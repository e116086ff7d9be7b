"""Loops over grey levels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["pair_counts", "run_counts", "run_list"]

Levels = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@kernel
def pair_counts(padded: Levels, offsets: Offsets, n_levels: int, by_slice: bool) -> npt.NDArray[np.int32]:
    """Count grey-level pairs into dense matrices, in one pass over the region.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
        Neighbour offsets (z, y, x), each within one voxel.
    n_levels : int
    by_slice : bool
        One set of matrices a slice instead of one for all.

    Returns
    -------
    ndarray of int32, shape (z or 1, d, n_levels, n_levels)
        How often level i + 1 has level j + 1 at the offset.
    """
    nz, ny, nx = padded.shape
    groups = nz - 2 if by_slice else 1
    counts = np.zeros((groups, len(offsets), n_levels, n_levels), dtype=np.int32)
    for z in range(1, nz - 1):
        g = z - 1 if by_slice else 0
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                level = padded[z, y, x]
                if level == 0:
                    continue
                for d in range(len(offsets)):
                    other = padded[z + offsets[d, 0], y + offsets[d, 1], x + offsets[d, 2]]
                    if other > 0:
                        counts[g, d, level - 1, other - 1] += 1
    return counts


@kernel
def _run_length(flat: Levels, at: int, step: int) -> int:
    """Return the length of the run that starts at `at` and goes on by `step`; 0 when it started before."""
    level = flat[at]
    if flat[at - step] == level:
        return 0
    length = 1
    while flat[at + length * step] == level:
        length += 1
    return length


@kernel
def run_counts(padded: Levels, offsets: Offsets, n_levels: int, longest: int, by_slice: bool) -> npt.NDArray[np.int32]:
    """Count runs of one grey level into dense matrices.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0. C order.
    offsets : ndarray of int64, shape (d, 3)
        Directions (z, y, x), each within one voxel.
    n_levels, longest : int
        Largest level and the length that no run exceeds.
    by_slice : bool
        One set of matrices a slice instead of one for all.

    Returns
    -------
    ndarray of int32, shape (z or 1, d, n_levels, longest)
        How many runs of level i + 1 have the length j + 1.
    """
    nz, ny, nx = padded.shape
    flat = padded.ravel()
    steps = (offsets[:, 0] * ny + offsets[:, 1]) * nx + offsets[:, 2]
    groups = nz - 2 if by_slice else 1
    counts = np.zeros((groups, len(steps), n_levels, longest), dtype=np.int32)
    for at in range(ny * nx, flat.size - ny * nx):
        if flat[at] == 0:
            continue
        group = at // (ny * nx) - 1 if by_slice else 0
        for d in range(len(steps)):
            length = _run_length(flat, at, steps[d])
            if length > 0:
                counts[group, d, flat[at] - 1, length - 1] += 1
    return counts


@kernel
def run_list(padded: Levels, offset: npt.NDArray[np.int64]) -> tuple[Offsets, Levels, Offsets]:
    """List the runs of one grey level in one direction: for matrices too large to be held dense.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels, 0 outside the region; the outermost voxels are all 0. C order.
    offset : ndarray of int64, shape (3,)
        Direction (z, y, x), within one voxel.

    Returns
    -------
    plane, level, length : ndarray, shape (r,)
        Slice in which the run starts (0 is the first that is not padding), its grey level and its length.
    """
    _, ny, nx = padded.shape
    flat = padded.ravel()
    step = (offset[0] * ny + offset[1]) * nx + offset[2]
    size = np.count_nonzero(flat)
    plane, level = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int32)
    length = np.empty(size, dtype=np.int64)
    n = 0
    for at in range(ny * nx, flat.size - ny * nx):
        if flat[at] == 0:
            continue
        run = _run_length(flat, at, step)
        if run > 0:
            plane[n], level[n], length[n] = at // (ny * nx) - 1, flat[at], run
            n += 1
    return plane[:n].copy(), level[:n].copy(), length[:n].copy()
