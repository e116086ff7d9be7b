"""Gradient magnitude; no filter of IBSI 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.image.boundary import convolve
from radiolocus.image.filter_options import FilterOptions
from radiolocus.model import Array

__all__ = ["GradientFilter", "gradient_filter"]

_CENTRAL = np.array([0.5, 0.0, -0.5])


@dataclass(frozen=True, kw_only=True)
class GradientFilter(FilterOptions):
    """Magnitude of the gradient, from central differences.

    Parameters
    ----------
    per_mm : bool
        Differences a millimetre; false: a voxel.
    """

    filter: Literal["gradient"] = "gradient"
    per_mm: bool = True

    def _reach_voxels(self, edge: float) -> float:
        return 1

    def _words(self) -> list[str]:
        return ["gradient"] if self.per_mm else ["gradient", "voxel"]


def gradient_filter(array: Array, spacing: Array, options: GradientFilter) -> Array:
    """Return the magnitude of the gradient.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    options : GradientFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)
        With ``nearest`` or ``mirror`` these are the values of ITK's ``GradientMagnitudeImageFilter``, which is
        PyRadiomics' image type ``Gradient``.
    """
    squares = np.zeros(array.shape)
    for axis in options.axes:
        step = convolve(array, _CENTRAL, axis, options.boundary)
        squares += (step / spacing[axis] if options.per_mm else step) ** 2
    return np.sqrt(squares)
