"""Loops over grey levels.

Slices are gone through row by row, and each row direction by direction, so that what can be compared many voxels at a
time is. Counting takes turns between a few copies of a matrix: neighbours are often alike, and adding to the same cell
twice in a row waits for the first to be written.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["LONGEST_RUN", "level_counts", "pair_counts", "row_extent", "run_counts", "run_list"]

Levels = npt.NDArray[np.unsignedinteger | np.int32]
Offsets = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

#: Lengths are kept in 16 bits while runs are followed.
LONGEST_RUN = 2**16 - 2

_COPIES = 4
# Copies pay as long as all matrices lie in the cache.
_COPIED_CELLS = 2**16


@kernel
def row_extent(row: Levels) -> tuple[int, int]:
    """Return where the voxels of the region begin in a row that begins and ends with 0, and the place after the last.

    Parameters
    ----------
    row : ndarray of integers, shape (x + 2,)
        0 outside the region.

    Returns
    -------
    tuple of int
        Both x + 1 for a row without any.
    """
    first, end = 1, len(row) - 1
    while first < end and row[first] == 0:
        first += 1
    while end > first and row[end - 1] == 0:
        end -= 1
    return first, end


@kernel
def level_counts(padded: Levels, n_levels: int) -> npt.NDArray[np.int64]:
    """Count the voxels of each grey level 1..n_levels, shape (n_levels,); 0 is outside the region."""
    counts = np.zeros((_COPIES, n_levels + 1), dtype=np.int64)
    flat = padded.ravel()
    for at in range(flat.size):
        counts[at % _COPIES, flat[at]] += 1
    total: Offsets = counts.sum(axis=0)[1:]
    return total


@kernel
def _gathered(copies: Counts, rows: int, columns: int) -> Counts:
    """Add up the copies of matrices with a margin of 0, shape (d, copies, cells), and set them back to 0."""
    total: Counts = copies.sum(axis=1).astype(np.int32).reshape((len(copies), rows, columns))[:, 1:, 1:]
    copies[:] = 0
    return total


@kernel
def _add_pairs(here: Levels, there: Levels, width: int, copies: Counts) -> None:
    """Count the pairs of levels of two rows."""
    if len(copies) == 1:
        counts = copies[0]
        for x in range(len(here)):
            counts[np.int64(here[x]) * width + np.int64(there[x])] += 1
    else:
        for x in range(len(here)):
            copies[x % _COPIES, np.int64(here[x]) * width + np.int64(there[x])] += 1


@kernel
def pair_counts(padded: Levels, offsets: Offsets, n_levels: int, by_slice: bool) -> Counts:
    """Count grey-level pairs into dense matrices, in one pass over the region.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0. C order.
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
    nz, ny, _ = padded.shape
    # What lies outside is counted too, as level 0, and dropped: cheaper than asking each voxel.
    width = n_levels + 1
    n_copies = _COPIES if len(offsets) * width * width <= _COPIED_CELLS else 1
    copies = np.zeros((len(offsets), n_copies, width * width), dtype=np.int32)
    counts = np.zeros((nz - 2 if by_slice else 1, len(offsets), n_levels, n_levels), dtype=np.int32)
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            first, end = row_extent(padded[z, y])
            if first == end:
                continue
            here = padded[z, y, first:end]
            for d in range(len(offsets)):
                there = padded[z + offsets[d, 0], y + offsets[d, 1], first + offsets[d, 2] : end + offsets[d, 2]]
                _add_pairs(here, there, width, copies[d])
        if by_slice:
            counts[z - 1] = _gathered(copies, width, width)
    if not by_slice:
        counts[0] = _gathered(copies, width, width)
    return counts


@kernel
def _follow_along(here: Levels, before: Levels, now: npt.NDArray[np.uint16]) -> None:
    """Write how many voxels each run of a row has had so far, along the row itself."""
    length = np.int64(0)
    for x in range(len(here)):
        length = length + 1 if here[x] == before[x] else np.int64(1)
        now[x] = length


@kernel
def _follow(here: Levels, before: Levels, then: npt.NDArray[np.uint16], now: npt.NDArray[np.uint16]) -> None:
    """Write how many voxels each run of a row has had so far: one more than `then` where the level before is alike."""
    for x in range(len(here)):
        now[x] = then[x] * (here[x] == before[x]) + 1


@kernel
def run_counts(padded: Levels, offsets: Offsets, n_levels: int, longest: int, by_slice: bool) -> Counts:
    """Count runs of one grey level into dense matrices, in one pass over the region.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0. C order.
    offsets : ndarray of int64, shape (d, 3)
        Directions (z, y, x), each within one voxel and towards the end of the array.
    n_levels, longest : int
        Largest level and the length that no run exceeds, at most `LONGEST_RUN`.
    by_slice : bool
        One set of matrices a slice instead of one for all; no direction may leave its slice then.

    Returns
    -------
    ndarray of int32, shape (z or 1, d, n_levels, longest)
        How many runs of level i + 1 have the length j + 1.

    Notes
    -----
    Counted are the voxels that are the j-th of their run: as many as there are runs of at least that length.
    """
    nz, ny, nx = padded.shape
    width = longest + 2
    n_copies = _COPIES if len(offsets) * (n_levels + 1) * width <= 4 * _COPIED_CELLS else 1
    copies = np.zeros((len(offsets), n_copies, (n_levels + 1) * width), dtype=np.int32)
    reached = np.zeros((nz - 2 if by_slice else 1, len(offsets), n_levels, longest + 1), dtype=np.int32)
    # Of two slices: the one that is gone through and the one before.
    lengths = np.zeros((len(offsets), 2, ny, nx), dtype=np.uint16)
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            first, end = row_extent(padded[z, y])
            if first == end:
                continue
            here = padded[z, y, first:end]
            for d in range(len(offsets)):
                dz, dy, dx = offsets[d]
                before = padded[z - dz, y - dy, first - dx : end - dx]
                now = lengths[d, z % 2, y, first:end]
                if dz == 0 and dy == 0:
                    _follow_along(here, before, now)
                else:
                    _follow(here, before, lengths[d, (z - dz) % 2, y - dy, first - dx : end - dx], now)
                _add_pairs(here, now, width, copies[d])
        if by_slice:
            reached[z - 1] = _gathered(copies, n_levels + 1, width)
    if not by_slice:
        reached[0] = _gathered(copies, n_levels + 1, width)
    return reached[:, :, :, :-1] - reached[:, :, :, 1:]


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
def run_list(padded: Levels, offset: npt.NDArray[np.int64]) -> tuple[Offsets, Counts, Offsets]:
    """List the runs of one grey level in one direction: for matrices too large to be held dense.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
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
