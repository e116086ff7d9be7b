"""Ids: normalised by one rule, ordered by their numbers, compared without naming a wrong person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.cohort import IdRules
from radiolocus.cohort.ids import Nearest, natural_key
from radiolocus.errors import ConfigError


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1"),
        ("1.50", "1.50"),
        (" a ", "a"),
        (None, ""),
        (float("nan"), ""),
        ("", ""),
        ("01", "01"),
    ],
)
def test_spreadsheet_ids(raw, normal):
    assert IdRules().normalise(raw) == normal


def test_rules_in_their_order():
    rules = IdRules(
        case="upper", replace=(("[ .]", "-"), ("^X-", "")), extract=r"^(TCGA-..-....)", aliases={"old": "TCGA-AA-0000"}
    )
    assert rules.normalise(" tcga.ez 7264a-01A ") == "TCGA-EZ-7264"
    assert rules.normalise("x-tcga-ht-7467") == "TCGA-HT-7467"
    assert rules.normalise("old") == "TCGA-AA-0000"
    assert rules.normalise("other") == "OTHER"
    assert IdRules(aliases={"B": "C"}, case="upper").normalise("b") == "C"
    assert IdRules(strip=False).normalise(" a") == " a"
    assert IdRules(case="lower").normalise("AbC") == "abc"


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"extract": "(a)(b)"}, r"has 2 groups; allowed: one group"),
        ({"extract": "a"}, r"has 0 groups"),
        ({"extract": "("}, r"is no regular expression"),
        ({"replace": (("[", ""),)}, r"is no regular expression"),
        ({"case": "title"}, r"case = 'title'; allowed: keep, upper, lower"),
    ],
)
def test_rules_that_cannot_be_followed(wrong, got):
    with pytest.raises(ConfigError, match=got):
        IdRules(**wrong)


@given(st.text(max_size=12))
def test_normalising_twice_changes_nothing(raw):
    rules = IdRules(case="lower")
    once = rules.normalise(raw)
    assert rules.normalise(once) == once


def test_natural_order():
    assert sorted(["S10", "S2", "s1", "10", "9", "S2a"], key=natural_key) == ["9", "10", "S2", "S2a", "S10", "s1"]


@given(st.lists(st.text(max_size=6), max_size=12))
def test_natural_order_is_total(texts):
    backwards = texts[::-1]
    assert sorted(texts, key=natural_key) == sorted(backwards, key=natural_key)


@pytest.mark.parametrize(
    ("unknown", "near"),
    [
        ("TCGA-EZ-7264A", "TCGA-EZ-7264"),
        ("TCGA-Ht-7467", "TCGA-HT-7467"),
        ("TCGA-HT-7467-01A", "TCGA-HT-7467"),
        ("TCGA-FG-A4MX", None),
        ("TCGA_FG_A4MT", "TCGA-FG-A4MT"),
        ("TCGA-HT-7468", None),
        ("STS-1", "STS_001"),
        ("STS1", "STS_001"),
        ("STS_011", None),
        ("STSS_001", "STS_001"),
        ("ACRIN-6698-102212_0000", "102212"),
        ("", None),
    ],
)
def test_only_plausible_neighbours_are_named(unknown, near):
    subjects = ["TCGA-EZ-7264", "TCGA-HT-7467", "TCGA-FG-A4MT", "TCGA-FG-A4MU", "STS_001", "STS_010", "102212"]
    assert Nearest(subjects).find(unknown) == near


def test_two_equally_plausible_neighbours_are_none():
    assert Nearest(["A-01", "A_1"]).find("a1") is None
    assert Nearest(["x-55-a", "y-55-b"]).find("55") is None
    assert Nearest(["x-55-a", "y-56-b"]).find("55") == "x-55-a"
    assert Nearest(["Smith", "Jones"]).find("Smyth") == "Smith"
