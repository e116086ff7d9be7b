"""What a study has beside what its lesions give."""

import polars as pl
import pytest

from radiolocus.response.comparison import COMPARISON, compare
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.recist11 import recist11


def theirs(sums=(), responses=()):
    return (
        pl.DataFrame(list(sums), schema={"subject": pl.String, "visit": pl.String, "sum_mm": pl.Float64}, orient="row"),
        pl.DataFrame(
            list(responses),
            schema=dict.fromkeys(("subject", "visit", "item", "response"), pl.String),
            orient="row",
        ),
    )


def test_equal_sums_and_responses_agree(sums_table):
    table = sums_table({0: 50, 56: 30, 112: 29})
    whole = recist11(table)
    sums = [("A", "baseline", 50.0), ("A", "day 56", 30.0), ("A", "day 112", 29.04)]
    said = [
        ("A", r["visit"], "overall", r["overall_response"]) for r in whole.timepoints.iter_rows(named=True) if r["day"]
    ]
    found = compare(
        table, *theirs(sums, [*said, ("A", "day 56", "non-target", "NA"), ("A", None, "best", "Partial Response")])
    )
    assert dict(found.schema) == COMPARISON
    assert found["agree"].to_list() == [True] * 7
    assert found["visit"].to_list() == ["baseline", "day 56", "day 56", "day 56", "day 112", "day 112", None]
    assert set(found["explanation"]) == {""}


@pytest.mark.parametrize(
    ("sums", "said", "options", "words"),
    [
        ({0: 50, 56: 30}, ("A", "day 56", "overall", "SD"), {}, "no other reading of the rules gives theirs"),
        (
            {0: 100, 56: 70, 112: 80},
            ("A", "day 112", "overall", "PR"),
            {},
            "theirs follows when a partial response is held until progression",
        ),
        (
            {0: 50, 56: 0, 112: 3},
            ("A", "day 112", "overall", "PR"),
            {},
            "theirs follows when disease seen again after CR is not PD by itself",
        ),
        ({0: 50, 56: 30}, ("A", None, "best", "SD"), {}, "theirs follows when responses must be confirmed"),
        (
            {0: 50, 56: 30},
            ("A", None, "best", "PR"),
            {"confirmation": True},
            "theirs follows when responses need not be confirmed",
        ),
        ({0: 50, 28: 49}, ("A", None, "best", "SD"), {}, "stable disease counts from the first visit"),
    ],
)
def test_disagreements_say_the_rule_and_the_reading_that_gives_theirs(sums_table, sums, said, options, words):
    (row,) = compare(sums_table(sums), *theirs(responses=[said]), CriteriaOptions(**options)).iter_rows(named=True)
    assert row["agree"] is False
    assert row["explanation"].startswith("by the lesions: ")
    assert words in row["explanation"]


def test_sums_that_differ_are_explained(lesion_rows, lesion_table):
    table = lesion_table(lesion_rows(day=0, A=20, B=30), lesion_rows(day=56, A=20))
    found = compare(table, *theirs([("A", "baseline", 45.0), ("A", "day 56", 20.0), ("Z", "baseline", 9.0)]))
    rows = {(r["subject"], r["visit"]): r for r in found.iter_rows(named=True)}
    assert rows["A", "baseline"]["agree"] is False
    assert rows["A", "baseline"]["explanation"].startswith("the targets add up to +5 mm of what is given")
    assert rows["A", "day 56"]["agree"] is None
    assert "no complete sum here: 1 of 2 targets not evaluated" in rows["A", "day 56"]["explanation"]
    assert rows["Z", "baseline"]["explanation"].startswith("nothing of ours")


def test_new_lesions_are_compared_by_yes_and_no(sums_table, lesion_rows, lesion_table):
    table = pl.concat([sums_table({0: 50, 56: 50}), lesion_table(lesion_rows(day=56, kind="new", X=9))])
    for said, agree in (("Y", True), ("N", False), ("UNEQUIVOCAL", True)):
        assert compare(table, *theirs(responses=[("A", "day 56", "new", said)]))["agree"].to_list() == [agree]


def test_nothing_to_compare_is_an_empty_table(sums_table):
    assert compare(sums_table({0: 50}), *theirs()).is_empty()


def test_sums_are_those_of_the_targets_that_the_study_named(lesion_rows, lesion_table):
    """A node of 12 mm that a study added up: its sum agrees, and its response is explained by the option."""
    table = lesion_table(
        lesion_rows(day=0, T=30) + lesion_rows(day=0, node=True, N=12),
        lesion_rows(day=56, T=22) + lesion_rows(day=56, node=True, N=6),
    )
    sums, said = [("A", "baseline", 42.0), ("A", "day 56", 28.0)], [("A", "day 56", "overall", "PR")]
    found = compare(table, *theirs(sums, said))
    assert found.filter(pl.col("item") == "sum")["agree"].to_list() == [True, True]
    call = found.filter(pl.col("item") == "overall").row(0, named=True)
    assert (call["ours"], call["agree"]) == ("SD", False)
    assert "theirs follows when nodes named targets are targets whatever their size" in call["explanation"]
