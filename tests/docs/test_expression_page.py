"""The page of expression is what the code says."""

from typing import get_args

import pytest

from radiolocus.errors import TableError
from radiolocus.molecular.expression import Format, Normalise
from radiolocus.molecular.published_signatures import METHODS
from radiolocus.molecular.score_options import GeneSetScores, ScoreMethod, SubtypeOptions
from radiolocus.molecular.subtypes import CLUSTER
from radiolocus.read.counts import read_counts
from reference.expression_page import PAGE, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_of_signatures_is_that_of_the_code():
    assert page(TEXT) == TEXT, "write it anew: PYTHONPATH=tests python tests/reference/expression_page.py"


def test_every_choice_is_on_the_page():
    for name in (*get_args(Format), *get_args(ScoreMethod), *get_args(Normalise)[1:]):
        assert f"`{name}`" in TEXT
    assert all(name in TEXT for name in METHODS)
    assert f"`{CLUSTER}SCHEME=1`" in TEXT


def test_defaults_are_those_of_the_code():
    scores, subtypes = GeneSetScores("x.gmt"), SubtypeOptions(clusters=(2,))
    assert f"`min_genes` ({scores.min_genes}) and `min_coverage` ({scores.min_coverage})" in TEXT
    assert f"(`min_coverage`, {subtypes.min_coverage})" in TEXT


@pytest.mark.parametrize("kind", ["star", "gdc_star"])
def test_columns_are_those_of_the_reader(kind):
    with pytest.raises(TableError) as caught:
        read_counts({}, kind)
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{kind}`"))
    assert all(f"`{name}`" in row for name in caught.value.allowed.split(", "))
