"""Non-separable Simoncelli wavelet (IBSI 2 id PRT7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.image.filter_options import FilterOptions
from radiolocus.image.fourier import Spectrum
from radiolocus.model import Array

__all__ = ["SimoncelliFilter", "check_level", "simoncelli_filter", "simoncelli_transfer"]

_MOST_LEVELS = 8


@dataclass(frozen=True, kw_only=True)
class SimoncelliFilter(FilterOptions):
    """Band-pass map of the isotropic Simoncelli wavelet.

    Parameters
    ----------
    level : int
        Decomposition level, 1 the finest.
    extend : bool
        Let the image go on beyond its border by `boundary`. By default its own spectrum is filtered, which is to say
        that it is periodic whatever `boundary` says: so were the reference values of IBSI 2 made.
    """

    filter: Literal["simoncelli"] = "simoncelli"
    level: int = 1
    extend: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.level)
        if not self.extend and self.boundary in ("zero", "nearest"):
            raise ConfigError(
                f'boundary = "{self.boundary}" where the image\'s own spectrum is filtered, as if it were periodic',
                allowed='boundary = "periodic", or any with extend = true',
            )

    def _words(self) -> list[str]:
        return ["simoncelli", f"level_{self.level}", *(["extended"] if self.extend else [])]


def check_level(level: int) -> None:
    """Refuse a level that no image has."""
    if not 1 <= level <= _MOST_LEVELS:
        raise ConfigError(f"level = {level!r}", allowed=f"a whole number from 1 to {_MOST_LEVELS}")


def simoncelli_transfer(coordinates: list[Array], level: int) -> Array:
    """Return the transfer function of the band-pass filter.

    Parameters
    ----------
    coordinates : list of ndarray
        Frequencies as a part of the Nyquist frequency, one broadcastable array an axis.
    level : int
        Decomposition level.

    Returns
    -------
    ndarray
        ``cos(π/2 log2(2 r))`` where ``1/4 < r <= 1``, else 0; r is the distance from the origin, doubled with every
        level after the first.
    """
    radius = np.sqrt(sum((c**2 for c in coordinates), start=np.zeros(1))) * 2.0 ** (level - 1)
    inside = (radius > 0.25) & (radius <= 1.0)
    return np.where(inside, np.cos(np.pi / 2 * np.log2(2 * np.where(inside, radius, 1.0))), 0.0)


def simoncelli_filter(array: Array, spacing: Array, options: SimoncelliFilter) -> Array:
    """Return the band-pass map of a level.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: the bands are parts of the Nyquist frequency of the grid.
    options : SimoncelliFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Non-separable wavelets"; Portilla J, Simoncelli EP, Int J Comput Vis
    2000;40:49-70.
    """
    spectrum = Spectrum(array, options.axes, options.boundary if options.extend else "periodic")
    return spectrum.response(spectrum.sample(lambda at: simoncelli_transfer(at, options.level)))
