"""Matching a source to the cohort: nothing joins or drops silently."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.cohort import CohortOptions, IdRules, SourceTable, build
from radiolocus.schema import conform


def _cohort(ids, **rules):
    frame = pl.DataFrame({"id": list(ids), "x": list(range(len(ids)))}, {"id": pl.String, "x": pl.Int64})
    return build([SourceTable("t.csv", frame, range(2, len(ids) + 2))], CohortOptions(id="id", ids=IdRules(**rules)))


def test_every_id_gets_one_line():
    match = _cohort(["S_1", "S_2", "S_3"]).match("PET", ["S_1", "S_1", "s-2", "zz", None])
    assert match.mapping == {"S_1": "S_1"}
    assert conform(match.membership, "cohort/membership").rows() == [
        ("S_1", "PET", "S_1", "joined", None),
        ("s-2", "PET", "s-2", "not in cohort", "S_2"),
        ("zz", "PET", "zz", "not in cohort", None),
        ("", "PET", "", "not in cohort", None),
        ("S_2", "PET", None, "missing here", None),
        ("S_3", "PET", None, "missing here", None),
    ]
    gaps, strange = match.problems
    assert (gaps.got, gaps.count) == ("2 of 3 subjects of the cohort are not in this source", 2)
    assert strange.got == "3 ids are not in the cohort: 's-2' (nearest 'S_2'), 'zz', ''"
    assert strange.todo == "1 of them resemble a subject: a rule in cohort.ids may join them"
    assert {p.where for p in match.problems} == {"PET"}


def test_a_full_match_has_nothing_to_say():
    match = _cohort(["1", "2"]).match("plink", [1, 2.0])
    assert match.mapping == {"1": "1", "2.0": "2"}
    assert match.problems == ()


def test_two_ids_of_one_subject_are_left_out_unless_several_are_meant():
    cohort = _cohort(["A-1", "B-2"], extract=r"^(\w-\d)")
    match = cohort.match("maf", ["A-1-01", "A-1-11", "B-2-01"])
    assert match.mapping == {"B-2-01": "B-2"}
    assert match.membership["status"].to_list() == ["missing here", "missing here", "joined"]
    assert match.problems[0].got == "2 ids of one subject ('A-1-01', 'A-1-11'); all were left out"
    assert match.problems[0].subject == "A-1"
    assert match.problems[0].severity == "set aside"
    assert cohort.match("maf", ["A-1-01", "A-1-11"], several=True).mapping == {"A-1-01": "A-1", "A-1-11": "A-1"}


def test_the_rules_choose_among_the_samples_of_a_subject_and_leave_normal_tissue_out():
    cohort = _cohort(["TCGA-AA-0001", "TCGA-AA-0002", "TCGA-AA-0003"], barcode="tcga")
    raw = ["TCGA-AA-0001-06A", "tcga-aa-0001-01a", "TCGA-AA-0001-11A", "TCGA-AA-0002-02A", "TCGA-AA-0003-10A"]
    for several in (False, True):
        match = cohort.match("rna.tsv", raw, several=several)
        assert match.mapping == {"tcga-aa-0001-01a": "TCGA-AA-0001", "TCGA-AA-0002-02A": "TCGA-AA-0002"}
        rows = {row[2]: row[3:] for row in match.membership.rows()}
        assert rows["TCGA-AA-0001-06A"] == ("another sample", "tcga-aa-0001-01a")
        assert rows["TCGA-AA-0001-11A"] == rows["TCGA-AA-0003-10A"] == ("normal tissue", None)
        assert rows[None] == ("missing here", None)
        told = [p.got for p in match.problems]
        assert (
            "1 further samples or visits of a subject were passed over ('TCGA-AA-0001-06A' for 'tcga-aa-0001-01a')"
            in (told)
        )
        assert any(t.startswith("2 samples of normal tissue or controls were left out") for t in told)


def test_samples_that_no_rule_tells_apart_are_still_left_out():
    cohort = _cohort(["TCGA-AA-0001"], barcode="tcga")
    match = cohort.match("ihc.csv", ["TCGA-AA-0001", "tcga-aa-0001"])
    assert match.mapping == {}
    assert match.problems[0].got.endswith("all were left out")


@given(st.sets(st.text("ab1-", min_size=1, max_size=4), min_size=1), st.lists(st.text("ABab1-", max_size=4)))
def test_nobody_is_lost(ids, raw):
    cohort = _cohort(sorted(ids), case="upper") if len({i.upper() for i in ids}) == len(ids) else _cohort(sorted(ids))
    match = cohort.match("s", raw)
    rows = match.membership
    assert set(cohort.subjects) <= set(rows["subject"])
    assert set(rows["raw_id"].drop_nulls()) == set(raw)
    assert sorted(rows.filter(status="joined")["raw_id"]) == sorted(match.mapping)
    # The slow, obvious twin: a raw id joins when it alone becomes the id of a subject.
    for r in set(raw):
        normal = cohort.ids.normalise(r)
        alone = [q for q in set(raw) if cohort.ids.normalise(q) == normal] == [r]
        assert match.mapping.get(r) == (normal if normal in cohort.subjects and alone else None)


def test_a_list_of_patients_stands_in_the_way_of_no_sample():
    cohort = _cohort([f"TCGA-AA-000{i}" for i in range(1, 5)], barcode="tcga", visit=r"(_V\d)$")
    raw = ["TCGA-AA-0001", "TCGA-AA-0001-02A-11D", "TCGA-AA-0001-01A-11D", "TCGA-AA-0001-01", "TCGA-AA-0002"]
    raw += ["TCGA.AA.0002.01A", "TCGA-AA-0002_V1", "TCGA-AA-0003-01", "TCGA-AA-0003-02A", "TCGA-AA-0004"]
    match = cohort.match("maf", raw, several=True)
    passed = dict(match.membership.filter(status="another sample").select("raw_id", "nearest").iter_rows())
    assert passed == {
        "TCGA-AA-0001-02A-11D": "TCGA-AA-0001-01A-11D",  # the primary tumour rules
        "TCGA-AA-0002_V1": "TCGA.AA.0002.01A",  # a visit is not known to be that of the sample
        "TCGA-AA-0003-02A": "TCGA-AA-0003-01",  # somebody looked at the primary tumour and saw nothing
    }
    assert set(match.mapping) == set(raw) - set(passed)
    alone = cohort.match("rna", raw[:5])  # a source of which one column counts
    assert alone.mapping == {"TCGA-AA-0001": "TCGA-AA-0001", "TCGA-AA-0002": "TCGA-AA-0002"}


def test_another_vial_that_is_only_listed_never_counts_instead_of_one_with_variants():
    cohort = _cohort([f"TCGA-AA-000{i}" for i in range(1, 6)], barcode="tcga")
    variants = ["TCGA-AA-0001-01B-11D", "TCGA-AA-0002-01A-11D", "TCGA-AA-0003-02A", "TCGA-AA-0004-01"]
    listed = ["TCGA-AA-0001-01A-11D", "TCGA-AA-0002-01A-21D", "TCGA-AA-0003-01A", "TCGA-AA-0004-01A-11D"]
    listed.append("TCGA-AA-0005-01A")
    match = cohort.match("maf", [*variants, *listed], several=True, measured=variants)
    passed = dict(match.membership.filter(status="another sample").select("raw_id", "nearest").iter_rows())
    assert passed == {
        "TCGA-AA-0001-01A-11D": "TCGA-AA-0001-01B-11D",  # first by the rule, but nothing is known of it
        "TCGA-AA-0002-01A-21D": "TCGA-AA-0002-01A-11D",
        "TCGA-AA-0003-02A": "TCGA-AA-0003-01A",  # another tumour: the primary was looked at, and nothing seen
        "TCGA-AA-0004-01A-11D": "TCGA-AA-0004-01",
    }
    assert set(match.mapping.values()) == set(cohort.subjects)
    both = cohort.match("maf", [variants[1], listed[1]], several=True, measured=[variants[1], listed[1]])
    assert set(both.mapping) == {listed[1]}  # of two with variants the rule chooses
