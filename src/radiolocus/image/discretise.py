"""Discretisation of the intensities of a region into grey levels 1, 2, 3, ... (IBSI, "Intensity discretisation")."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, InputError, UndefinedError
from radiolocus.model import Array

__all__ = ["MAX_LEVELS", "Scale", "fixed_bin_number", "fixed_bin_size", "volume_scale"]

MAX_LEVELS = 2**16
MAX_STEPS = 2**53

#: Bins of an intensity-volume histogram in arbitrary units (IBSI manual).
VOLUME_BINS = 1000
#: Bin widths of an intensity-volume histogram of intensities that are no whole numbers, by how the unit begins.
VOLUME_WIDTHS = {"SUV": 0.1, "HU": 2.5}
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
            f"{levels.max():.15g} grey levels with bin_width = {width:g} from {start:g} to {intensity.max():g}",
            allowed=f"at most {MAX_LEVELS}",
            todo="choose a larger bin_width, or use bin_number",
        )
    return levels.astype(np.int32)


@dataclass(frozen=True, eq=False)
class Scale:
    """Intensities on an even scale of the steps 0..last.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Step of each voxel.
    last : int
        Last step of the range, which may lie beyond every voxel.
    lowest, width : float
        Step k stands for the intensity ``lowest + k * width``.
    """

    step: npt.NDArray[np.int64]
    last: int
    lowest: float
    width: float


def volume_scale(
    intensity: Array,
    unit: str = "",
    *,
    limits: tuple[float | None, float | None] | None = None,
    width: float | None = None,
    bins: int | None = None,
) -> Scale:
    """Put intensities on the scale of an intensity-volume histogram (IBSI, "Intensity-volume histogram").

    Parameters
    ----------
    intensity : ndarray, shape (n,)
        Intensities of the voxels of a region, n ≥ 1, finite.
    unit : str
        Unit of the image; empty when arbitrary.
    limits : tuple of two floats, optional
        The re-segmentation range; an end that is None is the smallest or largest intensity of the region.
    width : float, optional
        Fixed bin size: step k is the centre of bin k + 1. Intensities stay in their unit.
    bins : int, optional
        Fixed bin number: intensities become the numbers of their bins.

    Returns
    -------
    Scale
        Without `width` and `bins` as the manual recommends: arbitrary units in 1000 bins; a definite unit as it is
        when all intensities are whole numbers, else in bins of 0.1 SUV, 2.5 HU, or a thousandth of the range.

    Raises
    ------
    UndefinedError
        More than 2^53 steps.
    """
    ends = limits or (None, None)
    low = float(intensity.min()) if ends[0] is None else ends[0]
    high = float(intensity.max()) if ends[1] is None else ends[1]
    if width is None and bins is None:
        if unit and bool(np.all(intensity == np.rint(intensity))):
            _few(high - low, 1.0)
            # Whole intensities between ends that may not be.
            first = math.ceil(low)
            return Scale((intensity - first).astype(np.int64), math.floor(high) - first, float(first), 1.0)
        bins = None if unit else VOLUME_BINS
        known = (w for prefix, w in VOLUME_WIDTHS.items() if unit.startswith(prefix))
        width = next(known, (high - low) / VOLUME_BINS)
    if bins is not None:
        numbers = fixed_bin_number(intensity, bins).astype(np.int64)
        return Scale(numbers - 1, bins - 1 if intensity.min() < intensity.max() else 0, 1.0, 1.0)
    return _centres(intensity, low, high, width or 1.0)


def _few(extent: float, width: float) -> float:
    """Return how many steps of `width` fill `extent`; refuse more than whole numbers can count exactly."""
    count = extent / width
    if not count < MAX_STEPS:
        raise UndefinedError(
            f"an intensity-volume histogram of {count:.3g} steps of {width:g}",
            allowed=f"fewer than {MAX_STEPS} steps",
            todo="set ivh_bin_width or ivh_bin_number",
        )
    return count


def _centres(intensity: Array, low: float, high: float, width: float) -> Scale:
    count = _few(high - low, width)
    # 1400 / 2.5 is a whole number of bins, whatever the division says in its last digit.
    count = round(count) if abs(count - round(count)) < 1e-9 * max(count, 1.0) else math.ceil(count)
    last = max(int(count) - 1, 0)
    # The upper end of the range belongs to its last bin.
    step = np.minimum(np.floor((intensity - low) / width), last).astype(np.int64)
    return Scale(step, last, low + width / 2, width)
