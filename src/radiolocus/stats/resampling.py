"""Resampling by weights: how often each patient is drawn, and intervals from what the draws gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array

__all__ = ["Interval", "bootstrap_weights", "percentile_interval"]

# Draws are handed out in blocks of about this many weights, so that memory does not grow with the number of draws.
_BLOCK = 1 << 21


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval.

    Parameters
    ----------
    lower, upper : float
    level : float
        Coverage aimed at.
    draws : int
        Draws that entered.
    undefined : int
        Draws in which the statistic had no value and that were left out.
    """

    lower: float
    upper: float
    level: float
    draws: int
    undefined: int


def bootstrap_weights(
    n: int, draws: int, seed: int, *, stratum: npt.ArrayLike | None = None
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield blocks of bootstrap weights: rows are draws, entries say how often a patient was drawn.

    Parameters
    ----------
    n : int
        Number of patients.
    draws : int
        Number of bootstrap draws.
    seed : int
    stratum : array_like, shape (n,), optional
        Patients are drawn within each stratum, whose sizes then stay fixed.

    Yields
    ------
    ndarray of int64, shape (block, n)
        The blocks together hold `draws` rows; the cutting changes no number.

    Raises
    ------
    InputError
        `n` or `draws` below 1.

    References
    ----------
    Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993.
    """
    if n < 1 or draws < 1:
        raise InputError(f"a bootstrap of {n} patients with {draws} draws", allowed="at least 1 of each")
    labels = np.zeros(n, np.int64) if stratum is None else np.unique(np.asarray(stratum), return_inverse=True)[1]
    strata = [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    for begin in range(0, draws, block):
        weights = np.zeros((min(block, draws - begin), n), np.int64)
        for row in weights:
            for members in strata:
                drawn = generator.integers(members.size, size=members.size)
                row[members] = np.bincount(drawn, minlength=members.size)
        yield weights


def percentile_interval(draws: Array, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : ndarray, shape (draws,)
        The statistic in every draw; NaN where it had no value. Those are left out and counted.
    level : float
        Between 0 and 1.

    Returns
    -------
    Interval
        Quantiles (1 − level)/2 and (1 + level)/2, linearly interpolated (type 7).

    Raises
    ------
    InputError
        `level` outside (0, 1).
    UndefinedError
        The statistic had a value in fewer than two draws.
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"an interval of level {level}", allowed="between 0 and 1, both excluded")
    values = np.asarray(draws, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        raise UndefinedError(
            f"the statistic has a value in {finite.size} of {values.size} bootstrap draws",
            allowed="at least 2",
            todo="report the estimate without an interval, or collect more events",
        )
    lower, upper = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(lower), float(upper), level, int(finite.size), int(values.size - finite.size))
