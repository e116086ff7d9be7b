"""Counting an endpoint from the moment at which its predictors were measured.

What is known at a visit predicts what comes after it. Counted from baseline, whoever reaches the visit is immortal
until then, and whoever does not tells the endpoint by not being there.

References
----------
Anderson, Cain & Gelber, J Clin Oncol 1983;1:710 (landmark analysis).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radiolocus.errors import InputError
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, BoolArray

__all__ = ["DAYS", "Since", "since"]

#: Days of the units that times are told in.
DAYS = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}


@dataclass(frozen=True, eq=False)
class Since:
    """An endpoint counted from a visit.

    Parameters
    ----------
    rows : ndarray of int
        Who is left, among those of the endpoint.
    target : Target
        Of them; times count from the visit.
    without, before, lost : ndarray of bool
        Of all: no visit; the endpoint at the visit or before it; not followed beyond the visit.
    checked : bool
        When the endpoint was decided is known.
    """

    rows: Rows
    target: Target
    without: BoolArray
    before: BoolArray
    lost: BoolArray
    checked: bool


def since(
    target: Target, day: Array, unit: str = "days", *, start: Array | None = None, decided: Array | None = None
) -> Since:
    """Leave out who had the endpoint by the visit, and count times from it.

    Parameters
    ----------
    target : Target
    day : ndarray, shape (n,)
        Day of the visit since the baseline scan; NaN for those without it.
    unit : str
        Of the times of `target`.
    start : ndarray, shape (n,), optional
        Time from time zero of the endpoint to the baseline scan, in `unit`; by default they are the same moment.
    decided : ndarray, shape (n,), optional
        Of an endpoint without times: day from which it was known.

    Raises
    ------
    InputError
        Times in a unit that cannot be compared with days.
    """
    there = np.isfinite(day)
    nobody = np.zeros(day.size, dtype=bool)
    if target.time is None:
        before = nobody if decided is None else there & ~(decided > day)
        rows = np.flatnonzero(there & ~before)
        return Since(rows, target.take(rows), ~there, before, nobody, decided is not None)
    if unit not in DAYS:
        raise InputError(
            f"times in '{unit}'",
            allowed=", ".join(DAYS),
            todo="state the unit of the endpoint: the visit is told in days, and time must start there",
        )
    when = day / DAYS[unit] + (0.0 if start is None else start)
    there &= np.isfinite(when)
    ended = there & ~(target.time > when)
    event = ended & (target.event > 0)
    rows = np.flatnonzero(there & ~ended)
    entry = None if target.entry is None else target.entry[rows] - when[rows]
    now = replace(target.take(rows), time=target.time[rows] - when[rows], entry=entry)
    return Since(rows, now, ~there, event, ended & ~event, checked=True)
