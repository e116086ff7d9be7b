"""Summary statistics in the layouts that others read: GWAS-SSF with its metadata, PLINK 2 and REGENIE."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import yaml
from scipy.special import ndtri_exp

from radiolocus.associate.query import home_of, query
from radiolocus.errors import ConfigError
from radiolocus.store import versions, write_bytes

__all__ = ["Exported", "as_plink2", "as_regenie", "as_ssf", "export", "p_text"]

Layout = Literal["gwas-ssf", "plink2", "regenie"]
_NUMBERS = {str(i): i for i in range(1, 23)} | {"X": 23, "XY": 23, "Y": 24, "MT": 25}


@dataclass(frozen=True)
class Exported:
    """Files that were written, their rows, and rows that the layout cannot hold."""

    files: tuple[Path, ...]
    rows: int
    left_out: int


def p_text(neg_log10_p: pl.Series) -> pl.Series:
    """p-values as text with six digits, also those far below the smallest floating-point number."""
    values = neg_log10_p.to_numpy()
    exponent = -np.ceil(values)
    mantissa = 10.0 ** (-values - exponent)
    texts = []
    for m, e in zip(mantissa, exponent, strict=True):
        shown = f"{m:.5f}"
        if shown == "10.00000":
            shown, e = "1.00000", e + 1
        texts.append(f"{shown}e{int(e)}")
    return pl.Series("p", texts, dtype=pl.String)


def as_ssf(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """GWAS-SSF columns of rows of one phenotype, by chromosome and position; and how many rows it cannot hold.

    The format knows chromosomes 1 to 25 and alleles of A, C, G and T. The p-value is given as its −log10.
    Source: Hayhurst et al. 2022, doi:10.1101/2022.07.15.500230; https://github.com/gwas-catalog/summary-statistics-standard
    """
    bases = pl.col("effect_allele", "other_allele").str.contains("^[ACGTacgt]+$")
    held = rows.filter(pl.all_horizontal(bases), pl.col("chromosome").is_in(list(_NUMBERS)))
    name = pl.col("variant_id")
    named = held.select(
        pl.col("chromosome").replace_strict(_NUMBERS, return_dtype=pl.Int64),
        "base_pair_location",
        "effect_allele",
        "other_allele",
        "beta",
        "standard_error",
        "effect_allele_frequency",
        "neg_log_10_p_value",
        pl.when(name.str.contains("^[A-Za-z0-9_]+$") & ~name.str.contains(r"^rs\d+$")).then(name).alias("variant_id"),
        pl.when(name.str.contains(r"^rs\d+$")).then(name).alias("rsid"),
        "n",
    )
    return named.sort("chromosome", "base_pair_location", maintain_order=True), rows.height - held.height


def as_plink2(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of ``plink2 --glm cols=+a1freq``; the other allele stands as REF and the effect allele as ALT and A1."""
    statistic = "Z_STAT" if "test" in rows.columns else "T_STAT"
    return rows.select(
        pl.col("chromosome").alias("#CHROM"),
        pl.col("base_pair_location").alias("POS"),
        pl.col("variant_id").alias("ID"),
        pl.col("other_allele").alias("REF"),
        pl.col("effect_allele").alias("ALT"),
        pl.col("effect_allele").alias("A1"),
        pl.col("effect_allele_frequency").alias("A1_FREQ"),
        pl.lit("ADD").alias("TEST"),
        pl.col("n").alias("OBS_CT"),
        pl.col("beta").alias("BETA"),
        pl.col("standard_error").alias("SE"),
        pl.col("statistic").alias(statistic),
        p_text(rows["neg_log_10_p_value"]).alias("P"),
        pl.lit(".").alias("ERRCODE"),
    )


def as_regenie(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of REGENIE's step 2; ALLELE1 is counted.

    CHISQ is (β / SE)², LOG10P that of Student's t; of binary phenotypes CHISQ is that of the p-value, and EXTRA says
    the test.
    """
    chisq, extra = pl.col("statistic") ** 2, pl.lit("NA")
    if "test" in rows.columns:
        log_half = -rows["neg_log_10_p_value"].to_numpy() * np.log(10.0) - np.log(2.0)
        chisq, extra = pl.lit(pl.Series(np.square(ndtri_exp(log_half)))), pl.col("test")
    return rows.select(
        pl.col("chromosome").replace({"X": "23", "XY": "23", "Y": "24", "MT": "25"}).alias("CHROM"),
        pl.col("base_pair_location").alias("GENPOS"),
        pl.col("variant_id").alias("ID"),
        pl.col("other_allele").alias("ALLELE0"),
        pl.col("effect_allele").alias("ALLELE1"),
        pl.col("effect_allele_frequency").alias("A1FREQ"),
        pl.col("n").alias("N"),
        pl.lit("ADD").alias("TEST"),
        pl.col("beta").alias("BETA"),
        pl.col("standard_error").alias("SE"),
        chisq.alias("CHISQ"),
        pl.col("neg_log_10_p_value").alias("LOG10P"),
        extra.alias("EXTRA"),
    )


def export(
    root: Path | str,
    phenotype: str,
    out: Path | str,
    layout: Layout = "gwas-ssf",
    *,
    assembly: str = "",
    ancestry: str = "",
    partial: bool = False,
    today: datetime.date | None = None,
) -> Exported:
    """Write the rows of one phenotype in a layout that others read.

    Parameters
    ----------
    root : Path or str
        Folder that :func:`radiolocus.associate.genomewide.gwas` wrote.
    phenotype : str
    out : Path or str
        Name of the file without its ending, which the layout gives: ``.tsv.gz`` and ``.tsv.gz-meta.yaml``,
        ``.glm.linear`` or ``.glm.logistic.hybrid``, ``.regenie``.
    layout : {"gwas-ssf", "plink2", "regenie"}
    assembly : str
        Genome assembly of the positions; GWAS-SSF demands it.
    ancestry : str
        Category of the ancestry of the sample, for the metadata.
    partial : bool
        Write the rows that were kept although others were not.
    today : datetime.date, optional
        Date of the metadata.

    Returns
    -------
    Exported

    Raises
    ------
    ConfigError
        An unknown layout or phenotype, no assembly, or rows that were not kept.
    StoreError
        No finished scan, or a file that cannot be written.
    """
    folder, stem = Path(root), Path(out)
    if layout not in ("gwas-ssf", "plink2", "regenie"):
        raise ConfigError(f"layout '{layout}'", where="export", allowed="gwas-ssf, plink2 or regenie")
    if layout == "gwas-ssf" and not assembly:
        raise ConfigError(
            "no genome assembly", where="export", allowed="GRCh37, GRCh38, ...", todo="give it with --assembly"
        )
    folder = home_of(folder, phenotype)
    rows = query(folder, phenotype=[phenotype])
    options = json.loads((folder / "sumstats/options.json").read_text())
    keep = options["keep"]
    if keep["p_value"] < 1 and phenotype not in keep["all_rows"] and not partial:
        raise ConfigError(
            f"only rows of '{phenotype}' with p ≤ {keep['p_value']:g} were kept",
            where="export",
            allowed="phenotypes of which every row was kept",
            todo=f"scan again with --all-rows '{phenotype}', or give --partial to write what is there",
        )
    if rows["beta"].null_count() == rows.height > 0:
        raise ConfigError(
            f"'{phenotype}' has no beta", where="export", allowed="effects with standard errors",
            todo="combine cohorts by inverse variance, not by sample size",
        )  # fmt: skip
    if layout == "plink2":
        ending = ".glm.logistic.hybrid" if "binary" in options else ".glm.linear"
        return _written(stem.with_name(stem.name + ending), as_plink2(rows), "\t")
    if layout == "regenie":
        return _written(stem.with_name(stem.name + ".regenie"), as_regenie(rows), " ")
    table, left_out = as_ssf(rows)
    name = stem.with_name(stem.name + ".tsv.gz")
    data = gzip.compress(table.write_csv(separator="\t", null_value="#NA").encode(), mtime=0)
    write_bytes(name, data)
    told = _metadata(folder, phenotype, options, name, data, assembly, ancestry, today or datetime.date.today())
    beside = name.with_name(name.name + "-meta.yaml")
    write_bytes(beside, yaml.safe_dump(told, sort_keys=False, allow_unicode=True).encode())
    return Exported((name, beside), table.height, left_out)


def _written(name: Path, table: pl.DataFrame, separator: str) -> Exported:
    write_bytes(name, table.write_csv(separator=separator, null_value="NA").encode())
    return Exported((name,), table.height, 0)


def _metadata(
    folder: Path,
    phenotype: str,
    options: dict[str, Any],
    name: Path,
    data: bytes,
    assembly: str,
    ancestry: str,
    today: datetime.date,
) -> dict[str, Any]:
    """Metadata of GWAS-SSF: what the scan knows; what only its owner knows is left out, not invented."""
    summary = pl.read_parquet(folder / "sumstats/summary.parquet").filter(pl.col("phenotype") == phenotype)
    covariates = [*options["covariates"]]
    sample: dict[str, Any] = {"sample_size": int(summary["n"][0])}
    if "binary" in options:
        rows = query(folder, phenotype=[phenotype])
        sample["case_control_study"] = True
        whole = rows.filter(pl.col("n") == sample["sample_size"])["cases"].to_list()
        if whole:  # with dropped genotypes no row need hold all subjects
            sample |= {"case_count": whole[0], "control_count": sample["sample_size"] - whole[0]}
    if ancestry:
        sample["sample_ancestry_category"] = [ancestry]
    return {
        "date_metadata_last_modified": today,
        "trait_description": [phenotype],
        "genome_assembly": assembly,
        "coordinate_system": "1-based",
        "samples": [sample],
        "data_file_name": name.name,
        "file_type": "GWAS-SSF v1.0",
        "data_file_md5sum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "analysis_software": f"Radiolocus {versions()['radiolocus']}",
        **({"adjusted_covariates": covariates} if covariates else {}),
        "minor_allele_freq_lower_limit": options["genotypes"]["min_maf"],
        "is_harmonised": False,
        "is_sorted": True,
    }
