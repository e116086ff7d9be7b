"""Discretisation of the intensities of a region into grey levels 1, 2, 3, ... (IBSI, "Intensity discretisation")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Array

__all__ = ["MAX_LEVELS", "fixed_bin_number", "fixed_bin_size"]

MAX_LEVELS = 2**16
Levels = npt.NDArray[np.int32]


def fixed_bin_number(intensity: Array, bins: int) -> Levels:
    """Cut the range of `intensity` into `bins` equal parts.

    Parameters
    ----------
    intensity : ndarray, shape (n,)
        Intensities of the voxels of a region, n ≥ 1, finite.
    bins : int
        Number of bins, 1 to 65536.

    Returns
    -------
    ndarray of int32, shape (n,)
        ``floor(bins * (x - min) / (max - min)) + 1``, the maximum itself in the last bin. A region of one intensity
        has one level.
    """
    if not 1 <= bins <= MAX_LEVELS:
        raise ConfigError(f"bin_number = {bins}", allowed=f"1 to {MAX_LEVELS}")
    low, high = intensity.min(), intensity.max()
    if low == high:
        return np.ones(intensity.shape, dtype=np.int32)
    levels = np.floor(bins * (intensity - low) / (high - low)) + 1
    return np.asarray(np.minimum(levels, bins), dtype=np.int32)


def fixed_bin_size(intensity: Array, width: float, lower: float | None = None) -> Levels:
    """Cut the intensities into bins of `width`, counted from `lower`.

    Parameters
    ----------
    intensity : ndarray, shape (n,)
        Intensities of the voxels of a region, n ≥ 1, finite.
    width : float
        Width of a bin, in the unit of the image.
    lower : float, optional
        Lower edge of the first bin: the lower end of the re-segmentation range. The minimum of the region when left
        out, in which case levels of different regions are not comparable.

    Returns
    -------
    ndarray of int32, shape (n,)
        ``floor((x - lower) / width) + 1``.

    Raises
    ------
    InputError
        When more than 65536 levels would be needed, or an intensity lies below `lower`.
    """
    if not (np.isfinite(width) and width > 0):
        raise ConfigError(f"bin_width = {width}", allowed="a finite number above 0")
    start = float(intensity.min()) if lower is None else lower
    levels = np.floor((intensity - start) / width) + 1
    if levels.min() < 1:
        raise InputError(f"an intensity of {intensity.min():g} below the first bin, which starts at {start:g}")
    if levels.max() > MAX_LEVELS:
        raise InputError(
            f"{levels.max():.0f} grey levels with bin_width = {width:g} from {start:g} to {intensity.max():g}",
            allowed=f"at most {MAX_LEVELS}",
            todo="choose a larger bin_width, or use bin_number",
        )
    return levels.astype(np.int32)
