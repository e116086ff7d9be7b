"""Lesion follow-up with a known best response, clear of every threshold and then measured with error."""

from __future__ import annotations

import numpy as np
import polars as pl

__all__ = ["COURSES", "simulate_lesions"]

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
