"""Whether hazards are proportional: score tests of a Cox model, and scaled Schoenfeld residuals with a smooth curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.cox import CoxFit, Ties, fit_cox
from radiolocus.stats.survival import check_survival, kaplan_meier
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["ProportionalHazards", "Smooth", "Transform", "proportional_hazards"]

Transform = Literal["km", "rank", "log", "identity"]
_TRANSFORMS = ("km", "rank", "log", "identity")


@dataclass(frozen=True, eq=False)
class Smooth:
    """A natural cubic spline of scaled residuals on the transformed time.

    Parameters
    ----------
    at, time : ndarray, shape (k,)
        Transformed time, and the time it stands for.
    estimate, error : ndarray, shape (k,)
        Log hazard ratio there, and its pointwise standard error.
    """

    at: Array
    time: Array
    estimate: Array
    error: Array


@dataclass(frozen=True, eq=False)
class ProportionalHazards:
    """Score tests that coefficients do not change with (transformed) time.

    Parameters
    ----------
    statistic : ndarray, shape (p + 1,)
        χ² of each column with one degree of freedom; last, of all columns together, with p.
    neg_log10_p : ndarray, shape (p + 1,)
    time, at : ndarray, shape (d,)
        Times of the events, ascending, and transformed.
    residual : ndarray, shape (d, p)
        Scaled Schoenfeld residuals plus the coefficient: what the coefficient would be at that time.
    variance : ndarray, shape (p,)
        Of one scaled residual.
    fit : CoxFit
    """

    statistic: Array
    neg_log10_p: Array
    time: Array
    at: Array
    residual: Array
    variance: Array
    fit: CoxFit

    def smooth(self, column: int, points: int = 40, degrees: int = 4) -> Smooth:
        """Smooth the residuals of a column by least squares; the band is ``estimate ± 2 error``, as R draws it.

        Raises
        ------
        UndefinedError
            Too few distinct event times for the spline.
        """
        at = np.linspace(self.at.min(), self.at.max(), points)
        basis = _natural(np.r_[at, self.at], degrees)
        there, here = basis[:points], basis[points:]
        if np.linalg.matrix_rank(here) < degrees:
            raise UndefinedError(
                f"a smooth curve through {np.unique(self.at).size} distinct event times",
                allowed=f"a spline of {degrees} degrees of freedom",
                todo="look at the residuals themselves",
            )
        weight = np.linalg.pinv(here)
        estimate = there @ weight @ self.residual[:, column]
        spread = np.einsum("kd,kd->k", there @ weight, there @ weight)
        distinct, first = np.unique(self.at, return_index=True)
        time = np.interp(at, distinct, self.time[first])
        return Smooth(at, time, estimate, np.sqrt(self.variance[column] * spread))


def proportional_hazards(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    X: npt.ArrayLike,
    *,
    transform: Transform = "km",
    ties: Ties = "efron",
    names: Sequence[str] | None = None,
) -> ProportionalHazards:
    """Test proportional hazards of a Cox model, column by column and together.

    Parameters
    ----------
    time, event : array_like, shape (n,)
    X : array_like, shape (n, p) or (n,)
    transform : {"km", "rank", "log", "identity"}
        Function of time along which coefficients may change: one less the Kaplan–Meier estimate just before it (the
        default, in which outlying times weigh no more than others), its rank, logarithm, or time itself.
    ties : {"efron", "breslow"}
    names : sequence of str, optional
        Column names for messages.

    Returns
    -------
    ProportionalHazards

    Raises
    ------
    InputError
        Unusable input; an event at time zero with the logarithm.
    FitError
        The Cox model cannot be fitted, or all events are at one time.

    References
    ----------
    Grambsch & Therneau, Biometrika 1994;81:515; here as the exact score test, which is what R's ``cox.zph`` has been
    since survival 3.0.
    """
    if transform not in _TRANSFORMS:
        raise InputError(f"transform '{transform}'", allowed=", ".join(_TRANSFORMS))
    times, events = check_survival(time, event)
    matrix = np.asarray(X, dtype=np.float64).reshape(times.size, -1)
    fit = fit_cox(times, events, matrix, ties=ties, names=names)
    clock = _clock(times, events, transform)
    order = np.argsort(times, kind="stable")
    residual, blocks = _residuals(times[order], events[order], matrix[order], fit)
    at = clock[order][events[order]]
    if np.ptp(at) == 0:
        raise FitError("all events at one time", allowed="events at two times or more: effects change over time or not")
    score, information = residual.T @ (at - at.mean()), _information(blocks, at - at.mean())
    p = matrix.shape[1]
    statistic = np.empty(p + 1)
    for j in range(p + 1):
        chosen = np.array([j]) if j < p else np.arange(p)
        kept = np.r_[np.arange(p), p + chosen]
        u = np.r_[np.zeros(p), score[chosen]]
        statistic[j] = u @ np.linalg.solve(information[np.ix_(kept, kept)], u)
    degrees = np.r_[np.ones(p, dtype=np.int64), p]
    variance = fit.covariance * int(events.sum())
    return ProportionalHazards(
        statistic,
        np.array([float(neg_log10_p_chi2(s, int(d))) for s, d in zip(statistic, degrees, strict=True)]),
        times[order][events[order]],
        at,
        residual @ variance + fit.coefficient,
        np.diag(variance),
        fit,
    )


def _clock(times: Array, events: npt.NDArray[np.bool_], transform: Transform) -> Array:
    if transform == "identity":
        return times
    if transform == "log":
        if (times[events] <= 0).any():
            raise InputError("an event at time 0", where="transform", allowed="km, rank or identity")
        return np.asarray(np.log(np.maximum(times, np.finfo(np.float64).tiny)))
    distinct, place = np.unique(times, return_inverse=True)
    if transform == "rank":
        size = np.bincount(place)
        return np.asarray((np.cumsum(size) - (size - 1) / 2)[place])
    curve = kaplan_meier(times, events)
    return np.asarray(1.0 - np.r_[1.0, curve.survival][np.searchsorted(distinct, times, side="left")])


def _residuals(times: Array, events: npt.NDArray[np.bool_], X: Array, fit: CoxFit) -> tuple[Array, Array]:
    """Schoenfeld residual of every event, and the variance of the covariates in its risk set; times ascend."""
    Z = X - X.mean(axis=0)
    linear = Z @ fit.coefficient
    weight = np.exp(linear - linear.max())
    moments = np.column_stack([np.ones(len(Z)), Z])
    outer = weight[:, None, None] * moments[:, :, None] * moments[:, None, :]
    first = np.searchsorted(times, times, side="left")
    at_risk = np.cumsum(outer[::-1], axis=0)[::-1]
    residual, variance = [], []
    for start in np.unique(first[events]):
        dying = np.flatnonzero(events & (first == start))
        tied, d = outer[dying].sum(axis=0), dying.size
        share = np.arange(d) / d if fit.ties == "efron" else np.zeros(d)
        sums = at_risk[start] - share[:, None, None] * tied
        mean = sums[:, 0, 1:] / sums[:, 0, 0, None]
        spread = sums[:, 1:, 1:] / sums[:, 0, 0, None, None] - mean[:, :, None] * mean[:, None, :]
        residual.append(Z[dying] - mean.mean(axis=0))
        variance.append(np.broadcast_to(spread.mean(axis=0), (d, *spread.shape[1:])))
    return np.concatenate(residual), np.concatenate(variance)


def _information(blocks: Array, clock: Array) -> Array:
    """Information of the coefficients and of their change with time, shape (2 p, 2 p)."""
    own, cross, change = (np.tensordot(clock**k, blocks, axes=1) for k in range(3))
    return np.block([[own, cross], [cross, change]])


def _natural(x: Array, degrees: int) -> Array:
    """Basis of natural cubic splines with an intercept, inner knots at quantiles of `x`, outer ones at its ends."""
    knots = np.quantile(x, np.linspace(0, 1, degrees))
    width = knots[-1] - knots[0]
    if width <= 0 or np.any(np.diff(knots) <= 0):
        return np.ones((x.size, 1)) @ np.ones((1, degrees))

    def cubic(knot: float) -> Array:
        gap = knots[-1] - knot
        return np.asarray((np.maximum(x - knot, 0.0) ** 3 - np.maximum(x - knots[-1], 0.0) ** 3) / (gap * width**2))

    last = cubic(float(knots[-2]))
    terms = [np.ones(x.size), (x - knots[0]) / width, *(cubic(float(k)) - last for k in knots[:-2])]
    return np.column_stack(terms)
