"""Means over spheres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["sphere_means"]


def sphere_means(image: Array, mask: npt.NDArray[np.bool_], spacing: Array, radius: float) -> Array:
    """Average an image over the sphere around each voxel of a mask.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
    mask : ndarray of bool, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    radius : float
        Radius in mm; a voxel belongs to the sphere when its centre does.

    Returns
    -------
    ndarray, shape (n,)
        One mean a voxel of the mask, in array order; spheres are cut at the edge of the image.
    """
    reach = np.floor(radius / spacing).astype(np.int64)
    z, y = (np.arange(-r, r + 1) for r in reach[:2])
    left = radius**2 - (z[:, None] * spacing[0]) ** 2 - (y * spacing[1]) ** 2
    rows = np.argwhere(left >= 0)
    half = np.floor(np.sqrt(left[left >= 0]) / spacing[2] + 1e-9).astype(np.int64)
    offsets = np.column_stack([rows - reach[:2], half])
    return _means(np.ascontiguousarray(image), np.ascontiguousarray(mask), offsets)


@kernel
def _means(image: Array, mask: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> Array:
    """Average runs of voxels: `rows` holds offset z, offset y and half length of each, shape (k, 3)."""
    nz, ny, nx = image.shape
    out = np.empty(np.count_nonzero(mask), dtype=np.float64)
    at = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if not mask[z, y, x]:
                    continue
                total, n = 0.0, 0
                for k in range(len(rows)):
                    a, b = z + rows[k, 0], y + rows[k, 1]
                    if a < 0 or b < 0 or a >= nz or b >= ny:
                        continue
                    first, last = max(x - rows[k, 2], 0), min(x + rows[k, 2], nx - 1)
                    for c in range(first, last + 1):
                        total += image[a, b, c]
                    n += last - first + 1
                out[at] = total / n
                at += 1
    return out
