"""What is done to intensities before features are taken: rounding and re-segmentation (IBSI, "Re-segmentation")."""

from __future__ import annotations

import numpy as np

from radiolocus.errors import RoiError
from radiolocus.model import Array, BoolArray

__all__ = ["resegment", "round_to_integer"]


def round_to_integer(image: Array) -> Array:
    """Round to the nearest integer, as IBSI asks for Hounsfield units after interpolation; halves go up."""
    return np.floor(image + 0.5)


def resegment(
    image: Array,
    mask: BoolArray,
    limits: tuple[float | None, float | None] | None = None,
    outliers: float | None = None,
) -> BoolArray:
    """Drop voxels from the intensity mask by range, by distance from the mean, or both.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
    mask : ndarray of bool, shape (z, y, x)
        The region before re-segmentation; it stays the morphological mask.
    limits : tuple of two floats or None, optional
        Intensities kept, both ends included; None at an end leaves it open.
    outliers : float, optional
        Intensities further than this many standard deviations from the mean are dropped. Mean and (population)
        standard deviation are those of `mask` before the range is applied, so that the order does not matter.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
        The intensity mask.

    Raises
    ------
    RoiError
        When no voxel is left.
    """
    inside = image[mask]
    keep = np.ones(inside.shape, dtype=bool)
    if limits is not None:
        low, high = limits
        keep &= (inside >= low) if low is not None else True
        keep &= (inside <= high) if high is not None else True
    if outliers is not None:
        keep &= np.abs(inside - inside.mean()) <= outliers * inside.std()
    if not keep.any():
        raise RoiError(
            f"no voxel is left of {inside.size} after re-segmentation (intensities {inside.min():g} to "
            f"{inside.max():g}, range {limits}, outliers {outliers})",
            allowed="at least one voxel inside the range",
            todo="check the unit of the image and the re-segmentation settings",
        )
    out = np.zeros(mask.shape, dtype=bool)
    out[mask] = keep
    return out
