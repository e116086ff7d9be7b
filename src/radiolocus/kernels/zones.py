"""Loops over zones: connected voxels of one grey level, and how deep they lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.texture import row_extent

__all__ = ["border_distance", "label_zones", "zone_minima"]

Levels = npt.NDArray[np.unsignedinteger | np.int32]
Counts = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@kernel
def _related(offsets: Offsets) -> tuple[Offsets, Offsets]:
    """Say which neighbours are neighbours of each other, so that not each of them need be asked.

    Parameters
    ----------
    offsets : ndarray of int64, shape (d, 3)

    Returns
    -------
    order : ndarray of int64, shape (d,)
        The neighbours with most neighbours among the others first.
    near : ndarray of int64, shape (d,)
        Bit j of entry i: the i-th of that order is the j-th or a neighbour of it.
    """
    d = len(offsets)
    touching = np.zeros((d, d), dtype=np.bool_)
    for i in range(d):
        touching[i, i] = True
        for j in range(d):
            apart = offsets[i] - offsets[j]
            for k in range(d):
                if np.all(apart == offsets[k]) or np.all(apart == -offsets[k]):
                    touching[i, j] = True
    order = np.argsort(-touching.sum(axis=1), kind="mergesort")
    near = np.zeros(d, dtype=np.int64)
    for i in range(d):
        for j in range(d):
            if touching[order[i], order[j]]:
                near[i] |= 1 << j
    return order, near


@kernel
def _lowest_bits(d: int) -> npt.NDArray[np.uint8]:
    """Return the number of the lowest bit that is set in each number below 2 to the power of `d`."""
    lowest = np.zeros(1 << d, dtype=np.uint8)
    for bit in range(d):
        for number in range(1 << bit, 1 << d, 2 << bit):
            lowest[number] = bit
    return lowest


@kernel
def _mark(here: Levels, there: Levels, bit: int, marks: npt.NDArray[np.uint16]) -> None:
    """Set a bit for the voxels of a row that have the level of one neighbour each."""
    value = np.uint16(bit)
    for x in range(len(here)):
        marks[x] |= value * (here[x] == there[x])


@kernel
def _root(parent: Counts, at: int) -> int:
    """Return the first label of the tree that `at` belongs to, and shorten the way to it."""
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@kernel
def _joined(parent: Counts, one: int, other: int) -> int:
    """Join the trees of two labels and return their root, the smaller of both."""
    a, b = _root(parent, one), _root(parent, other)
    parent[max(a, b)] = min(a, b)
    return min(a, b)


@kernel
def _provisional(padded: Levels, offsets: Offsets) -> tuple[Counts, Counts, Counts, Counts]:
    """Label the voxels, with trees of labels that turned out to be one zone.

    Returns
    -------
    label : ndarray of int32, shape (size of padded,)
    parent, size, first : ndarray of int32, shape (labels + 1,)
        An earlier label of the same zone or the label itself, the voxels that carry the label, and the first of them.
    """
    nz, ny, nx = padded.shape
    order, near = _related(offsets)
    around = offsets[order]
    steps = (around[:, 0] * ny + around[:, 1]) * nx + around[:, 2]
    lowest = _lowest_bits(len(steps))
    label = np.zeros(padded.size, dtype=np.int32)
    # Room for every voxel to be a zone; what is not written takes no memory.
    room = np.count_nonzero(padded) + 1
    parent, size, first_voxel = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    row_marks = np.empty(nx, dtype=np.uint16)
    count = 0
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            first, end = row_extent(padded[z, y])
            if first == end:
                continue
            here, marks = padded[z, y, first:end], row_marks[: end - first]
            marks[:] = 0
            for d in range(len(around)):
                dz, dy, dx = around[d]
                _mark(here, padded[z - dz, y - dy, first - dx : end - dx], 1 << d, marks)
            start = (z * ny + y) * nx + first
            for x in range(end - first):
                if here[x] == 0:
                    continue
                at, left = start + x, int(marks[x])
                if left == 0:
                    count += 1
                    mine = count
                    parent[count], size[count], first_voxel[count] = count, 0, at
                else:
                    d = lowest[left]
                    mine = int(label[at - steps[d]])
                    left &= ~near[d]
                    while left:
                        # Neighbours of a neighbour of the same level have been joined with it already.
                        d = lowest[left]
                        left &= ~near[d]
                        other = int(label[at - steps[d]])
                        if other != mine:
                            mine = _joined(parent, mine, other)
                label[at] = mine
                size[mine] += 1
    return label, parent[: count + 1], size[: count + 1], first_voxel[: count + 1]


@kernel
def label_zones(padded: Levels, offsets: Offsets) -> tuple[Counts, Counts, Counts, Counts]:
    """Find the zones of connected voxels of one grey level.

    Parameters
    ----------
    padded : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels, 0 outside the region; the outermost voxels are all 0. C order, fewer than 2^31 voxels.
    offsets : ndarray of int64, shape (d, 3), d ≤ 13
        One of each pair of opposite neighbours (z, y, x), the one that comes later in the array.

    Returns
    -------
    label : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Number of the zone of each voxel, from 1 in the order of their first voxels; 0 outside.
    level, size, plane : ndarray of int32, shape (k,)
        Grey level and number of voxels of each zone, and the slice of its first voxel (0 is the first not padding).
    """
    _, ny, nx = padded.shape
    flat = padded.ravel()
    label, parent, size, first = _provisional(padded, offsets)
    final = np.zeros(len(parent), dtype=np.int32)
    level, sizes = np.empty(len(parent), np.int32), np.zeros(len(parent), np.int32)
    plane = np.empty(len(parent), np.int32)
    n = 0
    for k in range(1, len(parent)):
        # The root of a zone is its first label, so what comes earlier has its number already.
        if parent[k] == k:
            level[n], plane[n] = flat[first[k]], first[k] // (ny * nx) - 1
            n += 1
            final[k] = n
        else:
            final[k] = final[parent[k]]
        sizes[final[k] - 1] += size[k]
    for at in range(label.size):
        label[at] = final[label[at]]
    return label.reshape(padded.shape), level[:n].copy(), sizes[:n].copy(), plane[:n].copy()


@kernel
def zone_minima(label: Counts, values: Counts, n_zones: int) -> Counts:
    """Return the smallest of `values` in each zone, shape (n_zones,); `label` counts zones from 1, 0 is outside."""
    smallest = np.full(n_zones, np.iinfo(np.int32).max, dtype=np.int32)
    labels, flat = label.ravel(), values.ravel()
    for at in range(labels.size):
        zone = labels[at] - 1
        if zone >= 0:
            smallest[zone] = min(smallest[zone], flat[at])
    return smallest


@kernel
def border_distance(padded: npt.NDArray[np.bool_], by_slice: bool) -> Counts:
    """Count the voxel faces to cross to leave a mask (city-block distance); two passes are exact.

    Parameters
    ----------
    padded : ndarray of bool, shape (z + 2, y + 2, x + 2)
        The mask; the outermost voxels are all false.
    by_slice : bool
        Leave within the slice.

    Returns
    -------
    ndarray of int32, shape (z + 2, y + 2, x + 2)
        1 at the border of the mask, 0 outside.
    """
    _, ny, nx = padded.shape
    steps = np.array([1, nx, ny * nx])[: 2 if by_slice else 3]
    inside = padded.ravel()
    distance = np.zeros(inside.size, dtype=np.int32)
    for at in range(inside.size):
        if inside[at]:
            nearest = distance[at - 1]
            for step in steps[1:]:
                nearest = min(nearest, distance[at - step])
            distance[at] = nearest + 1
    for at in range(inside.size - 1, -1, -1):
        if inside[at]:
            nearest = distance[at] - 1
            for step in steps:
                nearest = min(nearest, distance[at + step])
            distance[at] = nearest + 1
    return distance.reshape(padded.shape)
