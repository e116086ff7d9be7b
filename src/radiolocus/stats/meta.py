"""Estimates of several cohorts made one: fixed and random effects, weighted z, heterogeneity.

Every function takes a row a question and a column a cohort; NaN stands where a cohort has no estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri_exp

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Array
from radiolocus.registry import suggest
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal, neg_log10_p_t

__all__ = [
    "TAU2_METHODS",
    "Fixed",
    "Heterogeneity",
    "Random",
    "WeightedZ",
    "combine_z",
    "fixed_effect",
    "heterogeneity",
    "i2_interval",
    "random_effects",
    "z_of_p",
]

Tau2Method = Literal["dl", "pm", "reml"]
TAU2_METHODS = ("dl", "pm", "reml")
_Z95 = 1.959963984540054
_MAX_ITERATIONS = 200
_CONVERGED = 1e-12


@dataclass(frozen=True, eq=False)
class Fixed:
    """Inverse-variance weighted means, shape (V,); NaN where no cohort has an estimate.

    Parameters
    ----------
    beta, standard_error, z, neg_log10_p : ndarray
    cohorts : ndarray of int64
        Estimates that entered.
    """

    beta: Array
    standard_error: Array
    z: Array
    neg_log10_p: Array
    cohorts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """Disagreement of cohorts, shape (V,); NaN with fewer than two estimates.

    Parameters
    ----------
    q : ndarray
        Cochran's Q.
    df : ndarray of int64
    neg_log10_p : ndarray
        −log10 of the upper tail of χ².
    i2 : ndarray
        (Q − df) / Q, at least 0: share of the variance that is not sampling.
    """

    q: Array
    df: npt.NDArray[np.int64]
    neg_log10_p: Array
    i2: Array


@dataclass(frozen=True, eq=False)
class Random:
    """Means of random-effects models, shape (V,); NaN with fewer than two estimates.

    Parameters
    ----------
    beta, standard_error, statistic, neg_log10_p : ndarray
        The statistic is z, or t of `df` degrees of freedom under Hartung and Knapp.
    tau2 : ndarray
        Variance between cohorts.
    df : ndarray
        Infinite for z.
    """

    beta: Array
    standard_error: Array
    statistic: Array
    neg_log10_p: Array
    tau2: Array
    df: Array


@dataclass(frozen=True, eq=False)
class WeightedZ:
    """Combined z of cohorts weighted by the roots of their sizes, shape (V,)."""

    z: Array
    neg_log10_p: Array
    n: Array
    q: Array
    q_neg_log10_p: Array


def _pair(beta: npt.ArrayLike, error: npt.ArrayLike) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Estimates and inverse variances with zero in the place of what is absent, and what is there."""
    b, s = np.asarray(beta, np.float64), np.asarray(error, np.float64)
    if b.shape != s.shape or b.ndim != 2:
        raise InputError(f"estimates of shape {b.shape} with errors of shape {s.shape}", allowed="(V, cohorts) both")
    there = ~(np.isnan(b) | np.isnan(s))
    bad = there & ~(np.isfinite(b) & np.isfinite(s) & (s > 0))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise InputError(
            f"estimate {b[i, j]:g} with standard error {s[i, j]:g}",
            where=f"row {i}, cohort {j} ({int(bad.sum())} such)",
            allowed="finite numbers, errors above 0, NaN where there is none",
        )
    weight = np.zeros(b.shape)
    weight[there] = 1.0 / np.square(s[there])
    return np.where(there, b, 0.0), weight, there


def fixed_effect(beta: npt.ArrayLike, standard_error: npt.ArrayLike) -> Fixed:
    """Weight estimates by their inverse variances.

    Parameters
    ----------
    beta, standard_error : array_like, shape (V, C)

    Returns
    -------
    Fixed

    Raises
    ------
    InputError
        Shapes that disagree, an estimate that is infinite, or an error that is not above 0.

    References
    ----------
    Cochran WG. The combination of estimates from different experiments. Biometrics 1954;10:101–129.
    """
    b, w, there = _pair(beta, standard_error)
    mean, error = _mean(b, w)
    z = mean / error
    return Fixed(mean, error, z, neg_log10_p_normal(z), there.sum(axis=1))


def _mean(b: Array, w: Array) -> tuple[Array, Array]:
    total = w.sum(axis=1)
    known = total > 0
    total = np.where(known, total, np.nan)
    return (w * b).sum(axis=1) / total, 1.0 / np.sqrt(total)


def heterogeneity(beta: npt.ArrayLike, standard_error: npt.ArrayLike) -> Heterogeneity:
    """Cochran's Q and I².

    Parameters
    ----------
    beta, standard_error : array_like, shape (V, C)

    Returns
    -------
    Heterogeneity

    References
    ----------
    Cochran 1954; Higgins & Thompson, Stat Med 2002;21:1539–1558, doi:10.1002/sim.1186.
    """
    b, w, there = _pair(beta, standard_error)
    mean, _ = _mean(b, w)
    df = there.sum(axis=1) - 1
    enough = df > 0
    q = np.where(enough, _q(b, w, mean), np.nan)
    return Heterogeneity(q, np.maximum(df, 0), _upper(q, df), _i2(q, df))


def _q(b: Array, w: Array, mean: Array) -> Array:
    return np.asarray((w * np.square(b - np.where(np.isnan(mean), 0.0, mean)[:, None])).sum(axis=1))


def _upper(q: Array, df: npt.NDArray[np.int64]) -> Array:
    out = np.full(q.shape, np.nan)
    known = (df > 0) & ~np.isnan(q)
    out[known] = neg_log10_p_chi2(q[known], df[known])
    return out


def _i2(q: Array, df: npt.NDArray[np.int64]) -> Array:
    excess = q > df
    return np.where(np.isnan(q), np.nan, np.where(excess, (q - df) / np.where(excess, q, 1.0), 0.0))


def i2_interval(q: npt.ArrayLike, df: npt.ArrayLike) -> tuple[Array, Array]:
    """Test-based 95 % interval of I², from the logarithm of H = √(Q / df).

    Parameters
    ----------
    q : array_like, shape (V,)
        Cochran's Q.
    df : array_like, shape (V,)
        Cohorts less one.

    Returns
    -------
    lower, upper : ndarray, shape (V,)
        NaN with two estimates and Q ≤ 2 (the formula divides by zero there), and with fewer than two.

    References
    ----------
    Higgins & Thompson, Stat Med 2002;21:1539–1558, doi:10.1002/sim.1186, section 3.
    """
    statistic, freedom = np.broadcast_arrays(np.asarray(q, np.float64), np.asarray(df, np.float64))
    k = freedom + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        log_h = 0.5 * (np.log(statistic) - np.log(freedom))
        far = 0.5 * (np.log(statistic) - np.log(freedom)) / (np.sqrt(2 * statistic) - np.sqrt(2 * k - 3))
        near = np.sqrt(1.0 / (2 * (k - 2)) * (1.0 - 1.0 / (3 * np.square(k - 2))))
        error = np.where(statistic > k, far, np.where(k > 2, near, np.nan))
        # an H below 1 says no more than 1 does, and its interval is drawn about what was seen
        low, high = np.exp(log_h - _Z95 * error), np.exp(log_h + _Z95 * error)
        ends = [np.maximum(1.0 - 1.0 / np.square(h), 0.0) for h in (low, high)]
    known = (freedom > 0) & ~np.isnan(statistic) & ~np.isnan(error) & (statistic > 0)
    return np.where(known, ends[0], np.nan), np.where(known, ends[1], np.nan)


def random_effects(
    beta: npt.ArrayLike, standard_error: npt.ArrayLike, method: Tau2Method = "dl", *, hartung_knapp: bool = False
) -> Random:
    """Let the effects of cohorts differ with variance τ².

    Parameters
    ----------
    beta, standard_error : array_like, shape (V, C)
    method : {"dl", "pm", "reml"}
        Estimator of τ²: DerSimonian and Laird, Paule and Mandel, or restricted maximum likelihood.
    hartung_knapp : bool
        Standard error from the spread of the estimates, and Student's t of cohorts − 1 degrees of freedom.

    Returns
    -------
    Random

    Raises
    ------
    ConfigError
        An unknown method.
    InputError
        As :func:`fixed_effect`.

    References
    ----------
    DerSimonian & Laird 1986, doi:10.1016/0197-2456(86)90046-2; Paule & Mandel 1982, doi:10.6028/jres.087.022;
    Viechtbauer 2005, doi:10.3102/10769986030003261; Hartung & Knapp 2001, doi:10.1002/sim.1009.
    """
    if method not in TAU2_METHODS:
        raise ConfigError(
            f"method = '{method}'", allowed=", ".join(TAU2_METHODS), todo=suggest(method, TAU2_METHODS)
        )  # fmt: skip
    b, w, there = _pair(beta, standard_error)
    count = there.sum(axis=1)
    enough = count > 1
    tau2 = np.full(count.shape, np.nan)
    solve = {"dl": _dersimonian_laird, "pm": _paule_mandel, "reml": _reml}[method]
    tau2[enough] = solve(b[enough], w[enough], there[enough])
    mean, error, statistic, df = (np.full(count.shape, np.nan) for _ in range(4))
    spread = _spread(w[enough], there[enough], tau2[enough])
    mean[enough], error[enough] = _mean(b[enough], spread)
    df[enough] = np.inf
    if hartung_knapp:
        freedom = count[enough] - 1.0
        scale = _q(b[enough], spread, mean[enough]) / freedom
        error[enough] *= np.sqrt(scale)
        df[enough] = freedom
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic[enough] = mean[enough] / error[enough]
    log_p = neg_log10_p_t(statistic, df) if hartung_knapp else neg_log10_p_normal(statistic)
    return Random(mean, error, statistic, log_p, tau2, df)


def _spread(w: Array, there: npt.NDArray[np.bool_], tau2: Array) -> Array:
    """Inverse of the variance within plus that between."""
    variance = np.where(there, 1.0, 0.0) / np.where(there, w, 1.0) + tau2[:, None]
    return np.where(there, 1.0 / np.where(there, variance, 1.0), 0.0)


def _dersimonian_laird(b: Array, w: Array, there: npt.NDArray[np.bool_]) -> Array:
    mean, _ = _mean(b, w)
    total = w.sum(axis=1)
    excess = _q(b, w, mean) - (there.sum(axis=1) - 1)
    return np.asarray(np.maximum(excess / (total - np.square(w).sum(axis=1) / total), 0.0))


def _paule_mandel(b: Array, w: Array, there: npt.NDArray[np.bool_]) -> Array:
    """Solve Q(τ²) = k − 1 by Newton's method from 0, where the convex, falling Q is approached from its left."""
    tau2 = np.zeros(b.shape[0])
    df = there.sum(axis=1) - 1.0
    open_rows = np.flatnonzero(_q(b, w, _mean(b, w)[0]) > df)
    for _ in range(_MAX_ITERATIONS):
        if not open_rows.size:
            break
        part = b[open_rows]
        v = _spread(w[open_rows], there[open_rows], tau2[open_rows])
        apart = np.square(part - _mean(part, v)[0][:, None])
        gap = (v * apart).sum(axis=1) - df[open_rows]
        step = gap / (np.square(v) * apart).sum(axis=1)
        tau2[open_rows] += step
        open_rows = open_rows[step > _CONVERGED * tau2[open_rows]]
    return tau2


def _reml(b: Array, w: Array, there: npt.NDArray[np.bool_]) -> Array:
    """Fisher scoring on the restricted likelihood from the estimate of DerSimonian and Laird, halved below 0."""
    tau2 = _dersimonian_laird(b, w, there)
    open_rows = np.arange(tau2.size)
    for iteration in range(_MAX_ITERATIONS):
        if not open_rows.size:
            break
        part, here = b[open_rows], tau2[open_rows]
        v = _spread(w[open_rows], there[open_rows], here)
        total, squares = v.sum(axis=1), np.square(v).sum(axis=1)
        apart = np.square(part - _mean(part, v)[0][:, None])
        # derivative of twice the restricted log-likelihood, and its expected curvature (Viechtbauer 2005, eq. 13)
        slope = (np.square(v) * apart).sum(axis=1) - total + squares / total
        curve = squares - 2.0 * (v**3).sum(axis=1) / total + np.square(squares / total)
        # full steps may swing about the maximum for ever: rows that are still open take shorter ones
        damp = 0.5 ** min(iteration // 20, 7)
        step = np.maximum(damp * slope / curve, -here)
        tau2[open_rows] = here + step
        # an estimate at zero stays there while the likelihood falls; within variances give the scale of what is small
        small = _CONVERGED * (here + there[open_rows].sum(axis=1) / w[open_rows].sum(axis=1))
        open_rows = open_rows[np.abs(step) > small]
    return tau2


def z_of_p(neg_log10_p: npt.ArrayLike, sign: npt.ArrayLike) -> Array:
    """Normal statistic of a two-sided p-value with the sign of an effect; right far beyond 1e-308.

    Parameters
    ----------
    neg_log10_p : array_like
        −log10 p, at least 0.
    sign : array_like
        Only its sign is read.
    """
    log_half = -np.asarray(neg_log10_p, np.float64) * np.log(10.0) - np.log(2.0)
    return np.asarray(-ndtri_exp(log_half) * np.sign(np.asarray(sign, np.float64)))


def combine_z(z: npt.ArrayLike, n: npt.ArrayLike) -> WeightedZ:
    """Combine normal statistics with weights √n: METAL's default scheme, for phenotypes of different units.

    Parameters
    ----------
    z, n : array_like, shape (V, C)
        Statistics in one direction, and sizes of the samples.

    Returns
    -------
    WeightedZ
        Q compares each z with what the combined one lets expect of a cohort of its size.

    References
    ----------
    Willer, Li & Abecasis 2010, doi:10.1093/bioinformatics/btq340.
    """
    values, sizes = np.asarray(z, np.float64), np.asarray(n, np.float64)
    there = ~(np.isnan(values) | np.isnan(sizes))
    if (sizes[there] <= 0).any():
        raise InputError("a sample size that is not above 0", allowed="sizes above 0, NaN where there is none")
    root = np.sqrt(np.where(there, sizes, 0.0))
    values = np.where(there, values, 0.0)
    total = np.square(root).sum(axis=1)
    total = np.where(total > 0, total, np.nan)
    combined = (root * values).sum(axis=1) / np.sqrt(total)
    expected = root * (combined / np.sqrt(total))[:, None]
    df = there.sum(axis=1) - 1
    q = np.where(df > 0, np.where(there, np.square(values - expected), 0.0).sum(axis=1), np.nan)
    return WeightedZ(combined, neg_log10_p_normal(combined), total, q, _upper(q, df))
