"""The commands ``lock``, ``predict`` and ``validate``: a model in one file, and what it does in new patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

SET_ASIDE = 3
Model = Annotated[Path, typer.Argument(help="File that `radiolocus lock` wrote.", metavar="MODEL")]
Patients = Annotated[
    Path, typer.Argument(help="New patients: study file, folder of a finished run, or table (CSV, XLSX, ...).")
]
Results = Annotated[
    Path | None, typer.Option("--results", help="Where a study file is run; default: beside --out, named after it.")
]
Times = Annotated[
    list[float] | None, typer.Option("--time", help="Time of risk, in the unit of the endpoint; may be repeated.")
]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` locked models."""
    app.command(
        short_help="Write the model of a finished study into one file.",
        epilog="Example: radiolocus lock results --endpoint survival --predictors all --out model.json",
    )(lock)
    app.command(
        short_help="Apply a locked model to new patients.",
        epilog="Example: radiolocus predict model.json new.toml --time 24 --out risks.csv",
    )(predict)
    app.command(
        short_help="Judge a locked model in new patients.",
        epilog="Example: radiolocus validate model.json new.toml --time 24 --out validation.csv",
    )(validate)


def lock(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write (JSON).")],
    endpoint: Annotated[str | None, typer.Option(help="Endpoint; needed where the study has several.")] = None,
    predictors: Annotated[str, typer.Option(help="A block, a combination such as clinical+molecular, or all.")] = "all",
    model: Annotated[
        str, typer.Option(help="elastic_net, lasso, ridge, cox, fine_gray, ipf_lasso, stacked, ...")
    ] = "elastic_net",
) -> None:
    """Fit the model of a study to all its patients, and write it: plain numbers, safe to open from a stranger."""
    with loading():
        from radiolocus.pipeline.locking import lock_run
        from radiolocus.store import write_bytes

    locked = lock_run(folder, endpoint, predictors, model)
    write_bytes(out, locked.to_json())
    used = len(locked.needed)
    typer.echo(
        f"{locked.model} of {locked.endpoint} from {locked.predictors}: {used} predictors, {locked.patients} patients, "
        f"{locked.events} events"
    )
    for row in locked.performance:
        typer.echo(f"  out of fold: {row['metric']} {row['estimate']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})")
    if not used:
        typer.echo("no predictor was better than none: the model predicts everybody alike", err=True)
    typer.echo(f"model: {out}")


def predict(
    model: Model,
    patients: Patients,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write .csv, .tsv or .parquet.")],
    time: Times = None,
    results: Results = None,
) -> None:
    """Predict new patients, and warn where they lie outside what the model was trained on."""
    with loading():
        from radiolocus.app.rows import write_rows
        from radiolocus.outcome.lock import read_model
        from radiolocus.pipeline.locking import patients_of, predictions

    locked = read_model(model)
    frame, notes = patients_of(locked, _ran(patients, out, results))
    table, told = predictions(locked, frame, time or [])
    write_rows(table, out)
    for note in notes:
        typer.echo(note, err=True)
    for subject, predictor, what in told:
        typer.echo(f"{subject}: {predictor}: {what}", err=True)
    high = int((table["risk_group"] == "high").sum())
    typer.echo(f"{table.height} patients, {high} of high risk; {len(told) + len(notes)} warnings")
    typer.echo(f"results: {out}")
    if told or notes:
        raise typer.Exit(SET_ASIDE)


def validate(
    model: Model,
    patients: Annotated[Path, typer.Argument(help="Study file, or folder of a finished run, with the endpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Write .csv, .tsv or .parquet.")],
    endpoint: Annotated[str | None, typer.Option(help="Endpoint there; default: of the same name.")] = None,
    time: Times = None,
    results: Results = None,
    recalibrated: Annotated[
        Path | None,
        typer.Option("--recalibrated", help="Also write the model with slope and baseline of these patients (JSON)."),
    ] = None,
) -> None:
    """Judge a locked model in patients that it has never seen: discrimination, calibration, recalibration."""
    with loading():
        from radiolocus.app.rows import write_rows
        from radiolocus.outcome.lock import read_model
        from radiolocus.pipeline.locking import recalibrate_run, validate_run
        from radiolocus.store import write_bytes

    locked, folder = read_model(model), _ran(patients, out, results)
    table, told = validate_run(locked, folder, endpoint, time or [])
    write_rows(table, out)
    for line in told:
        typer.echo(line, err=True)
    for row in table.iter_rows(named=True):
        at = "" if row["time"] is None else f" at {row['time']:g}"
        interval = "" if row["lower"] is None else f" ({row['lower']:.3f} to {row['upper']:.3f})"
        value = row["note"] if row["estimate"] is None else f"{row['estimate']:.3f}{interval}"
        typer.echo(f"{row['metric']}{at}: {value}")
    typer.echo(f"results: {out}")
    if recalibrated is not None:
        mended = recalibrate_run(locked, folder, endpoint)
        write_bytes(recalibrated, mended.to_json())
        slope = mended.settings["recalibrated"]["slope"]
        typer.echo(f"recalibrated by a slope of {slope:.3f} and the baseline of these patients: {recalibrated}")
        typer.echo("judge it in other patients than these", err=True)


def _ran(patients: Path, out: Path, results: Path | None) -> Path:
    """Run a study file, or take up its run; whatever else is given is there already."""
    if patients.suffix != ".toml":
        return patients
    with loading():
        from radiolocus.config import load_study
        from radiolocus.pipeline import run_study

    folder = results or out.with_name(f"{patients.stem}_results")
    finished = run_study(load_study(patients), folder)
    if finished.set_aside:
        typer.echo(f"{finished.set_aside} problems set something aside: see {folder / 'problems.csv'}", err=True)
    return folder
