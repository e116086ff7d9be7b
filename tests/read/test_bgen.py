import bgen
import numpy as np
import pytest

from radiolocus.errors import FormatError
from radiolocus.read.bgen import BgenSource

NAN = np.nan
SAMPLE = "ID_1 ID_2 missing sex\n0 0 0 D\n0 a 0 1\n0 b 0 2\n0 c 0 NA\n"


def written(path, *variants, samples=("a", "b", "c")):
    with bgen.BgenWriter(path, 3, samples=list(samples), compression="zlib", layout=2) as writer:
        for i, (alleles, probabilities, options) in enumerate(variants):
            place = {"chrom": "X", "pos": 10 + i, "rsid": f"rs{i}", **options}
            writer.add_variant(
                f"v{i}", place.pop("rsid"), place.pop("chrom"), place.pop("pos"), alleles, np.array(probabilities),
                **{"bit_depth": 16, **place},
            )  # fmt: skip
    return path


PLAIN = (["A", "C"], [[0.9, 0.1, 0], [NAN, NAN, NAN], [0, 0.25, 0.75]], {})


def test_unphased_phased_haploid_and_several_alleles(tmp_path):
    one_copy = {"ploidy": np.array([2, 1, 2], dtype=np.uint8)}
    source = BgenSource(
        written(
            tmp_path / "g.bgen",
            PLAIN,
            (["A", "C"], [[0.9, 0.1, 0], [0.2, 0.8, NAN], [0, 0.25, 0.75]], one_copy),
            (
                ["A", "C"],
                [[0.9, 0.1, 0.2, 0.8], [0.2, 0.8, NAN, NAN], [0, 1, 0.25, 0.75]],
                {"phased": True, **one_copy},
            ),
            (["A", "C", "G"], [[0.1, 0.2, 0.3, 0.4, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]], {"rsid": "."}),
            (["A", "C"], [[0.2, 0.8], [1, 0], [NAN, NAN]], {"ploidy": 1}),
        )
    )
    found = source.read(np.arange(3), 0, 99)
    expected = [
        [0.1, NAN, 1.75],
        [0.1, 1.6, 1.75],  # one copy counts double
        [0.9, 1.6, 1.75],
        [0.2 + 2 * 0.3, 0, 1],  # AC once, CC twice, CG once
        [0.4, 2, 1],  # AG, CG once, GG twice
        [1.6, 0, NAN],
    ]
    np.testing.assert_allclose(found.dosage, expected, atol=4 / 65535)
    assert found.effect_allele == ("C", "C", "C", "C", "G", "C")
    assert found.variant_id == ("rs0", "rs1", "rs2", "v3", "v3", "rs4")
    np.testing.assert_array_equal(source.read(np.array([2, 0]), 3, 5).dosage, found.dosage[3:5][:, [2, 0]])
    assert source.notes == ("g.bgen: 1 variants with several alternative alleles are split, one row an allele",)
    assert source.sex.tolist() == [0, 0, 0]


def test_the_sample_file_gives_ids_and_sex(tmp_path):
    path = written(tmp_path / "g.bgen", PLAIN)
    (tmp_path / "g.sample").write_text(SAMPLE)
    source = BgenSource(path)
    assert source.sample_ids == ("a", "b", "c")
    assert source.sex.tolist() == [1, 2, 0]
    assert BgenSource(path, sample_id="fid_iid").sample_ids == ("0_a", "0_b", "0_c")
    assert [f.name for f in source.files] == ["g.bgen", "g.sample"]


@pytest.mark.parametrize(
    ("sample", "parts"),
    [
        (SAMPLE + "0 d 0 1\n", ("4 samples, and 3 in g.bgen", "g.sample", "the same samples", "another data set")),
        (SAMPLE.replace("0 b", "0 x"), ("sample 2 is x, and b in g.bgen", "g.sample", "same order", "copy it again")),
        ("#IID\na\nb\nc\n", ("begins with '#IID'", "g.sample", "ID_1 ID_2", "plink2")),
        (SAMPLE.replace("0 b 0 2", "0 b 0"), ("3 fields", "g.sample, sample 2", "4 fields", "")),
    ],
)
def test_a_sample_file_of_other_samples_is_refused(tmp_path, sample, parts):
    path = written(tmp_path / "g.bgen", PLAIN)
    (tmp_path / "g.sample").write_text(sample)
    with pytest.raises(FormatError) as caught:
        BgenSource(path)
    error = caught.value
    for part, told in zip(parts, (error.got, error.where, error.allowed, error.todo), strict=True):
        assert part in told


@pytest.mark.parametrize(
    ("ploidy", "told"), [(3, "3 to 3"), (np.array([2, 3, 2], dtype=np.uint8), "2 to 3")], ids=["three", "mixed"]
)
def test_more_than_two_copies_are_refused(tmp_path, ploidy, told):
    probabilities = [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]] if isinstance(ploidy, int) else [
        [1, 0, 0, NAN], [0, 0, 0, 1], [1, 0, 0, NAN]
    ]  # fmt: skip
    source = BgenSource(written(tmp_path / "g.bgen", PLAIN, (["A", "C"], probabilities, {"ploidy": ploidy})))
    assert source.read(np.arange(3), 0, 1).dosage.shape == (1, 3)
    with pytest.raises(FormatError) as caught:
        source.read(np.arange(3), 0, 2)
    assert caught.value.got == f"ploidy {told} at variant rs1"
    assert caught.value.where == "g.bgen"
    assert "one or two copies" in caught.value.allowed
    assert "leave the variant out" in caught.value.todo


def test_wrong_magic_and_truncated_files(tmp_path):
    path = written(tmp_path / "g.bgen", PLAIN, PLAIN, PLAIN)
    whole = path.read_bytes()
    path.write_bytes(b"##fileformat=VCFv4.2\n" * 5)
    with pytest.raises(
        FormatError, match=r"bgen file; allowed: BGEN 1\.1, 1\.2 or 1\.3; what to do: copy the file again"
    ):
        BgenSource(path)
    for cut in (4, 30, 70):
        path.write_bytes(whole[:-cut])
        with pytest.raises(FormatError) as caught:
            BgenSource(path).read(np.arange(3), 0, 3)
        assert caught.value.where == "g.bgen"
        assert "copy" in caught.value.todo


def test_no_ids_anywhere(tmp_path):
    path = written(tmp_path / "g.bgen", PLAIN, samples=())
    with pytest.raises(FormatError) as caught:
        BgenSource(path)
    assert caught.value.got == "no sample ids in the file"
    assert "g.sample beside it" in caught.value.allowed
    (tmp_path / "g.sample").write_text(SAMPLE)
    assert BgenSource(path).sample_ids == ("a", "b", "c")
