import gzip

import polars as pl
import pytest

from radiolocus.errors import FormatError, TableError
from radiolocus.read.maf import read_maf, read_sample_list

HEADER = [
    "Hugo_Symbol",
    "Chromosome",
    "Start_Position",
    "End_position",
    "Variant_Classification",
    "Tumor_Sample_Barcode",
]
ROW = ["TP53", "17", "7577120", "7577120", "Missense_Mutation", "S1"]


def write(path, rows, header=HEADER, before="", compress=False):
    text = before + "\n".join("\t".join(r) for r in [header, *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    return path


def changed(**fields):
    return [fields.get(name, value) for name, value in zip(HEADER, ROW, strict=True)]


@pytest.mark.parametrize("compress", [False, True])
def test_gdc_and_cbioportal_files(tmp_path, compress):
    before = "#version gdc-1.0.0\n#sequenced_samples: S1 S2 S3\n"
    path = write(tmp_path / "a.maf", [ROW, changed(Tumor_Sample_Barcode="S2")], before=before, compress=compress)
    maf = read_maf(path)
    assert maf.frame.schema == {
        "Hugo_Symbol": pl.String,
        "Tumor_Sample_Barcode": pl.String,
        "Variant_Classification": pl.String,
        "Chromosome": pl.String,
        "Start_Position": pl.Int64,
        "End_Position": pl.Int64,
    }
    assert maf.frame["Tumor_Sample_Barcode"].to_list() == ["S1", "S2"]
    assert maf.sequenced == ("S1", "S2", "S3")
    assert maf.notes == ()


def test_protein_change_stands_in_for_hgvsp_short(tmp_path):
    path = write(tmp_path / "a.maf", [[*ROW, "p.R248Q"]], header=[*HEADER, "Protein_Change"])
    assert read_maf(path).frame["HGVSp_Short"].to_list() == ["p.R248Q"]
    path = write(tmp_path / "b.maf", [[*ROW, "x", "p.R248Q"]], header=[*HEADER, "Protein_Change", "HGVSp_Short"])
    assert read_maf(path).frame["HGVSp_Short"].to_list() == ["p.R248Q"]


def test_exact_repeats_are_dropped_and_counted(tmp_path):
    maf = read_maf(write(tmp_path / "a.maf", [ROW, changed(Start_Position="7"), ROW, ROW]))
    assert maf.frame["Start_Position"].to_list() == [7577120, 7]
    (note,) = maf.notes
    assert note.count == 2
    assert note.severity == "note"
    assert "repeat" in note.got
    assert note.where == "a.maf, first on line 4"


def test_rows_without_a_gene_are_said_and_their_sample_counts_as_sequenced(tmp_path):
    maf = read_maf(write(tmp_path / "a.maf", [ROW, changed(Hugo_Symbol="", Tumor_Sample_Barcode="S9")]))
    assert maf.frame.height == 1
    assert maf.sequenced == ("S9",)
    assert "without a gene" in maf.notes[0].got


def test_missing_positions_are_null(tmp_path):
    maf = read_maf(write(tmp_path / "a.maf", [changed(Start_Position="NA"), changed(Start_Position="")]))
    assert maf.frame["Start_Position"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("rows", "error", "where", "got"),
    [
        ([ROW, changed(Start_Position="7.5e6")], TableError, "a.maf, line 3, column Start_Position", "'7.5e6'"),
        ([ROW, changed(Tumor_Sample_Barcode="")], TableError, "a.maf, line 3, column Tumor_Sample_Barcode", "no value"),
        ([changed(Variant_Classification=" ")], TableError, "a.maf, line 2, column Variant_Classification", "no value"),
        ([ROW, ROW[:4]], FormatError, "a.maf, line 3", "4 fields"),
    ],
)
def test_a_bad_row_is_named(tmp_path, rows, error, where, got):
    with pytest.raises(error) as caught:
        read_maf(write(tmp_path / "a.maf", rows))
    assert caught.value.where == where
    assert got in caught.value.got
    assert caught.value.allowed
    assert caught.value.todo


def test_missing_and_repeated_columns(tmp_path):
    with pytest.raises(TableError) as caught:
        read_maf(write(tmp_path / "a.maf", [["TP53", "S1"]], header=["Hugo_Symbol", "Tumor_Sample_Barcod"]))
    assert "Tumor_Sample_Barcode, Variant_Classification" in caught.value.got
    assert "Tumor_Sample_Barcod'" in caught.value.todo
    with pytest.raises(TableError, match="'Hugo_Symbol' twice"):
        read_maf(write(tmp_path / "b.maf", [[*ROW, "x"]], header=[*HEADER, "hugo_symbol"]))


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("a.txt", "S1\nS2\nS1\n", ("S1", "S2")),
        ("a.txt", "Tumor_Sample_Barcode\nS1\n", ("S1",)),
        ("a.tsv", "age\tsample_id\n3\tS1\n4\tS2\n", ("S1", "S2")),
        ("a.csv", "who,age\nS1,3\n", ("S1",)),
    ],
)
def test_list_of_the_sequenced(tmp_path, name, text, ids):
    (tmp_path / name).write_text(text)
    assert read_sample_list(tmp_path / name) == ids


def test_empty_list_of_the_sequenced(tmp_path):
    (tmp_path / "a.txt").write_text("Sample\n")
    with pytest.raises(TableError, match="no sample id"):
        read_sample_list(tmp_path / "a.txt")


def test_tcga_laml(data):
    maf = read_maf(data("omics/tcga_laml.maf.gz"))
    assert maf.frame.height == 2207
    assert maf.frame["Tumor_Sample_Barcode"].n_unique() == 193
    assert maf.frame["HGVSp_Short"].null_count() < 2207
    assert maf.notes == ()
    assert len(read_sample_list(data("omics/tcga_laml_annot.tsv"))) == 200
