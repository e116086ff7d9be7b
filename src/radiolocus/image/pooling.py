"""Rotation invariance (IBSI 2): a filter is applied at many orientations, its responses are pooled voxel by voxel."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.model import Array

__all__ = ["POOLINGS", "Pooling", "pool", "right_angle_rotations"]

Pooling = Literal["average", "max", "min"]
POOLINGS: tuple[Pooling, ...] = ("average", "max", "min")


def pool(responses: Iterable[Array], method: Pooling) -> Array:
    """Pool response maps voxel by voxel; they are taken one at a time, so two of them are in memory at most.

    Parameters
    ----------
    responses : iterable of ndarray
        At least one, all of one shape.
    method : {"average", "max", "min"}

    Returns
    -------
    ndarray
    """
    merge = {"average": np.add, "max": np.maximum, "min": np.minimum}[method]
    taken = iter(responses)
    out = next(taken).copy()
    count = 1
    for response in taken:
        merge(out, response, out=out)
        count += 1
    if method == "average":
        out /= count
    return out


def right_angle_rotations(dimensions: int) -> list[npt.NDArray[np.int64]]:
    """Return the proper rotations of the square (4) or the cube (24) onto itself, as signed permutation matrices."""
    found = []
    for order in itertools.permutations(range(dimensions)):
        for signs in itertools.product((1, -1), repeat=dimensions):
            matrix = np.zeros((dimensions, dimensions), dtype=np.int64)
            matrix[range(dimensions), order] = signs
            if round(np.linalg.det(matrix)) == 1:
                found.append(matrix)
    return found
