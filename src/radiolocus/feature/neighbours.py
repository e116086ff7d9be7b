"""The neighbourhood of each voxel, compared once for the two families that are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import Context, Levels
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.feature.matrices import groups
from radiolocus.kernels.neighbourhood import compare_neighbours, count_neighbours
from radiolocus.model import Array

__all__ = ["Neighbourhoods", "compared", "neighbourhoods"]

Whole = npt.NDArray[np.int64]

# Dense counting pays as long as the tables have not many more cells than there are voxels to fill them.
_CELLS_PER_VOXEL = 8


@dataclass(frozen=True, eq=False)
class Dependence:
    """Voxels of a slice and a grey level that have so many neighbours alike: `count` of each, shape (k,)."""

    plane: Whole
    level: Whole
    alike: Whole
    count: Whole


@dataclass(frozen=True, eq=False)
class Tone:
    """Voxels of a slice and a grey level that have a neighbour, shape (k,), and how far they lie from the neighbours.

    Parameters
    ----------
    plane, level, count : ndarray of int64
        Slice in the box around the intensity mask, grey level, and voxels.
    difference : ndarray
        Sum of the absolute differences between the grey level and the mean of the neighbours.
    """

    plane: Whole
    level: Whole
    count: Whole
    difference: Array


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """What comes out of comparing each voxel with its neighbours (Chebyshev distance 1) within the intensity mask.

    Neighbours in three dimensions are not told apart by slice: they are all of slice 0.
    """

    dependence: Dependence
    tone: Tone


def neighbourhoods(context: Context, within_slices: bool) -> Neighbourhoods:
    """Return the neighbourhoods of a region, compared once."""
    offsets = OFFSETS_2D if within_slices else OFFSETS_3D
    return context.once(f"neighbourhoods/{within_slices}", lambda: compared(context.levels, offsets, within_slices))


def compared(levels: Levels, offsets: Whole, within_slices: bool) -> Neighbourhoods:
    """Compare each voxel of a region with its neighbours.

    Parameters
    ----------
    levels : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
        One of each pair of opposite neighbours (z, y, x).
    within_slices : bool
        Tell voxels apart by slice.
    """
    planes, most = levels.shape[0] - 2 if within_slices else 1, 2 * len(offsets) + 1
    dense = planes * int(levels.max()) * most <= _CELLS_PER_VOXEL * np.count_nonzero(levels)
    return (_dense if dense else _sparse)(levels, offsets, within_slices)


def _dense(levels: Levels, offsets: Whole, within_slices: bool) -> Neighbourhoods:
    alike, inside, tone = count_neighbours(levels, offsets, int(levels.max()), within_slices)
    plane, level, number = np.nonzero(alike)
    dependence = Dependence(plane, level + 1, number, alike[plane, level, number])
    count = inside[..., 1:].sum(axis=2)
    difference = (tone[..., 1:] / np.arange(1, tone.shape[2])).sum(axis=2)
    plane, level = np.nonzero(count)
    return Neighbourhoods(dependence, Tone(plane, level + 1, count[plane, level], difference[plane, level]))


def _sparse(levels: Levels, offsets: Whole, within_slices: bool) -> Neighbourhoods:
    at = np.flatnonzero(levels)
    plane = at // (levels.shape[1] * levels.shape[2]) - 1 if within_slices else np.zeros_like(at)
    level = levels.ravel()[at].astype(np.int64)
    neighbours, alike, difference = compare_neighbours(levels, offsets)
    some, width = neighbours > 0, int(level.max()) + 1
    keys = plane[some] * width + level[some]
    found, count = groups(keys)
    _, s = groups(keys, difference[some])
    tone = Tone(found // width, found % width, count.astype(np.int64), s)
    return Neighbourhoods(Dependence(plane, level, alike.astype(np.int64), np.ones_like(plane)), tone)
