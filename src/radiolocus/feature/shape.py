"""The solid behind a mask: its surface mesh, hull, principal axes and the autocorrelation of what it holds.

The mesh is that of marching cubes at level 0.5 (Lewiner et al. 2003). On a mask, what a cell between voxel centres adds
to area and volume depends on its eight corners only, so cells are counted by pattern and no mesh is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes

from radiolocus.errors import UndefinedError
from radiolocus.feature.crew import one_by_one
from radiolocus.feature.lags import lag_sums
from radiolocus.image.region import Region, bounding_box
from radiolocus.image.resample import Box
from radiolocus.kernels.shape import cell_census, farthest, hull_candidates, moments, pair_sums, weighted_sums
from radiolocus.model import Array, BoolArray

__all__ = ["Shape", "ellipsoid_area"]

# Where a few voxels lie scattered over a large box, going through the pairs costs less than transforming the box.
_PAIRS_PER_BOX_VOXEL = 100
# Spectra need about 50 bytes a voxel of the box: 1.7 GB. Beyond, time is spent rather than memory.
_LARGEST_SPECTRUM = 2**25


@cache
def _triangles() -> tuple[npt.NDArray[np.int64], Array]:
    """Triangles that marching cubes draws for each of the 256 corner patterns of a cell.

    Returns
    -------
    pattern : ndarray of int64, shape (t,)
        Pattern that a triangle belongs to; bit ``4 * dz + 2 * dy + dx`` is the corner at (dz, dy, dx).
    corner : ndarray, shape (t, 3, 3)
        Its corners in (z, y, x), in voxels from the first corner of the cell.
    """
    pattern, corner = [], []
    for p in range(1, 255):
        cell = np.array([p >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(cell, 0.5)  # type: ignore[no-untyped-call]
        pattern += [p] * len(faces)
        corner.append(vertices[faces].astype(np.float64))
    return np.array(pattern), np.concatenate(corner)


def ellipsoid_area(semi_axes: Array) -> float:
    """Area of the approximate enclosing ellipsoid as the IBSI manual defines it, for semi-axes a ≥ b ≥ c > 0.

    ``4πab Σ (αβ)^ν / (1 - 4ν²) P_ν((α² + β²) / 2αβ)``, ν from 0 to 20, with ``α² = 1 - b²/a²`` and ``β² = 1 - c²/a²``.

    Notes
    -----
    The series gives the surface of an ellipsoid only with ``α² = 1 - c²/a²`` and ``β² = 1 - c²/b²``; with the α and β
    of the manual it lies a few per cent beside it. The consensus values were made with the manual's, so they are kept.
    """
    a, b, c = (float(s) for s in semi_axes)
    alpha, beta = 1 - (b / a) ** 2, 1 - (c / a) ** 2
    # Bonnet's recurrence for (αβ)^ν P_ν, which has no division by αβ = 0 where two axes are equal.
    before, now, total = 0.0, 1.0, 0.0
    for nu in range(21):
        total += now / (1 - 4 * nu**2)
        before, now = now, ((2 * nu + 1) * (alpha + beta) / 2 * now - nu * alpha * beta * before) / (nu + 1)
    return 4 * np.pi * a * b * total


@dataclass(frozen=True, eq=False)
class Shape:
    """A region as a solid. Every part is made when it is first asked for.

    Parameters
    ----------
    region : Region
    share : callable
        How threads share the sums over pairs of voxels.
    """

    region: Region
    share: Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]] = one_by_one

    @cached_property
    def solid(self) -> BoolArray:
        """The morphological mask on its bounding box, with one voxel of false on every side."""
        return np.pad(self.region.morphological[self._box], 1)

    @cached_property
    def _box(self) -> Box:
        return bounding_box(self.region.morphological)

    @property
    def spacing(self) -> Array:
        """Voxel size along (z, y, x) in mm."""
        return self.region.spacing

    @cached_property
    def mesh(self) -> tuple[float, float]:
        """Volume in mm³ and area in mm² of the surface mesh."""
        count, place = cell_census(self.solid)
        pattern, corner = _triangles()
        a, b, c = (corner[:, i] * self.spacing for i in range(3))
        normal = np.cross(b - a, c - a) / 2
        area = float(np.sum(count[pattern] * np.linalg.norm(normal, axis=1)))
        # Divergence theorem; a triangle of a cell at o adds a · n / 3 + o · n / 3.
        local = np.einsum("ti,ti->t", a, normal)
        offset = np.einsum("ti,ti->t", place[pattern] * self.spacing, normal)
        return abs(float(np.sum(count[pattern] * local + offset))) / 3, area

    @property
    def volume(self) -> float:
        """Volume of the mesh in mm³."""
        return self.mesh[0]

    @property
    def area(self) -> float:
        """Area of the mesh in mm²."""
        return self.mesh[1]

    @cached_property
    def _moments(self) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return moments(self.solid)

    @property
    def n_voxels(self) -> int:
        """Voxels of the morphological mask."""
        return int(self._moments[0])

    @cached_property
    def box_mm(self) -> Array:
        """Edge lengths of the axis-aligned bounding box of the mesh in mm."""
        return (np.array(self.solid.shape) - 2) * self.spacing

    @cached_property
    def hull(self) -> tuple[float, float, Array]:
        """Volume in mm³, area in mm² and vertices in mm, shape (k, 3), of the convex hull of the mesh."""
        hull = ConvexHull(hull_candidates(self.solid) / 2 * self.spacing)
        return float(hull.volume), float(hull.area), hull.points[hull.vertices]

    @cached_property
    def diameter(self) -> float:
        """Largest distance between two vertices of the mesh in mm; both are vertices of its hull."""
        return farthest(self.hull[2])

    @cached_property
    def axes(self) -> Array:
        """Lengths of the principal axes in mm, longest first: 4 √λ of the sample covariance of the voxel centres."""
        n, first, second = self._moments
        if n == 1:
            raise UndefinedError("one voxel has no principal axes", allowed="at least two voxels")
        # Whole numbers until the division, so that a line or a plane of voxels has an axis of exactly 0.
        exact = [[n * int(second[i, j]) - int(first[i]) * int(first[j]) for j in range(3)] for i in range(3)]
        covariance = np.array(exact, dtype=np.float64) / (float(n) * (n - 1)) * np.outer(self.spacing, self.spacing)
        values = np.linalg.eigvalsh(covariance)[::-1]
        values[values < values[0] * 1e-12] = 0.0
        return np.asarray(4 * np.sqrt(values))

    @cached_property
    def ellipsoid(self) -> tuple[float, float]:
        """Volume in mm³ and area in mm² of the ellipsoid with the principal axes as axes."""
        if self.axes[2] == 0:
            raise UndefinedError(
                "all voxels lie in one plane: the approximate enclosing ellipsoid has no volume",
                allowed="voxels in three dimensions",
            )
        return float(np.pi / 6 * np.prod(self.axes)), ellipsoid_area(self.axes / 2)

    @cached_property
    def centre(self) -> Array:
        """Centre of the morphological mask in mm, in the frame of the region's box."""
        start = np.array([part.start - 1 for part in self._box])
        return (start + self._moments[1] / self.n_voxels) * self.spacing

    @cached_property
    def centre_of_intensity(self) -> Array:
        """Centre of the intensity mask weighted by intensity in mm, in the frame of the region's box."""
        total, *first = weighted_sums(self.region.image, self.region.intensity).tolist()
        if total == 0:
            raise UndefinedError("the intensities add up to 0: they have no centre", allowed="a sum other than 0")
        return np.asarray(np.array(first) / total * self.spacing)

    @cached_property
    def autocorrelation(self) -> tuple[float, float]:
        """Moran's I and Geary's C of the intensities, with inverse distances as weights."""
        box = bounding_box(self.region.intensity)
        inside = self.region.intensity[box]
        values = self.region.image[box][inside]
        n = values.size
        if values.min() == values.max():
            raise UndefinedError(
                f"all {n} voxels have the intensity {values[0]:g}: the variance is 0",
                allowed="at least two different intensities",
            )
        mean = float(values.mean())
        deviation = values - mean
        squares = float(np.sum(deviation**2))
        if n * n <= _PAIRS_PER_BOX_VOXEL * inside.size or inside.size > _LARGEST_SPECTRUM:
            product, weight, square = pair_sums(np.argwhere(inside) * self.spacing, deviation)
        else:
            del values, deviation
            product, weight, square = lag_sums(self.region.image[box], inside, self.spacing, mean, self.share)
        moran = n / weight * product / squares
        geary = (n - 1) / weight * (square - product) / squares
        return moran, geary
