"""The command ``radiolocus outcome``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.compiling import compile_for
from radiolocus.app.loading import loading

__all__ = ["add_commands"]

FAULT, REFUSED, SET_ASIDE = 1, 2, 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of outcome models."""
    app.command(
        short_help="Predict endpoints from image, genome and clinic, out of fold; tables and a report.",
        epilog="Examples: radiolocus outcome study.toml --out outcome | "
        "radiolocus outcome clinical.csv --time months --event status --event-value dead --clinical age "
        "--features ct.csv --markers genes.csv --out outcome",
    )(outcome)


def outcome(
    source: Annotated[
        Path,
        typer.Argument(help="Study file with [outcome]; or a table of patients with the endpoint.", metavar="SOURCE"),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("outcome"),
    event: Annotated[str | None, typer.Option("--event", help="For a table: column that tells what happened.")] = None,
    event_value: Annotated[
        list[str] | None,
        typer.Option("--event-value", help="For a table: cell that means the event (1); may be repeated."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="For a table: column of times; without it yes or no.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="For a table: unit of the times.")] = "",
    clinical: Annotated[
        list[str] | None, typer.Option("--clinical", help="For a table: clinical predictor; may be repeated.")
    ] = None,
    features: Annotated[
        list[Path] | None, typer.Option("--features", help="For a table: imaging features; may be repeated.")
    ] = None,
    markers: Annotated[
        list[Path] | None, typer.Option("--markers", help="For a table: molecular markers; may be repeated.")
    ] = None,
    ident: Annotated[str | None, typer.Option("--id", help="For a table: column of ids; default: found.")] = None,
    extract: Annotated[
        str | None, typer.Option("--extract", help="For a table: regular expression whose group becomes the id.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", help="For a table: TOML file with the keys of [outcome].")
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="Of a study file: folder of the data, instead of [cohort] root.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")] = 0,
) -> None:
    """Fit and judge models of the endpoints with everything learned inside the folds, and write tables and a report."""
    with loading():
        from rich.console import Console

        from radiolocus.app.outcome_analysis import TableOrder, performance_lines, run_of_file, run_of_table
        from radiolocus.app.progress import Bars
        from radiolocus.errors import ConfigError

    order = TableOrder(
        source,
        event or "",
        tuple(event_value or ()),
        time,
        unit,
        tuple(clinical or ()),
        tuple(features or ()),
        tuple(markers or ()),
        ident,
        extract,
        settings,
    )
    compile_for("outcome")
    workers = jobs or os.cpu_count() or 1
    try:
        with Bars(Console(stderr=True)) as bars:
            if source.suffix.lower() == ".toml":
                done = run_of_file(order, out, root=root, jobs=workers, progress=bars)
            else:
                done = run_of_table(order, out, jobs=workers, progress=bars)
    except ConfigError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(REFUSED) from None
    found = performance_lines(done.root)
    for line in (*done.lines, *found):
        typer.echo(line)
    typer.echo(f"report: {done.root / 'report.html'}")
    if done.set_aside:
        typer.echo(f"{done.set_aside} problems set something aside: see {done.root / 'problems.csv'} and the report")
    if done.set_aside or not found:
        raise typer.Exit(SET_ASIDE if found else FAULT)
