import gzip

import numpy as np
import pytest

from radiolocus.errors import FormatError, TableError
from radiolocus.read.expression import read_expression, spreadsheet_dates


def put(path, text):
    path.write_text(text)
    return path


def test_genes_by_samples_and_its_transpose_are_the_same(tmp_path):
    a = read_expression(put(tmp_path / "a.tsv", "gene\ts1\ts2\nG1\t1\t2.5\nG2\t-3\tNA\n"))
    b = read_expression(put(tmp_path / "b.csv", "id,G1,G2\ns1,1,-3\ns2,2.5,\n"), orientation="samples_by_genes")
    for e in (a, b):
        assert e.genes == ("G1", "G2")
        assert e.samples == ("s1", "s2")
        np.testing.assert_array_equal(e.values, [[1, 2.5], [-3, np.nan]])
        assert [n.count for n in e.notes] == [1]


def test_table_as_r_writes_it(tmp_path):
    e = read_expression(put(tmp_path / "a.txt", '"s1"\t"s2"\n"G1"\t1\t2\n'))
    assert (e.genes, e.samples) == (("G1",), ("s1", "s2"))


def test_annotation_columns_are_no_samples(tmp_path):
    e = read_expression(put(tmp_path / "a.txt", "Hugo_Symbol\tEntrez_Gene_Id\ts1\nG1\t7157\t2\n"))
    assert e.samples == ("s1",)
    assert "Entrez_Gene_Id" in e.notes[0].got


def test_id_column_and_dropped_columns(tmp_path):
    path = put(tmp_path / "a.tsv", "n\tPID\tRecurrence\tG1\n1\ts1\tyes\t4\n")
    e = read_expression(path, orientation="samples_by_genes", id_column="PID", drop=("n", "Recurrence"))
    assert (e.genes, e.samples, e.values.tolist()) == (("G1",), ("s1",), [[4.0]])
    with pytest.raises(TableError) as caught:
        read_expression(path, drop=("recurrence",))
    assert "'Recurrence'" in caught.value.todo
    with pytest.raises(TableError, match="0 columns 'pid'"):
        read_expression(path, id_column="pid")


@pytest.mark.parametrize(("cell", "got"), [("abc", "'abc'"), ("inf", "'inf'"), ("1,5", "'1,5'"), ("<0.1", "'<0.1'")])
def test_a_cell_that_is_no_number_is_named(tmp_path, cell, got):
    with pytest.raises(TableError) as caught:
        read_expression(put(tmp_path / "a.tsv", f"gene\ts1\ts2\nG1\t1\t2\nG2\t3\t{cell}\n"))
    assert caught.value.got == got
    assert caught.value.where == "a.tsv, line 3 (G2), column 's2'"


def test_repeats_are_refused_by_name(tmp_path):
    with pytest.raises(TableError) as caught:
        read_expression(put(tmp_path / "a.tsv", "gene\ts1\nG1\t1\nG2\t1\nG1\t2\n"))
    assert "1 genes more than once (G1)" in caught.value.got
    with pytest.raises(TableError, match=r"samples more than once \(s1\)"):
        read_expression(put(tmp_path / "b.tsv", "gene\ts1\ts1\nG1\t1\t2\n"))
    with pytest.raises(TableError, match=r"samples more than once \(s1\)"):
        read_expression(put(tmp_path / "c.tsv", "id\tG1\ns1\t1\ns1\t1\n"), orientation="samples_by_genes")


def test_nameless_row_and_wrong_separator(tmp_path):
    with pytest.raises(TableError) as caught:
        read_expression(put(tmp_path / "a.tsv", "gene\ts1\n\t1\n"))
    assert caught.value.where == "a.tsv, line 2, first column"
    with pytest.raises(FormatError, match="0 columns of values"):
        read_expression(put(tmp_path / "b.tsv", "gene,s1\nG1,1\n"))


GCT12 = "#1.2\n2\t2\nName\tDescription\ts1\ts2\nG1\tfirst\t1\t2\nG2\tna\t3\t4\n"
GCT13 = "#1.3\n1\t2\t2\t1\nid\tchr\tdesc\ts1\ts2\nbatch\tna\tna\tA\tB\nG1\t17\tx\t5\t6\n"


def test_gct(tmp_path):
    e = read_expression(put(tmp_path / "a.gct", GCT12))
    assert (e.genes, e.samples, e.values.tolist()) == (("G1", "G2"), ("s1", "s2"), [[1, 2], [3, 4]])
    (tmp_path / "b.gct.gz").write_bytes(gzip.compress(GCT13.encode()))
    e = read_expression(tmp_path / "b.gct.gz")
    assert (e.genes, e.samples, e.values.tolist()) == (("G1",), ("s1", "s2"), [[5, 6]])


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (GCT12.replace("2\t2", "3\t2", 1), "2 genes × 2 samples"),
        (GCT12.replace("#1.2", "#9"), "'#9'"),
        ("#1.2\n", "'#1.2'"),
    ],
)
def test_gct_that_contradicts_itself(tmp_path, text, got):
    with pytest.raises(FormatError) as caught:
        read_expression(put(tmp_path / "a.gct", text))
    assert got in caught.value.got


def test_gct_has_genes_in_rows(tmp_path):
    with pytest.raises(TableError, match="samples_by_genes"):
        read_expression(put(tmp_path / "a.gct", GCT12), orientation="samples_by_genes")


def test_genes_that_became_dates():
    assert spreadsheet_dates(["TP53", "1-Sep", "2-Mar", "SEP15", "MARCHF1", "Mar-01", "2024-09-01"]) == [
        "1-Sep",
        "2-Mar",
        "Mar-01",
        "2024-09-01",
    ]


def test_nsclc(data):
    e = read_expression(
        data("nsclc_radiogenomics/rnaseq_130x140_GSE103584_subset.tsv"),
        orientation="samples_by_genes",
        drop=("Recurrence",),
    )
    assert e.values.shape == (140, 130)
    assert not np.isnan(e.values).any()
    assert e.values[e.genes.index("SMC1B"), e.samples.index("R01-023")] == 0.608692
