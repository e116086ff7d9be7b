"""DNA around variants."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import InputError, TableError
from radiolocus.molecular.windows import allele_windows, encoded, given_windows, variant_windows
from radiolocus.read.fasta import Fasta

CHROMOSOME = "ACGTTGCAACGGTTACCATG"


@pytest.fixture
def genome(tmp_path):
    file = tmp_path / "genome.fa"
    file.write_text(">chr1\n" + CHROMOSOME[:10] + "\n" + CHROMOSOME[10:] + "\n")
    return Fasta(file)


def naive(position, reference, tumour, length):
    """The slow obvious way: write the tumour's chromosome, and cut both."""
    before, after = reference.replace("-", ""), tumour.replace("-", "")
    begin = position - 1 if before else position
    changed = CHROMOSOME[:begin] + after + CHROMOSOME[begin + len(before) :]
    half = length // 2
    pad = "N" * length
    return tuple((pad + text + pad)[length + begin - half :][:length] for text in (CHROMOSOME, changed))


@pytest.mark.parametrize(
    ("position", "reference", "tumour"),
    [
        (8, "A", "T"),
        (1, "A", "C"),
        (20, "G", "A"),
        (9, "AC", "-"),
        (9, "AC", "GT"),
        (8, "-", "TTT"),
        (5, "T", "GGGGGGG"),
    ],
)
def test_windows_are_those_of_the_changed_chromosome(genome, position, reference, tumour):
    assert allele_windows(genome, "1", position, reference, tumour, 9) == naive(position, reference, tumour, 9)


def test_a_base_that_the_genome_does_not_have_gives_no_window(genome):
    assert allele_windows(genome, "1", 8, "G", "T", 9) is None
    assert allele_windows(genome, "7", 8, "A", "T", 9) is None


def table(rows):
    names = ("subject", "gene", "chromosome", "start", "reference_allele", "tumour_allele")
    return pl.DataFrame(rows, schema=names, orient="row")


def test_who_has_no_variant_is_not_missing_and_who_was_not_sequenced_is(genome):
    rows = table([("B", "G1", "1", 8, "A", "T"), ("B", "G2", "1", 5, "T", "C"), ("C", "G2", "1", 5, "T", "C")])
    found = variant_windows(rows, genome, ["A", "B", "C", "D"], ["A", "B"], length=9, most=4)
    assert found.count.tolist() == [0, 2, 1, -1]
    assert found.bases.shape == (4, 2, 2, 9)
    assert found.bases[1, 0, 0].tolist() == encoded(naive(8, "A", "T", 9)[0]).tolist()
    assert (found.bases[0] == -1).all()
    assert found.labels["gene"].to_list() == ["G1", "G2", "G2"]
    one = variant_windows(rows, genome, ["B", "C"], [], length=9, most=4, genes=["G1"])
    assert one.count.tolist() == [1, -1]


def test_of_many_variants_the_same_are_drawn_whoever_else_is_there(genome):
    rows = table([("B", f"G{i}", "1", i + 1, base, "N") for i, base in enumerate(CHROMOSOME)])
    some = variant_windows(rows, genome, ["B"], [], length=9, most=5)
    again = variant_windows(rows, genome, ["A", "B"], [], length=9, most=5)
    assert some.count.tolist() == [5]
    np.testing.assert_array_equal(some.bases[0], again.bases[1])
    assert [p.count for p in some.problems] == [1]


def test_another_build_is_refused_and_a_stray_row_is_told(genome):
    good = [("B", "G", "1", i + 1, base, "N") for i, base in enumerate(CHROMOSOME)]
    with pytest.raises(InputError, match="2 of 2 variants do not have their reference allele"):
        variant_windows(
            table([("B", "G", "1", 8, "G", "T"), ("B", "G", "1", 9, "T", "G")]), genome, ["B"], [], length=9, most=5
        )
    rows = table([*good, ("B", "G", "1", 8, "G", "T"), ("B", "G", None, None, None, None)])
    told = variant_windows(rows, genome, ["B"], [], length=9, most=50).problems
    assert [p.got for p in told] == [
        "1 variants without place or alleles have no window",
        "1 variants without their reference allele in the genome have no window",
    ]


def test_given_windows_are_taken_as_they_are():
    frame = pl.DataFrame(
        {"subject": ["A", "B", "A"], "reference": ["ACGTA", None, "TTTTT"], "tumour": ["ACCTA", None, "TTNTT"]}
    )
    found = given_windows(frame, ["B", "A", "C"], length=5, most=4, where="windows.csv")
    assert found.count.tolist() == [0, 2, -1]
    assert found.bases[1, 1, 1].tolist() == [3, 3, -1, 3, 3]
    with pytest.raises(TableError, match=r"windows.csv, row 1: windows of 5 and 5 bases; allowed: 7 bases each"):
        given_windows(frame, ["A"], length=7, most=4, where="windows.csv")
    with pytest.raises(TableError, match="no column 'tumour'"):
        given_windows(frame.drop("tumour"), ["A"], length=5, most=4, where="windows.csv")
