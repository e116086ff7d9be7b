import numpy as np
import polars as pl
import pytest

from plink2 import needs_plink2, plink2
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.score import ScoreOptions, match_weights, score
from radiolocus.read.plink import PlinkSource, write_plink

ALLELES = [("A", "G"), ("C", "A"), ("A", "T"), ("G", "C"), ("T", "C"), ("AT", "A")]


def genotypes(folder, *, people=120, variants=900, missing=0.05, seed=0):
    rng = np.random.default_rng(seed)
    dosage = rng.binomial(2, rng.uniform(0.05, 0.95, (variants, 1)), (variants, people)).astype(float)
    dosage[rng.random(dosage.shape) < missing] = np.nan
    pairs = [ALLELES[i % 6] for i in range(variants)]
    table = pl.DataFrame({
        "chromosome": ["1"] * (variants // 2) + ["2"] * (variants - variants // 2),
        "variant_id": [f"rs{i}" for i in range(variants)], "base_pair_location": np.arange(1, variants + 1) * 10,
        "effect_allele": [a for a, _ in pairs], "other_allele": [b for _, b in pairs],
    })  # fmt: skip
    write_plink(folder / "g", dosage, table, [f"s{i}" for i in range(people)])
    return PlinkSource(folder / "g")


def weights_of(source, seed=1, share=0.7):
    """Weights of a part of the variants, half of them of the other allele."""
    rng = np.random.default_rng(seed)
    rows = source.variants.sample(fraction=share, seed=seed, shuffle=True)
    turned = rng.random(rows.height) < 0.5
    effect = np.where(turned, rows["other_allele"], rows["effect_allele"])
    other = np.where(turned, rows["effect_allele"], rows["other_allele"])
    return rows.with_columns(
        effect_allele=pl.Series(effect, dtype=pl.String), other_allele=pl.Series(other, dtype=pl.String),
        effect_allele_frequency=pl.lit(None, pl.Float64), effect_weight=pl.Series(rng.normal(size=rows.height)),
    )  # fmt: skip


def by_plink(source, weights, folder, *modifiers):
    weights.select("variant_id", "effect_allele", "effect_weight").write_csv(
        folder / "w.txt", separator="\t", include_header=False
    )
    return plink2(
        source.path.removesuffix(".bed"), folder / "o", "--score", folder / "w.txt", "1", "2", "3", *modifiers,
        "cols=nallele,denom,scoreavgs,scoresums",
    )("sscore")  # fmt: skip


@needs_plink2
@pytest.mark.parametrize(("missing", "modifiers"), [("mean", ()), ("zero", ("no-mean-imputation",))])
def test_the_scores_of_plink2(missing, modifiers, tmp_path):
    source = genotypes(tmp_path)
    weights = weights_of(source)
    theirs = by_plink(source, weights, tmp_path, *modifiers)
    found = match_weights(weights, source, ScoreOptions(palindromic="as_written"))
    assert found.numbers.size == weights.height
    assert (found.sign < 0).sum() > 100
    values = weights["effect_weight"].to_numpy()[found.rows][:, None]
    ours = score(source, np.arange(120), found.numbers, values, found.sign, missing=missing)
    np.testing.assert_allclose(ours.total[:, 0], theirs["SCORE1_SUM"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(ours.average[:, 0], theirs["SCORE1_AVG"], rtol=1e-5, atol=1e-7)
    assert ours.alleles.tolist() == theirs["ALLELE_CT"].to_list()


@needs_plink2
def test_hapmap_as_plink2(data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    weights = weights_of(source, share=0.4)
    theirs = by_plink(source, weights, tmp_path)
    found = match_weights(weights, source, ScoreOptions(on="variant_id", palindromic="as_written", min_matched=0.9))
    values = weights["effect_weight"].to_numpy()[found.rows][:, None]
    ours = score(source, np.arange(60), found.numbers, values, found.sign)
    assert found.numbers.size == weights.height > 1900
    np.testing.assert_allclose(ours.total[:, 0], theirs["SCORE1_SUM"], rtol=1e-4, atol=1e-3)


def test_several_scores_and_samples_at_once(tmp_path):
    source = genotypes(tmp_path, variants=1100)
    rng = np.random.default_rng(3)
    rows, numbers = np.array([7, 3, 90]), np.sort(rng.choice(1100, 700, replace=False))
    weights = rng.normal(size=(700, 3))
    found = score(source, rows, numbers, weights)
    dosage = source.read(rows, 0, 1100).dosage[numbers].astype(float)
    for i in range(700):
        known = ~np.isnan(dosage[i])
        dosage[i, ~known] = dosage[i, known].mean() if known.any() else 0
    np.testing.assert_allclose(found.total, dosage.T @ weights, rtol=1e-10)
    np.testing.assert_allclose(found.average, dosage.T @ weights / 1400, rtol=1e-10)


def test_other_strand_and_palindromic_alleles(tmp_path):
    source = genotypes(tmp_path, variants=60, missing=0.0)
    weights = weights_of(source, share=1.0)
    dosage = source.read(np.arange(120), 0, 60).dosage.astype(float)
    frequency = pl.Series(dosage.mean(axis=1) / 2)
    flipped = weights.with_columns(
        pl.col("effect_allele", "other_allele").str.replace_many({"A": "T", "T": "A", "C": "G", "G": "C"})
    )
    single = flipped.filter(pl.col("effect_allele").str.len_chars() + pl.col("other_allele").str.len_chars() == 2)
    found = match_weights(single, source, ScoreOptions(min_matched=0.5))
    kinds = dict(found.counts.select("outcome", "count").iter_rows())
    assert kinds.keys() == {"flipped", "flipped_swapped", "palindromic"}
    assert (kinds["palindromic"], kinds["flipped"] + kinds["flipped_swapped"]) == (20, 30)
    assert "20 palindromic" in found.told
    # frequencies tell the strand where they are far from a half
    truth = dict(zip(source.variants["variant_id"], frequency, strict=True))
    counted = dict(source.variants.select("variant_id", "effect_allele").iter_rows())
    told = [
        truth[v] if (e == counted[v]) else 1 - truth[v]
        for v, e in weights.select("variant_id", "effect_allele").iter_rows()
    ]
    both = weights.with_columns(effect_allele_frequency=pl.Series(told))
    by_frequency = match_weights(both, source, ScoreOptions(palindromic="frequency", min_matched=0.5), frequency)
    as_written = match_weights(weights, source, ScoreOptions(palindromic="as_written"))
    sign = dict(zip(as_written.numbers.tolist(), as_written.sign.tolist(), strict=True))
    assert all(sign[n] == s for n, s in zip(by_frequency.numbers.tolist(), by_frequency.sign.tolist(), strict=True))
    assert by_frequency.numbers.size > 45


def test_the_other_allele_may_be_unknown(tmp_path):
    source = genotypes(tmp_path, variants=60, missing=0.0)
    weights = weights_of(source, share=1.0)
    unknown = weights.with_columns(other_allele=pl.lit(None, pl.String))
    one, two = (match_weights(w, source, ScoreOptions(palindromic="as_written")) for w in (weights, unknown))
    np.testing.assert_array_equal(one.numbers, two.numbers)
    np.testing.assert_array_equal(one.sign, two.sign)


def test_too_few_weights_match(tmp_path):
    source = genotypes(tmp_path, variants=60)
    weights = weights_of(source, share=1.0).with_columns(pl.col("base_pair_location") + 1)
    with pytest.raises(TableError) as caught:
        match_weights(weights, source)
    assert caught.value.got == "0 of 60 weights match a genotype by position (60 absent)"
    assert "at least 75%" in caught.value.allowed
    assert "genome build" in caught.value.todo
    assert match_weights(weights, source, ScoreOptions(on="variant_id", palindromic="as_written")).numbers.size == 60
    for wrong in ({"on": "x"}, {"missing": "x"}, {"min_matched": 2.0}, {"palindromic": "x"}):
        with pytest.raises(ConfigError):
            ScoreOptions(**wrong)
