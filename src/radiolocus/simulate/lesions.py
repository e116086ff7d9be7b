"""Lesion follow-up with known responses: clear courses measured with error, and courses of growth and regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["COURSES", "FollowUp", "simulate_follow_up", "simulate_lesions"]

VISIT_DAYS = (0, 56, 112, 168, 224)
COURSES = {
    "CR": (1.0, 0.45, 0.0, 0.0, 0.0),
    "PR": (1.0, 0.62, 0.50, 0.45, 0.45),
    "SD": (1.0, 0.95, 0.92, 0.92, 0.95),
    "PD": (1.0, 1.45, 1.80, 2.10, 2.40),
}
"""Diameter relative to baseline at each visit, by the best response it amounts to."""

_ORGANS = ("liver", "lung", "adrenal", "brain")


def simulate_lesions(
    rng: np.random.Generator, subject: str, course: str, *, error_mm: float = 0.7, missed: float = 0.03
) -> list[dict[str, object]]:
    """Measure two to four target lesions at five visits, eight weeks apart.

    Parameters
    ----------
    rng : numpy.random.Generator
    subject : str
    course : {"CR", "PR", "SD", "PD"}
        True best response.
    error_mm : float
        Standard deviation of the measurement error, mm.
    missed : float
        Chance that a visit after the second is missed altogether.

    Returns
    -------
    list of dict
        Rows of a lesion table. Half of the progressing subjects also have a new lesion.
    """
    count = int(rng.integers(2, 5))
    start = rng.uniform(22, 55, count)
    new_from = 2 if course == "PD" and rng.random() < 0.5 else len(VISIT_DAYS)
    rows: list[dict[str, object]] = []
    for visit, (day, factor) in enumerate(zip(VISIT_DAYS, COURSES[course], strict=True)):
        if visit > 1 and rng.random() < missed:
            continue
        head = {"subject": subject, "visit": "baseline" if visit == 0 else f"week {day // 7}", "day": day}
        for k in range(count):
            size = start[k] * factor
            measured = 0.0 if size == 0 else max(5.0, round(float(size + rng.normal(0, error_mm)), 1))
            rows.append({**head, "lesion": f"T{k + 1}", "kind": "target", "organ": _ORGANS[k], "diameter_mm": measured})
        if visit >= new_from:
            rows.append({**head, "lesion": "N1", "kind": "new", "organ": "bone", "diameter_mm": None})
    return rows


def lesion_table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Gather the rows of all subjects into one table."""
    return pl.DataFrame(rows, infer_schema_length=None)


@dataclass(frozen=True)
class FollowUp:
    """One simulated subject.

    Parameters
    ----------
    rows : list of dict
        Rows of a lesion table, as measured.
    truth : dict of float to str
        Response at every visit that took place, by day, from the sizes without error and by the plain words of the
        rules: new lesion or +20 % and 5 mm from the smallest before: PD; gone: CR; −30 %: PR; else SD.
    best : str
        Best of them up to the first PD; SD from day 42 on.
    """

    rows: list[dict[str, object]]
    truth: dict[float, str]
    best: str


def simulate_follow_up(
    rng: np.random.Generator,
    subject: str,
    *,
    visits: int = 7,
    interval_days: float = 56.0,
    error_mm: float = 0.0,
    missed: float = 0.05,
    new_lesion: float = 0.15,
    on_pet: float = 0.3,
    smallest_mm: float = 2.0,
) -> FollowUp:
    """Let lesions shrink and grow again, exp(−dt) + exp(gt) − 1 each with constants of its own, and measure them.

    Parameters
    ----------
    rng : numpy.random.Generator
    subject : str
    visits : int
        Planned visits after baseline.
    interval_days : float
    error_mm : float
        Standard deviation of the measurement error, mm; at 0 what is measured is the truth.
    missed : float
        Chance that a visit after the first is missed altogether.
    new_lesion : float
        Chance that a new lesion appears at some visit.
    on_pet : float
        Chance that it is seen by FDG-PET alone, whose baseline was negative.
    smallest_mm : float
        Below this a lesion has vanished, for this visit.

    References
    ----------
    Stein et al., Clin Cancer Res 2011;17:907 (the model of growth and regression).
    """
    count = int(rng.integers(1, 5))
    start = np.round(rng.uniform(12, 50, count), 1)
    sensitive, growth = rng.lognormal(-5.0, 1.0), min(rng.lognormal(-6.5, 0.8), 1.6 / (visits * interval_days))
    decay = sensitive * rng.uniform(0.7, 1.3, count)
    new_from = int(rng.integers(1, visits + 1)) if rng.random() < new_lesion else visits + 1
    by_pet = bool(rng.random() < on_pet)
    rows: list[dict[str, object]] = []
    totals: list[float] = []
    truth: dict[float, str] = {}
    for visit in range(visits + 1):
        if visit > 1 and rng.random() < missed:
            continue
        day = visit * interval_days
        true = np.round(start * (np.exp(-decay * day) + np.exp(growth * day) - 1), 1)
        true[true < smallest_mm] = 0.0
        head: dict[str, object] = {
            "subject": subject,
            "visit": "baseline" if visit == 0 else f"visit {visit}",
            "day": day,
            "baseline_pet": "negative",
            "pet": None,
        }
        for k in range(count):
            size = float(true[k])
            if size > 0 and error_mm > 0:
                size = max(0.1, round(float(size + rng.normal(0, error_mm)), 1))
            target = {"lesion": f"T{k + 1}", "kind": "target", "organ": _ORGANS[k], "diameter_mm": size}
            rows.append(head | target | {"status": "absent" if size == 0 else "present"})
        if visit >= new_from:
            new = {"lesion": "N1", "kind": "new", "organ": "bone", "diameter_mm": None}
            seen = {"pet": "positive", "status": "absent"} if by_pet else {"status": "present"}
            rows.append(head | new | seen)
        total = float(true.sum())
        if visit > 0:
            had_cr = "CR" in truth.values()
            truth[day] = _true_call(total, totals, new=visit >= new_from, had_cr=had_cr)
        totals.append(total)
    return FollowUp(rows, truth, _true_best(truth))


def _true_call(total: float, before: list[float], *, new: bool, had_cr: bool) -> str:
    least = min(before)
    grown = total - 1.2 * least > -1e-9 and total - least > 5 - 1e-9
    if new or grown or (had_cr and total > 0):
        return "PD"
    if total == 0:
        return "CR"
    return "PR" if total - 0.7 * before[0] < 1e-9 else "SD"


def _true_best(truth: dict[float, str]) -> str:
    counted: list[tuple[float, str]] = []
    for day, call in truth.items():
        if call == "PD":
            break
        counted.append((day, call))
    for wanted in ("CR", "PR"):
        if any(call == wanted for _, call in counted):
            return wanted
    if any(day >= 42 for day, _ in counted):
        return "SD"
    return "PD" if "PD" in truth.values() else "NE"
