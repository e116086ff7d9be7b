"""Loops over grey levels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["pair_counts"]

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
