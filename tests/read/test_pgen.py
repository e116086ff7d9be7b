import numpy as np
import pgenlib
import pytest

from radiolocus.errors import FormatError, TableError
from radiolocus.read.pgen import PgenSource

PVAR = "##contig=<ID=1>\n#CHROM\tPOS\tID\tREF\tALT\tINFO\n"
DOSAGE = np.array([[0, 1, 2, -9], [0.25, 1.5, 2, 0]], dtype=np.float32)


@pytest.fixture
def small(tmp_path):
    with pgenlib.PgenWriter(bytes(tmp_path / "g.pgen"), 4, 2, False, dosage_present=True) as writer:
        for row in DOSAGE:
            writer.append_dosages(row)
    (tmp_path / "g.pvar").write_text(PVAR + "chr1\t5\trs1\tA\tG\tR2=0.8;AF=0.1\nchr1\t9\t.\tC\tT\tPR\n")
    (tmp_path / "g.psam").write_text("#FID\tIID\tSEX\nf\ta\t1\nf\tb\t2\ng\tc\tNA\ng\td\tM\n")
    return tmp_path / "g"


def test_dosages_hard_calls_sex_and_stated_quality(small):
    source = PgenSource(small)
    found = source.read(np.array([3, 0, 1]), 0, 5)
    np.testing.assert_array_equal(found.dosage, [[np.nan, 0, 1], [0, 0.25, 1.5]])
    assert found.effect_allele == ("G", "T")
    assert found.other_allele == ("A", "C")
    assert source.sex.tolist() == [1, 2, 0, 1]
    assert source.variants["stated_info"].to_list() == [0.8, None]
    assert source.sample_ids == ("a", "b", "c", "d")
    assert PgenSource(small, sample_id="fid_iid").sample_ids == ("f_a", "f_b", "g_c", "g_d")
    assert source.notes == (
        "g.pvar: 1 variants have no id ('.')",
        "g.pvar: chromosome codes chr1 are written 1–22, X, Y, XY, MT",
    )
    assert source.read(np.arange(0), 0, 2).dosage.shape == (2, 0)


def test_several_alternative_alleles_are_split(tmp_path):
    writer = pgenlib.PgenWriter(bytes(tmp_path / "g.pgen"), 4, 2, False, allele_ct_limit=3)
    writer.append_alleles(np.array([0, 0, 0, 1, 1, 1, -9, -9], dtype=np.int32), allele_ct=2)
    writer.append_alleles(np.array([0, 1, 1, 2, -9, -9, 2, 2], dtype=np.int32), allele_ct=3)
    writer.close()
    (tmp_path / "g.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n1\t5\trs1\tA\tG\n1\t9\trs2\tC\tT,A\n")
    (tmp_path / "g.psam").write_text("#IID\na\nb\nc\nd\n")
    source = PgenSource(tmp_path / "g")
    expected = np.array([[0, 1, 2, np.nan], [1, 1, np.nan, 0], [0, 1, np.nan, 2]])
    np.testing.assert_array_equal(source.read(np.arange(4), 0, 3).dosage, expected)
    np.testing.assert_array_equal(source.read(np.array([3, 1]), 2, 3).dosage, expected[2:, [3, 1]])
    assert source.variants["effect_allele"].to_list() == ["G", "T", "A"]
    assert source.variants["variant_id"].to_list() == ["rs1", "rs2", "rs2"]
    assert source.notes == ("g.pvar: 1 variants with several alternative alleles are split, one row an allele",)


def _replace(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (
            lambda g: (g / "g.pgen").write_bytes(b"BGEN" + bytes(20)),
            ("begins with 42 47 45", "g.pgen", "6c 1b", "plink2"),
        ),
        (
            lambda g: (g / "g.pvar").write_text(PVAR + "1\t5\trs1\tA\tG\t.\n"),
            ("2 variants, and 1 in g.pvar", "g.pgen", "the same number", "of another data set"),
        ),
        (
            lambda g: (g / "g.psam").write_text("#IID\na\nb\n"),
            ("4 samples, and 2 in g.psam", "g.pgen", "the same number", "of another data set"),
        ),
        (lambda g: _replace(g / "g.pvar", "\t9\t", "\tx\t"), ("position 'x'", "g.pvar, entry 2", "whole number", "")),
        (lambda g: _replace(g / "g.pvar", "\tA\tG", "\tA"), ("5 fields", "g.pvar, entry 1", "6 fields", "repair")),
        (lambda g: _replace(g / "g.pvar", "#CHROM", "CHROM"), ("first line is 'CHROM", "g.pvar", "#CHROM", "write")),
        (lambda g: _replace(g / "g.pvar", "REF", "REFA"), ("no column REF", "g.pvar", "CHROM, POS, ID", "header")),
        (lambda g: (g / "g.pvar").write_text(PVAR), ("no variant", "g.pvar", "one line a variant", "")),
        (lambda g: (g / "g.psam").write_text("#FID\tSEX\na\t1\n"), ("no column IID", "g.psam", "#FID IID", "header")),
        (lambda g: (g / "g.psam").unlink(), ("no file g.psam", "g", ".psam or .fam", "complete set")),
        (lambda g: (g / "g.pvar").write_bytes(b"\xff\xfe"), ("not UTF-8", "g.pvar", "", "")),
    ],
)
def test_what_cannot_be_read_is_refused(small, spoil, parts):
    spoil(small.parent)
    with pytest.raises(FormatError) as caught:
        PgenSource(small)
    error = caught.value
    for part, told in zip(parts, (error.got, error.where, error.allowed, error.todo), strict=True):
        assert part in told


def test_repeated_samples(small):
    small.with_suffix(".psam").write_text("#FID\tIID\nf\ta\nf\tb\ng\ta\ng\td\n")
    with pytest.raises(TableError, match="1 sample ids stand more than once: a") as caught:
        PgenSource(small)
    assert "fid_iid" in caught.value.todo


def test_a_truncated_file(small):
    whole = (small.parent / "g.pgen").read_bytes()
    (small.parent / "g.pgen").write_bytes(whole[:-3])
    with pytest.raises(FormatError) as caught:
        PgenSource(small).read(np.arange(4), 0, 2)
    assert "variants 1 to 2 cannot be read" in caught.value.got
    assert caught.value.where == "g.pgen"
    assert "copy the file again" in caught.value.todo
