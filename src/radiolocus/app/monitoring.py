"""The commands ``monitor`` and ``demo-monitoring``: a subject's risk scan by scan, and a cohort of known truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

REFUSED, SET_ASIDE = 2, 3

Folder = Annotated[Path, typer.Argument(help="Folder that run wrote.", exists=True, file_okay=False, metavar="DIR")]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its monitoring of progression."""
    app.command(
        short_help="A subject's risk, re-estimated after each scan.",
        epilog="Examples: radiolocus monitor results SIM-001; radiolocus monitor results --patients new.csv",
    )(monitor)
    app.command(
        "demo-monitoring",
        short_help="Simulate a cohort followed by scans, monitor it, judge it.",
        epilog="Example: radiolocus demo-monitoring --out monitoring-demo",
    )(demo_monitoring)


def monitor(
    folder: Folder,
    subject: Annotated[str, typer.Argument(help="Id as in cohort/subjects.csv.", metavar="SUBJECT")] = "",
    patients: Annotated[
        Path | None,
        typer.Option("--patients", help="Table of scans of patients who are not of the study.", exists=True),
    ] = None,
    endpoint: Annotated[str, typer.Option("--endpoint", help="Endpoint; default: the first that was monitored.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Figure (.svg, .png, .pdf), default DIR/courses/SUBJECT.svg; of --patients a "
            "table (.csv, .tsv, .parquet).",
        ),
    ] = None,
) -> None:
    """Show the risk of a subject after each scan, by models that did not see the subject; or that of new patients.

    New patients are predicted by the model of all subjects. For research only: nothing of it may guide diagnosis or
    treatment.
    """
    if bool(subject) == (patients is not None):
        typer.echo("monitor: give a SUBJECT of the study, or --patients with a table of scans", err=True)
        raise typer.Exit(REFUSED)
    if patients is not None:
        _foresee(folder, patients, endpoint, out)
        return
    with loading():
        from radiolocus.report.monitored_subject import monitored_subject

    shown = monitored_subject(folder, subject, endpoint)
    for line in shown.lines:
        typer.echo(line)
    place = out or folder / "courses" / f"{shown.file_name}.svg"
    shown.figure.write(place)
    typer.echo(f"figure: {place}")


def _foresee(folder: Path, table: Path, endpoint: str, out: Path | None) -> None:
    with loading():
        from radiolocus.app.rows import write_rows
        from radiolocus.pipeline.monitoring_new import foresee

    found = foresee(folder, table, endpoint)
    window = f"{found.window:g} {found.unit}".strip()
    typer.echo(f"risk of {found.endpoint} within {window} of each visit, by the model of all subjects of the study")
    for row in found.risk.iter_rows(named=True):
        low, high = (f"{row[c]:.0%}" for c in ("lower", "upper"))
        typer.echo(f"  {row['subject']}  {row['time']:g}  visit {row['visits']}  {row['risk']:.0%} ({low} to {high})")
    for problem in found.problems:
        typer.echo(f"{problem.severity}: {': '.join(w for w in (problem.subject, problem.got) if w)}", err=True)
    typer.echo("for research only")
    if out is not None:
        write_rows(found.risk, out)
        typer.echo(f"table: {out}")
    if any(p.severity == "set aside" for p in found.problems):
        raise typer.Exit(SET_ASIDE)


def demo_monitoring(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the data and the results.")] = Path(
        "monitoring-demo"
    ),
    subjects: Annotated[int, typer.Option("--subjects", min=20, help="Subjects to simulate.")] = 240,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same study.")] = 6,
    null: Annotated[bool, typer.Option("--null", help="Neither volume nor grade has an effect.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")] = 0,
) -> None:
    """Simulate tumours whose true size drives progression, monitor them, and hold the risks against the true ones."""
    with loading():
        from radiolocus.config import load_study
        from radiolocus.pipeline import run_study
        from radiolocus.simulate.monitoring import FollowedSimulation, held_against_truth, simulate_monitoring_study
        from radiolocus.store import read_table

    effects = {"association": 0.0, "covariate": 0.0} if null else {}
    made = simulate_monitoring_study(out / "data", FollowedSimulation(subjects=subjects, seed=seed, **effects))
    done = run_study(load_study(out / "data" / "study.toml"), out / "results", jobs=jobs or os.cpu_count() or 1)
    for line in done.lines:
        if "did not run: no section" not in line:
            typer.echo(line)
    risk = read_table(out / "results", "monitoring/risk")
    if risk is not None and risk.height:
        for line in held_against_truth(made, risk):
            typer.echo(line)
    typer.echo(f"report: {out / 'results' / 'report.html'}")
