import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from planted import planted
from radiolocus.app.cli import app
from radiolocus.errors import ConfigError
from radiolocus.genome.ldscore import read_ld_scores


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loci")
    root, source, table = planted(folder, effect=0.6, causal=4, phenotypes=2)
    table.rename({"subject": "#IID"}).write_csv(folder / "pheno.tsv", separator="\t")
    age = pl.DataFrame({"#IID": table["subject"], "age": np.random.default_rng(0).normal(size=300)})
    age.write_csv(folder / "covar.tsv", separator="\t")
    return folder, root, source


def test_from_a_scan_to_loci_and_causal_variants(results):
    folder, root, source = results
    done = call("clump", root, source.path, "--p1", "1e-6", "--p2", "1e-3", "--merge-kb", "20")
    assert done.exit_code == 0, done.output
    loci = pl.read_parquet(root / "sumstats/loci.parquet")
    assert f"{loci.height} loci from" in done.stdout
    assert "300 scanned subjects" in done.stderr
    assert loci.sort("neg_log_10_p_value")["lead_variant"][-1] in done.stdout.splitlines()[1]
    mapped = call("finemap", root, source.path, "--phenotype", "y0", "--flank", "20", "--effects", "3")
    assert mapped.exit_code == 0, mapped.output
    sets = pl.read_parquet(root / "sumstats/credible_sets.parquet")
    assert sets.height >= 2
    assert f"{sets.height} credible sets" in mapped.stdout
    one = call(
        "finemap", root, source.path, "--phenotype", "y0", "--region", "1:1-150000", "--effects", "3",
        "--pheno", folder / "pheno.tsv", "--covar", folder / "covar.tsv",
    )  # fmt: skip
    assert one.exit_code == 0, one.output
    assert "300 subjects" in one.stderr
    assert pl.read_parquet(root / "sumstats/finemap.parquet")["region"].unique().to_list() == ["1:1-150000"]


def test_ld_score_regression(results):
    folder, root, source = results
    done = call(
        "ldsc", root, "--genotypes", source.path, "--kb", "100", "--blocks", "20", "--write-scores", folder / "mine",
        "--all-variants", "--phenotype", "y1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert read_ld_scores(folder / "mine").variants > 500
    assert "y1: intercept" in done.stdout
    assert "200,000 or more" in done.stderr
    first = pl.read_parquet(root / "sumstats/ldsc.parquet")
    again = call("ldsc", root, "--scores", folder / "mine", "--blocks", "20", "--all-variants", "--rg")
    assert again.exit_code == 0, again.output
    second = pl.read_parquet(root / "sumstats/ldsc.parquet")
    np.testing.assert_allclose(first["intercept"], second.filter(pl.col("phenotype") == "y1")["intercept"], rtol=1e-4)
    assert "y0 and y1: genetic correlation" in again.stdout
    assert pl.read_parquet(root / "sumstats/genetic_correlation.parquet").height == 1
    assert json.loads((root / "sumstats/ldsc.json").read_text())["options"]["common"] is False


@pytest.mark.parametrize(
    ("words", "got"),
    [
        (["ldsc", "ROOT"], "--scores and --genotypes"),
        (["ldsc", "ROOT", "--scores", "x", "--genotypes", "y"], "--scores and --genotypes"),
        (["finemap", "ROOT", "BED", "--region", "1"], "--region without --phenotype"),
        (["finemap", "ROOT", "BED", "--region", "1", "--phenotype", "y0", "--covar", "c"], "--covar without --pheno"),
        (["finemap", "ROOT", "BED", "--phenotype", "y7"], "no phenotype 'y7'"),
        (["clump", "ROOT", "BED", "--p1", "0.1"], "p1 = 0.1, p2 = 1e-05"),
        (["clump", "ROOT", "BED", "--measure", "x"], "measure = 'x'"),
    ],
)
def test_what_cannot_be_asked(results, words, got):
    _, root, source = results
    told = call(*({"ROOT": root, "BED": source.path}.get(word, word) for word in words))
    assert isinstance(told.exception, ConfigError)
    assert told.exception.got == got
