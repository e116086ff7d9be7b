"""The grid of an interpolation, turned and shifted: the image is interpolated once, on the grid of the copy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiolocus.image.perturb_options import AXES, Perturbation
from radiolocus.image.resample import HALF, SPLINE_REACH, Box, Grid, Interpolation, Samples, new_grid, resample_image
from radiolocus.model import Array, BoolArray, Geometry

__all__ = ["Lattice", "lay_lattice"]

Whole = npt.NDArray[np.int64]

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Lattice:
    """A new grid in the index space of the old one: a new voxel i lies at ``matrix @ i + offset``.

    Voxels from `first` to `last` (included) lie on the image; `moved` tells whether the grid is not the ordinary one.
    """

    old: Geometry
    matrix: Array
    offset: Array
    first: Whole
    last: Whole
    spacing: Array
    moved: bool

    def box_of(self, old: Box) -> tuple[Whole, Whole]:
        """New voxels, first and last, whose linear interpolation can touch the old voxels of a box."""
        sides = np.array([[p.start - 1.0, float(p.stop)] for p in old])
        corners = np.array(list(itertools.product(*sides)))
        new = np.linalg.solve(self.matrix, (corners - self.offset).T).T
        low = np.maximum(np.ceil(new.min(axis=0) - _ROUNDING).astype(np.int64), self.first)
        return low, np.minimum(np.floor(new.max(axis=0) + _ROUNDING).astype(np.int64), self.last)

    def positions(self, first: Whole, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """Old indices along (z, y, x) of every new voxel of a box; they broadcast against each other."""
        new = np.ogrid[tuple(slice(int(f), int(f) + n) for f, n in zip(first, shape, strict=True))]
        # Terms that are zero are left out, so that an axis that is not turned keeps its single extent.
        z, y, x = (
            sum((self.matrix[a, b] * new[b] for b in range(3) if self.matrix[a, b]), start=self.offset[a])
            for a in range(3)
        )
        return z, y, x

    def crop(self, first: Whole, shape: tuple[int, ...]) -> Box:
        """The part of the old grid that interpolation over a box of new voxels reads."""
        corners = np.array(list(itertools.product(*((f, f + n - 1) for f, n in zip(first, shape, strict=True)))))
        old = corners @ self.matrix.T + self.offset
        low = np.clip(np.floor(old.min(axis=0)) - SPLINE_REACH, 0, np.array(self.old.shape) - 1).astype(int)
        high = np.clip(np.ceil(old.max(axis=0)) + SPLINE_REACH, 0, np.array(self.old.shape) - 1).astype(int)
        z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
        return z, y, x

    def sample(self, part: Samples, crop: Box, first: Whole, shape: tuple[int, ...], method: Interpolation) -> Array:
        """Interpolate at a box of new voxels; `part` is the old array within `crop`."""
        start = np.array([p.start for p in crop], dtype=np.float64)
        if np.count_nonzero(self.matrix - np.diag(np.diag(self.matrix))) == 0:
            z, y, x = (p.ravel() - s for p, s in zip(self.positions(first, shape), start, strict=True))
            return resample_image(part, Grid(self.old, (z, y, x)), method)
        # The spline of the image is that of the grid that is not turned: mirrored at the border.
        order, mode = {"nearest": (0, "nearest"), "linear": (1, "nearest"), "cubic": (3, "mirror")}[method]
        offset = self.matrix @ first + self.offset - start
        found = ndimage.affine_transform(
            part.astype(np.float64), self.matrix, offset, shape, order=order, mode=mode, output=np.float64
        )
        return np.asarray(found)

    def sample_mask(self, mask: BoolArray, first: Whole, shape: tuple[int, ...]) -> BoolArray:
        """Interpolate a mask linearly, cut at one half; beyond the image a moved grid has no region."""
        crop = self.crop(first, shape)
        inside = self.sample(mask[crop], crop, first, shape, "linear") >= HALF
        if self.moved:
            for position, n in zip(self.positions(first, shape), self.old.shape, strict=True):
                inside &= (position > -0.5 + _ROUNDING) & (position < n - 0.5 - _ROUNDING)
        return inside


def lay_lattice(geometry: Geometry, perturbation: Perturbation, new_mm: Sequence[float] | None, box: Box) -> Lattice:
    """Lay the grid of the interpolation, then turn it about the centre of the region and shift it."""
    grid = new_grid(geometry, new_mm or (0.0, 0.0, 0.0))
    ratio = grid.geometry.spacing / geometry.spacing
    offset = np.array([p[0] for p in grid.positions])
    first, last = np.zeros(3, np.int64), np.array(grid.geometry.shape, dtype=np.int64) - 1
    moved = bool(perturbation.rotation_deg or perturbation.translation)
    if not moved:
        return Lattice(geometry, np.diag(ratio), offset, first, last, grid.geometry.spacing, moved)
    turn = _turn(perturbation, geometry.spacing)
    centre = np.array([(p.start + p.stop - 1) / 2 for p in box])
    matrix = turn @ np.diag(ratio)
    offset = centre + turn @ (offset + perturbation.translation * ratio - centre)
    sides = np.array([[-0.5, n - 0.5] for n in geometry.shape])
    corners = np.linalg.solve(matrix, (np.array(list(itertools.product(*sides))) - offset).T).T
    first = np.ceil(corners.min(axis=0) - _ROUNDING).astype(np.int64)
    last = np.floor(corners.max(axis=0) + _ROUNDING).astype(np.int64)
    return Lattice(geometry, matrix, offset, first, last, grid.geometry.spacing, moved)


def _turn(perturbation: Perturbation, spacing: Array) -> Array:
    """Rotation in the index space of a grid of `spacing`: to millimetres, turned, and back."""
    turn = np.eye(3)
    if perturbation.rotation_deg:
        angle = math.radians(perturbation.rotation_deg)
        a, b = (i for i, name in enumerate(AXES) if name != perturbation.rotation_axis)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = math.sin(angle), -math.sin(angle)
    return np.asarray(turn * spacing[None, :] / spacing[:, None])
