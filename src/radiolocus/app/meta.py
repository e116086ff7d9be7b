"""Commands over summary statistics: ``meta`` and ``mr``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radiolocus.app.loading import loading
from radiolocus.errors import ConfigError

__all__ = ["add_summary_commands"]

SET_ASIDE = 3
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Of files of others, WHAT=NAME, e.g. effect_allele=A1; may be repeated."),
]
Palindromic = Annotated[str, typer.Option(help="A/T and C/G: frequency, set_aside or as_written.")]


def add_summary_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` what works on summary statistics."""
    app.command(
        short_help="Combine cohorts: meta-analysis of summary statistics.",
        epilog="Example: radiolocus meta ours=gwas 'theirs=siteB/{phenotype}.regenie.gz' siteC.tsv.gz --out meta",
    )(meta)
    app.command(
        short_help="Mendelian randomisation: from an imaging phenotype to a disease.",
        epilog="Example: radiolocus mr gwas stroke.tsv.gz --phenotype MR:volume --genotypes cohort --out mr",
    )(mr)


def column_map(columns: list[str] | None) -> dict[str, str]:
    """Read ``WHAT=NAME``."""
    pairs = [text.partition("=") for text in columns or ()]
    for what, equals, name in pairs:
        if not (what and equals and name):
            raise ConfigError(f"'{what}{equals}{name}'", where="--column", allowed="WHAT=NAME")
    return {what: name for what, _, name in pairs}


def meta(
    cohorts: Annotated[
        list[str],
        typer.Argument(help="Folder that gwas wrote, or file of summary statistics; NAME=PATH.", metavar="COHORT..."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")],
    model: Annotated[str, typer.Option(help="fixed, random, or sample_size (z weighted by √n).")] = "fixed",
    tau2: Annotated[str, typer.Option(help="Variance between cohorts: dl, pm or reml.")] = "dl",
    hartung_knapp: Annotated[bool, typer.Option("--hartung-knapp", help="Of random effects.")] = False,
    genomic_control: Annotated[
        bool, typer.Option("--genomic-control", help="Widen errors by the root of each cohort's inflation above 1.")
    ] = False,
    min_cohorts: Annotated[int, typer.Option(help="Variants in fewer are not tested.")] = 2,
    palindromic: Palindromic = "frequency",
    max_frequency_difference: Annotated[float, typer.Option(help="From the median of the cohorts.")] = 0.2,
    p_value: Annotated[float, typer.Option(help="Rows at most this large are kept; 1 keeps all.")] = 1.0,
    all_rows: Annotated[
        list[str] | None, typer.Option("--all-rows", help="Phenotype of which every row is kept; may be repeated.")
    ] = None,
    column: Columns = None,
    fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Remove earlier results.")] = False,
) -> None:
    """Combine cohorts by inverse variance, random effects or sample size; alleles, strands and frequencies aligned."""
    with loading():
        from radiolocus.associate.cohorts import parse_order
        from radiolocus.associate.meta import meta as combine
        from radiolocus.associate.meta_window import MetaOptions

    chosen: dict[str, Any] = {"model": model, "tau2": tau2, "palindromic": palindromic}
    options = MetaOptions(
        hartung_knapp=hartung_knapp, genomic_control=genomic_control, min_cohorts=min_cohorts,
        max_frequency_difference=max_frequency_difference, p_value=p_value, all_rows=tuple(all_rows or ()), **chosen,
    )  # fmt: skip
    done = combine(
        [parse_order(text) for text in cohorts], out, options=options, columns=column_map(column), fresh=fresh,
        step=lambda what: typer.echo(f"         {what}", err=True),
    )  # fmt: skip
    strong = f"{done.genome_wide:,} with p < 5e-8, " if done.genome_wide >= 0 else ""
    typer.echo(
        f"{done.tests:,} tests ({done.variants:,} variants × {done.phenotypes:,} phenotypes) in {len(cohorts)} "
        f"cohorts: {strong}{done.rows:,} rows kept"
    )
    typer.echo(f"threshold: {0.05 / max(done.tests, 1):.2g} (Bonferroni over all tests)")
    _end(done.problems, out)


def _end(problems: Any, out: Path) -> None:
    for row in problems.iter_rows(named=True):
        place = ", ".join(x for x in (row["where"], row["item"]) if x)
        many = f" ({row['count']:,})" if row["count"] > 1 else ""
        told = f"{place}: {row['got']}" if place else row["got"]
        typer.echo(f"{row['severity']:<9} {told}{many}", err=True)
    typer.echo(f"results: {out}")
    if (problems["severity"] == "set aside").any():
        raise typer.Exit(SET_ASIDE)


def mr(
    exposure: Annotated[Path, typer.Argument(help="Folder that gwas or meta wrote, or a file of summary statistics.")],
    outcome: Annotated[Path, typer.Argument(help="The same, of the disease.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the tables and the report.")],
    phenotype: Annotated[
        list[str] | None, typer.Option("--phenotype", help="Of the exposure's folder; may be repeated. Default: all.")
    ] = None,
    outcome_phenotype: Annotated[
        list[str] | None, typer.Option("--outcome-phenotype", help="Of the outcome's folder; may be repeated.")
    ] = None,
    genotypes: Annotated[
        Path | None, typer.Option("--genotypes", help="Where LD between candidates is taken from.")
    ] = None,
    instruments: Annotated[
        Path | None, typer.Option("--instruments", help="Ids of variants, one a line, instead of choosing them.")
    ] = None,
    p_value: Annotated[float, typer.Option(help="Largest p-value of an instrument.")] = 5e-8,
    clump_r2: Annotated[float, typer.Option(help="Instruments correlated beyond this are one.")] = 0.001,
    clump_kb: Annotated[float, typer.Option(help="Only variants nearer than this are compared.")] = 10_000.0,
    match: Annotated[str, typer.Option(help="Variants are one by position, or by variant_id.")] = "position",
    palindromic: Palindromic = "frequency",
    draws: Annotated[int, typer.Option(help="Of the bootstrap of median and mode.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same errors.")] = 1,
    column: Columns = None,
    fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Remove earlier results.")] = False,
) -> None:
    """Estimate the effect of a phenotype on an outcome by variants as instruments, with every check of them."""
    with loading():
        from radiolocus.app.rows import scientific_p
        from radiolocus.associate.genomewide import problem_rows
        from radiolocus.associate.instruments import open_traits
        from radiolocus.associate.mendelian import MendelianOptions, write_mendelian
        from radiolocus.read.genotype_files import open_genotypes
        from radiolocus.report.html import write as write_report

    chosen: dict[str, Any] = {"match": match, "palindromic": palindromic}
    options = MendelianOptions(
        p_value=p_value, clump_r2=clump_r2, clump_kilobases=clump_kb, draws=draws, seed=seed, **chosen
    )
    names = instruments.read_text(encoding="utf-8").split() if instruments is not None else []
    columns = column_map(column)
    found = write_mendelian(
        open_traits(exposure, phenotype or (), columns), open_traits(outcome, outcome_phenotype or (), columns), out,
        options=options, genotypes=None if genotypes is None else open_genotypes(genotypes), instruments=names,
        fresh=fresh,
    )  # fmt: skip
    for row in found.estimates.iter_rows(named=True):
        typer.echo(
            f"{row['exposure']} → {row['outcome']}, {row['method']}, {row['instruments']} instruments: "
            f"{row['estimate']:.4g} ({row['lower']:.4g} to {row['upper']:.4g}), "
            f"p = {scientific_p(row['neg_log_10_p_value'])}"
        )
    typer.echo(f"report: {write_report(out)}")
    _end(problem_rows(found.problems), out)
