"""Kaplan–Meier, log-rank, and the check that every survival statistic puts its times through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array, BoolArray
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = [
    "KaplanMeier",
    "LogRank",
    "by_descending_time",
    "check_entry",
    "check_survival",
    "kaplan_meier",
    "log_rank",
]


def check_survival(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[Array, BoolArray]:
    """Return times as float64 and events as booleans, or say which entry cannot be used.

    A time of zero is allowed, as in R: the patient is in the risk set of time zero only. Times are tied when they are
    equal as float64 numbers; R's ``timefix`` also ties times that differ in their last digits, so round times
    that were computed.

    Parameters
    ----------
    time : array_like, shape (n,)
    event : array_like, shape (n,)
        1 or True for an event, 0 or False for censoring.

    Raises
    ------
    InputError
        Lengths disagree, nothing is left, a time is negative or not finite, or an event is neither 0 nor 1; names the
        first index (from 0).
    """
    times = np.asarray(time, dtype=np.float64)
    flags = np.asarray(event)
    if times.ndim != 1 or times.shape != flags.shape:
        raise InputError(
            f"times of shape {times.shape} and events of shape {flags.shape}", allowed="two vectors of one length"
        )
    if times.size == 0:
        raise InputError("no patients", allowed="at least one time and event")
    bad = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
    if bad.size:
        raise InputError(
            f"time {times[bad[0]]}",
            where=f"index {bad[0]} ({bad.size} such)",
            allowed="finite, zero or positive",
            todo="correct the time or leave the patient out",
        )
    if flags.dtype != np.bool_:
        numbers = flags.astype(np.float64)
        bad = np.flatnonzero((numbers != 0) & (numbers != 1))
        if bad.size:
            raise InputError(
                f"event {flags[bad[0]]}",
                where=f"index {bad[0]} ({bad.size} such)",
                allowed="0 (censored) or 1 (event)",
                todo="recode the event column; 1/2 coding is not guessed",
            )
        flags = numbers == 1
    return times, flags


def by_descending_time(time: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the order of descending time and the first row of each group of equal time (and, last, the length)."""
    order = np.argsort(-time, kind="stable").astype(np.int64)
    sorted_time = time[order]
    start = np.flatnonzero(np.r_[True, sorted_time[1:] != sorted_time[:-1]])
    return order, np.append(start, time.size).astype(np.int64)


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A Kaplan–Meier curve: one entry for every distinct time, ascending.

    Parameters
    ----------
    time : ndarray, shape (m,)
        Distinct times, censoring included.
    at_risk, events, censored : ndarray of int64, shape (m,)
        At risk just before the time; events and censorings at it.
    survival : ndarray, shape (m,)
        Probability of no event up to and including the time.
    standard_error : ndarray, shape (m,)
        Greenwood's standard error of `survival`.
    lower, upper : ndarray, shape (m,)
        Log-log interval; NaN where survival is 0 or 1, as in R.
    level : float
    """

    time: Array
    at_risk: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]
    censored: npt.NDArray[np.int64]
    survival: Array
    standard_error: Array
    lower: Array
    upper: Array
    level: float

    def survival_at(self, times: npt.ArrayLike) -> Array:
        """Survival probability at `times`: the curve is continuous from the right; NaN beyond the last time."""
        wanted = np.asarray(times, dtype=np.float64)
        value = np.r_[1.0, self.survival][np.searchsorted(self.time, wanted, side="right")]
        return np.where(wanted > self.time[-1], np.nan, value)

    def at_risk_at(self, times: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the number of patients whose time is at or after each of `times` (the table under a plot)."""
        wanted = np.asarray(times, dtype=np.float64)
        return np.append(self.at_risk, 0)[np.searchsorted(self.time, wanted, side="left")]

    def median(self) -> tuple[float, float, float]:
        """Median survival time with its interval (Brookmeyer & Crowley 1982); NaN where it is not reached.

        The first time at which the curve is at or below one half; when it lies exactly on one half up to a later
        event, the middle of that stretch, as in R.
        """
        return _crossing(self.time, self.survival), _crossing(self.time, self.lower), _crossing(self.time, self.upper)


def _crossing(time: Array, curve: Array) -> float:
    """First time with curve ≤ 1/2; the middle of the flat stretch when the curve equals 1/2 there."""
    tolerance = 1e-9
    with np.errstate(invalid="ignore"):
        below = np.flatnonzero(curve < 0.5 + tolerance)
    if not below.size:
        return np.nan
    first = below[0]
    if abs(curve[first] - 0.5) < tolerance:
        later = np.flatnonzero(curve < 0.5 - tolerance)
        if later.size:
            return float((time[first] + time[later[0]]) / 2)
    return float(time[first])


def check_entry(entry: npt.ArrayLike | None, time: Array) -> Array | None:
    """Return times of entry, or say which is not before its exit.

    Parameters
    ----------
    entry : array_like, shape (n,), or None
        At risk at t when entry < t ≤ time.
    time : ndarray, shape (n,)

    Raises
    ------
    InputError
    """
    if entry is None:
        return None
    begin = np.asarray(entry, dtype=np.float64)
    if begin.shape != time.shape:
        raise InputError(f"{time.size} times and entries of shape {begin.shape}", allowed="one of each a patient")
    bad = np.flatnonzero(~(begin < time))
    if bad.size:
        raise InputError(
            f"entry {begin[bad[0]]:g} and exit {time[bad[0]]:g}",
            where=f"index {bad[0]} ({bad.size} such)",
            allowed="entry before exit",
            todo="correct the times or leave the patient out",
        )
    return begin


def _not_yet(entry: Array | None, distinct: Array, column: npt.NDArray[np.intp], columns: int) -> Array:
    """How many of each column have not entered at each distinct time, shape (m, columns)."""
    if entry is None:
        return np.zeros((distinct.size, columns))
    # At risk at t when entry < t: who enters at t itself is not.
    first = np.searchsorted(distinct, entry, side="right")
    cell = np.bincount(first * columns + column, minlength=(distinct.size + 1) * columns)
    entered = np.cumsum(cell.reshape(-1, columns), axis=0)[:-1]
    return np.asarray(np.bincount(column, minlength=columns)[None, :] - entered, dtype=np.float64)


def kaplan_meier(
    time: npt.ArrayLike, event: npt.ArrayLike, *, level: float = 0.95, entry: npt.ArrayLike | None = None
) -> KaplanMeier:
    """Kaplan–Meier estimate with Greenwood's variance and the log-log interval.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`check_survival`. Censorings at the time of an event are at risk for it.
    level : float
        Coverage of the pointwise interval.
    entry : array_like, shape (n,), optional
        Time from which each patient was at risk (left truncation). Where everybody at risk has the event, the curve
        falls to zero and stays there, however many enter later: early risk sets of few patients are treacherous.

    Returns
    -------
    KaplanMeier

    References
    ----------
    Kaplan & Meier, JASA 1958;53:457. Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time Data*, 2002
    (log-log interval).
    """
    times, events = check_survival(time, event)
    if not 0.0 < level < 1.0:
        raise InputError(f"an interval of level {level}", allowed="between 0 and 1, both excluded")
    distinct, place = np.unique(times, return_inverse=True)
    deaths = np.bincount(place, weights=events, minlength=distinct.size).astype(np.int64)
    everybody = np.bincount(place, minlength=distinct.size)
    at_risk = times.size - np.r_[0, np.cumsum(everybody)[:-1]]
    begin = check_entry(entry, times)
    at_risk = at_risk - _not_yet(begin, distinct, np.zeros(times.size, np.intp), 1)[:, 0].astype(np.int64)
    survival = np.cumprod(1.0 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.sqrt(np.cumsum(deaths / (at_risk * (at_risk - deaths.astype(float)))))
        inside = (survival > 0) & (survival < 1)
        log_survival = np.where(inside, np.log(survival), np.nan)
        width = special.ndtri((1 + level) / 2) * log_error / log_survival
        lower = np.exp(log_survival * np.exp(-width))
        upper = np.exp(log_survival * np.exp(width))
        error = np.where(survival > 0, survival * log_error, np.nan)
    return KaplanMeier(
        distinct, at_risk.astype(np.int64), deaths, everybody - deaths, survival, error, lower, upper, level
    )


@dataclass(frozen=True, eq=False)
class LogRank:
    """A log-rank test.

    Parameters
    ----------
    statistic : float
        χ² with `degrees_of_freedom`.
    degrees_of_freedom : int
        Groups with an expected event, less one.
    group : ndarray, shape (k,)
        Labels in ascending order.
    n : ndarray of int64, shape (k,)
    observed, expected : ndarray, shape (k,)
        Events in each group, and their expectation were the hazards equal.
    """

    statistic: float
    degrees_of_freedom: int
    group: npt.NDArray[np.generic]
    n: npt.NDArray[np.int64]
    observed: Array
    expected: Array

    @property
    def neg_log10_p(self) -> float:
        """−log10 of the p-value."""
        return float(neg_log10_p_chi2(self.statistic, self.degrees_of_freedom))


def log_rank(
    time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike, *, entry: npt.ArrayLike | None = None
) -> LogRank:
    """Log-rank test between k groups, with the hypergeometric variance for ties (R ``survdiff``).

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`check_survival`.
    group : array_like, shape (n,)
        Label of each patient's group.
    entry : array_like, shape (n,), optional
        Time from which each patient was at risk (left truncation).

    Raises
    ------
    InputError
        Lengths disagree, or there are fewer than two groups.
    UndefinedError
        No event happens while two groups are at risk.

    References
    ----------
    Mantel, Cancer Chemother Rep 1966;50:163; Peto & Peto, JRSS A 1972;135:185.
    """
    times, events = check_survival(time, event)
    labels = np.asarray(group)
    if labels.shape != times.shape:
        raise InputError(f"{times.size} times and group labels of shape {labels.shape}", allowed="one label a patient")
    names, member = np.unique(labels, return_inverse=True)
    if names.size < 2:
        raise InputError(f"{names.size} group in a log-rank test", allowed="at least two groups")
    distinct, place = np.unique(times, return_inverse=True)
    shape = (distinct.size, names.size)
    cell = place * names.size + member
    deaths = np.bincount(cell, weights=events, minlength=distinct.size * names.size).reshape(shape)
    leaving = np.bincount(cell, minlength=distinct.size * names.size).reshape(shape)
    at_risk = np.cumsum(leaving[::-1], axis=0)[::-1].astype(float)
    at_risk -= _not_yet(check_entry(entry, times), distinct, member.astype(np.intp), names.size)

    total, dead = at_risk.sum(axis=1), deaths.sum(axis=1)
    share = at_risk / np.maximum(total, 1.0)[:, None]
    observed, expected = deaths.sum(axis=0), (share * dead[:, None]).sum(axis=0)
    spread = dead * (total - dead) / np.maximum(total - 1, 1)
    variance = np.diag(spread @ share) - (share * spread[:, None]).T @ share

    used = np.flatnonzero(expected > 0)
    if used.size < 2 or not (np.diag(variance) > 1e-12).any():
        raise UndefinedError(
            f"{int(dead.sum())} events, none while two groups are at risk",
            allowed="at least one event with two groups at risk",
            todo="merge groups or leave the test out",
        )
    # The differences sum to zero, so one group carries no information.
    keep = used[:-1]
    difference = (observed - expected)[keep]
    statistic = float(difference @ np.linalg.solve(variance[np.ix_(keep, keep)], difference))
    return LogRank(statistic, int(keep.size), names, np.bincount(member).astype(np.int64), observed, expected)
