import numpy as np
import polars as pl
import pytest

from naive.genome_files import written
from plink2 import linked
from plink19 import needs_plink19, plink19
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.ld import LdWindow, correlation, ld_matrix, ld_pairs, ld_to, windows
from radiolocus.read.plink import PlinkSource


def everybody(source):
    return np.arange(len(source.sample_ids)), np.arange(source.variants.height)


def naive_r(a, b):
    both = ~np.isnan(a) & ~np.isnan(b)
    x, y = a[both].astype(float), b[both].astype(float)
    return np.corrcoef(x, y)[0, 1] if x.size and np.ptp(x) and np.ptp(y) else np.nan


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("fractional", [False, True])
def test_correlation_is_that_of_the_samples_known_at_both(missing, fractional):
    rng = np.random.default_rng(3)
    dosage = rng.binomial(2, 0.3, (12, 30)).astype(np.float32)
    if fractional:
        dosage = np.clip(dosage + rng.normal(0, 0.2, dosage.shape), 0, 2).astype(np.float32)
    dosage[3] = 1.3 if fractional else 1.0
    dosage[rng.random(dosage.shape) < missing] = np.nan
    dosage[5] = np.nan
    found = correlation(dosage[:7], dosage[4:])
    expected = [[naive_r(a, b) for b in dosage[4:]] for a in dosage[:7]]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 1]).all()


@needs_plink19
@pytest.mark.parametrize("name", ["hapmap", "linked"])
def test_the_same_pairs_as_plink(name, data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap") if name == "hapmap" else linked(tmp_path, missing=0.05)
    wanted = ["--r", "--ld-window-kb", "500", "--ld-window", "99999", "--ld-window-r2", "0.1"]
    theirs = plink19(source.path.removesuffix(".bed"), tmp_path / "o", *wanted)("ld")
    ours = pl.concat(ld_pairs(source, *everybody(source), LdWindow(500, 0.1)))
    ids = source.variants["variant_id"]
    found = {(ids[a], ids[b]): r for a, b, r in ours.filter(pl.col("r") ** 2 >= 0.100001).iter_rows()}
    expected = {
        (a, b): float(r) for a, b, r in theirs.select("SNP_A", "SNP_B", "R").iter_rows() if float(r) ** 2 > 0.100001
    }
    assert len(expected) > 300
    assert found.keys() == expected.keys()
    for pair, r in expected.items():
        assert found[pair] == pytest.approx(r, rel=2e-6)


def test_blocks_that_follow_each_other_hold_all_pairs(tmp_path):
    source = linked(tmp_path, variants=1500, samples=25, chromosomes=2)
    rows, chosen = everybody(source)
    chosen = chosen[chosen % 5 > 0]
    found = pl.concat(ld_pairs(source, rows, chosen, LdWindow(300, 0.0)))
    dosage = source.read(rows, 0, 1500).dosage
    position, place = source.variants["base_pair_location"].to_numpy(), source.variants["chromosome"].to_numpy()
    r = correlation(dosage)
    near = (place[:, None] == place) & (position - position[:, None] <= 300_000) & np.triu(np.ones_like(r, bool), 1)
    near &= np.isin(np.arange(1500), chosen)[:, None] & np.isin(np.arange(1500), chosen) & ~np.isnan(r)
    assert set(found.select("first", "second").iter_rows()) == set(
        zip(*(i.tolist() for i in np.nonzero(near)), strict=True)
    )
    np.testing.assert_allclose(found["r"], r[found["first"].to_numpy(), found["second"].to_numpy()], atol=1e-12)


def test_matrix_and_one_row_of_it(tmp_path):
    source = linked(tmp_path, variants=700, samples=50)
    rows = np.arange(50)[::-1].copy()
    chosen = np.arange(0, 700, 7)
    matrix = ld_matrix(source, rows, chosen)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(ld_to(source, rows, 70, chosen), matrix[10])
    known = ~np.isnan(matrix[10])
    np.testing.assert_allclose(np.diag(matrix)[known], 1.0)


def test_what_cannot_be_followed(tmp_path):
    source = written(tmp_path, np.random.default_rng(1).integers(0, 3, (3, 20)), positions=[5, 9, 7])
    with pytest.raises(TableError) as unsorted:
        list(windows(source, *everybody(source), 100.0, lambda dosage: dosage))
    assert "v2 at 7 stands after v1 at 9" in unsorted.value.got
    for options in ({"kilobases": 0.0}, {"min_r2": 1.5}):
        with pytest.raises(ConfigError) as caught:
            LdWindow(**options)
        assert caught.value.where == "LD"
