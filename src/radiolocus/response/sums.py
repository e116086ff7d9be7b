"""Criteria that follow a sum over the targets: what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum

from radiolocus.kernels import recist as kernels
from radiolocus.read.lesion_parts import TOO_SMALL_MM
from radiolocus.response.criterion import TOLERANCE, Call, Course, Lesion, Rule, Visit

__all__ = [
    "Ladder",
    "Reading",
    "counted",
    "length",
    "new_found",
    "nontarget_call",
    "number",
    "overall",
    "product",
    "readings",
    "signed",
    "summed",
    "target_call",
]

Size = Callable[[Lesion], float | None]


def number(value: float) -> str:
    """Number for a trace: two decimals, no trailing zeros."""
    return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}"


def counted(count: int, noun: str) -> str:
    """Count and its noun, in the plural where it is not one."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def signed(value: float) -> str:
    """Number with its sign."""
    return ("−" if round(value, 2) < 0 else "+") + number(abs(value))


def length(lesion: Lesion) -> float | None:
    """Longest diameter (short axis of nodes), mm; 5 mm for a target that is too small to measure."""
    value = lesion.size("diameter_mm")
    return TOO_SMALL_MM if value is None and lesion.status == "too small" else value


def product(lesion: Lesion) -> float | None:
    """Product of the longest diameter and its perpendicular, mm²."""
    one, other = lesion.size("diameter_mm"), lesion.size("perpendicular_mm")
    return None if one is None or other is None else one * other


@dataclass(frozen=True)
class Reading:
    """Targets of a visit: sum of the measured, how many were not, baseline, smallest earlier sum, all gone."""

    visit: Visit
    total: float
    targets: int
    missing: int
    base: float
    nadir: float
    gone: bool

    @property
    def complete(self) -> bool:
        """Every target was measured."""
        return self.missing == 0


def _sizes(course: Course, visit: Visit, size: Size) -> list[float | None]:
    return [size(visit.targets[k]) if k in visit.targets else None for k in course.baseline.targets]


def readings(course: Course, size: Size, gone: Callable[[Lesion], bool] | None = None) -> list[Reading]:
    """Follow the sum over the targets of the baseline through the later visits."""
    found = []
    base = nadir = fsum(x for x in _sizes(course, course.baseline, size) if x is not None)
    is_gone = gone or (lambda lesion: size(lesion) == 0)
    for visit in course.later:
        sizes = _sizes(course, visit, size)
        known = [x for x in sizes if x is not None]
        total, missing = fsum(known), len(sizes) - len(known)
        seen = [visit.targets[k] for k in course.baseline.targets if k in visit.targets]
        none_left = all(is_gone(x) for x in seen if size(x) is not None)
        found.append(Reading(visit, total, len(sizes), missing, base, nadir, none_left and bool(known)))
        if missing == 0 and sizes:
            nadir = min(nadir, total)
    return found


@dataclass(frozen=True)
class Ladder:
    """Rules of the targets; `pr` and `pd` hold ``percent``, `pd` also ``least``; `pr` may be ``inclusive`` or not."""

    cr: Rule
    pr: Rule
    sd: Rule
    pd: Rule
    ne: Rule
    unit: str


def _sum_has_grown(r: Reading, pd: Rule) -> bool:
    growth = r.total - r.nadir
    enough = growth >= pd.numbers.get("least", 0.0) - TOLERANCE and growth > 0
    return enough and r.total >= (1 + pd["percent"] / 100) * r.nadir - TOLERANCE


def target_call(r: Reading, ladder: Ladder, grown: str | None = None) -> tuple[str, Rule | None, str]:
    """Call of the targets, its rule and its words. `grown` says in words which growth, other than that of the
    sum, is progression; empty for none.
    """
    if r.targets == 0:
        return "none", None, "no targets"
    total = f"sum {number(r.total)} {ladder.unit}"
    growth = r.total - r.nadir
    has_grown = _sum_has_grown(r, ladder.pd) if grown is None else bool(grown)
    from_nadir = (
        f"{total} is {signed(100 * growth / r.nadir)} % and {signed(growth)} {ladder.unit} from the nadir "
        f"{number(r.nadir)} {ladder.unit}"
        if r.nadir > 0
        else f"{total} after a nadir of 0 {ladder.unit}"
    )
    from_nadir = grown or from_nadir
    if not r.complete:
        lost = f"{r.missing} of {counted(r.targets, 'target')} not evaluated"
        return ("PD", ladder.pd, f"{lost}, yet {from_nadir}") if has_grown else ("NE", ladder.ne, lost)
    if r.gone:
        return "CR", ladder.cr, "all targets gone"
    if has_grown:
        return "PD", ladder.pd, from_nadir
    if r.base > 0:
        from_base = (
            f"{total} is {signed(100 * (r.total / r.base - 1))} % from the baseline {number(r.base)} {ladder.unit}"
        )
        if r.total <= (1 - ladder.pr["percent"] / 100) * r.base + TOLERANCE:
            return "PR", ladder.pr, from_base
        return "SD", ladder.sd, f"{from_base}, {signed(growth)} {ladder.unit} from the nadir {number(r.nadir)}"
    return "NE", ladder.ne, "no target was measured at baseline"


def nontarget_call(course: Course, visit: Visit) -> str:
    """Call of the non-targets of the baseline (Eisenhauer 2009, section 4.3.3)."""
    listed = course.baseline.others
    if not listed:
        return "none"
    states = [visit.others[k].status if k in visit.others else "NE" for k in listed]
    for state, call in (("progression", "PD"), ("NE", "NE"), ("present", "NON-CR/NON-PD")):
        if state in states:
            return call
    return "CR"


def new_found(visit: Visit, counts: Callable[[Lesion], bool] = lambda _: True) -> list[str]:
    """Labels of unequivocal new lesions of a visit."""
    return [k for k, lesion in visit.new.items() if lesion.status == "present" and counts(lesion)]


def overall(target: str, nontarget: str, new: bool) -> str:
    """Overall response of a time point (Eisenhauer 2009, tables 1 and 2)."""
    words = kernels.LABELS
    return words[kernels.overall(words.index(target), words.index(nontarget), new)]


def summed(
    course: Course,
    found: list[Reading],
    ladder: Ladder,
    *,
    new: Rule,
    other: Rule,
    counts: Callable[[Lesion], bool] = lambda _: True,
    grown: Callable[[Reading], str] | None = None,
) -> list[Call]:
    """Call the visits from targets, non-targets and new lesions together.

    Parameters
    ----------
    course : Course
    found : list of Reading
    ladder : Ladder
    new, other : Rule
        Rules of new lesions and of unequivocal progression of non-targets.
    counts : callable
        Whether a new lesion counts.
    grown : callable, optional
        Progression of the targets, where it is not the growth of the sum.
    """
    out, ever = [], False
    for r in found:
        labels = new_found(r.visit, counts)
        ever = ever or bool(labels)
        target, rule, words = target_call(r, ladder, grown(r) if grown else None)
        nontarget = nontarget_call(course, r.visit)
        call = overall(target, nontarget, ever)
        said = [f"{words}: {target} [{rule.key}]" if rule else words]
        key = rule.key if rule else ""
        if nontarget != "none":
            said.append(f"non-targets {nontarget}" + (f" [{other.key}]" if nontarget == "PD" else ""))
            key = other.key if call == nontarget and target != call else key
        if ever:
            where = f"new lesion {', '.join(labels)}" if labels else "new lesion at an earlier visit"
            said.append(f"{where}: PD [{new.key}]")
            key = key if target == "PD" else new.key
        value = r.total if r.complete and r.targets else None
        out.append(
            Call(
                call,
                key,
                f"{'; '.join(said)} → {call}",
                value,
                r.base if r.targets else None,
                r.nadir if r.targets else None,
                target,
                nontarget,
                ever,
            )
        )
    return out
