"""Time lost to one kind of event, with competing ones: the area under its cumulative incidence up to a horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array
from radiolocus.stats.censoring import check_states
from radiolocus.stats.resampling import Interval, bootstrap_weights, percentile_interval

__all__ = ["TimeLostDifference", "restricted_time_lost", "restricted_time_lost_difference"]


@dataclass(frozen=True)
class TimeLostDifference:
    """Restricted mean time lost of two groups, and the second less the first, in the unit of the times.

    Parameters
    ----------
    first, second, difference : float
    first_interval, second_interval, interval : Interval
        Percentiles over bootstrap draws within the groups.
    horizon : float
    """

    first: float
    second: float
    difference: float
    first_interval: Interval
    second_interval: Interval
    interval: Interval
    horizon: float


def restricted_time_lost(time: npt.ArrayLike, state: npt.ArrayLike, horizon: float, *, cause: int = 1) -> float:
    """Area under the Aalen–Johansen cumulative incidence of `cause` up to the horizon.

    Mean time that the event takes from the time up to the horizon, for a patient who may have another event before.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.
    horizon : float
        At most the last time, unless everybody has had an event by then.
    cause : int
        A kind of event that nobody has takes no time.

    Raises
    ------
    InputError
        Unusable times or states; a horizon that is not positive, or beyond follow-up.
    UndefinedError
        Nobody has any event.

    References
    ----------
    Andersen, Stat Med 2013;32:5278. Conner & Trinquart, Stat Med 2021;40:2177.
    """
    times, states = _checked(time, state, horizon, cause)
    return _estimate(times, states, horizon, cause)


def restricted_time_lost_difference(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    group: npt.ArrayLike,
    horizon: float,
    *,
    cause: int = 1,
    draws: int = 1000,
    seed: int = 1,
    level: float = 0.95,
) -> TimeLostDifference:
    """Difference in restricted mean time lost between two groups, second less first in sorted order.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.
    group : array_like, shape (n,)
        Two labels.
    horizon : float
        Within follow-up of both groups.
    cause : int
    draws, seed : int
        Bootstrap draws of patients within their group. A draw in which nobody of a group is followed to the horizon
        has no value and is left out of the interval, and counted there.
    level : float

    Raises
    ------
    InputError
        Other than two groups; as in :func:`restricted_time_lost`.
    UndefinedError
        Nobody has the event; fewer than two draws have a value.

    References
    ----------
    Andersen, Stat Med 2013;32:5278. Conner & Trinquart, Stat Med 2021;40:2177.
    """
    times, states = _checked(time, state, horizon, cause)
    check_states(times, states, cause)
    labels = np.asarray(group)
    names = np.unique(labels)
    if labels.shape != times.shape or names.size != 2:
        raise InputError(
            f"{times.size} times and group labels of shape {labels.shape} with {names.size} values",
            allowed="one of two labels a patient",
        )
    parts = [labels == name for name in names]
    low, high = (_estimate(times[i], states[i], horizon, cause) for i in parts)
    drawn = np.concatenate(
        [
            np.stack([_lost(times[i], states[i], weights[:, i].astype(np.float64), horizon, cause) for i in parts])
            for weights in bootstrap_weights(times.size, draws, seed, stratum=labels)
        ],
        axis=1,
    )
    first, second, both = (percentile_interval(v, level) for v in (drawn[0], drawn[1], drawn[1] - drawn[0]))
    return TimeLostDifference(low, high, high - low, first, second, both, float(horizon))


def _checked(
    time: npt.ArrayLike, state: npt.ArrayLike, horizon: float, cause: int
) -> tuple[Array, npt.NDArray[np.int64]]:
    raw = np.asarray(state, dtype=np.float64)
    kinds = raw[raw > 0]
    any_kind = int(kinds.flat[0]) if kinds.size and np.isfinite(kinds.flat[0]) else cause
    times, states, _ = check_states(time, state, any_kind)
    if not (np.isfinite(horizon) and horizon > 0):
        raise InputError(f"horizon {horizon:g}", allowed="finite, positive")
    return times, states


def _estimate(time: Array, state: npt.NDArray[np.int64], horizon: float, cause: int) -> float:
    lost = float(_lost(time, state, np.ones((1, time.size)), horizon, cause)[0])
    if np.isnan(lost):
        raise InputError(
            f"horizon {horizon:g} beyond follow-up",
            where=f"last time {time.max():g}",
            allowed="a time by which at least one patient was still observed, in each group",
            todo="choose an earlier horizon",
        )
    return lost


def _lost(time: Array, state: npt.NDArray[np.int64], weights: Array, horizon: float, cause: int) -> Array:
    """Time lost under each row of weights, shape (d,); NaN where the horizon lies beyond what was drawn."""
    order = np.argsort(time, kind="stable")
    distinct, begin = np.unique(time[order], return_index=True)
    drawn = weights[:, order]
    of_cause, of_any, everybody = (
        np.add.reduceat(drawn * kept, begin, axis=1)
        for kept in (state[order] == cause, state[order] > 0, np.ones(time.size))
    )
    at_risk = everybody[:, ::-1].cumsum(axis=1)[:, ::-1]
    share = np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)
    free = np.cumprod(1.0 - of_any * share, axis=1)
    before = np.hstack([np.ones((len(free), 1)), free[:, :-1]])
    # An incidence that rises at t stands for the rest of the way to the horizon.
    area = (before * of_cause * share) @ np.maximum(horizon - distinct, 0.0)
    last = np.where(everybody > 0, distinct, -np.inf).max(axis=1)
    return np.asarray(np.where((last < horizon) & (free[:, -1] > 1e-12), np.nan, area))
