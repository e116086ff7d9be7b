"""−log10 p-values, right far beyond the range in which a p-value itself is a floating-point number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import erf, log_ndtr

from radiolocus.kernels.scan import log_p_of
from radiolocus.kernels.tail import CELL_WIDTH, interpolate_t, table_t, tails_chi2
from radiolocus.model import Array

__all__ = ["neg_log10_p_chi2", "neg_log10_p_normal", "neg_log10_p_t", "neg_log10_p_t_by"]

_LN10 = float(np.log(10.0))


@lru_cache(maxsize=4096)
def _table(df: float) -> Array:
    return table_t(df)


def neg_log10_p_t(t: npt.ArrayLike, df: npt.ArrayLike) -> Array:
    """−log10 of the two-sided p-value of Student's t.

    Parameters
    ----------
    t : array_like
        Statistic; the sign does not matter.
    df : array_like
        Degrees of freedom, broadcast against `t`; need not be whole.

    Returns
    -------
    ndarray of float64
        Of the broadcast shape. NaN where `t` is NaN or `df` is not positive; infinite only where `t` is.

    Notes
    -----
    The p-value is the regularised incomplete beta function I_x(df/2, 1/2) at x = df / (df + t²), kept in logarithms.
    For |t| < 8 a table of each `df` is interpolated to rounding error, so that millions of statistics that share
    their degrees of freedom cost a few nanoseconds each.
    """
    statistic, freedom = np.asarray(t, dtype=np.float64), np.asarray(df, dtype=np.float64)
    kinds, which = np.unique(freedom, return_inverse=True)
    shape = np.broadcast_shapes(statistic.shape, freedom.shape)
    flat = np.ascontiguousarray(np.broadcast_to(statistic, shape)).ravel()
    out = np.full(flat.shape, np.nan)
    if flat.size == 0:
        return out.reshape(shape)
    if kinds.size == 1:
        _fill(flat, float(kinds[0]), out)
        return out.reshape(shape)
    members = np.broadcast_to(which.reshape(freedom.shape), shape).ravel()
    order = np.argsort(members, kind="stable")
    stops = np.cumsum(np.bincount(members, minlength=kinds.size))
    for value, chosen in zip(kinds, np.split(order, stops[:-1]), strict=True):
        part = np.full(chosen.shape, np.nan)
        _fill(flat[chosen], float(value), part)
        out[chosen] = part
    return out.reshape(shape)


def neg_log10_p_t_by(t: Array, df: npt.NDArray[np.int64], pattern: npt.NDArray[np.int64]) -> Array:
    """−log10 of the two-sided p-value of Student's t where columns of one pattern share their degrees of freedom.

    Parameters
    ----------
    t : ndarray of float64, shape (V, P)
    df : ndarray of int64, shape (V, patterns), or (1, patterns) where it is the same for all rows
        Not read where t is NaN.
    pattern : ndarray of int64, shape (P,)

    Returns
    -------
    ndarray of float64, shape (V, P)
        As :func:`neg_log10_p_t`, NaN where t is NaN.
    """
    out = np.empty(t.shape)
    if t.size == 0:
        return out
    freedom = np.maximum(df, 1)
    # whole numbers up to the number of subjects: counted, which is quicker than sorted
    there = np.bincount(freedom.ravel()) > 0
    kinds, which = np.flatnonzero(there), (np.cumsum(there) - 1)[freedom]
    tables = np.stack([_table(float(kind)) for kind in kinds])
    if log_p_of(t, which.astype(np.int64), pattern, tables, CELL_WIDTH, out):
        v, p = np.nonzero(out < 0)
        out[v, p] = neg_log10_p_t(t[v, p], freedom[v if df.shape[0] > 1 else 0, pattern[p]])
    return out


def _fill(t: Array, df: float, out: Array) -> None:
    if np.isfinite(df) and df > 0:
        interpolate_t(t, df, _table(df), out)
    elif df == np.inf:
        out[:] = neg_log10_p_normal(t)


def neg_log10_p_normal(z: npt.ArrayLike) -> Array:
    """−log10 of the two-sided p-value of a standard normal statistic; shape of `z`, NaN where `z` is NaN."""
    size = np.abs(np.asarray(z, dtype=np.float64))
    near = size < 1.0
    # Near zero ln Φ(−z) + ln 2 cancels; the central probability does not.
    central = -np.log1p(-erf(np.where(near, size, 0.0) / np.sqrt(2.0)))
    tail = -(log_ndtr(-np.where(near, 1.0, size)) + np.log(2.0))
    return np.asarray(np.where(near, central, tail) / _LN10)


def neg_log10_p_chi2(x: npt.ArrayLike, df: npt.ArrayLike) -> Array:
    """−log10 of the upper tail of χ² with `df` degrees of freedom; broadcast shape, NaN for negative `x`."""
    statistic, freedom = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(df, np.float64))
    out = np.empty(statistic.size)
    tails_chi2(statistic.flatten(), freedom.flatten(), out)
    return out.reshape(statistic.shape)
