"""EORTC 1999 and PERCIST 1.0: uptake of FDG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import fsum
from typing import Any

from radiolocus.response.criterion import (
    CRITERIA,
    TOLERANCE,
    Call,
    Course,
    CriteriaOptions,
    Criterion,
    Rule,
    Visit,
)
from radiolocus.response.sums import counted, length, new_found, number, readings, signed

__all__ = ["eortc", "percist"]

WORDS = {"CMR": "CR", "PMR": "PR", "SMD": "SD", "PMD": "PD", "NE": "NE"}

EORTC = "Young et al. (EORTC PET Study Group), Eur J Cancer 1999;35:1773"
E_CMR = Rule(
    "eortc.CMR", "CMR", "uptake within all lesions indistinguishable from surrounding tissue (uptake 0)", EORTC
)
E_PMR = Rule(
    "eortc.PMR",
    "PMR",
    "uptake at least {early} % below baseline after one cycle, at least {late} % after more",
    EORTC,
    True,
    {"early": 15, "late": 25},
)
E_SMD = Rule("eortc.SMD", "SMD", "neither PMR nor PMD", EORTC)
E_PMD = Rule("eortc.PMD", "PMD", "uptake at least {percent} % above baseline", EORTC, True, {"percent": 25})
E_EXTENT = Rule(
    "eortc.EXTENT",
    "PMD",
    "extent of uptake (sum of longest diameters) at least {percent} % larger",
    EORTC,
    numbers={"percent": 20},
)
E_NEW = Rule("eortc.NEW", "PMD", "uptake in a new lesion", EORTC)
E_NE = Rule("eortc.NE", "NE", "the uptake of a lesion is not known", EORTC)

PERCIST = "Wahl et al., J Nucl Med 2009;50 (suppl 1):122S"
P_MEASURABLE = Rule(
    "percist.MEASURABLE",
    "baseline",
    "SULpeak of the hottest lesion at least {factor} × mean + {deviations} SD of the liver; "
    "without liver {pool_factor} × mean + {deviations} SD of the blood pool",
    PERCIST,
    numbers={"factor": 1.5, "deviations": 2, "pool_factor": 2},
)
P_REFERENCE = Rule(
    "percist.REFERENCE",
    "NE",
    "liver (without it blood pool) within 20 % and 0.3 SUL of the baseline (options), else scans do not compare",
    PERCIST,
)
P_CMR = Rule("percist.CMR", "CMR", "no lesion above the mean of the liver nor of the blood pool", PERCIST, True)
P_PMR = Rule(
    "percist.PMR",
    "PMR",
    "SULpeak of the hottest lesion at least {percent} % and {least} SUL below baseline; it need not be the same lesion",
    PERCIST,
    True,
    {"percent": 30, "least": 0.8},
)
P_SMD = Rule("percist.SMD", "SMD", "neither CMR, PMR nor PMD", PERCIST, True)
P_PMD = Rule(
    "percist.PMD",
    "PMD",
    "SULpeak of the hottest lesion at least {percent} % and {least} SUL higher",
    PERCIST,
    True,
    {"percent": 30, "least": 0.8},
)
P_TLG = Rule(
    "percist.TLG", "PMD", "total lesion glycolysis at least {percent} % above baseline", PERCIST, True, {"percent": 75}
)
P_NEW = Rule("percist.NEW", "PMD", "a new lesion with uptake", PERCIST, True)
P_NE = Rule(
    "percist.NE",
    "NE",
    "the uptake of a target, or of another lesion whose uptake was taken at baseline, is not known",
    PERCIST,
)

Decision = tuple[str, Rule, str]


def _call(
    decision: Decision, value: float | None, base: float | None, nadir: float | None, labels: list[str], new: bool
) -> Call:
    call, rule, words = decision
    text = f"{words}: {call} [{rule.key}]"
    return Call(call, rule.key, f"{text} → {call}", value, base, nadir, WORDS[call], "none", new)


def _known(values: list[float | None]) -> list[float] | None:
    known = [v for v in values if v is not None]
    return known if known and len(known) == len(values) else None


def _new_words(labels: list[str]) -> str:
    return f"new lesion {', '.join(labels)}" if labels else "new lesion at an earlier visit"


def eortc(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course by the mean uptake of the targets."""
    out, ever = [], False
    extent = {r.visit.day: r for r in readings(course, length)}
    for r in readings(course, lambda lesion: lesion.size("uptake")):
        labels = new_found(r.visit)
        ever = ever or bool(labels)
        wide = extent[r.visit.day]
        growth = 100 * (wide.total / wide.base - 1) if wide.complete and wide.base > 0 else 0.0
        start = r.base if options.progression_from == "baseline" else r.nadir
        n = max(r.targets, 1)
        words = f"mean uptake {number(r.total / n)} after {number(r.base / n)} at baseline"
        if r.base > 0:
            words += f", {signed(100 * (r.total / r.base - 1))} %"
        one_cycle = r.visit.facts.get("cycles") is not None and r.visit.facts["cycles"] <= 1
        fall = E_PMR["early"] if one_cycle else E_PMR["late"]
        decision: Decision
        if ever:
            decision = ("PMD", E_NEW, _new_words(labels))
        elif not r.targets or not r.complete or r.base <= 0:
            decision = ("NE", E_NE, f"uptake of {r.missing} of {counted(r.targets, 'target')} not known")
        elif r.total == 0:
            decision = ("CMR", E_CMR, words)
        elif r.total >= (1 + E_PMD["percent"] / 100) * start - TOLERANCE:
            decision = ("PMD", E_PMD, words)
        elif growth >= E_EXTENT["percent"] - TOLERANCE:
            decision = ("PMD", E_EXTENT, f"{words}; extent {signed(growth)} %")
        elif r.total <= (1 - fall / 100) * r.base + TOLERANCE:
            decision = ("PMR", E_PMR, f"{words} after {'one cycle' if one_cycle else 'more than one cycle'}")
        else:
            decision = ("SMD", E_SMD, words)
        value = r.total / n if r.complete and r.targets else None
        out.append(_call(decision, value, r.base / n, r.nadir / n, labels, ever))
    return out


def _followed(base: Visit) -> list[str]:
    """Lesions whose uptake must be known: the targets, and others whose uptake was taken at baseline."""
    return [*base.targets, *(k for k, x in base.others.items() if x.size("uptake") is not None)]


def _hottest(visit: Visit, followed: list[str]) -> float | None:
    """SULpeak of the hottest lesion; None when one of those followed is unknown or left out, or there is none."""
    seen = {**visit.others, **visit.targets}
    known = _known([seen[k].size("uptake") if k in seen else None for k in followed])
    more = [v for k, x in visit.others.items() if k not in followed and (v := x.size("uptake")) is not None]
    return max([*known, *more]) if known else None


def _glycolysis(visit: Visit, targets: Iterable[str]) -> float | None:
    known = _known([visit.targets[k].size("tlg") if k in visit.targets else None for k in targets])
    return fsum(known) if known else None


def _reference(facts: Mapping[str, Any]) -> tuple[str, float] | None:
    for organ in ("liver", "blood_pool"):
        value = facts.get(f"{organ}_mean")
        if value is not None:
            return organ, float(value)
    return None


def _measurable(visit: Visit, hottest: float) -> str:
    """Words why the baseline is not measurable; empty when it is, or when no reference was taken."""
    found = _reference(visit.facts)
    if found is None:
        return ""
    organ, mean = found
    factor = P_MEASURABLE["factor"] if organ == "liver" else P_MEASURABLE["pool_factor"]
    needed = factor * mean + P_MEASURABLE["deviations"] * float(visit.facts.get(f"{organ}_sd") or 0.0)
    if hottest >= needed - TOLERANCE:
        return ""
    return f"SULpeak {number(hottest)} at baseline is below {number(needed)}, from which on it is measurable"


def _incomparable(base: Visit, visit: Visit, options: CriteriaOptions) -> str:
    """Words why the references of two scans differ too much; empty when they do not or are not known."""
    one, other = _reference(base.facts), _reference(visit.facts)
    if one is None or other is None or one[0] != other[0]:
        return ""
    change = other[1] - one[1]
    percent = 100 * change / one[1] if one[1] > 0 else 0.0
    near = abs(percent) <= options.percist_liver_percent + TOLERANCE
    if near and abs(change) <= options.percist_liver_units + TOLERANCE:
        return ""
    name = one[0].replace("_", " ")
    return f"{name} {number(other[1])} after {number(one[1])} at baseline, {signed(percent)} % and {signed(change)} SUL"


def _percist_uptake(course: Course, visit: Visit, base: float, start: float, value: float, words: str) -> Decision:
    references = [visit.facts[k] for k in ("liver_mean", "blood_pool_mean") if visit.facts.get(k) is not None]
    change, growth = value - base, value - start
    targets = course.baseline.targets
    tlg, before = _glycolysis(visit, targets), _glycolysis(course.baseline, targets)
    if value == 0 or (references and value <= min(references) + TOLERANCE):
        return "CMR", P_CMR, words
    if growth >= P_PMD["percent"] / 100 * start - TOLERANCE and growth >= P_PMD["least"] - TOLERANCE:
        return "PMD", P_PMD, words
    risen = tlg is not None and before is not None and before > 0
    # Wahl 2009 adds: without decline of SUL.
    if (
        risen
        and change >= 0
        and tlg is not None
        and before
        and tlg >= (1 + P_TLG["percent"] / 100) * before - TOLERANCE
    ):
        return "PMD", P_TLG, f"{words}; total lesion glycolysis {signed(100 * (tlg / before - 1))} %"
    if change <= -P_PMR["percent"] / 100 * base + TOLERANCE and change <= -P_PMR["least"] + TOLERANCE:
        return "PMR", P_PMR, words
    return "SMD", P_SMD, words


def percist(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course by the SULpeak of its hottest lesion."""
    out: list[Call] = []
    followed = _followed(course.baseline)
    ever, base = False, _hottest(course.baseline, followed)
    nadir = base
    for visit in course.later:
        labels = new_found(visit)
        ever = ever or bool(labels)
        value = _hottest(visit, followed)
        decision: Decision
        if ever:
            decision = ("PMD", P_NEW, _new_words(labels))
        elif base is None or value is None or nadir is None:
            lost = "uptake of a lesion not known"
            decision = ("NE", P_NE, lost if base is not None else "uptake of a target not known at baseline")
        elif weak := _measurable(course.baseline, base):
            decision = ("NE", P_MEASURABLE, weak)
        elif apart := _incomparable(course.baseline, visit, options):
            decision = ("NE", P_REFERENCE, apart)
        else:
            start = base if options.progression_from == "baseline" else nadir
            words = f"SULpeak of the hottest lesion {number(value)} after {number(base)} at baseline, "
            words += f"{signed(100 * (value / base - 1)) if base > 0 else '?'} % and {signed(value - base)}"
            decision = _percist_uptake(course, visit, base, start, value, words)
        out.append(_call(decision, value, base, nadir, labels, ever))
        if value is not None and nadir is not None:
            nadir = min(nadir, value)
    return out


def _add(
    name: str,
    title: str,
    paper: str,
    quantity: str,
    rules: tuple[Rule, ...],
    calls: Callable[[Course, CriteriaOptions], list[Call]],
    note: str,
) -> None:
    since = (
        'Growth counts from the baseline, as the paper compares with it; `progression_from = "nadir"` counts it from '
        "the smallest earlier value."
    )
    CRITERIA.add(name, Criterion(name, title, paper, quantity, ("uptake",), WORDS, rules, calls, (note, since)))


_add(
    "eortc",
    "EORTC (FDG-PET, 1999)",
    EORTC,
    "mean SUV of the targets",
    (E_CMR, E_PMR, E_SMD, E_PMD, E_EXTENT, E_NEW, E_NE),
    eortc,
    "The column `cycles` says how many cycles were given; without it more than one is assumed.",
)
_add(
    "percist",
    "PERCIST 1.0",
    PERCIST,
    "SULpeak of the hottest lesion",
    (P_MEASURABLE, P_REFERENCE, P_CMR, P_PMR, P_SMD, P_PMD, P_TLG, P_NEW, P_NE),
    percist,
    "SULpeak is the mean of the 1 cm³ sphere of highest uptake, as the features `loc_peak_*` take it; "
    "without a reference in the table the reference rules are passed over.",
)
