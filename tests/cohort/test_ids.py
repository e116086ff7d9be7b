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
        ({"barcode": "gtex"}, r"barcode = 'gtex'; allowed: none, tcga"),
        ({"visit": "_\\d+"}, r"visit = .* has 0 groups; allowed: one group"),
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


@pytest.mark.parametrize(
    "raw",
    [
        "TCGA-HT-7467", "TCGA-Ht-7467", "tcga.ht.7467", "TCGA-HT-7467A", "TCGA-HT-7467-01", "TCGA-HT-7467-01A",
        "TCGA-HT-7467-01A-11D-2024-08", "tcga_ht_7467_01a_11r_2027_07", "  TCGA-HT-7467-02B ", "x/TCGA-HT-7467-01A.vcf",
    ],
)  # fmt: skip
def test_a_barcode_of_any_length_and_case_is_its_participant(raw):
    assert IdRules(barcode="tcga").normalise(raw) == "TCGA-HT-7467"


def test_ids_without_a_barcode_follow_the_other_rules():
    rules = IdRules(barcode="tcga", case="lower", aliases={"TCGA-HT-7467": "S1"})
    assert rules.normalise("Patient 7") == "patient 7"
    assert rules.normalise("TCGA-HT-7467-01A") == "S1"
    assert rules.normalise("TCGA-HT-7467-10A") == rules.normalise("TCGA-HT-7467-11A") == ""
    assert rules.is_normal("TCGA-HT-7467-10A-01D")
    assert not rules.is_normal("TCGA-HT-7467-01A-01D")
    assert not IdRules().is_normal("TCGA-HT-7467-10A-01D")


def test_which_sample_counts():
    rules = IdRules(barcode="tcga")
    # Primary solid tumour, first vial, last aliquot; blood of the marrow last; then recurrence, metastasis.
    order = [
        "TCGA-HT-7467-01A-21D-A99Z-08", "TCGA-HT-7467-01A-21D-2024-08", "TCGA-HT-7467-01A-11D-2024-08",
        "TCGA-HT-7467-01A-11D", "TCGA-HT-7467-01A", "TCGA-HT-7467-01B-31D-A99Z-08", "TCGA-HT-7467-03A",
        "TCGA-HT-7467-09A", "TCGA-HT-7467-05A", "TCGA-HT-7467-02A", "TCGA-HT-7467-06A", "TCGA-HT-7467-99A",
    ]  # fmt: skip
    mixed = [*order[1::2], *order[::2]]
    assert sorted(mixed, key=rules.rank) == order
    assert IdRules().rank(order[0]) is None
    assert rules.rank("TCGA-HT-7467") == rules.rank("tcga-ht-7467")


def test_the_first_visit_counts():
    rules = IdRules(visit=r"[_@](?:v)?(\d+)$", extract=r"(\d+)$")
    ids = ["ACRIN-6698-102212_0010", "ACRIN-6698-102212_0002", "ACRIN-6698-102212_0000"]
    assert {rules.normalise(i) for i in ids} == {"102212"}
    assert min(ids, key=rules.rank) == ids[2]
    assert IdRules(visit=r"@v(\d+)$").normalise("S1@v2") == "S1"


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
