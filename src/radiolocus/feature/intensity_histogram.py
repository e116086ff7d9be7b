"""Intensity histogram (IBSI family ZVCW), on the grey levels of the intensity mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.model import Array

__all__ = ["FAMILY", "Histogram"]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Voxels of each grey level.

    Parameters
    ----------
    counts : ndarray, shape (N,)
        Voxels of the grey levels 1..N, N the largest that comes; whole numbers.
    """

    counts: Array

    @cached_property
    def levels(self) -> Array:
        """Grey levels 1..N."""
        return np.arange(1.0, self.counts.size + 1)

    @cached_property
    def p(self) -> Array:
        """Probability of each grey level."""
        return np.asarray(self.counts / self.counts.sum())

    @cached_property
    def mean(self) -> float:
        """Mean grey level."""
        return float(self.levels @ self.counts / self.counts.sum())

    @cached_property
    def centred(self) -> Array:
        """Grey levels less their mean."""
        return self.levels - self.mean

    @cached_property
    def variance(self) -> float:
        """Population variance."""
        return float(self.centred**2 @ self.p)

    @cached_property
    def smallest(self) -> int:
        """Smallest grey level that comes."""
        return int(np.flatnonzero(self.counts)[0]) + 1

    @cached_property
    def percentiles(self) -> dict[int, float]:
        """Percentiles 10, 25, 50, 75 and 90, linear between order statistics."""
        upto = np.cumsum(self.counts)
        found = {}
        for q in (10, 25, 50, 75, 90):
            # Whole numbers: a percentile that falls on an order statistic is that level exactly.
            low, rest = divmod((int(upto[-1]) - 1) * q, 100)
            below, above = (1 + int(np.searchsorted(upto, k, side="right")) for k in (low, low + (rest > 0)))
            found[q] = below + (above - below) * rest / 100
        return found

    @cached_property
    def gradient(self) -> Array:
        """Slope of the histogram at each level: central differences, one-sided at the ends."""
        if self.counts.size < 2:
            raise UndefinedError("a histogram of one grey level has no slope", allowed="at least two grey levels")
        return np.asarray(np.gradient(self.counts))

    def varied(self) -> None:
        """Refuse a region of one grey level."""
        if self.smallest == self.counts.size:
            raise UndefinedError(
                f"all {self.counts.sum():.0f} voxels have the grey level {self.smallest}: the variance is 0",
                allowed="at least two different grey levels",
                todo="choose a smaller bin_width, or more bins",
            )


def _prepare(context: Context, aggregation: str) -> Histogram:
    return context.once("histogram", lambda: Histogram(context.level_counts.astype(np.float64)))


FAMILY = Family("intensity_histogram", "Intensity histogram", _prepare)
feature = FAMILY.feature


@feature("ih_mean", "Mean discretised intensity", "X6K6")
def mean(h: Histogram) -> float:
    """Mean grey level."""
    return h.mean


@feature("ih_var", "Discretised intensity variance", "CH89")
def variance(h: Histogram) -> float:
    """Mean squared deviation from the mean grey level."""
    return h.variance


@feature("ih_skew", "Discretised intensity skewness", "88K1")
def skewness(h: Histogram) -> float:
    """Third central moment over the variance to the power 3/2."""
    h.varied()
    return float(h.centred**3 @ h.p / h.variance**1.5)


@feature("ih_kurt", "(Excess) discretised intensity kurtosis", "C3I7")
def kurtosis(h: Histogram) -> float:
    """Fourth central moment over the squared variance, minus 3."""
    h.varied()
    return float(h.centred**4 @ h.p / h.variance**2 - 3)


@feature("ih_median", "Median discretised intensity", "WIFQ")
def median(h: Histogram) -> float:
    """Median grey level: the 50th percentile."""
    return h.percentiles[50]


@feature("ih_min", "Minimum discretised intensity", "1PR8")
def minimum(h: Histogram) -> float:
    """Smallest grey level that comes."""
    return float(h.smallest)


@feature("ih_p10", "10th discretised intensity percentile", "GPMT")
def percentile_10(h: Histogram) -> float:
    """10th percentile of the grey levels."""
    return h.percentiles[10]


@feature("ih_p90", "90th discretised intensity percentile", "GPMT")
def percentile_90(h: Histogram) -> float:
    """90th percentile of the grey levels."""
    return h.percentiles[90]


@feature("ih_max", "Maximum discretised intensity", "3NCY")
def maximum(h: Histogram) -> float:
    """Largest grey level."""
    return float(h.counts.size)


@feature("ih_mode", "Intensity histogram mode", "AMMC")
def mode(h: Histogram) -> float:
    """Most common grey level; of several the one nearest to the mean, of two equally near ones the lower."""
    most = h.levels[h.counts == h.counts.max()]
    return float(most[np.argmin(np.abs(most - h.mean))])


@feature("ih_iqr", "Discretised intensity interquartile range", "WR0O")
def interquartile_range(h: Histogram) -> float:
    """75th less 25th percentile of the grey levels."""
    return h.percentiles[75] - h.percentiles[25]


@feature("ih_range", "Discretised intensity range", "5Z3W")
def level_range(h: Histogram) -> float:
    """Largest less smallest grey level."""
    return float(h.counts.size - h.smallest)


@feature("ih_mad", "Intensity histogram mean absolute deviation", "D2ZX")
def mean_absolute_deviation(h: Histogram) -> float:
    """Mean absolute deviation from the mean grey level."""
    return float(np.abs(h.centred) @ h.p)


@feature("ih_rmad", "Intensity histogram robust mean absolute deviation", "WRZB")
def robust_mean_absolute_deviation(h: Histogram) -> float:
    """Mean absolute deviation from their mean of the grey levels from the 10th to the 90th percentile."""
    inner = (h.levels >= h.percentiles[10]) & (h.levels <= h.percentiles[90])
    levels, counts = h.levels[inner], h.counts[inner]
    if not counts.any():
        raise UndefinedError(
            f"no voxel lies between the 10th and the 90th percentile of {h.counts.sum():.0f} voxels",
            allowed="at least one voxel between them",
        )
    return float(np.abs(levels - levels @ counts / counts.sum()) @ counts / counts.sum())


@feature("ih_medad", "Intensity histogram median absolute deviation", "4RNL")
def median_absolute_deviation(h: Histogram) -> float:
    """Mean absolute deviation from the median grey level."""
    return float(np.abs(h.levels - h.percentiles[50]) @ h.p)


@feature("ih_cov", "Intensity histogram coefficient of variation", "CWYJ")
def coefficient_of_variation(h: Histogram) -> float:
    """Standard deviation over the mean grey level."""
    return float(np.sqrt(h.variance) / h.mean)


@feature("ih_qcod", "Intensity histogram quartile coefficient of dispersion", "SLWD")
def quartile_coefficient_of_dispersion(h: Histogram) -> float:
    """Interquartile range over the sum of the 25th and 75th percentiles."""
    return (h.percentiles[75] - h.percentiles[25]) / (h.percentiles[75] + h.percentiles[25])


@feature("ih_entropy", "Discretised intensity entropy", "TLU2", "bit")
def entropy(h: Histogram) -> float:
    """Entropy of the grey levels: -Σ p_i log₂ p_i."""
    p = h.p[h.p > 0]
    return float(p @ -np.log2(p))


@feature("ih_uniformity", "Discretised intensity uniformity", "BJ5W")
def uniformity(h: Histogram) -> float:
    """Energy of the histogram: Σ p_i²."""
    return float(h.p @ h.p)


@feature("ih_max_grad", "Maximum histogram gradient", "12CE")
def maximum_gradient(h: Histogram) -> float:
    """Largest slope of the histogram in voxels a level, by central differences; one-sided at levels 1 and N."""
    return float(h.gradient.max())


@feature("ih_max_grad_g", "Maximum histogram gradient intensity", "8E6O")
def maximum_gradient_level(h: Histogram) -> float:
    """Grey level of the largest slope; the lowest of several."""
    return float(h.levels[np.argmax(h.gradient)])


@feature("ih_min_grad", "Minimum histogram gradient", "VQB3")
def minimum_gradient(h: Histogram) -> float:
    """Smallest slope of the histogram in voxels a level, by central differences; one-sided at levels 1 and N."""
    return float(h.gradient.min())


@feature("ih_min_grad_g", "Minimum histogram gradient intensity", "RHQZ")
def minimum_gradient_level(h: Histogram) -> float:
    """Grey level of the smallest slope; the lowest of several."""
    return float(h.levels[np.argmin(h.gradient)])
