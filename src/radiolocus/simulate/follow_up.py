"""A study of treatment response with known truth, written as the ordinary files of a study.

Lesions grow, respond and grow again (:func:`radiolocus.simulate.lesions.simulate_follow_up`) and are measured with
error; their volumes and uptake follow their sizes, circulating tumour DNA runs ahead of them; treatment ends some days
after true progression. The true best response of everybody is written to ``truth.json``, which the study does not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.simulate.blood import simulate_blood
from radiolocus.simulate.lesions import FollowUp, lesion_table, simulate_follow_up

__all__ = ["STUDY", "ResponseSimulation", "simulate_response_study"]

VOLUME_CV, UPTAKE_CV, ERROR_MM, LEAD_DAYS = 0.05, 0.07, 0.7, 28.0
"""Noise of volumes and uptake (standard deviation of the logarithm) and of diameters, and the lead of the blood."""

STUDY = """# Simulated follow-up of treatment response; the data are made by
#
#     radiolocus demo-response --out response-demo
#
# and this study is run by
#
#     radiolocus response examples/response.toml --root response-demo/data --out responses

[cohort]
name = "Simulated response"
id = "id"
subjects = "clinical.csv"

[response]
lesions = "lesions.csv"
treatments = "treatments.csv"
criterion = "recist11"
further = ["irecist", "volumetric"]
visit_days = 56.0

[response.ctdna]
table = "ctdna.csv"

[response.delta]
repeatability = "repeatability.csv"     # uptake within 19 %, volume within 14 % of each other in 95 % of repeats
call = "uptake"
"""


@dataclass(frozen=True)
class ResponseSimulation:
    """Size and seed of a simulated study of response.

    Parameters
    ----------
    subjects : int
        Number of subjects, at least 10.
    seed : int
        Same seed, same study.
    """

    subjects: int = 60
    seed: int = 10

    def __post_init__(self) -> None:
        if self.subjects < 10:
            raise ConfigError(f"{self.subjects} subjects", allowed="at least 10")


def simulate_response_study(folder: Path, options: ResponseSimulation | None = None) -> Mapping[str, str]:
    """Write a study and its ``study.toml`` below `folder`.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    options : ResponseSimulation, optional

    Returns
    -------
    mapping of str to str
        True best response of every subject.
    """
    chosen = options or ResponseSimulation()
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(chosen.seed)
    names = [f"R{i + 1:03d}" for i in range(chosen.subjects)]
    courses = {name: simulate_follow_up(rng, name, error_mm=ERROR_MM) for name in names}
    rows, blood, lines = [], [], []
    for name, course in courses.items():
        rows += _with_function(rng, course.rows)
        end = next((day for day, call in course.truth.items() if call == "PD"), None)
        blood += simulate_blood(
            rng,
            name,
            _burden(course),
            lead_days=LEAD_DAYS,
            resistant_from=None if end is None else max(end - 84.0, 28.0),
        )
        lines += _lines(rng, name, end)
    lesion_table(rows).write_csv(folder / "lesions.csv")
    pl.DataFrame(blood, infer_schema_length=None).write_csv(folder / "ctdna.csv")
    pl.DataFrame(lines, infer_schema_length=None).write_csv(folder / "treatments.csv")
    ages = rng.integers(38, 82, len(names))
    pl.DataFrame({"id": names, "age": ages}).write_csv(folder / "clinical.csv")
    limits = {m: round(100 * 1.96 * np.sqrt(2) * cv, 1) for m, cv in (("uptake", UPTAKE_CV), ("volume", VOLUME_CV))}
    told = "\n".join(f"{m},{v},percent" for m, v in limits.items())
    (folder / "repeatability.csv").write_text(f"measure,repeatability_coefficient,scale\n{told}\n", encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    truth = {name: course.best for name, course in courses.items()}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def _with_function(rng: np.random.Generator, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Volumes of spheres of the measured size, and uptake that falls with the size of its lesion, with noise."""
    avid = {str(r["lesion"]): float(rng.uniform(5, 15)) for r in rows}
    start = {str(r["lesion"]): _size(r) for r in rows if r["day"] == 0}
    told = []
    for row in rows:
        size, lesion = _size(row), str(row["lesion"])
        more: dict[str, object] = {"volume_ml": None, "uptake": None}
        if size > 0 and start.get(lesion, 0.0) > 0:
            volume = np.pi / 6 * size**3 / 1000 * np.exp(rng.normal(0, VOLUME_CV))
            uptake = avid[lesion] * (size / start[lesion]) ** 1.2 * np.exp(rng.normal(0, UPTAKE_CV))
            more = {"volume_ml": round(float(volume), 3), "uptake": round(float(uptake), 2)}
        told.append(row | more)
    return told


def _size(row: Mapping[str, object]) -> float:
    return float(str(row["diameter_mm"] or 0.0))


def _burden(course: FollowUp) -> list[tuple[float, float]]:
    """Day and tumour mass relative to baseline; a new lesion adds a fifth of the baseline a visit."""
    mass: dict[float, float] = {}
    for row in course.rows:
        day = float(str(row["day"]))
        mass[day] = mass.get(day, 0.0) + _size(row) ** 3
    base = mass[0.0]
    new = sorted({float(str(r["day"])) for r in course.rows if r["kind"] == "new"})
    return [(day, m / base + 0.2 * sum(n <= day for n in new)) for day, m in sorted(mass.items())]


def _lines(rng: np.random.Generator, name: str, end: float | None) -> list[dict[str, object]]:
    """First line from day 1, to some days after progression; then the second, with no end known."""
    first: dict[str, object] = {"subject": name, "line": "1", "treatment": "targeted", "start": 1, "end": None}
    if end is None:
        return [first]
    stop = int(end) + int(rng.integers(3, 20))
    second = {"subject": name, "line": "2", "treatment": "chemotherapy", "start": stop + 7, "end": None}
    return [first | {"end": stop}, second]
