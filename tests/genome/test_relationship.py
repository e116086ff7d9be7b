import numpy as np
import polars as pl
import pytest

from naive.mixed import relationship
from plink2 import linked, needs_plink2, plink2
from radiolocus.genome import relationship as module
from radiolocus.genome.relationship import relationship_sum, relationship_variants
from radiolocus.read.plink import PlinkSource


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relationship")
    linked(folder, samples=60, variants=300)
    return folder, next(folder.glob("*.bed"))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("scaling", ["centred", "standardised"])
def test_it_is_the_sum_of_products(cohort, scaling, dtype, tolerance, monkeypatch):
    source = PlinkSource(cohort[1].with_suffix(""))
    rows = np.arange(59, 3, -1, dtype=np.int64)
    dosage = source.read(rows, 0, 300).dosage
    chosen = np.flatnonzero((np.nanstd(dosage, axis=1) > 0) & (np.arange(300) % 7 > 0)).astype(np.int64)
    wanted = relationship(dosage[chosen], standardised=scaling == "standardised") * chosen.size
    for block, panel in ((1024, 512), (64, 17)):
        monkeypatch.setattr(module, "_BLOCK", block)
        monkeypatch.setattr(module, "_PANEL", panel)
        found = relationship_sum(source, rows, chosen, scaling=scaling, dtype=dtype)
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
        assert np.array_equal(found, found.T)
        assert np.array_equal(found, relationship_sum(source, rows, chosen, scaling=scaling, dtype=dtype, jobs=3))


@needs_plink2
def test_standardised_it_is_the_matrix_of_plink2(tmp_path):
    linked(tmp_path, samples=60, variants=300, missing=0)
    prefix = next(tmp_path.glob("*.bed")).with_suffix("")
    source, rows = PlinkSource(prefix), np.arange(60, dtype=np.int64)
    plink2(prefix, tmp_path / "o", "--make-rel", "square", "--maf", "0.01")
    frequency = source.read(rows, 0, 300).dosage.mean(axis=1) / 2
    chosen = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= 0.01).astype(np.int64)
    found = relationship_sum(source, rows, chosen, scaling="standardised") / chosen.size
    np.testing.assert_allclose(found, np.loadtxt(tmp_path / "o.rel"), atol=2e-5)


def test_variants_that_relate_are_analysed_common_and_autosomal():
    table = pl.DataFrame(
        {
            "chromosome": ["1", "1", "X", "2", "3"],
            "effect_allele_frequency": [0.5, 0.995, 0.5, 0.02, None],
            "kept": [True, True, True, True, False],
        }
    )
    assert relationship_variants(table, 0.01).tolist() == [0, 3]
    assert relationship_variants(table, 0.05).tolist() == [0]
