"""Lesion tables made from masks and from structured reports, and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.read.lesion_roles import read_roles, unused_roles
from radiolocus.read.lesions import LesionColumns, read_lesions
from radiolocus.read.sr import has_reports
from radiolocus.read.sr_lesions import read_sr_lesions
from radiolocus.response.measured import ScanOptions, measure_scans, read_scans
from radiolocus.store import write_bytes

__all__ = ["LesionSource", "lesions_of", "write"]

_SR_COLUMNS = (
    *("subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "axis", "status", "reader"),
    *("perpendicular_mm", "volume_ml", "density_hu", "adc", "uptake", "tlg", "file"),
)


@dataclass(frozen=True, eq=False)
class LesionSource:
    """A lesion table, further tables by the ending of their file, and problems."""

    frame: pl.DataFrame
    problems: tuple[Problem, ...]
    further: dict[str, pl.DataFrame] = field(default_factory=dict)


def lesions_of(
    source: Path,
    roles: Path | None,
    *,
    unsaid: str = "",
    gone: str = "NE",
    tbr: float = 1.4,
    reader: str = "",
    jobs: int = 1,
) -> LesionSource:
    """Make a lesion table from a table of scans, or from structured reports.

    Raises
    ------
    ConfigError
        An option that cannot be followed.
    RadiolocusError
        The source or the roles cannot be used.
    """
    options = ScanOptions(cast("Literal['NE', 'absent']", gone), cast("Literal['', 'target']", unsaid), tbr)
    if not source.exists():
        raise TableError(f"no such file or folder '{source.name}'", where=source.parent.name, todo="correct the path")
    told = read_roles(roles) if roles else None
    if source.is_dir() or has_reports(source):
        columns = LesionColumns(keep_reader=reader, unsaid_kind=options.unsaid_kind)
        found = read_sr_lesions(source, columns, told)
        rows = found.rows if not reader else found.rows.filter(pl.col("reader") == reader)
        unused = unused_roles(told, found.rows, roles.name) if told is not None and roles else ()
        problems = (*found.table.problems, *unused)
        return LesionSource(rows.select(_SR_COLUMNS), problems, {"measurements": found.measurements})
    if reader:
        raise ConfigError(f"--reader {reader} for a table of scans", allowed="reports, which name their observer")
    scans, problems = read_scans(source)
    measured = measure_scans(scans, told, options, jobs=jobs)
    problems = (*problems, *measured.problems)
    problems += unused_roles(told, measured.frame, roles.name) if told is not None and roles else ()
    if measured.frame.is_empty():
        first = "".join(f"; {p.where}, {p.subject}: {p.got}" for p in problems[:3])
        raise TableError(
            f"no lesion could be measured{first}", where=source.name, todo="correct the table or the masks"
        )
    return LesionSource(measured.frame, problems)


def write(out: Path, found: LesionSource) -> list[str]:
    """Write the lesion table and what stands beside it, read the table again, and say what it holds."""
    if out.suffix.lower() != ".csv":
        raise ConfigError(f"--out {out.name}", allowed="a name that ends in .csv")
    write_bytes(out, found.frame.write_csv().encode())
    lines = []
    for name, table in found.further.items():
        file = out.with_name(f"{out.stem}_{name}.csv")
        write_bytes(file, table.write_csv().encode())
        lines.append(f"{table.height} {name}: {file}")
    read = read_lesions(out)
    lost = sorted({p.subject for p in read.problems if p.severity == "set aside" and p.subject})
    seen = read.frame["subject"].n_unique()
    lines.append(f"{found.frame.height} rows of {len(read.subjects)} subjects, {seen} of whom can be called: {out}")
    lines += [
        f"    {p.subject}, {p.item}: {p.got}; {p.todo}"
        for p in read.problems
        if p.severity == "set aside" and p.subject in lost
    ]
    return lines
