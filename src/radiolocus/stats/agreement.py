"""How well repeated measurements of the same subjects agree: intraclass correlation and repeatability.

With n subjects, k repeats and the mean squares between subjects (MSB), within subjects (MSW) and of the residual after
the means of subjects and repeats (MSE):

- ICC(1,1) = (MSB − MSW) / (MSB + (k − 1) MSW): agreement of single measurements, one-way random effects;
- ICC(3,1) = (MSB − MSE) / (MSB + (k − 1) MSE): consistency of single measurements, two-way mixed effects: a shift that
  is the same for all subjects between two repeats costs nothing;
- within-subject standard deviation √MSW, and the repeatability coefficient 1.96 √2 √MSW, below which two measurements
  of one subject differ in 95 % of cases.

Intervals are those of the F distribution. They hold for normal effects of subjects and errors; for features far from
that they are approximate.

References
----------
Shrout & Fleiss 1979, Psychol Bull 86:420. McGraw & Wong 1996, Psychol Methods 1:30. Bland & Altman 1999, Stat Methods
Med Res 8:135.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import fdtri

from radiolocus.errors import InputError
from radiolocus.kernels.agreement import sums_of_squares
from radiolocus.model import Array

__all__ = ["Agreement", "agreement"]

# Values that differ by less than this share of their magnitude differ by rounding.
_ROUNDING = 1e-12
_FEW, _CONSTANT, _SHIFT = 1, 2, 3


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of many features at once; every array has shape (p,), and is NaN where there is no value.

    Parameters
    ----------
    n : ndarray of int64
        Subjects with all repeats.
    repeats : int
        Repeats of each subject.
    icc_1_1, icc_1_1_lower, icc_1_1_upper : ndarray
        ICC(1,1) with its interval.
    icc_3_1, icc_3_1_lower, icc_3_1_upper : ndarray
        ICC(3,1) with its interval.
    mean : ndarray
        Mean of all values.
    within_sd : ndarray
        Within-subject standard deviation, in the unit of the feature.
    repeatability : ndarray
        Repeatability coefficient, in the unit of the feature.
    status : ndarray of int64
        0 where both ICC have a value; :meth:`reason` says what the others mean.
    """

    reasons: ClassVar[Mapping[int, str]] = {
        0: "",
        _FEW: "fewer than two subjects with all repeats",
        _CONSTANT: "the same value in all subjects and repeats",
        _SHIFT: "all subjects have the same values, which differ between repeats alone: ICC(3,1) has no value",
    }

    n: npt.NDArray[np.int64]
    repeats: int
    icc_1_1: Array
    icc_1_1_lower: Array
    icc_1_1_upper: Array
    icc_3_1: Array
    icc_3_1_lower: Array
    icc_3_1_upper: Array
    mean: Array
    within_sd: Array
    repeatability: Array
    status: npt.NDArray[np.int64]

    def reason(self, feature: int) -> str:
        """Say why a feature lacks an ICC; empty when it has both."""
        return self.reasons[int(self.status[feature])]


def agreement(values: Array, level: float = 0.95) -> Agreement:
    """Intraclass correlations and repeatability of many features.

    Parameters
    ----------
    values : ndarray, shape (p, n, k)
        Features, subjects, repeats. A subject enters a feature with all its repeats or, where one of them is NaN or
        infinite, not at all.
    level : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    Agreement

    Raises
    ------
    InputError
        Not three axes, fewer than two repeats, or `level` outside (0, 1).
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] < 2:
        raise InputError(
            f"repeated measurements of shape {values.shape}",
            allowed="(features, subjects, repeats), two repeats or more",
        )
    if not 0.0 < level < 1.0:
        raise InputError(f"an interval of level {level}", allowed="between 0 and 1, both excluded")
    p, _, k = values.shape
    sums, n = np.empty((p, 5)), np.empty(p, np.int64)
    sums_of_squares(values, sums, n)
    between, within, repeats, mean, largest = (np.ascontiguousarray(column) for column in sums.T)
    status = np.where(n < 2, _FEW, 0)
    rounding = n * k * (_ROUNDING * largest) ** 2
    status[(status == 0) & (between + within <= rounding)] = _CONSTANT
    # What rounding leaves of a sum of squares that is zero is nothing, and must not be divided by.
    between, within, error = (np.where(s <= rounding, 0.0, s) for s in (between, within, within - repeats))
    status[(status == 0) & (between + error == 0.0)] = _SHIFT
    with np.errstate(invalid="ignore", divide="ignore"):
        msb, msw, mse = between / (n - 1), within / (n * (k - 1)), error / ((n - 1) * (k - 1))
        one = _icc(msb, msw, n - 1, n * (k - 1), k, level)
        three = _icc(msb, mse, n - 1, (n - 1) * (k - 1), k, level)
    absent = (status == _FEW) | (status == _CONSTANT)
    for array in (*one, *three, mean, msw):
        array[absent] = np.nan
    deviation = np.sqrt(msw)
    return Agreement(n, k, *one, *three, mean, deviation, 1.96 * np.sqrt(2.0) * deviation, status)


def _icc(
    between: Array, error: Array, df: npt.NDArray[np.int64], df_error: npt.NDArray[np.int64], k: int, level: float
) -> tuple[Array, Array, Array]:
    """ICC of single measurements from two mean squares, with its interval."""
    tail = (1.0 + level) / 2.0
    # Features without missing values share their degrees of freedom: the quantiles are looked up once for each.
    kinds, which = np.unique(df, return_inverse=True)
    other = np.zeros(kinds.size)
    other[which] = df_error
    above, below = fdtri(kinds, other, tail)[which], fdtri(other, kinds, tail)[which]
    ratio = between / error
    return _of_ratio(ratio, k), _of_ratio(ratio / above, k), _of_ratio(ratio * below, k)


def _of_ratio(ratio: Array, k: int) -> Array:
    # Without any error the ratio is infinite, and the agreement complete.
    return np.where(np.isinf(ratio), 1.0, (ratio - 1.0) / (ratio + (k - 1.0)))
