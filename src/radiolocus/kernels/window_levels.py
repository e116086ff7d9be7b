"""Matrices of grey level against another whole number, started afresh in the window around every voxel.

What a plane that enters does to runs, zones and distances reaches through the whole window, so that nothing would be
saved by keeping them; a window is small, and windows do not depend on each other.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["DEPENDENCE", "DISTANCES", "LEVEL_FEATURES", "RUNS", "ZONES", "cut_window", "window_levels"]

Array = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Counts by level and other number; level, and other number, of the cells that hold one; how many these are; sums by
#: level, and by other number.
Table = tuple[Whole, Whole, Whole, Whole, Whole, Whole]
#: 1 / k² and k log₂ k.
Known = tuple[Array, Array]

#: The other number: length of runs, size of zones, their distance to the border, dependence of voxels.
RUNS, ZONES, DISTANCES, DEPENDENCE = 0, 1, 2, 3

#: Rows of the result of :func:`window_levels`: i is the grey level, j the other number.
LEVEL_FEATURES = (
    "1 / j²",
    "j²",
    "1 / i²",
    "i²",
    "1 / i² j²",
    "i² / j²",
    "j² / i²",
    "i² j²",
    "non-uniformity of i",
    "normalised non-uniformity of i",
    "non-uniformity of j",
    "normalised non-uniformity of j",
    "percentage",
    "variance of i",
    "variance of j",
    "entropy",
    "energy",
)


@kernel
def _add(table: Table, level: int, other: int) -> None:
    counts, levels, others, filled, _, by_other = table
    cell = level * by_other.size + other
    if counts[cell] == 0:
        levels[filled[0]], others[filled[0]] = level, other
        filled[0] += 1
    counts[cell] += 1


@kernel
def _emphases(p: float, i2: float, j2: float, of_i: float, of_j: float, out: Array) -> None:
    out[0] += p * of_j
    out[1] += p * j2
    out[2] += p * of_i
    out[3] += p * i2
    out[4] += p * of_i * of_j
    out[5] += p * i2 * of_j
    out[6] += p * j2 * of_i
    out[7] += p * i2 * j2


@kernel
def _spread(table: Table, total: float, out: Array) -> None:
    """Write the non-uniformities and variances."""
    counts, levels, others, filled, by_level, by_other = table
    mean_i, mean_j = 0.0, 0.0
    for k in range(filled[0]):
        i, j = levels[k], others[k]
        c = counts[i * by_other.size + j]
        by_level[i] += c
        by_other[j] += c
        mean_i += i * c
        mean_j += j * c
    mean_i, mean_j = mean_i / total, mean_j / total
    for k in range(filled[0]):
        i, j = levels[k], others[k]
        c = counts[i * by_other.size + j]
        out[8] += float(by_level[i] * by_level[i])
        out[10] += float(by_other[j] * by_other[j])
        by_level[i] = by_other[j] = 0
        out[13] += (i - mean_i) * (i - mean_i) * c
        out[14] += (j - mean_j) * (j - mean_j) * c
    out[8], out[10] = out[8] / total, out[10] / total
    out[9], out[11] = out[8] / total, out[10] / total
    out[13], out[14] = out[13] / total, out[14] / total


@kernel
def _features(table: Table, voxels: int, known: Known, out: Array) -> None:
    """Write :data:`LEVEL_FEATURES` of a table that is not empty, and empty it."""
    counts, levels, others, filled, _, by_other = table
    inverse, c_log_c = known
    total = 0
    for k in range(filled[0]):
        total += counts[levels[k] * by_other.size + others[k]]
    out[:] = 0.0
    inner, squares = 0.0, 0
    for k in range(filled[0]):
        i, j = levels[k], others[k]
        c = counts[i * by_other.size + j]
        _emphases(c / total, float(i * i), float(j * j), inverse[i], inverse[j], out)
        inner += c_log_c[c]
        squares += c * c
    _spread(table, total, out)
    out[12] = total / voxels
    out[15] = 0.0 if filled[0] == 1 else math.log2(total) - inner / total
    out[16] = squares / total / total
    for k in range(filled[0]):
        counts[levels[k] * by_other.size + others[k]] = 0
    filled[0] = 0


@kernel
def _runs(cube: Levels, step: int, first: int, last: int, table: Table) -> None:
    """Count the runs that begin from place `first` of the flat window on, and before `last`."""
    for at in range(first, last):
        level = cube[at]
        if level == 0 or cube[at - step] == level:
            continue
        length = 1
        while cube[at + length * step] == level:
            length += 1
        _add(table, level, length)


@kernel
def _depths(solid: Bools, depth: Levels, in_plane: bool) -> None:
    """Count the faces to cross to leave `solid` (city-block distance); two passes are exact."""
    nz, ny, nx = solid.shape
    depth[:] = 0
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                if solid[z, y, x]:
                    nearest = min(depth[z, y, x - 1], depth[z, y - 1, x])
                    depth[z, y, x] = 1 + (nearest if in_plane else min(nearest, depth[z - 1, y, x]))
    for z in range(nz - 2, 0, -1):
        for y in range(ny - 2, 0, -1):
            for x in range(nx - 2, 0, -1):
                if solid[z, y, x]:
                    nearest = min(depth[z, y, x + 1], depth[z, y + 1, x])
                    nearest = 1 + (nearest if in_plane else min(nearest, depth[z + 1, y, x]))
                    depth[z, y, x] = min(depth[z, y, x], nearest)


@kernel
def _zones(
    cube: Levels, steps: Whole, first: int, last: int, depth: Levels, by_depth: bool, stack: Whole, table: Table
) -> None:
    """Count zones of the flat window; they are taken out of it as they are found."""
    for at in range(first, last):
        level = cube[at]
        if level == 0:
            continue
        cube[at] = 0
        stack[0] = at
        size, nearest, left = 0, depth[at], 1
        while left > 0:
            left -= 1
            here = stack[left]
            size += 1
            nearest = min(nearest, depth[here])
            for step in steps:
                if cube[here + step] == level:
                    cube[here + step] = 0
                    stack[left] = here + step
                    left += 1
                if cube[here - step] == level:
                    cube[here - step] = 0
                    stack[left] = here - step
                    left += 1
        _add(table, level, nearest if by_depth else size)


@kernel
def _dependence(cube: Levels, steps: Whole, first: int, last: int, table: Table) -> None:
    for at in range(first, last):
        level = cube[at]
        if level == 0:
            continue
        alike = 1
        for step in steps:
            alike += cube[at + step] == level
            alike += cube[at - step] == level
        _add(table, level, alike)


@kernel
def cut_window(source: npt.NDArray[np.generic], at: Whole, radius: Whole, window: npt.NDArray[np.generic]) -> None:
    """Copy the window around `at` into the inner part of `window`; 0 where there is none."""
    window[:] = 0
    for axis_z in range(max(1, at[0] - radius[0]), min(source.shape[0] - 1, at[0] + radius[0] + 1)):
        z = axis_z - at[0] + radius[0] + 1
        for axis_y in range(max(1, at[1] - radius[1]), min(source.shape[1] - 1, at[1] + radius[1] + 1)):
            y = axis_y - at[1] + radius[1] + 1
            for axis_x in range(max(1, at[2] - radius[2]), min(source.shape[2] - 1, at[2] + radius[2] + 1)):
                window[z, y, axis_x - at[2] + radius[2] + 1] = source[axis_z, axis_y, axis_x]


@kernel
def window_levels(
    what: int,
    padded: Levels,
    solid: Bools,
    offsets: Whole,
    split: npt.NDArray[np.bool_],
    longest: int,
    n_levels: int,
    radius: Whole,
    at: Whole,
) -> Array:
    """Take the features of one kind of matrix of the window around every voxel, averaged over its matrices.

    Parameters
    ----------
    what : int
        :data:`RUNS`, :data:`ZONES`, :data:`DISTANCES` or :data:`DEPENDENCE`.
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0.
    solid : ndarray of bool, shape (z + 2, y + 2, x + 2)
        The mask whose border distances are counted from.
    offsets : ndarray of int64, shape (d, 3)
        One of each pair of opposite neighbours (z, y, x), each within one voxel; all within slices, or not.
    split : ndarray of bool, shape (2,)
        Whether every slice, and every direction, has a matrix of its own.
    longest, n_levels : int
        What the other number and the grey level do not exceed.
    radius : ndarray of int64, shape (3,)
        The window reaches so many voxels along (z, y, x) to either side; only its voxels inside the region count.
    at : ndarray of int64, shape (n, 3)
        Voxels of the region, in `padded`.

    Returns
    -------
    ndarray of float64, shape (17, n)
        :data:`LEVEL_FEATURES`.
    """
    sz, sy, sx = 2 * radius[0] + 3, 2 * radius[1] + 3, 2 * radius[2] + 3
    cube, depth = np.zeros((sz, sy, sx), dtype=np.int32), np.zeros((sz, sy, sx), dtype=np.int32)
    mask = np.zeros((sz, sy, sx), dtype=np.bool_)
    stack = np.empty(cube.size, dtype=np.int64)
    table = (
        np.zeros((n_levels + 1) * (longest + 1), dtype=np.int64),
        np.empty(cube.size * len(offsets), dtype=np.int64),
        np.empty(cube.size * len(offsets), dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.zeros(n_levels + 1, dtype=np.int64),
        np.zeros(longest + 1, dtype=np.int64),
    )
    numbers = np.arange(1.0, max(n_levels, longest, cube.size * len(offsets)) + 1)
    known = (
        np.concatenate((np.zeros(1), 1 / (numbers * numbers))),
        np.concatenate((np.zeros(1), numbers * np.log2(numbers))),
    )
    flat, deep = cube.reshape(-1), depth.reshape(-1)
    steps = (offsets[:, 0] * sy + offsets[:, 1]) * sx + offsets[:, 2]
    in_plane = not offsets[:, 0].any()
    out, one = np.zeros((17, len(at))), np.empty(17)
    slices = sz - 2 if split[0] else 1
    directions = len(offsets) if split[1] else 1
    for n in range(len(at)):
        cut_window(padded, at[n], radius, cube)
        if what == DISTANCES:
            cut_window(solid, at[n], radius, mask)
            _depths(mask, depth, in_plane)
        matrices = 0
        for s in range(slices):
            first, last = (s + 1, s + 2) if split[0] else (1, sz - 1)
            voxels = int(np.count_nonzero(cube[first:last]))
            if voxels == 0:
                continue
            first, last = first * sy * sx, last * sy * sx
            for d in range(directions):
                merged = 1
                if what == RUNS:
                    chosen = steps[d : d + 1] if split[1] else steps
                    merged = len(chosen)
                    for step in chosen:
                        _runs(flat, step, first, last, table)
                elif what == DEPENDENCE:
                    _dependence(flat, steps, first, last, table)
                else:
                    _zones(flat, steps, first, last, deep, what == DISTANCES, stack, table)
                _features(table, voxels * merged, known, one)
                out[:, n] += one
                matrices += 1
        out[:, n] /= matrices
    return out
