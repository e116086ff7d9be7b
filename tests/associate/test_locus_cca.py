"""Loci against all phenotypes: subjects, filters, names, and what cannot be tested."""

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.associate.locus_cca import CcaOptions, locus_cca
from radiolocus.errors import ConfigError, FitError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES
from radiolocus.stats.canonical import canonical_test, principal_axes
from radiolocus.stats.ols import covariate_basis, residualise

N, M = 150, 40


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cca")
    rng = np.random.default_rng(6)
    dosage = rng.binomial(2, 0.35, (M, N)).astype(np.float32)
    dosage[20:24] = dosage[20]  # in complete disequilibrium
    dosage[rng.random(dosage.shape) < 0.01] = np.nan
    dosage[5] = 1
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 20 + ["2"] * 19 + ["X"],
            "variant_id": [f"rs{i}" for i in range(M)],
            "base_pair_location": [1000 * (1 + i % 20) for i in range(M)],
            "effect_allele": ["A"] * M,
            "other_allele": ["C"] * M,
        }
    )
    names = [f"s{i}" for i in range(N)]
    write_plink(folder / "g", dosage, variants, names)
    y = rng.normal(size=(N, 5))
    y[:, 1] += 2.0 * np.nan_to_num(dosage[25])
    y[3, 4] = np.nan
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": y[:, i] for i in range(5)})
    covariates = pl.DataFrame({"subject": names, "age": rng.normal(50, 5, N)})
    for name, table in (("pheno", phenotypes), ("covar", covariates)):
        table.fill_nan(None).rename({"subject": "#IID"}).write_csv(
            folder / f"{name}.tsv", separator="\t", null_value="NA"
        )
    loci = pl.DataFrame({"locus": ["null", "planted", "empty", "sex"], "chromosome": ["1", "2", "1", "X"],
                         "start": [0, 0, 90_000, 0], "stop": [8_000, 12_000, 99_000, 90_000]})  # fmt: skip
    return folder, PlinkSource(folder / "g"), phenotypes, covariates, loci, dosage


def test_a_planted_locus_is_found_and_the_others_are_told(cohort):
    _, source, phenotypes, covariates, loci, dosage = cohort
    found = locus_cca(source, phenotypes, covariates, loci, cca=CcaOptions(permutations=99))
    assert dict(found.table.schema) == TABLES["sumstats/locus_cca"].schema
    null, planted = found.table.rows(named=True)
    assert (planted["locus"], planted["top_variant"], planted["top_phenotype"]) == ("planted", "rs25", "y1")
    assert planted["neg_log_10_p_value"] > 8
    assert planted["permutation_p_value"] == 0.01
    assert null["neg_log_10_p_value"] < 2
    assert null["permutation_p_value"] == pytest.approx(10 ** -null["neg_log_10_p_value"], abs=0.15)
    # eight variants, one of them the same in everybody; the others do not repeat each other
    assert (null["variants"], null["components"], null["n"], found.subjects) == (8, 7, N - 1, N - 1)
    assert planted["components"] < planted["variants"]
    assert planted["bonferroni_p_value"] == pytest.approx(2 * 10 ** -planted["neg_log_10_p_value"])
    told = {p.item: p.got for p in found.problems if p.item}
    assert told == {"empty": "none of its 0 variants is analysed", "sex": "chromosome X"}

    there = np.arange(N) != 3
    genotypes = np.delete(dosage[:8], 5, axis=0).T[there].astype(float)
    genotypes = np.where(np.isnan(genotypes), np.nanmean(genotypes, axis=0), genotypes)
    basis = covariate_basis(covariates["age"].to_numpy()[there, None], N - 1)
    y = phenotypes.select(pl.exclude("subject")).to_numpy()[there]
    axes = [principal_axes(residualise(basis, v - v.mean(axis=0)))[0] for v in (genotypes, y)]
    assert null["wilks_lambda"] == pytest.approx(canonical_test(*axes, 2).wilks, rel=1e-9)


def test_the_command_takes_regions_and_genes(cohort):
    folder, *_ = cohort
    genes = folder / "genes.tsv"
    genes.write_text("chr\tstart\tend\tgene\tstrand\nchr2\t5500\t6500\tABC\t+\n")
    out = folder / "out.tsv"
    order = ["cca", folder / "g", "--pheno", folder / "pheno.tsv", "--covar", folder / "covar.tsv", "--out", out]
    order += ["--region", "2:1-30000", "--genes", genes, "--flank", "1000"]
    done = CliRunner().invoke(app, [str(word) for word in order])
    assert done.exit_code == 0, done.output
    assert "2 loci tested against 5 phenotypes in 149 subjects: 2 with p < 0.025 (Bonferroni)" in done.stdout
    table = pl.read_csv(out, separator="\t")
    assert table["locus"].to_list() == ["2:1-30000", "ABC"]
    assert table["variants"].to_list() == [19, 3]
    nothing = CliRunner().invoke(app, [str(word) for word in order[:8]])
    assert isinstance(nothing.exception, ConfigError)
    assert "--region, --genes or --loci" in str(nothing.exception)


def test_what_cannot_be_tested_is_refused(cohort):
    _, source, phenotypes, covariates, loci, _ = cohort
    with pytest.raises(TableError, match="no column stop"):
        locus_cca(source, phenotypes, covariates, loci.drop("stop"))
    with pytest.raises(FitError, match="none of 1 loci can be tested"):
        locus_cca(source, phenotypes, covariates, loci.filter(locus="empty"))
    few = phenotypes.head(9)
    with pytest.raises(FitError, match="axes of variants"):
        locus_cca(source, few, covariates, loci.filter(locus="null"), options=GenotypeOptions(min_maf=0))
    apart = phenotypes.with_columns(
        y0=pl.when(pl.int_range(pl.len()) < 80).then("y0"), y1=pl.when(pl.int_range(pl.len()) >= 80).then("y1")
    )
    with pytest.raises(FitError, match="none of 150 subjects has all 5 phenotypes"):
        locus_cca(source, apart, covariates, loci)
    with pytest.raises(ConfigError, match="variant_share = 0"):
        CcaOptions(variant_share=0)
