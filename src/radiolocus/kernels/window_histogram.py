"""What a window's histograms say: of the grey levels, and of the steps of an intensity-volume histogram."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["HISTOGRAM", "VOLUME_HISTOGRAM", "level_histogram", "volume_histogram"]

Array = npt.NDArray[np.float64]

#: Rows of :func:`level_histogram`.
HISTOGRAM = (
    "ih_mean",
    "ih_var",
    "ih_skew",
    "ih_kurt",
    "ih_median",
    "ih_min",
    "ih_p10",
    "ih_p90",
    "ih_max",
    "ih_mode",
    "ih_iqr",
    "ih_range",
    "ih_mad",
    "ih_rmad",
    "ih_medad",
    "ih_cov",
    "ih_qcod",
    "ih_entropy",
    "ih_uniformity",
    "ih_max_grad",
    "ih_max_grad_g",
    "ih_min_grad",
    "ih_min_grad_g",
)

#: Rows of :func:`volume_histogram`.
VOLUME_HISTOGRAM = (
    "ivh_v10",
    "ivh_v90",
    "ivh_i10",
    "ivh_i90",
    "ivh_diff_v10_v90",
    "ivh_diff_i10_i90",
    "ivh_auc",
)


@kernel
def _percentile(x: Array, percent: int) -> float:
    """Interpolate between order statistics; one that is met exactly is returned as it is."""
    place = (x.size - 1) * percent
    low, rest = place // 100, place % 100
    above = x[low + 1] if rest > 0 else x[low]
    found: float = x[low] + (above - x[low]) * rest / 100
    return found


@kernel
def _deviation(x: Array, low: float, high: float, middle: float) -> float:
    """Return the mean absolute deviation from `middle` of what lies from `low` to `high`; NaN without any."""
    total, n = 0.0, 0
    for v in x:
        if low <= v <= high:
            total += abs(v - middle)
            n += 1
    return total / n if n > 0 else np.nan


@kernel
def _inner_mean(x: Array, low: float, high: float) -> float:
    total, n = 0.0, 0
    for v in x:
        if low <= v <= high:
            total += v
            n += 1
    return total / n if n > 0 else np.nan


@kernel
def _moments(x: Array, mean: float, out: Array) -> None:
    second, third, fourth = 0.0, 0.0, 0.0
    for v in x:
        d = v - mean
        second += d * d
        third += d * d * d
        fourth += d * d * d * d
    n = x.size
    variance = second / n
    varied = x[0] < x[-1]
    out[0], out[1] = mean, variance
    out[2] = third / n / (variance * math.sqrt(variance)) if varied else np.nan
    out[3] = fourth / n / (variance * variance) - 3 if varied else np.nan
    out[15] = math.sqrt(variance) / mean


@kernel
def _shares(x: Array, mean: float, out: Array) -> None:
    """Write mode, entropy and uniformity from the lengths of stretches of equal levels."""
    n, most, at = x.size, 0, 0
    inner, squares = 0.0, 0.0
    while at < n:
        end = at + 1
        while end < n and x[end] == x[at]:
            end += 1
        count = end - at
        inner += count * math.log2(count)
        squares += float(count) * count
        nearer = count == most and abs(x[at] - mean) < abs(out[9] - mean)
        if count > most or nearer:
            most, out[9] = count, x[at]
        at = end
    out[17] = 0.0 if x[0] == x[-1] else math.log2(n) - inner / n
    out[18] = squares / n / n


@kernel
def _slopes(x: Array, counts: Array, out: Array) -> None:
    """Write the largest and smallest slope of the histogram of levels 1..N, and where; `counts` stays 0."""
    top = int(x[-1])
    out[19:23] = np.nan
    if top < 2:
        return
    for v in x:
        counts[int(v)] += 1
    for level in range(1, top + 1):
        low, high = max(1, level - 1), min(top, level + 1)
        slope = (counts[high] - counts[low]) / (high - low)
        if level == 1 or slope > out[19]:
            out[19], out[20] = slope, level
        if level == 1 or slope < out[21]:
            out[21], out[22] = slope, level
    for v in x:
        counts[int(v)] = 0


@kernel
def level_histogram(x: Array, counts: Array, out: Array) -> None:
    """Write :data:`HISTOGRAM` of grey levels.

    Parameters
    ----------
    x : ndarray of float64, shape (n,)
        Whole numbers from 1 on, in order, n ≥ 1.
    counts : ndarray of float64
        Longer than the largest level; all 0, and so afterwards.
    out : ndarray of float64, shape (23 or more,)
        NaN where a feature is not defined.
    """
    mean = x.sum() / x.size
    _moments(x, mean, out)
    p10, p25, p50 = _percentile(x, 10), _percentile(x, 25), _percentile(x, 50)
    p75, p90 = _percentile(x, 75), _percentile(x, 90)
    out[4], out[5], out[6], out[7], out[8] = p50, x[0], p10, p90, x[-1]
    out[10], out[11] = p75 - p25, x[-1] - x[0]
    out[12] = _deviation(x, x[0], x[-1], mean)
    out[13] = _deviation(x, p10, p90, _inner_mean(x, p10, p90))
    out[14] = _deviation(x, x[0], x[-1], p50)
    out[16] = (p75 - p25) / (p75 + p25)
    _shares(x, mean, out)
    _slopes(x, counts, out)


@kernel
def _volume(x: Array, percent: int, last: float) -> float:
    first = math.ceil(percent * last / 100)
    return (x.size - np.searchsorted(x, float(first))) / x.size


@kernel
def _intensity(x: Array, percent: int, scale: Array) -> float:
    step = x[x.size - 1 - percent * x.size // 100] + 1
    return scale[1] + step * scale[2] if step <= scale[0] else np.nan


@kernel
def volume_histogram(x: Array, scale: Array, out: Array) -> None:
    """Write :data:`VOLUME_HISTOGRAM` of the steps of a scale.

    Parameters
    ----------
    x : ndarray of float64, shape (n,)
        Whole numbers from 0 on, in order, n ≥ 1.
    scale : ndarray of float64, shape (3,)
        Last step, intensity of step 0, and what a step adds to it.
    out : ndarray of float64, shape (7 or more,)
        NaN where a feature is not defined.
    """
    last = scale[0]
    out[0] = _volume(x, 10, last) if last > 0 else np.nan
    out[1] = _volume(x, 90, last) if last > 0 else np.nan
    out[2], out[3] = _intensity(x, 10, scale), _intensity(x, 90, scale)
    out[4], out[5] = out[0] - out[1], out[2] - out[3]
    out[6] = 0.0
    if x[0] < x[-1]:
        end = (x.size - np.searchsorted(x, last)) / x.size
        out[6] = (x.sum() / x.size + 1 - (1 + end) / 2) / last
