"""Sums of squares of subjects × repeats, feature by feature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["sums_of_squares"]


@kernel
def sums_of_squares(values: Array, sums: Array, counts: npt.NDArray[np.int64]) -> None:
    """Take the two-way table of every feature apart; only subjects whose repeats are all finite enter.

    Deviations are taken from the mean in a second pass, so that a large mean costs no digits.

    Parameters
    ----------
    values : ndarray, shape (p, n, k)
        Features, subjects, repeats.
    sums : ndarray, shape (p, 5)
        Written: sum of squares between subjects, within subjects, between repeats, then the mean and the largest
        magnitude.
    counts : ndarray of int64, shape (p,)
        Written: complete subjects.
    """
    p, n, k = values.shape
    columns = np.empty(k)
    for j in range(p):
        complete = 0
        total = 0.0
        largest = 0.0
        for i in range(n):
            row = 0.0
            top = 0.0
            for r in range(k):
                row += values[j, i, r]
                top = max(top, abs(values[j, i, r]))
            if np.isfinite(row):
                complete += 1
                total += row
                largest = max(largest, top)
        counts[j] = complete
        mean = total / (complete * k) if complete > 0 else np.nan
        between = 0.0
        within = 0.0
        columns[:] = 0.0
        for i in range(n):
            row = 0.0
            for r in range(k):
                row += values[j, i, r] - mean
            if not np.isfinite(row):
                continue
            level = row / k
            between += k * level * level
            for r in range(k):
                deviation = values[j, i, r] - mean
                columns[r] += deviation
                within += (deviation - level) * (deviation - level)
        repeats = 0.0
        for r in range(k):
            repeats += columns[r] * columns[r]
        sums[j, 0] = between
        sums[j, 1] = within
        sums[j, 2] = repeats / complete if complete > 0 else np.nan
        sums[j, 3] = mean
        sums[j, 4] = largest
