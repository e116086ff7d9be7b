import gzip

import pytest

from radiolocus.errors import FormatError
from radiolocus.read.genes import read_genes


def test_bed_counts_from_zero_and_tables_from_one(tmp_path):
    (tmp_path / "g.bed").write_text("chr19\t99\t200\tAPOE\t0\t+\n1\t0\t5\tX\t.\t-\n")
    (tmp_path / "g.csv").write_text("Gene,Chr,Start,Stop\nAPOE,chr19,100,200\n")
    with gzip.open(tmp_path / "g.tsv.gz", "wt") as file:
        file.write("chrom\tstart\tend\tname\tstrand\n19\t100\t200\tAPOE\t+\n")
    bed, csv, tsv = (read_genes(tmp_path / name) for name in ("g.bed", "g.csv", "g.tsv.gz"))
    assert bed.row(0) == tsv.row(0) == ("19", 100, 200, "APOE", "+")
    assert csv.row(0) == ("19", 100, 200, "APOE", None)
    assert bed.row(1) == ("1", 1, 5, "X", "-")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.tsv", "chrom\tstart\tname\n1\t2\tX\n", "no column end"),
        ("a.bed", "1\t2\t3\n", "no column name"),
        ("a.tsv", "chrom\tstart\tend\tname\n1\tx\t3\tX\n", "no whole number"),
        ("a.tsv", "", "no table of genes"),
    ],
)
def test_what_is_no_table_of_genes(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=words):
        read_genes(tmp_path / name)
