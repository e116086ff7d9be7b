"""The commands ``card`` and ``profile``: one page about a feature or gene, and one about a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

Folder = Annotated[Path, typer.Argument(help="Folder that run wrote.", exists=True, file_okay=False, metavar="DIR")]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its pages about one thing."""
    app.command(
        short_help="One page about an imaging feature or a gene of a study.",
        epilog="Examples: radiolocus card results CT:morph_volume; radiolocus card results EGFR --out egfr.html",
    )(card)
    app.command(
        short_help="One subject's imaging-genomic profile against the cohort.",
        epilog="Example: radiolocus profile results SIM-001 --treatments treatments.toml",
    )(profile)


def card(
    folder: Folder,
    name: Annotated[
        str, typer.Argument(help="Feature (CT:morph_volume), gene (EGFR) or marker (mut:EGFR).", metavar="NAME")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Page; default: DIR/cards/NAME.html.")] = None,
) -> None:
    """Say what a feature or gene is, what it goes with, how repeatable it is and what it predicts."""
    with loading():
        from radiolocus.report.card import write_card

    typer.echo(f"card: {write_card(folder, name, out)}")


def profile(
    folder: Folder,
    subject: Annotated[str, typer.Argument(help="Id as in cohort/subjects.csv.", metavar="SUBJECT")],
    treatments: Annotated[
        Path | None, typer.Option("--treatments", help="Table of treatments by marker: TOML or CSV, docs/profile.md.")
    ] = None,
    feature: Annotated[
        list[str] | None, typer.Option("--feature", help="Feature shown first; may be repeated. Default: by findings.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Page; its JSON stands beside. Default: DIR/profiles/SUBJECT.html."),
    ] = None,
) -> None:
    """Show where a subject stands among the others: features, predicted genotypes, markers, outcome, response.

    For research only: nothing on the page may guide diagnosis or treatment.
    """
    with loading():
        from radiolocus.read.treatments import read_treatments
        from radiolocus.report.profile import write_profile

    table = read_treatments(treatments) if treatments is not None else None
    page, told = write_profile(folder, subject, out, treatments=table, features=feature or ())
    typer.echo(f"profile: {page}")
    typer.echo(f"as JSON: {told}")
