"""Commands for what follows a scan: ``clump``, ``finemap`` and ``ldsc``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

Folder = Annotated[Path, typer.Argument(help="Folder that gwas wrote.", exists=True, file_okay=False)]
Genotypes = Annotated[
    Path, typer.Argument(help="Of whom LD is taken: .bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix.")
]
Phenotypes = Annotated[
    list[str] | None, typer.Option("--phenotype", help="Only this phenotype; may be repeated. Default: all.")
]
Name = Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its commands for loci."""
    app.command(
        short_help="Clump the results of gwas into independent loci.",
        epilog="Example: radiolocus clump gwas cohort.bed --p1 5e-8 --r2 0.1",
    )(clump)
    app.command(
        short_help="Fine-map loci by SuSiE: which variants are causal.",
        epilog="Examples: radiolocus finemap gwas cohort.bed --phenotype PET:stat_mean --region 19:44.9e6-45.1e6 | "
        "radiolocus finemap gwas cohort.bed --pheno features.tsv --covar covariates.tsv",
    )(finemap)
    app.command(
        short_help="LD score regression: confounding and heritability.",
        epilog="Examples: radiolocus ldsc gwas --scores eur_w_ld_chr/@ | "
        "radiolocus ldsc gwas --genotypes cohort.bed --write-scores cohort",
    )(ldsc)


def clump(
    folder: Folder,
    genotypes: Genotypes,
    p1: Annotated[float, typer.Option("--p1", help="Largest p-value of a lead variant.")] = 5e-8,
    p2: Annotated[float, typer.Option("--p2", help="Variants below this p-value may join a clump.")] = 1e-5,
    r2: Annotated[float, typer.Option("--r2", help="Variants of larger r² with the lead join its clump.")] = 0.1,
    kb: Annotated[float, typer.Option("--kb", help="Only those nearer than this to the lead.")] = 1000.0,
    merge_kb: Annotated[float, typer.Option(help="Clumps at most this far apart are one locus.")] = 250.0,
    measure: Annotated[str, typer.Option(help="r² of haplotypes (as PLINK) or of genotypes.")] = "haplotype",
    phenotype: Phenotypes = None,
    sample_id: Name = "iid",
) -> None:
    """Gather associated variants around the strongest, of each phenotype and of all, and merge them into loci."""
    with loading():
        from radiolocus.app.rows import scientific_p
        from radiolocus.associate.clump import ClumpOptions, write_clumps
        from radiolocus.read.genotype_files import open_genotypes

    how: Any = measure
    named: Any = sample_id
    options = ClumpOptions(p1, p2, r2, kb, merge_kb, how)
    found = write_clumps(folder, open_genotypes(genotypes, sample_id=named), options, phenotypes=phenotype or ())
    for line in found.told:
        typer.echo(f"note     {line}", err=True)
    alone = found.clumps["phenotype"].is_not_null().sum()
    strong = int(found.loci["effective"].sum())
    typer.echo(
        f"{found.loci.height:,} loci from {alone:,} clumps with p ≤ {p1:g} "
        f"({strong:,} of them beyond 5e-8 over the effective number of phenotypes)"
    )
    for row in found.loci.sort("neg_log_10_p_value", descending=True).head(10).iter_rows(named=True):
        place = f"{row['chromosome']}:{row['start']}-{row['stop']}  {row['lead_variant']}"
        counts = f"{row['n_phenotypes']} phenotypes  {row['independent']} independent"
        typer.echo(f"{place}  p = {scientific_p(row['neg_log_10_p_value'])}  {counts}  {row['top_phenotype']}")
    typer.echo(f"results: {folder / 'sumstats/loci.csv'}")


def finemap(
    folder: Folder,
    genotypes: Genotypes,
    phenotype: Phenotypes = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="19:44.9e6-45.1e6; may be repeated. Default: loci of clump.")
    ] = None,
    flank: Annotated[float, typer.Option(help="Kilobases added to both sides of a locus.")] = 250.0,
    pheno: Annotated[
        Path | None, typer.Option("--pheno", help="Phenotypes of the scan: fit individual data, not z-scores and LD.")
    ] = None,
    covar: Annotated[Path | None, typer.Option("--covar", help="With --pheno: covariates of the scan.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option("--categorical", help="Covariate to dummy-code; may be repeated.")
    ] = None,
    effects: Annotated[int, typer.Option(min=1, help="Most causal variants in a region.")] = 10,
    coverage: Annotated[float, typer.Option(help="Probability that a credible set holds a causal variant.")] = 0.95,
    min_abs_r: Annotated[float, typer.Option(help="Smallest |r| of two variants of a credible set.")] = 0.5,
    max_variants: Annotated[int, typer.Option(help="Regions with more are refused.")] = 5000,
    minus_nine: Annotated[str, typer.Option(help="What −9 is in a table: refuse, missing or number.")] = "refuse",
    sample_id: Name = "iid",
) -> None:
    """Tell causal variants from those in LD with them: inclusion probabilities and credible sets."""
    with loading():
        from radiolocus.associate.finemap import FinemapOptions, write_finemap
        from radiolocus.associate.finemap import finemap as from_results
        from radiolocus.associate.finemap import finemap_individual as from_people
        from radiolocus.errors import ConfigError
        from radiolocus.read.genotype_files import open_genotypes
        from radiolocus.read.subject_tables import read_subject_table

    named: Any = sample_id
    options = FinemapOptions(effects, coverage, min_abs_r, max_variants=max_variants)
    source = open_genotypes(genotypes, sample_id=named)
    targets = _targets(folder, phenotype or [], region or [], flank)
    if pheno is None:
        if covar is not None:
            raise ConfigError("--covar without --pheno", where="finemap", todo="give the phenotypes of the scan too")
        found = from_results(folder, source, targets, options)
    else:
        how: dict[str, Any] = {"sample_id": sample_id, "minus_nine": minus_nine}
        covariates = read_subject_table(covar, categorical=tuple(categorical or ()), **how) if covar else None
        found = from_people(source, read_subject_table(pheno, **how), covariates, targets, options)
    write_finemap(folder, found, options)
    for line in found.told:
        typer.echo(f"note     {line}", err=True)
    typer.echo(f"{found.sets.height:,} credible sets in {len(targets):,} regions")
    for row in found.sets.head(20).iter_rows(named=True):
        typer.echo(
            f"{row['phenotype']}  {row['region']}  set {row['credible_set']}: {row['variants']} variants, "
            f"{row['top_variant']} {row['top_pip']:.3f}, smallest |r| {row['min_abs_r']:.2f}"
        )
    typer.echo(f"results: {folder / 'sumstats/finemap.csv'}")


def _targets(folder: Path, phenotypes: list[str], regions: list[str], flank: float) -> tuple[Any, ...]:
    """Phenotypes and regions that are asked for, or loci of the phenotypes."""
    from radiolocus.associate.finemap import loci_to_finemap
    from radiolocus.associate.query import parse_region
    from radiolocus.associate.results import kept_of
    from radiolocus.errors import ConfigError

    names = kept_of(folder).check(phenotypes)
    if regions:
        if not phenotypes:
            raise ConfigError("--region without --phenotype", where="finemap", todo="name the phenotypes to map there")
        return tuple((name, parse_region(text)) for name in phenotypes for text in regions)
    chosen = tuple(target for target in loci_to_finemap(folder, flank) if target[0] in names)
    if not chosen:
        raise ConfigError("no locus to map", where="finemap", todo="name a --region, or clump with a larger --p1")
    return chosen


def ldsc(
    folder: Folder,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="LDSC's .l2.ldscore.gz or prefix; @ stands for the chromosome.")
    ] = None,
    genotypes: Annotated[Path | None, typer.Option("--genotypes", help="Compute the LD scores from these.")] = None,
    kb: Annotated[float, typer.Option("--kb", help="With --genotypes: window of a score.")] = 1000.0,
    min_maf: Annotated[float, typer.Option(help="With --genotypes: rarer variants are left out.")] = 0.01,
    write_scores: Annotated[
        Path | None,
        typer.Option("--write-scores", help="With --genotypes: write NAME.l2.ldscore.gz, .l2.M, .l2.M_5_50."),
    ] = None,
    all_variants: Annotated[
        bool, typer.Option("--all-variants", help="Count M over all variants (.l2.M), not those above 5 %.")
    ] = False,
    intercept: Annotated[float | None, typer.Option(help="Hold the intercept at this. Default: estimated.")] = None,
    two_step: Annotated[float, typer.Option(help="χ² below which variants tell the intercept.")] = 30.0,
    blocks: Annotated[int, typer.Option(help="Of the jackknife.")] = 200,
    sample_prevalence: Annotated[float | None, typer.Option(help="Fraction of cases in the sample.")] = None,
    population_prevalence: Annotated[float | None, typer.Option(help="Fraction of cases in the population.")] = None,
    rg: Annotated[bool, typer.Option("--rg", help="Also the genetic correlation of every pair of phenotypes.")] = False,
    phenotype: Phenotypes = None,
    sample_id: Name = "iid",
) -> None:
    """Regress χ² on LD scores: the intercept measures confounding, the slope heritability."""
    with loading():
        from radiolocus.associate.ldsc import LdscOptions, write_genetic_correlations, write_ldsc
        from radiolocus.associate.results import samples_of
        from radiolocus.errors import ConfigError
        from radiolocus.genome.ldscore import LdScoreOptions, ld_scores, read_ld_scores, write_ld_scores
        from radiolocus.read.genotype_files import open_genotypes

    options = LdscOptions(intercept, two_step, blocks, not all_variants, sample_prevalence, population_prevalence)
    if genotypes is not None and scores is None:
        named: Any = sample_id
        source = open_genotypes(genotypes, sample_id=named)
        samples = samples_of(folder, source)
        typer.echo(f"note     {samples.told}", err=True)
        table = ld_scores(source, samples.rows, LdScoreOptions(kb, min_maf))
        if write_scores is not None:
            typer.echo(f"LD scores: {', '.join(str(file) for file in write_ld_scores(table, write_scores))}")
    elif scores is not None and genotypes is None:
        table = read_ld_scores(scores)
    else:
        raise ConfigError("--scores and --genotypes", where="ldsc", allowed="one of them", todo="give LD scores")
    found = write_ldsc(folder, table, options, phenotypes=phenotype or ())
    for line in found.told:
        typer.echo(f"note     {line}", err=True)
    for row in found.table.head(20).iter_rows(named=True):
        typer.echo(
            f"{row['phenotype']}: intercept {row['intercept']:.4f} ({row['intercept_se']:.4f}), "
            f"h² {row['heritability']:.4f} ({row['heritability_se']:.4f}), λ {row['lambda_gc']:.3f}, "
            f"{row['variants']:,} variants"
        )
    if rg:
        pairs = write_genetic_correlations(folder, table, options, phenotypes=phenotype or ())
        for line in pairs.told:
            typer.echo(f"note     {line}", err=True)
        for row in pairs.table.head(20).iter_rows(named=True):
            names = f"{row['phenotype_1']} and {row['phenotype_2']}"
            typer.echo(f"{names}: genetic correlation {row['correlation']:.4f} ({row['correlation_se']:.4f})")
    typer.echo(f"results: {folder / 'sumstats/ldsc.csv'}")
