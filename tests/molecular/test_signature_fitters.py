"""Exposures against the fitters of others: recorded numbers, see tests/reference/mutational_signatures.R and .py."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from radiolocus.molecular.mutational_signatures import SignatureOptions, fit_signatures, read_signatures
from radiolocus.molecular.spectrum import CHANNELS

HERE = Path(__file__).resolve().parents[1] / "reference"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    table = pl.read_csv(HERE / "mutational_signatures_table.csv")
    path = tmp_path_factory.mktemp("signatures") / "signatures.txt"
    signatures = [c for c in table.columns if c.startswith("M")]
    table.select("Type", *signatures).write_csv(path, separator="\t")
    order = [table["Type"].to_list().index(c) for c in CHANNELS]
    samples = [c for c in table.columns if c.startswith("T") and c != "Type"]
    counts = pl.DataFrame(
        {"subject": samples} | {c: table.row(i)[1 + len(signatures) :] for c, i in zip(CHANNELS, order, strict=True)}
    )
    found = fit_signatures(counts, read_signatures(path), SignatureOptions("x", min_mutations=1, bootstrap=20))
    recorded = pl.read_csv(HERE / "mutational_signatures_answers.csv")
    return recorded.join(found, left_on=["sample", "signature"], right_on=["subject", "signature"], validate="1:1")


def test_exposures_are_those_of_mutational_patterns(answers):
    np.testing.assert_allclose(answers["mutations"], answers["mutational_patterns"], atol=1e-6)


def test_exposures_go_with_those_of_sigprofiler_which_are_sparser(answers):
    """It leaves out what adds little, and rounds to whole mutations."""
    many = answers.filter(pl.col("substitutions") >= 300)
    shares = many["sigprofiler_assignment"] / many["substitutions"]
    assert np.corrcoef(many["share"], shares)[0, 1] > 0.98
    assert np.abs(many["share"] - shares).mean() < 0.05
    assert (shares == 0).sum() > (many["share"] == 0).sum()


def test_exposures_are_nearer_the_truth_than_those_of_the_sparser_fit(answers):
    for part in (answers, answers.filter(pl.col("substitutions") >= 300)):
        ours = np.abs(part["share"] - part["true_share"]).mean()
        theirs = np.abs(part["sigprofiler_assignment"] / part["substitutions"] - part["true_share"]).mean()
        assert ours < theirs
    assert ours < 0.02
