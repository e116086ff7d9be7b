"""iRECIST: progression under immunotherapy must be confirmed, and the bar is reset when it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum

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
from radiolocus.response.sums import (
    Ladder,
    Reading,
    length,
    nontarget_call,
    number,
    overall,
    readings,
    signed,
    target_call,
)

__all__ = ["irecist"]

PAPER = "Seymour et al., Lancet Oncol 2017;18:e143"
CR = Rule("irecist.iCR", "iCR", "as CR of RECIST 1.1", PAPER, True)
PR = Rule(
    "irecist.iPR", "iPR", "as PR of RECIST 1.1: sum at least {percent} % below baseline", PAPER, True, {"percent": 30}
)
SD = Rule("irecist.iSD", "iSD", "neither iPR nor iUPD", PAPER, True)
UPD = Rule(
    "irecist.iUPD",
    "iUPD",
    "first progression by RECIST 1.1 (sum at least {percent} % and {least} mm above the smallest earlier sum, "
    "a non-target, a new lesion, or disease seen again after iCR, option `reappearance`)",
    PAPER,
    True,
    {"percent": 20, "least": 5},
)
SAME = Rule(
    "irecist.SAME", "iUPD", "still progression, neither larger nor more than at iUPD: not confirmed", PAPER, True
)
CPD_TARGET = Rule(
    "irecist.iCPD.target", "iCPD", "sum at least {least} mm larger than at iUPD", PAPER, True, {"least": 5}
)
CPD_OTHER = Rule("irecist.iCPD.nontarget", "iCPD", "any further growth of non-targets that made iUPD", PAPER, True)
CPD_NEW = Rule(
    "irecist.iCPD.new",
    "iCPD",
    "more new lesions, the sum of new targets at least {least} mm larger, or any growth of other new lesions",
    PAPER,
    True,
    {"least": 5},
)
CPD_CATEGORY = Rule(
    "irecist.iCPD.category", "iCPD", "progression in a category (target, non-target, new) that had none", PAPER, True
)
EARLY = Rule(
    "irecist.EARLY",
    "iUPD",
    "what would confirm comes less than 4 weeks (option) after iUPD: not yet confirmed",
    PAPER,
    True,
)
RESET = Rule("irecist.RESET", "bar", "iSD, iPR or iCR after iUPD: the next progression is iUPD again", PAPER, True)
NE = Rule("irecist.NE", "NE", "not evaluable", PAPER, True)
NEW_TARGETS = Rule(
    "irecist.NEWTARGETS",
    "new",
    "new lesions of {least} mm (nodes {node} mm) are new targets, at most {most} and {organ} an organ, summed apart",
    PAPER,
    numbers={"least": 10, "node": 15, "most": 5, "organ": 2},
)

WORDS = {
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "NON-iCR/NON-iUPD": "NON-CR/NON-PD",
    "iCPD": "PD",
    "iUPD": "iUPD",
    "NE": "NE",
}
_SAID = {v: k for k, v in WORDS.items()}
_LADDER = Ladder(CR, PR, SD, UPD, NE, "mm")


@dataclass(frozen=True)
class _State:
    """Disease of a visit, as far as confirmation asks for it."""

    day: float
    categories: tuple[str, ...]
    total: float | None
    others: Mapping[str, Lesion]
    new: Mapping[str, Lesion]
    new_targets: tuple[str, ...]


def _gone(lesion: Lesion) -> bool:
    size = length(lesion)
    return size is not None and (size < 10 if lesion.node else size == 0)


def _new_targets(new: Mapping[str, Lesion], chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Add to the new targets the largest of the lesions that have come, as far as there is room."""
    labels = list(chosen)
    organs = [_organ(new[k]) for k in chosen if k in new]
    for k in sorted(set(new) - set(chosen), key=lambda k: (-(new[k].get("diameter_mm") or 0.0), k)):
        least = NEW_TARGETS["node"] if new[k].node else NEW_TARGETS["least"]
        fits = len(labels) < NEW_TARGETS["most"] and organs.count(_organ(new[k])) < NEW_TARGETS["organ"]
        if (new[k].get("diameter_mm") or 0.0) >= least - TOLERANCE and fits:
            labels.append(k)
            organs.append(_organ(new[k]))
    return tuple(labels)


def _organ(lesion: Lesion) -> str:
    return "lymph nodes" if lesion.node else lesion.organ.lower()


def _grown(now: Mapping[str, Lesion], before: Mapping[str, Lesion]) -> str:
    """The first lesion that says it grew, or is larger than before."""
    for k, lesion in now.items():
        size, old = lesion.get("diameter_mm"), before[k].get("diameter_mm") if k in before else None
        if lesion.get("change") == "increase" or (size is not None and old is not None and size > old + TOLERANCE):
            return k
    return ""


def _target_proof(now: _State, first: _State) -> tuple[Rule, str] | None:
    if "target" not in now.categories or now.total is None or first.total is None:
        return None
    growth = now.total - first.total
    if growth >= CPD_TARGET["least"] - TOLERANCE:
        return CPD_TARGET, f"sum {signed(growth)} mm from the {number(first.total)} mm of iUPD"
    return None


def _other_proof(now: _State, first: _State) -> tuple[Rule, str] | None:
    if "non-target" not in now.categories:
        return None
    worse = {k: x for k, x in now.others.items() if x.status == "progression"}
    old = {k for k, x in first.others.items() if x.status == "progression"}
    if k := _grown(now.others, first.others):
        return CPD_OTHER, f"non-target {k} grew further"
    if fresh := sorted(set(worse) - old):
        return CPD_OTHER, f"non-target {fresh[0]} progresses too"
    return None


def _new_proof(now: _State, first: _State) -> tuple[Rule, str] | None:
    if "new" not in now.categories:
        return None
    if more := sorted(set(now.new) - set(first.new)):
        return CPD_NEW, f"one more new lesion, {more[0]}"
    pairs = [
        (now.new[k].get("diameter_mm"), first.new[k].get("diameter_mm")) for k in first.new_targets if k in now.new
    ]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    growth = fsum(a - b for a, b in known)
    if known and growth >= CPD_NEW["least"] - TOLERANCE:
        return CPD_NEW, f"new targets {signed(growth)} mm"
    rest = {k: x for k, x in now.new.items() if k not in first.new_targets}
    if k := _grown(rest, first.new):
        return CPD_NEW, f"new lesion {k} grew"
    return None


def _proof(now: _State, first: _State) -> tuple[Rule, str] | None:
    """What confirms the progression of `first`, if anything does."""
    if fresh := [c for c in now.categories if c not in first.categories]:
        return CPD_CATEGORY, f"progression by {fresh[0]}, which had none at iUPD"
    return _target_proof(now, first) or _other_proof(now, first) or _new_proof(now, first)


def _new_at(visit: Visit, before: Mapping[str, Lesion], evaluated: bool) -> dict[str, Lesion]:
    """New lesions that are there: seen, or seen before and left out of a visit that was evaluated."""
    now = {k: x for k, x in visit.new.items() if x.status == "present"}
    kept = {
        k: x
        for k, x in before.items()
        if evaluated and (k not in visit.new or visit.new[k].status == "NE") and k not in now
    }
    return now | kept


def _seen_again(course: Course, r: Reading) -> tuple[bool, bool]:
    """Whether a target, and whether a non-target that is no node, is there: progression after a complete response."""
    others = [r.visit.others[k] for k in course.baseline.others if k in r.visit.others]
    return r.missing < r.targets and not r.gone, any(x.status == "present" and not x.node for x in others)


def _state(
    course: Course, r: Reading, nontarget: bool, target: bool, new: dict[str, Lesion], chosen: tuple[str, ...]
) -> _State:
    found = (("target", target), ("non-target", nontarget), ("new", bool(new)))
    return _State(
        r.visit.day,
        tuple(name for name, holds in found if holds),
        r.total if r.complete and r.targets else None,
        {k: r.visit.others[k] for k in course.baseline.others if k in r.visit.others},
        new,
        chosen,
    )


def _progression(now: _State, first: _State | None, confirmed: bool, least: float) -> tuple[str, Rule, str]:
    """Call a visit with progression."""
    if first is None:
        return "iUPD", UPD, f"progression by {' and '.join(now.categories)}"
    proof = _proof(now, first)
    if confirmed:
        return "iCPD", proof[0] if proof else CPD_CATEGORY, "progression was confirmed before"
    if proof is None:
        return "iUPD", SAME, f"progression of day {first.day:g} neither larger nor more"
    rule, words = proof
    if now.day - first.day < least - TOLERANCE:
        return "iUPD", EARLY, f"{words}, yet only {now.day - first.day:g} days after iUPD"
    return "iCPD", rule, f"{words}: confirms iUPD of day {first.day:g}"


def irecist(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    out: list[Call] = []
    first: _State | None = None
    new: dict[str, Lesion] = {}
    chosen: tuple[str, ...] = ()
    confirmed = complete = False
    for r in readings(course, length, _gone):
        target, _, words = target_call(r, _LADDER)
        nontarget = nontarget_call(course, r.visit)
        new = _new_at(r.visit, new, target != "NE")
        chosen = _new_targets(new, chosen)
        again, again_other = _seen_again(course, r) if complete and options.reappearance else (False, False)
        if again and target != "PD":
            target, words = "PD", f"{words}; a target is seen again after complete response"
        if again_other and nontarget != "PD":
            words += "; a non-target is seen again after complete response"
        now = _state(course, r, nontarget == "PD" or again_other, target == "PD", new, chosen)
        if now.categories:
            call, rule, why = _progression(now, first, confirmed, options.irecist_confirm_days)
            confirmed = confirmed or call == "iCPD"
            first = first or now
        else:
            call = _SAID[overall(target, nontarget, False)]
            rule = {"iCR": CR, "iPR": PR, "NE": NE}.get(call, SD)
            why, complete = "no progression", complete or call == "iCR"
            if first is not None and call != "NE":
                why, first, confirmed = (
                    f"iUPD of day {first.day:g} not confirmed, the bar is reset [{RESET.key}]",
                    None,
                    False,
                )
        said = [words, f"non-targets {nontarget}" if nontarget != "none" else ""]
        said += [f"new lesions {', '.join(sorted(new))}" if new else "", f"{why}: {call} [{rule.key}]"]
        text = "; ".join(s for s in said if s) + f" → {call}"
        value = now.total
        base, nadir = (r.base, r.nadir) if r.targets else (None, None)
        out.append(Call(call, rule.key, text, value, base, nadir, target, nontarget, bool(new)))
    return out


CRITERIA.add(
    "irecist",
    Criterion(
        "irecist",
        "iRECIST (immunotherapy)",
        PAPER,
        "sum of diameters, mm",
        (),
        WORDS,
        (CR, PR, SD, UPD, SAME, CPD_TARGET, CPD_OTHER, CPD_NEW, CPD_CATEGORY, EARLY, RESET, NEW_TARGETS, NE),
        irecist,
        (
            "Growth that confirms is counted from the first iUPD of the block.",
            "A non-target (or a new lesion that is no new target) has grown when its diameter has, or when the column "
            "`change` says so; a state that stays `progression` confirms nothing.",
            "A new lesion that a later, evaluated visit leaves out is still there; `absent` says that it is gone.",
        ),
    ),
)
