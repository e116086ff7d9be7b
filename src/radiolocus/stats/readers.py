"""Agreement of two readers: Cohen's κ for calls, Bland–Altman for measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["Kappa", "Limits", "bland_altman", "cohen_kappa"]


@dataclass(frozen=True)
class Kappa:
    """Cohen's κ: `value` (NaN where chance alone gives full agreement), its interval, the observed agreement, pairs."""

    value: float
    lower: float
    upper: float
    observed: float
    n: int


@dataclass(frozen=True)
class Limits:
    """Bland–Altman: mean difference, its standard deviation, limits of agreement, each with its interval, and pairs."""

    bias: float
    bias_lower: float
    bias_upper: float
    sd: float
    lower: float
    lower_lower: float
    lower_upper: float
    upper: float
    upper_lower: float
    upper_upper: float
    n: int


def cohen_kappa(one: Sequence[str], other: Sequence[str], level: float = 0.95) -> Kappa:
    """Agreement of two readers beyond chance.

    Parameters
    ----------
    one, other : sequence of str, length n
        Calls of the same things.
    level : float
        Coverage of the interval, normal with the large-sample standard error.

    Raises
    ------
    InputError
        No pair, or sequences of different lengths.

    References
    ----------
    Cohen, Educ Psychol Meas 1960;20:37. Fleiss, Cohen & Everitt, Psychol Bull 1969;72:323 (standard error).
    """
    if len(one) != len(other) or not one:
        raise InputError(f"{len(one)} and {len(other)} calls", allowed="pairs, at least one")
    words, codes = np.unique(np.array([*one, *other]), return_inverse=True)
    n, k = len(one), words.size
    table: Array = np.zeros((k, k))
    np.add.at(table, (codes[:n], codes[n:]), 1.0 / n)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    observed, chance = float(np.trace(table)), float(rows @ columns)
    if chance >= 1.0 - 1e-12:
        return Kappa(np.nan, np.nan, np.nan, observed, n)
    value = (observed - chance) / (1 - chance)
    diagonal = np.diag(table)
    # What a cell (i, j) adds to the agreement by chance: the margins of the other reader at i and of the first at j.
    weight = columns[:, None] + rows[None, :]
    off = table * weight**2
    first = float((diagonal * (1 - (rows + columns) * (1 - value)) ** 2).sum())
    second = (1 - value) ** 2 * float(off.sum() - np.trace(off))
    variance = (first + second - (value - chance * (1 - value)) ** 2) / ((1 - chance) ** 2 * n)
    half = float(ndtri((1 + level) / 2)) * max(variance, 0.0) ** 0.5
    return Kappa(value, max(value - half, -1.0), min(value + half, 1.0), observed, n)


def bland_altman(one: npt.ArrayLike, other: npt.ArrayLike, level: float = 0.95) -> Limits:
    """Limits of agreement between two readers: mean difference ± 1.96 standard deviations.

    Parameters
    ----------
    one, other : array_like, shape (n,)
        Measurements of the same things; differences are `one` − `other`.
    level : float
        Coverage of the intervals.

    Raises
    ------
    InputError
        Fewer than two pairs, or values that are not finite.

    References
    ----------
    Bland & Altman, Lancet 1986;i:307 (the standard error of a limit is about √3 s/√n).
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(f"{a.size} and {b.size} measurements", allowed="at least two pairs of finite numbers")
    gap = a - b
    n, bias, sd = gap.size, float(gap.mean()), float(gap.std(ddof=1))
    t = float(stdtrit(n - 1, (1 + level) / 2))
    near, far = t * sd / n**0.5, t * sd * (3 / n) ** 0.5
    low, high = bias - 1.96 * sd, bias + 1.96 * sd
    return Limits(bias, bias - near, bias + near, sd, low, low - far, low + far, high, high - far, high + far, n)
