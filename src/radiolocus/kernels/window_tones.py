"""Grey tone differences, and peaks, in the window around every voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.window_levels import cut_window

__all__ = ["PEAKS", "TONES", "window_peaks", "window_tones"]

Array = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]

#: Rows of the result of :func:`window_tones`.
TONES = ("ngt_coarseness", "ngt_contrast", "ngt_busyness", "ngt_complexity", "ngt_strength")

#: Rows of the result of :func:`window_peaks`.
PEAKS = ("loc_peak_loc", "loc_peak_glob")

_LARGEST_COARSENESS = 1e6
_BUSYNESS = 2  # not defined for a matrix whose products of level and probability are all equal


@kernel
def _compare(cube: Levels, first: int, last: int, steps: Whole, counts: Whole, sums: Array, found: Whole) -> int:
    """Sum up the differences of voxels of the flat window to their neighbours in it; return how many levels come."""
    filled = 0
    for at in range(first, last):
        level = cube[at]
        if level == 0:
            continue
        inside, total = 0, 0
        for step in steps:
            before, after = cube[at - step], cube[at + step]
            inside += before > 0
            inside += after > 0
            total += before + after
        if inside == 0:
            continue
        if counts[level] == 0:
            found[filled] = level
            filled += 1
        counts[level] += 1
        sums[level] += abs(level * inside - total) / inside
    return filled


@kernel
def _features(levels: Whole, counts: Whole, sums: Array, out: Array) -> None:
    """Write :data:`TONES` of the levels that come, at least one."""
    n, s, weighted = 0, 0.0, 0.0
    for i in levels:
        n += counts[i]
        s += sums[i]
        weighted += counts[i] * sums[i]
    weighted /= n
    squares, spread, complexity, strength = 0.0, 0, 0.0, 0.0
    for i in levels:
        for j in levels:
            d = float(i - j)
            squares += d * d * counts[i] * counts[j]
            spread += abs(i * counts[i] - j * counts[j])
            complexity += abs(d) * (counts[i] * sums[i] + counts[j] * sums[j]) / (counts[i] + counts[j])
            strength += (counts[i] + counts[j]) * d * d
    k = levels.size
    out[0] = 1 / weighted if weighted > 0 else _LARGEST_COARSENESS
    out[1] = squares / n / n / (k * (k - 1)) * s / n if k > 1 else 0.0
    out[_BUSYNESS] = 0.0 if k == 1 else (weighted / (spread / n) if spread > 0 else np.nan)
    out[3] = complexity / n
    out[4] = strength / n / s if s > 0 else 0.0


@kernel
def window_tones(padded: Levels, offsets: Whole, by_slice: bool, n_levels: int, radius: Whole, at: Whole) -> Array:
    """Take the features of grey tone differences of the window around every voxel, averaged over its matrices.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
        One of each pair of opposite neighbours (z, y, x), each within one voxel.
    by_slice : bool
        Whether every slice has a matrix of its own.
    n_levels : int
    radius : ndarray of int64, shape (3,)
        The window reaches so many voxels along (z, y, x) to either side; only its voxels inside the region count.
    at : ndarray of int64, shape (n, 3)
        Voxels of the region, in `padded`.

    Returns
    -------
    ndarray of float64, shape (5, n)
        :data:`TONES`; NaN where one is not defined.
    """
    counts, sums = np.zeros(n_levels + 1, dtype=np.int64), np.zeros(n_levels + 1)
    found = np.empty(n_levels + 1, dtype=np.int64)
    out, one = np.zeros((5, len(at))), np.empty(5)
    cube = np.zeros((2 * radius[0] + 3, 2 * radius[1] + 3, 2 * radius[2] + 3), dtype=np.int32)
    flat, plane = cube.reshape(-1), cube.shape[1] * cube.shape[2]
    steps = (offsets[:, 0] * cube.shape[1] + offsets[:, 1]) * cube.shape[2] + offsets[:, 2]
    slices = cube.shape[0] - 2 if by_slice else 1
    for n in range(len(at)):
        cut_window(padded, at[n], radius, cube)
        matrices, busy = 0, 0
        for s in range(slices):
            first, last = (s + 1, s + 2) if by_slice else (1, cube.shape[0] - 1)
            filled = _compare(flat, first * plane, last * plane, steps, counts, sums, found)
            if filled == 0:
                continue
            _features(found[:filled], counts, sums, one)
            for level in found[:filled]:
                counts[level], sums[level] = 0, 0.0
            matrices += 1
            if not np.isnan(one[_BUSYNESS]):
                busy += 1
            else:
                one[_BUSYNESS] = 0.0
            out[:, n] += one
        for k in range(5):
            by = busy if k == _BUSYNESS else matrices
            out[k, n] = out[k, n] / by if by > 0 else np.nan
    return out


@kernel
def window_peaks(image: Array, means: Array, inside: npt.NDArray[np.bool_], radius: Whole, at: Whole) -> Array:
    """Take the peaks of the window around every voxel.

    Parameters
    ----------
    image, means : ndarray of float64, shape (z, y, x)
        Intensities, and the mean of the sphere around every voxel of the region.
    inside : ndarray of bool, shape (z, y, x)
        The region.
    radius : ndarray of int64, shape (3,)
    at : ndarray of int64, shape (n, 3)
        Voxels of the region.

    Returns
    -------
    ndarray of float64, shape (2, n)
        :data:`PEAKS`: the mean around the voxel of the largest intensity, and the largest mean.
    """
    out = np.empty((2, len(at)))
    for n in range(len(at)):
        brightest, local, largest = -np.inf, -np.inf, -np.inf
        for z in range(max(0, at[n, 0] - radius[0]), min(image.shape[0], at[n, 0] + radius[0] + 1)):
            for y in range(max(0, at[n, 1] - radius[1]), min(image.shape[1], at[n, 1] + radius[1] + 1)):
                for x in range(max(0, at[n, 2] - radius[2]), min(image.shape[2], at[n, 2] + radius[2] + 1)):
                    if not inside[z, y, x]:
                        continue
                    largest = max(largest, means[z, y, x])
                    if image[z, y, x] > brightest:
                        brightest, local = image[z, y, x], means[z, y, x]
                    elif image[z, y, x] == brightest:
                        local = max(local, means[z, y, x])
        out[0, n], out[1, n] = local, largest
    return out
