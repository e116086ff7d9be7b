"""A small grey picture of a region: the slice of its largest area, with its outline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radiolocus.model import BoolArray, Mask, Volume

__all__ = ["Thumbnail", "thumbnail"]

_LARGEST = 128
_WINDOWS = {"CT": (-160.0, 240.0)}  # soft tissue, HU


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """Grey values and region of a cropped slice.

    ``pixels`` are uint8 of shape (height, width), ``mask`` boolean of the same shape; ``spacing`` is (y, x) in mm;
    ``low`` and ``high`` are the intensities shown black and white.
    """

    pixels: np.ndarray
    mask: BoolArray
    spacing: tuple[float, float]
    low: float
    high: float


def thumbnail(volume: Volume, mask: Mask, margin_mm: float = 25.0) -> Thumbnail:
    """Cut the slice in which the region has its largest area.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On the same grid; the mask is not empty.
    margin_mm : float
        What is shown around the region.

    Returns
    -------
    Thumbnail
        At most 128 pixels a side; larger slices are thinned, never interpolated.
    """
    z = int(np.argmax(mask.array.sum(axis=(1, 2))))
    steps = mask.geometry.spacing[1:]
    box = []
    for axis in (0, 1):
        hit = np.flatnonzero(mask.array[z].any(axis=1 - axis))
        margin = math.ceil(margin_mm / float(steps[axis]))
        box.append(slice(max(0, int(hit[0]) - margin), int(hit[-1]) + margin + 1))
    rows, columns = box
    image, region = volume.array[z, rows, columns].astype(np.float64), mask.array[z, rows, columns]
    thin = max(1, math.ceil(max(image.shape) / _LARGEST))
    image, region = image[::thin, ::thin], region[::thin, ::thin]
    low, high = _window(volume, image)
    grey = np.nan_to_num((image - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    # Dark is high in nuclear medicine, by long custom of its readers.
    grey = 1 - np.clip(grey, 0, 1) if volume.modality == "PT" else np.clip(grey, 0, 1)
    if volume.modality == "PT":
        low, high = high, low
    spacing = (float(steps[0]) * thin, float(steps[1]) * thin)
    return Thumbnail(np.round(grey * 255).astype(np.uint8), region, spacing, low, high)


def _window(volume: Volume, image: np.ndarray) -> tuple[float, float]:
    if volume.modality in _WINDOWS:
        return _WINDOWS[volume.modality]
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (0.0, float(finite.max())) if volume.modality == "PT" else np.percentile(finite, (1, 99)).tolist()
    return (low, high) if high > low else (low, low + 1.0)
