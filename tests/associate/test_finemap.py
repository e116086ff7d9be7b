import json

import numpy as np
import polars as pl
import pytest

from planted import planted
from radiolocus.associate.clump import ClumpOptions, write_clumps
from radiolocus.associate.finemap import FinemapOptions, finemap, finemap_individual, loci_to_finemap, write_finemap
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import Region
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES

HERE = Region("1", 0, 200_000)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("finemap"), effect=0.6, causal=4, phenotypes=2, missing=0.0)


def test_both_ways_agree(results):
    root, source, table = results
    target = [("y0", HERE)]
    ours, individual = finemap(root, source, target), finemap_individual(source, table, None, target, FinemapOptions())
    joined = ours.variants.join(individual.variants, on="variant_id", suffix="_i")
    assert joined.height == ours.variants.height > 50
    np.testing.assert_allclose(joined["z"], joined["z_i"], rtol=2e-4, atol=1e-4)
    np.testing.assert_allclose(joined["pip"], joined["pip_i"], atol=0.15)
    assert np.corrcoef(joined["pip"], joined["pip_i"])[0, 1] > 0.95
    for found in (ours, individual):
        assert dict(found.variants.schema) == TABLES["sumstats/finemap"].schema
        assert dict(found.sets.schema) == TABLES["sumstats/credible_sets"].schema


def test_planted_variants_are_in_the_sets(results):
    root, source, _ = results
    write_clumps(root, source, ClumpOptions(1e-6, 1e-3, 0.1, 250, 20))
    targets = [target for target in loci_to_finemap(root, 30) if target[0] == "y0"]
    found = finemap(root, source, targets)
    rng = np.random.default_rng(3)
    dosage = source.read(np.arange(300), 0, 900).dosage
    rng_values = np.flatnonzero(dosage.std(axis=1) > 0.4)
    causal = {f"v{v}" for v in rng.choice(rng_values, 4, replace=False)}
    held = set(found.variants.filter(pl.col("credible_set").is_not_null())["variant_id"])
    assert len(causal & held) >= 3
    assert found.sets.height >= 3
    assert (found.sets["coverage"] >= 0.95).all()
    for row in found.sets.iter_rows(named=True):
        own = found.variants.filter(pl.col("region") == row["region"], pl.col("credible_set") == row["credible_set"])
        assert own.height == row["variants"]
        assert row["top_pip"] == own["pip"].max()
    write_finemap(root, found, FinemapOptions())
    assert pl.read_parquet(root / "sumstats/credible_sets.parquet").equals(found.sets)
    assert json.loads((root / "sumstats/finemap.json").read_text())["options"]["coverage"] == 0.95


def test_alleles_counted_the_other_way_do_not_matter(results, tmp_path):
    root, source, _ = results
    variants = source.variants.rename({"effect_allele": "other_allele", "other_allele": "effect_allele"})
    dosage = 2 - source.read(np.arange(300), 0, 900).dosage
    write_plink(tmp_path / "turned", dosage, variants, list(source.sample_ids))
    one, other = (finemap(root, s, [("y1", HERE)]) for s in (source, PlinkSource(tmp_path / "turned")))
    np.testing.assert_allclose(one.variants["pip"], other.variants["pip"], atol=1e-8)
    assert one.sets.equals(other.sets)


def test_covariates_are_projected_out(results):
    _, source, table = results
    rng = np.random.default_rng(1)
    age = rng.normal(size=300)
    changed = table.with_columns(pl.col("y0") + 3 * age)
    covariates = pl.DataFrame({"subject": table["subject"], "age": age})
    with_age = finemap_individual(source, changed, covariates, [("y0", HERE)])
    without = finemap_individual(source, table, None, [("y0", HERE)])
    np.testing.assert_allclose(with_age.variants["pip"], without.variants["pip"], atol=0.1)


def test_ld_of_others_is_told(results, tmp_path):
    root, source, _ = results
    rng = np.random.default_rng(0)
    dosage = source.read(np.arange(300), 0, 900).dosage
    shuffled = np.array([row[rng.permutation(300)] for row in dosage])
    write_plink(tmp_path / "other", shuffled, source.variants, [f"t{i}" for i in range(300)])
    found = finemap(root, PlinkSource(tmp_path / "other"), [("y0", HERE)])
    assert any("z-scores and LD disagree" in line for line in found.told)
    assert "a reference" in found.told[0]


def test_what_cannot_be_finemapped(results, tmp_path):
    root, source, table = results
    with pytest.raises(ConfigError, match="no phenotype 'z'"):
        finemap(root, source, [("z", HERE)])
    with pytest.raises(TableError, match="no variant was tested there"):
        finemap(root, source, [("y0", Region("7", 1, 2))])
    with pytest.raises(TableError, match="no variant of the genotypes"):
        finemap_individual(source, table, None, [("y0", Region("7", 1, 2))])
    with pytest.raises(ConfigError) as many:
        finemap(root, source, [("y0", HERE)], FinemapOptions(max_variants=10))
    assert "at most 10" in many.value.allowed
    other, _, _ = planted(tmp_path, variants=300, keep=GwasOptions(p_value=1e-3))
    with pytest.raises(ConfigError) as rows:
        finemap(other, source, [("y0", HERE)])
    assert "--all-rows 'y0'" in rows.value.todo
    with pytest.raises(StoreError) as loci:
        loci_to_finemap(other)
    assert "radiolocus clump" in loci.value.todo
    for wrong in ({"coverage": 2.0}, {"min_maf": 0.5}, {"max_variants": 1}):
        with pytest.raises(ConfigError):
            FinemapOptions(**wrong)
