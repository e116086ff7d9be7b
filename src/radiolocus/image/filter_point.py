"""Filters that map every intensity by itself, with the scaling that PyRadiomics gives them; no filters of IBSI 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.filter_options import FilterOptions
from radiolocus.model import Array

__all__ = [
    "ExponentialFilter",
    "LogarithmFilter",
    "PointFilter",
    "SquareFilter",
    "SquareRootFilter",
    "exponential_filter",
    "logarithm_filter",
    "square_filter",
    "square_root_filter",
]


@dataclass(frozen=True, kw_only=True)
class PointFilter(FilterOptions):
    """A filter that looks at no neighbour. Its scale is the largest magnitude of the whole image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dimension != "3d" or self.boundary != "mirror":
            raise ConfigError(
                f"dimension = {self.dimension!r} and boundary = {self.boundary!r} with filter '{self.filter}'",
                allowed="their defaults",
                todo="leave them out: the filter looks at one voxel at a time",
            )

    def _words(self) -> list[str]:
        return [self.filter]


@dataclass(frozen=True, kw_only=True)
class SquareFilter(PointFilter):
    """Square of the intensity, scaled so that the largest magnitude stays."""

    filter: Literal["square"] = "square"


@dataclass(frozen=True, kw_only=True)
class SquareRootFilter(PointFilter):
    """Square root of the magnitude with the sign of the intensity, scaled so that the largest magnitude stays."""

    filter: Literal["squareroot"] = "squareroot"


@dataclass(frozen=True, kw_only=True)
class LogarithmFilter(PointFilter):
    """Logarithm of the magnitude plus 1, with the sign of the intensity, scaled so that the largest magnitude stays."""

    filter: Literal["logarithm"] = "logarithm"


@dataclass(frozen=True, kw_only=True)
class ExponentialFilter(PointFilter):
    """Exponential of the intensity, scaled so that the largest magnitude m stays where it is positive."""

    filter: Literal["exponential"] = "exponential"


def _largest(array: Array, options: PointFilter) -> float:
    m = float(np.max(np.abs(array)))
    if m == 0:
        raise InputError(
            f"an image that is 0 everywhere ({options.name})",
            allowed="an intensity other than 0: the filter is scaled by the largest magnitude",
            todo="leave the filter out",
        )
    return m


def square_filter(array: Array, spacing: Array, options: SquareFilter) -> Array:
    """Return x² / m, m the largest magnitude of the image.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: no neighbour is looked at.
    options : SquareFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    Raises
    ------
    InputError
        The image is 0 everywhere.

    References
    ----------
    van Griethuysen et al., Cancer Res 2017;77:e104 (PyRadiomics): its image type ``Square``.
    """
    # The order of operations is PyRadiomics': intensities at the edge of a bin stay on their side of it.
    return np.asarray((1 / np.sqrt(_largest(array, options)) * array) ** 2)


def square_root_filter(array: Array, spacing: Array, options: SquareRootFilter) -> Array:
    """Return sign(x) √(m |x|), m the largest magnitude of the image.

    Parameters, result and errors are those of :func:`square_filter`; PyRadiomics' image type ``SquareRoot``.
    """
    return np.asarray(np.sign(array) * np.sqrt(np.abs(array) * _largest(array, options)))


def logarithm_filter(array: Array, spacing: Array, options: LogarithmFilter) -> Array:
    """Return sign(x) ln(|x| + 1) m / ln(m + 1), m the largest magnitude of the image.

    Parameters, result and errors are those of :func:`square_filter`; PyRadiomics' image type ``Logarithm``.
    """
    m = _largest(array, options)
    mapped = np.sign(array) * np.log(np.abs(array) + 1)
    return np.asarray(mapped * (m / np.max(np.abs(mapped))))


def exponential_filter(array: Array, spacing: Array, options: ExponentialFilter) -> Array:
    """Return exp(x ln(m) / m), m the largest magnitude of the image.

    Parameters, result and errors are those of :func:`square_filter`; PyRadiomics' image type ``Exponential``.
    """
    m = _largest(array, options)
    return np.asarray(np.exp(np.log(m) / m * array))
