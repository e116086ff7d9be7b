import numpy as np
import polars as pl
import pytest

from plink2 import linked, needs_plink2, plink2, sexed
from radiolocus.genome.quality import sample_quality, variant_quality
from radiolocus.read.plink import PlinkSource

# PLINK 2 prints six digits; of MaCH's r² above one and of p-values also six
DIGITS = 6e-6


@pytest.fixture(params=["hapmap", "linked", "sexed"])
def source(request, tmp_path):
    if request.param == "hapmap":
        return PlinkSource(request.getfixturevalue("data")("hapmap") / "plinkhapmap")
    return {"linked": linked, "sexed": sexed}[request.param](tmp_path)


def prefix_of(source):
    return source.path.removesuffix(".bed")


def column(frame, name):
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


@needs_plink2
def test_variants_equal_plink2(source, tmp_path):
    read = plink2(
        prefix_of(source), tmp_path / "o", "--freq", "cols=+machr2", "--hardy", "midp", "--missing",
        "vcols=chrom,nmiss,hethap,nobs,fmiss",
    )  # fmt: skip
    people = np.arange(len(source.sample_ids))
    ours = variant_quality(source, people, source.sex)
    assert ours["variant_id"].to_list() == source.variants["variant_id"].to_list()
    theirs = read("vmiss")
    np.testing.assert_allclose(1 - column(ours, "call_rate"), theirs["F_MISS"], rtol=DIGITS, atol=1e-12)
    if "HETHAP_CT" in theirs.columns:
        on_mt = (ours["chromosome"] == "MT").to_numpy()
        assert (ours["haploid_heterozygous"].to_numpy() == theirs["HETHAP_CT"].to_numpy())[~on_mt].all()
    theirs = read("afreq")
    np.testing.assert_allclose(column(ours, "effect_allele_frequency"), column(theirs, "ALT_FREQS"), rtol=DIGITS)
    diploid = ours["chromosome"].is_in(["X", "Y", "MT"]).not_().to_numpy()
    np.testing.assert_allclose(column(ours, "info")[diploid], column(theirs, "MACH_R2")[diploid], rtol=DIGITS)
    assert np.isnan(column(ours, "info")[~diploid]).all()
    theirs = read("hardy").rename({"ID": "variant_id"})
    both = ours.join(theirs, on="variant_id", how="inner")
    assert both.height == diploid.sum() == theirs.height
    observed = (both["homozygous_effect"] + both["heterozygous"] + both["homozygous_other"]).to_numpy() > 0
    assert np.isnan(column(both, "hwe_neg_log_10_p")[~observed]).all()
    np.testing.assert_allclose(
        10 ** -column(both, "hwe_neg_log_10_p")[observed], both.filter(observed)["MIDP"], rtol=DIGITS
    )
    # A1 of --hardy is the reference allele where it is the commoner one
    flip = (both["A1"] == both["effect_allele"]).to_numpy()
    ends = [np.where(flip, both[a], both[b]) for a, b in (("HOM_A1_CT", "TWO_AX_CT"), ("TWO_AX_CT", "HOM_A1_CT"))]
    for name, theirs in (
        ("homozygous_effect", ends[0]),
        ("homozygous_other", ends[1]),
        ("heterozygous", both["HET_A1_CT"]),
    ):
        assert (both[name].to_numpy() == np.asarray(theirs)).all()


@needs_plink2
def test_hardy_weinberg_on_x_is_that_of_the_women(tmp_path):
    source = sexed(tmp_path)
    ours = variant_quality(source, np.arange(120), source.sex)
    theirs = plink2(prefix_of(source), tmp_path / "o", "--keep-females", "--hardy", "midp")("hardy.x")
    both = ours.join(theirs.rename({"ID": "variant_id"}), on="variant_id")
    assert both.height == 40
    np.testing.assert_allclose(10 ** -both["hwe_neg_log_10_p"], both["MIDP"], rtol=DIGITS)
    assert ours.filter(pl.col("chromosome").is_in(["Y", "MT"]))["hwe_neg_log_10_p"].is_null().all()


@needs_plink2
def test_samples_equal_plink2(source, tmp_path):
    read = plink2(prefix_of(source), tmp_path / "o", "--het", "--missing", "sample-only", "scols=nmiss,nobs,fmiss")
    people = np.arange(len(source.sample_ids))
    frequency = column(variant_quality(source, people, source.sex), "effect_allele_frequency")
    ours = sample_quality(source, people, source.sex, np.arange(source.variants.height), frequency)
    theirs = read("smiss")
    np.testing.assert_allclose(1 - ours["call_rate"], theirs["F_MISS"], rtol=DIGITS, atol=1e-12)
    theirs = read("het")
    assert ours["homozygous"].to_list() == theirs["O(HOM)"].to_list()
    assert ours["called"].to_list() == theirs["OBS_CT"].to_list()
    np.testing.assert_allclose(ours["expected_homozygous"], theirs["E(HOM)"], rtol=DIGITS)
    # printed digits of a difference of large numbers
    np.testing.assert_allclose(ours["f"], theirs["F"], rtol=DIGITS, atol=1e-6)


@needs_plink2
def test_homozygosity_of_x_equals_plink2_told_that_x_is_an_autosome(tmp_path):
    """This build of plink2 has no --check-sex: its F is that of --het over X with the frequencies of X."""
    source = sexed(tmp_path)
    frequency = column(variant_quality(source, np.arange(120), source.sex), "effect_allele_frequency")
    ours = sample_quality(source, np.arange(120), source.sex, np.arange(source.variants.height), frequency)
    on_x = (source.variants["chromosome"] == "X").to_numpy()
    kept = [line for line in (tmp_path / "sexed.bim").read_text().splitlines() if line.split()[0] == "23"]
    (tmp_path / "x.bim").write_text("\n".join("1" + line[2:] for line in kept) + "\n")
    (tmp_path / "x.fam").write_bytes((tmp_path / "sexed.fam").read_bytes())
    whole = np.fromfile(tmp_path / "sexed.bed", np.uint8)
    (tmp_path / "x.bed").write_bytes(whole[:3].tobytes() + whole[3:].reshape(-1, 30)[on_x].tobytes())
    names = source.variants["variant_id"].filter(on_x)
    lines = [f"{name}\tC\tA\t{p:.17g}" for name, p in zip(names, frequency[on_x], strict=True)]
    (tmp_path / "x.afreq").write_text("#ID\tREF\tALT\tALT_FREQS\n" + "\n".join(lines) + "\n")
    theirs = plink2(tmp_path / "x", tmp_path / "o", "--read-freq", tmp_path / "x.afreq", "--het")("het")
    np.testing.assert_allclose(ours["f_x"], theirs["F"], rtol=DIGITS, atol=1e-6)


def test_sex_is_inferred_from_x(tmp_path):
    source = sexed(tmp_path, counts=(30, 400, 20, 20, 10), wrong=0)
    frequency = column(variant_quality(source, np.arange(120), source.sex), "effect_allele_frequency")
    ours = sample_quality(source, np.arange(120), source.sex, np.arange(source.variants.height), frequency)
    known = ours.filter(pl.col("sex") != "")
    assert known.height > 90
    assert (known["sex"] == known["sex_inferred"]).all()
    assert known.filter(pl.col("sex") == "male")["f_x"].min() == 1


def test_some_samples_in_another_order(tmp_path):
    source = sexed(tmp_path)
    everyone = np.arange(120)
    some = np.array([90, 4, 17, 60])
    chosen = np.arange(0, 120, 3)
    frequency = column(variant_quality(source, everyone, source.sex), "effect_allele_frequency")
    whole = sample_quality(source, everyone, source.sex, chosen, frequency)
    part = sample_quality(source, some, source.sex[some], chosen, frequency)
    assert part.equals(whole[some.tolist()])


def test_dosages_count_as_they_are_and_their_calls_within_a_tenth(tmp_path):
    head = '##fileformat=VCFv4.2\n##contig=<ID=1>\n##INFO=<ID=DR2,Number=1,Type=Float,Description="r">\n'
    head += '##FORMAT=<ID=DS,Number=A,Type=Float,Description="d">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\td\te\n"
    body = "1\t5\tv\tA\tC\t.\t.\tDR2=0.7\tDS\t0.05\t1.2\t1.95\t.\t1\n"
    (tmp_path / "g.vcf").write_text(head + columns + body)
    from radiolocus.read.vcf import VcfSource

    row = variant_quality(VcfSource(tmp_path / "g.vcf"), np.arange(5), np.zeros(5, dtype=np.int8)).row(0, named=True)
    dosage = np.array([0.05, 1.2, 1.95, 1])
    p = dosage.mean() / 2
    np.testing.assert_allclose(row["effect_allele_frequency"], p, rtol=1e-6)
    np.testing.assert_allclose(row["info"], dosage.var() / (2 * p * (1 - p)), rtol=1e-6)
    assert (row["homozygous_effect"], row["heterozygous"], row["homozygous_other"]) == (1, 1, 1)
    assert row["call_rate"] == 0.8
    assert row["stated_info"] == pytest.approx(0.7)
