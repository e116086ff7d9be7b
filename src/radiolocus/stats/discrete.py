"""Discrete-time survival: a logistic model of the hazard in each of a few intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array, BoolArray
from radiolocus.stats.newton import maximise, standardise
from radiolocus.stats.survival import check_survival

__all__ = ["DiscreteFit", "discrete_loglik", "exposure", "fit_discrete", "interval_ends", "survival_from_logits"]


@dataclass(frozen=True, eq=False)
class DiscreteFit:
    """A fitted model logit P(event in interval j | none before) = baseline_j + X·coefficient.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Log odds ratio of the event in an interval per unit of each column.
    baseline : ndarray, shape (J,)
    ends : ndarray, shape (J,)
        Upper end of each interval, which belongs to it; the first begins at zero.
    covariance : ndarray, shape (p + J, p + J)
        Of coefficients and baseline.
    loglik : float
        Without the penalty.
    """

    coefficient: Array
    baseline: Array
    ends: Array
    covariance: Array
    loglik: float

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t).

        Within an interval the cumulative hazard −log S rises in proportion to time; beyond the last it stays.
        """
        return survival_from_logits((X @ self.coefficient)[:, None] + self.baseline[None, :], self.ends, times)


def survival_from_logits(eta: Array, ends: Array, times: npt.ArrayLike) -> Array:
    """Probability of no event by each time, shape (n, t), from logits of the hazard in each interval, shape (n, J).

    Within an interval the cumulative hazard −log S rises in proportion to time; beyond the last it stays.
    """
    cumulative = np.column_stack([np.zeros(len(eta)), np.cumsum(np.logaddexp(0.0, eta), axis=1)])
    wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
    knots = np.r_[0.0, ends]
    hazard = np.array([np.interp(wanted, knots, row) for row in cumulative]).reshape(len(eta), wanted.size)
    return np.asarray(np.exp(-hazard))


def interval_ends(time: Array, event: Array, intervals: int) -> Array:
    """Ends of intervals that hold about the same number of events, shape (J,) with J ≤ `intervals`.

    Quantiles of the event times, each of them an event time. Last intervals in which everybody at risk has the event
    are left out, because no finite hazard fits them: follow-up counts up to the last end.
    """
    events = np.sort(time[event == 1])
    ends = np.unique(np.quantile(events, np.arange(1, intervals + 1) / intervals, method="inverted_cdf"))
    while ends.size > 1:
        happened, at_risk = exposure(time, event == 1, ends)
        if happened[:, -1].sum() < at_risk[:, -1].sum():
            break
        ends = ends[:-1]
    return ends


def exposure(time: Array, event: BoolArray, ends: Array) -> tuple[BoolArray, BoolArray]:
    """Who has the event in each interval, and who is at risk in it, both of shape (n, J)."""
    happened = (np.searchsorted(ends, time, side="left")[:, None] == np.arange(ends.size)) & event[:, None]
    return happened, (time[:, None] >= ends[None, :]) | happened


def discrete_loglik(fit: DiscreteFit, X: Array, time: Array, event: Array) -> float:
    """Log-likelihood of patients under a fitted model, in its intervals."""
    happened, at_risk = exposure(time, event == 1, fit.ends)
    eta = (X @ fit.coefficient)[:, None] + fit.baseline
    return float((happened * eta - np.where(at_risk, np.logaddexp(0.0, eta), 0.0)).sum())


def fit_discrete(
    time: npt.ArrayLike, event: npt.ArrayLike, X: npt.ArrayLike, ends: npt.ArrayLike, *, ridge: float = 0.0
) -> DiscreteFit:
    """Fit the hazard of each interval.

    A patient is at risk in every interval that he enters and either leaves without the event or has the event in; an
    interval in which he is censored before its end does not count. Events beyond the last end are censored there.

    Parameters
    ----------
    time, event : array_like, shape (n,)
    X : array_like, shape (n, p)
        Covariates, finite. With a penalty they are taken as they are: standardised by the caller.
    ends : array_like, shape (J,)
        Rising; every interval holds an event.
    ridge : float
        n·ridge/2 times the squared length of the coefficients is taken from the log-likelihood.

    Raises
    ------
    InputError
        Unusable times, events, covariates or ends.
    FitError
        An interval without an event, or in which everybody at risk has it; a constant or collinear column or
        separation (without a penalty).

    References
    ----------
    Singer & Willett (1993) J Educ Stat 18:155; Allison (1982) Sociol Methodol 13:61.
    """
    times, events = check_survival(time, event)
    knots = np.asarray(ends, dtype=np.float64)
    if knots.ndim != 1 or knots.size == 0 or knots[0] < 0 or (np.diff(knots) <= 0).any():
        raise InputError(f"interval ends {knots.tolist()}", allowed="rising, zero or positive")
    happened, at_risk = exposure(times, events, knots)
    deaths, risk = happened.sum(axis=0), at_risk.sum(axis=0)
    bad = np.flatnonzero((deaths == 0) | (deaths == risk))
    if bad.size:
        raise FitError(
            f"{deaths[bad[0]]} events among {risk[bad[0]]} patients at risk in the interval up to {knots[bad[0]]:g}",
            allowed="an event and a patient without one in every interval",
            todo="use fewer intervals",
        )
    matrix = np.asarray(X, dtype=np.float64)
    Z, mean, scale = matrix, np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    names = tuple(f"column {j}" for j in range(matrix.shape[1]))
    if ridge == 0.0 and matrix.shape[1]:
        design = standardise(matrix, times.size)
        Z, mean, scale, names = design.Z, design.mean, design.scale, design.names
    n, p = Z.shape
    count = knots.size
    weight = n * ridge * np.r_[np.ones(p), np.zeros(count)]

    def evaluate(theta: Array) -> tuple[float, Array, Array]:
        eta = (Z @ theta[:p])[:, None] + theta[p:]
        hazard = special.expit(eta)
        residual = np.where(at_risk, happened - hazard, 0.0)
        spread = np.where(at_risk, hazard * special.expit(-eta), 0.0)
        information = np.empty((p + count, p + count))
        information[:p, :p] = (Z.T * spread.sum(axis=1)) @ Z
        information[:p, p:] = Z.T @ spread
        information[p:, :p] = information[:p, p:].T
        information[p:, p:] = np.diag(spread.sum(axis=0))
        loglik = float((happened * eta - np.where(at_risk, np.logaddexp(0.0, eta), 0.0)).sum())
        gradient = np.r_[Z.T @ residual.sum(axis=1), residual.sum(axis=0)] - weight * theta
        return loglik - 0.5 * float(weight @ theta**2), gradient, information + np.diag(weight)

    start = np.r_[np.zeros(p), special.logit(deaths / risk)]
    design_matrix = np.column_stack([Z, np.zeros((n, count))])
    labels = (*names, *(f"interval {j}" for j in range(count)))
    found = maximise(evaluate, start, design_matrix, labels, "separation")
    value, _, information = evaluate(found.beta)
    back = np.eye(p + count)
    back[:p, :p] = np.diag(1.0 / scale)
    back[p:, :p] = -(mean / scale)[None, :]
    theta = back @ found.beta
    return DiscreteFit(
        theta[:p],
        theta[p:],
        knots,
        back @ np.linalg.inv(information) @ back.T,
        value + 0.5 * float(weight @ found.beta**2),
    )
