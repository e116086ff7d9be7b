"""Choi: size and attenuation of gastrointestinal stromal tumours."""

from __future__ import annotations

from math import fsum

from radiolocus.response.criterion import (
    CRITERIA,
    RECIST_WORDS,
    TOLERANCE,
    Call,
    Course,
    CriteriaOptions,
    Criterion,
    Rule,
    Visit,
)
from radiolocus.response.sums import (
    Reading,
    counted,
    length,
    new_found,
    nontarget_call,
    number,
    overall,
    readings,
    signed,
)

__all__ = ["choi"]

PAPER = "Choi et al., J Clin Oncol 2007;25:1753"
CR = Rule("choi.CR", "CR", "all lesions gone, no new lesion", PAPER)
PR = Rule(
    "choi.PR",
    "PR",
    "sum of longest diameters at least {size} % or mean attenuation at least {density} % below baseline, "
    "no new lesion, no obvious progression of what is not measured",
    PAPER,
    numbers={"size": 10, "density": 15},
)
SD = Rule("choi.SD", "SD", "neither CR, PR nor PD", PAPER)
PD = Rule(
    "choi.PD",
    "PD",
    "sum of longest diameters at least {percent} % larger, and attenuation does not meet PR",
    PAPER,
    numbers={"percent": 10},
)
NE = Rule("choi.NE", "NE", "a target was not measured", PAPER)
OTHER = Rule("choi.NT", "PD", "unequivocal progression of a non-target", PAPER)
NEW = Rule("choi.NEW", "PD", "a new lesion, or a new or growing nodule in a lesion (written as a new lesion)", PAPER)


def _density(course: Course, visit: Visit) -> float | None:
    """Mean attenuation of the targets that are still there; None when one is unknown."""
    left = [visit.targets.get(k) for k in course.baseline.targets]
    present = [x for x in left if x is None or x.size("diameter_mm") != 0]
    values = [x.size("density_hu") if x is not None else None for x in present]
    known = [v for v in values if v is not None]
    return fsum(known) / len(known) if known and len(known) == len(values) else None


def _target(course: Course, r: Reading, start: float, before: float | None) -> tuple[str, Rule | None, str]:
    if r.targets == 0:
        return "none", None, "no targets"
    # A missing size leaves neither the change of size nor that of density.
    if not r.complete or r.base <= 0:
        return "NE", NE, f"{r.missing} of {counted(r.targets, 'target')} not measured"
    if r.gone:
        return "CR", CR, "all targets gone"
    size = 100 * (r.total / r.base - 1)
    now = _density(course, r.visit)
    words = f"sum {number(r.total)} mm, {signed(size)} % from the baseline {number(r.base)} mm"
    # Attenuation around 0 HU has no relative change.
    density = 100 * (now / before - 1) if now is not None and before is not None and before > 0 else None
    words += (
        f"; mean attenuation {number(now)} HU, {signed(density)} % from {number(before)} HU"
        if density is not None and now is not None and before is not None
        else "; change of attenuation unknown"
    )
    thinner = density is not None and density <= -PR["density"] + TOLERANCE
    if not thinner and start > 0 and r.total >= (1 + PD["percent"] / 100) * start - TOLERANCE:
        return "PD", PD, f"{words}; {signed(100 * (r.total / start - 1))} % from {number(start)} mm"
    if thinner or size <= -PR["size"] + TOLERANCE:
        return "PR", PR, words
    return "SD", SD, words


def choi(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    out, ever = [], False
    before = _density(course, course.baseline)
    for r in readings(course, length):
        start = r.base if options.progression_from == "baseline" else r.nadir
        target, rule, words = _target(course, r, start, before)
        nontarget, labels = nontarget_call(course, r.visit), new_found(r.visit)
        ever = ever or bool(labels)
        call = overall(target, nontarget, ever)
        said = [f"{words}: {target} [{rule.key}]" if rule else words]
        if nontarget != "none":
            said.append(f"non-targets {nontarget}" + (f" [{OTHER.key}]" if nontarget == "PD" else ""))
        if ever:
            said.append(f"new lesion {', '.join(labels) or 'at an earlier visit'}: PD [{NEW.key}]")
        key = rule.key if rule and target == call else NEW.key if ever else OTHER.key
        value = r.total if r.complete and r.targets else None
        out.append(Call(call, key, f"{'; '.join(said)} → {call}", value, r.base, r.nadir, target, nontarget, ever))
    return out


CRITERIA.add(
    "choi",
    Criterion(
        "choi",
        "Choi (gastrointestinal stromal tumour)",
        PAPER,
        "sum of longest diameters, mm, with mean attenuation, HU",
        ("density_hu",),
        RECIST_WORDS,
        (CR, PR, SD, PD, NE, OTHER, NEW),
        choi,
        (
            'Growth counts from the baseline, as the paper compares with it; `progression_from = "nadir"` counts it '
            "from the smallest earlier sum.",
            "Mean attenuation is the mean over the targets that are still there.",
        ),
    ),
)
