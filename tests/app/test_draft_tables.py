"""Tables looked at with fresh eyes."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.app.draft_tables import best_rules, guess_endpoints, judge, look
from radiolocus.cohort import IdRules


def _look(tmp_path, columns, known=(), name="t.csv"):
    pl.DataFrame(columns).write_csv(tmp_path / name)
    (table,), findings = look(tmp_path, name, known)
    assert findings == []
    return table


def test_the_id_column_by_overlap_name_or_place(tmp_path):
    columns = {"row": [1, 2, 3], "Age": [50, 60, 70], "Patient ID": ["a", "b", "c"], "code2": ["X1", "X2", "X3"]}
    table = _look(tmp_path, columns)
    assert (table.id, table.kind) == ("Patient ID", "subjects")
    assert judge(table, {"X1", "X2", "Y"}).id == "code2"
    assert _look(tmp_path, {"who": ["a", "b"], "x": [1.5, 2]}).id == "who"
    assert _look(tmp_path, {"x": [1.5, 2.5], "y": [1.5, 2]}).id is None


def test_kinds(tmp_path):
    assert _look(tmp_path, {"subject": ["a", "a"], "x": [1, 2]}).kind == "several rows"
    lesions = {"subject": ["a", "a"], "lesion": ["T1", "T2"], "diameter_mm": [10, 20], "visit": ["v1", "v1"]}
    assert _look(tmp_path, lesions).kind == "lesions"
    assert _look(tmp_path, {"subject": ["a"], "image": ["i"], "mask": ["m"]}).kind == "images"
    assert _look(tmp_path, {"id": ["a"], "original_glcm_Contrast": [1.0], "diagnostics_x": [1]}).kind == "features"
    genes = {f"GENE{i}": [0.5, 1.5] for i in range(30)}
    by_sample = _look(tmp_path, {"id": ["a", "b"], **genes, "Recurrence": [0, 1]})
    assert (by_sample.kind, by_sample.orientation, by_sample.not_genes) == (
        "expression",
        "samples_by_genes",
        ("Recurrence",),
    )
    by_gene = {"gene": list(genes), "s1": [float(i) for i in range(30)], "s2": [1.5] * 30}
    assert _look(tmp_path, by_gene, {"s1", "s2"}).orientation == "genes_by_samples"


def test_a_table_that_cannot_be_read_is_a_finding(tmp_path):
    (tmp_path / "t.csv").write_text("")
    (tmp_path / "t.xlsx").write_text("PK")
    assert look(tmp_path, "t.csv", ()) == (
        [],
        ["t.csv: left out, t.csv: an empty table; allowed: a header and at least one row"],
    )
    found, findings = look(tmp_path, "t.xlsx", ())
    assert found == []
    assert "not a readable workbook" in findings[0]


def test_survival_needs_times_of_those_without_the_event(tmp_path):
    table = _look(
        tmp_path,
        {
            "id": list("abcdefgh"),
            "Vital status": ["Dead"] * 5 + ["Alive"] * 3,
            "Days to death": [1, 2, 3, 4, 5, None, None, None],
        },
    )
    binary, survival = guess_endpoints([table])
    assert (binary.kind, binary.value) == ("binary", "Dead")
    assert (survival.time, survival.unit) == ("Days to death", "days")
    assert survival.doubt == "only 0 of 3 without the event have 'Days to death'; name a censor_time, or leave it"


def test_times_and_events_of_one_kind_belong_together(tmp_path):
    n = 8
    table = _look(
        tmp_path,
        {
            "id": [f"p{i}" for i in range(n)],
            "pfs_event": [0, 1] * 4,
            "death": [0, 0, 1, 1] * 2,
            "os_months": [float(i) for i in range(n)],
            "pfs_months": [float(i) / 2 for i in range(n)],
            "EGFR status": ["yes", "no"] * 4,
            "days to scan": list(range(-3, n - 3)),
        },
    )
    found = {(g.event, g.time) for g in guess_endpoints([table]) if g.kind == "survival"}
    assert found == {("pfs_event", "pfs_months"), ("death", "os_months")}


@pytest.mark.parametrize(
    ("first", "second", "rules", "joined", "plain"),
    [
        ({"a1", "b2"}, {"a1"}, IdRules(), 1, 1),
        ({"a1", "b2"}, {"A1", "b2"}, IdRules(case="upper"), 2, 1),
        ({"a_1", "b_2"}, {"A-1"}, IdRules(case="upper", replace=(("[-_. ]+", "_"),)), 1, 0),
        ({"TCGA-AA-1234"}, {"TCGA-aa-1234-01A"}, IdRules(case="upper", extract=r"^(TCGA-\w{2}-\w{4})"), 1, 0),
        ({"x"}, {"y"}, IdRules(), 0, 0),
    ],
)
def test_the_simplest_rules_that_join_most(first, second, rules, joined, plain):
    assert best_rules([first, second]) == (rules, joined, plain)


def test_rules_never_merge_two_subjects():
    assert best_rules([{"a", "A"}, {"A", "a"}])[0] == IdRules()
    assert best_rules([{"a", "A", "b"}, {"B"}])[0] == IdRules()
