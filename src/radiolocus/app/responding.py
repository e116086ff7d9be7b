"""The command ``radiolocus response``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

REFUSED, SET_ASIDE = 2, 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of treatment response."""
    app.command(
        short_help="Analyse treatment response: calls, end points, kinetics, change, courses; tables and a report.",
        epilog="Examples: radiolocus response study.toml --out responses | "
        "radiolocus response lesions.csv --treatments lines.csv --out responses | "
        "radiolocus response --ctdna ctdna.csv --treatments lines.csv --out responses",
    )(response)
    app.command(
        "demo-response",
        short_help="Simulate a study of treatment response, run it, judge it.",
        epilog="Example: radiolocus demo-response --out response-demo",
    )(demo_response)


def response(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Study file with [response]; or a lesion table, SDTM domains or DICOM SR.", metavar="SOURCE"
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("responses"),
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", help="TOML file with the keys of [response], for a table.")
    ] = None,
    criterion: Annotated[
        list[str] | None, typer.Option("--criterion", "-c", help="For a table: recist11 (default), irecist, ...")
    ] = None,
    treatments: Annotated[
        Path | None, typer.Option("--treatments", help="For a table: subject, treatment, start, end and line.")
    ] = None,
    repeatability: Annotated[
        Path | None, typer.Option("--repeatability", help="For a table: measure, repeatability_coefficient and scale.")
    ] = None,
    ctdna: Annotated[
        Path | None, typer.Option("--ctdna", help="Circulating tumour DNA, beside a table or alone.")
    ] = None,
    ctdna_absent: Annotated[
        Literal["missing", "zero"] | None,
        typer.Option(
            "--ctdna-absent", help="A variant without a row was not looked for (missing) or not found (zero)."
        ),
    ] = None,
    reader: Annotated[
        list[str] | None,
        typer.Option("--reader", help="For a table: the reader that counts; give it again to compare two."),
    ] = None,
    error_mm: Annotated[
        float, typer.Option("--error-mm", min=0.0, help="For a table: try measurement errors of this SD.")
    ] = 0.0,
    timelines: Annotated[
        bool, typer.Option("--timelines/--no-timelines", help="Also the course of every patient as a figure.")
    ] = False,
    root: Annotated[Path | None, typer.Option("--root", help="Folder of the data, instead of [cohort] root.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")] = 0,
) -> None:
    """Call responses, end points, kinetics and change between visits, and write tables and a report."""
    with loading():
        from radiolocus.app.response_analysis import TableOrder, analyse_study, analyse_table, draw_timelines
        from radiolocus.errors import ConfigError

    try:
        if source is not None and source.suffix.lower() == ".toml":
            given: dict[str, object] = {"--settings": settings, "--criterion": criterion, "--treatments": treatments}
            given |= {"--repeatability": repeatability, "--ctdna": ctdna, "--reader": reader, "--error-mm": error_mm}
            given |= {"--ctdna-absent": ctdna_absent}
            if wrong := [name for name, value in given.items() if value]:
                raise ConfigError(f"{', '.join(wrong)} beside a study file", allowed="these keys in its [response]")
            found = analyse_study(source, out, root=root, jobs=jobs or os.cpu_count() or 1)
        else:
            order = TableOrder(
                source if source is None or source.name else source.absolute(),
                settings,
                tuple(criterion or ()),
                treatments,
                repeatability,
                ctdna,
                ctdna_absent,
                tuple(reader or ()),
                error_mm,
            )
            found = analyse_table(order, out)
    except ConfigError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(REFUSED) from None
    for line in found.lines:
        typer.echo(line)
    if timelines:
        typer.echo(f"{draw_timelines(out)} courses: {out / 'timelines'}")
    typer.echo(f"report: {out / 'report.html'}")
    if found.set_aside:
        typer.echo(f"{found.set_aside} problems set something aside: see {out / 'problems.csv'} and the report")
        raise typer.Exit(SET_ASIDE)


def demo_response(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the data and the results.")] = Path(
        "response-demo"
    ),
    subjects: Annotated[int, typer.Option("--subjects", min=10, help="Subjects to simulate.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same study.")] = 10,
) -> None:
    """Simulate lesions, uptake and circulating tumour DNA with known truth, analyse them, and compare."""
    with loading():
        from radiolocus.app.response_analysis import analyse_study, judged
        from radiolocus.simulate.follow_up import ResponseSimulation, simulate_response_study

    truth = simulate_response_study(out / "data", ResponseSimulation(subjects, seed))
    found = analyse_study(out / "data" / "study.toml", out / "results")
    for line in (*found.lines, *judged(out / "results", truth)):
        typer.echo(line)
    typer.echo(f"report: {out / 'results' / 'report.html'}")
