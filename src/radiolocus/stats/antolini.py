"""Antolini's time-dependent concordance, for predicted survival curves that may cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights
from radiolocus.stats.survival import check_survival

__all__ = ["antolini_c", "antolini_c_bootstrap", "antolini_sums"]

# Entries of the comparison of events with patients in memory at a time.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class _Curves:
    time: Array
    event: npt.NDArray[np.bool_]
    survival: Array
    grid: Array

    def sums(self, weights: Array) -> tuple[Array, Array]:
        """Concordant (ties one half) and comparable pairs of each row of weights."""
        events = np.flatnonzero(self.event)
        at = np.searchsorted(self.grid, self.time[events], side="right") - 1
        won, pairs = np.zeros((2, len(weights)))
        step = max(1, _BLOCK // self.time.size)
        for begin in range(0, events.size, step):
            rows, column = events[begin : begin + step], at[begin : begin + step]
            # Before the first time of the grid everybody is alive: all tied.
            curves = np.where(column[:, None] >= 0, self.survival[:, np.maximum(column, 0)].T, 1.0)
            own = np.where(column >= 0, self.survival[rows, np.maximum(column, 0)], 1.0)
            gap = self.time[None, :] - self.time[rows][:, None]
            comparable = (gap > 0) | ((gap == 0) & ~self.event[None, :])
            higher = 0.5 * (1.0 + np.sign(curves - own[:, None])) * comparable
            drawn = weights[:, rows]
            won += ((drawn @ higher) * weights).sum(axis=1)
            pairs += ((drawn @ comparable.astype(np.float64)) * weights).sum(axis=1)
        return won, pairs


def _curves(time: npt.ArrayLike, event: npt.ArrayLike, survival: npt.ArrayLike, grid: npt.ArrayLike) -> _Curves:
    times, events = check_survival(time, event)
    at, matrix = np.asarray(grid, dtype=np.float64), np.asarray(survival, dtype=np.float64)
    if at.ndim != 1 or not at.size or not np.isfinite(at).all() or np.any(np.diff(at) <= 0):
        raise InputError(f"times of the curves of shape {at.shape}", allowed="a vector of increasing times")
    if matrix.shape != (times.size, at.size):
        raise InputError(
            f"curves of shape {matrix.shape} for {times.size} patients and {at.size} times",
            allowed=f"({times.size}, {at.size})",
        )
    bad = np.argwhere(~((matrix >= 0) & (matrix <= 1)))
    if bad.size:
        i, j = bad[0]
        raise InputError(
            f"survival {matrix[i, j]:g}", where=f"patient {i}, time {at[j]:g} ({len(bad)} such)", allowed="0 to 1"
        )
    rising = np.argwhere(np.diff(matrix, axis=1) > 1e-12)
    if rising.size:
        raise InputError(
            f"a survival curve that rises after time {at[rising[0, 1]]:g}",
            where=f"patient {rising[0, 0]}",
            allowed="curves that never rise",
            todo="give probabilities of survival, not of the event",
        )
    beyond = events & (times > at[-1])
    if beyond.any():
        raise InputError(
            f"an event at {times[beyond].min():g} beyond the last time of the curves",
            where=f"last time {at[-1]:g}",
            allowed="curves that reach the last event",
        )
    return _Curves(times, events, matrix, at)


def antolini_c(time: npt.ArrayLike, event: npt.ArrayLike, survival: npt.ArrayLike, grid: npt.ArrayLike) -> float:
    """Time-dependent concordance: at every event, does the patient's curve lie below those of patients still at risk?

    Comparable pairs are those of :func:`radiolocus.stats.concordance.harrell_c`; equal survival counts one half. With
    curves that do not cross it is Harrell's C.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`.
    survival : array_like, shape (n, m)
        Predicted survival of each patient at each time of `grid`; a step function, continuous from the right.
    grid : array_like, shape (m,)
        Increasing, reaching the last event.

    Raises
    ------
    InputError
        Unusable times, events or curves.
    UndefinedError
        No pair is comparable.

    References
    ----------
    Antolini, Boracchi & Biganzoli, Stat Med 2005;24:3927.
    """
    curves = _curves(time, event, survival, grid)
    won, pairs = curves.sums(np.ones((1, curves.time.size)))
    if pairs[0] == 0:
        raise UndefinedError(
            f"no comparable pair among {curves.time.size} patients with {int(curves.event.sum())} events",
            allowed="at least one event before another patient's time",
        )
    return float(won[0] / pairs[0])


def antolini_sums(
    time: npt.ArrayLike, event: npt.ArrayLike, survival: npt.ArrayLike, grid: npt.ArrayLike, weights: Array
) -> tuple[Array, Array]:
    """Concordant (ties one half) and comparable pairs under rows of weights: those of several folds can be added up.

    Parameters
    ----------
    time, event, survival, grid
        As in :func:`antolini_c`.
    weights : ndarray, shape (draws, n)

    Returns
    -------
    concordant, comparable : ndarray, shape (draws,)
    """
    return _curves(time, event, survival, grid).sums(weights)


def antolini_c_bootstrap(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    survival: npt.ArrayLike,
    grid: npt.ArrayLike,
    draws: int = 1000,
    seed: int = 0,
) -> Array:
    """Antolini's C in bootstrap draws of patients, by weights; NaN in a draw without a comparable pair.

    Returns
    -------
    ndarray, shape (draws,)
    """
    curves = _curves(time, event, survival, grid)
    parts = [curves.sums(w.astype(np.float64)) for w in bootstrap_weights(curves.time.size, draws, seed)]
    won, pairs = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return np.asarray(np.divide(won, pairs, out=np.full(draws, np.nan), where=pairs > 0))
