"""Which rows of a table of treatments the markers of one patient meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from radiolocus.read.treatments import Treatment, TreatmentTable

__all__ = ["Matched", "match_treatments"]

Status = Literal["met", "not met", "not measured", "not in the study", "not comparable"]


@dataclass(frozen=True)
class Matched:
    """A row of the table and what the patient's marker says about it.

    Parameters
    ----------
    treatment : Treatment
    status : str
        ``met``, ``not met``, ``not measured`` (the patient has no value), ``not in the study`` (no such marker), or
        ``not comparable`` (another unit, or a number where presence is asked for).
    marker : str
        Marker of the study; empty when it has none.
    value : float or None
    why : str
        In words, where it is not plain.
    """

    treatment: Treatment
    status: Status
    marker: str = ""
    value: float | None = None
    why: str = ""


def match_treatments(
    table: TreatmentTable, values: Mapping[str, float | None], dictionary: pl.DataFrame
) -> tuple[Matched, ...]:
    """Hold every row against the measured markers of a patient.

    Parameters
    ----------
    table : TreatmentTable
    values : mapping of str to float or None
        Markers of the patient by name.
    dictionary : polars.DataFrame
        Table ``molecular/dictionary``.

    Returns
    -------
    tuple of Matched
        In the order of the table. Of the names of a marker the first that the study has counts; case matters only
        where two markers differ by nothing else.
    """
    told = {row["marker"]: (row["kind"], row["unit"] or "") for row in dictionary.iter_rows(named=True)}
    return tuple(_matched(row, values, told) for row in table.rows)


def _matched(
    row: Treatment, values: Mapping[str, float | None], told: Mapping[str, tuple[str, str]]
) -> Matched:  # fmt: skip
    marker = next((found for name in row.markers if (found := _named(name, told))), "")
    if not marker:
        return Matched(row, "not in the study")
    kind, unit = told[marker]
    if row.when.sign in ("present", "absent") and kind != "binary":
        return Matched(row, "not comparable", marker, values.get(marker), f"the marker is {kind}: compare a number")
    if row.when.sign not in ("present", "absent") and row.unit != unit:
        why = f"the study has '{unit or 'no unit'}', the table '{row.unit or 'no unit'}'"
        return Matched(row, "not comparable", marker, values.get(marker), why)
    value = values.get(marker)
    if value is None:
        return Matched(row, "not measured", marker)
    return Matched(row, "met" if row.when.holds(value) else "not met", marker, value)


def _named(name: str, told: Mapping[str, tuple[str, str]]) -> str:
    if name in told:
        return name
    same = [m for m in told if m.lower() == name.lower()]
    return same[0] if len(same) == 1 else ""
