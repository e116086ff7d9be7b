"""The command ``checklist``: reporting checklists of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

REFUSED = 2


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command for checklists."""
    app.command(
        short_help="Fill in TRIPOD+AI, CLEAR, METRICS and RQS.",
        epilog="Examples: radiolocus checklist results | radiolocus checklist results --open --only METRICS",
    )(checklist)


def checklist(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.", exists=True, file_okay=False)],
    only: Annotated[str, typer.Option("--only", help="TRIPOD+AI, CLEAR, METRICS or RQS.")] = "",
    open_items: Annotated[bool, typer.Option("--open", help="Only what the authors must still answer.")] = False,
) -> None:
    """Fill in reporting checklists from what a run knows; the rest is listed as open."""
    with loading():
        from radiolocus.errors import ConfigError
        from radiolocus.registry import suggest
        from radiolocus.report.checklist import checklists, write_checklists

    names = [known.name for known in checklists()]
    if only and only.upper() not in names:
        error = ConfigError(f"--only {only}", allowed=", ".join(names), todo=suggest(only.upper(), names))
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(REFUSED)
    items, scores = write_checklists(folder)
    for score in scores.iter_rows(named=True):
        if only and score["checklist"] != only.upper():
            continue
        ranged = "" if score["most"] is None else f"; score {score['least']:.0f} to {score['most']:.0f} %"
        counts = ", ".join(f"{score[c]} {c.replace('_', ' ')}" for c in ("reported", "partly", "not_done", "open"))
        typer.echo(f"{score['checklist']}: {score['items']} items, {counts}{ranged}")
        for row in items.filter(checklist=score["checklist"]).iter_rows(named=True):
            if not open_items or row["status"] in ("open", "partly"):
                known = f" — {row['known']}" if row["known"] else ""
                typer.echo(f"  {row['item']:>3} {row['status']:<14} {row['asks']}{known}")
    typer.echo(f"table: {folder / 'reporting' / 'checklist.csv'}")
