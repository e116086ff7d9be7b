import pickle
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from radiolocus.errors import FormatError
from radiolocus.read.bgen import BgenSource
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.pgen import PgenSource
from radiolocus.read.plink import PlinkSource
from radiolocus.read.vcf import VcfSource

plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")

FORMATS = {
    "pgen": (["--make-pgen"], ".pgen", PgenSource),
    "pgen, pvar packed": (["--make-pgen", "vzs"], ".pgen", PgenSource),
    "bgen 1.2": (["--export", "bgen-1.2", "ref-first"], ".bgen", BgenSource),
    "bgen 1.3, alternative allele first": (["--export", "bgen-1.3"], ".bgen", BgenSource),
    "vcf": (["--export", "vcf"], ".vcf", VcfSource),
    "vcf.gz": (["--export", "vcf", "bgz"], ".vcf.gz", VcfSource),
    "bcf": (["--export", "bcf"], ".bcf", VcfSource),
}


def counted(block, effect):
    """Dosages that count the alleles `effect`, whichever the file counts."""
    other = np.array(block.effect_allele) != np.array(effect)
    assert (np.where(other, block.other_allele, block.effect_allele) == np.array(effect)).all()
    return np.where(other[:, None], 2 - block.dosage, block.dosage)


@plink2
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_data_in_every_format_give_the_same_numbers(data, tmp_path, name):
    prefix = data("hapmap") / "plinkhapmap"
    arguments, ending, kind = FORMATS[name]
    command = ["plink2", "--bfile", prefix, *arguments, "--threads", "1", "--out", tmp_path / "o"]
    subprocess.run(command, check=True, capture_output=True)
    bed = PlinkSource(prefix)
    source = open_genotypes(tmp_path / f"o{ending}")
    assert isinstance(source, kind)
    assert source.sample_ids == bed.sample_ids
    places = ["chromosome", "variant_id", "base_pair_location"]
    assert source.variants.select(places).equals(bed.variants.select(places))
    rows = np.arange(60)
    expected = bed.read(rows, 0, 5000)
    assert np.isnan(expected.dosage).sum() > 1000
    found = source.read(rows, 0, 5000)
    np.testing.assert_array_equal(counted(found, expected.effect_allele), expected.dosage)
    if "first" not in name:
        assert found.effect_allele == expected.effect_allele
    # blocks, a subset in another order, backwards, in another thread and in another process
    some = np.array([41, 3, 59, 0])
    parts = [
        counted(b, expected.effect_allele[i * 700 : (i + 1) * 700]) for i, b in enumerate(source.blocks(some, 700))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), expected.dosage[:, some])
    sent = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(2) as pool:
        for start, part in zip((4000, 100), pool.map(lambda s: sent.read(some, s, s + 50), (4000, 100)), strict=True):
            here = slice(start, start + 50)
            np.testing.assert_array_equal(counted(part, expected.effect_allele[here]), expected.dosage[here][:, some])
    assert all(file.is_file() for file in source.files)
    with pytest.raises(IndexError, match="sample rows from 0 to 60 of a file of 60 samples"):
        source.read(np.array([0, 60]), 0, 1)


@plink2
def test_dosages_in_every_format_are_the_same(tmp_path):
    rng = np.random.default_rng(3)
    names = [f"s{i}" for i in range(30)]
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=1>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]),
    ]
    dosage = np.round(rng.uniform(0, 2, (40, 30)), 3)
    for i, row in enumerate(dosage):
        fields = [f"{('0/0', '0/1', '1/1')[round(x)]}:{x}" if rng.random() > 0.05 else "./.:." for x in row]
        dosage[i, [f == "./.:." for f in fields]] = np.nan
        lines.append("\t".join(["1", str(i + 1), f"v{i}", "A", "C", ".", ".", ".", "GT:DS", *fields]))
    (tmp_path / "d.vcf").write_text("\n".join(lines) + "\n")
    for arguments in (
        ["--vcf", "d.vcf", "dosage=DS", "--make-pgen", "--out", "p"],
        ["--pfile", "p", "--export", "bgen-1.2", "ref-first", "bits=16", "--out", "b"],
        ["--pfile", "p", "--export", "bcf", "vcf-dosage=DS-force", "--out", "c"],
    ):
        subprocess.run(["plink2", *arguments, "--threads", "1"], check=True, capture_output=True, cwd=tmp_path)
    # plink2 keeps dosages as multiples of 1/16384 and prints up to 4 decimals
    for name, tolerance in (("d.vcf", 1e-6), ("p.pgen", 1 / 16384), ("b.bgen", 1 / 8192), ("c.bcf", 2e-4)):
        source = open_genotypes(tmp_path / name)
        np.testing.assert_allclose(source.read(np.arange(30), 0, 40).dosage, dosage, atol=tolerance, err_msg=name)


def test_a_path_that_says_nothing(tmp_path):
    with pytest.raises(FormatError) as caught:
        open_genotypes(tmp_path / "cohort")
    assert caught.value.got == "no genotypes at 'cohort'"
    assert ".bgen" in caught.value.allowed
    for ending in (".bed", ".pgen"):
        (tmp_path / f"cohort{ending}").write_bytes(b"")
    with pytest.raises(FormatError) as caught:
        open_genotypes(tmp_path / "cohort")
    assert caught.value.got == "both cohort.bed and cohort.pgen"
    assert caught.value.todo == "write the ending that is meant"
    for ending in (".bgen", ".vcf", ".bcf", ".vcf.gz", ".pgen", ".bed"):
        with pytest.raises(FormatError, match="no file nothing"):
            open_genotypes(tmp_path / f"nothing{ending}")
