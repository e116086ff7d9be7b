import gzip

import pytest

from radiolocus.errors import FormatError, TableError
from radiolocus.read.counts import read_counts, read_sample_sheet

HTSEQ = "ENSG00000000003.15\t10\nENSG00000000005.6\t0\n__no_feature\t900\n__ambiguous\t3\n"
STAR = (
    "N_unmapped\t5\t5\t5\nN_multimapping\t6\t6\t6\nN_noFeature\t7\t8\t9\nN_ambiguous\t1\t1\t1\n"
    "ENSG00000000003\t20\t1\t19\nENSG00000000005\t4\t4\t0\n"
)
GDC = (
    "# gene-model: GENCODE v36\n"
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\t"
    "fpkm_uq_unstranded\n"
    "N_unmapped\t\t\t5\t5\t5\t\t\t\nN_multimapping\t\t\t6\t6\t6\t\t\t\nN_noFeature\t\t\t7\t8\t9\t\t\t\n"
    "N_ambiguous\t\t\t1\t1\t1\t\t\t\n"
    "ENSG00000000003.15\tTSPAN6\tprotein_coding\t20\t1\t19\t3.5\t1.25\t1.5\n"
    "ENSG00000000005.6\tTNMD\tprotein_coding\t4\t4\t0\t0.5\t0.25\t0.5\n"
)


def put(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_htseq(tmp_path):
    files = {"s1": put(tmp_path / "a.txt", HTSEQ), "s2": put(tmp_path / "b.txt.gz", HTSEQ.replace("10", "12"))}
    found = read_counts(files, "htseq")
    assert found.genes == ("ENSG00000000003.15", "ENSG00000000005.6")
    assert found.samples == ("s1", "s2")
    assert found.values.tolist() == [[10, 12], [0, 0]]


@pytest.mark.parametrize(("strand", "values"), [("unstranded", [20, 4]), ("forward", [1, 4]), ("reverse", [19, 0])])
def test_star_by_the_strand_of_the_library(tmp_path, strand, values):
    found = read_counts({"s": put(tmp_path / "a.tab", STAR)}, "star", column=strand)
    assert found.values[:, 0].tolist() == values


def test_the_strand_is_not_guessed(tmp_path):
    files = {"s": put(tmp_path / "a.tab", STAR)}
    with pytest.raises(TableError) as caught:
        read_counts(files, "star")
    assert (caught.value.got, caught.value.allowed) == ("no column", "unstranded, forward, reverse")
    with pytest.raises(TableError) as caught:
        read_counts(files, "star", column="revers")
    assert "'reverse'" in caught.value.todo
    with pytest.raises(TableError, match="none: the file has one"):
        read_counts(files, "htseq", column="reverse")
    with pytest.raises(TableError, match="gene_column 'gene_name'"):
        read_counts(files, "star", column="reverse", gene_column="gene_name")


def test_gdc(tmp_path):
    files = {"s": put(tmp_path / "a.tsv", GDC)}
    found = read_counts(files, "gdc_star", column="unstranded")
    assert (found.genes[0], found.values[:, 0].tolist()) == ("ENSG00000000003.15", [20, 4])
    found = read_counts(files, "gdc_star", column="tpm_unstranded", gene_column="gene_name")
    assert (found.genes, found.values[:, 0].tolist()) == (("TSPAN6", "TNMD"), [3.5, 0.5])
    with pytest.raises(FormatError, match="no column gene_name"):
        read_counts({"s": put(tmp_path / "b.tsv", GDC.replace("gene_name", "name"))}, "gdc_star", column="unstranded")


def test_files_that_do_not_go_together(tmp_path):
    first = put(tmp_path / "a.txt", HTSEQ)
    with pytest.raises(FormatError) as caught:
        read_counts({"s1": first, "s2": put(tmp_path / "b.txt", HTSEQ.replace("0005.6", "0006.1"))}, "htseq")
    assert "1 genes of the first file are missing, 1 are not in it" in caught.value.got
    assert caught.value.where == "b.txt (sample s2)"
    turned = "\n".join(reversed(HTSEQ.strip().split("\n")))
    with pytest.raises(FormatError, match="in another order"):
        read_counts({"s1": first, "s2": put(tmp_path / "c.txt", turned)}, "htseq")
    with pytest.raises(FormatError, match="no file"):
        read_counts({}, "htseq")


@pytest.mark.parametrize("cell", ["-1", "x", "", "inf", "nan"])
def test_a_cell_that_is_no_count_is_named(tmp_path, cell):
    with pytest.raises(TableError) as caught:
        read_counts({"s": put(tmp_path / "a.txt", HTSEQ.replace("6\t0", f"6\t{cell}"))}, "htseq")
    assert caught.value.where == "a.txt, line 2, column 2"


def test_other_files(tmp_path):
    with pytest.raises(FormatError, match="no gene at all"):
        read_counts({"s": put(tmp_path / "a.txt", "__no_feature\t3\n")}, "htseq")
    with pytest.raises(FormatError, match="4 fields"):
        read_counts({"s": put(tmp_path / "b.tab", STAR)}, "htseq")


def test_sample_sheet(tmp_path):
    sheet = put(tmp_path / "s.tsv", "File ID\tFile Name\tCase ID\tSample ID\nu1\ta.tsv\tTCGA-1\tTCGA-1-01A\n")
    assert read_sample_sheet(sheet) == {"a.tsv": "TCGA-1-01A"}
    with pytest.raises(TableError, match="0 columns 'sample id'"):
        read_sample_sheet(put(tmp_path / "t.tsv", "File Name\na.tsv\n"))
    with pytest.raises(TableError, match="a file twice"):
        read_sample_sheet(put(tmp_path / "u.tsv", "File Name\tSample ID\na\t1\na\t2\n"))
