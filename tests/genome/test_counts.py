import subprocess

import numpy as np
import pytest

from plink2 import needs_plink2, plink2, sexed
from radiolocus.genome.counts import count_samples, count_variants
from radiolocus.read.genotype_files import open_genotypes


class Dosages:
    """A source of hard calls that does not know that it is one."""

    hard = False

    def __init__(self, source):
        self.source = source

    def __getattr__(self, name):
        return getattr(self.source, name)


@pytest.mark.parametrize("rows", [None, [5, 119, 3, 77, 78, 79, 0]])
def test_packed_bits_and_dosages_give_the_same_counts(tmp_path, rows):
    source = sexed(tmp_path)
    rows = np.arange(120) if rows is None else np.array(rows)
    sex = source.sex[rows]
    fast, slow = (count_variants(s, rows, sex) for s in (source, Dosages(source)))
    np.testing.assert_array_equal(fast.miscalled, slow.miscalled)
    assert fast.miscalled.sum() > 0
    np.testing.assert_array_equal(fast.counts.sum(axis=1), slow.counts.sum(axis=1))
    np.testing.assert_array_equal(fast.sums.sum(axis=1), slow.sums.sum(axis=1))
    apart = source.variants["chromosome"].is_in(["X", "Y", "MT"]).to_numpy()
    np.testing.assert_array_equal(fast.counts[apart], slow.counts[apart])
    np.testing.assert_array_equal(fast.sums[apart], slow.sums[apart])
    weight = np.random.default_rng(1).random(source.variants.height)
    weight[::7] = np.nan
    classes = np.random.default_rng(2).integers(-1, 3, weight.size)
    one, other = (count_samples(s, rows, classes, 3, weight) for s in (source, Dosages(source)))
    for name in ("missing", "homozygous", "called"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).sum() > 0
    np.testing.assert_allclose(one.hoped, other.hoped, rtol=1e-12)


@needs_plink2
def test_a_pgen_of_hard_calls_knows_it_and_one_of_dosages_too(tmp_path):
    source = sexed(tmp_path)
    plink2(tmp_path / "sexed", tmp_path / "hard", "--make-pgen")
    pgen = open_genotypes(tmp_path / "hard.pgen")
    assert pgen.hard
    assert source.hard
    for rows in (np.arange(120), np.array([7, 3, 119])):
        bed, other = source.calls(rows, 3, 90), pgen.calls(rows, 3, 90)
        # PLINK 2 counts ALT, which A1 became
        np.testing.assert_array_equal(bed[0], other[0])
        np.testing.assert_array_equal(bed[1], other[1])
    text = ["##fileformat=VCFv4.2", '##FORMAT=<ID=DS,Number=1,Type=Float,Description="d">']
    text += ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "a", "b"])]
    text += ["1\t5\tv\tC\tA\t.\t.\t.\tDS\t0.4\t1.97"]
    (tmp_path / "d.vcf").write_text("\n".join(text) + "\n")
    plink2_vcf(tmp_path)
    dosages = open_genotypes(tmp_path / "d.pgen")
    assert not dosages.hard
    one, two = dosages.calls(np.arange(2), 0, 1)
    assert (one.tolist(), two.tolist()) == ([[0]], [[2]])  # 0.4 is no call


def plink2_vcf(folder):
    command = ["plink2", "--vcf", "d.vcf", "dosage=DS", "--make-pgen", "--out", "d"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
