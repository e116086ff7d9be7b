"""WHO criteria of 1979, for old data: products of two diameters."""

from __future__ import annotations

from radiolocus.response.criterion import (
    CRITERIA,
    RECIST_WORDS,
    TOLERANCE,
    Call,
    Course,
    CriteriaOptions,
    Criterion,
    Rule,
)
from radiolocus.response.sums import Ladder, Reading, number, product, readings, summed

__all__ = ["who"]

PAPER = "Miller et al., Cancer 1981;47:207"
CR = Rule("who.CR", "CR", "all known disease gone", PAPER)
PR = Rule("who.PR", "PR", "sum of products at least {percent} % below baseline", PAPER, numbers={"percent": 50})
SD = Rule("who.NC", "SD", "no change: neither PR nor PD", PAPER)
PD = Rule(
    "who.PD",
    "PD",
    "product of one lesion (or, by option, the sum) at least {percent} % above its smallest earlier value",
    PAPER,
    numbers={"percent": 25},
)
NE = Rule("who.NE", "NE", "a lesion was not evaluated, and the measured rest does not prove PD", PAPER)
OTHER = Rule("who.NT", "PD", "estimated growth of lesions that are not measured", PAPER)
NEW = Rule("who.NEW", "PD", "a new lesion", PAPER)


def _lesion_growth(course: Course) -> dict[float, str]:
    """By day, in words: the first lesion that has grown from its own smallest earlier product."""
    smallest = {k: product(lesion) for k, lesion in course.baseline.targets.items()}
    grown = {}
    for visit in course.later:
        grown[visit.day] = ""
        for k, before in smallest.items():
            now = product(visit.targets[k]) if k in visit.targets else None
            if now is None or before is None:
                continue
            if not grown[visit.day] and now > 0 and now >= (1 + PD["percent"] / 100) * before - TOLERANCE:
                grown[visit.day] = f"lesion {k}: product {number(now)} mm² after its smallest of {number(before)} mm²"
            smallest[k] = min(now, before)
    return grown


def who(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    found = readings(course, product)
    ladder = Ladder(CR, PR, SD, PD, NE, "mm²")
    if options.who_progression == "sum":
        return summed(course, found, ladder, new=NEW, other=OTHER)
    grown = _lesion_growth(course)

    def of_one(r: Reading) -> str:
        return grown[r.visit.day]

    return summed(course, found, ladder, new=NEW, other=OTHER, grown=of_one)


CRITERIA.add(
    "who",
    Criterion(
        "who",
        "WHO",
        PAPER,
        "sum of products of diameters, mm²",
        ("perpendicular_mm",),
        RECIST_WORDS,
        (CR, PR, SD, PD, NE, OTHER, NEW),
        who,
        (
            "No change (NC) is written SD.",
            "The paper asks for two observations at least four weeks apart: `confirmation = true` demands them.",
        ),
    ),
)
