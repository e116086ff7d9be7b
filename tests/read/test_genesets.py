import gzip

import pytest

from radiolocus.errors import FormatError, TableError
from radiolocus.read.genesets import read_gene_sets


def test_sets_are_read_in_order_and_repeats_count_once(tmp_path):
    text = "B_SET\thttp://x\tTP53\tKRAS\tTP53\n\nA_SET\t\tEGFR\t\n"
    (tmp_path / "s.gmt").write_text(text)
    with gzip.open(tmp_path / "s.gmt.gz", "wt") as file:
        file.write(text)
    for name in ("s.gmt", "s.gmt.gz"):
        found = read_gene_sets(tmp_path / name)
        assert list(found.sets.items()) == [("B_SET", ("TP53", "KRAS")), ("A_SET", ("EGFR",))]
        assert found.notes[0].count == 1


@pytest.mark.parametrize(
    ("text", "error", "got"),
    [
        ("A\tx\tG1\nB\tx\n", FormatError, "line 2"),
        ("A,x,G1\n", FormatError, "line 1"),
        ("A\tx\tG1\nA\tx\tG2\n", TableError, "line 2"),
        ("\n", FormatError, "s.gmt"),
    ],
)
def test_what_is_no_gmt_is_refused(tmp_path, text, error, got):
    (tmp_path / "s.gmt").write_text(text)
    with pytest.raises(error) as caught:
        read_gene_sets(tmp_path / "s.gmt")
    assert got in caught.value.where
    assert caught.value.allowed


def test_the_hallmark_sets_are_fifty(data):
    found = read_gene_sets(data("omics/h.all.v7.0.symbols.gmt"))
    assert len(found.sets) == 50
    assert len(found.sets["HALLMARK_HYPOXIA"]) == 200
