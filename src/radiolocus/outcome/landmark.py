"""Predictors that are measured after baseline: who had the endpoint before them is left out, and time starts anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from radiolocus.errors import InputError
from radiolocus.learn.landmark import Since, since
from radiolocus.model import Array, Problem
from radiolocus.outcome.blocks import Known
from radiolocus.outcome.delta_options import DELTA
from radiolocus.schema import conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg

__all__ = ["Landmark", "joined"]


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
        endpoint = known.endpoint
        day = np.array([self.day.get(s, np.nan) for s in known.subject], dtype=np.float64)
        start = None
        if self.start is not None and endpoint.decided is None:
            start = np.array([self.start.get(s, np.nan) for s in known.subject], dtype=np.float64)
        try:
            found = since(known.target, day, endpoint.unit, start=start, decided=self._decided(known))
        except InputError as error:
            raise error.at(f"endpoint {endpoint.name}") from None
        problems = self._problems(known, found)
        kept, timed = day[found.rows], found.target.time is not None
        row = {
            "endpoint": endpoint.name, "visit": self.visit, "unit": endpoint.unit if timed else "",
            "day": float(np.median(kept)) if kept.size else None,
            "earliest": float(kept.min()) if kept.size else None, "latest": float(kept.max()) if kept.size else None,
            "known": day.size, "without_visit": int(found.without.sum()), "before": int(found.before.sum()),
            "lost": int(found.lost.sum()), "n": kept.size, "checked": found.checked,
        }  # fmt: skip
        told = conform(pl.DataFrame([row], schema=empty("outcome/landmark").schema), "outcome/landmark")
        return Known(endpoint, tuple(known.subject[i] for i in found.rows), found.target), told, problems

    @staticmethod
    def _decided(known: Known) -> Array | None:
        if known.endpoint.decided is None:
            return None
        day = dict(zip(known.endpoint.subject, known.endpoint.decided, strict=True))
        return np.array([day[s] for s in known.subject], dtype=np.float64)

    def _problems(self, known: Known, found: Since) -> list[Problem]:
        item, where = f"{known.endpoint.name} from {DELTA}", "outcome.delta"
        reasons = (
            (found.before, f"the endpoint was there at the visit '{self.visit}' or before it"),
            (found.lost, f"follow-up ended at the visit '{self.visit}' or before it"),
        )
        problems = [
            Problem("outcome", f"{n} subjects left out: {why}", "note", item=item, where=where, count=n)
            for rows, why in reasons
            if (n := int(rows.sum()))
        ]
        if not found.checked:
            got = f"when it was decided is not known: that it came after the visit '{self.visit}' was not checked"
            todo = "make sure that the endpoint was told after that visit"
            problems.append(Problem("outcome", got, "note", item=item, where=where, todo=todo))
        return problems


def joined(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables ``outcome/univariate`` of one endpoint as one: q-values over all of them."""
    whole = pl.concat(tables)
    return whole.with_columns(
        pl.Series("q_value", benjamini_hochberg(whole["neg_log_10_p_value"].to_numpy()), pl.Float64).fill_nan(None)
    )
