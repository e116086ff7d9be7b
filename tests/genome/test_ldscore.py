import gzip

import numpy as np
import polars as pl
import pytest

from naive.genome_files import written
from plink2 import linked
from plink19 import needs_plink19, plink19
from radiolocus.errors import ConfigError, FitError, FormatError
from radiolocus.genome.ldscore import LdScoreOptions, ld_scores, read_ld_scores, write_ld_scores
from radiolocus.read.plink import PlinkSource


def naive_scores(dosage, place, position, kilobases, min_maf):
    """The definition, pair by pair; missing genotypes at the mean."""
    n = dosage.shape[1]
    filled = np.where(np.isnan(dosage), np.nanmean(dosage, axis=1, keepdims=True), dosage)
    frequency = filled.mean(axis=1) / 2
    use = np.flatnonzero((np.minimum(frequency, 1 - frequency) >= min_maf) & (filled.std(axis=1) > 0))
    out = {}
    for a in use:
        out[int(a)] = 0.0
        for b in use:
            if place[a] == place[b] and abs(position[a] - position[b]) <= 1000 * kilobases:
                r2 = np.corrcoef(filled[a], filled[b])[0, 1] ** 2
                out[int(a)] += r2 - (1 - r2) / (n - 2)
    return out


def test_the_definition_pair_by_pair(tmp_path):
    source = linked(tmp_path, samples=60, variants=240, missing=0.03)
    found = ld_scores(source, np.arange(60), LdScoreOptions(60, 0.05))
    variants = source.variants
    expected = naive_scores(
        source.read(np.arange(60), 0, 240).dosage.astype(float), variants["chromosome"].to_list(),
        variants["base_pair_location"].to_list(), 60, 0.05,
    )  # fmt: skip
    assert found.table["variant_id"].to_list() == [f"v{a}" for a in expected]
    np.testing.assert_allclose(found.table["ld_score"], list(expected.values()), rtol=2e-6, atol=2e-6)
    assert found.variants == len(expected)


@needs_plink19
def test_sums_of_the_squares_that_plink_prints(tmp_path):
    source = linked(tmp_path, samples=100, variants=1500, missing=0.0)
    theirs = plink19(
        tmp_path / "linked",
        tmp_path / "o",
        "--r2",
        "--ld-window-kb",
        "400",
        "--ld-window",
        "99999",
        "--ld-window-r2",
        "0",
    )("ld")
    found = ld_scores(source, np.arange(100), LdScoreOptions(400, 0.0))
    sums = dict.fromkeys(found.table["variant_id"].to_list(), 1.0)
    for a, b, r2 in theirs.select("SNP_A", "SNP_B", pl.col("R2").cast(pl.Float64)).iter_rows():
        for name in (a, b):
            sums[name] += r2 - (1 - r2) / 98
    np.testing.assert_allclose(found.table["ld_score"], list(sums.values()), rtol=1e-5, atol=1e-4)


def test_hapmap(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    found = ld_scores(source, np.arange(60), LdScoreOptions(1000, 0.05))
    assert found.common <= found.variants < source.variants.height
    assert found.table["ld_score"].mean() > 1


def test_files_of_ldsc_there_and_back(tmp_path):
    source = linked(tmp_path, samples=60, variants=200)
    scores = ld_scores(source, np.arange(60))
    files = write_ld_scores(scores, tmp_path / "mine")
    assert [file.name for file in files] == ["mine.l2.ldscore.gz", "mine.l2.M", "mine.l2.M_5_50"]
    assert gzip.decompress(files[0].read_bytes()).decode().splitlines()[0] == "CHR\tSNP\tBP\tL2"
    for name in ("mine", "mine.l2.ldscore.gz"):
        again = read_ld_scores(tmp_path / name)
        assert again.variants == scores.variants
        assert again.common == scores.common
        assert again.table.drop("ld_score").equals(scores.table.drop("ld_score"))
        np.testing.assert_allclose(again.table["ld_score"], scores.table["ld_score"], atol=5e-7)


def test_one_file_a_chromosome(tmp_path):
    for chromosome, total in (("1", 100), ("3", 50)):
        text = f"CHR\tSNP\tBP\tCM\tMAF\tL2\n{chromosome}\trs{chromosome}\t5\t0\t0.2\t7.5\n"
        (tmp_path / f"eur.{chromosome}.l2.ldscore.gz").write_bytes(gzip.compress(text.encode()))
        (tmp_path / f"eur.{chromosome}.l2.M_5_50").write_text(f"{total}\n")
    found = read_ld_scores(tmp_path / "eur.@")
    assert found.table["variant_id"].to_list() == ["rs1", "rs3"]
    assert found.common == 150
    assert np.isnan(found.variants)


def test_files_that_cannot_be_used(tmp_path):
    (tmp_path / "a.l2.ldscore").write_text("CHR\tSNP\tBP\tL2\n1\trs1\t5\tx\n")
    (tmp_path / "b.l2.ldscore").write_text("CHR\tSNP\tBP\tL2\tL3\n1\trs1\t5\t1\t2\n")
    (tmp_path / "c.l2.ldscore").write_text("CHR\tSNP\tBP\tL2\n1\trs1\t5\t1\n")
    (tmp_path / "d.l2.ldscore").write_text("CHR\tSNP\tBP\tL2\n1\trs1\t5\t1\n1\trs1\t6\t1\n")
    (tmp_path / "d.l2.M").write_text("2\n")
    for name, got, where in (
        ("a", "'x'", "a.l2.ldscore, row 2"),
        ("b", "columns CHR, SNP, BP, L2, L3", "b.l2.ldscore"),
        ("c", "neither c.l2.M nor c.l2.M_5_50", "c.l2.ldscore"),
        ("d", "1 variants stand more than once: rs1", "d"),
        ("none", "no such file", "none"),
    ):
        with pytest.raises(FormatError) as caught:
            read_ld_scores(tmp_path / name)
        assert got in caught.value.got
        assert caught.value.where.endswith(where)


def test_genotypes_and_options_that_cannot_be_used(tmp_path):
    source = written(tmp_path, np.ones((3, 20)))
    for rows, got in ((np.arange(2), "2 samples"), (np.arange(20), "no autosomal variant")):
        with pytest.raises(FitError) as caught:
            ld_scores(source, rows)
        assert got in caught.value.got
    for options in ({"kilobases": -1.0}, {"min_maf": 0.5}):
        with pytest.raises(ConfigError):
            LdScoreOptions(**options)
