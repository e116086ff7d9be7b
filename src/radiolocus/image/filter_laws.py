"""Laws kernels and their energy (IBSI 2 id JTXT)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import box_mean
from radiolocus.image.filter_options import RotatedOptions
from radiolocus.image.pooling import pool
from radiolocus.image.separable import responses, rotations
from radiolocus.model import Array

__all__ = ["LAWS", "LawsFilter", "laws_filter"]

#: Level, edge, spot, wave and ripple of 3 or 5 taps (Laws 1980), before they are brought to unit norm as IBSI 2 asks.
LAWS: dict[str, tuple[int, ...]] = {
    "L3": (1, 2, 1),
    "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}


@dataclass(frozen=True, kw_only=True)
class LawsFilter(RotatedOptions):
    """Laws kernels.

    Parameters
    ----------
    kernel : str
        One kernel a direction, x first: ``L5E5E5`` in 3-D, ``L5E5`` in 2-D. Of L3, L5, E3, E5, S3, S5, W5, R5.
    energy : bool
        Return the energy: the mean of the absolute response over the neighbourhood.
    delta : int
        Chebyshev distance in voxels to which the neighbourhood reaches.
    """

    filter: Literal["laws"] = "laws"
    kernel: str = "L5E5E5"
    energy: bool = True
    delta: int = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self.kernels
        if "".join(parts) != self.kernel or len(parts) != len(self.axes):
            raise ConfigError(
                f"kernel = {self.kernel!r} with dimension = {self.dimension!r}",
                allowed=f"{len(self.axes)} of {', '.join(LAWS)} in a row, x first",
                todo=f'e.g. kernel = "{"L5E5E5" if self.dimension == "3d" else "L5E5"}"',
            )
        if self.delta < 1:
            raise ConfigError(f"delta = {self.delta!r}", allowed="a whole number of voxels, 1 or more")

    @property
    def kernels(self) -> list[str]:
        """The kernels of the name, one a direction."""
        return re.findall("|".join(LAWS), self.kernel)

    def _reach_voxels(self, edge: float) -> float:
        return 2 + (self.delta if self.energy else 0)

    def _words(self) -> list[str]:
        return ["laws", self.kernel.lower(), *([f"energy_{self.delta}"] if self.energy else []), *self._pooled]


def laws_filter(array: Array, spacing: Array, options: LawsFilter) -> Array:
    """Convolve with Laws kernels, pool over rotations, and take the energy.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: the kernels count voxels.
    options : LawsFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Laws kernels"; Laws KI, SPIE 1980;238:376-381.
    """
    taps = [np.asarray(LAWS[name], dtype=np.float64) for name in options.kernels]
    chains = tuple((k / np.linalg.norm(k),) for k in taps)
    filters = rotations(chains) if options.rotation_invariant else [chains]
    out = pool(responses(array, filters, options.boundary), options.pooling)
    if options.energy:
        out = box_mean(np.abs(out), 2 * options.delta + 1, options.axes, options.boundary)
    return out
