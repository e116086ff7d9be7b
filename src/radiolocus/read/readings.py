"""Readings of pathology: what clinical markers are called, and what number or grade a cell means.

A reading is asked for by name, column by column (``readings = { "PD-L1 TPS" = "tps" }``): the same words mean different
things in different columns, and a percentage without its name is just a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Array, Problem
from radiolocus.registry import suggest

__all__ = ["READINGS", "Reading", "ReadingColumn", "read_reading"]


@dataclass(frozen=True)
class Reading:
    """How cells of a clinical marker are read.

    Parameters
    ----------
    name : str
    kind : {"score", "binary"}
        A score gives a number and a grade; a binary marker 1 or 0.
    unit : str
    definition : str
    highest : float
        Largest number that there can be.
    cuts : tuple of float
        Where grades begin, beside the lowest.
    present, absent : tuple of str
        Words, without case, punctuation and spaces.
    """

    name: str
    kind: Literal["score", "binary"]
    unit: str
    definition: str
    highest: float = 100.0
    cuts: tuple[float, ...] = ()
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


_YES = ("positive", "pos", "yes", "present", "1", "true", "+")
_NO = ("negative", "neg", "no", "absent", "0", "false", "-")
# How pathologists write the mutation itself: IDH1 R132H, p.R132H, IDH2 R172K; the substitutions known in glioma (Yan et
# al. 2009; Hartmann et al. 2009, Acta Neuropathol 118:469).
_IDH_RESIDUES = (("idh1", "r132", "hcsglvp"), ("idh2", "r172", "kmgsw"))
_IDH_CHANGES = tuple(
    f"{gene}{change}{residue}{to}"
    for gene_name, residue, known in _IDH_RESIDUES
    for gene in ("", gene_name)
    for change in ("", "p")
    for to in known
)
_ALL = (
    Reading(
        "tps",
        "score",
        "%",
        "PD-L1 tumour proportion score: viable tumour cells with membrane staining; grades below 1 %, 1 to 49 %, 50 % "
        "and more (Reck et al. 2016, N Engl J Med 375:1823)",
        cuts=(1.0, 50.0),
    ),
    Reading(
        "cps",
        "score",
        "",
        "PD-L1 combined positive score: stained tumour and immune cells per 100 tumour cells, at most 100; grades "
        "below 1, 1 to 9, 10 and more (Kulangara et al. 2019, Arch Pathol Lab Med 143:330)",
        cuts=(1.0, 10.0),
    ),
    Reading(
        "ic",
        "score",
        "%",
        "PD-L1 immune-cell score: share of the tumour area with stained immune cells; grades below 1 %, 1 to 4 %, 5 % "
        "and more (Vennapusa et al. 2019, Appl Immunohistochem Mol Morphol 27:92)",
        cuts=(1.0, 5.0),
    ),
    Reading("percent", "score", "%", "share of stained cells"),
    Reading(
        "ki67",
        "score",
        "%",
        "Ki-67 index: share of stained nuclei of the invasive tumour (Nielsen et al. 2021, J Natl Cancer Inst 113:808)",
    ),
    Reading(
        "her2",
        "score",
        "",
        "HER2 immunohistochemistry, 0, 1+, 2+ or 3+ (Wolff et al. 2018, J Clin Oncol 36:2105)",
        highest=3.0,
        cuts=(1.0, 2.0, 3.0),
    ),
    Reading(
        "msi",
        "binary",
        "",
        "1: high microsatellite instability (MSI-H) or mismatch-repair deficiency (dMMR); 0: stable (MSS), low (MSI-L) "
        "or proficient (pMMR) (Boland et al. 1998, Cancer Res 58:5248)",
        present=("msih", "msihigh", "high", "dmmr", "deficient", "unstable", "msi", *_YES),
        absent=("mss", "msil", "msilow", "low", "pmmr", "proficient", "stable", *_NO),
    ),
    Reading(
        "mgmt",
        "binary",
        "",
        "1: MGMT promoter methylated; 0: unmethylated (Hegi et al. 2005, N Engl J Med 352:997)",
        present=("methylated", "meth", "m", *_YES),
        absent=("unmethylated", "unmeth", "u", "nonmethylated", "notmethylated", *_NO),
    ),
    Reading(
        "idh",
        "binary",
        "",
        "1: IDH1 R132 or IDH2 R172 mutant; 0: wild type (Yan et al. 2009, N Engl J Med 360:765)",
        present=(
            "mutant",
            "mutated",
            "mut",
            "idhmut",
            "idhmutant",
            *_YES,
            "idh1mut",
            "idh1mutant",
            "idh2mut",
            "idh2mutant",
            *_IDH_CHANGES,
        ),
        absent=("wt", "wildtype", "idhwt", "idhwildtype", "nonmutant", *_NO),
    ),
    Reading(
        "1p19q",
        "binary",
        "",
        "1: whole-arm codeletion of 1p and 19q; 0: none, or one arm (Louis et al. 2021, Neuro Oncol 23:1231)",
        present=("codel", "codeleted", "codeletion", "deleted", "loss", *_YES, "1p19qcodel", "1p19qcodeleted"),
        absent=(
            "noncodel",
            "noncodeleted",
            "intact",
            "notcodeleted",
            "nocodeletion",
            *_NO,
            "1p19qnoncodel",
            "1p19qintact",
        ),
    ),
    Reading(
        "receptor",
        "binary",
        "",
        "hormone receptor: 1 from 1 % of nuclei stained, 0 below (Allison et al. 2020, J Clin Oncol 38:1346)",
        cuts=(1.0,),
        present=_YES,
        absent=_NO,
    ),
)
READINGS: dict[str, Reading] = {reading.name: reading for reading in _ALL}
"""Name of a reading to what it is."""
_RANGE = re.compile(r"^(\d+\.?\d*)(?:-|–|to)(\d+\.?\d*)$")
_BOUND = re.compile(r"^(<=|<|≤|>=|>|≥)(\d+\.?\d*)$")
_NUMBER = re.compile(r"^\d+\.?\d*$")


@dataclass(frozen=True, eq=False)
class ReadingColumn:
    """A column as it was read: number and grade (0, 1, ...) of each cell, NaN where unknown, and what was said."""

    values: Array
    grades: Array
    notes: tuple[Problem, ...]


def read_reading(column: pl.Series, rows: Sequence[int], source: str, name: str) -> ReadingColumn:
    """Read a column of a clinical marker.

    Parameters
    ----------
    column : polars.Series
        Numbers or text; null where missing.
    rows : sequence of int
        Row of the file of each cell.
    source : str
    name : str
        Key of READINGS.

    Returns
    -------
    ReadingColumn
        Of a score below a bound of 1 or less (``<1%``) half of the bound is the number (Hornung & Reed 1990, Appl Occup
        Environ Hyg 5:46), which is said; a wider interval (``1-49%``) has a grade alone, where it lies in one. Of a
        binary marker both are 1 or 0.

    Raises
    ------
    TableError
        An unknown reading, or a column of which no cell can be read.
    """
    if name not in READINGS:
        raise TableError(
            f"reading '{name}'", where=f"{source}, column '{column.name}'", allowed=", ".join(READINGS),
            todo=suggest(name, list(READINGS)),
        )  # fmt: skip
    reading = READINGS[name]
    values, grades = np.full(len(column), np.nan), np.full(len(column), np.nan)
    notes: list[Problem] = []
    halved = ranged = 0
    cells = column.cast(pl.String).to_list()
    for i, cell in enumerate(cells):
        if cell is None or not cell.strip():
            continue
        found = _score(cell, reading) if reading.kind == "score" else _binary(cell, reading)
        if found is None:
            notes.append(_unread(column.name, cell, reading, f"{source}, row {rows[i]}, column '{column.name}'"))
            continue
        values[i], grades[i] = found
        exact = _NUMBER.match(_tidy(cell)) is not None
        halved += reading.kind == "score" and not exact and bool(np.isfinite(values[i]))
        ranged += reading.kind == "score" and bool(np.isnan(values[i]))
    if len(notes) == sum(c is not None and bool(c.strip()) for c in cells) and notes:
        raise TableError(
            f"no cell that is a {name} ('{next(c for c in cells if c and c.strip())}', ...)",
            where=f"{source}, column '{column.name}'",
            allowed=_allowed(reading),
        )
    if halved:
        got = f"marker '{column.name}': {halved} cells below a bound count as half of it"
        notes.append(Problem("molecular", got, "note", item=column.name, where=source, count=halved))
    if ranged:
        got = f"marker '{column.name}': {ranged} cells are intervals, with a grade but no number"
        notes.append(Problem("molecular", got, "note", item=column.name, where=source, count=ranged))
    return ReadingColumn(values, grades, tuple(notes))


def _tidy(cell: str) -> str:
    return re.sub(r"[\s%]", "", cell.strip().casefold())


def _score(cell: str, reading: Reading) -> tuple[float, float] | None:
    """Number and grade of a cell."""
    text = _tidy(cell)
    if reading.name == "her2":
        text = text.removesuffix("+")
    if _NUMBER.match(text):
        value = float(text)
        return (value, _grade(value, reading.cuts)) if value <= reading.highest else None
    if bound := _BOUND.match(text):
        sign, edge = bound[1], float(bound[2])
        if edge > reading.highest:
            return None
        low, high = (0.0, edge) if sign in ("<", "<=", "≤") else (edge, reading.highest)
        half = edge / 2 if low == 0.0 and edge <= 1 else np.nan
        inside = np.nextafter(high, 0) if sign == "<" else high
        low = np.nextafter(low, np.inf) if sign == ">" else low
        return half, _same_grade(low, inside, reading.cuts)
    if interval := _RANGE.match(text):
        low, high = float(interval[1]), float(interval[2])
        return (np.nan, _same_grade(low, high, reading.cuts)) if low <= high <= reading.highest else None
    return None


def _grade(value: float, cuts: tuple[float, ...]) -> float:
    return float(sum(value >= cut for cut in cuts)) if cuts else np.nan


def _same_grade(low: float, high: float, cuts: tuple[float, ...]) -> float:
    first, last = _grade(low, cuts), _grade(high, cuts)
    return first if first == last else np.nan


def _binary(cell: str, reading: Reading) -> tuple[float, float] | None:
    text = re.sub(r"[\s_/.-]", "", cell.strip().casefold()) or cell.strip()
    if reading.cuts and (score := _score(cell, reading)) is not None and not np.isnan(score[1]):
        return score[1], score[1]
    for words, value in ((reading.present, 1.0), (reading.absent, 0.0)):
        if text in words:
            return value, value
    return None


def _allowed(reading: Reading) -> str:
    if reading.kind == "score":
        return f"a number from 0 to {reading.highest:g}, a bound (<1 %) or an interval (1-49 %)"
    return f"{', '.join(reading.present[:4])} or {', '.join(reading.absent[:4])}"


def _unread(column: str, cell: str, reading: Reading, where: str) -> Problem:
    return Problem(
        "molecular",
        f"'{cell}' is no {reading.name} and became null",
        "no value",
        item=column,
        where=where,
        allowed=_allowed(reading),
        todo="correct the cell",
    )
