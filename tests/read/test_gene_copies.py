import numpy as np
import pytest

from radiolocus.errors import TableError
from radiolocus.read.gene_copies import read_gene_copies


def test_gistic_and_cbioportal(tmp_path):
    gistic = (
        "Gene Symbol\tLocus ID\tCytoband\tTCGA-AA-0001-01A\tS2\nEGFR\t1956\t7p11.2\t2\t-1\n"
        "A|chr1\t1\t1p\t0\t0\nB|chr1\t1\t1p\t0\t1\nB|chr2\t1\t2p\t0\t0\n"
    )
    (tmp_path / "g.txt").write_text(gistic)
    found = read_gene_copies(tmp_path / "g.txt")
    assert found.genes == ("EGFR", "A", "B|chr1", "B|chr2")
    assert found.samples == ("TCGA-AA-0001-01A", "S2")
    assert found.discrete
    np.testing.assert_array_equal(found.values[0], [2, -1])
    portal = "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\nPTEN\t5728\t-1.5\tNA\nPTEN\t5728\t0\t0\n"
    (tmp_path / "c.txt").write_text(portal)
    found = read_gene_copies(tmp_path / "c.txt")
    assert found.discrete
    np.testing.assert_array_equal(found.values, [[-1.5, np.nan]])
    assert found.notes[0].count == 1


def test_log_ratios_are_not_thresholded_and_mistakes_are_named(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("Gene Symbol\tS1\nEGFR\t0.31\n")
    assert not read_gene_copies(path).discrete
    path.write_text("Gene Symbol\tS1\nEGFR\tamp\n")
    with pytest.raises(TableError, match=r"x.txt, line 2, sample S1: 'amp'"):
        read_gene_copies(path)
    path.write_text("Gene Symbol\tS1\tS1\nEGFR\t1\t2\n")
    with pytest.raises(TableError, match="samples twice: S1"):
        read_gene_copies(path)
    path.write_text("id\tS1\nEGFR\t1\n")
    with pytest.raises(TableError, match="allowed: Gene Symbol"):
        read_gene_copies(path)
