"""From an image and a mask to the region that features are taken of: the chain of the IBSI manual, in its order.

Interpolation, rounding, re-segmentation. Only the box around the region is ever touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radiolocus.errors import GeometryError, InputError, RoiError
from radiolocus.image.intensity import resegment, round_to_integer
from radiolocus.image.resample import Box, Interpolation, Samples, new_grid, resample_image, resample_mask
from radiolocus.model import Array, BoolArray, Mask, Volume

__all__ = ["Region", "bounding_box", "check_pair", "finish_region", "prepare_region", "sample_finite", "vanished"]

# A cubic B-spline reaches everywhere in principle; a weight this small is lost in the rounding of the result.
_NO_WEIGHT = 1e-12


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest after image processing, cropped to the box around it.

    Parameters
    ----------
    image : ndarray of float64, shape (z, y, x)
        Intensities; values outside the masks are real image where the image reaches, and may be non-finite there.
    morphological : ndarray of bool, shape (z, y, x)
        The morphological mask: what was drawn.
    intensity : ndarray of bool, shape (z, y, x)
        The intensity mask: what re-segmentation left of it, at least one voxel.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    notes : tuple of str
        What a person should know about the processing.
    counts : dict of str to int
        Voxels of the mask before and after each step.
    """

    image: Array
    morphological: BoolArray
    intensity: BoolArray
    spacing: Array
    notes: tuple[str, ...]
    counts: dict[str, int]

    def cut(self, margin_mm: float) -> Region:
        """Return the same region with no more image around it than `margin_mm` asks for, as views."""
        box = _grown(bounding_box(self.morphological), self.spacing, self.image.shape, margin_mm)
        return replace(
            self, image=self.image[box], morphological=self.morphological[box], intensity=self.intensity[box]
        )


def bounding_box(mask: BoolArray) -> Box:
    """Return the smallest box around the true voxels; an empty mask is a :class:`RoiError`."""
    box: list[slice] = []
    part = mask
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(part.any(axis=others))
        if hit.size == 0:
            raise RoiError("an empty mask: no voxel is set", allowed="at least one voxel", todo="check the ROI's name")
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
        # Narrowing as we go keeps the later, strided passes small.
        part = part[(slice(None),) * axis + (box[-1],)]
    return box[0], box[1], box[2]


def prepare_region(
    volume: Volume,
    mask: Mask,
    *,
    resample_mm: Sequence[float] | None = None,
    interpolation: Interpolation = "linear",
    rounded: bool = False,
    resegment_range: tuple[float | None, float | None] | None = None,
    resegment_outliers: float | None = None,
    margin_mm: float = 0.0,
) -> Region:
    """Process an image and a mask up to the point where features are taken.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On the same grid, which must be rectangular.
    resample_mm : sequence of three floats, optional
        New voxel size along (z, y, x) in mm; 0 keeps an axis as it is. None: no resampling.
    interpolation : {"nearest", "linear", "cubic"}
        For the image; the mask is always interpolated linearly and cut at half.
    rounded : bool
        Round intensities to integers after interpolation.
    resegment_range, resegment_outliers
        See :func:`radiolocus.image.intensity.resegment`.
    margin_mm : float
        Image to keep around the region.

    Returns
    -------
    Region

    Raises
    ------
    GeometryError
        The mask lies on another grid, or the grid is sheared.
    RoiError
        The mask is empty, or nothing is left of it after resampling or re-segmentation.
    InputError
        NaN or infinite voxels inside the region, or so close to it that interpolation would carry them in.
    """
    box = check_pair(volume, mask)
    counts = {"voxels": int(np.count_nonzero(mask.array[box]))}
    if resample_mm is None:
        box = _grown(box, volume.geometry.spacing, volume.geometry.shape, margin_mm)
        image, inside = volume.array[box].astype(np.float64), mask.array[box]
        spacing = volume.geometry.spacing
    else:
        image, inside, spacing = _resampled(volume, mask, box, resample_mm, interpolation, margin_mm)
        counts["voxels_resampled"] = int(np.count_nonzero(inside))
    return finish_region(image, inside, spacing, counts, rounded, resegment_range, resegment_outliers)


def check_pair(volume: Volume, mask: Mask) -> Box:
    """Refuse a pair whose features cannot be taken; returns the box around the region. Errors: `prepare_region`."""
    _same_grid(volume, mask)
    box = bounding_box(mask.array)
    _finite_inside(volume.array, mask.array, box)
    return box


def finish_region(
    image: Array,
    inside: BoolArray,
    spacing: Array,
    counts: dict[str, int],
    rounded: bool,
    resegment_range: tuple[float | None, float | None] | None,
    resegment_outliers: float | None,
) -> Region:
    """Round and re-segment an interpolated image with its mask; parameters as of `Region` and `prepare_region`."""
    if rounded:
        image = round_to_integer(image)
    kept = resegment(image, inside, resegment_range, resegment_outliers)
    counts["voxels_resegmented"] = int(np.count_nonzero(kept))
    bad = int(image.size - np.count_nonzero(np.isfinite(image)))
    notes = (f"{bad} NaN or infinite voxels lie beside the region and were not used",) if bad else ()
    return Region(image, inside, kept, spacing, notes, counts)


def _same_grid(volume: Volume, mask: Mask) -> None:
    gap = mask.geometry.difference(volume.geometry)
    if gap:
        raise GeometryError(
            f"the mask lies on another grid than its image: {gap}",
            allowed="the same grid, corners within 0.01 mm",
            todo="export the mask on the grid of the image, or name the image it was drawn on",
        )
    axes = volume.geometry.affine[:3, :3] / volume.geometry.spacing
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    if skew > 1e-3:
        raise GeometryError(
            f"a sheared grid: its axes are {np.degrees(np.arcsin(min(skew, 1.0))):.2f} degrees off the right angle",
            allowed="axes at right angles (within 0.06 degrees)",
            todo="resample the image to a rectangular grid first",
        )


def _finite_inside(array: npt.NDArray[np.floating], mask: BoolArray, box: Box) -> None:
    bad = mask[box] & ~np.isfinite(array[box])
    if bad.any():
        where = np.argwhere(bad)[0] + [part.start for part in box]
        raise InputError(
            f"{np.count_nonzero(bad)} NaN or infinite voxels inside the region, the first at index "
            f"{tuple(int(i) for i in where)} (z, y, x)",
            allowed="finite intensities inside the region",
            todo="repair the image, or exclude these voxels from the mask",
        )


def _grown(box: Box, spacing: Array, shape: Sequence[int], margin_mm: float) -> Box:
    steps = np.ceil(margin_mm / spacing).astype(int)
    grown = [
        slice(max(p.start - int(s), 0), min(p.stop + int(s), n)) for p, s, n in zip(box, steps, shape, strict=True)
    ]
    return grown[0], grown[1], grown[2]


def _resampled(
    volume: Volume, mask: Mask, old: Box, spacing: Sequence[float], method: Interpolation, margin_mm: float
) -> tuple[Array, BoolArray, Array]:
    grid = new_grid(volume.geometry, spacing)
    size = grid.geometry.spacing
    reach = grid.box_around(old)
    whole = resample_mask(mask.array, grid, reach)
    if not whole.any():
        raise vanished(mask, size)
    z, y, x = (slice(n.start + r.start, n.stop + r.start) for n, r in zip(bounding_box(whole), reach, strict=True))
    box = _grown((z, y, x), size, grid.geometry.shape, margin_mm)
    inside = resample_mask(mask.array, grid, box)
    image = sample_finite(volume.array, lambda array: resample_image(array, grid, method, box), inside, method)
    return image, inside, size


def vanished(mask: Mask, size: Array) -> RoiError:
    """Say that nothing of a region fills half of a voxel of `size`, shape (3,) in mm."""
    return RoiError(
        f"nothing is left of {np.count_nonzero(mask.array)} voxels of "
        f"{np.round(mask.geometry.spacing, 3).tolist()} mm after resampling to "
        f"{np.round(size, 3).tolist()} mm (z, y, x)",
        allowed="a region that fills at least half of one new voxel",
        todo="choose smaller voxels for resample_mm",
    )


def sample_finite(
    array: npt.NDArray[np.floating], sample: Callable[[Samples], Array], inside: BoolArray, method: Interpolation
) -> Array:
    """Interpolate by `sample`; refuse when a non-finite voxel reaches the region, leave NaN where it reaches elsewhere.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Intensities on the old grid.
    sample : callable
        From an array on the old grid to its interpolation with `method`, of the shape of `inside`.
    inside : ndarray of bool
        The region on the new grid.
    method : str
        For the message.

    Raises
    ------
    InputError
        NaN or infinite voxels so close to the region that interpolation would carry them in.
    """
    with np.errstate(invalid="ignore"):
        image = sample(array)
    if np.isfinite(image).all():
        return image
    # NaN times a weight of zero is NaN: ask the weights themselves how far the bad voxels reach.
    bad = ~np.isfinite(array)
    reached = np.abs(sample(bad)) > _NO_WEIGHT
    if (reached & inside).any():
        raise InputError(
            f"{np.count_nonzero(bad)} NaN or infinite voxels, of which interpolation ({method}) would carry some into "
            f"{np.count_nonzero(reached & inside)} voxels of the region",
            allowed="finite intensities inside the region and in the voxels that interpolation reads",
            todo="repair the image, resample with 'linear' or 'nearest', or leave resampling out",
        )
    image = sample(np.where(bad, 0.0, array))
    image[reached] = np.nan
    return image
