import gzip

import numpy as np
import pytest

from radiolocus.errors import ConfigError, FormatError
from radiolocus.read.vcf import VcfSource

HEAD = """##fileformat=VCFv4.2
##contig=<ID=chr1>
##contig=<ID=chrX>
##INFO=<ID=R2,Number=1,Type=Float,Description="r2">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">
##FORMAT=<ID=GP,Number=G,Type=Float,Description="Probabilities">
"""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\td\n"
BODY = """chr1 10 rs1 A C . . R2=0.5 GT:DS 0/0:0.1 0|1:1.1 ./.:. 1/1:2
chr1 20 rs2 A C,G . . . GT:DS 0/1:0.9,0 1/2:1,1 ./1:.,. 2/2:0,2
chr1 25 rs5 A . . . . GT 0/0 0/0 0/0 ./.
chrX 30 rs3 A C . . . GT:DS 0/1:0.9 1:1 0:0.2 .:.
chrX 40 . A C . . . GT 0/1 1 0 .
"""
NAN = np.nan


def written(folder, body=BODY, head=HEAD, columns=COLUMNS):
    path = folder / "g.vcf"
    path.write_text(head + columns + body.replace(" ", "\t"))
    return path


def test_genotypes_and_dosages(tmp_path):
    path = written(tmp_path)
    dosed, called = VcfSource(path), VcfSource(path, field="GT")
    everyone = np.arange(4)
    expected = [[0, 1, NAN, 2], [1, 1, NAN, 0], [0, 1, NAN, 2], [1, 2, 0, NAN], [1, 2, 0, NAN]]
    np.testing.assert_array_equal(called.read(everyone, 0, 9).dosage, expected)
    # plink2 v2.00a3.5 --vcf dosage=DS gives 0.4 for the one copy of dosage 0.2
    expected = [[0.1, 1.1, NAN, 2], [0.9, 1, NAN, 0], [0, 1, NAN, 2], [0.9, 2, 0.4, NAN], [1, 2, 0, NAN]]
    found = dosed.read(everyone, 0, 9)
    np.testing.assert_allclose(found.dosage, expected, rtol=1e-6)
    assert found.effect_allele == ("C", "C", "G", "C", "C")
    assert found.variant_id == ("rs1", "rs2", "rs2", "rs3", ".")
    assert dosed.variants["stated_info"].to_list() == [0.5, None, None, None, None]
    for start in (4, 2, 0, 1, 3):
        np.testing.assert_array_equal(
            dosed.read(np.array([3, 1]), start, start + 1).dosage, found.dosage[[start]][:, [3, 1]]
        )
    assert dosed.notes == (
        "g.vcf: 1 variants have no id ('.')",
        "g.vcf: chromosome codes chr1, chrX are written 1–22, X, Y, XY, MT",
        "g.vcf: 1 variants with several alternative alleles are split, one row an allele",
        "g.vcf: 1 records without an ALT allele are left out",
        "g.vcf: dosages are taken from FORMAT/DS, hard calls where it is absent",
    )


def test_probabilities(tmp_path):
    body = (
        "chr1 10 rs1 A C . . . GP 0.9,0.1,0 0.1,0.2,0.7 .,.,. 0,0,1\nchrX 11 rs2 A C . . . GP 0,1,0 0.2,0.8 1,0 0,0,1\n"
    )
    source = VcfSource(written(tmp_path, body), field="GP")
    expected = [[0.1, 1.6, NAN, 2], [1, 1.6, 0, 2]]
    np.testing.assert_allclose(source.read(np.arange(4), 0, 2).dosage, expected, atol=1e-6)


def test_one_copy_each(tmp_path):
    source = VcfSource(written(tmp_path, "chrX 10 rs1 A C . . . GT 0 1 . 1\n"))
    np.testing.assert_array_equal(source.read(np.arange(4), 0, 1).dosage, [[0, 2, NAN, 2]])


@pytest.mark.parametrize(
    ("spoiled", "parts"),
    [
        (
            {"head": HEAD[: HEAD.index("##FORMAT")], "body": "chr1 1 r A C . . . . . . . .\n"},
            ("no FORMAT/GT, DS or GP", "GT", "sites alone"),
        ),
        ({"head": "", "columns": "hello\n"}, ("header cannot be read", "VCF 4", "bcftools")),
        ({"body": ""}, ("no variant", "at least one record", "")),
        ({"body": "chr1 5 r A . . . . GT 0/0 0/0 0/0 0/0\n"}, ("no variant", "ALT", "")),
    ],
    ids=["no genotypes", "wrong magic", "empty", "no alternative"],
)
def test_what_is_no_genotype_file_is_refused(tmp_path, spoiled, parts):
    with pytest.raises(FormatError) as caught:
        VcfSource(written(tmp_path, **spoiled))
    error = caught.value
    assert error.where == "g.vcf"
    for part, told in zip(parts, (error.got, error.allowed, error.todo), strict=True):
        assert part in told


def test_fields_that_are_not_there(tmp_path):
    path = written(tmp_path, head=HEAD.replace("ID=GP", "ID=PL"))
    with pytest.raises(FormatError) as caught:
        VcfSource(path, field="GP")
    assert caught.value.got == "no FORMAT/GP"
    assert caught.value.allowed == "one of what the header defines: DS, GT"
    with pytest.raises(ConfigError) as caught:
        VcfSource(path, field="HDS")
    assert caught.value.allowed == "'auto' or 'GT' or 'DS' or 'GP'"
    lone = VcfSource(written(tmp_path, BODY + "chrX 50 r9 A C . . . GP 1,0,0 1,0,0 1,0,0 1,0,0\n"))
    with pytest.raises(FormatError) as caught:
        lone.read(np.arange(4), 0, 9)
    assert caught.value.got == "neither DS nor GT at chrX:50 (FORMAT GP)"
    assert "in every record" in caught.value.allowed
    assert "leave the record out" in caught.value.todo


def test_more_than_two_copies(tmp_path):
    source = VcfSource(written(tmp_path, "chr1 10 rs1 A C . . . GT 0/0/1 0/1/1 ./././. 0/0/0\n"))
    with pytest.raises(FormatError, match="genotypes of 4 copies at chr1:10"):
        source.read(np.arange(4), 0, 1)


def test_truncated_files(tmp_path):
    path = written(tmp_path, BODY + "chrX 50 r9 A C . . . GT 0/0 0/0\n")
    with pytest.raises(FormatError) as caught:
        VcfSource(path).read(np.arange(4), 0, 9)
    assert "record 6 cannot be read" in caught.value.got
    assert caught.value.allowed == "a value for every sample in every record"
    packed = tmp_path / "p.vcf.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(FormatError) as caught:
        VcfSource(packed)
    assert caught.value.got == "the file does not end with an empty BGZF block"
    assert "truncated, or compressed by gzip" in caught.value.todo


def test_repeated_samples(tmp_path):
    with pytest.raises(FormatError, match=r"header cannot be read: .*; allowed: .*, every sample once"):
        VcfSource(written(tmp_path, columns=COLUMNS.replace("\tb", "\ta")))


def test_repeated_ids_mixed_chromosome_names_and_disorder_are_said(tmp_path):
    places = ("chr1 30 r1", "1 20 r2", "chrX 5 r1", "1 9 r3")
    body = "".join(f"{place} A C . . . GT 0 0 0 0\n" for place in places)
    head = HEAD.replace("##contig=<ID=chrX>", "##contig=<ID=chrX>\n##contig=<ID=1>")
    notes = VcfSource(written(tmp_path, body, head), field="GT").notes
    assert notes == (
        "g.vcf: 1 variant ids stand more than once (r1); each line is analysed as a variant of its own",
        "g.vcf: chromosome codes chr1, chrX are written 1–22, X, Y, XY, MT",
        "g.vcf: chromosomes are spelled in more than one way (1, chr1); taken as one",
        "g.vcf: variants are not sorted (positions go back 1 times); LD pruning needs them sorted: plink2 --make-pgen "
        "--sort-vars",
    )
