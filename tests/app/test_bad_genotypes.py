"""What a person gets who gives ``radiolocus gwas`` and ``radiolocus qc`` files that are not what they should be."""

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.errors import RadiolocusError
from radiolocus.read.plink import write_plink

N, M = 40, 60


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(3)
    dosage = rng.binomial(2, 0.4, (M, N)).astype(np.float32)
    names = [f"s{i}" for i in range(N)]
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 30 + ["2"] * 30,
            "variant_id": [f"rs{i}" for i in range(M)],
            "base_pair_location": np.arange(M) * 1000 + 1,
            "effect_allele": ["A"] * M,
            "other_allele": ["G"] * M,
        }
    )
    write_plink(tmp_path / "g", dosage, variants, names)
    pl.DataFrame({"IID": names, "y": rng.normal(size=N)}).write_csv(tmp_path / "pheno.tsv", separator="\t")
    many = {f"c{k}": rng.normal(size=N) for k in range(N - 1)}
    pl.DataFrame({"IID": names, **many}).write_csv(tmp_path / "covar.tsv", separator="\t")
    return tmp_path


def scan(files, *further):
    arguments = ["gwas", files / "g", "--pheno", files / "pheno.tsv", "--out", files / "out", "--jobs", "1", *further]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def control(files):
    arguments = ["qc", files / "g", "--out", files / "qc", "--components", "0", "--jobs", "1"]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def changed(path, line, field, text):
    lines = path.read_text().splitlines()
    fields = lines[line].split("\t")
    fields[field] = text
    lines[line] = "\t".join(fields)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda bed: b"\x00" + bed[1:], ("begins with 00 1b 01", "g.bed", "6c 1b 01", "plink2 --make-bed")),
        (lambda bed: bed[:-1], ("truncated: 1 bytes too few", "g.bed", "603 bytes for the 60", "copy the three")),
        (lambda bed: bed + b"\x00" * 7, ("over-long: 7 bytes too many", "g.bed", "3 + 60 × 10", "copy the three")),
        (lambda bed: bed[:-20], ("too few", "g.bed", "", "fits 58 variants with this fam: is the bim of another file")),
    ],
    ids=["magic", "truncated", "over-long", "bim of another file"],
)
@pytest.mark.parametrize("command", [scan, control], ids=["gwas", "qc"])
def test_a_bed_that_cannot_be_read(files, spoil, parts, command):
    bed = files / "g.bed"
    bed.write_bytes(spoil(bed.read_bytes()))
    failed = command(files)
    assert failed.exit_code != 0
    error = failed.exception
    assert isinstance(error, RadiolocusError)
    for part, told in zip(parts, (error.got, error.where, error.allowed, error.todo), strict=True):
        assert part in told
    assert str(files) not in error.message


def test_fewer_subjects_than_covariates(files):
    failed = scan(files, "--covar", files / "covar.tsv")
    assert failed.exit_code != 0
    assert failed.exception.got == f"{N} subjects for an intercept, {N - 1} covariates and a variant"
    assert failed.exception.allowed == f"at least {N + 2} subjects"
    assert "fewer covariates" in failed.exception.todo


@pytest.mark.parametrize(
    ("line", "field", "text", "told"),
    [
        (3, 1, "rs9", "1 variant ids stand more than once (rs9); each line is analysed as a variant of its own"),
        (3, 0, "chr1", "chromosomes are spelled in more than one way (1, chr1); taken as one"),
        (3, 4, "A/G?", "1 variants have an allele of an unknown code (rs3 A/G?/G)"),
        (3, 3, "99", "variants are not sorted (positions go back 1 times)"),
        (3, 0, "2", "variants are not sorted (chromosomes come in more than one piece)"),
    ],
    ids=["id twice", "two spellings", "unknown allele", "positions go back", "chromosomes in pieces"],
)
def test_what_is_odd_is_said_and_analysed(files, line, field, text, told):
    changed(files / "g.bim", line, field, text)
    done = scan(files)
    assert done.exit_code == 0, done.output
    notes = pl.read_parquet(files / "out" / "problems.parquet")["got"].to_list()
    assert any(told in note for note in notes)
    assert f"{M} tests" in done.stdout


def test_pruning_needs_sorted_positions(files):
    changed(files / "g.bim", 3, 3, "99999999")
    failed = control(files)
    assert failed.exit_code != 0
    assert failed.exception.got == "rs4 at 4001 stands after rs3 at 99999999"
    assert failed.exception.where == "chromosome 1"
    assert "--sort-vars" in failed.exception.todo
