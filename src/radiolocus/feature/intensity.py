"""Intensity-based statistics (IBSI family UHIW), on the intensities of the intensity mask, not discretised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.model import Array

__all__ = ["FAMILY", "Intensities"]


@dataclass(frozen=True, eq=False)
class Intensities:
    """Intensities of a region and what several features take of them.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Intensities, n ≥ 1.
    counts : ndarray of int64, shape (n,), optional
        How often each comes, when `values` are all different and ascending; once each when left out.
    """

    values: Array
    counts: npt.NDArray[np.int64] | None = None

    def average(self, values: Array) -> float:
        """Average one value an intensity over the voxels."""
        return float(values.mean() if self.counts is None else self.counts @ values / self.voxels)

    @cached_property
    def voxels(self) -> int:
        """Voxels of the region."""
        return self.values.size if self.counts is None else int(self.counts.sum())

    @cached_property
    def lowest(self) -> float:
        """Smallest intensity."""
        return float(self.values.min())

    @cached_property
    def highest(self) -> float:
        """Largest intensity."""
        return float(self.values.max())

    @cached_property
    def mean(self) -> float:
        """Arithmetic mean; exactly the value itself when all are equal."""
        return float(self.values[0]) if self.flat else self.average(self.values)

    @cached_property
    def centred(self) -> Array:
        """Deviations from the mean."""
        return self.values - self.mean

    @cached_property
    def squares(self) -> Array:
        """Squared deviations from the mean."""
        return self.centred**2

    @cached_property
    def variance(self) -> float:
        """Population variance."""
        return self.average(self.squares)

    @cached_property
    def percentiles(self) -> dict[int, float]:
        """Percentiles 10, 25, 50, 75 and 90, linear between order statistics."""
        at = (10, 25, 50, 75, 90)
        if self.counts is None:
            return dict(zip(at, np.percentile(self.values, at).tolist(), strict=True))
        upto, found = np.cumsum(self.counts), {}
        for q in at:
            low, rest = divmod((self.voxels - 1) * q, 100)
            places = np.searchsorted(upto, (low, low + (rest > 0)), side="right")
            below, above = self.values[places].tolist()
            found[q] = below + (above - below) * rest / 100
        return found

    @property
    def flat(self) -> bool:
        """All intensities are equal."""
        return self.lowest == self.highest

    def varied(self) -> None:
        """Refuse a region of one intensity."""
        if self.flat:
            raise UndefinedError(
                f"all {self.voxels} voxels have the intensity {self.values[0]:g}: the variance is 0",
                allowed="at least two different intensities",
            )

    def inner(self) -> Intensities:
        """Intensities between the 10th and the 90th percentile, inclusive."""
        inside = (self.values >= self.percentiles[10]) & (self.values <= self.percentiles[90])
        return Intensities(self.values[inside], None if self.counts is None else self.counts[inside])


def _prepare(context: Context, aggregation: str) -> Intensities:
    # What is counted need not be sorted, and what is summed of it is exact.
    return Intensities(context.values) if context.counted is None else Intensities(*context.counted)


FAMILY = Family("intensity", "Statistics", _prepare)
feature = FAMILY.feature


@feature("stat_mean", "Mean intensity", "Q4LE", "intensity")
def mean(x: Intensities) -> float:
    """Arithmetic mean."""
    return x.mean


@feature("stat_var", "Intensity variance", "ECT3", "intensity²")
def variance(x: Intensities) -> float:
    """Mean squared deviation from the mean (divided by n)."""
    return x.variance


@feature("stat_skew", "Intensity skewness", "KE2A")
def skewness(x: Intensities) -> float:
    """Third central moment over the variance to the power 3/2."""
    x.varied()
    return float(x.average(x.squares * x.centred) / x.variance**1.5)


@feature("stat_kurt", "(Excess) intensity kurtosis", "IPH6")
def kurtosis(x: Intensities) -> float:
    """Fourth central moment over the squared variance, minus 3."""
    x.varied()
    return x.average(x.squares**2) / x.variance**2 - 3.0


@feature("stat_median", "Median intensity", "Y12H", "intensity")
def median(x: Intensities) -> float:
    """Median: the 50th percentile."""
    return x.percentiles[50]


@feature("stat_min", "Minimum intensity", "1GSF", "intensity")
def minimum(x: Intensities) -> float:
    """Smallest intensity."""
    return x.lowest


@feature("stat_p10", "10th intensity percentile", "QG58", "intensity")
def percentile_10(x: Intensities) -> float:
    """10th percentile, linear between order statistics."""
    return x.percentiles[10]


@feature("stat_p90", "90th intensity percentile", "8DWT", "intensity")
def percentile_90(x: Intensities) -> float:
    """90th percentile, linear between order statistics."""
    return x.percentiles[90]


@feature("stat_max", "Maximum intensity", "84IY", "intensity")
def maximum(x: Intensities) -> float:
    """Largest intensity."""
    return x.highest


@feature("stat_iqr", "Intensity interquartile range", "SALO", "intensity")
def interquartile_range(x: Intensities) -> float:
    """75th minus 25th percentile."""
    return x.percentiles[75] - x.percentiles[25]


@feature("stat_range", "Intensity range", "2OJQ", "intensity")
def value_range(x: Intensities) -> float:
    """Largest minus smallest intensity."""
    return x.highest - x.lowest


@feature("stat_mad", "Intensity-based mean absolute deviation", "4FUA", "intensity")
def mean_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the mean."""
    return x.average(np.abs(x.centred))


@feature("stat_rmad", "Intensity-based robust mean absolute deviation", "1128", "intensity")
def robust_mean_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the mean of the intensities between the 10th and the 90th percentile, inclusive."""
    inner = x.inner()
    if inner.values.size == 0:
        raise UndefinedError("no intensity lies between the 10th and the 90th percentile", allowed="at least one")
    return inner.average(np.abs(inner.centred))


@feature("stat_medad", "Intensity-based median absolute deviation", "N72L", "intensity")
def median_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the median (IBSI keeps the name of the median although the mean is taken)."""
    return x.average(np.abs(x.values - x.percentiles[50]))


@feature("stat_cov", "Intensity-based coefficient of variation", "7TET")
def coefficient_of_variation(x: Intensities) -> float:
    """Standard deviation over the mean."""
    if x.mean == 0:
        raise UndefinedError("the mean intensity is 0", allowed="a mean other than 0")
    return float(np.sqrt(x.variance) / x.mean)


@feature("stat_qcod", "Intensity-based quartile coefficient of dispersion", "9S40")
def quartile_coefficient_of_dispersion(x: Intensities) -> float:
    """75th minus 25th percentile over their sum."""
    total = x.percentiles[75] + x.percentiles[25]
    if total == 0:
        raise UndefinedError("the quartiles add up to 0", allowed="a sum other than 0")
    return (x.percentiles[75] - x.percentiles[25]) / total


@feature("stat_energy", "Intensity-based energy", "N8CA", "intensity²")
def energy(x: Intensities) -> float:
    """Sum of squared intensities."""
    return x.average(x.values**2) * x.voxels


@feature("stat_rms", "Root mean square intensity", "5ZWQ", "intensity")
def root_mean_square(x: Intensities) -> float:
    """Square root of the mean squared intensity."""
    return float(np.sqrt(x.average(x.values**2)))
