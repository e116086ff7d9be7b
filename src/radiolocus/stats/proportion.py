"""Exact limits of proportions, and of means and ratios made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["detectable", "exact_limits", "mean_limits", "ratio_limits", "wilson_limits"]


def exact_limits(events: npt.ArrayLike, trials: npt.ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Clopper–Pearson limits of many proportions.

    Parameters
    ----------
    events, trials : array_like, shape (n,)
        NaN where unknown; without a trial the limits are 0 and 1.

    Raises
    ------
    InputError
        Events below 0 or above trials.

    References
    ----------
    Clopper & Pearson, Biometrika 1934;26:404.
    """
    x, n = np.broadcast_arrays(np.asarray(events, np.float64), np.asarray(trials, np.float64))
    if np.any(x < 0) or np.any(x > n):
        raise InputError("more events than trials, or fewer than none", allowed="0 ≤ events ≤ trials")
    tail = (1 - level) / 2
    unknown = np.isnan(x) | np.isnan(n)
    lower = np.where(x == 0, 0.0, betaincinv(np.maximum(x, 1e-300), n - x + 1, tail))
    upper = np.where(x == n, 1.0, betaincinv(x + 1, np.maximum(n - x, 1e-300), 1 - tail))
    return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)


def wilson_limits(share: npt.ArrayLike, trials: npt.ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Wilson's limits of many proportions, which are narrower than the exact ones and hold the level on average.

    Parameters
    ----------
    share, trials : array_like, shape (n,)

    References
    ----------
    Wilson, JASA 1927;22:209.
    """
    p, n = np.asarray(share, np.float64), np.asarray(trials, np.float64)
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return middle - half, middle + half


def detectable(reads: int, depth: npt.ArrayLike, power: float = 0.95) -> Array:
    """Smallest fraction that gives at least `reads` variant reads of `depth` with probability `power`.

    From P(X ≥ r) = I_f(r, depth − r + 1); 1 where the depth is below the reads.
    """
    n = np.asarray(depth, np.float64)
    enough = n >= reads
    found = betaincinv(float(reads), np.where(enough, n - reads + 1, 1.0), power)
    return np.where(np.isnan(n), np.nan, np.where(enough, found, 1.0))


def mean_limits(estimate: Array, lower: Array, upper: Array) -> tuple[float, float, float]:
    """Mean of independent estimates with limits from theirs (method of variance estimates recovery).

    Parameters
    ----------
    estimate, lower, upper : ndarray, shape (n,)

    Returns
    -------
    mean, lower, upper : float

    References
    ----------
    Zou & Donner, Stat Med 2008;27:1693.
    """
    mean = float(estimate.mean())
    below = float(np.sqrt(((estimate - lower) ** 2).sum()) / estimate.size)
    above = float(np.sqrt(((upper - estimate) ** 2).sum()) / estimate.size)
    return mean, float(np.maximum(0.0, mean - below)), mean + above


def ratio_limits(top: tuple[float, float, float], bottom: tuple[float, float, float]) -> tuple[float, float, float]:
    """Ratio of two independent positive estimates with limits, recovered on the log scale.

    Parameters
    ----------
    top, bottom : tuple of float
        Estimate, lower, upper. With a top of 0 the upper limit is the upper limit of the top over the lower one of the
        bottom, which is wider.

    References
    ----------
    Zou & Donner, Stat Med 2008;27:1693.
    """
    (t, t_low, t_high), (b, b_low, b_high) = top, bottom
    if not b > 0:
        return (float("nan"),) * 3
    ratio = t / b
    if t == 0:
        return 0.0, 0.0, t_high / b_low if b_low > 0 else float("inf")
    fall = np.hypot(np.log(t / t_low), np.log(b_high / b)) if t_low > 0 else np.inf
    rise = np.hypot(np.log(t_high / t), np.log(b / b_low)) if b_low > 0 else np.inf
    return ratio, float(ratio * np.exp(-fall)), float(ratio * np.exp(rise))
