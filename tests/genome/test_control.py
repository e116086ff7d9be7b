import numpy as np
import polars as pl
import pytest

from naive.genome_files import written
from plink2 import linked, needs_plink2, plink2, sexed
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.control import QcOptions, control
from radiolocus.genome.structure import principal_components
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.plink import PlinkSource, write_plink


def outs(found):
    return {(unit, name): out for unit, name, _, _, out in found.steps.iter_rows()}


@needs_plink2
def test_hapmap_goes_through_the_filters_as_in_plink2(data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    found = control(source, QcOptions(components=4))
    prefix = source.path.removesuffix(".bed")
    arguments = ("--geno", "0.05", "--maf", "0.01", "--hwe", "1e-6", "midp", "--write-snplist")
    plink2(prefix, tmp_path / "o", *arguments)
    theirs = set((tmp_path / "o.snplist").read_text().split())
    assert set(found.variants.filter("kept")["variant_id"]) == theirs
    assert 4500 < len(theirs) < 4900
    assert found.samples["kept"].all()
    plink2(
        prefix, tmp_path / "p", "--extract", tmp_path / "o.snplist", "--autosome", "--indep-pairwise", "1000kb", "0.1"
    )
    pruned = set((tmp_path / "p.prune.in").read_text().split())
    assert set(source.variants["variant_id"].gather(found.pruned)) == pruned
    plink2(prefix, tmp_path / "k", "--extract", tmp_path / "p.prune.in", "--king-cutoff", str(QcOptions().max_kinship))
    assert found.samples["unrelated"].sum() == len((tmp_path / "k.king.cutoff.in.id").read_text().split("\n")) - 2


def test_what_was_planted_is_found(tmp_path):
    source = linked(tmp_path, variants=6000, chromosomes=20, seed=3)
    dosage = source.read(np.arange(150), 0, 6000).dosage.copy()
    rng = np.random.default_rng(0)
    dosage[rng.random(6000) < 0.3, 20] = np.nan  # a badly called sample
    dosage[:, 21] = np.where(rng.random(6000) < 0.5, 1, dosage[:, 21])  # a contaminated one
    dosage[:5, rng.random(150) < 0.2] = np.nan  # badly called variants
    dosage[5:8] = 0
    dosage[8] = (np.arange(150) < 2) * 1.0  # rare
    dosage[9] = 1  # everybody heterozygous
    write_plink(tmp_path / "g", dosage, source.variants, list(source.sample_ids))
    told = []
    found = control(PlinkSource(tmp_path / "g"), QcOptions(components=3), told=told.append)
    reasons = found.variants["reason"].to_list()
    assert reasons[:5] == ["call rate below 0.95"] * 5
    assert reasons[5:8] == ["every sample has the same allele"] * 3
    assert reasons[8] == "minor allele frequency below 0.01"
    assert reasons[9] == "Hardy–Weinberg mid-p below 1e-06"
    assert outs(found)["variants", "call rate"] == reasons.count("call rate below 0.95") < 10
    assert outs(found)["variants", "monomorphic"] == 3
    gone = dict(found.samples.filter(~pl.col("kept")).select("sample", "reason").iter_rows())
    assert gone.pop("s20") == "call rate below 0.95"
    assert gone.pop("s21") == "F further than 5 standard deviations from the mean"
    ((twin, reason),) = gone.items()
    assert twin in ("s4", "s146")
    assert reason == "kinship above 0.354 with a sample of more calls"
    assert found.samples.filter(~pl.col("kept"))["PC1"].is_null().all()
    assert found.samples.filter("kept")["PC1"].is_not_null().all()
    assert not found.samples.filter("unrelated", ~pl.col("kept")).height
    children = found.samples.filter(pl.col("sample").is_in(["s147", "s148", "s149"]))
    assert children["relatives"].to_list() == [2, 3, 3]
    assert not children["unrelated"].any()
    assert told[0] == "call rates"
    assert told[-1] == "principal components"
    # components are those of the unrelated samples alone
    base = np.flatnonzero(found.samples["unrelated"].to_numpy())
    exact = principal_components(PlinkSource(tmp_path / "g"), base, found.pruned, 3)
    np.testing.assert_allclose(found.samples["PC1"].to_numpy()[base], exact.scores[:, 0], atol=1e-4)
    assert found.residual.max() <= 1e-6
    kept = control(PlinkSource(tmp_path / "g"), QcOptions(components=0, drop_duplicates=False, max_f_deviation=0))
    assert kept.samples["kept"].sum() == 149
    assert "PC1" not in kept.samples.columns


def test_samples_of_the_wrong_sex_go(tmp_path):
    source = sexed(tmp_path, counts=(400, 400, 20, 20, 10), wrong=0)
    sex = source.sex.copy()
    sex[[3, 4]] = 3 - np.where(sex[[3, 4]] == 0, 1, sex[[3, 4]])
    truth = source.sex[[3, 4]] > 0
    found = control(source, QcOptions(components=0, min_call_rate=0.9, max_f_deviation=0), sex=sex)
    wrong = found.samples.filter(pl.col("reason") == "recorded sex is not that of the X chromosome")["sample"].to_list()
    assert wrong == [s for s, known in zip(("s3", "s4"), truth, strict=True) if known]
    assert wrong
    unknown = control(source, QcOptions(components=0, min_call_rate=0.9), sex=np.zeros(120, dtype=np.int8))
    assert unknown.samples["kept"].all()
    assert [p.got for p in unknown.problems] == ["sex was not checked: no sample has a recorded sex"]


def test_imputation_quality(tmp_path):
    rng = np.random.default_rng(5)
    names = [f"s{i}" for i in range(80)]
    lines = [
        "##fileformat=VCFv4.2", "##contig=<ID=1>", '##INFO=<ID=R2,Number=1,Type=Float,Description="r">',
        '##FORMAT=<ID=DS,Number=A,Type=Float,Description="d">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]),
    ]  # fmt: skip
    for v in range(100):
        true = rng.binomial(2, 0.4, 80)
        known = v % 2
        dosage = true if known else np.round(0.8 + 0.15 * (true - 0.8), 3)
        info = "." if v < 90 else f"R2={0.9 if v % 2 == 0 else 0.1}"
        place = ["1", str(100_000 * (v + 1)), f"v{v}", "A", "C", ".", ".", info, "DS"]
        lines.append("\t".join([*place, *(f"{x:g}" for x in dosage)]))
    (tmp_path / "g.vcf").write_text("\n".join(lines) + "\n")
    options = QcOptions(min_info=0.3, components=0, min_hwe_p=0, max_f_deviation=0, min_maf=0)
    kept = control(open_genotypes(tmp_path / "g.vcf"), options).variants["kept"].to_numpy()
    # below 90 what the dosages tell, from there what the file says
    np.testing.assert_array_equal(kept, [v % 2 == 1 if v < 90 else v % 2 == 0 for v in range(100)])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_call_rate": 1.1}, "0 to 1"),
        ({"min_maf": 0.7}, "0 to 0.5"),
        ({"min_hwe_p": -1}, "0 to 1"),
        ({"max_kinship": 0.6}, "0 to 0.5"),
        ({"components": -1}, "0 or more"),
        ({"max_f_deviation": -1}, "0 or more"),
        ({"prune_r2": 1.0}, "below 1"),
        ({"prune_kb": 0}, "1 kilobase"),
    ],
)
def test_limits_that_cannot_be_followed(options, told):
    with pytest.raises(ConfigError) as caught:
        QcOptions(**options)
    assert told in caught.value.allowed


def test_nothing_left(tmp_path):
    source = written(tmp_path, np.full((30, 20), np.nan))
    with pytest.raises(FitError) as caught:
        control(source, QcOptions())
    assert caught.value.got == "no variant passes the filters"
    assert caught.value.where == "g.bed"


@needs_plink2
def test_the_same_control_whatever_the_format(data, tmp_path):
    bed = PlinkSource(data("hapmap") / "plinkhapmap")
    first = control(bed, QcOptions(components=2))
    for arguments, ending in (
        (("--make-pgen",), "pgen"),
        (("--export", "bgen-1.2", "ref-first"), "bgen"),
        (("--export", "bcf"), "bcf"),
    ):
        plink2(bed.path.removesuffix(".bed"), tmp_path / "o", *arguments)
        found = control(open_genotypes(tmp_path / f"o.{ending}"), QcOptions(components=2))
        for name in ("variants", "samples", "relatives", "steps"):
            assert getattr(found, name).equals(getattr(first, name)), (ending, name)
