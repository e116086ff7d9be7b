"""The command ``sample-size``: how many patients a prediction model needs, before they are collected."""

from __future__ import annotations

from typing import Annotated

import typer

from radiolocus.app.loading import loading
from radiolocus.errors import ConfigError

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` the sample size of prediction models."""
    app.command(
        "sample-size",
        short_help="Say how many patients a prediction model needs.",
        epilog="Examples: radiolocus sample-size --parameters 24 --prevalence 0.174 --r2 0.288 | "
        "radiolocus sample-size --parameters 30 --rate 0.065 --follow-up 2.07 --horizon 2",
    )(sample_size)


def sample_size(
    parameters: Annotated[int, typer.Option(min=1, help="Columns that may enter the model, chosen or not.")],
    prevalence: Annotated[float | None, typer.Option(help="Proportion with a binary outcome.")] = None,
    rate: Annotated[float | None, typer.Option(help="Events for each unit of time, of a time to event.")] = None,
    follow_up: Annotated[float | None, typer.Option("--follow-up", help="Mean follow-up, in that unit.")] = None,
    horizon: Annotated[float | None, typer.Option(help="Time by which risk is predicted, in that unit.")] = None,
    r2: Annotated[
        float | None, typer.Option(help="Expected Cox–Snell R²; default 0.15 of the largest possible.")
    ] = None,
) -> None:
    """Say how many patients a prediction model needs by Riley's criteria (BMJ 2020;368:m441)."""
    with loading():
        from radiolocus.stats.sample_size import needed_binary, needed_survival

    timed = (rate, follow_up, horizon)
    if prevalence is not None and timed == (None, None, None):
        need = needed_binary(parameters, prevalence, r2)
    elif prevalence is None and rate is not None and follow_up is not None and horizon is not None:
        need = needed_survival(parameters, rate, follow_up, horizon, r2)
    else:
        raise ConfigError(
            "an outcome that is neither binary nor a time to event",
            where="sample-size",
            allowed="--prevalence; or --rate, --follow-up and --horizon",
        )
    typer.echo(
        f"{need.subjects:,} patients with {need.events:,.0f} events, {need.events_per_parameter:.1f} a parameter"
    )
    typer.echo(f"  {need.shrinkage:>9,}  expected shrinkage of at least 0.9")
    typer.echo(f"  {need.optimism:>9,}  Nagelkerke's R² at most 0.05 too high")
    typer.echo(f"  {need.risk:>9,}  risk of everybody known to ±0.05")
    assumed = " (0.15 of the largest, assumed)" if r2 is None else ""
    typer.echo(f"Cox–Snell R² {need.r2:.3g}{assumed}; largest {need.largest_r2:.3g}")
