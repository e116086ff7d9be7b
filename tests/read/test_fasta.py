import pytest

from radiolocus.errors import FormatError
from radiolocus.read.fasta import Fasta

TEXT = ">chr1 first\nACGTAC\nGTACGT\nAC\n>chrM\nTTTT\nGG\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "g.fa").write_text(TEXT)
    return tmp_path / "g.fa"


def test_any_stretch(path):
    sequence = "ACGTACGTACGTAC"
    fasta = Fasta(path)
    for start in range(-1, 17):
        for end in range(start, 18):
            assert fasta.fetch("1", start, end) == sequence[max(start, 1) - 1 : max(end, 0)]
    assert fasta.fetch("MT", 4, 5) == "TG"
    assert fasta.fetch("chr9", 1, 2) == ""


def test_an_index_beside_the_file_gives_the_same(path):
    plain = Fasta(path)
    # samtools faidx: name, length, offset of the first base, bases a line, bytes a line
    path.with_name("g.fa.fai").write_text("chr1\t14\t12\t6\t7\nchrM\t6\t35\t4\t5\n")
    assert Fasta(path).sequences == plain.sequences
    assert Fasta(path).fetch("chrM", 3, 6) == plain.fetch("M", 3, 6) == "TTGG"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"\x1f\x8b1234", "compressed"),
        (b"ACGT\n", "begins with '>'"),
        (b"", "no sequence"),
        (b">a\nAC\nACG\nAC\nA\n", "lines of different lengths in 'a'"),
    ],
)
def test_refusals(tmp_path, content, got):
    (tmp_path / "x.fa").write_bytes(content)
    with pytest.raises(FormatError, match=got):
        Fasta(tmp_path / "x.fa")
