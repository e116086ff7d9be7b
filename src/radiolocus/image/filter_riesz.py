"""Riesz transforms of an image, of its Laplacian of Gaussian and of its Simoncelli wavelet (IBSI 2 id AYRS)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import convolve
from radiolocus.image.filter_log import log_kernels
from radiolocus.image.filter_options import FilterOptions, check_positive, number
from radiolocus.image.filter_simoncelli import check_level, simoncelli_transfer
from radiolocus.image.fourier import Spectrum
from radiolocus.model import Array

__all__ = [
    "RieszFilter",
    "RieszLogFilter",
    "RieszOptions",
    "RieszSimoncelliFilter",
    "riesz_filter",
    "riesz_log_filter",
    "riesz_simoncelli_filter",
]

_HIGHEST_ORDER = 6


@dataclass(frozen=True, kw_only=True)
class RieszOptions(FilterOptions):
    """Options of all Riesz transforms.

    Parameters
    ----------
    order : tuple of int
        Order along each direction, x first: three numbers in 3-D, two in 2-D.
    align_sigma_mm : float or None
        Turn the transform at every voxel to the axes of the structure tensor, which is averaged with a Gaussian of this
        standard deviation in mm; the first direction is then that of the largest eigenvalue. None: fixed directions.
    """

    order: tuple[int, ...] = (1, 0, 0)
    align_sigma_mm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = len(self.order) != len(self.axes) or any(o < 0 or o != int(o) for o in self.order)
        if wrong or not 1 <= sum(self.order) <= _HIGHEST_ORDER:
            raise ConfigError(
                f"order = {self.order!r} with dimension = {self.dimension!r}",
                allowed=f"{len(self.axes)} whole numbers, x first, that add up to 1 to {_HIGHEST_ORDER}",
            )
        object.__setattr__(self, "order", tuple(int(o) for o in self.order))
        if self.align_sigma_mm is not None:
            check_positive("align_sigma_mm", self.align_sigma_mm)

    @property
    def _order_words(self) -> list[str]:
        turned = [] if self.align_sigma_mm is None else [f"aligned_{number(self.align_sigma_mm)}mm"]
        return ["order_" + "".join(str(o) for o in self.order), *turned]


@dataclass(frozen=True, kw_only=True)
class RieszFilter(RieszOptions):
    """Riesz transform of the image itself: a derivative that keeps the spectrum's height."""

    filter: Literal["riesz"] = "riesz"

    def _words(self) -> list[str]:
        return ["riesz", *self._order_words]


@dataclass(frozen=True, kw_only=True)
class RieszLogFilter(RieszOptions):
    """Riesz transform of the Laplacian of Gaussian.

    Parameters
    ----------
    sigma_mm : float
        Standard deviation of the Gaussian in mm.
    truncate : float
        The kernel ends this many standard deviations from its middle.
    """

    filter: Literal["riesz_log"] = "riesz_log"
    sigma_mm: float = 3.0
    truncate: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("sigma_mm", self.sigma_mm)
        check_positive("truncate", self.truncate)

    def _words(self) -> list[str]:
        cut = [] if self.truncate == 4 else [f"truncate_{number(self.truncate)}"]
        return ["riesz_log", f"sigma_{number(self.sigma_mm)}mm", *cut, *self._order_words]


@dataclass(frozen=True, kw_only=True)
class RieszSimoncelliFilter(RieszOptions):
    """Riesz transform of the band-pass map of the Simoncelli wavelet.

    Parameters
    ----------
    level : int
        Decomposition level, 1 the finest.
    """

    filter: Literal["riesz_simoncelli"] = "riesz_simoncelli"
    level: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.level)

    def _words(self) -> list[str]:
        return ["riesz_simoncelli", f"level_{self.level}", *self._order_words]


def riesz_filter(array: Array, spacing: Array, options: RieszFilter) -> Array:
    """Return the Riesz transform of an image.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm: directions are those of space, not of the index.
    options : RieszFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Riesz transform"; Unser M, Van De Ville D, IEEE Trans Image Process
    2010;19:636-652.
    """
    return _Riesz(array, spacing, options).response()


def riesz_log_filter(array: Array, spacing: Array, options: RieszLogFilter) -> Array:
    """Return the Riesz transform of the Laplacian of Gaussian; see :func:`riesz_filter`."""
    riesz = _Riesz(array, spacing, options)
    riesz.exact = _log_transfer(riesz.spectrum.frequencies(), spacing, options)
    return riesz.response()


def riesz_simoncelli_filter(array: Array, spacing: Array, options: RieszSimoncelliFilter) -> Array:
    """Return the Riesz transform of the Simoncelli band-pass map; see :func:`riesz_filter`."""
    riesz = _Riesz(array, spacing, options)
    riesz.sampled = lambda at: simoncelli_transfer(at, options.level)
    return riesz.response()


def _log_transfer(frequencies: list[Array], spacing: Array, options: RieszLogFilter) -> Array:
    """Return the transfer function of the truncated kernel that :mod:`radiolocus.image.filter_log` convolves with."""
    kernels, factor = log_kernels(options.sigma_mm, options.truncate, spacing, options.axes)
    smooth, laplace = np.ones((1, 1, 1)), np.zeros((1, 1, 1))
    for frequency, (gauss, second) in zip(frequencies, kernels, strict=True):
        gain, curve = (_cosine_sum(kernel, frequency) for kernel in (gauss, second))
        smooth, laplace = smooth * gain, laplace * gain + smooth * curve
    return laplace * factor


def _cosine_sum(kernel: Array, frequency: Array) -> Array:
    """Fourier transform of an even kernel."""
    reach = kernel.size // 2
    taps = np.arange(-reach, reach + 1)
    return np.asarray(np.cos(2 * np.pi * frequency[..., None] * taps) @ kernel)


class _Riesz:
    """Riesz transforms of one filtered image.

    The transforms of order L are the entries of a symmetric tensor ``T[i, j, ...]``, one index for each of the L
    derivatives, which turns with the image like any tensor: turned transforms need no new filtering.
    """

    def __init__(self, array: Array, spacing: Array, options: RieszOptions) -> None:
        self.spectrum = Spectrum(array, options.axes, options.boundary)
        #: Transfer function of the filter before the Riesz transform, on the frequencies of the spectrum ...
        self.exact: Array = np.ones((1, 1, 1))
        #: ... and a factor of it that is sampled together with the Riesz transform.
        self.sampled: Callable[[list[Array]], Array] = lambda at: np.ones((1, 1, 1))
        self._spacing = spacing
        self._options = options
        # A Riesz transform has no mean, wherever its samples lie.
        self._wave = np.where(sum((f**2 for f in self.spectrum.frequencies()), start=np.zeros(1)) > 0, 1.0, 0.0)

    def response(self) -> Array:
        order, sigma = self._options.order, self._options.align_sigma_mm
        scale = math.sqrt(math.factorial(sum(order)) / math.prod(math.factorial(o) for o in order))
        indices = [direction for direction, o in enumerate(order) for _ in range(o)]
        if sigma is None:
            return scale * self._entry(tuple(indices))
        return scale * self._turned(indices, self._axes_of_structure(sigma))

    def _entry(self, indices: tuple[int, ...]) -> Array:
        sampled = self.spectrum.sample(lambda at: self.sampled(at) * self._transfer(at, indices))
        return self.spectrum.response(sampled * self.exact * self._wave)

    def _transfer(self, coordinates: list[Array], indices: tuple[int, ...]) -> npt.NDArray[np.complex128]:
        # Directions are x first, array axes x last; directions are those of space, so voxels count by their edges.
        waves = [c / self._spacing[a] for c, a in zip(coordinates, self._options.axes, strict=True)][::-1]
        norm = np.sqrt(sum((w**2 for w in waves), start=np.zeros(1)))
        norm = np.where(norm > 0, norm, np.inf)
        out: npt.NDArray[np.complex128] = (-1j) ** len(indices) / norm ** len(indices)
        for direction in indices:
            out = out * waves[direction]
        return out

    def _turned(self, indices: list[int], frame: Array) -> Array:
        """Contract the tensor with the columns of `frame`, shape (z, y, x, direction, axis), named in `indices`."""
        entries: dict[tuple[int, ...], Array] = {}
        out = np.zeros(frame.shape[:3])
        for old in itertools.product(range(len(self._options.axes)), repeat=len(indices)):
            key = tuple(sorted(old))
            if key not in entries:
                entries[key] = self._entry(key)
            weight = np.ones(())
            for direction, column in zip(old, indices, strict=True):
                weight = weight * frame[..., direction, column]
            out += weight * entries[key]
        return out

    def _axes_of_structure(self, sigma: float) -> Array:
        """Return the eigenvectors of the structure tensor as columns, largest eigenvalue first, right-handed.

        Their signs are chosen so that the first-order transform along them is not negative.
        """
        count = len(self._options.axes)
        gradient = np.stack([self._entry((direction,)) for direction in range(count)], axis=-1)
        tensor = np.empty((*gradient.shape, count))
        for i, j in itertools.combinations_with_replacement(range(count), 2):
            product = gradient[..., i] * gradient[..., j]
            tensor[..., i, j] = tensor[..., j, i] = _smoothed(product, sigma, self._spacing, self._options)
        frame = np.linalg.eigh(tensor)[1][..., ::-1]
        along = np.einsum("...i,...ij->...j", gradient, frame)
        frame = frame * np.where(along < 0, -1.0, 1.0)[..., None, :]
        # The last axis follows from the others.
        frame[..., -1] *= np.where(np.linalg.det(frame) < 0, -1.0, 1.0)[..., None]
        return np.asarray(frame)


def _smoothed(array: Array, sigma: float, spacing: Array, options: RieszOptions) -> Array:
    for axis in options.axes:
        width = sigma / spacing[axis]
        reach = math.floor(4 * width + 0.5)
        kernel = np.exp(-((np.arange(-reach, reach + 1) / width) ** 2) / 2)
        array = convolve(array, kernel / kernel.sum(), axis, options.boundary)
    return array
