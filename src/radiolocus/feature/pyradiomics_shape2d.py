"""Shape of a region of one slice as PyRadiomics defines it: class ``shape2D``.

Its outline is that of marching squares: straight lines between the middles of the edges that leave the region; two
voxels that meet at a corner only are apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radiolocus.errors import UndefinedError
from radiolocus.image.region import bounding_box
from radiolocus.model import Array, BoolArray

__all__ = ["SHAPE_2D", "PyradiomicsShape2D", "flat_shape"]


@dataclass(frozen=True, eq=False)
class PyradiomicsShape2D:
    """A region of one slice as an area.

    Parameters
    ----------
    region : ndarray of bool, shape (rows, columns)
        At least two voxels, and no voxel at the border.
    spacing : ndarray, shape (2,)
        Pixel size in mm.
    """

    region: BoolArray
    spacing: Array

    @cached_property
    def outline(self) -> tuple[float, float]:
        """Area in mm² and length in mm of the outline."""
        r = self.region.astype(np.int64)
        a, b, c, d = r[:-1, :-1], r[:-1, 1:], r[1:, :-1], r[1:, 1:]
        corners = a + b + c + d
        apart = (corners == 2) & (a == d)
        down, across = (corners == 2) & (a == c) & ~apart, (corners == 2) & (a == b) & ~apart
        n = {k: int(np.count_nonzero(corners == k)) for k in (1, 3, 4)}
        n_apart, n_halves = int(np.count_nonzero(apart)), int(np.count_nonzero(down | across))
        area = (n[1] + 2 * n_apart + 7 * n[3]) / 8 + n_halves / 2 + n[4]
        cut = float(np.hypot(*self.spacing)) / 2
        straight = np.count_nonzero(down) * self.spacing[0] + np.count_nonzero(across) * self.spacing[1]
        return area * float(np.prod(self.spacing)), (n[1] + n[3] + 2 * n_apart) * cut + float(straight)

    @cached_property
    def diameter(self) -> float:
        """Largest distance between two corners of the outline in mm."""
        r = self.region
        upright, level = np.argwhere(r[1:] != r[:-1]), np.argwhere(r[:, 1:] != r[:, :-1])
        points = _outermost(np.concatenate([upright + np.array([0.5, 0.0]), level + np.array([0.0, 0.5])]))
        points = points * self.spacing
        return float(np.sqrt(max(float(((points - p) ** 2).sum(axis=1).max()) for p in points)))

    @cached_property
    def axes(self) -> Array:
        """Lengths of the principal axes in mm, shorter first: 4 √λ of the covariance of the pixel centres."""
        centres = np.argwhere(self.region) * self.spacing
        centres = (centres - centres.mean(axis=0)) / np.sqrt(len(centres))
        values = np.sort(np.linalg.eigvals(centres.T @ centres).real)
        return np.asarray(4 * np.sqrt(np.maximum(values, 0.0)))


def _outermost(points: Array) -> Array:
    """Keep the first and the last point of every row: no other is furthest from anything."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    points = points[order]
    new_row = np.diff(points[:, 0]) != 0
    return np.asarray(points[np.append(True, new_row) | np.append(new_row, True)])


def flat_shape(region: BoolArray, spacing: Array, axis: int) -> PyradiomicsShape2D:
    """Return a region as an area in the slice at right angles to `axis`.

    Parameters
    ----------
    region : ndarray of bool, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    axis : int
        ``force2Ddimension``.

    Raises
    ------
    UndefinedError
        The region lies in several slices.
    """
    box = bounding_box(region)
    thick = box[axis].stop - box[axis].start
    if thick > 1:
        raise UndefinedError(
            f"a region of {thick} slices along array axis {axis}, of which there is no shape2D",
            allowed="a region of one slice along force2Ddimension",
            todo="ask for shape instead, or draw the region in one slice",
        )
    flat = np.pad(region[box].squeeze(axis=axis), 1)
    return PyradiomicsShape2D(flat, np.delete(spacing, axis))


SHAPE_2D: dict[str, Callable[[PyradiomicsShape2D], float]] = {
    "Elongation": lambda s: float(s.axes[0] / s.axes[1]),
    "MajorAxisLength": lambda s: float(s.axes[1]),
    "MaximumDiameter": lambda s: s.diameter,
    "MeshSurface": lambda s: s.outline[0],
    "MinorAxisLength": lambda s: float(s.axes[0]),
    "Perimeter": lambda s: s.outline[1],
    "PerimeterSurfaceRatio": lambda s: s.outline[1] / s.outline[0],
    "PixelSurface": lambda s: float(np.count_nonzero(s.region) * np.prod(s.spacing)),
    "Sphericity": lambda s: float(2 * np.sqrt(np.pi * s.outline[0])) / s.outline[1],
    "SphericalDisproportion": lambda s: s.outline[1] / float(2 * np.sqrt(np.pi * s.outline[0])),
}
