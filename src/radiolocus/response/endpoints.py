"""Progression-free survival and duration of response under stated rules of censoring, and their summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from radiolocus import schema
from radiolocus.kernels.recist import LABELS, first_response
from radiolocus.response.assess import assess
from radiolocus.response.criterion import CRITERIA, CriteriaOptions
from radiolocus.stats.survival import kaplan_meier

__all__ = ["ENDPOINTS", "RULES", "first_responses", "survival_endpoints", "survival_summary"]

ENDPOINTS = ("progression-free survival", "duration of response")
RULES = {
    "all events": "progression or death counts whenever it comes, also after missed visits or another treatment (EMA)",
    "censored": "censored at the last evaluable visit before another treatment, and before an event that follows two "
    "or more missed visits (FDA)",
}
"""How times end, by name."""

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class _Story:
    """What ends the times of a subject, in days since baseline."""

    subject: str
    evaluable: tuple[float, ...]
    progression: float | None
    death: float | None
    therapy: float | None
    response: float | None


def survival_endpoints(
    lesions: pl.DataFrame, criterion: str = "recist11", options: CriteriaOptions | None = None, visit_days: float = 0.0
) -> pl.DataFrame:
    """Time to progression or death of every subject, and from the first response of responders.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it, with ``death_day`` and ``new_therapy_day``
        where they are known.
    criterion : str
    options : CriteriaOptions, optional
    visit_days : float
        Planned days between visits; 0: not known, no visit is held to be missed. An event more than two of them after
        the last evaluable visit follows two or more missed visits.

    Returns
    -------
    polars.DataFrame
        Table ``response/endpoints``. Times count from the baseline (responses: from their first visit). Subjects
        without an evaluable visit after baseline are censored at day 0 unless they die.
    """
    chosen = options or CriteriaOptions()
    stories = list(_stories(lesions, criterion, chosen))
    rows = []
    for story in stories:
        for rule in RULES:
            end, event, why = _end(story, rule, visit_days)
            head = {"subject": story.subject, "criterion": criterion, "rule": rule}
            rows.append(head | {"endpoint": ENDPOINTS[0], "time": end, "event": event, "reason": why})
            # A response that began after the time ended under this rule is none under it.
            if story.response is not None and story.response <= end:
                since = f"{why}; response since day {story.response:g}"
                rows.append(
                    head | {"endpoint": ENDPOINTS[1], "time": end - story.response, "event": event, "reason": since}
                )
    frame = pl.DataFrame(rows, schema=schema.TABLES["response/endpoints"].schema)
    return schema.conform(
        frame.sort("endpoint", "rule", "subject", descending=[True, False, False]), "response/endpoints"
    )


def _stories(lesions: pl.DataFrame, criterion: str, options: CriteriaOptions) -> Iterator[_Story]:
    # Whether visits behind another treatment count is for the rules to say, so all are called here.
    whole = assess(lesions.drop("new_therapy_day", strict=False), criterion, options)
    known = {
        name: dict(lesions.group_by("subject").agg(pl.col(name).drop_nulls().first()).rows())
        if name in lesions.columns
        else {}
        for name in ("death_day", "new_therapy_day")
    }
    ends = dict(whole.best.select("subject", "progression_day").rows())
    # A response counts, and is confirmed, before another treatment alone: as in the rates.
    before = whole.timepoints
    if "new_therapy_day" in lesions.columns:
        ends_at = lesions.group_by("subject").agg(pl.col("new_therapy_day").drop_nulls().first().alias("_end"))
        kept = (pl.col("day") <= pl.col("_end")).fill_null(True)
        before = before.join(ends_at, on="subject", how="left", maintain_order="left").filter(kept).drop("_end")
    responses = first_responses(before, criterion, options)
    for part in whole.timepoints.partition_by("subject", maintain_order=True):
        subject = part["subject"][0]
        seen = part.filter((pl.col("day") == 0) | (pl.col("overall_response") != "NE"))
        therapy = known["new_therapy_day"].get(subject)
        yield _Story(
            subject,
            tuple(seen["day"]),
            ends.get(subject),
            known["death_day"].get(subject),
            therapy,
            responses.get(subject),
        )


def first_responses(timepoints: pl.DataFrame, criterion: str, options: CriteriaOptions) -> dict[str, float]:
    """Day of the first response, confirmed later where that is demanded, by subject.

    Parameters
    ----------
    timepoints : polars.DataFrame
        Table ``response/criteria`` of one criterion.
    criterion : str
    options : CriteriaOptions
    """
    if timepoints.is_empty():
        return {}
    words = {"none": "none", **dict.fromkeys(("PDu", "iUPD"), "NE"), "MR": "SD", **{w: w for w in LABELS}}
    if criterion != "recist11":
        words |= dict(CRITERIA[criterion].words)
        words |= dict.fromkeys(("PDu", "iUPD"), "NE")
        options = CRITERIA[criterion].best_by(options)
    codes = {word: LABELS.index(label) for word, label in words.items()}
    said = timepoints["overall_response"].fill_null("none").replace_strict(codes, return_dtype=pl.Int8).to_numpy()
    starts = [*(timepoints["day"] == 0).arg_true().to_list(), timepoints.height]
    day = timepoints["day"].to_numpy()
    found = {}
    for start, stop in pairwise(starts):
        row = first_response(
            said,
            day,
            start + 1,
            stop,
            options.confirmation,
            options.confirmation_days,
            options.not_evaluable_between,
            options.stable_between,
        )
        if row >= 0:
            found[timepoints["subject"][start]] = float(day[row])
    return found


def _end(story: _Story, rule: str, visit_days: float) -> tuple[float, bool, str]:
    """Time from baseline, whether an event ends it, and why."""
    events = [(d, w) for d, w in ((story.progression, "progression"), (story.death, "death")) if d is not None]
    when, what = min(events) if events else (None, "")
    last = max((d for d in story.evaluable if when is None or d <= when), default=0.0)
    if rule == "censored" and story.therapy is not None and (when is None or when > story.therapy):
        last = max(d for d in story.evaluable if d <= story.therapy)
        return last, False, f"censored at the last evaluable visit before another treatment at day {story.therapy:g}"
    if when is None:
        return last, False, "censored at the last evaluable visit"
    before = max((d for d in story.evaluable if d < when), default=0.0)
    if rule == "censored" and visit_days > 0 and when - before > 2 * visit_days + _TOLERANCE:
        text = f"{what} at day {when:g} follows two or more missed visits: censored at the last evaluable visit before"
        return before, False, text
    return when, True, f"{what} at day {when:g}"


def survival_summary(endpoints: pl.DataFrame) -> pl.DataFrame:
    """Kaplan–Meier medians: table ``response/endpoint_summary``.

    Parameters
    ----------
    endpoints : polars.DataFrame
        Table ``response/endpoints``.
    """
    rows = []
    for (endpoint, rule, criterion), part in endpoints.group_by(["endpoint", "rule", "criterion"], maintain_order=True):
        median, lower, upper = kaplan_meier(part["time"].to_numpy(), part["event"].to_numpy()).median()
        rows.append(
            {
                "criterion": criterion,
                "endpoint": endpoint,
                "rule": rule,
                "meaning": RULES[str(rule)],
                "median": median,
                "lower": lower,
                "upper": upper,
                "events": int(part["event"].sum()),
                "n": part.height,
            }
        )
    frame = pl.DataFrame(rows, schema=schema.TABLES["response/endpoint_summary"].schema)
    return schema.conform(
        frame.with_columns(pl.col("median", "lower", "upper").fill_nan(None)), "response/endpoint_summary"
    )
