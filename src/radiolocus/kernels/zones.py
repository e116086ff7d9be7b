"""Loops over zones: connected voxels of one grey level, and how deep they lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["border_distance", "label_zones", "zone_minima"]

Levels = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@kernel
def _root(parent: Levels, at: int) -> int:
    """Return the first voxel of the tree that `at` belongs to, and shorten the way to it."""
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@kernel
def _joined(flat: Levels, steps: Offsets) -> Levels:
    """Return for each voxel of the region an earlier one of its zone, or itself when it is the first."""
    parent = np.zeros(flat.size, dtype=np.int32)
    for at in range(flat.size):
        level = flat[at]
        if level == 0:
            continue
        parent[at] = at
        here = at
        for d in range(len(steps)):
            other = at - steps[d]
            if flat[other] != level:
                continue
            there = _root(parent, other)
            # The first voxel of a zone stays its root: then one pass in order resolves all trees.
            if there < here:
                parent[here] = there
                here = there
            elif here < there:
                parent[there] = here
    return parent


@kernel
def label_zones(padded: Levels, offsets: Offsets) -> tuple[Levels, Levels, Levels, Levels]:
    """Find the zones of connected voxels of one grey level.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels, 0 outside the region; the outermost voxels are all 0. C order, fewer than 2^31 voxels.
    offsets : ndarray of int64, shape (d, 3)
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
    label = _joined(flat, (offsets[:, 0] * ny + offsets[:, 1]) * nx + offsets[:, 2])
    count = 0
    for at in range(flat.size):
        if flat[at] > 0 and label[at] == at:
            count += 1
    level, size, plane = np.empty(count, np.int32), np.zeros(count, np.int32), np.empty(count, np.int32)
    n = 0
    for at in range(flat.size):
        if flat[at] == 0:
            continue
        if label[at] == at:
            level[n], plane[n] = flat[at], at // (ny * nx) - 1
            n += 1
            label[at] = n
        else:
            # What comes earlier has its label already.
            label[at] = label[label[at]]
        size[label[at] - 1] += 1
    return label.reshape(padded.shape), level, size, plane


@kernel
def zone_minima(label: Levels, values: Levels, n_zones: int) -> Levels:
    """Return the smallest of `values` in each zone, shape (n_zones,); `label` counts zones from 1, 0 is outside."""
    smallest = np.full(n_zones, np.iinfo(np.int32).max, dtype=np.int32)
    labels, flat = label.ravel(), values.ravel()
    for at in range(labels.size):
        zone = labels[at] - 1
        if zone >= 0:
            smallest[zone] = min(smallest[zone], flat[at])
    return smallest


@kernel
def border_distance(padded: npt.NDArray[np.bool_], by_slice: bool) -> Levels:
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
