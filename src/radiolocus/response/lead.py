"""How much earlier one call comes than that of the criterion, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from radiolocus import schema
from radiolocus.model import Array
from radiolocus.response.assess import recist_classes
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.endpoints import first_responses
from radiolocus.response.rates import RESPONSE, clopper_pearson
from radiolocus.stats.median import median_interval

__all__ = ["EVENTS", "criterion_days", "early_lead", "lead_times"]

EVENTS = ("progression", "response")
"""What a call can be ahead of."""

_MOLECULAR = {"progression": ("PROGRESSION",), "response": ("RESPONSE", "CLEARED")}

Days = Mapping[str, Mapping[str, float]]


def criterion_days(
    timepoints: pl.DataFrame, best: pl.DataFrame, criterion: str, options: CriteriaOptions
) -> dict[str, dict[str, float]]:
    """Day of progression and of the first response of those who have them, by what the criterion says.

    Parameters
    ----------
    timepoints, best : polars.DataFrame
        Tables ``response/criteria`` and ``response/criteria_best``.
    criterion : str
    options : CriteriaOptions
    """
    own = best.filter(pl.col("criterion") == criterion)
    classes = recist_classes(criterion)
    responders = set(own.filter(pl.col("best_response").replace(classes).is_in(RESPONSE))["subject"])
    ended = dict(own.select("subject", "progression_day").drop_nulls().iter_rows())
    found = first_responses(timepoints.filter(pl.col("criterion") == criterion), criterion, options)
    return {"progression": ended, "response": {s: day for s, day in found.items() if s in responders}}


def early_lead(
    endpoint: str,
    subject: Sequence[str],
    day: Array,
    high: Array,
    favourable: bool,
    events: Days,
    followed: Sequence[str],
    visited: Mapping[str, float],
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Set an early call of risk beside what the criterion called later.

    Parameters
    ----------
    endpoint : str
    subject : sequence of str
        Subjects that were predicted.
    day : ndarray, shape (n,)
        Of the early visit; NaN where it is not known.
    high : ndarray, shape (n,)
        Share of repetitions in which the endpoint was predicted.
    favourable : bool
        The endpoint is good: who was predicted to have it is called a response, who was not a progression.
    events : mapping of str to mapping of str to float
        By :data:`EVENTS` the day on which the criterion called it.
    followed : sequence of str
        Subjects that the criterion judged.
    visited : mapping of str to float
        Day of the early visit of everybody who has it.

    Returns
    -------
    rows, summary : list of dict
        Rows of ``early/lead_time`` and ``early/lead``.
    """
    judged = set(followed)
    rows: list[dict[str, object]] = []
    summary: list[dict[str, object]] = []
    for of in EVENTS:
        called = high if favourable == (of == "response") else 1.0 - high
        when = events.get(of, {})
        ahead, leads, alarms, free = 0, [], 0, 0
        for s, d, share in zip(subject, day, called, strict=True):
            if s not in judged or not np.isfinite(d):
                continue
            if s in when:
                lead = when[s] - float(d)
                head = {"endpoint": endpoint, "subject": s, "of": of, "early_day": float(d), "called": float(share)}
                rows.append(head | {"event_day": when[s], "lead_days": lead})
                ahead += lead > 0
                leads += [lead] if lead > 0 and share > 0.5 else []
            else:
                free += 1
                alarms += share > 0.5
        before = sum(s in judged and s in when and when[s] <= d for s, d in visited.items())
        lower, upper = clopper_pearson(len(leads), ahead) if ahead else (None, None)
        middle = [None if np.isnan(x) else x for x in median_interval(np.array(leads))]
        summary.append(
            {
                "endpoint": endpoint, "of": of, "before": before, "ahead": ahead, "called": len(leads),
                "share": len(leads) / ahead if ahead else None, "share_lower": lower, "share_upper": upper,
                "median_days": middle[0], "lower": middle[1], "upper": middle[2], "free": free, "alarms": int(alarms),
            }
        )  # fmt: skip
    return rows, summary


def lead_times(
    tables: Mapping[str, pl.DataFrame], criterion: str, further: Sequence[str], options: CriteriaOptions
) -> dict[str, pl.DataFrame]:
    """Set the first call of every other source beside that of the criterion.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        ``response/criteria``, ``response/criteria_best`` and, where they are there, ``response/function`` and
        ``response/ctdna``.
    criterion : str
        Criterion of the study.
    further : sequence of str
        Criteria beside it.
    options : CriteriaOptions

    Returns
    -------
    dict of str to polars.DataFrame
        ``response/lead_times``, one row a subject, source and event that either of them called, and
        ``response/lead``: how often the source was first, and by how much where both called.
    """
    calls, best = tables["response/criteria"], tables["response/criteria_best"]
    there = set(best["criterion"])
    own = criterion_days(calls, best, criterion, options) if criterion in there else {}
    judged = set(best.filter(pl.col("criterion") == criterion)["subject"])
    sources: dict[str, tuple[Days, set[str]]] = {
        name: (criterion_days(calls, best, name, options), set(best.filter(pl.col("criterion") == name)["subject"]))
        for name in further
        if name in there and name != criterion
    }
    function, blood = tables.get("response/function"), tables.get("response/ctdna")
    if function is not None and function.height:
        words = {of: (of,) for of in EVENTS}
        sources[f"{function['measure'][0]} of the lesions"] = _first(function, "function", words)
    if blood is not None and blood.height:
        sources["ctDNA"] = _first(blood, "molecular_response", _MOLECULAR)
    rows = [
        {
            "source": source, "of": of, "subject": s, "source_day": when.get(of, {}).get(s),
            "criterion_day": own[of].get(s),
        }
        for source, (when, whose) in sources.items()
        for of in EVENTS
        for s in sorted(judged & whose)
        if own and (s in when.get(of, {}) or s in own[of])
    ]  # fmt: skip
    name = "response/lead_times"
    frame = pl.DataFrame(rows, schema=schema.empty(name).drop("lead_days").schema).with_columns(
        (pl.col("criterion_day") - pl.col("source_day")).alias("lead_days")
    )
    return {name: schema.conform(frame, name), "response/lead": _summary(frame)}


def _first(frame: pl.DataFrame, column: str, words: Mapping[str, Sequence[str]]) -> tuple[Days, set[str]]:
    """First day of each event by a table of calls, and whom the table knows after baseline."""
    later = frame.filter(pl.col("day") > 0)
    days = {
        of: dict(
            later.filter(pl.col(column).is_in(list(said))).group_by("subject").agg(pl.col("day").min()).iter_rows()
        )
        for of, said in words.items()
    }
    return days, set(later["subject"])


def _summary(frame: pl.DataFrame) -> pl.DataFrame:
    name = "response/lead"
    rows: list[dict[str, object]] = []
    for (source, of), part in frame.group_by("source", "of", maintain_order=True):
        lead = part["lead_days"].drop_nulls().to_numpy()
        earlier = int((lead > 0).sum())
        estimate, lower, upper = (None if np.isnan(x) else x for x in median_interval(lead))
        low, high = clopper_pearson(earlier, lead.size) if lead.size else (None, None)
        rows.append(
            {
                "source": source, "of": of, "both": lead.size, "earlier": earlier, "same": int((lead == 0).sum()),
                "later": int((lead < 0).sum()), "source_only": part["criterion_day"].null_count(),
                "criterion_only": part["source_day"].null_count(), "share_earlier": earlier / lead.size if lead.size
                else None, "share_lower": low, "share_upper": high, "median_days": estimate, "lower": lower,
                "upper": upper,
            }
        )  # fmt: skip
    return schema.conform(pl.DataFrame(rows, schema=schema.TABLES[name].schema), name)
