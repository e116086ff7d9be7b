"""Endpoints of a study that are made of its own calls: response, control, durable benefit, progression, depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from radiolocus import schema
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.model import Problem
from radiolocus.response.assess import CRITERION_NAMES, Assessment, assess, recist_classes
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.endpoints import ENDPOINTS, RULES, first_responses, survival_endpoints
from radiolocus.response.rates import CONTROL, RESPONSE

__all__ = ["DERIVED", "ResponseEndpoint", "kind_of", "study_endpoints"]

DERIVED = {
    "objective response": "CR or PR as best response; everybody else has none",
    "disease control": "CR, PR, SD or NON-CR/NON-PD as best response; everybody else has none",
    "durable clinical benefit": "neither progression nor death for at least `days` days from baseline; who was "
    "censored before is unknown",
    "progression-free survival": "days from baseline to progression or death, censored by `rule`",
    "best depth": "largest fall of the quantity that the criterion follows, in percent of baseline; with `percent` "
    "whether it reached so much",
}
"""What an endpoint can be made of, and how."""

_TOLERANCE = 1e-9
_SCHEMA = schema.TABLES["response/study_endpoints"].schema

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class ResponseEndpoint:
    """An endpoint made of response calls.

    Parameters
    ----------
    of : str
        objective response, disease control, durable clinical benefit, progression-free survival or best depth.
    criterion : str
        Criterion whose calls count; default: that of the section.
    days : float
        Durable clinical benefit: days without progression; 183 is half a year.
    rule : {"all events", "censored"}
        Progression-free survival and durable clinical benefit: every event counts, or times end before another
        treatment and before an event that follows two or more missed visits.
    percent : float or None
        Best depth: fall, in percent of baseline, that makes it yes or no; without it the endpoint is a number, which
        can be linked and not predicted.
    not_evaluable : {"no", "unknown"}
        Objective response and disease control: what the best response NE is. "no" is what response rates count.
    """

    of: Literal[
        "objective response", "disease control", "durable clinical benefit", "progression-free survival", "best depth"
    ]
    criterion: str = ""
    days: float = 183.0
    rule: Literal["all events", "censored"] = "all events"
    percent: float | None = None
    not_evaluable: Literal["no", "unknown"] = "no"

    def __post_init__(self) -> None:
        if self.of not in DERIVED:
            raise ConfigError(f"of = '{self.of}'", allowed=", ".join(DERIVED))
        if self.criterion and self.criterion not in CRITERION_NAMES:
            raise ConfigError(f"criterion = '{self.criterion}'", allowed=", ".join(CRITERION_NAMES))
        if not 0 < self.days < float("inf"):
            raise ConfigError(f"days = {self.days:g}", allowed="more than 0")
        if self.rule not in RULES:
            raise ConfigError(f"rule = '{self.rule}'", allowed=", ".join(RULES))
        if self.percent is not None and (self.of != "best depth" or not 0 < self.percent <= 100):
            raise ConfigError(f"percent = {self.percent:g}", allowed="of the best depth, above 0 and at most 100")
        if self.not_evaluable not in ("no", "unknown"):
            raise ConfigError(f"not_evaluable = '{self.not_evaluable}'", allowed="no, unknown")


def kind_of(asked: ResponseEndpoint) -> Literal["survival", "binary", "continuous"]:
    """Kind of an endpoint, which does not depend on the data."""
    if asked.of == "progression-free survival":
        return "survival"
    return "continuous" if asked.of == "best depth" and asked.percent is None else "binary"


def study_endpoints(
    lesions: pl.DataFrame,
    asked: Mapping[str, ResponseEndpoint],
    criterion: str = "recist11",
    options: CriteriaOptions | None = None,
    visit_days: float = 0.0,
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Make endpoints of the calls.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    asked : mapping of str to ResponseEndpoint
        By the name of the endpoint.
    criterion : str
        Of endpoints that do not name one.
    options : CriteriaOptions, optional
    visit_days : float
        See :func:`radiolocus.response.endpoints.survival_endpoints`.

    Returns
    -------
    frame : polars.DataFrame
        Table ``response/study_endpoints``, one row a subject and endpoint. `decided` is the day from which it is known:
        of a response its first visit, of its absence the progression or the last evaluable visit. What is measured on
        that day or later does not predict it.
    problems : tuple of Problem
        How many subjects an endpoint does not know.
    """
    chosen = options or CriteriaOptions()
    parts = [schema.empty("response/study_endpoints")]
    problems: list[Problem] = []
    told: dict[str, _Calls] = {}
    for name, wanted in asked.items():
        key = wanted.criterion or criterion
        try:
            calls = told.get(key) or _Calls(lesions, key, chosen, visit_days)
        except RadiolocusError as error:
            where = f"response.endpoints.{name}"
            problems.append(
                Problem("response", error.got, "set aside", None, name, f"{where}: {error.where}", error.allowed)
            )
            continue
        told[key] = calls
        head = {"endpoint": name, "kind": kind_of(wanted), "of": wanted.of, "criterion": key, "unit": "days"}
        rows = [head | row for row in _MAKERS[wanted.of](calls, wanted)]
        part = schema.conform(pl.DataFrame(rows, schema=_SCHEMA), "response/study_endpoints")
        parts.append(part)
        problems += _unknown(name, part)
    return pl.concat(parts), tuple(problems)


class _Calls:
    """What one criterion says: calls, best responses, first responses and times to progression."""

    def __init__(self, lesions: pl.DataFrame, criterion: str, options: CriteriaOptions, visit_days: float) -> None:
        self.found: Assessment = assess(lesions, criterion, options)
        self.classes = recist_classes(criterion)
        self.responses = first_responses(self.found.timepoints, criterion, options)
        self.stable_from = options.sd_minimum_days
        times = survival_endpoints(lesions, criterion, options, visit_days).filter(endpoint=ENDPOINTS[0])
        self.times = {rule: {r["subject"]: r for r in times.filter(rule=rule).to_dicts()} for rule in RULES}
        visits = self.found.timepoints.filter(pl.col("overall_response").is_not_null())
        self.visits: dict[str, list[Row]] = {}
        for row in visits.iter_rows(named=True):
            self.visits.setdefault(row["subject"], []).append(row)

    def best(self) -> Iterator[tuple[str, str, float, Row]]:
        """Subject, class of the best response, day when follow-up ended, and the row of the best response."""
        for row in self.found.best.iter_rows(named=True):
            end = row["progression_day"] if row["progression_day"] is not None else row["last_day"]
            said = row["best_response"]
            yield row["subject"], self.classes.get(said, said), float(end), row


def _best_is(calls: _Calls, asked: ResponseEndpoint) -> Iterator[Row]:
    wanted = RESPONSE if asked.of == "objective response" else CONTROL
    for subject, said, end, row in calls.best():
        event = int(said in wanted)
        known = said != "NE" or asked.not_evaluable == "no"
        since = _since(calls, subject, asked.of) if event else None
        yield {
            "subject": subject,
            "event": event if known else None,
            "decided": min(end, since) if since is not None else end,
            "reason": f"best response {row['best_response']}: {row['reason']}",
        }


def _since(calls: _Calls, subject: str, of: str) -> float | None:
    """First visit at which the response, or control that counts, was seen."""
    if of == "objective response":
        return calls.responses.get(subject)
    days = (
        float(str(v["day"]))
        for v in calls.visits.get(subject, ())
        if (said := calls.classes.get(str(v["overall_response"]), str(v["overall_response"]))) in CONTROL
        and (said in RESPONSE or float(str(v["day"])) >= calls.stable_from)
    )
    return min(days, default=None)


def _durable(calls: _Calls, asked: ResponseEndpoint) -> Iterator[Row]:
    for subject, row in calls.times[asked.rule].items():
        lasted = row["time"] >= asked.days - _TOLERANCE
        known = lasted or row["event"]
        text = row["reason"] if lasted or known else f"{row['reason']}, before day {asked.days:g}: unknown"
        day = asked.days if lasted else row["time"]
        yield {"subject": subject, "event": int(lasted) if known else None, "decided": day, "reason": text}


def _progression_free(calls: _Calls, asked: ResponseEndpoint) -> Iterator[Row]:
    for subject, row in calls.times[asked.rule].items():
        event = int(row["event"])
        yield {
            "subject": subject, "time": row["time"], "event": event, "decided": row["time"], "reason": row["reason"]
        }  # fmt: skip


def _depth(calls: _Calls, asked: ResponseEndpoint) -> Iterator[Row]:
    for subject, _, end, row in calls.best():
        change = row["best_change"]
        fall = None if change is None else -float(str(change))
        reached = None if fall is None or asked.percent is None else int(fall >= asked.percent - _TOLERANCE)
        days = [
            float(str(v["day"]))
            for v in calls.visits.get(subject, ())
            if reached and v["change_from_baseline"] is not None
            if -float(str(v["change_from_baseline"])) >= (asked.percent or 0.0) - _TOLERANCE
        ]
        text = "no complete measurement after baseline" if fall is None else f"largest fall {fall:.1f} %"
        yield {
            "subject": subject, "event": reached, "value": fall, "decided": min([end, *days]), "reason": text
        }  # fmt: skip


_MAKERS = {
    "objective response": _best_is,
    "disease control": _best_is,
    "durable clinical benefit": _durable,
    "progression-free survival": _progression_free,
    "best depth": _depth,
}


def _unknown(name: str, part: pl.DataFrame) -> list[Problem]:
    lost = part.filter(pl.col("event").is_null() & pl.col("value").is_null())
    if not lost.height:
        return []
    some = f"{lost['subject'][0]}: {lost['reason'][0]}"
    got = f"{lost.height} of {part.height} subjects with lesions have no known value of this endpoint ({some})"
    return [Problem("response", got, "note", item=name, where=f"response.endpoints.{name}", count=lost.height)]
