"""The command ``radiolocus link``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

REFUSED, SET_ASIDE = 2, 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of links."""
    app.command(
        short_help="Link imaging features with molecular markers, from tables.",
        epilog="Example: radiolocus link features.csv markers.csv --covar clinical.csv --permutations 1000 --out links",
    )(link)


def link(
    features: Annotated[Path, typer.Argument(help="Table of features: an id, then numbers; one row a subject.")],
    markers: Annotated[Path | None, typer.Argument(help="Table of markers of the same form.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("links"),
    marker: Annotated[
        list[str] | None, typer.Option("--marker", help="Only this column of the markers; may be repeated.")
    ] = None,
    covar: Annotated[Path | None, typer.Option("--covar", help="Table of covariates of the same form.")] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option("--covariate", help="Only this column of --covar; may be repeated. Default: all."),
    ] = None,
    expression: Annotated[
        Path | None, typer.Option("--expression", help="Genes × samples (GCT, TSV, CSV): markers called expr:GENE.")
    ] = None,
    adjust: Annotated[
        list[str] | None, typer.Option("--adjust", help="Feature adjusted for as well, e.g. volume; may be repeated.")
    ] = None,
    ident: Annotated[str, typer.Option("--id", help="Column of ids; default: the first of each table.")] = "",
    features_id: Annotated[str, typer.Option("--features-id", help="Column of ids of the features.")] = "",
    extract: Annotated[
        str | None, typer.Option("--extract", help="Regular expression: its group becomes the id, in all tables.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", help="TOML file with the keys of [link]; options here win.")
    ] = None,
    permutations: Annotated[int | None, typer.Option(min=0, help="For step-down maxT and sets of genes.")] = None,
    scope: Annotated[str | None, typer.Option(help="marker, family or all: over what the error is held.")] = None,
    batch: Annotated[str | None, typer.Option(help="Column of --covar with sites or scanners: ComBat.")] = None,
    gene_sets: Annotated[Path | None, typer.Option("--gene-sets", help="GMT file.")] = None,
    canonical: Annotated[bool, typer.Option("--canonical", help="Sparse CCA and PLS of features with genes.")] = False,
    replication: Annotated[
        Path | None, typer.Option("--replication", help="Folder that link wrote for another cohort.")
    ] = None,
    keep_p: Annotated[float | None, typer.Option(help="Pairs with a larger p-value are counted, not kept.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is random.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Threads; 0 is one a core.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Remove earlier results of the folder first.")
    ] = False,
) -> None:
    """Test every feature against every marker, and write tables and a report."""
    with loading():
        from radiolocus.app.link import LinkOrder, link_options, write_links
        from radiolocus.cohort import IdRules

    chosen: dict[str, Any] = {
        "permutations": permutations, "scope": scope, "batch": batch, "keep_p": keep_p, "seed": seed,
        "adjust_features": tuple(adjust) if adjust else None, "canonical": canonical or None,
        "gene_sets": str(gene_sets) if gene_sets else None, "replication": str(replication) if replication else None,
    }  # fmt: skip
    options = link_options(settings, covar, covariate or (), ident, chosen)
    rules = IdRules(extract=extract)
    order = LinkOrder(features, markers, covar, expression, ident, options, features_id, rules, tuple(marker or ()))
    found = write_links(
        order, out, jobs=jobs or os.cpu_count() or 1, fresh=fresh, told=lambda text: typer.echo(text, err=True)
    )
    table = found.tables["link/link"]
    tests = int(found.tables["link/families"]["tests"].sum())
    typer.echo(f"{tests:,} links tested, {int((table['q_value'] < 0.05).sum()):,} with q < 0.05")
    if options.permutations:
        held = int((table["family_wise_p_value"] < 0.05).fill_null(value=False).sum())
        typer.echo(f"{held:,} with a family-wise p-value below 0.05 ({options.permutations} permutations)")
    typer.echo(f"report: {out / 'report.html'}")
    lost = [p for p in found.problems if p.severity == "no value"]
    if lost:
        place = f" ({lost[0].where})" if lost[0].where else ""
        typer.echo(f"{lost[0].got}{place}; {len(lost)} such in {out / 'problems.csv'}")
    if not tests:
        typer.echo("no pair of a feature and a marker could be tested: there is no result", err=True)
        raise typer.Exit(REFUSED)
    if any(p.severity == "set aside" for p in found.problems):
        typer.echo(f"some subjects were set aside: see {out / 'problems.csv'}")
        raise typer.Exit(SET_ASIDE)
