import numpy as np
import polars as pl
import pytest

from plink2 import linked, needs_plink2, plink2
from radiolocus.errors import FitError
from radiolocus.genome.relatives import DEGREES, degree, pack_samples, related_pairs, unrelated
from radiolocus.read.plink import PlinkSource


@needs_plink2
@pytest.mark.parametrize("name", ["hapmap", "linked"])
def test_every_pair_equals_plink2(name, data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap") if name == "hapmap" else linked(tmp_path)
    theirs = plink2(source.path.removesuffix(".bed"), tmp_path / "o", "--make-king-table")("kin0")
    theirs = theirs.rename({"#IID1": "IID1"}) if "#IID1" in theirs.columns else theirs
    packed = pack_samples(source, np.arange(len(source.sample_ids)), np.arange(source.variants.height))
    ours = related_pairs(packed, source.sample_ids, least=-9)
    n = len(source.sample_ids)
    assert ours.height == theirs.height == n * (n - 1) // 2
    both = pl.concat(
        [
            ours.join(theirs, left_on=["sample_1", "sample_2"], right_on=right, how="inner")
            for right in (["IID1", "IID2"], ["IID2", "IID1"])
        ]
    )
    assert both.height == ours.height
    assert both["n_variants"].to_list() == both["NSNP"].to_list()
    np.testing.assert_allclose(both["kinship"], both["KINSHIP"], rtol=6e-6, atol=6e-7)
    np.testing.assert_allclose(both["both_heterozygous"] / both["n_variants"], both["HETHET"], rtol=6e-6)
    np.testing.assert_allclose(both["opposite_homozygotes"] / both["n_variants"], both["IBS0"], rtol=6e-6)


@needs_plink2
def test_the_unrelated_set_is_as_large_as_that_of_plink2(tmp_path):
    source = linked(tmp_path)
    packed = pack_samples(source, np.arange(150), np.arange(source.variants.height))
    pairs = related_pairs(packed, source.sample_ids, jobs=2)
    assert pairs.equals(related_pairs(packed, source.sample_ids))
    stays = unrelated(source.sample_ids, pairs, limit=0.177)
    plink2(tmp_path / "linked", tmp_path / "o", "--king-cutoff", "0.177")
    theirs = (tmp_path / "o.king.cutoff.in.id").read_text().split("\n")[1:-1]
    assert stays.sum() == len(theirs) < 150
    chosen = [s for s, keep in zip(source.sample_ids, stays, strict=True) if keep]
    assert not pairs.filter(
        pl.col("kinship") > 0.177, pl.col("sample_1").is_in(chosen), pl.col("sample_2").is_in(chosen)
    ).height


def test_planted_relatives_are_found(tmp_path):
    source = linked(tmp_path, variants=6000, chromosomes=20, seed=3)
    packed = pack_samples(source, np.arange(150), np.arange(6000))
    pairs = related_pairs(packed, source.sample_ids, least=DEGREES[1][0])
    found = {(a, b): relation for a, b, relation in pairs.select("sample_1", "sample_2", "relation").iter_rows()}
    first = "first degree"
    assert found == {
        ("s0", "s149"): first, ("s1", "s149"): first, ("s0", "s148"): first, ("s1", "s148"): first,
        ("s148", "s149"): first, ("s2", "s147"): first, ("s3", "s147"): first,
        ("s4", "s146"): "duplicate or identical twin",
    }  # fmt: skip
    stays = unrelated(source.sample_ids, pairs)
    # parents of two, and one of each other pair: the later one where both have one relative
    assert [source.sample_ids[i] for i in np.flatnonzero(~stays)] == ["s146", "s147", "s148", "s149"]


def test_degrees():
    named = [degree(x) for x in (0.5, 0.36, 0.25, 0.125, 0.0625, 0.02, float("nan"))]
    twin = "duplicate or identical twin"
    assert named == [twin, twin, "first degree", "second degree", "third degree", "", ""]


def test_nothing_on_autosomes(tmp_path):
    source = linked(tmp_path, variants=10, samples=9)
    with pytest.raises(FitError) as caught:
        pack_samples(source, np.arange(9), np.arange(0))
    assert caught.value.got == "no autosomal variant"
    assert "1 to 22" in caught.value.allowed
