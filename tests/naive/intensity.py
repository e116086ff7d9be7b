"""Intensity statistics from Python's own statistics and sorted lists."""

from __future__ import annotations

import math
import statistics


def percentile(ordered, q):
    """Return the percentile, linear between order statistics."""
    at = (len(ordered) - 1) * q / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def features(values):
    """Return every statistic; None where it is not defined."""
    x = sorted(float(v) for v in values)
    n, mean, variance = len(x), statistics.fmean(x), statistics.pvariance(x)
    p10, p25, p50, p75, p90 = (percentile(x, q) for q in (10, 25, 50, 75, 90))
    inner = [v for v in x if p10 <= v <= p90]
    varied = x[0] != x[-1]
    return {
        "stat_mean": mean,
        "stat_var": variance,
        "stat_skew": sum((v - mean) ** 3 for v in x) / n / variance**1.5 if varied else None,
        "stat_kurt": sum((v - mean) ** 4 for v in x) / n / variance**2 - 3 if varied else None,
        "stat_median": statistics.median(x),
        "stat_min": x[0],
        "stat_p10": p10,
        "stat_p90": p90,
        "stat_max": x[-1],
        "stat_iqr": p75 - p25,
        "stat_range": x[-1] - x[0],
        "stat_mad": sum(abs(v - mean) for v in x) / n,
        "stat_rmad": sum(abs(v - sum(inner) / len(inner)) for v in inner) / len(inner) if inner else None,
        "stat_medad": sum(abs(v - p50) for v in x) / n,
        "stat_cov": math.sqrt(variance) / mean if mean else None,
        "stat_qcod": (p75 - p25) / (p75 + p25) if p75 + p25 else None,
        "stat_energy": sum(v * v for v in x),
        "stat_rms": math.sqrt(sum(v * v for v in x) / n),
    }
