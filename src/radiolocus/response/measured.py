"""Lesion tables from our own segmentations: every labelled lesion of every scan is measured.

Diameters are those of the slices (RECIST 1.1), the peak is that of the 1 cm³ sphere (PERCIST), the volume that of the
voxels. What an intensity measures is stated in the table of scans, or by the DICOM series; it is never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.compute import run_units
from radiolocus.errors import RadiolocusError, TableError
from radiolocus.feature.lesion import LesionMeasures, measure_lesion
from radiolocus.model import Problem, named_visit
from radiolocus.read.clinical import read_table
from radiolocus.read.imaging import read_regions
from radiolocus.read.lesion_roles import assign_roles
from radiolocus.read.options import ReadOptions
from radiolocus.read.regions import matching_regions, region_names
from radiolocus.registry import suggest
from radiolocus.response.scan_options import ScanOptions

__all__ = [
    "MeasuredLesions",
    "Scan",
    "ScanOptions",
    "day_of",
    "gather_lesions",
    "measure_scan",
    "measure_scans",
    "read_scans",
    "unmeasured",
]

_NEEDED = ("subject", "visit", "day", "image", "mask")
_KNOWN = ("lesion", "roi", "kind", "organ", "node", "modality", "unit", "reader", "background")
_DIFFUSION = {"um2/s": 1.0, "µm²/s": 1.0, "10-6.mm2/s": 1.0, "10⁻⁶ mm²/s": 1.0, "10-3.mm2/s": 1e3, "mm2/s": 1e6}
_UNITS = ("HU", "SUV...", "SUL...", *_DIFFUSION)
# Where a lesion is measured on several images, its size is that of the first of these.
_FIRST = ("CT", "MR", "", "PT")
_TABLE: dict[str, pl.DataType] = {
    **dict.fromkeys(("subject", "visit"), pl.String()),
    "day": pl.Float64(),
    **dict.fromkeys(("lesion", "kind", "organ", "node"), pl.String()),
    "diameter_mm": pl.Float64(),
    **dict.fromkeys(("axis", "status", "reader"), pl.String()),
    **dict.fromkeys(
        (
            *("perpendicular_mm", "longest_mm", "volume_ml", "density_hu", "adc"),
            *("uptake", "tlg", "mtv_ml", "hypoxic_fraction"),
        ),
        pl.Float64(),
    ),
    "slice": pl.Int64(),
    "file": pl.String(),
}


@dataclass(frozen=True)
class Scan:
    """One image with one mask: `lesions` are pairs of label in the mask (None: all of it) and what the table says.

    `hypoxic_from` is the intensity from which a voxel is hypoxic; as read, with a ratio of 1, the background itself.
    `reading` says how DICOM is read where its headers leave a choice.
    """

    subject: str
    visit: str
    day: float
    image: Path
    mask: Path
    modality: str
    unit: str
    where: str
    lesions: tuple[tuple[str | None, Mapping[str, str | None]], ...] = field(default=())
    hypoxic_from: float | None = None
    reading: ReadOptions | None = None


@dataclass(frozen=True, eq=False)
class MeasuredLesions:
    """Lesions as measured, a table that :func:`radiolocus.read.lesions.read_lesions` reads, and problems."""

    frame: pl.DataFrame
    problems: tuple[Problem, ...]


def read_scans(path: Path | str) -> tuple[tuple[Scan, ...], tuple[Problem, ...]]:
    """Read a table of scans.

    Parameters
    ----------
    path : Path or str
        Columns subject, visit, day (a number or a date), image and mask (paths relative to the table); and, where they
        are known, lesion, roi (label, name or number in the mask), kind, organ, node, modality, unit, reader and, of
        hypoxia PET, background.
        Without lesion and roi every label of a mask is a lesion.

    Raises
    ------
    TableError
        No such file or column, or days that are neither numbers nor dates.
    """
    path = Path(path)
    table = read_table(path, id_column="subject", text=(*_NEEDED, *_KNOWN))
    if missing := [c for c in _NEEDED if c not in table.frame.columns]:
        raise TableError(
            f"no column '{missing[0]}'",
            where=path.name,
            allowed=", ".join((*_NEEDED, *_KNOWN)),
            todo=suggest(missing[0], table.frame.columns),
        )
    scans: dict[tuple[Any, ...], Scan] = {}
    problems = [replace(p, stage="response") for p in table.problems]
    for number, row in zip(table.row_number, table.frame.iter_rows(named=True), strict=True):
        where = f"{path.name}, row {number}"
        if empty := [c for c in _NEEDED if row[c] is None]:
            told = f"no value for {', '.join(empty)}"
            problems.append(Problem("response", told, subject=row["subject"], where=where, todo="fill in the row"))
            continue
        scan = _scan(row, path.parent, where)
        if gone := [p.name for p in (scan.image, scan.mask) if not p.exists()]:
            told = f"{' and '.join(gone)} not there"
            problems.append(Problem("response", told, subject=scan.subject, where=where, todo="mend the path"))
            continue
        key = (scan.subject, scan.visit, scan.day, scan.image, scan.mask, scan.modality, scan.unit)
        known = scans.get(key)
        scans[key] = scan if known is None else replace(known, lesions=(*known.lesions, *scan.lesions))
    return tuple(scans.values()), tuple(problems)


def _scan(row: Mapping[str, Any], folder: Path, where: str) -> Scan:
    said = {c: row.get(c) for c in ("lesion", "kind", "organ", "node", "reader")}
    roi = row.get("roi")
    lesions: tuple[tuple[str | None, Mapping[str, str | None]], ...] = ()
    if roi or said["lesion"]:
        lesions = ((roi, said | {"lesion": said["lesion"] or roi}),)
    return Scan(
        row["subject"],
        row["visit"],
        day_of(row["day"], where),
        folder / row["image"],
        folder / row["mask"],
        row.get("modality") or "",
        row.get("unit") or "",
        where,
        lesions,
        _background(row.get("background"), where),
    )


def _background(text: str | None, where: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise TableError(f"background '{text}'", where=where, allowed="a mean intensity above 0")
    return value


def day_of(text: str, where: str) -> float:
    """Day as a number: of a date the days since the year 1.

    Raises
    ------
    TableError
        Neither a number nor a date.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(date.fromisoformat(text[:10]).toordinal())
    except ValueError:
        raise TableError(f"day '{text}'", where=where, allowed="a number of days or a date YYYY-MM-DD") from None


def measure_scan(scan: Scan) -> list[dict[str, Any]]:
    """Measure the lesions of one scan.

    Returns
    -------
    list of dict
        One row a lesion. A lesion whose label the mask does not have has no size.

    Raises
    ------
    InputError
        Image or mask cannot be read or do not belong together, or an intensity is not finite.
    TableError
        A unit that is not known.
    """
    names = region_names(scan.mask)
    asked = scan.lesions or tuple((n, {"lesion": f"L{n}" if n.isdigit() else n}) for n in names)
    found = [(roi, said) for roi, said in asked if roi is None or matching_regions(names, [roi])[0]]
    rows = [_row(scan, said) for roi, said in asked if (roi, said) not in found]
    if not names:
        return rows
    volume, masks = read_regions(
        scan.image, scan.mask, rois=[roi for roi, _ in found], modality=scan.modality, options=scan.reading
    )
    unit = scan.unit or volume.unit
    for (_, said), mask in zip(found, masks, strict=True):
        measures = measure_lesion(volume, mask, above=scan.hypoxic_from)
        rows.append(_row(scan, said) | _sizes(measures, unit, scan.where) | {"modality": volume.modality})
    return rows


def _row(scan: Scan, said: Mapping[str, str | None]) -> dict[str, Any]:
    place = {"subject": scan.subject, "visit": scan.visit, "day": scan.day, "modality": scan.modality}
    return place | {"file": f"{scan.where}: {scan.mask.name}"} | dict(said)


def _sizes(found: LesionMeasures, unit: str, where: str) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "longest_mm": found.diameters.longest_mm,
        "perpendicular_mm": found.diameters.perpendicular_mm,
        "volume_ml": found.volume_ml,
        "slice": found.diameters.slice_index,
        "status": "present",
        "notes": found.notes,
    }
    if found.share_above is not None:
        return sizes | {"hypoxic_fraction": found.share_above}
    if unit == "HU":
        return sizes | {"density_hu": found.mean}
    if unit.upper().startswith(("SUV", "SUL")):
        return sizes | {"uptake": found.peak, "tlg": found.mean * found.volume_ml, "mtv_ml": found.volume_ml}
    if unit in _DIFFUSION:
        return sizes | {"adc": found.mean * _DIFFUSION[unit]}
    if unit:
        raise TableError(f"unit '{unit}'", where=where, allowed=", ".join(_UNITS), todo="leave it out, or correct it")
    return sizes


def measure_scans(
    scans: Sequence[Scan], roles: pl.DataFrame | None = None, options: ScanOptions | None = None, *, jobs: int = 1
) -> MeasuredLesions:
    """Measure the lesions of all scans.

    Parameters
    ----------
    scans : sequence of Scan
    roles : polars.DataFrame, optional
        As :func:`radiolocus.read.lesion_roles.read_roles` returns it.
    options : ScanOptions, optional
    jobs : int
        Worker processes.

    Returns
    -------
    MeasuredLesions
        One row a lesion and visit, measurements of several images of a visit side by side. A scan that cannot be used
        is named in the problems; its lesions are not evaluated at that visit.
    """
    chosen = options or ScanOptions()
    rows: dict[int, list[dict[str, Any]]] = {}
    problems: dict[int, Problem] = {}
    asked = [
        s if s.hypoxic_from is None else replace(s, hypoxic_from=chosen.tbr_threshold * s.hypoxic_from) for s in scans
    ]
    for k, found in run_units(measure_scan, asked, jobs=jobs):
        if isinstance(found, RadiolocusError):
            problems[k] = unmeasured(scans[k], found)
        elif isinstance(found, Exception):
            raise found
        else:
            rows[k] = found
    done = sorted(rows)
    gathered = gather_lesions([scans[k] for k in done], [rows[k] for k in done], roles, chosen)
    return MeasuredLesions(gathered.frame, (*(problems[k] for k in sorted(problems)), *gathered.problems))


def gather_lesions(
    scans: Sequence[Scan],
    measured: Sequence[Sequence[Mapping[str, Any]]],
    roles: pl.DataFrame | None,
    options: ScanOptions,
) -> MeasuredLesions:
    """Put the lesions of scans together, with those that a later mask lacks.

    Parameters
    ----------
    scans : sequence of Scan
    measured : sequence of sequence of dict
        What :func:`measure_scan` says of each of them.
    roles : polars.DataFrame or None
    options : ScanOptions
    """
    rows = [row for each in measured for row in each]
    days = {(s.subject, s.visit): s.day for s in scans}
    frame = _roles(_completed(_merged(rows), days, options.gone), roles, options)
    first = pl.col("day").min().over("subject")
    # Dates became numbers of days since the year 1.
    frame = frame.with_columns(pl.when(first > 100_000).then(pl.col("day") - first).otherwise("day").alias("day"))
    return MeasuredLesions(frame.sort("subject", "day", "lesion"), tuple(_notes(rows)))


def unmeasured(scan: Scan, error: RadiolocusError) -> Problem:
    """Say that the lesions of a scan could not be measured at its visit."""
    item, where = named_visit(scan.visit), f"{scan.where}: {error.where or scan.mask.name}"
    return Problem("response", error.got, "no value", scan.subject, item, where, error.allowed, error.todo)


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        for note in row.get("notes", ()):
            counts[row["subject"], note] += 1
    return [Problem("response", note, "note", subject, count=n) for (subject, note), n in counts.items()]


def _merged(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """One row a lesion and visit: the first image of the order of modalities that has a value gives it."""
    schema = _TABLE | {"modality": pl.String()}
    frame = pl.DataFrame([{c: row.get(c) for c in schema} for row in rows], schema=schema)
    order = pl.col("modality").replace_strict({m: i for i, m in enumerate(_FIRST)}, default=2, return_dtype=pl.Int64)
    key = ["subject", "visit", "lesion"]
    values = [pl.col(c).drop_nulls().first() for c in _TABLE if c not in key]
    return frame.sort(order, maintain_order=True).group_by(key, maintain_order=True).agg(values).select(*_TABLE)


def _completed(frame: pl.DataFrame, days: Mapping[tuple[str, str], float], gone: str) -> pl.DataFrame:
    """Add what is said of lesions seen before at visits whose masks do not have them."""
    schema = {"subject": pl.String, "visit": pl.String, "_day": pl.Float64}
    visits = pl.DataFrame([(*k, float(d)) for k, d in days.items()], schema=schema, orient="row")
    seen = frame.filter(pl.col("status") == "present")
    first = seen.group_by("subject", "lesion", maintain_order=True).agg(pl.col("day").min().alias("_first"))
    lacking = (
        first.join(visits, on="subject", maintain_order="left")
        .filter(pl.col("_day") > pl.col("_first"))
        .join(seen, on=["subject", "visit", "lesion"], how="anti", maintain_order="left")
    )
    absent = gone == "absent"
    added = lacking.select(
        "subject",
        "visit",
        pl.col("_day").alias("day"),
        "lesion",
        pl.lit(gone).alias("status"),
        pl.lit(0.0 if absent else None, pl.Float64).alias("diameter_mm"),
        pl.lit("mask without the label").alias("file"),
    )
    return pl.concat([seen, added], how="diagonal").select(*_TABLE)


def _roles(frame: pl.DataFrame, roles: pl.DataFrame | None, options: ScanOptions) -> pl.DataFrame:
    """Kinds, and the diameter that counts: the short axis of nodes, the longest of others."""
    known = [pl.col(c).drop_nulls().first().over("subject", "lesion") for c in ("kind", "organ", "node")]
    frame = assign_roles(frame.with_columns(known), roles, options.unsaid_kind)
    said = pl.col("node").str.to_lowercase().is_in(["yes", "true", "1", "y"])
    node = said.fill_null(pl.col("organ").str.contains(r"(?i)\blymph|\bnodes?\b|\bnodal\b")).fill_null(False)
    counted = pl.when(node).then("perpendicular_mm").otherwise("longest_mm")
    return frame.with_columns(
        pl.coalesce(counted, "diameter_mm").alias("diameter_mm"),
        pl.when(pl.col("longest_mm").is_not_null())
        .then(pl.when(node).then(pl.lit("short")).otherwise(pl.lit("long")))
        .alias("axis"),
    )
