import json

import numpy as np
import polars as pl
import pytest

from planted import planted
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.ldsc import LdscOptions, genetic_correlations, ldsc, write_genetic_correlations, write_ldsc
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.ldscore import LdScoreOptions, LdScores, ld_scores
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.simulate.genotypes import simulate_genotypes
from radiolocus.stats.ldsc import ld_score_regression, liability_factor


def polygenic(folder, *, heritability, seed, people=1000, variants=2500, phenotypes=8, shared=0.0):
    """Every variant has an effect; several phenotypes of the same genotypes."""
    rng = np.random.default_rng(seed)
    made = simulate_genotypes(rng, people, variants, fst=1e-4, missing=0.0, block=10, correlation=0.95)
    write_plink(folder / "g", made.dosage, made.variants.drop("block"), [f"s{i}" for i in range(people)])
    spread = made.dosage.std(axis=1, keepdims=True)
    scaled = (made.dosage - made.dosage.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    effects = rng.normal(size=(variants, phenotypes)) * np.sqrt(1 - shared) + rng.normal(size=(variants, 1)) * np.sqrt(
        shared
    )
    effects *= np.sqrt(heritability / variants)
    values = scaled.T @ effects + rng.normal(size=(people, phenotypes)) * np.sqrt(1 - heritability)
    source = PlinkSource(folder / "g")
    table = pl.DataFrame({"subject": list(source.sample_ids)} | {f"y{i}": values[:, i] for i in range(phenotypes)})
    root = folder / "out"
    gwas(source, table, None, root, options=GenotypeOptions(min_maf=0.0), keep=GwasOptions(p_value=1))
    return root, ld_scores(source, np.arange(people), LdScoreOptions(100, 0.0))


def test_heritability_of_people_comes_back(tmp_path):
    root, scores = polygenic(tmp_path, heritability=0.5, seed=4)
    table = ldsc(root, scores, LdscOptions(common=False, blocks=50)).table
    values = table["heritability"].to_numpy()
    assert abs(values.mean() - 0.5) < 3.5 * values.std(ddof=1) / np.sqrt(values.size)
    level = table["intercept"].to_numpy()
    assert abs(level.mean() - 1) < 3.5 * level.std(ddof=1) / np.sqrt(level.size)
    assert (table["mean_chi2"] > 1.02).all()


def test_genetic_correlations_of_people_come_back(tmp_path):
    root, scores = polygenic(tmp_path, heritability=0.8, seed=6, phenotypes=4, shared=0.7)
    found = write_genetic_correlations(root, scores, LdscOptions(common=False, blocks=50))
    assert found.table.height == 6
    values, errors = (found.table[name].to_numpy() for name in ("correlation", "correlation_se"))
    assert abs(values.mean() - 0.7) < 3 * errors.mean() / np.sqrt(2)
    assert (errors < 0.5).all()
    assert pl.read_parquet(root / "sumstats/genetic_correlation.parquet").equals(found.table)
    assert "Bonferroni over them is 0.0083" in found.told[-1]
    with pytest.raises(ConfigError, match="one phenotype"):
        genetic_correlations(root, scores, phenotypes=["y0"])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root, source, table = planted(tmp_path_factory.mktemp("ldsc"))
    return root, source, table, ld_scores(source, np.arange(300), LdScoreOptions(200, 0.01))


def test_the_table_is_the_regression_of_the_rows(results):
    root, _, _, scores = results
    options = LdscOptions(blocks=20, sample_prevalence=0.5, population_prevalence=0.1)
    found = write_ldsc(root, scores, options, phenotypes=["y1"])
    rows = query(root, phenotype=["y1"]).join(scores.table.select("variant_id", "ld_score"), on="variant_id")
    z = (rows["beta"] / rows["standard_error"]).to_numpy()
    again = ld_score_regression(z * z, rows["ld_score"], rows["n"], scores.common, blocks=20)
    told = pl.read_parquet(root / "sumstats/ldsc.parquet").row(0, named=True)
    # z of p is not t, but close with 298 degrees of freedom
    assert told["heritability"] == pytest.approx(again.heritability, rel=0.05)
    assert told["variants"] + told["left_out"] == rows.height
    assert told["liability"] == pytest.approx(told["heritability"] * liability_factor(0.5, 0.1))
    assert "200,000" in found.told[-1]
    assert json.loads((root / "sumstats/ldsc.json").read_text())["options"]["blocks"] == 20


def test_effects_kept_as_arrays_serve_too(results, tmp_path):
    root, source, table, scores = results
    keep = GwasOptions(p_value=1e-5, effects=True)
    gwas(source, table, None, tmp_path / "o", options=GenotypeOptions(min_call_rate=0.5), keep=keep)
    found = ldsc(tmp_path / "o", scores, LdscOptions(blocks=20)).table
    expected = ldsc(root, scores, LdscOptions(blocks=20)).table
    assert found["phenotype"].to_list() == ["y0", "y1", "y2", "y3"]
    np.testing.assert_allclose(found["intercept"], expected["intercept"], rtol=0.05)
    for table in (found, expected):
        assert (table["variants"] + table["left_out"]).to_list() == [900] * 4


def test_what_cannot_be_regressed(results, tmp_path):
    root, source, table, scores = results
    gwas(source, table, None, tmp_path / "o", options=GenotypeOptions(), keep=GwasOptions(p_value=1e-5))
    with pytest.raises(ConfigError) as caught:
        ldsc(tmp_path / "o", scores)
    assert "of none of 4 phenotypes" in caught.value.got
    assert "--all-rows" in caught.value.todo
    with pytest.raises(FitError) as unknown:
        ldsc(root, LdScores(scores.table.with_columns(variant_id=pl.lit("none")), 1.0, 1.0))
    assert "0 variants" in unknown.value.got
    for wrong in ({"blocks": 1}, {"sample_prevalence": 0.1}, {"sample_prevalence": 2.0, "population_prevalence": 0.1}):
        with pytest.raises(ConfigError):
            LdscOptions(**wrong)
