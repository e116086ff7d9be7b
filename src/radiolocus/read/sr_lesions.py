"""Lesion tables from DICOM structured reports: units are converted by their code, roles are stated, never guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from pydicom.sr.coding import Code

from radiolocus.model import Problem
from radiolocus.read.lesion_roles import assign_roles
from radiolocus.read.lesions import KINDS, STATUSES, LesionColumns, LesionTable, screen_lesions
from radiolocus.read.sr import Measurement, MeasurementGroup, scan_reports

__all__ = ["QUANTITIES", "Quantity", "SrLesions", "read_sr_lesions"]

_LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
_VOLUMES = {"mm3": 0.001, "cm3": 1.0, "ml": 1.0, "mL": 1.0, "dm3": 1000.0, "l": 1000.0, "L": 1000.0}
_DIFFUSIONS = {"um2/s": 1.0, "mm2/s": 1e6, "10-3.mm2/s": 1e3, "10*-3.mm2/s": 1e3, "10-6.mm2/s": 1.0} | {
    "10*-6.mm2/s": 1.0
}
_UPTAKES = {"g/ml": 1.0, "g/mL": 1.0, "1": 1.0}
_GLYCOLYSES = {"g": 1.0, "g/ml.ml": 1.0, "ml": 1.0}
_MEAN, _PEAK = Code("373098007", "SCT", "Mean"), Code("126031", "DCM", "Peak Value Within ROI")


@dataclass(frozen=True)
class Quantity:
    """A column of the lesion table, the concepts that fill it, the derivations asked for, and units with factors."""

    column: str
    concepts: tuple[Code, ...]
    units: dict[str, float]
    derivations: tuple[Code | None, ...] = (None,)

    def matches(self, found: Measurement) -> bool:
        """Whether a measurement is of this quantity."""
        if found.derivation is None:
            return found.concept in self.concepts and None in self.derivations
        derived = [d for d in self.derivations if d is not None]
        return found.concept in self.concepts and found.derivation in derived


QUANTITIES = (
    Quantity("long", (Code("103339001", "SCT", "Long axis"),), _LENGTHS),
    Quantity("short", (Code("103340004", "SCT", "Short axis"),), _LENGTHS),
    Quantity("diameter", (Code("81827009", "SCT", "Diameter"),), _LENGTHS),
    Quantity("volume_ml", (Code("118565006", "SCT", "Volume"),), _VOLUMES),
    Quantity("adc", (Code("113041", "DCM", "Apparent Diffusion Coefficient"),), _DIFFUSIONS, (None, _MEAN)),
    Quantity("density_hu", (Code("112031", "DCM", "Attenuation Coefficient"),), {"[hnsf'U]": 1.0}, (None, _MEAN)),
    Quantity(
        "uptake",
        tuple(Code(f"12640{k}", "DCM", f"SUV{kind}") for k, kind in enumerate(("bw", "lbm", "bsa", "ibw"), start=1)),
        _UPTAKES,
        (_PEAK,),
    ),
    Quantity("tlg", (Code("126033", "DCM", "Total Lesion Glycolysis"),), _GLYCOLYSES),
)
"""Concepts of reports and the columns they fill (DICOM PS3.16, CID 7465 and 7469 for derivations and measurements)."""

_COLUMNS = ("subject", "visit", "date", "lesion", "kind", "organ", "node", "status", "reader")
_SIZES = tuple(q.column for q in QUANTITIES)


@dataclass(frozen=True, eq=False)
class SrLesions:
    """Lesions of structured reports.

    Parameters
    ----------
    table : LesionTable
    rows : polars.DataFrame
        The lesion table before it was screened, one row a lesion and visit with the file it comes from: what a person
        completes where something was not said.
    measurements : polars.DataFrame
        Every number of every group, also those that no column takes: file, subject, date, lesion, tracking UID,
        concept, derivation, value, unit, and the column it went to (null: none).
    """

    table: LesionTable
    rows: pl.DataFrame
    measurements: pl.DataFrame


def read_sr_lesions(
    path: Path | str, columns: LesionColumns | None = None, roles: pl.DataFrame | None = None
) -> SrLesions:
    """Read the lesions of DICOM structured reports (TID 1500).

    Parameters
    ----------
    path : Path or str
        A report, or a folder of reports of any number of patients.
    columns : LesionColumns, optional
        `keep_reader`, `baseline`, `visit_window_days`, `largest_mm` and `unsaid_kind` hold.
    roles : polars.DataFrame, optional
        As :func:`radiolocus.read.lesion_roles.read_roles` returns it.

    Returns
    -------
    SrLesions
        The subject is the Patient ID, the day that of the study, the visit the time point where one is given, else the
        date; the baseline is the visit so labelled, else the first study. A lesion is followed by its tracking UID and
        called by its tracking identifier. Nodes (by their finding site, or by `roles`) count by the short axis, others
        by the long axis or the diameter. Groups of normal anatomy are left out.

    Raises
    ------
    FormatError
        No report of TID 1500.
    """
    path, asked = Path(path), columns or LesionColumns()
    found = scan_reports(path)
    problems = list(found.problems)
    lesions = [g for g in found.groups if not g.anatomy]
    if ignored := len(found.groups) - len(lesions):
        got = f"{ignored} measurement groups of normal anatomy left out"
        problems.append(Problem("response", got, "note", where=path.name, count=ignored))
    rows, told = _rows(lesions)
    problems += told
    frame = pl.DataFrame(
        rows,
        schema=dict.fromkeys(_COLUMNS, pl.String) | dict.fromkeys(_SIZES, pl.Float64) | {"file": pl.String},
    )
    frame = _dated(frame)
    frame = _measured(assign_roles(frame, roles, asked.unsaid_kind))
    table = _screened(frame, asked, path.name, problems)
    return SrLesions(table, frame, _measurements(found.groups))


def _rows(groups: Sequence[MeasurementGroup]) -> tuple[list[dict[str, Any]], list[Problem]]:
    labels, problems = _labels(groups)
    rows = []
    for group in groups:
        sizes, told = _sizes(group)
        problems += told
        words = [w.lower() for w in group.said]
        row = {
            "subject": group.subject,
            "visit": group.visit or group.date,
            "date": group.date,
            "lesion": labels[group.subject, group.uid or group.tracking],
            "kind": next((k for k, known in KINDS.items() for w in words if w in known and len(w) > 2), None),
            "organ": group.site or None,
            "node": None,
            "status": next((s for s, known in STATUSES.items() for w in words if w in known), None),
            "reader": group.reader or None,
            "file": f"{group.file}, group {group.number}",
        }
        rows.append(row | sizes)
    return rows, problems


def _labels(groups: Sequence[MeasurementGroup]) -> tuple[dict[tuple[str, str], str], list[Problem]]:
    """Label of every tracked lesion: its identifier, and the end of its UID where another lesion has the same."""
    names: dict[tuple[str, str], str] = {}
    for g in groups:
        names.setdefault((g.subject, g.uid or g.tracking), g.tracking)
    often = Counter((subject, name) for (subject, _), name in names.items())
    problems = [
        Problem(
            "response",
            f"tracking identifier '{name}' of {n} lesions (tracking UIDs)",
            "note",
            subject,
            name,
            allowed="one identifier a lesion",
            todo="check that the lesions are different; they are told apart by the end of their UID",
        )
        for (subject, name), n in often.items()
        if n > 1
    ]
    return {
        key: name if often[key[0], name] == 1 else f"{name} ({key[1].rsplit('.', 1)[-1][-8:]})"
        for key, name in names.items()
    }, problems


def _sizes(group: MeasurementGroup) -> tuple[dict[str, float], list[Problem]]:
    where = f"{group.file}, group {group.number}"
    item = f"lesion {group.tracking}, visit {group.visit or group.date}"
    problems = [
        Problem("response", f"{name} without a number", "no value", group.subject, item, where)
        for name in group.without_value
    ]
    sizes: dict[str, float] = {}
    for quantity in QUANTITIES:
        for m in (m for m in group.measurements if quantity.matches(m)):
            factor = quantity.units.get(re.sub(r"\{[^}]*\}", "", m.unit))
            if factor is None or sizes.get(quantity.column, m.value * (factor or 1)) != m.value * (factor or 1):
                got = f"{m.concept.meaning} in '{m.unit}'" if factor is None else f"two values of {m.concept.meaning}"
                allowed = ", ".join(quantity.units) if factor is None else "one value a group"
                todo = "correct the report; the value was not taken"
                problems.append(Problem("response", got, "no value", group.subject, item, where, allowed, todo))
                sizes.pop(quantity.column, None)
                break
            sizes[quantity.column] = m.value * factor
    return sizes, problems


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    """Days since the first study of the subject."""
    when = pl.col("date").str.to_date("%Y-%m-%d", strict=False)
    return frame.with_columns((when - when.min().over("subject")).dt.total_days().cast(pl.Float64).alias("day"))


def _measured(frame: pl.DataFrame) -> pl.DataFrame:
    """Choose the diameter that counts: the short axis of nodes, the long axis or the diameter of others."""
    said = pl.col("node").str.to_lowercase().is_in(["yes", "true", "1", "y"])
    node = said.fill_null(pl.col("organ").str.contains(r"(?i)\blymph|\bnodes?\b|\bnodal\b")).fill_null(False)
    other = pl.coalesce("long", "diameter")
    axis = pl.when(pl.col("long").is_not_null()).then(pl.lit("long"))
    short = pl.col("short").is_not_null()
    return frame.with_columns(
        # A node of which only the long axis was measured keeps it, for the reader to refuse by its axis.
        pl.when(node & short).then("short").otherwise(other).alias("diameter_mm"),
        pl.when(node & short).then(pl.lit("short")).otherwise(axis).alias("axis"),
        pl.when(node).then(None).otherwise("short").alias("perpendicular_mm"),
    )


def _screened(frame: pl.DataFrame, asked: LesionColumns, source: str, problems: list[Problem]) -> LesionTable:
    kept = ("keep_reader", "baseline", "visit_window_days", "largest_mm")
    names = replace(LesionColumns(), **{name: getattr(asked, name) for name in kept})
    text = [c for c in frame.columns if c not in (*_SIZES[:3], "date", "file")]
    rows = frame.select(pl.col(c).cast(pl.String) for c in text)
    table = screen_lesions(rows, list(range(1, frame.height + 1)), names, source, problems)
    return replace(table, problems=tuple(_placed(p, frame["file"]) for p in table.problems))


def _placed(problem: Problem, files: pl.Series) -> Problem:
    """Name the report and its group in place of the number of a row."""
    row = re.search(r", row (\d+)$", problem.where)
    return replace(problem, where=files[int(row.group(1)) - 1]) if row else problem


def _measurements(groups: Sequence[MeasurementGroup]) -> pl.DataFrame:
    rows = [
        {
            "file": g.file,
            "subject": g.subject,
            "date": date.fromisoformat(g.date),
            "lesion": g.tracking,
            "tracking_uid": g.uid,
            "finding": g.finding,
            "concept": m.concept.meaning,
            "code": f"{m.concept.scheme_designator}:{m.concept.value}",
            "derivation": m.derivation.meaning if m.derivation else None,
            "value": m.value,
            "unit": m.unit,
            "column": next((q.column for q in QUANTITIES if q.matches(m)), None),
        }
        for g in groups
        for m in g.measurements
    ]
    words = dict.fromkeys(("file", "subject"), pl.String) | {"date": pl.Date}
    words |= dict.fromkeys(("lesion", "tracking_uid", "finding", "concept", "code", "derivation"), pl.String)
    return pl.DataFrame(rows, schema=words | {"value": pl.Float64, "unit": pl.String, "column": pl.String})
