"""The combined call follows its table, whatever the order of rows."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.read.variants import read_variants
from radiolocus.response.combined import COMBINED, CombinedOptions, combine, imaging_class
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.schema import empty
from radiolocus.simulate.blood import simulate_blood

WORDS = {"response": ("PR", "RESPONSE"), "stable": ("SD", "STABLE"), "progression": ("PD", "PROGRESSION")}


def _visits(*rows):
    return pl.DataFrame(rows, schema=["subject", "visit", "day", "overall_response"], orient="row")


def _samples(*rows):
    return pl.DataFrame(rows, schema=["subject", "sample", "day", "molecular_response"], orient="row")


@pytest.mark.parametrize("rule", COMBINED, ids=lambda r: r.key)
def test_every_row_of_the_table(rule):
    visits = _visits(("A", "baseline", 0.0, "SD"), ("A", "w8", 56.0, WORDS[rule.imaging][0]))
    samples = _samples(("A", "b", 0.0, "baseline"), ("A", "s", 50.0, WORDS[rule.molecular][1]))
    row = combine(visits, samples).row(0, named=True)
    assert (row["combined"], row["rule"], row["sample"]) == (rule.call, rule.key, "s")
    assert row["reason"].endswith(rule.meaning)


def test_the_table_has_every_pair_once():
    assert len({(r.imaging, r.molecular) for r in COMBINED}) == len(COMBINED) == 9
    assert {r.call for r in COMBINED} == {
        "concordant", "imaging-first", "molecular-first", "discordant", "pseudoprogression suspected"
    }  # fmt: skip


def test_function_speaks_against_pseudoprogression():
    visits = _visits(("A", "w8", 56.0, "PD"))
    samples = _samples(("A", "s", 56.0, "CLEARED"))
    function = pl.DataFrame({"subject": ["A"], "visit": ["w8"], "function": ["progression"]})
    assert combine(visits, samples)["combined"].item() == "pseudoprogression suspected"
    assert combine(visits, samples, function=function)["combined"].item() == "discordant"
    calm = function.with_columns(function=pl.lit("response"))
    row = combine(visits, samples, function=calm).row(0, named=True)
    assert (row["combined"], row["function"]) == ("pseudoprogression suspected", "response")


def test_lead_is_positive_where_blood_was_first():
    visits = _visits(("A", "w8", 56.0, "SD"), ("A", "w16", 112.0, "PD"), ("A", "w24", 168.0, "PD"))
    samples = _samples(("A", "s1", 56.0, "PROGRESSION"), ("A", "s2", 112.0, "PROGRESSION"))
    found = combine(visits, samples)
    assert found["lead_days"].unique().to_list() == [56.0]
    assert found["combined"].to_list() == ["molecular-first", "concordant", "not comparable"]
    assert combine(visits.reverse(), samples.reverse()).equals(found)


def test_a_planted_lead_is_found(tmp_path):
    rng = np.random.default_rng(6)
    days = [0, *range(28, 281, 28)]
    visits, blood = [], []
    for i in range(20):
        sizes = {d: 1.0 if d < 168 else 1.0 + (d - 140) / 28 * 0.6 for d in days}
        visits += [(f"P{i}", f"d{d}", float(d), "PD" if sizes[d] >= 1.2 else "SD") for d in days]
        blood += simulate_blood(rng, f"P{i}", list(sizes.items()), lead_days=84.0)
    pl.DataFrame(blood).write_csv(tmp_path / "b.csv")
    found = ctdna(read_variants(tmp_path / "b.csv").frame, CtdnaOptions(table="b.csv", progression_rise=20.0))
    leads = combine(_visits(*visits), found.samples).group_by("subject").agg(pl.col("lead_days").first())["lead_days"]
    assert leads.null_count() == 0
    # samples are four weeks apart
    assert abs(float(leads.median()) - 84) <= 28


def test_a_sample_too_far_away_stands_for_no_visit():
    visits = _visits(("A", "w8", 56.0, "PD"))
    samples = _samples(("A", "s", 90.0, "PROGRESSION"), ("A", "t", 25.0, "STABLE"))
    assert combine(visits, samples)["combined"].item() == "not comparable"
    wide = combine(visits, samples, CombinedOptions(window_days=40.0)).row(0, named=True)
    assert (wide["sample"], wide["combined"]) == ("t", "imaging-first")


def test_of_two_equally_near_the_earlier_counts():
    visits = _visits(("A", "w8", 56.0, "PD"))
    samples = _samples(("A", "late", 66.0, "STABLE"), ("A", "early", 46.0, "PROGRESSION"))
    assert combine(visits, samples)["sample"].item() == "early"


@pytest.mark.parametrize(("imaging", "molecular"), [("NE", "STABLE"), ("PD", "NE")])
def test_what_is_not_evaluable_is_not_compared(imaging, molecular):
    row = combine(_visits(("A", "w8", 56.0, imaging)), _samples(("A", "s", 56.0, molecular))).row(0, named=True)
    assert (row["combined"], row["rule"]) == ("not comparable", "")
    assert "NE" in row["reason"]


def test_words_of_other_criteria():
    assert imaging_class("iUPD") == imaging_class("PMD") == "progression"
    assert imaging_class("CMR") == "response"
    assert imaging_class("odd") == ""
    assert imaging_class("odd", {"odd": "SD"}) == "stable"


def test_nobody_with_both_gives_an_empty_table():
    found = combine(_visits(("A", "w8", 56.0, "PD")), _samples(("B", "s", 56.0, "STABLE")))
    assert found.equals(empty("response/combined"))


def test_a_window_below_nothing_is_refused():
    with pytest.raises(ConfigError, match="window_days = -1"):
        CombinedOptions(window_days=-1.0)
