"""Shape as PyRadiomics defines it.

Its mesh is that of marching cubes with the triangles of Lorensen & Cline (1987), ours that of Lewiner (2003): cells
whose corners meet across a face differ. A pattern and its complement have the same triangles there, so that a mesh may
have gaps at such faces, and its volume depends on where the region lies in its box.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import marching_cubes

from radiolocus.errors import UndefinedError
from radiolocus.image.region import bounding_box
from radiolocus.kernels.shape import cell_census, farthest, hull_candidates
from radiolocus.model import Array, BoolArray

__all__ = ["SHAPE", "PyradiomicsShape"]

# Corner (1, 1, 0) of a cell: patterns that have it get the triangles of their complement, turned inside out.
_TURNING = 1 << 6
# Negative eigenvalues of a covariance above this are taken for 0.
_ROUNDING = 1e-10
# More points than this are first reduced to the corners of their hull.
_MANY = 1000


@cache
def _triangles() -> tuple[npt.NDArray[np.int64], Array]:
    """Triangles of the 256 corner patterns: pattern of each, shape (t,), and corners in voxels, shape (t, 3, 3)."""
    pattern, corner = [], []
    for p in range(1, 255):
        q = 255 - p if p & _TURNING else p
        cell = np.array([q >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(cell, 0.5, method="lorensen")  # type: ignore[no-untyped-call]
        triangles = vertices[faces].astype(np.float64)
        pattern += [p] * len(faces)
        corner.append(triangles[:, ::-1] if p == q else triangles)
    return np.array(pattern), np.concatenate(corner)


@dataclass(frozen=True, eq=False)
class PyradiomicsShape:
    """A region as a solid.

    Parameters
    ----------
    region : ndarray of bool, shape (z, y, x)
        At least two voxels.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    """

    region: BoolArray
    spacing: Array

    @cached_property
    def solid(self) -> BoolArray:
        """The region on its bounding box, with one voxel of false on every side."""
        return np.pad(self.region[bounding_box(self.region)], 1)

    @cached_property
    def mesh(self) -> tuple[float, float]:
        """Volume in mm³ and area in mm² of the mesh."""
        census = cell_census(self.solid)
        count, place = census[0], census[1]
        pattern, corner = _triangles()
        a, b, c = (corner[:, i] * self.spacing for i in range(3))
        normal = np.cross(b - a, c - a) / 2
        local = count[pattern] * np.einsum("ti,ti->t", a, normal)
        offset = np.einsum("ti,ti->t", place[pattern] * self.spacing, normal)
        return float(np.sum(local + offset)) / 3, float(np.sum(count[pattern] * np.linalg.norm(normal, axis=1)))

    @cached_property
    def axes(self) -> Array:
        """Lengths of the principal axes in mm, shortest first: 4 √λ of the covariance of the voxel centres."""
        centres = np.argwhere(self.solid) * self.spacing
        centres = (centres - centres.mean(axis=0)) / np.sqrt(len(centres))
        # Not the solver for symmetric matrices: for a flat region the two differ in what is left of 0.
        values = np.sort(np.linalg.eigvals(centres.T @ centres).real)
        values[(values < 0) & (values > -_ROUNDING)] = 0.0
        return np.asarray(4 * np.sqrt(values))

    @cached_property
    def diameter(self) -> float:
        """Largest distance between two vertices of the mesh in mm."""
        points = hull_candidates(self.solid) / 2 * self.spacing
        return _widest(points)

    def diameter_across(self, axis: int) -> float:
        """Largest distance in mm between two vertices of the mesh in one plane at right angles to `axis`."""
        turned = np.ascontiguousarray(np.moveaxis(self.solid, axis, 0))
        points = hull_candidates(turned)
        size = self.spacing[[axis, *(a for a in range(3) if a != axis)]]
        planes = np.split(points, np.flatnonzero(np.diff(points[:, 0])) + 1)
        return max(_widest(plane / 2 * size) for plane in planes)


def _widest(points: Array) -> float:
    if len(points) > _MANY:
        # Points of one plane have no hull in space.
        with contextlib.suppress(QhullError, ValueError):
            points = points[ConvexHull(points).vertices]
    return farthest(np.ascontiguousarray(points))


def _ratio(a: float, b: float) -> float:
    if b == 0:
        raise UndefinedError("a division by 0", allowed="a solid with a volume and axes above 0")
    return a / b


def _sphericity(s: PyradiomicsShape) -> float:
    volume, area = s.mesh
    return float((36 * np.pi * volume**2) ** (1 / 3)) / area


SHAPE: dict[str, Callable[[PyradiomicsShape], float]] = {
    "Compactness1": lambda s: s.mesh[0] / (s.mesh[1] ** 1.5 * np.sqrt(np.pi)),
    "Compactness2": lambda s: 36 * np.pi * s.mesh[0] ** 2 / s.mesh[1] ** 3,
    "Elongation": lambda s: _ratio(s.axes[1], s.axes[2]),
    "Flatness": lambda s: _ratio(s.axes[0], s.axes[2]),
    "LeastAxisLength": lambda s: float(s.axes[0]),
    "MajorAxisLength": lambda s: float(s.axes[2]),
    "Maximum2DDiameterColumn": lambda s: s.diameter_across(1),
    "Maximum2DDiameterRow": lambda s: s.diameter_across(2),
    "Maximum2DDiameterSlice": lambda s: s.diameter_across(0),
    "Maximum3DDiameter": lambda s: s.diameter,
    "MeshVolume": lambda s: s.mesh[0],
    "MinorAxisLength": lambda s: float(s.axes[1]),
    "Sphericity": _sphericity,
    "SphericalDisproportion": lambda s: _ratio(1.0, _sphericity(s)),
    "SurfaceArea": lambda s: s.mesh[1],
    "SurfaceVolumeRatio": lambda s: _ratio(s.mesh[1], s.mesh[0]),
    "VoxelVolume": lambda s: float(np.count_nonzero(s.region) * np.prod(s.spacing)),
}
