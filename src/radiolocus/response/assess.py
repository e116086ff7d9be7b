"""Apply any criterion to a lesion table: calls of the visits, best response, rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from radiolocus import schema
from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.response import choi, irecist, lugano, metabolic, mrecist, pcwg3, rano, volumetric, who
from radiolocus.response.criterion import CRITERIA, Course, CriteriaOptions, Criterion, courses
from radiolocus.response.nodes import RANKED, placed_nodes
from radiolocus.response.rates import response_rates
from radiolocus.response.recist11 import best_response, recist11
from radiolocus.response.recist11_rules import recist11_rule
from radiolocus.response.sums import counted
from radiolocus.response.therapy import before_new_therapy

__all__ = ["CRITERION_NAMES", "Assessment", "assess", "recist_classes"]

# The modules register their criteria; naming them keeps the imports honest.
_MODULES = (choi, irecist, lugano, metabolic, mrecist, pcwg3, rano, volumetric, who)
CRITERION_NAMES = ("recist11", *sorted(CRITERIA))
_UNCONFIRMED = ("PDu", "iUPD")


def lacking(columns: Sequence[str], criterion: str, options: CriteriaOptions) -> list[str]:
    """Columns that a criterion needs, beside those of every lesion table, and a table has not."""
    return [] if criterion == "recist11" else CRITERIA[criterion].lacks(columns, options)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What one criterion says of a lesion table.

    Parameters
    ----------
    timepoints : polars.DataFrame
        Table ``response/criteria``; the baseline is its own row.
    best : polars.DataFrame
        Table ``response/criteria_best``.
    rates : polars.DataFrame
        Table ``response/criteria_rates``.
    problems : tuple of Problem
        Notes.
    """

    timepoints: pl.DataFrame
    best: pl.DataFrame
    rates: pl.DataFrame
    problems: tuple[Problem, ...]


def assess(lesions: pl.DataFrame, criterion: str, options: CriteriaOptions | None = None) -> Assessment:
    """Apply one criterion.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it, in any order of rows.
    criterion : str
        One of :data:`CRITERION_NAMES`.
    options : CriteriaOptions, optional

    Raises
    ------
    ConfigError
        No such criterion.
    TableError
        The table lacks columns that the criterion needs, or baselines.
    """
    chosen = options or CriteriaOptions()
    if criterion == "recist11":
        return _recist(lesions, chosen)
    kind = CRITERIA[criterion]
    if missing := kind.lacks(lesions.columns, chosen):
        raise TableError(
            f"a lesion table without {', '.join(missing)}, which {kind.title} needs",
            todo="add the columns, or name them in the measures of the columns",
        )
    kept, late = before_new_therapy(lesions)
    problems, placed = late, {}
    if criterion in RANKED:
        kept, nodes, words = placed_nodes(kept, chosen.small_nodes)
        problems, placed = (*late, *nodes), dict(words.rows())
    found = list(courses(kept))
    rows = [row for c in found for row in _rows(c, kind, chosen, placed.get(c.subject, ""))]
    timepoints = schema.conform(pl.DataFrame(rows, schema=_SCHEMA), "response/criteria")
    best = _best(timepoints, kind, chosen)
    notes = tuple(
        Problem("response", got, "note", c.subject, item, "baseline", allowed, "the response was computed all the same")
        for c in found
        for item, got, allowed in kind.remarks(c)
    )
    return Assessment(timepoints, best, _rates(best, kind.name), (*problems, *notes))


_SCHEMA = schema.TABLES["response/criteria"].schema


def _rows(course: Course, kind: Criterion, options: CriteriaOptions, placed: str) -> list[dict[str, object]]:
    common = {"subject": course.subject, "criterion": kind.name, "quantity": kind.quantity}
    calls = kind.calls(course, options)
    # The baseline compared with itself says its value, whatever comes later.
    again = Course(course.subject, (course.baseline, replace(course.baseline, day=1.0)))
    base = kind.calls(again, options)[0].base
    rows: list[dict[str, object]] = [
        {
            **common,
            "visit": course.baseline.label,
            "day": 0.0,
            "targets": len(course.baseline.targets),
            "value": base,
            "new_lesion": False,
            "change_from_baseline": 0.0 if base else None,
            "reason": f"baseline: {counted(len(course.baseline.targets), 'target')}, "
            + counted(len(course.baseline.others), "non-target")
            + (f"; {placed}" if placed else ""),
        }
    ]
    for visit, call in zip(course.later, calls, strict=True):
        rows.append(
            {
                **common,
                "visit": visit.label,
                "day": visit.day,
                "targets": len(course.baseline.targets),
                "value": call.value,
                "nadir": call.nadir,
                "change_from_baseline": _change(call.value, call.base),
                "change_from_nadir": _change(call.value, call.nadir),
                "target_response": call.target,
                "nontarget_response": call.nontarget,
                "new_lesion": call.new,
                "overall_response": call.overall,
                "rule": call.rule,
                "reason": call.reason,
            }
        )
    return rows


def _change(value: float | None, start: float | None) -> float | None:
    return 100 * (value / start - 1) if value is not None and start else None


def recist_classes(criterion: str) -> dict[str, str]:
    """Class of RECIST that a word of a criterion amounts to; words that are classes themselves need not stand there.

    What waits for confirmation is neither response nor progression, a minor response is disease under control.
    """
    words = {} if criterion == "recist11" else dict(CRITERIA[criterion].words)
    return {**words, "MR": "SD", **dict.fromkeys(_UNCONFIRMED, "NE")}


def _best(timepoints: pl.DataFrame, kind: Criterion, options: CriteriaOptions) -> pl.DataFrame:
    """Best response by the classes of RECIST, said in the words of the criterion."""
    if timepoints.is_empty():
        return schema.empty("response/criteria_best")
    classes = recist_classes(kind.name)
    as_recist = timepoints.with_columns(pl.col("overall_response").replace_strict(classes, return_dtype=pl.String))
    best = best_response(as_recist, kind.best_by(options))
    by_subject = {str(k[0]): part for k, part in timepoints.partition_by("subject", as_dict=True).items()}
    rows = [_told(row, by_subject[row["subject"]], kind, classes) for row in best.iter_rows(named=True)]
    frame = pl.DataFrame(rows, schema_overrides=schema.TABLES["response/criteria_best"].schema)
    return schema.conform(frame.with_columns(criterion=pl.lit(kind.name)), "response/criteria_best")


def _told(row: dict[str, object], visits: pl.DataFrame, kind: Criterion, classes: dict[str, str]) -> dict[str, object]:
    """Say the best response in the words of the criterion, and date progression by what was later confirmed."""
    end = row["progression_day"]
    rows = [v for v in visits.iter_rows(named=True) if v["overall_response"] is not None]
    before = [v["overall_response"] for v in rows if end is None or v["day"] < end]
    said = row["best_response"]
    seen = [w for w in before if classes[w] == said and w not in _UNCONFIRMED and w != "MR"]
    plain = next((w for w, c in kind.words.items() if c == said), said)
    word = seen[0] if seen else plain
    if said == "SD" and "MR" in before:
        word = "MR"
    last = [w for w in before if w != "NE"]
    if said == "NE" and last and last[-1] in _UNCONFIRMED:
        word = last[-1]
    day = _first_of_block(rows, end)
    told = f"; progression dated by the first {day[1]}, day {day[0]:g}" if day and day[0] != end else ""
    reason = str(row["reason"])
    if day and end is None:
        reason = reason.removesuffix("; no progression")
    if word != said:
        told += f"; in the words of {kind.title}: {word}"
    return row | {
        "best_response": word,
        "progression_day": day[0] if day else end,
        # What waits for confirmation was evaluated all the same.
        "last_day": max([0.0, *(float(v["day"]) for v in rows if v["overall_response"] != "NE")]),
        "reason": f"{reason}{told}",
    }


def _first_of_block(rows: Sequence[dict[str, object]], end: object) -> tuple[float, str] | None:
    """Day and word of the first unconfirmed progression that leads to `end`, or of iUPD that nothing followed."""
    block: tuple[float, str] | None = None
    for row in rows:
        word, day = str(row["overall_response"]), float(str(row["day"]))
        if end is not None and day == end:
            return block
        if word in _UNCONFIRMED:
            block = block or (day, word)
        elif word != "NE":
            block = None
    return block if block and block[1] == "iUPD" else None


def _rates(best: pl.DataFrame, name: str) -> pl.DataFrame:
    classes = recist_classes(name)
    frame = best.with_columns(
        pl.col("best_response").replace_strict(classes, default=pl.col("best_response"), return_dtype=pl.String)
    )
    rates = response_rates(frame).with_columns(criterion=pl.lit(name, pl.String))
    return schema.conform(rates, "response/criteria_rates")


def _recist(lesions: pl.DataFrame, options: CriteriaOptions) -> Assessment:
    """RECIST 1.1 in the tables of all criteria."""
    found = recist11(lesions, options)
    named = pl.lit("recist11").alias("criterion")
    timepoints = found.timepoints.rename({"sum_mm": "value", "nadir_mm": "nadir"}).with_columns(
        named,
        pl.lit("sum of diameters, mm").alias("quantity"),
        recist11_rule().alias("rule"),
    )
    return Assessment(
        schema.conform(timepoints, "response/criteria"),
        schema.conform(found.best.with_columns(named), "response/criteria_best"),
        schema.conform(found.rates.with_columns(named), "response/criteria_rates"),
        found.problems,
    )
