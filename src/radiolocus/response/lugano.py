"""Lugano: lymphoma, by the scores of Deauville and by CT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from radiolocus.response.criterion import (
    CRITERIA,
    TOLERANCE,
    Call,
    Course,
    CriteriaOptions,
    Criterion,
    Lesion,
    Rule,
    Visit,
)
from radiolocus.response.sums import Ladder, new_found, number, readings, summed

__all__ = ["lugano"]

PAPER = "Cheson et al., J Clin Oncol 2014;32:3059"
CMR = Rule("lugano.CMR", "CMR", "score of Deauville 1 to {most}", PAPER, numbers={"most": 3})
PMR = Rule("lugano.PMR", "PMR", "score 4 or 5, uptake lower than at baseline", PAPER)
NMR = Rule("lugano.NMR", "NMR", "score 4 or 5, uptake as at baseline", PAPER)
PMD = Rule("lugano.PMD", "PMD", "score 4 or 5, uptake higher than at baseline, or a new lesion with uptake", PAPER)
CR = Rule(
    "lugano.CR", "CR", "nodes at most {node} mm in longest diameter, other lesions gone", PAPER, numbers={"node": 15}
)
PR = Rule(
    "lugano.PR",
    "PR",
    "sum of products of at most {lesions} lesions at least {percent} % below baseline",
    PAPER,
    numbers={"percent": 50, "lesions": 6},
)
SD = Rule("lugano.SD", "SD", "neither PR nor PD", PAPER)
PD = Rule(
    "lugano.PD",
    "PD",
    "one lesion above {longest} mm, its product at least {percent} % above its smallest, and its longest or shortest "
    "diameter by {small} mm (lesions up to {border} mm) or {large} mm (above)",
    PAPER,
    numbers={"longest": 15, "percent": 50, "small": 5, "large": 10, "border": 20},
)
NE = Rule("lugano.NE", "NE", "a lesion was not evaluated and no lesion proves PD; no score and no CT", PAPER)
OTHER = Rule("lugano.NT", "PD", "unequivocal progression of lesions that are not measured", PAPER)
NEW = Rule("lugano.NEW", "PD", "a new lesion", PAPER)
SMALL = Rule("lugano.SMALL", "size", "too small to measure counts {side} × {side} mm", PAPER, numbers={"side": 5})

WORDS = {
    "CR": "CR",
    "PR": "PR",
    "SD": "SD",
    "NON-CR/NON-PD": "NON-CR/NON-PD",
    "PD": "PD",
    "NE": "NE",
    "CMR": "CR",
    "PMR": "PR",
    "NMR": "SD",
    "PMD": "PD",
}


def _sides(lesion: Lesion | None) -> tuple[float, float] | None:
    """Longest diameter and its perpendicular, mm."""
    if lesion is None:
        return None
    one, other = lesion.size("diameter_mm"), lesion.size("perpendicular_mm")
    if lesion.status == "too small" and one is None:
        return SMALL["side"], SMALL["side"]
    return None if one is None or other is None else (one, other)


def _area(lesion: Lesion) -> float | None:
    sides = _sides(lesion)
    return None if sides is None else sides[0] * sides[1]


def _gone(lesion: Lesion) -> bool:
    sides = _sides(lesion)
    return sides is not None and (sides[0] <= CR["node"] + TOLERANCE if lesion.node else sides[0] == 0)


def _has_grown(now: tuple[float, float], least: tuple[float, float, float]) -> bool:
    """`least` holds the smallest earlier product, longest and shortest diameter."""
    longest, shortest = now
    by = PD["small"] if longest <= PD["border"] + TOLERANCE else PD["large"]
    return (
        longest > PD["longest"] + TOLERANCE
        and longest * shortest >= (1 + PD["percent"] / 100) * least[0] - TOLERANCE
        and (longest - least[1] >= by - TOLERANCE or shortest - least[2] >= by - TOLERANCE)
    )


def _growth(course: Course) -> dict[float, str]:
    """By day, in words: the first lesion that proves progression."""
    least: dict[str, tuple[float, float, float]] = {}
    for k, lesion in course.baseline.targets.items():
        if (sides := _sides(lesion)) is not None:
            least[k] = (sides[0] * sides[1], *sides)
    found = {}
    for visit in course.later:
        found[visit.day] = ""
        for k, before in least.items():
            now = _sides(visit.targets.get(k))
            if now is None:
                continue
            if not found[visit.day] and _has_grown(now, before):
                found[visit.day] = (
                    f"lesion {k}: {number(now[0])} × {number(now[1])} mm, product {number(now[0] * now[1])} mm² after "
                    f"its smallest of {number(before[0])} mm²"
                )
            least[k] = (min(before[0], now[0] * now[1]), min(before[1], now[0]), min(before[2], now[1]))
    return found


def _uptake(visit: Visit, targets: Iterable[str]) -> float | None:
    """Uptake of the hottest target; None when one is unknown or left out."""
    known = [visit.targets[k].size("uptake") if k in visit.targets else None for k in targets]
    values = [v for v in known if v is not None]
    return max(values) if values and len(values) == len(known) else None


def _course_of_uptake(base: Visit, visit: Visit, change: float) -> tuple[int, str]:
    """Sign of the change of uptake, and words."""
    now, before = _uptake(visit, base.targets), _uptake(base, base.targets)
    if change > 0 and now is not None and before:
        ratio = now / before - 1
        sign = 0 if abs(ratio) < change - TOLERANCE else 1 if ratio > 0 else -1
        return sign, f"uptake {number(now)} after {number(before)} at baseline"
    one, other = int(visit.facts["deauville"]), int(base.facts.get("deauville", visit.facts["deauville"]))
    return (one > other) - (one < other), f"score {one} after {other} at baseline"


def _by_pet(course: Course, visit: Visit, call: Call, ever: bool, change: float) -> Call:
    score = int(visit.facts["deauville"])
    labels = new_found(visit)
    if ever:
        rule, words = PMD, f"score {score}; new lesion {', '.join(labels) or 'at an earlier visit'}"
    elif score <= CMR["most"]:
        rule, words = CMR, f"score {score}"
    else:
        sign, words = _course_of_uptake(course.baseline, visit, change)
        rule = {1: PMD, 0: NMR, -1: PMR}[sign]
    text = f"PET: {words}: {rule.call} [{rule.key}]; CT: {call.reason}; PET decides → {rule.call}"
    return replace(call, overall=rule.call, rule=rule.key, reason=text)


def lugano(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course: by PET where there is a score, else by CT."""
    growth = _growth(course)
    found = readings(course, _area, _gone)
    ladder = Ladder(CR, PR, SD, PD, NE, "mm²")
    calls = summed(course, found, ladder, new=NEW, other=OTHER, grown=lambda r: growth[r.visit.day])
    return [
        _by_pet(course, visit, call, call.new, options.lugano_uptake_change) if "deauville" in visit.facts else call
        for visit, call in zip(course.later, calls, strict=True)
    ]


def _remarks(course: Course) -> list[tuple[str, str, str]]:
    n = len(course.baseline.targets)
    return [("", f"{n} measured lesions", f"at most {PR['lesions']:g} [{PR.key}]")] if n > PR["lesions"] else []


CRITERIA.add(
    "lugano",
    Criterion(
        "lugano",
        "Lugano with Deauville (lymphoma)",
        PAPER,
        "score of Deauville; sum of products of diameters, mm²",
        (),
        WORDS,
        (CMR, PMR, NMR, PMD, CR, PR, SD, PD, NE, OTHER, NEW, SMALL),
        lugano,
        (
            "Where a visit has a score, PET decides; else CT.",
            "Whether uptake fell, stayed or rose is told by the score, or, with `lugano_uptake_change` above 0, by the "
            "uptake of the hottest target when both scans have it.",
            "Nodes are given by their longest diameter and the perpendicular here, not by the short axis alone. A "
            "course with a score of 4 or 5 and none at baseline counts as unchanged.",
        ),
        _remarks,
        lambda _: ("deauville or perpendicular_mm",),
    ),
)
