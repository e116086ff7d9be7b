"""Laplacian of Gaussian (IBSI 2 id L6PA)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.image.boundary import convolve
from radiolocus.image.filter_options import FilterOptions, check_positive, number
from radiolocus.model import Array

__all__ = ["LogFilter", "laplacian_of_gaussian", "log_kernels"]


@dataclass(frozen=True, kw_only=True)
class LogFilter(FilterOptions):
    """Laplacian of Gaussian.

    Parameters
    ----------
    sigma_mm : float
        Standard deviation of the Gaussian in mm.
    truncate : float
        The kernel ends this many standard deviations from its middle.
    """

    filter: Literal["log"] = "log"
    sigma_mm: float = 3.0
    truncate: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("sigma_mm", self.sigma_mm)
        check_positive("truncate", self.truncate)

    def _reach_voxels(self, edge: float) -> float:
        return _taps_aside(self.sigma_mm, self.truncate, edge)

    def _words(self) -> list[str]:
        cut = [] if self.truncate == 4 else [f"truncate_{number(self.truncate)}"]
        return ["log", "sigma", f"{number(self.sigma_mm)}mm", *cut]


def _taps_aside(sigma_mm: float, truncate: float, edge: float) -> int:
    return math.floor(truncate * sigma_mm / edge + 0.5)


def log_kernels(
    sigma_mm: float, truncate: float, spacing: Array, axes: tuple[int, ...]
) -> tuple[list[tuple[Array, Array]], float]:
    """Return the one-dimensional kernels of which the Laplacian of Gaussian is made.

    Parameters
    ----------
    sigma_mm, truncate : float
        See :class:`LogFilter`.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    axes : tuple of int
        Axes that are filtered.

    Returns
    -------
    list of (Gaussian, second derivative)
        For each of `axes`, kernels of ``2 * floor(truncate * sigma + 0.5) + 1`` taps with sigma in voxels.
    float
        Factor of the sum over the axes of (second derivative along it, Gaussian along the others).

    Notes
    -----
    IBSI defines the filter on voxels of equal edges and counts in voxels. With unequal edges the Laplacian is still
    taken in space, not in the index, and the unit of length is the geometric mean of the edges.
    """
    kernels = []
    for axis in axes:
        sigma = sigma_mm / spacing[axis]
        reach = _taps_aside(sigma_mm, truncate, spacing[axis])
        k2 = (np.arange(-reach, reach + 1) / sigma) ** 2
        gauss = np.exp(-k2 / 2) / (np.sqrt(2 * np.pi) * sigma)
        kernels.append((gauss, (k2 - 1) * gauss))
    unit = float(np.exp(np.log(spacing[list(axes)]).mean()))
    return kernels, (unit / sigma_mm) ** 2


def laplacian_of_gaussian(array: Array, spacing: Array, options: LogFilter) -> Array:
    """Convolve with the Laplacian of a Gaussian; bright blobs answer with a negative response.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    options : LogFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Laplacian-of-Gaussian filters".
    """
    kernels, factor = log_kernels(options.sigma_mm, options.truncate, spacing, options.axes)
    # Kernels along different axes commute, so both sums of products are built up axis by axis.
    smooth, laplace = array, np.zeros_like(array)
    for step, (axis, (gauss, second)) in enumerate(zip(options.axes, kernels, strict=True)):
        curved = convolve(smooth, second, axis, options.boundary)
        laplace = curved if step == 0 else convolve(laplace, gauss, axis, options.boundary) + curved
        if step < len(kernels) - 1:
            smooth = convolve(smooth, gauss, axis, options.boundary)
    return laplace * factor
