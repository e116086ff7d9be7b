"""The neighbourhood of each voxel, compared once for the two families that are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import Context
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.kernels.neighbourhood import compare_neighbours
from radiolocus.model import Array

__all__ = ["Neighbourhoods", "neighbourhoods"]


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """One entry a voxel of the intensity mask in C order, shape (n,).

    Parameters
    ----------
    plane : ndarray of int64
        Slice in the box around the intensity mask.
    level : ndarray of int32
        Grey level.
    neighbours, alike : ndarray of int32
        Neighbours (Chebyshev distance 1) within the intensity mask, and those of the same grey level.
    difference : ndarray
        Absolute difference between the grey level and the mean of these neighbours.
    """

    plane: npt.NDArray[np.int64]
    level: npt.NDArray[np.int32]
    neighbours: npt.NDArray[np.int32]
    alike: npt.NDArray[np.int32]
    difference: Array


def neighbourhoods(context: Context, within_slices: bool) -> Neighbourhoods:
    """Return the neighbourhoods of a region, compared once."""

    def make() -> Neighbourhoods:
        at = np.flatnonzero(context.levels)
        plane = at // (context.levels.shape[1] * context.levels.shape[2]) - 1
        compared = compare_neighbours(context.levels, OFFSETS_2D if within_slices else OFFSETS_3D)
        return Neighbourhoods(plane, context.levels.ravel()[at], *compared)

    return context.once(f"neighbourhoods/{within_slices}", make)
