"""Separable wavelets, undecimated (IBSI 2 id 25BO)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.image.filter_options import RotatedOptions, check_choice
from radiolocus.image.pooling import pool
from radiolocus.image.separable import Chain, Separable, centred, responses, rotations
from radiolocus.image.wavelet_taps import LOW_PASS
from radiolocus.model import Array

__all__ = ["WaveletFilter", "wavelet_filter", "wavelet_filters"]

_MOST_LEVELS = 8


@dataclass(frozen=True, kw_only=True)
class WaveletFilter(RotatedOptions):
    """One sub-band of the undecimated separable wavelet transform.

    Parameters
    ----------
    wavelet : str
        ``haar``, ``db1`` to ``db10`` or ``coif1`` to ``coif5``.
    band : str
        Low (L) or high (H) pass along each direction, x first: ``LLH`` in 3-D, ``LH`` in 2-D.
    level : int
        Decomposition level, 1 the finest.
    """

    filter: Literal["wavelet"] = "wavelet"
    wavelet: str = "coif1"
    band: str = "LLH"
    level: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("wavelet", self.wavelet, tuple(LOW_PASS))
        if len(self.band) != len(self.axes) or set(self.band) - set("LH"):
            raise ConfigError(
                f"band = {self.band!r} with dimension = {self.dimension!r}",
                allowed=f"{len(self.axes)} letters L or H, x first",
                todo=f'e.g. band = "{"LLH" if self.dimension == "3d" else "LH"}"',
            )
        if not 1 <= self.level <= _MOST_LEVELS:
            raise ConfigError(f"level = {self.level!r}", allowed=f"a whole number from 1 to {_MOST_LEVELS}")

    def _reach_voxels(self, edge: float) -> float:
        return sum(kernel.size // 2 for kernel in _chain(self.wavelet, "L", self.level))

    def _words(self) -> list[str]:
        return ["wavelet", self.wavelet, self.band.lower(), f"level_{self.level}", *self._pooled]


def wavelet_filter(array: Array, spacing: Array, options: WaveletFilter) -> Array:
    """Return a sub-band of the undecimated (à trous) wavelet transform, as large as the image.

    Every level is the low pass of the one before; its kernels have zeros put between their taps instead of the image
    being thinned out. Kernels are not rescaled from level to level: the low pass gains √2 an axis and level.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: the kernels count voxels.
    options : WaveletFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Separable wavelets".
    """
    return next(wavelet_filters(array, spacing, [options]))


def wavelet_filters(array: Array, spacing: Array, wanted: Iterable[WaveletFilter]) -> Iterator[Array]:
    """Yield sub-bands one after the other; see :func:`wavelet_filter`.

    What neighbours have in common is computed once, so that bands are best asked for in the order of their names.
    """
    shared: dict[str, Separable] = {}
    for options in wanted:
        chains = tuple(_chain(options.wavelet, letter, options.level) for letter in options.band)
        if options.rotation_invariant:
            yield pool(responses(array, rotations(chains), options.boundary), options.pooling)
        else:
            yield shared.setdefault(options.boundary, Separable(array, options.boundary)).respond(chains)


def _chain(wavelet: str, letter: str, level: int) -> Chain:
    low = np.asarray(LOW_PASS[wavelet])
    # The quadrature mirror of the low pass.
    high = low[::-1] * (-1.0) ** np.arange(1, low.size + 1)
    kernels = [centred(low)] * (level - 1) + [centred(low if letter == "L" else high)]
    return tuple(_with_holes(kernel, 2**step) for step, kernel in enumerate(kernels))


def _with_holes(kernel: Array, spread: int) -> Array:
    out = np.zeros((kernel.size - 1) * spread + 1)
    out[::spread] = kernel
    return out
