"""The command ``cca``: a locus against all phenotypes at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radiolocus.app.loading import loading

if TYPE_CHECKING:
    import polars as pl

__all__ = ["add_commands"]

SET_ASIDE = 3


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` the test of whole loci."""
    app.command(
        short_help="Test all variants of a locus against all phenotypes.",
        epilog="Example: radiolocus cca cohort --pheno features.tsv --region 19:44.9e6-45.1e6 --out apoe.tsv",
    )(cca)


def cca(
    genotypes: Annotated[Path, typer.Argument(help=".bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix.")],
    pheno: Annotated[Path, typer.Option("--pheno", help="Table: IID (or FID IID), then one column a phenotype.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Write .csv, .tsv or .parquet.")],
    covar: Annotated[Path | None, typer.Option("--covar", help="Table of covariates, of the same form.")] = None,
    region: Annotated[list[str] | None, typer.Option("--region", help="19:44.9e6-45.1e6; may be repeated.")] = None,
    genes: Annotated[Path | None, typer.Option("--genes", help="A locus a gene: BED, CSV or TSV.")] = None,
    loci: Annotated[Path | None, typer.Option("--loci", help="Folder in which clump wrote independent loci.")] = None,
    flank: Annotated[int, typer.Option(min=0, help="Base pairs added to both ends of genes and loci.")] = 0,
    phenotype: Annotated[
        list[str] | None, typer.Option("--phenotype", help="Only this column; may be repeated. Default: all.")
    ] = None,
    categorical: Annotated[
        list[str] | None, typer.Option("--categorical", help="Covariate to dummy-code; may be repeated.")
    ] = None,
    components: Annotated[int, typer.Option(min=0, help="Genetic principal components among the covariates.")] = 0,
    min_maf: Annotated[float, typer.Option(help="Minor allele frequency.")] = 0.01,
    min_call_rate: Annotated[float, typer.Option(help="Of variants.")] = 0.95,
    share: Annotated[float, typer.Option(help="Of a locus's variance that its components hold.")] = 0.999,
    permutations: Annotated[int, typer.Option(min=0, help="Of the subjects, a locus.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 1,
    minus_nine: Annotated[str, typer.Option(help="What −9 is in a table: refuse, missing or number.")] = "refuse",
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
) -> None:
    """Test loci by canonical correlation: Wilks' Λ with Rao's F, covariates projected out."""
    with loading():
        from radiolocus.app.rows import write_rows
        from radiolocus.associate.locus_cca import CcaOptions, locus_cca
        from radiolocus.genome.qc import GenotypeOptions
        from radiolocus.read.genotype_files import open_genotypes
        from radiolocus.read.subject_tables import read_subject_table

    how: dict[str, Any] = {"sample_id": sample_id, "minus_nine": minus_nine}
    named: Any = sample_id
    options = GenotypeOptions(
        min_maf=min_maf, min_call_rate=min_call_rate, principal_components=components, phenotypes=tuple(phenotype or ())
    )
    found = locus_cca(
        open_genotypes(genotypes, sample_id=named),
        read_subject_table(pheno, **how),
        read_subject_table(covar, categorical=tuple(categorical or ()), **how) if covar else None,
        _loci(region or [], genes, loci, flank),
        options=options,
        cca=CcaOptions(variant_share=share, permutations=permutations, seed=seed),
    )
    write_rows(found.table, out)
    tests = found.table.height
    typer.echo(
        f"{tests:,} loci tested against {found.table['phenotypes'][0]:,} phenotypes in {found.subjects:,} subjects: "
        f"{int((found.table['bonferroni_p_value'] < 0.05).sum())} with p < {0.05 / tests:.2g} (Bonferroni), "
        f"{int((found.table['q_value'] < 0.05).sum())} with q < 0.05"
    )
    typer.echo(f"results: {out}")
    aside = [problem for problem in found.problems if problem.severity == "set aside"]
    for problem in aside[:10]:
        typer.echo(f"set aside  {problem.item or problem.subject}: {problem.got}", err=True)
    if len(aside) > 10:
        typer.echo(f"set aside  {len(aside) - 10} more", err=True)
    if any(problem.item for problem in aside):
        raise typer.Exit(SET_ASIDE)


def _loci(regions: list[str], genes: Path | None, folder: Path | None, flank: int) -> pl.DataFrame:
    """Loci from all places where they may be named: columns locus, chromosome, start and stop."""
    import polars as pl

    from radiolocus.associate.query import parse_region
    from radiolocus.errors import ConfigError, StoreError
    from radiolocus.read.genes import read_genes
    from radiolocus.store import read_table

    keys = {"locus": pl.String, "chromosome": pl.String, "start": pl.Int64, "stop": pl.Int64}
    asked = [(text, (r := parse_region(text)).chromosome, r.start, r.stop) for text in regions]
    parts = [pl.DataFrame(asked, schema=keys, orient="row")]
    wider = (pl.col("start") - flank, pl.col("stop") + flank)
    if genes is not None:
        table = read_genes(genes).rename({"name": "locus", "end": "stop"})
        parts.append(table.select(list(keys)).with_columns(*wider))
    if folder is not None:
        found = read_table(folder, "sumstats/loci")
        if found is None:
            raise StoreError("no independent loci", where=folder.name, todo="find them with radiolocus clump")
        parts.append(
            found.select(pl.col("lead_variant").alias("locus"), "chromosome", "start", "stop").with_columns(*wider)
        )
    every = pl.concat(parts)
    if not every.height:
        raise ConfigError("no locus", where="cca", allowed="--region, --genes or --loci")
    return every
