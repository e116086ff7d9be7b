"""Distance correlation: zero only under independence, whatever the shape of the dependence; many columns with many.

Székely, Rizzo & Bakirov, Annals of Statistics 2007;35:2769; bias-corrected: Székely & Rizzo, Annals of Statistics
2014;42:2382. Columns are variables of one dimension, rows are subjects; arrays are complete.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, stdtr

from radiolocus.model import Array

__all__ = ["distance_correlation", "neg_log10_p_distance", "neg_log10_p_distance_t", "unit_centred"]

_LN10 = float(np.log(10.0))
# Numbers of U-centred distances that are held at a time for either side.
_ROOM = 1 << 24


def distance_correlation(X: Array, Y: Array) -> Array:
    """Bias-corrected squared distance correlation of every column of `X` with every column of `Y`.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    Y : ndarray, shape (n, q)
        At least four rows.

    Returns
    -------
    ndarray, shape (p, q)
        Σ A B / √(Σ A² Σ B²) over the U-centred distances A and B: at most 1, about 0 under independence (often below);
        it estimates the squared distance correlation of the population. NaN for a constant column.
    """
    n = len(X)
    block = max(1, _ROOM // (n * n))
    out = np.full((X.shape[1], Y.shape[1]), np.nan)
    for j in range(0, Y.shape[1], block):
        right = unit_centred(Y[:, j : j + block])
        for i in range(0, X.shape[1], block):
            out[i : i + block, j : j + block] = unit_centred(X[:, i : i + block]) @ right.T
    return out


def unit_centred(values: Array) -> Array:
    """U-centred distances of each column above the diagonal, as rows of length one; NaN where all distances are 0."""
    n = len(values)
    above = np.triu_indices(n, 1)
    rows = np.empty((values.shape[1], above[0].size))
    for k, column in enumerate(values.T):
        distance = np.abs(column[:, None] - column[None, :])
        total = distance.sum(axis=0)
        # exact for the distances of the line too: sums of whole rows, not of sorted parts
        centred = distance - total[:, None] / (n - 2) - total[None, :] / (n - 2) + total.sum() / ((n - 1.0) * (n - 2.0))
        length = np.linalg.norm(centred[above])
        rows[k] = centred[above] / length if np.ptp(column) > 0 and length > 0 else np.nan
    return rows


def neg_log10_p_distance(correlation: npt.ArrayLike, n: int) -> Array:
    """−log10 p by the χ² test: P(χ²₁ ≥ n R + 1).

    Valid in any dimension at levels up to 0.05, and prudent: the null distribution of n R is a weighted sum of centred
    χ²₁, and lies below a single one in the tail (Shen, Panda & Vogelstein 2022, J Comput Graph Stat 31:254).
    """
    statistic = np.maximum(n * np.asarray(correlation, dtype=np.float64) + 1.0, 0.0)
    return np.asarray(-(log_ndtr(-np.sqrt(statistic)) + np.log(2.0)) / _LN10)


def neg_log10_p_distance_t(correlation: npt.ArrayLike, n: int) -> Array:
    """−log10 p by the t-test of Székely and Rizzo: R √(v − 1) / √(1 − R²), one-sided, v = n (n − 3) / 2.

    Its null distribution is that of high dimension (J Multivariate Anal 2013;117:193): for two single variables, with
    their heavier tail, it rejects too often, so the χ² test is the default and this one is there to compare.
    """
    r = np.clip(np.asarray(correlation, dtype=np.float64), -1.0, 1.0)
    df = n * (n - 3) / 2.0 - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = r * np.sqrt(df / ((1.0 - r) * (1.0 + r)))
        return np.asarray(-np.log10(stdtr(df, -t)))
