"""CT acquired with a tilted gantry: slices moved within their planes onto an upright grid.

The slices stay where they are along their normal, so only the shift within the plane is interpolated (linearly); the
grid grows by the rows over which the slices are staggered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.model import Array, Geometry, Mask

__all__ = ["SHEAR_TOLERANCE", "Tilt", "tilt_of"]

_WHOLE = 1e-4  # of a pixel: a shift by whole pixels moves values and changes none
SHEAR_TOLERANCE = 1e-3  # sine of the angle between stacking direction and normal that still counts as upright


@dataclass(frozen=True, eq=False)
class Tilt:
    """The grid as it was acquired and the upright one that holds it.

    Parameters
    ----------
    acquired : Geometry
        Its first axis is not along the normal of the slices.
    upright : Geometry
        The same planes, stacked along their normal.
    offset : ndarray, shape (slices, 2)
        Row and column of the acquired slice under the first pixel of each upright one; may be negative.
    angle : float
        Between the stacking direction and the normal, in degrees.
    """

    acquired: Geometry
    upright: Geometry
    offset: Array
    angle: float

    def straighten(self, array: npt.NDArray[Any], outside: float) -> tuple[npt.NDArray[Any], int]:
        """Bring an image from the acquired to the upright grid.

        Parameters
        ----------
        array : ndarray
            Shape of the acquired grid, floating point.
        outside : float
            For voxels that no acquired slice reaches.

        Returns
        -------
        straight : ndarray
            Shape of the upright grid, type of `array`.
        count : int
            Voxels that got the value `outside`.
        """
        straight = np.empty(self.upright.shape, array.dtype)
        count = 0
        for k, plane in enumerate(array):
            values, reached = _moved(plane.astype(np.float64), self.offset[k], self.upright.shape[1:])
            straight[k] = np.where(reached, values, outside)
            count += int(reached.size - np.count_nonzero(reached))
        return straight, count

    def straighten_mask(self, mask: Mask) -> Mask:
        """Bring a region drawn on the acquired grid to the upright one: voxels at least half of which are inside."""
        share, _ = self.straighten(mask.array.astype(np.float64), 0.0)
        note = "the mask lies on the tilted grid and was moved upright with the image (at least half a voxel inside)"
        return Mask(share >= 0.5, self.upright, mask.name, (*mask.notes, note))


def tilt_of(acquired: Geometry) -> Tilt | None:
    """Find the upright grid of slices that are staggered within their planes; None where they are not."""
    step, row, column = acquired.affine[:3, :3].T
    normal = np.cross(column, row)
    normal /= np.linalg.norm(normal)
    lateral = float(np.linalg.norm(step - (step @ normal) * normal) / np.linalg.norm(step))
    if lateral <= SHEAR_TOLERANCE:
        return None
    parts = np.linalg.solve(np.stack([normal, row, column], axis=1), step)
    slices, rows, columns = acquired.shape
    moves: Array = np.asarray(np.arange(slices)[:, None] * parts[1:], dtype=np.float64)  # in rows and columns
    # The first slice has not moved and the last has moved most.
    first = np.floor(np.minimum(0.0, moves[-1]) + _WHOLE)
    more = np.ceil(np.maximum(0.0, moves[-1]) - _WHOLE) - first
    affine = acquired.affine.copy()
    affine[:3, 0] = parts[0] * normal
    affine[:3, 3] += first[0] * row + first[1] * column
    upright = Geometry((slices, rows + int(more[0]), columns + int(more[1])), affine)
    return Tilt(acquired, upright, first - moves, float(np.degrees(np.arcsin(min(1.0, lateral)))))


def _moved(
    plane: npt.NDArray[Any], offset: Array, shape: tuple[int, ...]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Sample a plane at whole steps from `offset` (row, column), and tell which samples lie within it."""
    reached: npt.NDArray[np.bool_] = np.ones((1, 1), np.bool_)
    for axis in (0, 1):
        low, share, within = _line(float(offset[axis]), shape[axis], plane.shape[axis])
        share = share.reshape((-1, 1) if axis == 0 else (1, -1))
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        plane = plane.take(low, axis) * (1 - share) + plane.take(high, axis) * share
        reached = reached & within.reshape((-1, 1) if axis == 0 else (1, -1))
    return plane, reached


def _line(start: float, count: int, size: int) -> tuple[npt.NDArray[np.intp], Array, npt.NDArray[np.bool_]]:
    """Lower neighbours, shares of the upper ones, and which of `count` positions from `start` lie on the line."""
    whole = np.rint(start)
    if abs(start - whole) < _WHOLE:
        start = float(whole)
    position = start + np.arange(count)
    within = (position >= 0) & (position <= size - 1)
    low = np.clip(np.floor(position), 0, size - 1).astype(np.intp)
    return low, np.clip(position - low, 0.0, 1.0), within
