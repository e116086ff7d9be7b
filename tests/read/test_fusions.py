import pytest

from radiolocus.errors import TableError
from radiolocus.read.fusions import read_fusions


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ("#FusionName\tJunctionReadCount\tLeftGene\tRightGene\nEML4--ALK\t5\tEML4^ENSG1.2\tALK^ENSG3.4\n", "P1"),
        ("#gene1\tgene2\tstrand1(gene/fusion)\nEML4\tALK\t+/+\nEML4\tALK\t+/+\n", "P1"),
        (
            "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\nP1\tSOMATIC\tEML4\tALK\nP1\tGERMLINE\tA\tB\n",
            None,
        ),
        ("sample\tfusion\nP1\tEML4::ALK\nP1\tHLA-A-NKX2-1\n", None),
    ],
)
def test_layouts(tmp_path, text, sample):
    (tmp_path / "f.tsv").write_text(text)
    found = read_fusions(tmp_path / "f.tsv", sample=sample)
    assert found.frame.rows() == [("P1", "EML4", "ALK")]
    assert found.samples == ("P1",)
    # A single hyphen splits nothing, and a germline event is none of the tumour's; both are told.
    assert sum(p.count for p in found.notes) == int("HLA" in text or "GERM" in text)


def test_intergenic_places_and_files_without_a_fusion(tmp_path):
    (tmp_path / "f.tsv").write_text("#gene1\tgene2\nROS1\tGOPC(1204),DCBLD1(77)\n.\tRET\n")
    assert read_fusions(tmp_path / "f.tsv", sample="P").frame.rows() == [("P", "ROS1", "GOPC"), ("P", "", "RET")]
    (tmp_path / "f.tsv").write_text("#gene1\tgene2\n")
    assert read_fusions(tmp_path / "f.tsv", sample="P").samples == ("P",)


def test_columns(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("who,five,three\nP1,EML4,ALK\n")
    with pytest.raises(TableError, match="allowed: two columns of genes"):
        read_fusions(path)
    names = {"sample": "who", "gene1": "five", "gene2": "three"}
    assert read_fusions(path, names).frame.rows() == [("P1", "EML4", "ALK")]
    with pytest.raises(TableError, match="no column of samples"):
        read_fusions(path, {"gene1": "five", "gene2": "three"})
    with pytest.raises(TableError, match=r"column 'gene'.*allowed: sample, gene1"):
        read_fusions(path, {"gene": "five"})
