"""Intensity-based statistics (IBSI family UHIW), on the intensities of the intensity mask, not discretised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.model import Array

__all__ = ["FAMILY", "Intensities"]


@dataclass(frozen=True, eq=False)
class Intensities:
    """Intensities of a region, shape (n,), n ≥ 1, and what several features take of them."""

    values: Array

    @cached_property
    def mean(self) -> float:
        """Arithmetic mean; exactly the value itself when all are equal."""
        return float(self.values[0]) if self.flat else float(self.values.mean())

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
        return float(np.mean(self.squares))

    @cached_property
    def percentiles(self) -> dict[int, float]:
        """Percentiles 10, 25, 50, 75 and 90, linear between order statistics."""
        at = (10, 25, 50, 75, 90)
        return dict(zip(at, np.percentile(self.values, at).tolist(), strict=True))

    @cached_property
    def flat(self) -> bool:
        """All intensities are equal."""
        return bool(self.values.min() == self.values.max())

    def varied(self) -> None:
        """Refuse a region of one intensity."""
        if self.flat:
            raise UndefinedError(
                f"all {self.values.size} voxels have the intensity {self.values[0]:g}: the variance is 0",
                allowed="at least two different intensities",
            )


def _prepare(context: Context, aggregation: str) -> Intensities:
    return Intensities(context.values)


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
    return float(np.mean(x.squares * x.centred) / x.variance**1.5)


@feature("stat_kurt", "(Excess) intensity kurtosis", "IPH6")
def kurtosis(x: Intensities) -> float:
    """Fourth central moment over the squared variance, minus 3."""
    x.varied()
    return float(np.mean(x.squares**2) / x.variance**2 - 3.0)


@feature("stat_median", "Median intensity", "Y12H", "intensity")
def median(x: Intensities) -> float:
    """Median: the 50th percentile."""
    return x.percentiles[50]


@feature("stat_min", "Minimum intensity", "1GSF", "intensity")
def minimum(x: Intensities) -> float:
    """Smallest intensity."""
    return float(x.values.min())


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
    return float(x.values.max())


@feature("stat_iqr", "Intensity interquartile range", "SALO", "intensity")
def interquartile_range(x: Intensities) -> float:
    """75th minus 25th percentile."""
    return x.percentiles[75] - x.percentiles[25]


@feature("stat_range", "Intensity range", "2OJQ", "intensity")
def value_range(x: Intensities) -> float:
    """Largest minus smallest intensity."""
    return float(x.values.max() - x.values.min())


@feature("stat_mad", "Intensity-based mean absolute deviation", "4FUA", "intensity")
def mean_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the mean."""
    return float(np.mean(np.abs(x.centred)))


@feature("stat_rmad", "Intensity-based robust mean absolute deviation", "1128", "intensity")
def robust_mean_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the mean of the intensities between the 10th and the 90th percentile, inclusive."""
    inner = x.values[(x.values >= x.percentiles[10]) & (x.values <= x.percentiles[90])]
    if inner.size == 0:
        raise UndefinedError("no intensity lies between the 10th and the 90th percentile", allowed="at least one")
    return float(np.mean(np.abs(inner - inner.mean())))


@feature("stat_medad", "Intensity-based median absolute deviation", "N72L", "intensity")
def median_absolute_deviation(x: Intensities) -> float:
    """Mean absolute deviation from the median (IBSI keeps the name of the median although the mean is taken)."""
    return float(np.mean(np.abs(x.values - x.percentiles[50])))


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
    return float(np.sum(x.values**2))


@feature("stat_rms", "Root mean square intensity", "5ZWQ", "intensity")
def root_mean_square(x: Intensities) -> float:
    """Square root of the mean squared intensity."""
    return float(np.sqrt(np.mean(x.values**2)))
