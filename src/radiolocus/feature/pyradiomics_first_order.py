"""First-order features and bins as PyRadiomics defines them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Levels
from radiolocus.feature.pyradiomics_parameters import PyradiomicsSettings
from radiolocus.model import Array

__all__ = ["FIRST_ORDER", "FirstOrder", "bin_levels"]


def bin_levels(values: npt.NDArray[Any], settings: PyradiomicsSettings) -> npt.NDArray[np.int32]:
    """Put intensities into bins.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In the pixel type of their image: equal numbers of bins have edges of that precision.
    settings : PyradiomicsSettings
        `binCount` goes before `binWidth`.

    Returns
    -------
    ndarray of int32, shape (n,)
        Bins from 1. Of fixed width, their edges are multiples of the width, and an edge belongs to the bin above it.
    """
    if settings.binCount is not None:
        edges = np.histogram_bin_edges(values, settings.binCount)
        # The largest intensity belongs to the last bin.
        edges[-1] += 1
    else:
        width = settings.binWidth
        low, high = float(values.min()), float(values.max())
        edges = np.arange(low - low % width, high + 2 * width, width)
    return np.asarray(np.digitize(values, edges), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """Intensities of a region.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Intensities.
    levels : ndarray of integers, shape (n,)
        Their bins.
    shift : float
        Added to intensities in energies.
    voxel_volume : float
        Volume of a voxel in mm³.
    """

    x: Array
    levels: Levels
    shift: float
    voxel_volume: float

    @cached_property
    def p(self) -> Array:
        """Share of each bin that comes."""
        count = np.bincount(self.levels)
        return np.asarray(count[count > 0] / self.levels.size)

    @cached_property
    def energy(self) -> float:
        """Sum of squares of the shifted intensities."""
        return float(np.sum((self.x + self.shift) ** 2))

    @cached_property
    def mean(self) -> float:
        """Mean."""
        return float(self.x.mean())

    @cached_property
    def deviation(self) -> Array:
        """Deviation from the mean."""
        return self.x - self.mean

    @cached_property
    def variance(self) -> float:
        """Mean squared deviation."""
        return float(np.mean(np.square(self.deviation)))

    def moment(self, order: Literal[3, 4]) -> float:
        """Standardised central moment; 0 for a region of one intensity."""
        if self.variance == 0:
            return 0.0
        power = np.square(self.deviation)
        power *= self.deviation if order == 3 else power
        return float(np.mean(power) / self.variance ** (order / 2))

    @cached_property
    def percentiles(self) -> dict[int, float]:
        """Percentiles that features ask for, linear between order statistics."""
        asked = (10, 25, 50, 75, 90)
        return dict(zip(asked, np.percentile(self.x, asked).tolist(), strict=True))

    @property
    def robust_deviation(self) -> float:
        """Mean absolute deviation of the intensities from the 10th to the 90th percentile."""
        middle = self.x[(self.x >= self.percentiles[10]) & (self.x <= self.percentiles[90])]
        if middle.size == 0:
            raise UndefinedError("no intensity lies between the 10th and the 90th percentile", allowed="more voxels")
        return float(np.mean(np.abs(middle - middle.mean())))


FIRST_ORDER: dict[str, Callable[[FirstOrder], float]] = {
    "10Percentile": lambda f: f.percentiles[10],
    "90Percentile": lambda f: f.percentiles[90],
    "Energy": lambda f: f.energy,
    "Entropy": lambda f: float(-np.sum(f.p * np.log2(f.p))),
    "InterquartileRange": lambda f: f.percentiles[75] - f.percentiles[25],
    "Kurtosis": lambda f: f.moment(4),
    "Maximum": lambda f: float(f.x.max()),
    "Mean": lambda f: f.mean,
    "MeanAbsoluteDeviation": lambda f: float(np.mean(np.abs(f.deviation))),
    "Median": lambda f: f.percentiles[50],
    "Minimum": lambda f: float(f.x.min()),
    "Range": lambda f: float(f.x.max() - f.x.min()),
    "RobustMeanAbsoluteDeviation": lambda f: f.robust_deviation,
    "RootMeanSquared": lambda f: float(np.sqrt(f.energy / f.x.size)),
    "Skewness": lambda f: f.moment(3),
    "StandardDeviation": lambda f: float(np.sqrt(f.variance)),
    "TotalEnergy": lambda f: f.energy * f.voxel_volume,
    "Uniformity": lambda f: float(np.sum(f.p**2)),
    "Variance": lambda f: f.variance,
}
