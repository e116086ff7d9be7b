"""Commands of polygenic scores: ``pgs`` makes weights, ``score`` applies them and tells what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radiolocus.app.loading import loading

if TYPE_CHECKING:
    import polars as pl

    from radiolocus.associate.polygenic import Weights
    from radiolocus.genome.score import ScoreOptions
    from radiolocus.read.genotypes import BlockSource

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its commands of scores."""
    app.command(
        short_help="Make a polygenic score from the results of gwas.",
        epilog="Example: radiolocus pgs gwas cohort.bed --phenotype PET:stat_mean --method prs-cs --out suv",
    )(pgs)
    app.command(
        short_help="Apply polygenic scores, and hold them against a phenotype.",
        epilog="Example: radiolocus score others.bed suv.txt.gz PGS000001_hmPOS_GRCh38.txt.gz --out scores.tsv "
        "--pheno disease.tsv --phenotype stroke --covar covariates.tsv --discovery gwas",
    )(score)


def pgs(
    folder: Annotated[Path, typer.Argument(help="Folder that gwas wrote.", exists=True, file_okay=False)],
    genotypes: Annotated[Path, typer.Argument(help="Of whom LD is taken.")],
    phenotype: Annotated[str, typer.Option("--phenotype", help="Phenotype of which every row was kept.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Name of the scoring files without their ending.")],
    method: Annotated[str, typer.Option(help="prs-cs, or c+t: clump and threshold, one file a threshold.")] = "prs-cs",
    threshold: Annotated[
        list[float] | None, typer.Option("--threshold", help="With c+t: largest p-value; may be repeated.")
    ] = None,
    r2: Annotated[float, typer.Option("--r2", help="With c+t: of clumping.")] = 0.1,
    kb: Annotated[float, typer.Option("--kb", help="With c+t: of clumping.")] = 250.0,
    phi: Annotated[float | None, typer.Option(help="With prs-cs: global shrinkage. Default: learned.")] = None,
    iterations: Annotated[int, typer.Option(help="With prs-cs: steps of the sampler; half are dropped.")] = 1000,
    block_variants: Annotated[int, typer.Option(help="With prs-cs: about this many variants a block of LD.")] = 300,
    seed: Annotated[int, typer.Option(help="With prs-cs: of the sampler.")] = 1,
    min_maf: Annotated[float, typer.Option(help="Rarer variants get no weight.")] = 0.01,
    assembly: Annotated[str, typer.Option("--assembly", help="Genome assembly, e.g. GRCh38.")] = "NR",
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
) -> None:
    """Weigh variants for a polygenic score and write scoring files of the PGS Catalog."""
    with loading():
        from rich.console import Console

        from radiolocus.app.progress import Bars
        from radiolocus.associate.polygenic import THRESHOLDS, PolygenicOptions, clump_and_threshold, shrink
        from radiolocus.errors import ConfigError
        from radiolocus.read.genotype_files import open_genotypes

    if method not in ("prs-cs", "c+t"):
        raise ConfigError(f"method '{method}'", where="pgs", allowed="prs-cs, c+t")
    options = PolygenicOptions(
        tuple(threshold or THRESHOLDS), r2, kb, min_maf, block_variants, phi, iterations, iterations // 2, seed=seed
    )
    named: Any = sample_id
    source = open_genotypes(genotypes, sample_id=named)
    if method == "c+t":
        made = clump_and_threshold(folder, source, phenotype, options)
    else:
        with Bars(Console(stderr=True)) as bars:
            made = shrink(
                folder, source, phenotype, options, units=out.with_name(f".{out.name}.units"),
                begin=lambda units: bars.begin("prs-cs", units), step=lambda: bars.step("prs-cs"),
            )  # fmt: skip
    for line in made.told:
        typer.echo(f"note     {line}", err=True)
    _write(made, out, phenotype, method, assembly, seed)
    typer.echo(
        "note     judge it on others than the scanned subjects: radiolocus score --discovery leaves them out", err=True
    )


def _write(made: Weights, out: Path, phenotype: str, method: str, assembly: str, seed: int) -> None:
    from radiolocus.read.pgs import write_score_file
    from radiolocus.store import versions

    for name in made.names:
        file = out.with_name(
            f"{out.name}.txt.gz" if method == "prs-cs" else f"{out.name}_{name.replace('<=', '')}.txt.gz"
        )
        table = made.of(name)
        how = f"PRS-CS-auto, seed {seed}" if method == "prs-cs" else f"clump and threshold, {name}"
        header = {
            "pgs_name": out.name if method == "prs-cs" else f"{out.name}_{name.replace('<=', '')}",
            "trait_reported": phenotype, "genome_build": assembly, "weight_type": "beta",
            "method": how, "software": f"radiolocus {versions()['radiolocus']}",
        }  # fmt: skip
        write_score_file(table, file, header)
        typer.echo(f"{table.height:,} weights: {file}")


def score(
    genotypes: Annotated[Path, typer.Argument(help=".bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix.")],
    weights: Annotated[
        list[Path], typer.Argument(help="Scoring files of the PGS Catalog.", exists=True, dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Table of scores: .tsv, .csv or .parquet.")],
    pheno: Annotated[
        Path | None, typer.Option("--pheno", help="Hold the scores against a column of this table.")
    ] = None,
    phenotype: Annotated[str, typer.Option("--phenotype", help="That column; default: the first.")] = "",
    covar: Annotated[Path | None, typer.Option("--covar", help="With --pheno: covariates.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option("--categorical", help="Covariate to dummy-code; may be repeated.")
    ] = None,
    discovery: Annotated[
        Path | None, typer.Option("--discovery", help="Folder of the scan: its subjects are not judged by.")
    ] = None,
    prevalence: Annotated[float | None, typer.Option(help="Of the disease in the population.")] = None,
    groups: Annotated[int, typer.Option(help="Quantiles that are compared.")] = 5,
    folds: Annotated[int, typer.Option(help="In which the best of several scores is chosen.")] = 5,
    on: Annotated[str, typer.Option(help="Match by position, variant_id or auto.")] = "auto",
    palindromic: Annotated[str, typer.Option(help="A/T and C/G: set_aside, frequency or as_written.")] = "set_aside",
    no_flips: Annotated[
        bool, typer.Option("--no-flips", help="Never take alleles for those of the other strand.")
    ] = False,
    min_matched: Annotated[float, typer.Option(help="Part of the weights that must find a genotype.")] = 0.75,
    missing: Annotated[str, typer.Option(help="A missing genotype counts its mean, or zero.")] = "mean",
    minus_nine: Annotated[str, typer.Option(help="What −9 is in a table: refuse, missing or number.")] = "refuse",
    seed: Annotated[int, typer.Option(help="Of folds and bootstrap.")] = 1,
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
) -> None:
    """Score every sample; with --pheno tell association, explained variance, AUC and odds by quantile."""
    with loading():
        from radiolocus.app.rows import write_rows
        from radiolocus.associate.prediction import AssessOptions
        from radiolocus.errors import ConfigError
        from radiolocus.genome.score import ScoreOptions
        from radiolocus.read.genotype_files import open_genotypes
        from radiolocus.read.subject_tables import read_subject_table

    how: dict[str, Any] = {"on": on, "palindromic": palindromic, "missing": missing}
    options = ScoreOptions(flips=not no_flips, min_matched=min_matched, **how)
    named: Any = sample_id
    if pheno is None and covar is not None:
        raise ConfigError("--covar without --pheno", where="score", todo="give the table of the phenotype too")
    source = open_genotypes(genotypes, sample_id=named)
    scores = _scores(source, weights, options)
    write_rows(scores, out)
    typer.echo(f"{scores.height:,} samples, {scores.width - 1:,} scores: {out}")
    if pheno is not None:
        tables: dict[str, Any] = {"sample_id": sample_id, "minus_nine": minus_nine}
        _judge(
            scores, read_subject_table(pheno, **tables), phenotype,
            read_subject_table(covar, categorical=tuple(categorical or ()), **tables) if covar else None,
            discovery, AssessOptions(prevalence=prevalence, groups=groups, folds=folds, seed=seed), out,
        )  # fmt: skip


def _scores(source: BlockSource, files: list[Path], options: ScoreOptions) -> pl.DataFrame:
    """One column a scoring file, first the samples."""
    import numpy as np
    import polars as pl

    from radiolocus.genome.quality import variant_quality
    from radiolocus.genome.score import match_weights
    from radiolocus.genome.score import score as apply
    from radiolocus.read.pgs import read_score_file

    rows = np.arange(len(source.sample_ids), dtype=np.int64)
    frequency = None
    if options.palindromic == "frequency":
        frequency = variant_quality(source, rows, source.sex)["effect_allele_frequency"]
    columns: dict[str, Any] = {"#IID": list(source.sample_ids)}
    for file in files:
        read = read_score_file(file)
        found = match_weights(read.table, source, options, frequency)
        values = read.table["effect_weight"].to_numpy()[found.rows][:, None]
        name = read.name if read.name not in (*columns, "score") else file.name.split(".txt")[0]
        for line in read.notes:
            typer.echo(f"note     {line}", err=True)
        typer.echo(f"note     {name}: {found.told}; positions of {read.build}", err=True)
        columns[name] = apply(source, rows, found.numbers, values, found.sign, missing=options.missing).total[:, 0]
    return pl.DataFrame(columns)


def _judge(
    scores: pl.DataFrame,
    phenotypes: pl.DataFrame,
    phenotype: str,
    covariates: pl.DataFrame | None,
    discovery: Path | None,
    options: Any,
    out: Path,
) -> None:
    """Hold the scores against a phenotype among people whom the scan did not see."""
    import polars as pl

    from radiolocus.app.rows import write_rows
    from radiolocus.associate.prediction import assess, quantiles, tune
    from radiolocus.associate.subjects import choose_subjects

    name = phenotype or next(column for column in phenotypes.columns if column != "subject")
    ids = scores["#IID"].to_list()
    if discovery is not None:
        seen = set(pl.read_parquet(discovery / "genome/samples.parquet", columns=["subject"])["subject"])
        left = phenotypes.filter(~pl.col("subject").is_in(list(seen)))
        typer.echo(f"note     {phenotypes.height - left.height:,} subjects of the scan are not judged by", err=True)
        phenotypes = left
    else:
        typer.echo("note     none of these subjects may have been in the scan: give --discovery to be sure", err=True)
    chosen = choose_subjects(ids, phenotypes, covariates, phenotype_names=[name])
    y = chosen.phenotypes[:, 0]
    names = [column for column in scores.columns if column != "#IID"]
    values = scores.select(names).to_numpy()[chosen.rows]
    stem = out.with_suffix("")
    told = [
        assess(values[:, i], y, chosen.covariates, options).with_columns(score=pl.lit(n)) for i, n in enumerate(names)
    ]
    parts = [
        quantiles(values[:, i], y, chosen.covariates, options).with_columns(score=pl.lit(n))
        for i, n in enumerate(names)
    ]
    for kind, frames in (("association", told), ("quantiles", parts)):
        table = pl.concat(frames)
        write_rows(table.select("score", pl.exclude("score")), stem.with_name(f"{stem.name}.{kind}.csv"))
    for i, one in enumerate(names):
        typer.echo(f"{one}: " + _words(told[i]))
    if len(names) > 1:
        each, tuned = tune(values, names, y, chosen.covariates, options)
        write_rows(each, stem.with_name(f"{stem.name}.each.csv"))
        write_rows(tuned, stem.with_name(f"{stem.name}.tuned.csv"))
        typer.echo(
            f"best of {len(names)} scores chosen within {options.folds} folds: R² {tuned['r2'].to_numpy().mean():.4f} "
            f"on the fold left out ({', '.join(tuned['score'].unique(maintain_order=True))})"
        )
    typer.echo(f"results: {stem.name}.association.csv and {stem.name}.quantiles.csv beside {out.name}")


def _words(table: pl.DataFrame) -> str:
    shown = ("subjects", "beta", "odds_ratio", "neg_log_10_p_value", "r2", "nagelkerke_r2", "liability_r2", "auc")
    parts = []
    for row in table.iter_rows(named=True):
        if row["metric"] in shown:
            ends = f" ({row['lower']:.4g} to {row['upper']:.4g})" if row["lower"] is not None else ""
            parts.append(f"{row['metric']} {row['estimate']:.4g}{ends}")
    return ", ".join(parts)
