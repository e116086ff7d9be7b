"""Lesions measured inside a run, from the masks of ``[imaging]``: one unit a scan, taken up where a run stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from radiolocus.errors import RadiolocusError, TableError
from radiolocus.model import Problem, named_visit
from radiolocus.pipeline.gather import as_problem
from radiolocus.pipeline.phenotypes import analysed_images
from radiolocus.pipeline.run import Run, run_all
from radiolocus.read.clinical import read_table as read_file
from radiolocus.read.discover import inside
from radiolocus.read.lesion_roles import read_roles, unused_roles
from radiolocus.read.lesions import read_lesions
from radiolocus.response.measured import Scan, day_of, gather_lesions, measure_scan, unmeasured
from radiolocus.response.scan_options import MaskOptions
from radiolocus.store import Stage, digest

__all__ = ["LESIONS", "measured_again", "scan_inputs", "scans_of", "with_lesions"]

LESIONS = "response/lesions"
"""Artefact of the lesions as measured."""

_NOTES = {"subject": pl.String, "note": pl.String}


def scans_of(run: Run, asked: MaskOptions) -> tuple[list[Scan], list[Problem]]:
    """Scans of the study: one image of one subject and visit, with the lesions that its mask is to give.

    Raises
    ------
    TableError, ConfigError
        The table of visits cannot be used.
    """
    imaging = run.sections.imaging
    again = list(imaging.retest.visits[1:]) if imaging and imaging.retest else []
    wanted = asked.images or tuple(analysed_images(run))
    days = _days(run, asked)
    scans: dict[tuple[str, str, str], Scan] = {}
    problems: list[Problem] = []
    for work in run.gathered.works:
        visit = work.unit.visit or "baseline"
        if work.derived is not None or work.image not in wanted or work.unit.visit in again:
            continue
        key = (work.image, work.subject, visit)
        day = days.get((work.subject, visit), asked.days.get(visit))
        if day is None:
            if key not in scans:
                problems.append(_undated(work.subject, work.image, visit))
            continue
        roi = work.unit.roi
        lesion = ((roi, {"lesion": f"L{roi}" if roi.isdigit() else roi}),) if roi is not None else ()
        known = scans.get(key)
        scans[key] = (
            replace(known, lesions=(*known.lesions, *lesion))
            if known is not None
            else Scan(
                work.subject,
                visit,
                day,
                work.unit.image,
                work.unit.mask,
                work.modality,
                work.intensity_unit,
                f"image '{work.image}'",
                lesion,
                reading=work.reading,
            )
        )
    return list(scans.values()), list(dict.fromkeys(problems))


def _undated(subject: str, image: str, visit: str) -> Problem:
    return Problem(
        "response",
        f"visit '{visit}' has no day: its lesions were not measured",
        "no value",
        subject,
        image,
        where="response.masks",
        allowed="a day for every visit, in days or in the table visits",
        todo=f'state it, e.g. days = {{ baseline = 0, "{visit}" = 42 }}',
    )


def _days(run: Run, asked: MaskOptions) -> dict[tuple[str, str], float]:
    """Day of the visits of single subjects."""
    if not asked.visits:
        return {}
    path = inside(run.study.root, asked.visits, "response.masks.visits")
    table = read_file(path, id_column="subject", text=("subject", "visit", "day"))
    if missing := [c for c in ("subject", "visit", "day") if c not in table.frame.columns]:
        raise TableError(f"no column '{missing[0]}'", where=path.name, allowed="subject, visit, day")
    normal = run.gathered.cohort.ids.normalise
    rows = table.frame.select("subject", "visit", "day").drop_nulls()
    days = {(normal(s), v): day_of(d, f"{path.name}: {s}, {v}") for s, v, d in rows.iter_rows()}
    first: dict[str, float] = {}
    for (subject, _), day in days.items():
        first[subject] = min(day, first.get(subject, day))
    # Dates became numbers of days since the year 1.
    return {(s, v): day - (first[s] if first[s] > 100_000 else 0.0) for (s, v), day in days.items()}


def scan_inputs(run: Run, scans: Sequence[Scan], asked: MaskOptions) -> dict[str, str]:
    """Fingerprint of every scan, and of the tables beside them, by name."""
    found = {
        f"scan {scan.where}/{scan.subject}/{scan.visit}": digest(
            run.prints.of(scan.image), run.prints.of(scan.mask), scan.day, scan.modality, scan.unit, scan.lesions,
            scan.reading, asked.tbr_threshold,
        )
        for scan in scans
    }  # fmt: skip
    paths = {name: _path(run, getattr(asked, name), name) for name in ("roles", "visits") if getattr(asked, name)}
    run.prints.save()
    return found | {name: run.prints.of(path) for name, path in paths.items() if path.exists()}


def _path(run: Run, name: str, option: str) -> Path:
    return inside(run.study.root, name, f"response.masks.{option}")


def with_lesions(
    run: Run, stage: Stage, scans: Sequence[Scan], inputs: Mapping[str, str], asked: MaskOptions
) -> tuple[list[Problem], tuple[str, ...]]:
    """Measure the scans and give the run its lesions; a scan that fails is told, and the others go on.

    Returns
    -------
    problems : list of Problem
    keys : tuple of str
        Units that a later run may take up.

    Raises
    ------
    TableError
        Nothing could be measured.
    """
    names = [f"scan {scan.where}/{scan.subject}/{scan.visit}" for scan in scans]
    keys = [digest(name, inputs[name]) for name in names]
    results = run_all(run, stage, "response", _measured, scans, keys)
    done = [k for k, result in enumerate(results) if not isinstance(result, Exception)]
    problems = [_failed(scans[k], result) for k, result in enumerate(results) if isinstance(result, Exception)]
    roles = read_roles(_path(run, asked.roles, "roles")) if asked.roles else None
    if roles is not None:
        normal = pl.col("subject").map_elements(run.gathered.cohort.ids.normalise, pl.String)
        roles = roles.with_columns(normal)
    parts = [result for result in results if not isinstance(result, Exception)]
    found = gather_lesions([scans[k] for k in done], [_rows(part) for part in parts], roles, asked)
    if found.frame.is_empty():
        first = "".join(f"; {p.subject}, {p.item}: {p.got}" for p in problems[:3])
        raise TableError(f"no lesion could be measured{first}", where="response.masks", todo="look at the masks")
    stage.write(LESIONS, found.frame)
    problems += [*found.problems, *(unused_roles(roles, found.frame, asked.roles) if roles is not None else ())]
    return [*problems, *measured_again(run)], tuple(keys[k] for k in done)


def measured_again(run: Run) -> tuple[Problem, ...]:
    """Give the run the lesions that were measured; subjects that cannot be followed are told."""
    read = read_lesions(run.root / f"{LESIONS}.parquet")
    run.gathered = replace(run.gathered, lesions=read.frame)
    return read.problems


def _measured(scan: Scan) -> dict[str, pl.DataFrame]:
    rows = measure_scan(scan)
    notes = [(row["subject"], note) for row in rows for note in row.pop("notes", ())]
    told = pl.DataFrame(notes, schema=_NOTES, orient="row")
    if not rows:
        return {"notes": told}
    return {"rows": pl.DataFrame(rows, infer_schema_length=None), "notes": told}


def _rows(part: Mapping[str, pl.DataFrame]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = part["rows"].to_dicts() if "rows" in part else []
    if rows:
        rows[0]["notes"] = part["notes"]["note"].to_list()
    return rows


def _failed(scan: Scan, error: Exception) -> Problem:
    if isinstance(error, RadiolocusError):
        return unmeasured(scan, error)
    return as_problem("response", error, subject=scan.subject, item=named_visit(scan.visit))
