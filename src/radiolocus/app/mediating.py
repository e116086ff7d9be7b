"""The command ``radiolocus mediation``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

SET_ASIDE = 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of mediation."""
    app.command(
        "mediation",
        short_help="How much of a variant's effect on an outcome goes through the image.",
        epilog="Example: radiolocus mediation cohort --variant rs429358 --pheno features.tsv --mediator MR:volume "
        "--outcomes memory.tsv --outcome score --covar covariates.tsv --out split",
    )(mediate)


def mediate(
    genotypes: Annotated[Path, typer.Argument(help=".bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix.")],
    variant: Annotated[list[str], typer.Option("--variant", help="Id of the exposure; may be repeated.")],
    pheno: Annotated[Path, typer.Option("--pheno", help="Table: IID (or FID IID), then one column a feature.")],
    outcome: Annotated[str, typer.Option("--outcome", help="Column: a number; 0 and 1 with --binary or --time.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")],
    mediator: Annotated[
        list[str] | None, typer.Option("--mediator", help="Column of --pheno; may be repeated. Default: all.")
    ] = None,
    outcomes: Annotated[Path | None, typer.Option("--outcomes", help="Table of the outcome, if not --pheno.")] = None,
    time: Annotated[str, typer.Option(help="Column of times: the outcome is 1 for an event, 0 for censoring.")] = "",
    binary: Annotated[bool, typer.Option("--binary", help="The outcome is 0 and 1: logistic regression.")] = False,
    covar: Annotated[Path | None, typer.Option("--covar", help="Table of covariates of both models.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option("--categorical", help="Covariate to dummy-code; may be repeated.")
    ] = None,
    control: Annotated[float, typer.Option(help="Copies that are compared with --treated.")] = 0.0,
    treated: Annotated[float, typer.Option(help="Copies whose effect is told.")] = 1.0,
    interval: Annotated[str, typer.Option(help="Of the bootstrap: percentile or bca.")] = "percentile",
    draws: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 1,
    minus_nine: Annotated[str, typer.Option(help="What −9 is in a table: refuse, missing or number.")] = "refuse",
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
    fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Remove earlier results.")] = False,
) -> None:
    """Split the effect of variants on an outcome into what goes through imaging features and what does not."""
    with loading():
        from radiolocus.app.mediation import MediationOrder, write_mediations
        from radiolocus.associate.mediation import MediationOptions

    chosen: dict[str, Any] = {"sample_id": sample_id, "minus_nine": minus_nine}
    kind: Any = interval
    order = MediationOrder(
        genotypes=genotypes, pheno=pheno, variants=tuple(variant), mediators=tuple(mediator or ()), outcome=outcome,
        outcomes=outcomes, time=time, binary=binary, covar=covar, categorical=tuple(categorical or ()),
        options=MediationOptions(control, treated, kind, draws, seed), **chosen,
    )  # fmt: skip
    found = write_mediations(order, out, fresh=fresh, told=lambda text: typer.echo(f"         {text}", err=True))
    for row in found.effects.iter_rows(named=True):
        name, value = found.robustness.get((row["exposure"], row["mediator"]), ("", 0.0))
        robust = f"; explained away by {name} {value:.3g}" if name and row["effect"] == "mediated" else ""
        typer.echo(
            f"{row['exposure']} → {row['mediator']} → {row['outcome']}, {row['effect']}: {row['estimate']:.4g} "
            f"({row['lower']:.4g} to {row['upper']:.4g}), p = {row['p_value']:.3g}{robust}"
        )
    tests = found.effects.filter(effect="mediated").height
    typer.echo(f"{tests:,} mediated effects were tested; Bonferroni: {0.05 / max(tests, 1):.2g}")
    typer.echo(f"results: {out}")
    if (found.problems["severity"] == "set aside").any():
        typer.echo(f"something was set aside: see {out / 'problems.csv'}")
        raise typer.Exit(SET_ASIDE)
