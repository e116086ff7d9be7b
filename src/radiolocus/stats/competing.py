"""Competing risks: Aalen–Johansen cumulative incidence, and pseudo-observations of it at a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array
from radiolocus.stats.censoring import check_horizons, check_states

__all__ = ["AalenJohansen", "aalen_johansen", "cause_specific_incidence", "pseudo_observations"]


@dataclass(frozen=True, eq=False)
class AalenJohansen:
    """Cumulative incidence of every kind of event: one row for every distinct time, ascending.

    Parameters
    ----------
    time : ndarray, shape (m,)
    cause : ndarray of int64, shape (c,)
        Codes of the kinds of event.
    at_risk : ndarray of int64, shape (m,)
        Just before the time.
    incidence : ndarray, shape (m, c)
        Probability of each kind of event up to and including the time.
    standard_error : ndarray, shape (m, c)
        Of `incidence`, by the infinitesimal jackknife (as R ``survfit``).
    """

    time: Array
    cause: npt.NDArray[np.int64]
    at_risk: npt.NDArray[np.int64]
    incidence: Array
    standard_error: Array

    def incidence_at(self, times: npt.ArrayLike, cause: int) -> Array:
        """Cumulative incidence of `cause` at `times`: continuous from the right; NaN beyond the last time."""
        where = np.flatnonzero(self.cause == cause)
        if not where.size:
            raise InputError(f"cause {cause}", allowed=", ".join(map(str, self.cause)))
        wanted = np.asarray(times, dtype=np.float64)
        value = np.r_[0.0, self.incidence[:, where[0]]][np.searchsorted(self.time, wanted, side="right")]
        return np.where(wanted > self.time[-1], np.nan, value)


def aalen_johansen(time: npt.ArrayLike, state: npt.ArrayLike) -> AalenJohansen:
    """Aalen–Johansen estimate of the cumulative incidence of every kind of event.

    Events of several kinds at one time share the risk set of that time; censorings there are still in it. Nothing is
    jittered.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.

    Raises
    ------
    InputError
        Unusable times or states.
    UndefinedError
        Nobody has an event.

    References
    ----------
    Aalen & Johansen, Scand J Stat 1978;5:141.
    """
    raw = np.asarray(state, dtype=np.float64)
    kinds = np.unique(raw[raw > 0]) if raw.ndim == 1 else raw
    times, states, _ = check_states(time, state, int(kinds[0]) if kinds.size and np.isfinite(kinds[0]) else 1)
    cause = kinds.astype(np.int64)
    distinct, place = np.unique(times, return_inverse=True)
    m = distinct.size
    happened = np.stack([np.bincount(place[states == k], minlength=m) for k in cause], axis=1)
    at_risk = times.size - np.r_[0, np.cumsum(np.bincount(place, minlength=m))[:-1]]
    hazard = happened / at_risk[:, None]
    survival = np.cumprod(1.0 - hazard.sum(axis=1))
    before = np.r_[1.0, survival[:-1]]
    incidence = np.cumsum(before[:, None] * hazard, axis=0)
    error = np.sqrt(_jackknife_variance(place, states, cause, at_risk, hazard, before))
    return AalenJohansen(distinct, cause, at_risk.astype(np.int64), incidence, error)


def _jackknife_variance(
    place: npt.NDArray[np.intp],
    states: npt.NDArray[np.int64],
    cause: npt.NDArray[np.int64],
    at_risk: npt.NDArray[np.intp],
    hazard: Array,
    before: Array,
) -> Array:
    """Sum over patients of the squared derivative of the incidence with respect to the patient's weight."""
    # Patients who leave at the same time into the same state have the same influence: one row for each such group.
    member, count = np.unique(np.stack([place, states]), axis=1, return_counts=True)
    d_survival = np.zeros(count.size)
    d_incidence = np.zeros((count.size, cause.size))
    variance = np.empty((at_risk.size, cause.size))
    for j, (y, h, s) in enumerate(zip(at_risk, hazard, before, strict=True)):
        present = member[0] >= j
        own = ((member[0] == j)[:, None]) & (member[1][:, None] == cause[None, :])
        d_hazard = (own - present[:, None] * h) / y
        d_incidence += d_survival[:, None] * h + s * d_hazard
        d_survival = d_survival * (1 - h.sum()) - s * d_hazard.sum(axis=1)
        variance[j] = count @ d_incidence**2
    return variance


def cause_specific_incidence(baselines: Sequence[tuple[Array, Array]], linear: Array, times: npt.ArrayLike) -> Array:
    """Cumulative incidence of the first kind of event from a proportional hazards model of each kind.

    The product limit of all hazards, as Aalen–Johansen without predictors: at each time the share still free of any
    event, times the hazard of the first kind. Hazards of one time that add up to more than 1 are scaled to 1.

    Parameters
    ----------
    baselines : sequence of (ndarray, ndarray)
        Times and cumulative baseline hazard of each kind of event, ascending.
    linear : ndarray, shape (n, c)
        Log relative hazards of each kind.
    times : array_like, shape (t,)

    Returns
    -------
    ndarray, shape (n, t)

    References
    ----------
    Benichou & Gail, Biometrics 1990;46:813.
    """
    moments = np.unique(np.concatenate([time for time, _ in baselines]))
    jumps = np.zeros((len(baselines), moments.size))
    for jump, (time, cumulative) in zip(jumps, baselines, strict=True):
        jump[np.searchsorted(moments, time)] = np.diff(cumulative, prepend=0.0)
    relative = np.exp(np.clip(linear, -700.0, 700.0))
    own = relative[:, :1] * jumps[:1]
    total = relative @ jumps
    scale = np.maximum(total, 1.0)
    before = np.hstack([np.ones((len(relative), 1)), np.cumprod(1.0 - total / scale, axis=1)[:, :-1]])
    incidence = np.hstack([np.zeros((len(relative), 1)), np.cumsum(before * own / scale, axis=1)])
    return np.asarray(incidence[:, np.searchsorted(moments, np.asarray(times, dtype=np.float64), side="right")])


def pseudo_observations(
    time: npt.ArrayLike, state: npt.ArrayLike, horizon: float, *, cause: int | None = None
) -> Array:
    """Jackknife pseudo-observations of the probability of the event by a horizon.

    n times the estimate with everybody less n − 1 times the estimate without the patient: one minus Kaplan–Meier, or
    Aalen–Johansen with competing risks. They may lie outside [0, 1]; their mean given predictors is the probability.

    Parameters
    ----------
    time, state : array_like, shape (n,)
    horizon : float
    cause : int, optional
        The kind of event looked at; without it, states are 0 or 1.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InputError
        Unusable times or states, a horizon beyond follow-up, fewer than two patients.
    UndefinedError
        Nobody has the event.

    References
    ----------
    Andersen, Klein & Rosthøj, Biometrika 2003;90:15.
    """
    times, states, wanted = check_states(time, state, cause)
    if times.size < 2:
        raise InputError("one patient", allowed="at least two for leaving one out")
    t = float(check_horizons([horizon], times)[0])
    distinct, place = np.unique(times, return_inverse=True)
    m = int(np.searchsorted(distinct, t, side="right"))
    everybody = np.bincount(place, minlength=distinct.size)
    at_risk = times.size - np.r_[0, np.cumsum(everybody)[:-1]]
    of_cause = np.bincount(place[states == wanted], minlength=distinct.size)
    of_any = np.bincount(place[states > 0], minlength=distinct.size)
    n = times.size

    def incidence(y: Array, d: Array, dead: Array) -> Array:
        alive = np.cumprod(1.0 - np.divide(dead, y, out=np.zeros_like(y), where=y > 0), axis=1)
        before = np.hstack([np.ones((len(y), 1)), alive[:, :-1]])
        return np.asarray((before * np.divide(d, y, out=np.zeros_like(y), where=y > 0)).sum(axis=1))

    # Patients who leave at one time into one state are left out alike, and so are all who are followed past t.
    member, which = np.unique(
        np.stack([np.minimum(place, m), np.where(place < m, states, 0)]), axis=1, return_inverse=True
    )
    columns = np.arange(m)
    here = (member[0][:, None] == columns) & (member[1][:, None] > 0)
    y = at_risk[:m] - (member[0][:, None] >= columns).astype(float)
    d = of_cause[:m] - (here & (member[1][:, None] == wanted)).astype(float)
    dead = of_any[:m] - here.astype(float)
    whole = incidence(*(a[None, :m].astype(float) for a in (at_risk, of_cause, of_any)))[0]
    return np.asarray((n * whole - (n - 1) * incidence(y, d, dead))[which.ravel()])
