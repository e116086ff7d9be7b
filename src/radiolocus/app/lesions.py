"""The command ``radiolocus lesions``: a lesion table from masks or from DICOM structured reports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

SET_ASIDE = 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of lesions."""
    app.command(
        short_help="Make a lesion table from masks or DICOM structured reports.",
        epilog="Examples: radiolocus lesions scans.csv --out lesions.csv | "
        "radiolocus lesions reports/ --roles roles.csv --out lesions.csv",
    )(lesions)


def lesions(
    source: Annotated[
        Path,
        typer.Argument(help="Table of scans (subject, visit, day, image, mask), or file or folder of DICOM SR."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The lesion table, CSV.")] = Path("lesions.csv"),
    roles: Annotated[
        Path | None, typer.Option("--roles", help="Table subject, lesion, kind and, if known, organ and node.")
    ] = None,
    unsaid: Annotated[
        str,
        typer.Option("--unsaid-kind", help="'target': unsaid lesions of the first scan are targets, later ones new."),
    ] = "",
    gone: Annotated[str, typer.Option("--gone", help="A label that a later mask lacks: NE, or absent.")] = "NE",
    tbr: Annotated[
        float, typer.Option("--tbr", help="Ratio to the stated background from which a voxel is hypoxic.")
    ] = 1.4,
    reader: Annotated[str, typer.Option("--reader", help="The observer of the reports that counts.")] = "",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")] = 1,
) -> None:
    """Measure every lesion of every scan, or read the measurements of reports, as a table for recist and response."""
    with loading():
        from radiolocus.app.lesion_tables import lesions_of, write

    found = lesions_of(
        source, roles, unsaid=unsaid, gone=gone, tbr=tbr, reader=reader, jobs=jobs or os.cpu_count() or 1
    )
    for problem in found.problems:
        where = ", ".join(x for x in (problem.where, problem.subject, problem.item) if x)
        typer.echo(f"{problem.severity:<9} {where}: {problem.got}", err=True)
    for line in write(out, found):
        typer.echo(line)
    if any(p.severity != "note" for p in found.problems):
        raise typer.Exit(SET_ASIDE)
