import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from planted import planted
from radiolocus.app.cli import app
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.pgs import read_score_file


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A scan of the first 200 people; 100 more are new to it."""
    folder = tmp_path_factory.mktemp("score")
    _, source, table = planted(folder, phenotypes=2, effect=0.4)
    gwas(
        source, table.head(200), None, folder / "base", options=GenotypeOptions(min_call_rate=0.5),
        keep=GwasOptions(p_value=1e-5, all_rows=("y0",)),
    )  # fmt: skip
    median = table["y0"].median()
    told = table.rename({"subject": "#IID"}).with_columns(case=(pl.col("y0") > median).cast(pl.Int8))
    told.write_csv(folder / "pheno.tsv", separator="\t")
    age = pl.DataFrame({"#IID": table["subject"], "age": np.random.default_rng(0).normal(size=300)})
    age.write_csv(folder / "covar.tsv", separator="\t")
    return folder


def test_weights_scores_and_what_they_are_worth(files):
    made = call(
        "pgs", files / "base", files / "linked", "--phenotype", "y0", "--out", files / "cs", "--iterations", "80",
        "--block-variants", "50", "--assembly", "GRCh38",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    cut = call(
        "pgs", files / "base", files / "linked", "--phenotype", "y0", "--out", files / "ct", "--method", "c+t",
        "--threshold", "1e-4", "--threshold", "0.05",
    )  # fmt: skip
    assert cut.exit_code == 0, cut.output
    scoring = [files / name for name in ("cs.txt.gz", "ct_p0.0001.txt.gz", "ct_p0.05.txt.gz")]
    header = read_score_file(scoring[0]).header
    assert (header["trait_reported"], header["genome_build"], header["pgs_name"]) == ("y0", "GRCh38", "cs")
    out = files / "scores.tsv"
    run = ["score", files / "linked", *scoring, "--out", out, "--pheno", files / "pheno.tsv"]
    run += ["--covar", files / "covar.tsv", "--discovery", files / "base"]
    done = call(*run, "--phenotype", "y0")
    assert done.exit_code == 0, done.output
    scores = pl.read_csv(out, separator="\t")
    assert scores.columns == ["#IID", "cs", "ct_p0.0001", "ct_p0.05"]
    assert scores.height == 300
    assert "200 subjects of the scan are not judged by" in done.stderr
    told = pl.read_csv(files / "scores.association.csv")
    mine = {row["metric"]: row for row in told.filter(pl.col("score") == "cs").iter_rows(named=True)}
    assert mine["subjects"]["estimate"] == 100
    assert mine["r2"]["lower"] > 0
    tuned = pl.read_csv(files / "scores.tuned.csv")
    assert tuned.height == 5
    assert "chosen within 5 folds" in done.stdout
    binary = call(*run, "--phenotype", "case", "--prevalence", "0.5")
    assert binary.exit_code == 0, binary.output
    metrics = set(pl.read_csv(files / "scores.association.csv")["metric"])
    assert {"odds_ratio", "auc", "auc_gain", "nagelkerke_r2", "liability_r2"} <= metrics
    assert pl.read_csv(files / "scores.quantiles.csv")["group"].to_list() == [1, 2, 3, 4, 5] * 3


def test_a_score_by_itself(files):
    (files / "one.txt").write_text("rsID\teffect_allele\tother_allele\teffect_weight\nv5\tC\tA\t2\nv9\tA\tC\t0.5\n")
    done = call("score", files / "linked", files / "one.txt", "--out", files / "one.csv", "--palindromic", "frequency")
    assert done.exit_code == 0, done.output
    assert "2 of 2 weights matched (1 same, 1 swapped)" in done.stderr
    assert pl.read_csv(files / "one.csv").columns == ["#IID", "one"]


def test_what_cannot_be_asked(files):
    (files / "far.txt").write_text("rsID\teffect_allele\tother_allele\teffect_weight\nnone\tC\tA\t2\n")
    (files / "bad.txt").write_text("rsID\tweight\nnone\t2\n")
    score = ["score", files / "linked", "--out", files / "x.tsv"]
    pgs = ["pgs", files / "base", files / "linked", "--out", files / "x", "--phenotype"]
    for words, kind, got in (
        ([*score, files / "far.txt"], TableError, "0 of 1 weights"),
        ([*score, files / "bad.txt"], FormatError, "columns rsID, weight"),
        ([*score, files / "far.txt", "--covar", files / "covar.tsv"], ConfigError, "--covar without --pheno"),
        ([*pgs, "y1"], ConfigError, "only the rows"),
        ([*pgs, "y0", "--method", "m"], ConfigError, "method 'm'"),
    ):
        told = call(*words)
        assert isinstance(told.exception, kind), told.output
        assert told.exception.got.startswith(got)
