"""Counting over a tile of permuted statistics while it is still in the cache: rows are markers, columns features."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["count_pairs", "group_maxima", "masked_z", "row_step_down", "whole_z"]

Single = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int32]


@kernel
def whole_z(r: Single, df: float) -> None:
    """Turn correlations of `df` degrees of freedom into |z| in place: z² = −(df − 1/2) ln(1 − r²) (Wallace 1959)."""
    factor = np.float32(-(df - 0.5))
    one, most = np.float32(1.0), np.float32(0.9999999)
    for i in range(r.shape[0]):
        for j in range(r.shape[1]):
            square = min(r[i, j] * r[i, j], most)
            r[i, j] = math.sqrt(factor * math.log(one - square))


@kernel
def masked_z(sxy: Single, sx: Single, sy: Single, sxx: Single, syy: Single, n: Single, taken: int, least: int) -> None:
    """|z| of the correlation over the subjects that have both, into `sxy`; 0 where that is not defined.

    Parameters
    ----------
    sxy, sx, sy, sxx, syy, n : ndarray of float32, shape (markers, features)
        Sums over those subjects, and how many they are.
    taken : int
        Degrees of freedom of the covariates.
    least : int
        Fewer subjects give 0.
    """
    for i in range(sxy.shape[0]):
        for j in range(sxy.shape[1]):
            count = n[i, j]
            xx = count * sxx[i, j] - sx[i, j] * sx[i, j]
            yy = count * syy[i, j] - sy[i, j] * sy[i, j]
            df = count - 2 - taken
            # what float32 leaves of a column that is constant among these subjects
            if count < least or df < 1 or xx <= 1e-5 * count * sxx[i, j] or yy <= 1e-5 * count * syy[i, j]:
                sxy[i, j] = 0.0
                continue
            r = (count * sxy[i, j] - sx[i, j] * sy[i, j]) / math.sqrt(xx * yy)
            sxy[i, j] = math.sqrt(-(df - 0.5) * math.log(1.0 - min(r * r, 0.9999999)))


@kernel
def count_pairs(statistic: Single, observed: Single, count: Counts) -> None:
    """Count where the size of a permuted statistic reaches the observed one; `statistic` becomes its size."""
    for i in range(statistic.shape[0]):
        for j in range(statistic.shape[1]):
            size = abs(statistic[i, j])
            statistic[i, j] = size
            count[i, j] += size >= observed[i, j]


@kernel
def row_step_down(statistic: Single, order: Counts, observed: Single, count: Counts, largest: Single) -> None:
    """Count the successive maxima of Westfall and Young, features within each marker.

    Parameters
    ----------
    statistic : ndarray of float32, shape (markers, features)
        Sizes.
    order : ndarray of int32, shape (markers, features)
        Features from the largest observed statistic to the smallest.
    observed : ndarray of float32, shape (markers, features)
    count : ndarray of int32, shape (markers, features)
        Incremented, by feature, where the maximum over this feature and those after it reaches the observed size.
    largest : ndarray of float32, shape (markers,)
        Receives the maximum over all features.
    """
    for i in range(statistic.shape[0]):
        running = np.float32(0.0)
        for k in range(statistic.shape[1] - 1, -1, -1):
            j = order[i, k]
            running = max(running, statistic[i, j])
            count[i, j] += running >= observed[i, j]
        largest[i] = running


@kernel
def group_maxima(statistic: Single, begins: Counts, largest: Single) -> None:
    """Raise the maximum of every run of columns, which starts at ``begins[g]`` and ends before ``begins[g + 1]``."""
    for i in range(statistic.shape[0]):
        for g in range(begins.size - 1):
            found = largest[g]
            for j in range(begins[g], begins[g + 1]):
                found = max(found, statistic[i, j])
            largest[g] = found
