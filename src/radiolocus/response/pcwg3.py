"""PCWG3: bone scans of prostate cancer, the rule of two and two."""

from __future__ import annotations

from radiolocus.response.criterion import CRITERIA, TOLERANCE, Call, Course, CriteriaOptions, Criterion, Rule

__all__ = ["pcwg3"]

PAPER = "Scher et al. (PCWG3), J Clin Oncol 2016;34:1402"
FIRST = Rule(
    "pcwg3.FIRST",
    "PDu",
    "at least {count} new lesions on the first scan, within the flare window (12 weeks, option): to be confirmed",
    PAPER,
    numbers={"count": 2},
)
TWO_TWO = Rule(
    "pcwg3.2+2",
    "PD",
    "at least {count} lesions more than on that first scan, on the next one: progression, dated by the first scan",
    PAPER,
    numbers={"count": 2},
)
LATER = Rule(
    "pcwg3.LATER",
    "PDu",
    "after the flare window at least {count} lesions more than on the first scan: to be confirmed",
    PAPER,
    numbers={"count": 2},
)
PERSISTS = Rule(
    "pcwg3.PERSISTS", "PD", "the additional lesions are still seen on a scan at least 6 weeks (option) later", PAPER
)
NON = Rule("pcwg3.NON", "NON-CR/NON-PD", "no progression in bone", PAPER)
NE = Rule("pcwg3.NE", "NE", "no bone scan", PAPER)


def pcwg3(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course by the bone lesions that the baseline scan has not."""
    out: list[Call] = []
    reference: float | None = None
    in_flare, progressed, since = False, False, None
    for visit in course.later:
        count = visit.facts.get("new_bone_lesions")
        if count is None:
            out.append(Call("NE", NE.key, f"no bone scan: NE [{NE.key}] → NE"))
            continue
        call, rule = ("PD", PERSISTS) if progressed else ("NON-CR/NON-PD", NON)
        if reference is None and visit.day <= options.bone_flare_days + TOLERANCE:
            reference = count
            in_flare = count >= FIRST["count"]
            if in_flare:
                call, rule = "PDu", FIRST
        elif not progressed:
            reference = 0.0 if reference is None else reference
            more = count - reference
            if in_flare and more >= TWO_TWO["count"]:
                call, rule, progressed = "PD", TWO_TWO, True
            elif more >= LATER["count"]:
                since = visit.day if since is None else since
                progressed = visit.day - since >= options.bone_confirm_days - TOLERANCE and visit.day > since
                call, rule = ("PD", PERSISTS) if progressed else ("PDu", LATER)
            else:
                since = None
            in_flare = False
        more_words = "" if reference is None or not out else f", {count - reference:+g} from the first scan"
        text = f"{count:g} new bone lesions since baseline{more_words}: {call} [{rule.key}] → {call}"
        out.append(Call(call, rule.key, text, value=count, nontarget=call if call != "PDu" else "none"))
    return out


CRITERIA.add(
    "pcwg3",
    Criterion(
        "pcwg3",
        "PCWG3 (bone, prostate cancer)",
        PAPER,
        "bone lesions that the baseline scan has not",
        ("new_bone_lesions",),
        {"NON-CR/NON-PD": "NON-CR/NON-PD", "PD": "PD", "NE": "NE", "PDu": "PDu"},
        (FIRST, TWO_TWO, LATER, PERSISTS, NON, NE),
        pcwg3,
        (
            "The call of a visit stands on scans up to that visit: an unconfirmed progression (PDu) stays PDu, and the "
            "confirming scan says PD. The best response dates progression by the first PDu of the confirmed run.",
            "Soft tissue is called by RECIST 1.1.",
        ),
    ),
)
