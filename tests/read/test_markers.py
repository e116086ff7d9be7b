import numpy as np
import polars as pl
import pytest

from radiolocus.errors import TableError
from radiolocus.read.markers import infer_markers, read_markers


def infer(values, **how):
    column = pl.Series("m", values)
    markers, notes = infer_markers(column, range(2, 2 + len(values)), "t.csv", **how)
    return {m.name: (m.kind, [None if np.isnan(v) else v for v in m.values]) for m in markers}, notes


@pytest.mark.parametrize(
    ("present", "absent"),
    [
        ("Mutant", "Wildtype"),
        ("mut", "WT"),
        ("yes", "No"),
        ("positive", "Negative"),
        ("+", "-"),
        ("TRUE", "FALSE"),
        ("Methylated", "Unmethylated"),
        ("codel", "non-codel"),
        ("G-CIMP", "non-G-CIMP"),
        ("Checked", "Unchecked"),
        ("High", "Low"),
        ("MSI-H", "MSS"),
    ],
)
def test_words_for_present_and_absent(present, absent):
    found, notes = infer([present, absent, None, present.lower(), present])
    assert found == {"m": ("binary", [1, 0, None, 1, 1])}
    assert f"1 = '{present}', 0 = '{absent}'" in notes[0].got
    assert "3 present, 1 absent, 1 missing" in notes[0].got


@pytest.mark.parametrize(
    ("values", "kind", "coded", "said"),
    [
        ([0, 1, None, 1], "binary", [0, 1, None, 1], 0),
        ([0.0, 0.0], "binary", [0, 0], 0),
        ([1, 2, 2, None], "binary", [0, 1, 1, None], 1),
        ([0, 1, 2], "continuous", [0, 1, 2], 0),
        ([0.5, 7.25, None, -1.0], "continuous", [0.5, 7.25, None, -1.0], 0),
        ([5, 5], "continuous", [5, 5], 0),
    ],
)
def test_numbers(values, kind, coded, said):
    found, notes = infer(values)
    assert found == {"m": (kind, coded)}
    assert len(notes) == said


def test_two_other_texts_are_named_by_the_one_that_is_present():
    found, notes = infer(["Stanford", "VA", None, "VA"])
    assert found == {"m=VA": ("binary", [0, 1, None, 1])}
    assert "'m=VA'" in notes[0].got


def test_three_texts_become_one_marker_each():
    found, notes = infer(["A", "B", "C", "a", None, "C", "A"])
    assert found == {
        "m=A": ("binary", [1, 0, 0, 1, None, 0, 1]),
        "m=B": ("binary", [0, 1, 0, 0, None, 0, 0]),
        "m=C": ("binary", [0, 0, 1, 0, None, 1, 0]),
    }
    assert notes[0].severity == "note"


def test_a_single_stray_text_is_set_aside_by_name():
    found, notes = infer(["Mutant", "WT"] * 10 + ["glioblastoma"])
    assert found == {"m": ("binary", [1, 0] * 10 + [None])}
    problem = notes[1]
    assert problem.severity == "no value"
    assert "'glioblastoma'" in problem.got
    assert problem.where == "t.csv, row 22, column 'm'"
    assert "'Mutant', 'WT'" in problem.allowed


def test_a_third_text_that_comes_often_is_a_category():
    found, _ = infer(["yes", "no", "maybe"] * 4)
    assert set(found) == {"m=yes", "m=no", "m=maybe"}
    found, _ = infer(["high", "low"] * 15 + ["intermediate"])
    assert set(found) == {"m=high", "m=low", "m=intermediate"}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([f"remark {i}" for i in range(9)], "9 different texts"),
        ([f"t{i}" for i in range(13)] * 4, "13 different texts"),
        (["Adeno"] * 5, "one value in every row"),
        ([None, None], "no value in any row"),
        (pl.Series("m", [None, None], pl.Float64), "no value in any row"),
    ],
)
def test_columns_that_are_no_markers(values, why):
    found, notes = infer(values)
    assert found == {}
    assert why in notes[0].got


def test_what_the_study_demands_rules():
    found, _ = infer(["T", "W", "X", None], positive="t")
    assert found == {"m": ("binary", [1, 0, 0, None])}
    found, _ = infer([1, 2, 3], positive="2")
    assert found == {"m": ("binary", [0, 1, 0])}
    found, _ = infer([0, 1, 1], kind="continuous")
    assert found == {"m": ("continuous", [0, 1, 1])}
    found, _ = infer([1, 2, 3, 1, 2, 3], kind="categorical")
    assert set(found) == {"m=1", "m=2", "m=3"}
    found, _ = infer(["yes", "no"], kind="categorical")
    assert found == {"m=yes": ("binary", [1, 0])}


@pytest.mark.parametrize(
    ("values", "how", "got"),
    [
        (["a", "b"], {"kind": "continuous"}, "holds text"),
        ([1, 2, 3], {"kind": "binary"}, "3 different numbers"),
        (["a", "b", "c"], {"kind": "binary"}, "3 different texts"),
        (["Mutant", "WT"], {"positive": "mutan"}, "no cell 'mutan'"),
    ],
)
def test_what_the_study_demands_and_the_column_lacks(values, how, got):
    with pytest.raises(TableError, match=got):
        infer(values, **how)


def test_table(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,IDH,age,note\n01,Mutant,50,a\n02,WT,61,b\n03,?,70,c\n")
    file = read_markers(path)
    assert file.ids == ("01", "02", "03")
    assert file.rows == (2, 3, 4)
    assert [(c.name, c.kind) for c in file.columns] == [("IDH", "binary"), ("age", "continuous")]
    assert all(p.stage == "molecular" for p in file.notes)
    assert any("'?' read as missing" in p.got for p in file.notes)
    assert [c.name for c in read_markers(path, columns=("IDH",)).columns] == ["IDH"]
    assert [c.name for c in read_markers(path, drop=("IDH", "note")).columns] == ["age"]
    with pytest.raises(TableError) as caught:
        read_markers(path, columns=("idh",))
    assert "'IDH'" in caught.value.todo
    with pytest.raises(TableError, match="no column that is a marker"):
        read_markers(path, columns=("note",))


def test_row_without_id(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,x,y\n1,1,2\n,2,4\n3,5,7\n")
    with pytest.raises(TableError) as caught:
        read_markers(path)
    assert caught.value.where == "m.csv, row 3, column 'id'"


def test_nsclc_labels(data):
    path = data("nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv")
    file = read_markers(path, id_column="Patient ID", columns=("EGFR mutation status", "KRAS mutation status"))
    # 43 EGFR-mutant and 38 KRAS-mutant patients: Bakr et al. 2018, Scientific Data 5:180202, as distributed
    assert [(c.kind, int(np.nansum(c.values))) for c in file.columns] == [("binary", 43), ("binary", 38)]
    assert [int((c.values == 0).sum()) for c in file.columns] == [129, 133]


def test_tcga_glioma_table_with_one_corrupt_cell(data):
    file = read_markers(data("tcga_glioma/tcga_glioma_1122_idh_1p19q_mgmt_subtype.tsv"))
    columns = {c.name: c for c in file.columns}
    assert int(np.nansum(columns["IDH status"].values)) == 457
    assert int((columns["IDH status"].values == 0).sum()) == 537
    assert int(np.nansum(columns["1p/19q codeletion"].values)) == 171
    assert int(np.nansum(columns["MGMT promoter status"].values)) == 613
    (corrupt,) = [p for p in file.notes if p.severity == "no value"]
    assert "'glioblastoma'" in corrupt.got
