"""Predictors that are measured after baseline: who had the endpoint before them is left out, and time starts anew.

What is known at a visit predicts what comes after it. Counted from baseline, whoever reaches the visit is immortal
until then, and whoever does not tells the endpoint by not being there.

References
----------
Anderson, Cain & Gelber, J Clin Oncol 1983;1:710 (landmark analysis).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from radiolocus.errors import InputError
from radiolocus.model import Array, Problem
from radiolocus.outcome.blocks import Known
from radiolocus.outcome.delta_options import DELTA
from radiolocus.schema import conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg

__all__ = ["DAYS", "Landmark", "joined"]

#: Days of the units that times are told in.
DAYS = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}


@dataclass(frozen=True, eq=False)
class Landmark:
    """When predictors were measured.

    Parameters
    ----------
    visit : str
        Label of the visit.
    day : mapping of str to float
        Of each subject who has it: days since the baseline scan.
    start : mapping of str to float, optional
        Time from time zero of the endpoints to the baseline scan, in their unit; None: the same moment.
    blocks : tuple of str
        Blocks of predictors that were measured then.
    """

    visit: str
    day: Mapping[str, float]
    start: Mapping[str, float] | None = None
    blocks: tuple[str, ...] = field(default=(DELTA,))

    def concerns(self, members: Sequence[str]) -> bool:
        """Tell whether a set of blocks has one that was measured at the landmark."""
        return any(name in self.blocks for name in members)

    def of(self, known: Known) -> tuple[Known, pl.DataFrame, list[Problem]]:
        """Count an endpoint from the landmark.

        Parameters
        ----------
        known : Known

        Returns
        -------
        known : Known
            Those who have the visit and neither had the endpoint nor were lost before it or on its day; times are
            counted from the visit.
        told : polars.DataFrame
            Row of table ``outcome/landmark``.
        problems : list of Problem
            Who was left out, and what could not be checked.

        Raises
        ------
        InputError
            Times in a unit that cannot be compared with days.
        """
        endpoint, target = known.endpoint, known.target
        day = np.array([self.day.get(s, np.nan) for s in known.subject])
        there = np.isfinite(day)
        when = self._when(known, day)
        decided = self._decided(known)
        if target.time is not None:
            before = there & ~(target.time > when)
            event = before & (target.event > 0)
        else:
            before = there & (decided <= day) if decided is not None else np.zeros(day.size, dtype=bool)
            event = before
        kept = there & ~before & np.isfinite(when)
        rows = np.flatnonzero(kept)
        now = target.take(rows)
        if target.time is not None:
            now = replace(now, time=target.time[rows] - when[rows])
        problems = self._problems(known, target.time is None and decided is None, there, event, before & ~event)
        row = {
            "endpoint": endpoint.name, "visit": self.visit, "unit": endpoint.unit if target.time is not None else "",
            "day": float(np.median(day[kept])) if rows.size else None,
            "earliest": float(day[kept].min()) if rows.size else None,
            "latest": float(day[kept].max()) if rows.size else None,
            "known": day.size, "without_visit": int((~there).sum()), "before": int(event.sum()),
            "lost": int((before & ~event).sum()), "n": int(rows.size),
            "checked": target.time is not None or decided is not None,
        }  # fmt: skip
        told = conform(pl.DataFrame([row], schema=empty("outcome/landmark").schema), "outcome/landmark")
        return Known(endpoint, tuple(known.subject[i] for i in rows), now), told, problems

    def _when(self, known: Known, day: Array) -> Array:
        """Time of the landmark since time zero of the endpoint, in its unit."""
        endpoint = known.endpoint
        if known.target.time is None:
            return day
        if endpoint.unit not in DAYS:
            raise InputError(
                f"times in '{endpoint.unit}'",
                where=f"endpoint {endpoint.name}",
                allowed=", ".join(DAYS),
                todo="state the unit of the endpoint: change is measured on days, and time must start there",
            )
        if self.start is None or endpoint.decided is not None:
            return day / DAYS[endpoint.unit]
        return np.array([self.start.get(s, np.nan) for s in known.subject]) + day / DAYS[endpoint.unit]

    @staticmethod
    def _decided(known: Known) -> Array | None:
        if known.endpoint.decided is None:
            return None
        day = dict(zip(known.endpoint.subject, known.endpoint.decided, strict=True))
        return np.array([day[s] for s in known.subject], dtype=np.float64)

    def _problems(self, known: Known, unchecked: bool, there: Array, event: Array, lost: Array) -> list[Problem]:
        item, where = f"{known.endpoint.name} from {DELTA}", "outcome.delta"
        problems = [
            Problem("outcome", f"{int(rows.sum())} subjects left out: {why}", "note", item=item, where=where,
                    count=int(rows.sum()))
            for rows, why in (
                (event, f"the endpoint was there at the visit '{self.visit}' or before it"),
                (lost, f"follow-up ended at the visit '{self.visit}' or before it"),
            )
            if rows.any()
        ]  # fmt: skip
        if unchecked:
            problems.append(
                Problem(
                    "outcome",
                    f"when it was decided is not known: that it came after the visit '{self.visit}' was not checked",
                    "note", item=item, where=where, todo="make sure that the endpoint was told after that visit",
                )
            )  # fmt: skip
        return problems


def joined(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables ``outcome/univariate`` of one endpoint as one: q-values over all of them."""
    whole = pl.concat(tables)
    return whole.with_columns(
        pl.Series("q_value", benjamini_hochberg(whole["neg_log_10_p_value"].to_numpy()), pl.Float64).fill_nan(None)
    )
