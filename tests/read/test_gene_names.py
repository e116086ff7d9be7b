import numpy as np
import pytest

from radiolocus.errors import TableError
from radiolocus.read.expression import Expression
from radiolocus.read.gene_names import combine_repeats, read_gene_table, rename_genes, without_versions


def matrix(*genes):
    return Expression(genes, ("s1", "s2"), np.arange(2.0 * len(genes)).reshape(-1, 2))


def test_versions_and_copies_on_y():
    found = without_versions(matrix("ENSG00000000003.15", "ENSG00000182378.15_PAR_Y", "ENSMUSG00000000001.5", "TP53.1"))
    assert found.genes == ("ENSG00000000003", "ENSMUSG00000000001", "TP53.1")
    assert found.values.tolist() == [[0, 1], [4, 5], [6, 7]]
    assert "3 Ensembl ids" in found.notes[0].got
    assert "1 copies on Y" in found.notes[1].got
    same = matrix("A", "ENSG00000000003")
    assert without_versions(same) is same


def test_names_from_a_table(tmp_path):
    (tmp_path / "n.tsv").write_text("id\tsymbol\nE1\tTP53\nE2\tMYC\nE9\t\nE1\tTP53\n")
    names = read_gene_table(tmp_path / "n.tsv", "symbol")
    assert names == {"E1": "TP53", "E2": "MYC"}
    found = rename_genes(matrix("E2", "E3", "E1"), names, "n.tsv")
    assert (found.genes, found.values.tolist()) == (("MYC", "TP53"), [[0, 1], [4, 5]])
    assert "1 of 3 genes have no name" in found.notes[0].got
    with pytest.raises(TableError, match="none of 1 genes"):
        rename_genes(matrix("X"), names, "n.tsv")
    (tmp_path / "m.csv").write_text("id,symbol\nE1,TP53\nE1,MYC\n")
    with pytest.raises(TableError) as caught:
        read_gene_table(tmp_path / "m.csv", "symbol")
    assert caught.value.where == "m.csv, line 3"
    (tmp_path / "w.csv").write_text("id,symbol,x\nE1,TP53,1\n")
    with pytest.raises(TableError, match="3 columns"):
        read_gene_table(tmp_path / "w.csv", "symbol")


@pytest.mark.parametrize(("how", "row"), [("sum", [4, 6]), ("mean", [2, 3]), ("highest", [4, 5])])
def test_repeats(how, row):
    found = combine_repeats(matrix("A", "B", "A"), how, "x.tsv")
    assert (found.genes, found.values.tolist()) == (("A", "B"), [row, [2, 3]])
    assert "the rows of 1 genes were" in found.notes[0].got
    with pytest.raises(TableError, match=r"1 genes more than once \(A\)"):
        combine_repeats(matrix("A", "B", "A"), "error", "x.tsv")
