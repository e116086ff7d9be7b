"""Clinical tables: what is understood, what is said, and what is refused."""

from __future__ import annotations

import gzip
import math
import re

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.errors import FormatError, TableError
from radiolocus.read.clinical import MISSING, read_table


def _write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def _book(tmp_path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = tmp_path / "t.xlsx"
    book.save(path)
    return path


def _said(table, severity="note"):
    return [p.got for p in table.problems if p.severity == severity]


# --- types and missing values --------------------------------------------------------------------------------------


def test_columns_get_their_types_and_rows_their_numbers(tmp_path):
    table = read_table(_write(tmp_path, "id,whole,real,text\na,1,1.5,x\n\nb,-2,1e3,y\n"))
    assert table.frame.to_dict(as_series=False) == {
        "id": ["a", "b"],
        "whole": [1, -2],
        "real": [1.5, 1000.0],
        "text": ["x", "y"],
    }
    assert table.frame.dtypes == [pl.String, pl.Int64, pl.Float64, pl.String]
    assert table.row_number == (2, 4)
    assert _said(table) == ["1 blank rows between the rows were left out"]


def test_every_marker_is_null_and_counted(tmp_path):
    markers = [m for m in MISSING if m] + ["N/A", "NA", "Not Available", "NaN", "NULL", "Unknown", " ? "]
    rows = "".join(f"s{i},{m},5\n" for i, m in enumerate(markers))
    table = read_table(_write(tmp_path, "id,age,n\n" + rows + "z,41,6\nempty,,7\n"))
    assert table.frame["age"].drop_nulls().to_list() == [41]
    assert table.frame["age"].dtype == pl.Int64
    assert table.missing["count"].sum() == len(markers) + 1
    assert table.missing.filter(marker="?")["count"].item() == 2
    assert "'N/A' read as missing in 1 cells ('age' 1)" in _said(table)
    assert "empty cells read as missing in 1 cells ('age' 1)" in _said(table)


def test_a_study_may_add_markers(tmp_path):
    path = _write(tmp_path, "id,age\na,999\nb,41\n")
    assert read_table(path).frame["age"].to_list() == [999, 41]
    assert read_table(path, missing=["999"]).frame["age"].to_list() == [None, 41]


def test_minus_beside_plus_is_a_result_not_a_gap(tmp_path):
    table = read_table(_write(tmp_path, "id,her2,grade\na,+,1\nb,-,-\n"))
    assert table.frame["her2"].to_list() == ["+", "-"]
    assert table.frame["grade"].to_list() == [1, None]


def test_a_text_in_a_column_of_numbers_is_named_and_the_rest_goes_on(tmp_path):
    rows = "".join(f"s{i},{i}\n" for i in range(9))
    table = read_table(_write(tmp_path, "id,age\n" + rows + "s9,only T2\n"))
    assert table.frame["age"].to_list() == [*range(9), None]
    (problem,) = [p for p in table.problems if p.severity == "no value"]
    assert problem.got == "text 'only T2' in a column of numbers became null"
    assert problem.where == "t.csv, row 11, column 'age'"
    assert problem.allowed.startswith("a number (9 of 10 filled cells are)")
    assert problem.item == "age"
    assert "declare the column as text" in problem.todo


def test_below_ninety_percent_the_column_is_text(tmp_path):
    rows = "".join(f"s{i},{i}\n" for i in range(8))
    path = _write(tmp_path, "id,stage\n" + rows + "s8,3a\n")
    table = read_table(path)
    assert table.frame["stage"].dtype == pl.String
    assert not table.problems
    demanded = read_table(path, numeric=["stage"])
    assert demanded.frame["stage"].to_list() == [*range(8), None]
    assert _said(demanded, "no value") == ["text '3a' in a column of numbers became null"]
    with pytest.raises(TableError, match=r"no number in column 'id' \(first cell 's0'\)"):
        read_table(path, numeric=["id"])


def test_identifiers_stay_text(tmp_path):
    table = read_table(
        _write(tmp_path, "id,uid,zero,a,b\n007,12345678901234567,0,1.50,2\n008,12345678901234568,0,1,3\n")
    )
    assert table.frame["id"].to_list() == ["007", "008"]
    assert table.frame["uid"].to_list() == ["12345678901234567", "12345678901234568"]
    assert table.frame["zero"].to_list() == [0, 0]
    kept = read_table(tmp_path / "t.csv", id_column="a", text=["b"])
    assert kept.frame["a"].to_list() == ["1.50", "1"]
    assert kept.frame["b"].to_list() == ["2", "3"]


@pytest.mark.parametrize("word", ["inf", "Infinity", "-inf", "1_000", "0x10", "1,5", "1e", "<0.1", "5 mm", "1e999"])
def test_what_is_not_a_finite_decimal_number_is_no_number(tmp_path, word):
    rows = "".join(f"s{i}\t{i}\n" for i in range(20))
    table = read_table(_write(tmp_path, f"id\tx\n{rows}z\t{word}\n", "t.tsv"))
    assert table.frame["x"][-1] is None
    assert len(_said(table, "no value")) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_exactly(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("exact")
    text = "id,x\n" + "".join(f"s{i},{v!r}\n" for i, v in enumerate(values))
    assert read_table(_write(folder, text)).frame["x"].cast(pl.Float64).to_list() == values


def _type_one_by_one(cells):
    """The slow, obvious twin: type a column cell by cell."""
    filled = [None if c.strip().lower() in MISSING else c.strip() for c in cells]
    numbers = [c for c in filled if c is not None and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", c)]
    numbers = [c for c in numbers if math.isfinite(float(c))]
    present = [c for c in filled if c is not None]
    identifiers = any(re.fullmatch(r"[+-]?(0\d+|\d{16,})", c) for c in present)
    if not numbers or len(numbers) < 0.9 * len(present) or identifiers:
        return filled
    whole = all(re.fullmatch(r"[+-]?\d+", c) for c in numbers)
    return [None if c not in numbers else int(c) if whole else float(c) for c in filled]


_CELLS = ["1", "2.5", "-3", "1e3", "+4", ".5", "7.", "1e999", "NA", "", "?", "x", "007", "0", "12345678901234567"]


@given(st.lists(st.sampled_from(_CELLS[:7]), max_size=12), st.lists(st.sampled_from(_CELLS), max_size=3))
def test_columns_are_typed_like_cell_by_cell(tmp_path_factory, numbers, others):
    cells = [*numbers, *others, "1"]
    text = "id,x\n" + "".join(f"s{i},{c}\n" for i, c in enumerate(cells))
    found = read_table(_write(tmp_path_factory.mktemp("twin"), text)).frame["x"].to_list()
    expected = _type_one_by_one(cells)
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


def test_decimal_commas_only_where_semicolons_delimit(tmp_path):
    table = read_table(_write(tmp_path, "id;x\na;1,5\nb;2\n"))
    assert table.frame["x"].to_list() == [1.5, 2.0]
    assert _said(table) == [
        "a header delimited by semicolon, not by comma as the file's ending says",
        "decimal commas in column 'x' were understood",
    ]
    tab = read_table(_write(tmp_path, "id\tx\na\t1,500\n", "t.tsv"))
    assert tab.frame["x"].to_list() == ["1,500"]


# --- files ---------------------------------------------------------------------------------------------------------


def test_the_delimiter_contradicts_the_ending(tmp_path):
    table = read_table(_write(tmp_path, 'id\t"a,b"\nx\t1\n'))
    assert table.frame.columns == ["id", "a,b"]
    assert "delimited by tab, not by comma" in _said(table)[0]


def test_byte_order_mark_quotes_and_gzip(tmp_path):
    text = '\ufeffid,"name, given"\r\na,"two\nlines"\r\nb,"x"\r\n'
    table = read_table(_write(tmp_path, text))
    assert table.frame.columns == ["id", "name, given"]
    assert table.frame["name, given"].to_list() == ["two\nlines", "x"]
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    assert read_table(packed).frame.equals(table.frame)
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(FormatError, match="cannot be read"):
        read_table(packed)


def test_latin_1_is_said(tmp_path):
    table = read_table(_write(tmp_path, "id,ort\na,Köln\n", encoding="latin-1"))
    assert table.frame["ort"].to_list() == ["Köln"]
    assert _said(table) == ["not UTF-8 (byte 0xf6 in line 2); read as Latin-1"]
    assert read_table(_write(tmp_path, "id,ort\na,Köln\n", encoding="utf-16")).frame["ort"].to_list() == ["Köln"]


def test_parquet_keeps_types_and_turns_nan_into_null(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame(
        {"id": [1, 2, 3], "x": [1.5, float("nan"), float("inf")], "t": ["NA", "a", None], "n": ["1", "2", "3"]}
    )
    frame.write_parquet(path)
    table = read_table(path, id_column="id")
    assert table.frame.to_dict(as_series=False) == {
        "id": ["1", "2", "3"],
        "x": [1.5, None, None],
        "t": [None, "a", None],
        "n": [1, 2, 3],
    }
    assert table.row_number == (1, 2, 3)
    assert _said(table, "no value") == ["1 infinite values in column 'x' became null"]
    assert table.missing.rows() == [("x", "", 1), ("t", "", 1), ("t", "NA", 1)]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="not a readable Parquet file"):
        read_table(path)


def test_excel_numbers_are_exact_and_rows_are_those_excel_shows(tmp_path):
    path = _book(tmp_path, {"S": [[], ["id", "x", "y"], ["007", 1 / 3, 1], [], ["b", 1e-12, "?"], ["c", 2, 3]]})
    table = read_table(path)
    assert table.frame["x"].to_list() == [1 / 3, 1e-12, 2.0]
    assert table.frame["id"].to_list() == ["007", "b", "c"]
    assert table.frame["y"].to_list() == [1, None, 3]
    assert table.row_number == (3, 5, 6)
    assert table.source == "t.xlsx, sheet 'S'"
    assert "1 blank rows above the header" in _said(table)


def test_sheets(tmp_path):
    path = _book(tmp_path, {"Clinical": [["id"], ["a"]], "Outcome": [["id"], ["b"]]})
    first = read_table(path)
    assert first.frame["id"].to_list() == ["a"]
    assert _said(first) == ["2 sheets, the first one was read"]
    assert read_table(path, sheet="Outcome").frame["id"].to_list() == ["b"]
    with pytest.raises(TableError) as caught:
        read_table(path, sheet="Outcom")
    assert caught.value.got == "no sheet 'Outcom'"
    assert caught.value.allowed == "'Clinical', 'Outcome'"
    assert caught.value.todo == "did you mean 'Outcome'?"


# --- notes and headers ---------------------------------------------------------------------------------------------


def test_notes_under_a_blank_row_are_left_out_and_said(tmp_path):
    text = "id,a,b,c\nS_1,1,2,3\nS_2,1,2,\n\nNOTES,,,\nN/A: Not Available\nS_3,,,\nKey,1 = yes,,\n"
    table = read_table(_write(tmp_path, text))
    assert table.frame["id"].to_list() == ["S_1", "S_2", "S_3"]
    note = next(p for p in table.problems if "note rows" in p.got)
    assert note.got == "3 note rows under the table were left out (NOTES; N/A: Not Available; Key)"
    assert note.where == "t.csv, rows 5-6, 8"
    assert note.count == 3


def test_notes_straight_under_the_table(tmp_path):
    table = read_table(_write(tmp_path, "id,a\nS_1,1\nS_22,\nS_3,\n* measured twice\n"))
    assert table.frame["id"].to_list() == ["S_1", "S_22", "S_3"]
    assert "1 note rows under the table were left out (* measured twice)" in _said(table)


def test_a_full_row_below_a_blank_row_is_data(tmp_path):
    table = read_table(_write(tmp_path, "id,a,b\nS_1,1,2\n,,\nother,3,4\n"))
    assert table.frame["id"].to_list() == ["S_1", "other"]
    assert table.row_number == (2, 4)


def test_one_column_has_no_notes(tmp_path):
    assert read_table(_write(tmp_path, "id\na1\nb\n")).frame["id"].to_list() == ["a1", "b"]


def test_headers_that_repeat(tmp_path):
    table = read_table(_write(tmp_path, "id,same,g,same,g,,,\na,1,2,1,x,,5\nb,3,4,3,y,,6\n"))
    assert table.frame.columns == ["id", "same", "g [3]", "g [5]", "column 7"]
    assert table.frame["g [5]"].to_list() == ["x", "y"]
    said = _said(table)
    assert "column 4 repeats column 'same' with the same cells and was left out" in said
    assert "the header 'g' stands over different columns; column 3 is called 'g [3]'" in said
    assert "column 6 has neither header nor cells and was left out" in said
    with pytest.raises(TableError, match="column 'g' stands 2 times with different ids"):
        read_table(tmp_path / "t.csv", id_column="g")


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "an empty table"),
        ("\n \n", "an empty table"),
        ("id,a\n", "a header without rows"),
        ("id,a,b\nx,1,2\ny,1\nz,1,2\n", r"1 rows whose number of cells is not that of the header \(row 3 has 2\)"),
        ("id,a\nx,1\ny,1,7\n", r"\(row 3 has 3\)"),
        ('id,a\nx,"1\ny,2\n', "quoting that cannot be followed"),
        ("id,a\nx\0,1\n", "zero bytes"),
        ("id,g [3],g,g\nx,1,2,3\n", r"two columns called 'g \[3\]'"),
    ],
)
def test_refusals_say_what_and_where(tmp_path, text, got):
    with pytest.raises((TableError, FormatError), match=got) as caught:
        read_table(_write(tmp_path, text))
    assert caught.value.where == "t.csv"
    assert caught.value.allowed or caught.value.todo


def test_names_that_do_not_exist(tmp_path):
    path = _write(tmp_path, "Patient ID,age\na,1\n")
    assert read_table(path, numeric=["elsewhere"], text=["nowhere"]).frame["age"].to_list() == [1]
    with pytest.raises(TableError, match=r"no column 'patient_id'.*'Patient ID', 'age'.*did you mean 'Patient ID'"):
        read_table(path, id_column="patient_id")
    with pytest.raises(TableError, match=r"no such file 't.cvs'.*did you mean 't.csv'"):
        read_table(tmp_path / "t.cvs")
    with pytest.raises(TableError, match=r"sheet 'S' asked of a .csv file"):
        read_table(path, sheet="S")
    with pytest.raises(TableError, match=r"a table ending in '\.dat'.*allowed: \.csv"):
        read_table(_write(tmp_path, "x", "t.dat"))
    with pytest.raises(FormatError, match="not a readable workbook"):
        read_table(_write(tmp_path, "PK", "t.xlsx"))


# --- real tables ---------------------------------------------------------------------------------------------------


def test_sarcoma_workbook(data):
    path = data("sts/INFOclinical_STS.xlsx")
    table = read_table(path, sheet="Clinical Information", id_column="Patient ID")
    assert table.frame.shape == (51, 14)
    assert table.row_number == tuple(range(2, 53))
    assert table.frame["Patient ID"][50] == "STS_051"
    note = next(p for p in table.problems if "note rows" in p.got)
    assert note.count == 8
    assert note.where.endswith("rows 55-61, 63")
    assert table.missing.rows() == [
        ("Grade", "N/A", 3),
        ("Outcome (recurrence, mets)", "--", 24),
        ("Time – diagnosis to outcome (days)", "--", 24),
    ]
    assert (table.frame["Status (NED, AWD, D)"] == "D").sum() == 15
    outcome = read_table(path, sheet="Outcome vector")
    assert outcome.frame["LungMets"].sum() == 19


def test_glioma_tables(data):
    vasari = read_table(data("tcga_glioma/TCGA_vasari_INFO.csv"), id_column="column 1")
    assert vasari.frame.height == 188
    assert vasari.frame["f1"].dtype == pl.Int64
    aside = [(p.where.split(", ", 1)[1], p.got) for p in vasari.problems if p.severity == "no value"]
    assert len(aside) == 5
    assert ("row 158, column 'f1'", "text '只有T2' in a column of numbers became null") in aside
    assert vasari.missing.filter(column="f1", marker="?")["count"].item() == 1
    clinical = read_table(data("tcga_glioma/TCGA_clinical_INFO.csv"), id_column="Tumor")
    assert clinical.frame["IDH/1p19q Subtype [7]"].dtype == pl.Int64
    assert clinical.frame["IDH/1p19q Subtype [27]"].dtype == pl.String
    features = read_table(data("tcga_glioma/medimage_ibsi_features_T1_T1CE_T2_T2F_TCGAonly.parquet"))
    assert features.frame.height == 243


def test_lung_labels(data):
    frame = read_table(data("nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv"), id_column="Patient ID").frame
    assert frame.shape == (211, 40)
    assert (frame["EGFR mutation status"] == "Mutant").sum() == 43
    assert (frame["KRAS mutation status"] == "Mutant").sum() == 38
    assert frame["EGFR mutation status"].null_count() == 39
    assert frame["Weight (lbs)"].dtype == pl.Float64


def test_breast_tables(data):
    frame = read_table(data("ispy2/combined_clin_radiogenomic.csv"), id_column="patientid").frame
    assert frame.shape == (982, 95)
    assert frame["pCR"].sum() == 315
    assert frame["patientid"].dtype == pl.String


def test_text_that_only_begins_as_utf_16_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00junk")
    with pytest.raises(FormatError) as caught:
        read_table(tmp_path / "t.csv")
    assert caught.value.got == "text that begins as UTF-16 and is none at byte 6"
    assert caught.value.where == "t.csv"
