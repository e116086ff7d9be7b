"""Median with an interval that assumes nothing of the distribution."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from radiolocus.model import Array

__all__ = ["median_interval"]


def median_interval(values: Array, level: float = 0.95) -> tuple[float, float, float]:
    """Median and the order statistics that hold it with at least the stated probability.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite.
    level : float

    Returns
    -------
    estimate, lower, upper : float
        NaN where there are no values; the limits are NaN where n values cannot reach the level (five at 95 %).

    References
    ----------
    Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    # The k-th smallest lies above the median with probability P(B ≤ k − 1), B binomial (n, ½).
    k = int(np.searchsorted(binom.cdf(np.arange(n), n, 0.5), (1 - level) / 2, side="right"))
    if k == 0:
        return float(np.median(ordered)), float("nan"), float("nan")
    return float(np.median(ordered)), float(ordered[k - 1]), float(ordered[n - k])
