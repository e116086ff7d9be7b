"""Tables of subjects: what joins, what is set aside, and what is said about it."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, ColumnOptions, IdRules, SourceTable, build
from radiolocus.errors import ConfigError, TableError
from radiolocus.read.clinical import read_table
from radiolocus.schema import conform


def _table(source, columns, **more):
    frame = pl.DataFrame(columns)
    return SourceTable(source, frame, range(2, frame.height + 2), **more)


def _said(cohort, severity):
    return [(p.where, p.got) for p in cohort.problems if p.severity == severity]


def test_two_tables_are_joined_and_the_gaps_are_said():
    a = _table("a.csv", {"id": ["S10", "S2", "S1"], "age": [1, 2, 3]})
    b = _table("b.csv", {"pid": ["S2", "S10", "S3"], "size": [0.5, None, 1.5]}, id="pid")
    cohort = build([a, b], CohortOptions(id="id"))
    assert cohort.subjects == ("S1", "S2", "S3", "S10")
    assert cohort.frame.rows() == [("S1", 3, None), ("S2", 2, 0.5), ("S3", None, 1.5), ("S10", 1, None)]
    assert conform(cohort.frame, "cohort/subjects").equals(cohort.frame)
    assert conform(cohort.membership, "cohort/membership").rows() == [
        ("S10", "a.csv", "S10", "joined", None),
        ("S2", "a.csv", "S2", "joined", None),
        ("S1", "a.csv", "S1", "joined", None),
        ("S3", "a.csv", None, "missing here", None),
        ("S2", "b.csv", "S2", "joined", None),
        ("S10", "b.csv", "S10", "joined", None),
        ("S3", "b.csv", "S3", "joined", None),
        ("S1", "b.csv", None, "missing here", None),
    ]
    assert _said(cohort, "note") == [
        ("a.csv", "1 of 4 subjects are not in this table: 'S3'"),
        ("b.csv", "1 of 4 subjects are not in this table: 'S1'"),
    ]


def test_the_order_of_rows_does_not_matter():
    frame = pl.DataFrame({"id": [f"P{i}" for i in range(20)], "x": range(20)})
    one = build([("t", frame, range(2, 22))], CohortOptions(id="id"))
    other = build([("t", frame.reverse(), range(2, 22))], CohortOptions(id="id"))
    assert one.frame.equals(other.frame)


def test_duplicate_ids_are_set_aside_unless_the_rows_are_identical():
    table = _table("a.csv", {"id": ["A", "B", "a", "B", "C", None, ""], "x": [1, 2, 3, 2, 4, 5, 6]})
    cohort = build([table], CohortOptions(id="id", ids=IdRules(case="upper")))
    assert cohort.frame.rows() == [("B", 2), ("C", 4)]
    assert _said(cohort, "set aside") == [
        ("a.csv, rows 2, 4", "2 different rows of one subject ('A', 'a'); all were left out"),
        ("a.csv, rows 7, 8", "2 rows without an id"),
    ]
    assert ("a.csv, rows 3, 5", "2 identical rows of one subject count as one") in _said(cohort, "note")
    assert ("a.csv", "1 of 7 ids were changed by the id rules ('a' to 'A')") in _said(cohort, "note")
    assert cohort.membership.filter(subject="A")["status"].to_list() == ["not in cohort"] * 2


def test_a_subject_set_aside_in_one_table_stays_through_the_other():
    a = _table("a.csv", {"id": ["A", "A", "B"], "x": [1, 2, 3]})
    b = _table("b.csv", {"id": ["A", "B"], "y": [7, 8]})
    cohort = build([a, b], CohortOptions(id="id"))
    assert cohort.frame.rows() == [("A", None, 7), ("B", 3, 8)]
    assert cohort.membership.filter(subject="A", source="a.csv")["status"].to_list() == ["missing here"]


def test_conflicts_between_tables_name_both_places_and_the_first_rules():
    a = _table("a.csv", {"id": ["A", "B", "C"], "idh": [1, None, 0], "t": ["1", "x", None]})
    b = _table("b.csv", {"id": ["C", "B", "A"], "idh": [1.0, 1.0, 1.0], "t": [2, None, 1]})
    cohort = build([a, b], CohortOptions(id="id"))
    assert cohort.frame.rows() == [("A", 1, "1"), ("B", 1, "x"), ("C", 0, "2")]
    (problem,) = cohort.problems
    assert (problem.subject, problem.item, problem.where) == ("C", "idh", "b.csv, row 2, column 'idh'")
    assert problem.got == "'1' against a.csv, row 4, column 'idh': '0' there was kept"
    assert "named first" in problem.todo


def test_a_value_of_another_type_is_never_taken_over_silently():
    a = _table("a.csv", {"id": ["A", "B"], "x": [1, None]})
    b = _table("b.csv", {"id": ["A", "B"], "x": ["one", "two"]})
    cohort = build([a, b], CohortOptions(id="id"))
    assert cohort.frame["x"].to_list() == [1, None]
    assert [p.got for p in cohort.problems] == [
        "'one' against a.csv, row 2, column 'x': '1' there was kept",
        "'two' against a.csv, row 3, column 'x': which is of another type and was left out",
    ]


def test_a_fraction_does_not_become_a_whole_number():
    a = _table("a.csv", {"id": ["A", "B"], "x": [1, None]})
    b = _table("b.csv", {"id": ["A", "B"], "x": [1.5, 2.5]})
    cohort = build([a, b], CohortOptions(id="id"))
    assert cohort.frame["x"].to_list() == [1.0, 2.5]
    assert len(cohort.problems) == 1


def test_categories_of_two_tables_are_compared_as_words():
    a = _table("a.csv", {"id": ["A", "B", "C"], "g": ["2", None, None]})
    b = _table("b.csv", {"id": ["A", "B", "C"], "grade": [2, 1, 7]})
    columns = {"g": ColumnOptions("category", ("1", "2"), rename="grade")}
    cohort = build([a, b], CohortOptions(id="id", columns=columns))
    assert cohort.frame["grade"].to_list() == ["2", "1", None]
    assert [p.got for p in cohort.problems] == [
        "'7' against a.csv, row 4, column 'grade': which is of another type and was left out"
    ]


def test_columns_types_categories_and_names():
    table = _table(
        "a.csv", {"id": ["A", "B", "C"], "n": ["1", "x", None], "grade": [1.0, 3.0, 9.0], "subject": ["u", "v", "w"]}
    )
    columns = {
        "n": ColumnOptions("number", rename="score"),
        "grade": ColumnOptions("category", ("3", "2", "1")),
    }
    cohort = build([table], CohortOptions(id="id", columns=columns))
    assert cohort.frame.columns == ["subject", "score", "grade", "subject (a.csv)"]
    assert cohort.frame["score"].to_list() == [1.0, None, None]
    assert cohort.frame["grade"].to_list() == ["1", "3", None]
    assert cohort.frame["grade"].to_physical().to_list() == [2, 0, None]
    found = [(p.subject, p.where, p.got, p.allowed) for p in cohort.problems if p.severity == "no value"]
    assert found == [
        ("B", "a.csv, row 3, column 'n'", "'x' became null", "a number"),
        ("C", "a.csv, row 4, column 'grade'", "'9.0' became null", "one of 3, 2, 1"),
    ]


def test_unknown_columns_name_the_nearest():
    table = _table("a.csv", {"Patient ID": ["A"], "Age": [1]})
    with pytest.raises(ConfigError) as caught:
        build([table], CohortOptions(id="patient id"))
    assert caught.value.where == "cohort.id, a.csv"
    assert caught.value.todo == "did you mean 'Patient ID'?"
    with pytest.raises(ConfigError, match=r"cohort.columns: no column 'agee'.*did you mean 'Age'"):
        build([table], CohortOptions(columns={"agee": ColumnOptions("number")}))
    with pytest.raises(ConfigError, match="is a column already"):
        build([_table("a", {"id": ["A"], "x": [1], "y": [2]})], CohortOptions(columns={"x": ColumnOptions(rename="y")}))


def test_refusals():
    with pytest.raises(ConfigError, match="no table of subjects"):
        build([], CohortOptions())
    with pytest.raises(TableError, match=r"no subject is left.*2 different rows of one subject"):
        build([_table("a.csv", {"id": ["A", "A"], "x": [1, 2]})], CohortOptions(id="id"))
    for wrong in ({"type": "text"}, {"type": "number", "categories": ("a",)}, {"categories": ("a", "a")}):
        with pytest.raises(ConfigError):
            ColumnOptions(**wrong)


def test_the_first_column_is_the_id_and_that_is_said():
    cohort = build([_table("a.csv", {"pid": [2, 10], "x": [1, 2]})], CohortOptions())
    assert cohort.subjects == ("2", "10")
    assert ("a.csv", "the first column, 'pid', was taken as the id column") in _said(cohort, "note")


# --- real tables ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def glioma(data):
    clinical = read_table(data("tcga_glioma/TCGA_clinical_INFO.csv"), id_column="Tumor")
    vasari = read_table(data("tcga_glioma/TCGA_vasari_INFO.csv"), id_column="column 1")
    status = read_table(data("tcga_glioma/tcga_glioma_1122_idh_1p19q_mgmt_subtype.tsv"), id_column="Case")
    return [
        SourceTable(t.source, t.frame, t.row_number, i)
        for t, i in ((clinical, "Tumor"), (vasari, "column 1"), (status, "Case"))
    ]


def test_glioma_naive_join_loses_42_and_says_which_ids_belong_together(glioma):
    cohort = build(glioma[:2], CohortOptions())
    assert len(cohort.subjects) == 188 + 42
    for table in glioma[:2]:
        rows = cohort.membership.filter(source=table.source)
        assert (rows["status"] == "joined").sum() == 188
        absent = rows.filter(status="missing here")
        assert absent.height == 42
        assert absent["nearest"].null_count() == 0
        gap = next(p for p in cohort.problems if p.where == table.source and "are not in this table" in p.got)
        assert gap.count == 42
        assert gap.todo.startswith("42 of them resemble ids that only this table has")
    pairs = dict(cohort.membership.filter(pl.col("nearest").is_not_null()).select("subject", "nearest").rows())
    assert pairs["TCGA-EZ-7264A"] == "TCGA-EZ-7264"
    assert pairs["TCGA-Ht-7467"] == "TCGA-HT-7467"


def test_glioma_rules_recover_all_188_and_report_it(glioma):
    rules = IdRules(case="upper", extract=r"^(TCGA-..-....)")
    cohort = build(glioma[:2], CohortOptions(ids=rules))
    assert len(cohort.subjects) == 188
    assert set(cohort.membership["status"]) == {"joined"}
    changed = [p for p in cohort.problems if "changed by the id rules" in p.got]
    assert [p.count for p in changed] == [42]
    match = cohort.match("status", glioma[2].frame["Case"])
    assert len(match.mapping) == 188


def test_glioma_barcodes_are_known_without_a_pattern(glioma):
    cohort = build(glioma[:2], CohortOptions(ids=IdRules(barcode="tcga")))
    assert len(cohort.subjects) == 188
    assert set(cohort.membership["status"]) == {"joined"}
    assert len(cohort.match("status", glioma[2].frame["Case"]).mapping) == 188


def test_ispy2_visits_join_by_patient(data):
    clinical = read_table(data("ispy2/combined_clin_radiogenomic.csv"), id_column="patientid")
    rules = IdRules(visit=r"_(\d{4})$", replace=((r"^ACRIN-6698-", ""),))
    cohort = build(
        [SourceTable(clinical.source, clinical.frame.select("patientid", "pCR"), clinical.row_number, "patientid")],
        CohortOptions(ids=rules),
    )
    assert len(cohort.subjects) == 982
    with data("ispy2/TCIA_ACRIN-6698_feature_extracted.csv").open() as file:
        raw = [line.split(",")[0] for line in file][1:]
    visits = set(raw)
    match = cohort.match("radiomics", raw)
    # 266 patients have images; of the several visits of each the first counts.
    assert len({rules.normalise(r) for r in raw}) == 266
    assert len(match.mapping) == len(set(match.mapping.values()))
    assert all(r == min(v for v in visits if rules.normalise(v) == s) for r, s in match.mapping.items())
    passed = match.membership.filter(status="another sample").height
    strangers = match.membership.filter(status="not in cohort").height
    assert len(match.mapping) + passed + strangers == len(visits)
    assert strangers < 0.05 * len(visits)


def test_nsclc_three_way_join_is_60(data):
    labels = read_table(data("nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv"), id_column="Patient ID")
    table = SourceTable(labels.source, labels.frame, labels.row_number, "Patient ID")
    # The images are named by the path of their file.
    cohort = build([table], CohortOptions(ids=IdRules(extract=r"(R01-\d{3}|AMC-\d{3})")))
    with data("nsclc_radiogenomics/rnaseq_130x140_GSE103584_subset.tsv").open() as file:
        rna = cohort.match("rna", [line.split("\t")[0] for line in file][1:])
    images = read_table(data("nsclc_radiogenomics/pyradiomics_CT_60x1804.csv")).frame
    seen = cohort.match("images", images["Image"].to_list())
    assert len(rna.mapping) == 130
    assert len(set(rna.mapping.values()) & set(seen.mapping.values())) == 60


def test_glioma_tables_disagree_on_idh_for_8_of_187(glioma):
    clinical, _, status = glioma
    one = clinical._replace(frame=clinical.frame.select("Tumor", idh="IDH1"))
    two = status._replace(
        frame=status.frame.select("Case", idh=pl.col("IDH status").replace_strict({"Mutant": 1, "WT": 0}, default=None))
    )
    cohort = build([one, two], CohortOptions())
    conflicts = [p for p in cohort.problems if p.item == "idh"]
    assert len(conflicts) == 8
    assert all("there was kept" in p.got for p in conflicts)
    assert one.frame["idh"].count() == 187
