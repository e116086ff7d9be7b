"""RANO 2.0: gliomas, by products or volumes, steroids and clinical state."""

from __future__ import annotations

from dataclasses import replace

from radiolocus.response.criterion import CRITERIA, RECIST_WORDS, Call, Course, CriteriaOptions, Criterion, Rule
from radiolocus.response.sums import Ladder, number, product, readings, signed, summed

__all__ = ["rano"]

PAPER = "Wen et al. (RANO 2.0), J Clin Oncol 2023;41:5187"
CR = Rule("rano.CR", "CR", "all targets gone, no new lesion, no steroids, clinically stable or improved", PAPER)
PR = Rule(
    "rano.PR",
    "PR",
    "sum of products at least {percent} % below baseline, steroids not above baseline, clinically stable or improved",
    "Wen et al. (RANO), J Clin Oncol 2010;28:1963; " + PAPER,
    True,
    {"percent": 50},
)
PR_VOLUME = Rule(
    "rano.PR.volume",
    "PR",
    "the same with the sum of volumes at least {percent} % below",
    PAPER,
    numbers={"percent": 65},
)
MR = Rule(
    "rano.MR",
    "MR",
    "minor response (option): sum of products {percent} % to {most} % below baseline, else as PR",
    PAPER,
    numbers={"percent": 25, "most": 50},
)
SD = Rule("rano.SD", "SD", "neither CR, PR nor PD; also a PR whose steroids rose, a CR with steroids", PAPER)
PD = Rule(
    "rano.PD",
    "PD",
    "sum of products at least {percent} % above the smallest earlier sum",
    "Wen et al. (RANO), J Clin Oncol 2010;28:1963; " + PAPER,
    True,
    {"percent": 25},
)
PD_VOLUME = Rule(
    "rano.PD.volume",
    "PD",
    "sum of volumes at least {percent} % above the smallest earlier sum",
    PAPER,
    numbers={"percent": 40},
)
NE = Rule("rano.NE", "NE", "a target was not evaluated, and the measured rest does not prove PD", PAPER)
OTHER = Rule("rano.NT", "PD", "unequivocal progression of a lesion that is not measured", PAPER)
NEW = Rule("rano.NEW", "PD", "a new measurable lesion", PAPER)
CLINICAL = Rule("rano.CLINICAL", "PD", "clinical deterioration that nothing but the tumour explains", PAPER)
EARLY = Rule(
    "rano.EARLY",
    "PDu",
    "progression within 12 weeks of radiotherapy (option) must be confirmed by a scan at least {days} days later",
    PAPER,
    numbers={"days": 28},
)
MEASURABLE = Rule(
    "rano.MEASURABLE",
    "target",
    "both diameters of a target at least {least} mm at baseline",
    PAPER,
    True,
    {"least": 10},
)

CONFIRMED = Rule(
    "rano.CONFIRMED",
    "best",
    "CR and PR must be seen again at least 4 weeks later (options `rano_confirmation`, `confirmation_days`); until "
    "then they count as SD",
    "Wen et al. (RANO), J Clin Oncol 2010;28:1963; " + PAPER,
)

WORDS = RECIST_WORDS | {"MR": "MR", "PDu": "PDu"}


def _at_rest(course: Course, call: Call, visit: int, low: float) -> Call:
    """Let steroids and the clinical state enter."""
    now, base = course.later[visit].facts, course.baseline.facts
    clinical, dose, before = now.get("clinical"), now.get("steroid_mg"), base.get("steroid_mg")
    if clinical == "worse" and call.overall != "PD":
        return replace(
            call,
            overall="PD",
            rule=CLINICAL.key,
            reason=f"{call.reason}; clinical state worse: PD [{CLINICAL.key}] → PD",
        )
    if call.overall == "SD" and low > 0 and call.value is not None and call.base:
        fall = 100 * (1 - call.value / call.base)
        if fall >= low - 1e-9:
            text = f"{call.reason}; {signed(-fall)} % is a minor response [{MR.key}] → MR"
            call = replace(call, overall="MR", rule=MR.key, reason=text)
    if call.overall not in ("CR", "PR", "MR") or dose is None:
        return call
    if call.overall == "CR" and dose > 0:
        text = f"{call.reason}; yet {dose:g} mg of steroids: no CR [{SD.key}] → SD"
        return replace(call, overall="SD", rule=SD.key, reason=text)
    if dose > 0 and before is None:
        # A dose that nobody wrote down is not 0.
        text = f"{call.reason}; {dose:g} mg of steroids, whether they rose is not known: no dose at baseline"
        return replace(call, reason=f"{text} → {call.overall}")
    if before is not None and dose > before:
        text = f"{call.reason}; yet steroids rose from {before:g} to {dose:g} mg: no response [{SD.key}] → SD"
        return replace(call, overall="SD", rule=SD.key, reason=text)
    return call


def _confirmed(course: Course, calls: list[Call], window: float) -> list[Call]:
    """Let progression soon after radiotherapy wait for a scan that confirms it."""
    end = course.baseline.facts.get("radiotherapy_end_day")
    if end is None:
        return calls
    out, first = [], None
    for visit, call in zip(course.later, calls, strict=True):
        if call.overall == "PD" and call.rule != CLINICAL.key:
            if first is not None and visit.day - first >= EARLY["days"] - 1e-9:
                call = replace(call, reason=f"{call.reason}; confirms the progression of day {first:g}")
            elif first is not None or visit.day - end <= window + 1e-9:
                first = visit.day if first is None else first
                text = (
                    f"{call.reason}; {visit.day - end:g} days after radiotherapy, to be confirmed [{EARLY.key}] → PDu"
                )
                call = replace(call, overall="PDu", rule=EARLY.key, reason=text)
        elif call.overall not in ("NE", "PD"):
            first = None
        out.append(call)
    return out


def rano(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    if options.rano_measure == "volume":
        found = readings(course, lambda lesion: lesion.size("volume_ml"))
        ladder = Ladder(CR, PR_VOLUME, SD, PD_VOLUME, NE, "mL")
    else:
        found, ladder = readings(course, product), Ladder(CR, PR, SD, PD, NE, "mm²")
    low = MR["percent"] if options.rano_minor_response else 0.0
    calls = summed(course, found, ladder, new=NEW, other=OTHER)
    return _confirmed(
        course, [_at_rest(course, c, k, low) for k, c in enumerate(calls)], options.rano_radiotherapy_days
    )


def _remarks(course: Course) -> list[tuple[str, str, str]]:
    found = []
    for label, lesion in course.baseline.targets.items():
        sides = [x for x in (lesion.size("diameter_mm"), lesion.size("perpendicular_mm")) if x is not None]
        if sides and min(sides) < MEASURABLE["least"] - 1e-9:
            allowed = f"{MEASURABLE.words} [{MEASURABLE.key}]"
            found.append((f"lesion {label}", f"a target of {' × '.join(number(s) for s in sides)} mm", allowed))
    return found


CRITERIA.add(
    "rano",
    Criterion(
        "rano",
        "RANO 2.0 (glioma)",
        PAPER,
        "sum of products of perpendicular diameters, mm² (or of volumes, mL)",
        (),
        WORDS,
        (CR, PR, PR_VOLUME, MR, SD, PD, PD_VOLUME, NE, OTHER, NEW, CLINICAL, EARLY, MEASURABLE, CONFIRMED),
        rano,
        (
            "The baseline is the scan that the table calls so: after radiotherapy in newly diagnosed glioblastoma.",
            "An unconfirmed progression (PDu) counts neither as response nor as progression.",
            "A dose of steroids that is not known at baseline is not taken for 0: the response stands, and it is said.",
        ),
        _remarks,
        lambda options: ("volume_ml",) if options.rano_measure == "volume" else ("perpendicular_mm",),
        lambda options: options.rano_confirmation,
    ),
)
