"""The Kaplan–Meier estimate of being uncensored, and inverse-probability-of-censoring weights from it.

At a time shared by events and censorings the events come first: who has an event is no longer at risk of being
censored there. Weights take the estimate just before a patient's own time, G(T−), as R ``survival`` and
``riskRegression`` do; G(T) would divide by zero where the last times are tied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.survival import check_survival

__all__ = ["CensoringCurve", "Clock", "censoring_curve", "check_horizons", "check_states"]


@dataclass(frozen=True, eq=False)
class Clock:
    """Patients in groups of equal time, ascending, and the curve G of any weights of them.

    Parameters
    ----------
    time : ndarray, shape (m,)
        Distinct times.
    place : ndarray of int64, shape (n,)
        Group of each patient.
    order, first : ndarray of int64
        Patients by ascending time, and the first of each group, shape (m,), in that order.
    event : ndarray of bool, shape (n,)
        Whether the patient left by an event of any kind.
    """

    time: Array
    place: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    event: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, time: Array, event: npt.NDArray[np.bool_]) -> Clock:
        """Sort patients once; times and events as :func:`radiolocus.stats.survival.check_survival` returns them."""
        distinct, place = np.unique(time, return_inverse=True)
        order = np.argsort(place, kind="stable")
        first = np.searchsorted(place[order], np.arange(distinct.size))
        return cls(distinct, place.astype(np.int64), order.astype(np.int64), first.astype(np.int64), event)

    def uncensored(self, weights: npt.NDArray[np.generic]) -> Array:
        """G after each distinct time, for each row of patient weights, shape (draws, n) to (draws, m + 1).

        Column 0 is 1, the value before the first time, so that column j is G just before time j.
        """
        sorted_weights = np.asarray(weights, dtype=np.float64)[:, self.order]
        leaving = np.add.reduceat(sorted_weights, self.first, axis=1)
        censored = np.add.reduceat(sorted_weights * ~self.event[self.order], self.first, axis=1)
        # Those at risk of being censored: whose time is later, and those censored here. Events here are gone.
        at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1] - leaving + censored
        hazard = np.divide(censored, at_risk, out=np.zeros_like(censored), where=censored > 0)
        return np.hstack([np.ones((len(hazard), 1)), np.cumprod(1.0 - hazard, axis=1)])


@dataclass(frozen=True, eq=False)
class CensoringCurve:
    """Probability of not yet being censored.

    Parameters
    ----------
    time : ndarray, shape (m,)
        Distinct times of the patients that it was estimated from, ascending.
    survival : ndarray, shape (m,)
        G at each of them.
    """

    time: Array
    survival: Array

    def _value(self, times: npt.ArrayLike, side: str) -> Array:
        wanted = np.asarray(times, dtype=np.float64)
        place = np.searchsorted(self.time, wanted, side="left" if side == "before" else "right")
        value = np.r_[1.0, self.survival][place]
        beyond, zero = wanted > self.time[-1], value <= 0.0
        if np.any(beyond | zero):
            at = wanted[beyond | zero].min()
            why = "beyond the last time of follow-up" if at > self.time[-1] else "everybody left was censored by then"
            raise UndefinedError(
                f"the probability of being uncensored is zero or unknown {side} time {at:g}: {why}",
                where=f"last time of follow-up {self.time[-1]:g}",
                allowed="times at which a patient is still under observation",
                todo="choose an earlier horizon or truncation time",
            )
        return np.asarray(value)

    def at(self, times: npt.ArrayLike) -> Array:
        """G(t), shape of `times`; UndefinedError with the time where it is zero or beyond follow-up."""
        return self._value(times, "at")

    def before(self, times: npt.ArrayLike) -> Array:
        """G(t−), shape of `times`; UndefinedError with the time where it is zero or beyond follow-up."""
        return self._value(times, "before")


def censoring_curve(time: npt.ArrayLike, event: npt.ArrayLike) -> CensoringCurve:
    """Estimate the censoring distribution by the reverse Kaplan–Meier method.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`; with competing risks, an event of any kind.

    Returns
    -------
    CensoringCurve

    References
    ----------
    Graf et al., Stat Med 1999;18:2529.
    """
    times, events = check_survival(time, event)
    clock = Clock.of(times, events)
    return CensoringCurve(clock.time, clock.uncensored(np.ones((1, times.size)))[0, 1:])


def check_states(
    time: npt.ArrayLike, state: npt.ArrayLike, cause: int | None
) -> tuple[Array, npt.NDArray[np.int64], int]:
    """Return times, states (0 censored) and the cause of interest, or say what cannot be used.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        Without competing risks (`cause` None), 0 or 1. With them, 0 for censored and 1, 2, ... for the causes.
    cause : int or None

    Raises
    ------
    InputError
        As :func:`radiolocus.stats.survival.check_survival`; a state that is no whole number from 0; a `cause` below 1.
    UndefinedError
        Nobody has the event of interest.
    """
    if cause is None:
        times, events = check_survival(time, state)
        states, wanted = events.astype(np.int64), 1
    else:
        if isinstance(cause, bool) or cause != int(cause) or cause < 1:
            raise InputError(f"cause {cause}", allowed="1, 2, ...: the code of the event of interest")
        raw = np.asarray(state)
        numbers = raw.astype(np.float64)
        bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers))))
        if bad.size:
            raise InputError(
                f"state {raw.ravel()[bad[0]]}",
                where=f"index {bad[0]} ({bad.size} such)",
                allowed="0 (censored), 1, 2, ... (causes)",
                todo="recode the state column",
            )
        times, _ = check_survival(time, numbers > 0)
        states, wanted = numbers.astype(np.int64), int(cause)
    if not np.any(states == wanted):
        raise UndefinedError(
            f"no events of the kind looked at ({wanted}) among {times.size} patients",
            allowed="at least one event",
            todo="check the event coding",
        )
    return times, states, wanted


def check_horizons(horizons: npt.ArrayLike, time: Array) -> Array:
    """Return horizons as a vector, or name the one that is not positive, not finite or beyond follow-up."""
    values = np.atleast_1d(np.asarray(horizons, dtype=np.float64))
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"horizons of shape {values.shape}", allowed="one time or a vector of times")
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise InputError(f"horizon {values[bad][0]:g}", allowed="finite, positive")
    if np.any(np.diff(values) <= 0):
        raise InputError("horizons that do not increase", allowed="strictly increasing times")
    if values[-1] > time.max():
        raise InputError(
            f"horizon {values[-1]:g} beyond follow-up",
            where=f"last time {time.max():g}",
            allowed="a time by which at least one patient was still observed",
            todo="choose an earlier horizon",
        )
    return values
