"""A box of fixed size around a region, on voxels of a fixed size: what a network is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, RoiError
from radiolocus.image.region import bounding_box
from radiolocus.image.resample import Grid, resample_image, resample_mask
from radiolocus.model import BoolArray, Geometry, Mask, Volume

__all__ = ["Crop", "crop"]


@dataclass(frozen=True, eq=False)
class Crop:
    """A box around a region.

    Parameters
    ----------
    image : ndarray of float32, shape (z, y, x)
        Intensities, finite; beyond the image they are continued by its border.
    mask : ndarray of bool, shape (z, y, x)
        The region, at least one voxel.
    cut : bool
        The region reaches beyond the box (along z only where the box has several slices).
    """

    image: npt.NDArray[np.float32]
    mask: BoolArray
    cut: bool


def crop(volume: Volume, mask: Mask, voxel_mm: Sequence[float], shape: tuple[int, int, int]) -> Crop:
    """Sample an image and its region on a grid around the middle of the region.

    Both are interpolated linearly (a voxel belongs to the region when at least half of it does), and the image is not
    smoothed before. A box of one slice takes the slice in which the region has its largest area, as it is.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On the same grid.
    voxel_mm : sequence of three floats
        Voxel size (z, y, x) in mm; 0 keeps that of the image along this axis.
    shape : tuple of int
        Voxels (z, y, x).

    Raises
    ------
    InputError
        An intensity inside the region that is not finite.
    RoiError
        An empty region, or one that is too small to leave a voxel.
    """
    box = bounding_box(mask.array)
    inside = volume.array[mask.array]
    if not np.isfinite(inside).all():
        got = f"{int((~np.isfinite(inside)).sum())} of {inside.size} voxels of the region are not finite"
        raise InputError(got, allowed="finite intensities", todo="mend the image, or draw the region around them")
    spacing = volume.geometry.spacing
    wanted = np.where(np.asarray(voxel_mm, dtype=np.float64) > 0, voxel_mm, spacing)
    middle = np.array([(part.start + part.stop - 1) / 2 for part in box])
    if shape[0] == 1:
        middle[0] = int(np.argmax(mask.array.sum(axis=(1, 2))))
    ratio = wanted / spacing
    positions = [c + (np.arange(n) - (n - 1) / 2) * r for c, n, r in zip(middle, shape, ratio, strict=True)]
    grid = Grid(_placed(volume.geometry, positions, ratio, shape), (positions[0], positions[1], positions[2]))
    # What is not finite outside the region must not spread into it.
    filled = np.where(np.isfinite(volume.array), volume.array, inside.mean(dtype=np.float64))
    image = resample_image(filled, grid, "linear").astype(np.float32)
    region = resample_mask(mask.array, grid)
    for axis, where in enumerate(positions):
        beyond = (where < -0.5) | (where > volume.array.shape[axis] - 0.5)
        region[(slice(None),) * axis + (beyond,)] = False
    if not region.any():
        raise RoiError(
            f"a region of {int(mask.array.sum())} voxels that leaves none of {list(map(float, wanted))} mm (z, y, x)",
            allowed="a region larger than a voxel of the crop",
            todo="choose smaller voxels for the crops (voxel_mm)",
        )
    reach = [(part.stop - part.start) / r > n for part, r, n in zip(box, ratio, shape, strict=True)]
    return Crop(image, region, any(reach[1:]) or (shape[0] > 1 and reach[0]))


def _placed(
    old: Geometry, positions: list[npt.NDArray[np.float64]], ratio: npt.NDArray[np.float64], shape: tuple[int, int, int]
) -> Geometry:
    affine = old.affine.copy()
    affine[:3, 3] = (old.affine @ np.array([*(p[0] for p in positions), 1.0]))[:3]
    affine[:3, :3] = old.affine[:3, :3] * ratio
    return Geometry(shape, affine)
