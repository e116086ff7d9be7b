"""What a model learns to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array, BoolArray

__all__ = ["Kind", "Rows", "Target"]

Kind = Literal["survival", "binary", "ordinal", "multiclass", "continuous", "competing"]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Target:
    """An endpoint of which nothing is missing.

    Parameters
    ----------
    event : ndarray, shape (n,)
        1 event or positive class, 0 censored or negative class.
        Of an endpoint with several classes: the number of the class, from 0. Of a number: its value.
    time : ndarray, shape (n,), or None
        Time to event or censoring, zero or positive; None for an endpoint that is a class.
    levels : tuple of str
        Names of three classes or more (two are enough where they are ordered); empty for a binary endpoint.
    ordered : bool
        The classes rise in the order of `levels`.
    number : bool
        What is predicted is a number (an expression score), without times and classes.
    state : ndarray, shape (n,), optional
        With competing events: 0 censored, 1 the event of interest (`event` is 1 for it alone), 2, 3, ... the others.
    entry : ndarray, shape (n,), optional
        Time from which each subject was at risk (left truncation): at risk at t when entry < t ≤ time.
    stratum : ndarray, shape (n,), optional
        Stratum of each subject: risks are compared within strata only.
    weight : ndarray, shape (n,), optional
        Case weight of each subject, for the fit.

    Raises
    ------
    InputError
        An event that is neither 0 nor 1, or no class; a time that is negative or not finite; a number that is not
        finite.
    """

    event: Array
    time: Array | None = None
    levels: tuple[str, ...] = ()
    ordered: bool = False
    number: bool = False
    state: Array | None = None
    entry: Array | None = None
    stratum: npt.NDArray[np.generic] | None = None
    weight: Array | None = None

    def __post_init__(self) -> None:
        event = np.asarray(self.event, dtype=np.float64)
        object.__setattr__(self, "event", event)
        if self.number:
            self._check_numbers()
            return
        if self.levels:
            self._check_classes()
            return
        wrong = np.flatnonzero((event != 0) & (event != 1))
        if wrong.size:
            raise InputError(
                f"event {event[wrong[0]]:g}",
                where=f"index {wrong[0]} ({wrong.size} such)",
                allowed="0 (censored or negative) or 1 (event or positive)",
                todo="recode the event; 1/2 coding is not guessed",
            )
        if self.time is None:
            return
        time = np.asarray(self.time, dtype=np.float64)
        object.__setattr__(self, "time", time)
        if time.shape != event.shape:
            raise InputError(f"{time.size} times and {event.size} events", allowed="one of each a subject")
        wrong = np.flatnonzero(~(np.isfinite(time) & (time >= 0)))
        if wrong.size:
            raise InputError(
                f"time {time[wrong[0]]:g}",
                where=f"index {wrong[0]} ({wrong.size} such)",
                allowed="finite, zero or positive",
                todo="correct the time or leave the subject out",
            )
        self._check_at_risk(time)

    def _check_at_risk(self, time: Array) -> None:
        """Refuse states that contradict the event, entry behind exit, and weights that are not positive."""
        if self.state is not None:
            state = np.asarray(self.state, dtype=np.float64)
            object.__setattr__(self, "state", state)
            if state.shape != time.shape or not np.array_equal(state == 1, self.event == 1) or (state < 0).any():
                raise InputError("states that contradict the events", allowed="1 where the event is, and nowhere else")
        if self.entry is not None:
            # Who entered at time zero or before was at risk from the beginning.
            begin = np.asarray(self.entry, dtype=np.float64)
            object.__setattr__(self, "entry", np.where(begin <= 0.0, -np.inf, begin))
        for name, allowed in (("entry", "before the end of observation"), ("weight", "finite and positive")):
            value = getattr(self, name)
            if value is None:
                continue
            values = np.asarray(value, dtype=np.float64)
            object.__setattr__(self, name, values)
            usable = values < time if name == "entry" else np.isfinite(values) & (values > 0)
            wrong = np.flatnonzero(~usable)
            if wrong.size:
                raise InputError(
                    f"{name} {values[wrong[0]]:g}", where=f"index {wrong[0]} ({wrong.size} such)", allowed=allowed
                )

    def _check_numbers(self) -> None:
        if self.time is not None or self.levels:
            raise InputError("a number with times or classes", allowed="a number alone")
        wrong = np.flatnonzero(~np.isfinite(self.event))
        if wrong.size:
            raise InputError(
                f"value {self.event[wrong[0]]:g}",
                where=f"index {wrong[0]} ({wrong.size} such)",
                allowed="finite",
                todo="leave subjects without a value out",
            )

    def _check_classes(self) -> None:
        if self.time is not None or len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise InputError(
                f"classes {', '.join(self.levels)}" + (" with times" if self.time is not None else ""),
                allowed="two classes or more, every one once, without times",
            )
        wrong = np.flatnonzero(~np.isin(self.event, np.arange(len(self.levels))))
        if wrong.size:
            raise InputError(
                f"class {self.event[wrong[0]]:g}",
                where=f"index {wrong[0]} ({wrong.size} such)",
                allowed=f"0 to {len(self.levels) - 1}",
                todo="number the classes from 0",
            )

    @property
    def kind(self) -> Kind:
        """Kind of endpoint."""
        if self.number:
            return "continuous"
        if self.levels:
            return "ordinal" if self.ordered else "multiclass"
        if self.time is None:
            return "binary"
        return "survival" if self.state is None else "competing"

    @property
    def needs(self) -> frozenset[str]:
        """What a model must know to be fitted to it: entry, strata, weights."""
        told = (("entry", self.entry), ("strata", self.stratum), ("weights", self.weight))
        return frozenset(name for name, value in told if value is not None)

    @property
    def classes(self) -> int:
        """Number of classes: 2 of a binary endpoint, and of a survival endpoint censored and event; 0 of a number."""
        return 0 if self.number else len(self.levels) or 2

    @property
    def n(self) -> int:
        """Number of subjects."""
        return self.event.size

    @property
    def events(self) -> int:
        """Number of events or positives; of several classes, subjects outside the most frequent one; 0 of a number."""
        if self.number:
            return 0
        if self.levels:
            return int(self.n - np.bincount(self.event.astype(np.intp)).max(initial=0))
        return int(self.event.sum())

    def take(self, rows: Rows | BoolArray) -> Target:
        """Return the target of some subjects."""
        more = {
            n: None if (v := getattr(self, n)) is None else v[rows] for n in ("state", "entry", "stratum", "weight")
        }
        time = None if self.time is None else self.time[rows]
        return Target(self.event[rows], time, self.levels, self.ordered, self.number, **more)

    def obstacle(self) -> str:
        """Say why no model can be fitted to these subjects; empty when one can."""
        if self.number:
            return "" if np.unique(self.event).size > 1 else f"one value among {self.n} subjects"
        if self.levels:
            absent = np.flatnonzero(np.bincount(self.event.astype(np.intp), minlength=self.classes) == 0)
            return f"nobody of class '{self.levels[absent[0]]}' among {self.n} subjects" if absent.size else ""
        if self.events == 0:
            return f"no events among {self.n} subjects"
        if self.time is None:
            return f"only events among {self.n} subjects" if self.events == self.n else ""
        if self.time.max() == self.time[self.event == 1].min() and self._alone_at_last():
            return "no event while another subject is at risk"
        return ""

    @property
    def rarest(self) -> int:
        """Events of a survival endpoint; different values of a number; of any other, subjects in its rarest class."""
        if self.number:
            return int(np.unique(self.event).size)
        if self.time is not None:
            return self.events
        return int(np.bincount(self.event.astype(np.intp), minlength=self.classes).min())

    def _alone_at_last(self) -> bool:
        return self.time is not None and int((self.time == self.time.max()).sum()) == 1

    def check(self) -> None:
        """Raise :class:`FitError` when no model can be fitted and judged by cross-validation."""
        obstacle = self.obstacle()
        if not obstacle:
            rarer = self.rarest
            what = self._counted("different values", "events", "subjects in the rarer class")
            obstacle = f"{rarer} {what} among {self.n} subjects" if rarer < 3 else ""
        if obstacle:
            least = ("at least 3 different values", "at least 3 events", "at least 3 subjects of each class")
            raise FitError(
                obstacle,
                allowed=self._counted(*least),
                todo="check how the event is coded (event_values), or leave this endpoint out",
            )

    def _counted(self, number: str, survival: str, classes: str) -> str:
        return number if self.number else survival if self.time is not None else classes
