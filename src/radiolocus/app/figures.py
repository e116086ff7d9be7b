"""The command ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its figures."""
    app.command(
        short_help="Draw a figure of the results of gwas.",
        epilog="Example: radiolocus plot gwas regional --phenotype PET:stat_mean --genotypes cohort --out locus.svg",
    )(plot)


def plot(
    folder: Annotated[Path, typer.Argument(help="Folder that gwas or a study wrote.", exists=True, file_okay=False)],
    kind: Annotated[str, typer.Argument(help="manhattan, qq, miami, regional, phewas or heatmap.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File ending in .svg, .pdf or .png.")],
    phenotype: Annotated[
        list[str] | None, typer.Option("--phenotype", help="May be repeated; Manhattan and QQ: all without.")
    ] = None,
    rsid: Annotated[str, typer.Option("--rsid", help="Variant of a PheWAS plot, or lead of a region.")] = "",
    region: Annotated[str, typer.Option("--region", help="Of a regional plot: 19:44.9e6-45.1e6.")] = "",
    window: Annotated[int, typer.Option(min=1, help="Base pairs to either side of the lead variant.")] = 500_000,
    genotypes: Annotated[
        Path | None, typer.Option("--genotypes", help="Genotypes of the scan: colours by r² to the lead variant.")
    ] = None,
    genes: Annotated[
        Path | None, typer.Option("--genes", help="Genes to draw below: BED, CSV or TSV on the same assembly.")
    ] = None,
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample of --genotypes.")] = "iid",
    binary: Annotated[bool, typer.Option("--binary", help="Of a study: its binary phenotypes.")] = False,
) -> None:
    """Draw Manhattan, QQ, Miami, regional and PheWAS plots and heat maps for a paper; prints the caption."""
    with loading():
        from radiolocus.app.plotting import plot as draw

    caption = draw(
        folder, kind, out, phenotype=phenotype or (), rsid=rsid, region=region, window=window, genotypes=genotypes,
        genes=genes, sample_id=sample_id, binary=binary,
    )  # fmt: skip
    typer.echo(caption)
    typer.echo(f"figure: {out}")
