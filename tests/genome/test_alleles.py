"""Alleles of two tables: against a twin that goes letter by letter, and properties that must hold."""

from __future__ import annotations

import itertools
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.alleles import COMPLEMENT, outcome_of
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.alleles import OUTCOMES, AlleleOptions, align, classify, orient

ALLELES = ["A", "C", "G", "T", "a", "t", "AC", "ACT", "I", "D", "", "0", ".", None, " g "]
KINDS = ("set_aside", "frequency", "as_written")


COLUMNS = {
    "chromosome": pl.String,
    "base_pair_location": pl.Int64,
    "effect_allele": pl.String,
    "other_allele": pl.String,
    "beta": pl.Float64,
    "effect_allele_frequency": pl.Float64,
}


def table(rows, **more):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row").with_columns(**more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flips", [True, False])
def test_every_pair_of_alleles_equals_the_twin(kind, flips):
    frequencies = [(0.1, 0.2), (0.1, 0.9), (0.45, 0.1), (0.9, 0.55), (None, 0.1), (0.58, 0.2)]
    fours = list(itertools.product(ALLELES, repeat=4))
    cases = [(*four, *f) for four in fours for f in (frequencies if four[0] == "A" else frequencies[:1])]
    kinds = [pl.String] * 4 + [pl.Float64] * 2
    columns = [pl.Series(list(c), dtype=kind) for c, kind in zip(zip(*cases, strict=True), kinds, strict=True)]
    found = classify(*columns, options=AlleleOptions(kind, flips=flips))
    wanted = [outcome_of(*case, palindromic=kind, flips=flips) for case in cases]
    assert list(found.iter_rows()) == wanted
    assert {w[0] for w in wanted} <= set(OUTCOMES)


BASE = st.sampled_from("ACGT")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(BASE, BASE, BASE, BASE).filter(lambda x: x[0] != x[1] and x[2] != x[3]), min_size=1))
def test_exchanging_alleles_turns_the_sign_and_turning_the_strand_does_not(cases):
    e, o, big_e, big_o = (pl.Series(list(c)) for c in zip(*cases, strict=True))
    sign = classify(e, o, big_e, big_o)["sign"]
    assert (classify(o, e, big_e, big_o)["sign"] == -sign).all()
    assert (classify(e, o, big_o, big_e)["sign"] == -sign).all()
    assert (classify(big_e, big_o, e, o)["sign"] == sign).all()
    strand = [s.replace_strict(COMPLEMENT) for s in (e, o)]
    assert (classify(*strand, big_e, big_o)["sign"] == sign).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_shuffled_swapped_flipped_copy_is_found_again(seed):
    rng = random.Random(seed)
    pairs = [p for p in itertools.permutations("ACGT", 2) if COMPLEMENT[p[0]] != p[1]]
    rows = [("1", 100 + i, *rng.choice(pairs), rng.gauss(0, 1), rng.uniform(0.05, 0.95)) for i in range(20)]
    reference = table(rows)
    copy = []
    for c, p, e, o, b, f in rows:
        if rng.random() < 0.5:
            e, o, b, f = o, e, -b, 1 - f
        if rng.random() < 0.5:
            e, o = COMPLEMENT[e], COMPLEMENT[o]
        copy.append((c, p, e.lower() if rng.random() < 0.3 else e, o, b, f))
    order = rng.sample(range(len(copy)), len(copy))
    other = table([copy[i] for i in order])
    alignment = align(other, reference)
    assert alignment.rows["reference_row"].to_list() == order
    back = orient(other, reference, alignment).sort("reference_row").drop("reference_row")
    for name in ("effect_allele", "other_allele"):
        assert back[name].to_list() == reference[name].to_list()
    for name in ("beta", "effect_allele_frequency"):
        assert back[name].to_list() == pytest.approx(reference[name].to_list(), abs=1e-15)


def test_of_a_site_with_three_alleles_the_fitting_row_is_taken():
    reference = table([("1", 5, "C", "A", 1.0, 0.1), ("1", 5, "G", "A", 1.0, 0.2), ("1", 9, "AT", "A", 1.0, 0.3)])
    other = table(
        [
            ("1", 5, "A", "G", 2.0, 0.8),
            ("1", 5, "T", "A", 2.0, 0.1),
            ("1", 9, "A", "AT", 3.0, 0.7),
            ("2", 9, "A", "AT", 3.0, 0.7),
        ]
    )
    alignment = align(other, reference)
    assert alignment.rows["outcome"].to_list() == ["swapped", "mismatch", "swapped", "absent"]
    assert alignment.rows["reference_row"].to_list() == [1, None, 2, None]
    assert orient(other, reference, alignment)["beta"].to_list() == [-2.0, -3.0]
    assert dict(alignment.counts.select("outcome", "count").iter_rows()) == {"swapped": 2, "mismatch": 1, "absent": 1}


def test_rows_that_fit_equally_well_are_all_set_aside_and_a_surer_fit_is_preferred():
    reference = table([("1", 5, "C", "A", 1.0, 0.1)])
    twice = table([("1", 5, "C", "A", 1.0, 0.1), ("1", 5, "C", "A", 2.0, 0.1)])
    assert align(twice, reference).rows["outcome"].to_list() == ["several", "several"]
    assert align(reference, twice).rows["outcome"].to_list() == ["several"]
    strands = table([("1", 5, "G", "T", 1.0, 0.1), ("1", 5, "C", "A", 2.0, 0.1)])
    assert align(strands, reference).rows["outcome"].to_list() == ["several", "same"]
    assert align(reference, strands).rows["reference_row"].to_list() == [1]


def test_palindromic_alleles_by_frequency_follow_the_rare_allele():
    reference = table([("1", 5, "A", "T", 1.0, 0.2), ("1", 6, "C", "G", 1.0, 0.48), ("1", 7, "A", "T", 1.0, 0.2)])
    other = table([("1", 5, "A", "T", 0.3, 0.8), ("1", 6, "C", "G", 0.3, 0.1), ("1", 7, "T", "A", 0.3, 0.15)])
    found = align(other, reference, options=AlleleOptions("frequency"))
    assert found.rows["outcome"].to_list() == ["palindromic_swapped", "palindromic", "palindromic_same"]
    assert orient(other, reference, found)["beta"].to_list() == [-0.3, 0.3]
    assert align(other, reference).rows["sign"].to_list() == [0, 0, 0]


def test_by_id_and_bad_input():
    reference = table([("1", 5, "C", "A", 1.0, 0.1)], variant_id=pl.lit("rs1"))
    other = table([("1", 777, "A", "C", 1.0, 0.1)], variant_id=pl.lit("rs1"))
    assert align(other, reference, on="variant_id").rows["sign"].to_list() == [-1]
    assert align(other.clear(), reference).rows.height == 0
    assert align(other, reference.clear()).rows["outcome"].to_list() == ["absent"]
    with pytest.raises(TableError, match="no column 'effect_allele'") as caught:
        align(other.drop("effect_allele"), reference)
    assert caught.value.where == "table"
    with pytest.raises(ConfigError, match="did you mean 'frequency'"):
        AlleleOptions("frequencies")
    with pytest.raises(ConfigError, match=r"below 0\.5"):
        AlleleOptions(margin=0.5)
