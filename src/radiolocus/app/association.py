"""Commands of genome-wide association: ``gwas``, ``query`` and ``export``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radiolocus.app.compiling import compile_for
from radiolocus.app.loading import loading

if TYPE_CHECKING:
    import polars as pl

__all__ = ["add_commands"]

SET_ASIDE = 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its association commands."""
    app.command(
        short_help="Scan a genome for any number of phenotypes.",
        epilog="Example: radiolocus gwas cohort.bed --pheno features.tsv --covar covariates.tsv --out gwas",
    )(gwas)
    app.command(
        short_help="Ask the results of gwas for a region, a variant or a phenotype.",
        epilog="Example: radiolocus query gwas --region 19:44.9e6-45.1e6",
    )(query)
    app.command(
        short_help="Write one phenotype as GWAS-SSF, or as PLINK 2 or REGENIE do.",
        epilog="Example: radiolocus export gwas PET:stat_mean --assembly GRCh38 --out deposit/suv_mean",
    )(export)


def gwas(
    genotypes: Annotated[Path, typer.Argument(help=".bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix.")],
    pheno: Annotated[Path, typer.Option("--pheno", help="Table: IID (or FID IID), then one column a phenotype.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")],
    covar: Annotated[Path | None, typer.Option("--covar", help="Table of covariates, of the same form.")] = None,
    phenotype: Annotated[
        list[str] | None, typer.Option("--phenotype", help="Only this column; may be repeated. Default: all.")
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option("--covariate", help="Only this column; may be repeated. Default: all.")
    ] = None,
    categorical: Annotated[
        list[str] | None, typer.Option("--categorical", help="Covariate to dummy-code; may be repeated.")
    ] = None,
    components: Annotated[int, typer.Option(min=0, help="Genetic principal components among the covariates.")] = 0,
    min_maf: Annotated[float, typer.Option(help="Minor allele frequency.")] = 0.01,
    min_call_rate: Annotated[float, typer.Option(help="Of variants.")] = 0.95,
    missing: Annotated[str, typer.Option(help="Missing genotypes: mean, or drop the subject (exact).")] = "mean",
    precision: Annotated[str, typer.Option(help="float32 or float64, of the matrix product.")] = "float32",
    p_value: Annotated[float, typer.Option(help="Rows at most this large are kept; 1 keeps all.")] = 1e-5,
    all_rows: Annotated[
        list[str] | None, typer.Option("--all-rows", help="Phenotype of which every row is kept; may be repeated.")
    ] = None,
    effects: Annotated[bool, typer.Option("--effects", help="Also β and SE of every pair, as arrays.")] = False,
    multi_trait: Annotated[
        bool, typer.Option("--multi-trait", help="Also MOSTest and MinP, calibrated by a permutation; twice the work.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the permutation.")] = 1,
    binary: Annotated[bool, typer.Option("--binary", help="Phenotypes are 0 and 1: logistic regression.")] = False,
    test: Annotated[str, typer.Option(help="With --binary: spa, firth or wald.")] = "spa",
    cutoff: Annotated[float, typer.Option(help="With --binary: |z| of the score beyond which the test is used.")] = 2.0,
    coding: Annotated[str, typer.Option(help="With --binary: 0/1, or 1/2 with 0 missing.")] = "0/1",
    model: Annotated[
        str, typer.Option(help="linear; lmm or lmm-exact: mixed model; ridge: stacked ridge, for large cohorts.")
    ] = "linear",
    relationship: Annotated[str, typer.Option(help="With --model lmm: centred or standardised genotypes.")] = "centred",
    loco: Annotated[
        bool, typer.Option("--loco", help="With --model lmm: leave the variant's chromosome out of the relationship.")
    ] = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="List of samples that are analysed, one a line.")] = None,
    remove: Annotated[Path | None, typer.Option("--remove", help="List of samples that are left out.")] = None,
    extract: Annotated[
        Path | None, typer.Option("--extract", help="List of variants that are analysed, one id a line.")
    ] = None,
    exclude: Annotated[Path | None, typer.Option("--exclude", help="List of variants that are left out.")] = None,
    sex: Annotated[
        Path | None, typer.Option("--sex", help="Table: IID (or FID IID), SEX; rules over the genotype file (X, Y).")
    ] = None,
    minus_nine: Annotated[str, typer.Option(help="What −9 is in a table: refuse, missing or number.")] = "refuse",
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
    dosage: Annotated[str, typer.Option(help="auto, GT, DS or GP of a VCF.")] = "auto",
    block_size: Annotated[int, typer.Option(min=1, help="Variants computed and kept at a time.")] = 2048,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Threads; 0 is one a core.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Remove earlier results, or take them up.")] = False,
    page: Annotated[bool, typer.Option("--report", help="Also write report.html: tables and figures.")] = False,
) -> None:
    """Regress every phenotype on every variant; a run that was killed goes on where it stopped."""
    with loading():
        from rich.console import Console

        from radiolocus.app.gwas import Chosen, GwasOrder, binary_options, mixed_options, told, write_gwas
        from radiolocus.app.progress import Bars
        from radiolocus.associate.gwas import GwasOptions
        from radiolocus.genome.qc import GenotypeOptions
        from radiolocus.kernels.jit import bring_up

        bring_up()

    chosen: dict[str, Any] = {"sample_id": sample_id, "dosage": dosage, "missing": missing, "scan_dtype": precision}
    options = GenotypeOptions(
        min_maf=min_maf, min_call_rate=min_call_rate, principal_components=components,
        covariates=tuple(covariate or ()), phenotypes=tuple(phenotype or ()), block_size=block_size, **chosen,
    )  # fmt: skip
    nine: Any = minus_nine
    how: dict[str, Any] = {"test": test, "cutoff": cutoff, "coding": coding}
    order = GwasOrder(
        genotypes, pheno, covar, options.sample_id, nine, tuple(categorical or ()), options,
        GwasOptions(p_value, tuple(all_rows or ()), effects, multi_trait, seed), binary_options(binary, **how),
        mixed_options(model, relationship, loco=loco), Chosen(keep, remove, extract, exclude, sex),
    )  # fmt: skip
    compile_for(*_parts(binary, model))
    with Bars(Console(stderr=True)) as bars:
        finished = write_gwas(
            order, out, jobs=jobs or os.cpu_count() or 1, fresh=fresh,
            begin=lambda units: bars.begin("gwas", units), step=lambda: bars.step("gwas"),
        )  # fmt: skip
    for line in told(finished):
        typer.echo(line)
    aside = int((finished.problems["severity"] == "set aside").sum())
    typer.echo(f"results: {out}")
    if page:
        with loading():
            from radiolocus.report.html import write
        typer.echo(f"report: {write(out)}")
    if aside:
        typer.echo(f"{aside} problems set something aside: see {out / 'problems.csv'}")
        raise typer.Exit(SET_ASIDE)


def _parts(binary: bool, model: str) -> tuple[str, ...]:
    """Parts of the program whose loops a scan calls; see :mod:`radiolocus.kernels.ahead`."""
    linear = () if binary else ("gwas",)
    return (*linear, *(("gwas-binary",) if binary else ()), *(("gwas-mixed",) if model != "linear" else ()))


def query(
    folder: Annotated[Path, typer.Argument(help="Folder that gwas wrote.", exists=True, file_okay=False)],
    region: Annotated[str | None, typer.Option("--region", help="19:44.9e6-45.1e6, 19:44905000 or 19.")] = None,
    rsid: Annotated[list[str] | None, typer.Option("--rsid", help="Variant id; may be repeated.")] = None,
    phenotype: Annotated[list[str] | None, typer.Option("--phenotype", help="May be repeated.")] = None,
    p_value: Annotated[float, typer.Option(help="Only rows at most this large.")] = 1.0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write .csv, .tsv or .parquet.")] = None,
) -> None:
    """Find the rows that were kept, by position, phenotype or p-value, in well under a second."""
    with loading():
        from radiolocus.app.rows import scientific_p, write_rows
        from radiolocus.associate.query import query as ask
        from radiolocus.associate.query import variants_of

    rows = ask(folder, region=region, rsid=rsid or (), phenotype=phenotype or (), p_value=p_value)
    if out is not None:
        write_rows(rows, out)
        typer.echo(f"{rows.height:,} rows: {out}")
    else:
        _show(rows)
    if rows.is_empty() and not rsid:
        typer.echo("no kept row answers this: gwas keeps rows up to its --p-value, and all of --all-rows", err=True)
    for name in rsid or ():
        for found in variants_of(folder, [name]).iter_rows(named=True):
            typer.echo(_variant(found, scientific_p), err=True)


def export(
    folder: Annotated[Path, typer.Argument(help="Folder that gwas wrote.", exists=True, file_okay=False)],
    phenotype: Annotated[str, typer.Argument(help="Phenotype of which all rows were kept.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Name of the file without its ending.")],
    layout: Annotated[str, typer.Option("--layout", help="gwas-ssf, plink2 or regenie.")] = "gwas-ssf",
    assembly: Annotated[str, typer.Option("--assembly", help="Genome assembly, e.g. GRCh38 (GWAS-SSF).")] = "",
    ancestry: Annotated[str, typer.Option("--ancestry", help="Ancestry category of the sample (GWAS-SSF).")] = "",
    partial: Annotated[bool, typer.Option("--partial", help="Write what was kept, although rows are missing.")] = False,
) -> None:
    """Write the rows of one phenotype in a layout that others read."""
    with loading():
        from radiolocus.associate.export import export as write

    chosen: Any = layout
    done = write(folder, phenotype, out, chosen, assembly=assembly, ancestry=ancestry, partial=partial)
    if done.left_out:
        typer.echo(f"note     {done.left_out:,} rows left out: alleles that are not of A, C, G and T", err=True)
    typer.echo(f"{done.rows:,} rows: {' and '.join(str(file) for file in done.files)}")


def _show(rows: pl.DataFrame) -> None:
    typer.echo(rows.write_csv(separator="\t"), nl=False)


def _variant(found: dict[str, Any], written: Callable[[float], str]) -> str:
    place = f"{found['variant_id']} at {found['chromosome']}:{found['base_pair_location']}"
    if not found["kept"]:
        return f"{place}: not analysed: {found['reason']}"
    if found["top_phenotype"] is None:
        return f"{place}: no test could be made"
    smallest = written(found["top_neg_log_10_p_value"])
    return f"{place}: {found['tests']:,} tests, the smallest p-value is {smallest} ({found['top_phenotype']})"
