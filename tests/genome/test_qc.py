import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from naive import genotype as naive
from naive.genome_files import written
from radiolocus.errors import ConfigError
from radiolocus.genome.qc import GenotypeOptions, assess
from radiolocus.read.plink import PlinkSource


def test_each_reason(tmp_path):
    nan = np.nan
    dosage = np.zeros((9, 20))
    dosage[:, 0] = 1
    dosage[1] = 2
    dosage[2] = nan
    dosage[3, 1:3] = nan
    dosage[4:, 1:8] = 1
    dosage[7, 19] = nan
    chromosomes = ["1", "2", "3", "4", "X", "MT", "5", "22", "0"]
    source = written(tmp_path, dosage, chromosomes, [1, 2, 3, 4, 5, 6, -7, 8, 9])
    quality = assess(source, np.arange(20), GenotypeOptions(min_maf=0.05, block_size=2))
    assert quality.variants["reason"].to_list() == [
        "minor allele frequency 0.025 below 0.05",
        "every analysed subject has the same genotype",
        "no analysed subject has a genotype",
        "call rate 0.9 below 0.95",
        "no analysed subject has a known sex",
        "call rate 0.6 below 0.95",
        "negative position: the variant is marked as excluded",
        None,
        "chromosome 0 is none of 1 to 22, X, Y, XY and MT",
    ]
    assert quality.kept.tolist() == [7]
    assert quality.variants["effect_allele_frequency"][2] is None
    expected = 1 - np.isnan(dosage).sum(axis=0) / 9
    np.testing.assert_allclose(quality.sample_call_rate, expected)


@pytest.mark.parametrize("flip", [False, True])
def test_a_frequency_or_rate_on_the_threshold_is_kept(tmp_path, flip):
    dosage = np.zeros((1, 10))
    dosage[0, :2] = 1
    dosage = 2 - dosage if flip else dosage
    dosage = np.repeat(dosage, 2, axis=0)
    source = written(tmp_path, dosage)
    assert assess(source, np.arange(10), GenotypeOptions(min_maf=0.1)).kept.tolist() == [0, 1]
    assert assess(source, np.arange(10), GenotypeOptions(min_maf=0.100001)).kept.size == 0


def test_rates_are_among_the_analysed_subjects_whatever_the_block(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    rows = np.random.default_rng(1).permutation(60)[:41]
    quality = assess(source, rows, GenotypeOptions(block_size=777))
    dosage = source.read(rows, 0, 5000).dosage.tolist()
    on_x = (source.variants["chromosome"] == "X").to_numpy()
    assert on_x.any()
    assert quality.variants["call_rate"].is_null().to_list() == on_x.tolist()
    autosomal = quality.variants.filter(~on_x)
    dosage = [row for row, x in zip(dosage, on_x, strict=True) if not x]
    expected = [naive.call_rate(row) for row in dosage], [naive.frequency(row) for row in dosage]
    np.testing.assert_allclose(autosomal["call_rate"], expected[0], rtol=1e-15)
    np.testing.assert_allclose(
        autosomal["effect_allele_frequency"].cast(pl.Float64).fill_null(np.nan), expected[1], rtol=1e-15
    )
    whole = assess(source, rows, GenotypeOptions(block_size=5000))
    assert whole.variants.equals(quality.variants)
    np.testing.assert_array_equal(whole.sample_call_rate, quality.sample_call_rate)


@pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")
def test_hapmap_equals_plink2(data, tmp_path):
    prefix = data("hapmap") / "plinkhapmap"
    command = ["plink2", "--bfile", prefix, "--freq", "cols=chrom,ref,alt,altfreq,nobs", "--missing", "--autosome"]
    command += ["--threads", "1", "--out", tmp_path / "o"]
    subprocess.run(command, check=True, capture_output=True)
    command = ["plink2", "--bfile", prefix, "--autosome", "--maf", "0.05", "--geno", "0.02", "--write-snplist"]
    subprocess.run([*command, "--threads", "1", "--out", tmp_path / "kept"], check=True, capture_output=True)
    source = PlinkSource(prefix)
    quality = assess(source, np.arange(60), GenotypeOptions(min_maf=0.05, min_call_rate=0.98))
    autosomes = quality.variants.filter(pl.col("chromosome") != "X")
    frequency = pl.read_csv(tmp_path / "o.afreq", separator="\t", schema_overrides={"ALT_FREQS": pl.Float64})
    # printed with six digits
    np.testing.assert_allclose(autosomes["effect_allele_frequency"], frequency["ALT_FREQS"], rtol=1e-5)
    np.testing.assert_array_equal((autosomes["call_rate"] * 120).round(), frequency["OBS_CT"])
    missing = pl.read_csv(tmp_path / "o.vmiss", separator="\t")
    np.testing.assert_allclose(1 - autosomes["call_rate"], missing["F_MISS"], rtol=1e-5, atol=1e-12)
    kept = (tmp_path / "kept.snplist").read_text().split()
    assert quality.variants.filter("kept")["variant_id"].to_list() == kept
    of_samples = pl.read_csv(tmp_path / "o.smiss", separator="\t")
    whole = quality.sample_call_rate * 5000
    of_x = np.isnan(source.read(np.arange(60), 0, 5000).dosage[~(source.variants["chromosome"] != "X").to_numpy()])
    np.testing.assert_allclose(5000 - whole - of_x.sum(axis=0), of_samples["MISSING_CT"], atol=1e-9)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("min_maf", 0.6, "0 to 0.5"),
        ("min_maf", -0.1, "0 to 0.5"),
        ("min_maf", float("nan"), "0 to 0.5"),
        ("min_call_rate", 1.01, "0 to 1.0"),
        ("principal_components", -1, "0 or more"),
        ("block_size", 0, "1 or more"),
        ("missing", "median", "'mean' or 'drop'"),
        ("scan_dtype", "float16", "'float64' or 'float32'"),
        ("sample_id", "id", "'iid' or 'fid_iid'"),
        ("dosage", "HDS", "'auto' or 'GT' or 'DS' or 'GP'"),
    ],
)
def test_options_that_cannot_be_followed(field, value, allowed):
    with pytest.raises(ConfigError) as caught:
        GenotypeOptions(**{field: value})
    assert field in caught.value.got
    assert caught.value.where == "genetics"
    assert caught.value.allowed == allowed


def test_genotypes_named_twice():
    with pytest.raises(ConfigError, match="both genotypes and plink; allowed: one of them; what to do: take plink out"):
        GenotypeOptions(genotypes="a.pgen", plink="a")


def test_a_covariate_named_twice():
    with pytest.raises(ConfigError, match="covariates lists age more than once"):
        GenotypeOptions(covariates=("age", "sex", "age"))
