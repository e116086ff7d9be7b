import re

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.errors import RadiolocusError
from radiolocus.read.plink import write_plink

N, M = 60, 40


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(3)
    dosage = rng.binomial(2, 0.4, (M, N)).astype(np.float32)
    names = [f"s{i}" for i in range(N)]
    variants = pl.DataFrame(
        {
            "chromosome": ["19"] * M,
            "variant_id": [f"rs{i}" for i in range(M)],
            "base_pair_location": np.arange(M) * 1000 + 44_900_000,
            "effect_allele": ["A"] * M,
            "other_allele": ["G"] * M,
        }
    )
    write_plink(tmp_path / "g", dosage, variants, names)
    pheno = pl.DataFrame({"#IID": names, "volume": dosage[9] + rng.normal(size=N) / 9, "flat": rng.normal(size=N)})
    pheno.write_csv(tmp_path / "pheno.tsv", separator="\t")
    site = ["a" if i % 2 else "b" for i in range(N)]
    age = rng.normal(50, 9, N)
    pl.DataFrame({"#IID": names, "age": age, "site": site, "twice": 2 * age}).write_csv(
        tmp_path / "covar.tsv", separator="\t"
    )
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_from_files_to_answers(files):
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--covar", files / "covar.tsv", "--out", files / "out"]
    run += ["--covariate", "age", "--covariate", "site", "--categorical", "site", "--jobs", "2"]
    done = call(*run)
    assert done.exit_code == 0, done.output
    assert f"{2 * M} tests ({M} variants × 2 phenotypes) in {N} subjects" in done.stdout
    assert call(*run).stdout == done.stdout
    found = call("query", files / "out", "--rsid", "rs9")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("volume\t19\t44909000\tA\tG\t")
    assert re.search(r"rs9 at 19:44909000: 2 tests, the smallest p-value is \d\.\de-\d+ \(volume\)", found.stderr)
    assert call("query", files / "out", "--region", "3").stderr.startswith("no kept row answers this")
    table = files / "rows.parquet"
    assert call("query", files / "out", "--region", "19:44.9e6-45.1e6", "--out", table).exit_code == 0
    assert "rs9" in pl.read_parquet(table)["variant_id"].to_list()
    refused = call("query", files / "out", "--region", "19", "--out", files / "rows.txt")
    assert isinstance(refused.exception, RadiolocusError)


@pytest.mark.parametrize(
    ("covariates", "told"),
    [
        (["age", "site"], "covariate 'site' holds text ('b', 'a')"),
        (["age", "twice"], "already determine: twice"),
        (["ages"], "no covariate 'ages'"),
    ],
)
def test_covariates_that_cannot_be_used(files, covariates, told):
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--covar", files / "covar.tsv", "--out", files / "out"]
    for name in covariates:
        run += ["--covariate", name]
    failed = call(*run)
    assert failed.exit_code != 0
    assert isinstance(failed.exception, RadiolocusError)
    assert told in failed.exception.message


def test_a_constant_phenotype_is_set_aside_and_told(files):
    table = pl.read_csv(files / "pheno.tsv", separator="\t").with_columns(pl.lit(4.0).alias("flat"))
    table.write_csv(files / "pheno.tsv", separator="\t")
    done = call("gwas", files / "g", "--pheno", files / "pheno.tsv", "--out", files / "out")
    assert done.exit_code == 3
    assert "(40 variants × 1 phenotypes)" in done.stdout
    problems = pl.read_parquet(files / "out/problems.parquet")
    assert problems.select("item", "got").rows() == [("flat", "one value in all 60 subjects that have it")]


def test_binary_phenotypes(files):
    table = pl.read_csv(files / "pheno.tsv", separator="\t").select("#IID", ill=(pl.col("volume") > 0.9).cast(pl.Int64))
    table.write_csv(files / "pheno.tsv", separator="\t")
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--p-value", "1", "--binary"]
    done = call(*run, "--out", files / "out")
    assert done.exit_code == 0, done.output
    assert f"{M} tests ({M} variants × 1 phenotypes) in {N} subjects" in done.stdout
    asked = call("query", files / "out", "--rsid", "rs9").stdout.splitlines()
    row = dict(zip(asked[0].split("\t"), asked[1].split("\t"), strict=True))
    assert int(row["cases"]) == table["ill"].sum()
    assert row["test"] in ("spa", "firth")
    assert float(row["neg_log_10_p_value"]) > 5
    table.with_columns(pl.col("ill") + 1).write_csv(files / "pheno.tsv", separator="\t")
    refused = call(*run, "--out", files / "twos")
    assert "binary phenotype 'ill' holds 1, 2" in refused.exception.message
    declared = call(*run, "--coding", "1/2", "--test", "firth", "--out", files / "twos")
    assert declared.exit_code == 0, declared.output
    alone = call(*run[:-1], "--test", "firth", "--out", files / "alone")
    assert "without --binary" in alone.exception.message


def test_relatives_are_modelled(files):
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--out", files / "out", "--p-value", "1"]
    done = call(*run, "--model", "lmm-exact", "--relationship", "standardised")
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(files / "out/sumstats/mixed.parquet")
    assert found["model"].unique().to_list() == ["lmm-exact"]
    assert found["phenotype"].to_list() == ["volume", "flat"]
    assert call("query", files / "out", "--rsid", "rs9").stdout.splitlines()[1].startswith("volume\t19\t")
    refused = {
        ("--model", "gemma"): ("model = 'gemma'", "'linear', 'lmm', 'lmm-exact', 'ridge'"),
        ("--loco",): ("a relationship matrix for the linear model", ""),
        ("--model", "ridge", "--loco"): ("a relationship matrix for the ridge", "--model lmm or lmm-exact"),
        ("--model", "ridge"): ("lie on chromosome 19", "two chromosomes"),
        ("--model", "lmm", "--binary"): ("model 'lmm' of binary phenotypes", "model 'ridge'"),
    }
    for words, (got, allowed) in refused.items():
        error = call(*run, "--fresh", *words).exception
        assert isinstance(error, RadiolocusError)
        assert got in error.got
        assert allowed in error.allowed


def test_lists_of_quality_control_and_sex(files):
    (files / "keep.txt").write_text("".join(f"s{i}\n" for i in range(50)))
    (files / "remove.txt").write_text("#IID\ns0\ns99\n")
    (files / "extract.txt").write_text("".join(f"rs{i}\n" for i in range(20)))
    (files / "exclude.txt").write_text("rs0\n")
    (files / "sex.tsv").write_text("IID\tSEX\n" + "".join(f"s{i}\t{1 + i % 2}\n" for i in range(N)))
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--out", files / "out"]
    for name in ("keep", "remove", "extract", "exclude"):
        run += [f"--{name}", files / f"{name}.txt"]
    done = call(*run, "--sex", files / "sex.tsv")
    assert done.exit_code == 0, done.output
    assert "38 tests (19 variants × 2 phenotypes) in 49 subjects" in done.stdout
    told = pl.read_csv(files / "out/problems.csv")["got"].to_list()
    for said in (
        "extract.txt: 20 of 40 variants are taken",
        "exclude.txt: 19 of 20 variants are taken",
        "keep.txt: 50 of 60 subjects of pheno.tsv are taken",
        "remove.txt: 49 of 50 subjects of pheno.tsv are taken",
        "sex.tsv: sex of 60 of 60 samples",
    ):
        assert said in told
    (files / "keep.txt").write_text("nobody\n")
    refused = call(*run, "--fresh")
    assert isinstance(refused.exception, RadiolocusError)
    assert "none of the 60 subjects of pheno.tsv is left" in refused.exception.message


def test_a_refused_command_leaves_the_folder_free(files):
    run = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--out", files / "out", "--covar"]
    assert isinstance(call(*run, files / "covar.tsv").exception, RadiolocusError)
    pl.read_csv(files / "covar.tsv", separator="\t").select("#IID", "age").write_csv(files / "good.tsv", separator="\t")
    assert call(*run, files / "good.tsv").exit_code == 0
    refused = call(*run, files / "covar.tsv", "--covariate", "age")
    assert "the results of another study ('Genome-wide scan of g.bed'" in refused.exception.message
