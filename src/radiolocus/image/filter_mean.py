"""Mean filter (IBSI 2 id S60F)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import box_mean
from radiolocus.image.filter_options import FilterOptions
from radiolocus.model import Array

__all__ = ["MeanFilter", "mean_filter"]


@dataclass(frozen=True, kw_only=True)
class MeanFilter(FilterOptions):
    """Mean over a cube, or a square of every slice.

    Parameters
    ----------
    size : int
        Edge length of the window in voxels, odd.
    """

    filter: Literal["mean"] = "mean"
    size: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1 or self.size % 2 == 0:
            raise ConfigError(f"size = {self.size!r}", allowed="an odd whole number of voxels, 1 or more")

    def _reach_voxels(self, edge: float) -> float:
        return self.size // 2

    def _words(self) -> list[str]:
        return ["mean", str(self.size)]


def mean_filter(array: Array, spacing: Array, options: MeanFilter) -> Array:
    """Return the mean over the window around every voxel.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: the window counts voxels.
    options : MeanFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Mean filters".
    """
    return box_mean(array, options.size, options.axes, options.boundary)
