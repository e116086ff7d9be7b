"""Loops over intensities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["place_levels", "whole_counts"]

Levels = npt.NDArray[np.unsignedinteger | np.int32]


@kernel
def whole_counts(values: Array, most: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Count how often each whole number comes.

    Parameters
    ----------
    values : ndarray of float64, shape (n,), n ≥ 1
        Finite.
    most : int
        Largest range that is counted.

    Returns
    -------
    lowest : int
        The smallest value.
    counts : ndarray of int64, shape (range + 1,)
        Occurrences of lowest, lowest + 1, ...; empty when a value is no whole number, or the range exceeds `most`.
    """
    low, high, whole = values[0], values[0], True
    for value in values:
        low, high = min(low, value), max(high, value)
        whole &= np.floor(value) == value
    if not whole or high - low > most or max(abs(low), abs(high)) > 2.0**52:
        return 0, np.zeros(0, dtype=np.int64)
    lowest = int(low)
    # In turns: neighbours are often equal, and adding to the same place twice in a row waits for the first.
    counts = np.zeros((4, int(high) - lowest + 1), dtype=np.int64)
    for at in range(len(values)):
        counts[at % 4, int(values[at]) - lowest] += 1
    return lowest, counts.sum(axis=0)


@kernel
def place_levels(values: Array, mask: BoolArray, lowest: int, table: Levels) -> Levels:
    """Look up the grey levels of whole intensities and put them where they belong.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Whole numbers.
    mask : ndarray of bool, shape (z, y, x)
        With n voxels.
    lowest : int
        Intensity of the first entry of `table`.
    table : ndarray of integers, shape (k,)
        Grey level of each intensity.

    Returns
    -------
    ndarray of the type of `table`, shape (z + 2, y + 2, x + 2)
        Grey levels with one voxel of 0 on every side; 0 outside the mask.
    """
    nz, ny, nx = mask.shape
    out = np.zeros((nz + 2, ny + 2, nx + 2), dtype=table.dtype)
    n = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if mask[z, y, x]:
                    out[z + 1, y + 1, x + 1] = table[int(values[n]) - lowest]
                    n += 1
    return out
