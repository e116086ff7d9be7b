"""Mediation from files: the numbers of the function, told and written."""

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.associate.mediation import MediationOptions, mediation
from radiolocus.errors import RadiolocusError
from radiolocus.model import Endpoint
from radiolocus.read.plink import write_plink
from radiolocus.store import read_table

N, EFFECT = 300, 0.6 * 0.5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("mediation"), np.random.default_rng(8)
    dosage = rng.binomial(2, 0.3, (3, N)).astype(np.float32)
    dosage[0, 5] = np.nan
    names = [f"s{i}" for i in range(N)]
    variants = {"chromosome": ["1", "2", "X"], "variant_id": ["rs1", "rs2", "rsx"], "base_pair_location": [1, 1, 1]}
    write_plink(
        folder / "g", dosage, pl.DataFrame(variants | {"effect_allele": ["A"] * 3, "other_allele": ["G"] * 3}), names
    )
    copies, age = np.nan_to_num(dosage[0]), rng.normal(60, 8, N)
    volume = 0.6 * copies + 0.02 * age + rng.normal(size=N)
    memory = 0.5 * volume + 0.1 * copies + rng.normal(size=N)
    order = rng.permutation(N)
    tables = {
        "pheno": {"volume": volume, "noise": rng.normal(size=N)},
        "outcome": {"memory": memory, "ill": (memory > 0.9).astype(int), "years": rng.exponential(5, N) + 0.1},
        "covar": {"age": age, "site": ["a" if i % 3 else "b" for i in range(N)]},
    }
    for name, columns in tables.items():
        frame = pl.DataFrame({"#IID": names} | columns)[order if name == "outcome" else range(N)]
        frame.write_csv(folder / f"{name}.tsv", separator="\t")
    whole = pl.DataFrame({"subject": names, "rs1": np.where(np.isnan(dosage[0]), None, dosage[0]).tolist()})
    for columns in tables.values():
        whole = whole.with_columns(pl.Series(k, v) for k, v in columns.items())
    site = (pl.col("site") == "b").cast(pl.Float64).alias("site=b")
    return folder, whole.with_columns(pl.col("rs1").cast(pl.Float64), site)


def call(folder, *more, out="out"):
    run = ["mediation", folder / "g", "--pheno", folder / "pheno.tsv", "--outcomes", folder / "outcome.tsv"]
    run += ["--covar", folder / "covar.tsv", "--categorical", "site", "--draws", "100", "--out", folder / out]
    return CliRunner().invoke(app, [str(word) for word in (*run, *more)])


def test_the_numbers_of_the_function_are_told_and_written(files):
    folder, whole = files
    done = call(folder, "--variant", "rs1", "--variant", "rs2", "--outcome", "memory", "--mediator", "volume")
    assert done.exit_code == 0, done.output
    found = read_table(folder / "out", "mediation/effects")
    assert found["exposure"].to_list() == ["rs1"] * 4 + ["rs2"] * 4
    covariates = ["age", "site=b"]
    again = mediation(
        whole, exposure="rs1", mediators=["volume"], outcome="memory", covariates=covariates,
        options=MediationOptions(draws=100),
    )  # fmt: skip
    mine, theirs = (f.filter(exposure="rs1").row(0, named=True) for f in (found, again.effects))
    assert mine["estimate"] == pytest.approx(theirs["estimate"], rel=1e-9)
    assert mine["n"] == N - 1
    assert mine["lower"] < EFFECT < mine["upper"]
    assert f"explained away by ρ {again.rho_at_zero['volume']:.3g}" in done.stdout
    assert "2 mediated effects were tested; Bonferroni: 0.025" in done.stdout
    told = read_table(folder / "out", "problems")["got"].to_list()
    assert "copies of A are counted (other allele G)" in told
    assert "1 of 300 subjects lack a value" in told
    assert read_table(folder / "out", "mediation/sensitivity").height == 2 * 19


@pytest.mark.parametrize(("kind", "flags"), [("binary", ["--binary"]), ("survival", ["--time", "years"])])
def test_cases_and_times(files, kind, flags):
    folder, whole = files
    done = call(folder, "--variant", "rs1", "--outcome", "ill", "--mediator", "volume", *flags, out=kind)
    assert done.exit_code == 0, done.output
    event, time = whole["ill"].to_numpy().astype(float), whole["years"].to_numpy()
    outcome = Endpoint("ill", kind, tuple(whole["subject"]), event, time if kind == "survival" else None)
    again = mediation(
        whole.drop("ill", "years"), exposure="rs1",
        mediators=["volume"], outcome=outcome, covariates=["age", "site=b"], options=MediationOptions(draws=100),
    )  # fmt: skip
    found = read_table(folder / kind, "mediation/effects")
    np.testing.assert_allclose(found["estimate"], again.effects["estimate"], rtol=1e-9)
    assert ("E-value" in done.stdout) == (kind == "binary")


@pytest.mark.parametrize(
    ("more", "got"),
    [
        (["--variant", "rs9", "--outcome", "memory"], "no variant 'rs9'"),
        (["--variant", "rsx", "--outcome", "memory"], "lies on chromosome X"),
        (["--variant", "rs1", "--outcome", "mem"], "no column 'mem'"),
        (["--variant", "rs1", "--outcome", "memory", "--mediator", "vol"], "no phenotype 'vol'"),
        (["--variant", "rs1", "--outcome", "ill", "--binary", "--time", "years"], "both binary and a time"),
        (["--variant", "rs1", "--variant", "rs1", "--outcome", "ill"], "named more than once"),
        (["--variant", "rs1", "--outcome", "memory", "--mediator", "volume", "--interval", "normal"], "interval ="),
    ],
)
def test_what_cannot_be_done_is_told(files, more, got):
    failed = call(files[0], *more, out="refused")
    assert isinstance(failed.exception, RadiolocusError)
    assert got in failed.exception.message


def test_an_outcome_that_its_kind_does_not_allow_is_set_aside(files):
    done = call(files[0], "--variant", "rs1", "--outcome", "memory", "--binary", "--mediator", "volume", out="aside")
    assert done.exit_code == 3
    assert "a logistic outcome that is not 0 and 1" in (files[0] / "aside/problems.csv").read_text()
