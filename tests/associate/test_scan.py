import pickle
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from naive.association import regress
from naive.genome_files import written
from radiolocus.associate.scan import plan, prepare, run_unit, scan
from radiolocus.associate.summary import summarise
from radiolocus.errors import FitError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource
from radiolocus.schema import TABLES

plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")


def hapmap_tables(source, seed=3):
    """Four phenotypes, two of them with missing values, and two covariates, one of them missing for one subject."""
    rng = np.random.default_rng(seed)
    first = np.nan_to_num(source.read(np.arange(60), 100, 101).dosage[0])
    values = rng.normal(size=(60, 4))
    values[:, 1] += 1.5 * first
    values[rng.random(60) < 0.15, 2] = np.nan
    values[rng.random(60) < 0.3, 3] = np.nan
    age = rng.normal(50, 10, 60)
    age[5] = np.nan
    phenotypes = pl.DataFrame({"subject": source.sample_ids, **{f"y{i}": values[:, i] for i in range(4)}})
    covariates = pl.DataFrame({"subject": source.sample_ids, "age": age, "sex": rng.integers(0, 2, 60)})
    return phenotypes, covariates


@plink2
@pytest.mark.parametrize("covariate_names", [(), ("age", "sex")], ids=["bare", "covariates"])
def test_dropping_missing_genotypes_equals_plink2(data, tmp_path, covariate_names):
    prefix = data("hapmap") / "plinkhapmap"
    source = PlinkSource(prefix)
    phenotypes, covariates = hapmap_tables(source)
    for frame, name in ((phenotypes, "pheno"), (covariates, "covar")):
        renamed = frame.rename({"subject": "IID"}).with_columns(pl.col(pl.Float64).fill_nan(None))
        renamed.write_csv(tmp_path / name, separator="\t", null_value="NA")
    command = ["plink2", "--bfile", prefix, "--pheno", tmp_path / "pheno", "--autosome", "--no-psam-pheno"]
    command += ["--vif", "1e6", "--max-corr", "1", "--threads", "1", "--out", tmp_path / "o"]
    columns = "cols=chrom,pos,ref,alt,a1freq,nobs,beta,se,tz,p,err"
    if covariate_names:
        command += ["--covar", tmp_path / "covar", "--glm", "hide-covar", "omit-ref", columns]
    else:
        command += ["--glm", "allow-no-covars", "omit-ref", columns]
    subprocess.run(command, check=True, capture_output=True)
    options = GenotypeOptions(min_maf=0, min_call_rate=0, missing="drop", covariates=covariate_names)
    found = scan(source, phenotypes, covariates if covariate_names else None, options).sumstats
    for name in ("y0", "y1", "y2", "y3"):
        types = {"#CHROM": pl.String, "ID": pl.String}
        theirs = pl.read_csv(
            tmp_path / f"o.{name}.glm.linear", separator="\t", null_values="NA", schema_overrides=types,
            infer_schema_length=None,
        )  # fmt: skip
        numbers = pl.col("A1_FREQ", "SE", "BETA", "T_STAT", "P").cast(pl.Float64)
        theirs = theirs.filter(pl.col("BETA").is_not_null()).with_columns(numbers)
        ours = found.filter(pl.col("phenotype") == name)
        assert ours["variant_id"].to_list() == theirs["ID"].to_list()
        assert ours["base_pair_location"].to_list() == theirs["POS"].to_list()
        assert ours["effect_allele"].to_list() == theirs["A1"].to_list()
        assert ours["n"].to_list() == theirs["OBS_CT"].to_list()
        # plink2 prints six digits
        np.testing.assert_allclose(ours["effect_allele_frequency"], theirs["A1_FREQ"], rtol=1e-5)
        np.testing.assert_allclose(ours["standard_error"], theirs["SE"], rtol=1e-5)
        np.testing.assert_allclose(ours["beta"], theirs["BETA"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ours["statistic"], theirs["T_STAT"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ours["neg_log_10_p_value"], -theirs["P"].log10(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_with_principal_components_every_row_is_that_of_one_regression(data, missing):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    phenotypes, covariates = hapmap_tables(source)
    options = GenotypeOptions(principal_components=2, missing=missing, covariates=("age",))
    result = scan(source, phenotypes, covariates, options)
    assert result.samples.columns == ["subject", "call_rate", "PC1", "PC2"]
    assert result.samples.height == 59
    assert [(p.subject, p.got) for p in result.problems if p.subject] == [
        (source.sample_ids[5], "no value of covariate age")
    ]
    assert result.problems[0].severity == "note"
    assert result.summary["covariates"].to_list() == [3, 3, 3, 3]
    at = dict(zip(source.sample_ids, range(60), strict=True))
    rows = np.array([at[s] for s in result.samples["subject"]])
    table = np.column_stack([covariates["age"].to_numpy()[rows], result.samples.select("PC1", "PC2").to_numpy()])
    dosage = source.read(rows, 0, 5000).dosage
    index = {v: i for i, v in enumerate(source.variants["variant_id"])}
    for row in result.sumstats.sample(200, seed=1).iter_rows(named=True):
        fit = regress(dosage[index[row["variant_id"]]], phenotypes[row["phenotype"]].to_numpy()[rows], table, missing)
        assert (row["n"], row["degrees_of_freedom"]) == (fit.n, fit.df)
        assert row["beta"] == pytest.approx(fit.beta, rel=1e-8, abs=1e-10)
        assert row["standard_error"] == pytest.approx(fit.error, rel=1e-8)
        assert row["neg_log_10_p_value"] == pytest.approx(fit.neg_log_10_p, rel=1e-6, abs=1e-9)
    assert result.sumstats["variant_id"].n_unique() <= result.variants["kept"].sum()
    for name, frame in (("sumstats/sumstats", result.sumstats), ("sumstats/summary", result.summary)):
        assert dict(frame.schema) == TABLES[name].schema
    assert result.variants.columns == list(TABLES["genome/variants"].schema)


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_units_are_independent_and_the_block_size_changes_no_bit(data, missing):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    phenotypes, covariates = hapmap_tables(source)
    results = []
    for size in (5000, 700, 61):
        options = GenotypeOptions(block_size=size, missing=missing)
        preparation = pickle.loads(pickle.dumps(prepare(source, phenotypes, covariates, options)))
        units = plan(preparation)
        assert units[0] == (0, min(size, 4797))  # where X begins, which has units of its own
        assert units[-1][1] == 5000
        assert all(a[1] == b[0] for a, b in pairwise(units))
        # last unit first: no unit may lean on another
        parts = {unit: run_unit(preparation, unit)[0] for unit in reversed(units)}
        results.append(pl.concat([parts[unit] for unit in units]))
    assert results[0].equals(results[1])
    assert results[0].equals(results[2])
    assert results[0].height > 15_000
    once = scan(source, phenotypes, covariates, GenotypeOptions(missing=missing))
    assert once.sumstats.equals(results[0])
    assert once.summary.equals(summarise(results[0], int(once.variants["kept"].sum())))


@pytest.mark.slow
def test_workers_change_no_bit(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    phenotypes, covariates = hapmap_tables(source)
    options = GenotypeOptions(block_size=900)
    alone, together = (scan(source, phenotypes, covariates, options, jobs=jobs) for jobs in (1, 2))
    assert alone.sumstats.equals(together.sumstats)
    assert alone.problems == together.problems


def test_samples_under_other_names_and_samples_of_nobody(tmp_path):
    rng = np.random.default_rng(4)
    dosage = rng.binomial(2, 0.4, (6, 20))
    source = written(tmp_path, dosage)
    names = [f"P{i}" if i != 3 else None for i in range(20)]
    phenotypes = pl.DataFrame({"subject": [f"P{i}" for i in range(19, -1, -1)], "y": rng.normal(size=20)})
    result = scan(source, phenotypes, sample_subjects=names)
    assert result.samples["subject"].to_list() == [f"P{i}" for i in range(19, -1, -1) if i != 3]
    assert [(p.subject, p.got) for p in result.problems] == [("P3", "no genotype")]
    y = dict(phenotypes.iter_rows())
    there = [i for i in range(20) if i != 3]
    fit = regress(dosage[2, there], np.array([y[f"P{i}"] for i in there]), np.empty((19, 0)), "mean")
    row = result.sumstats.filter(pl.col("variant_id") == "v2").row(0, named=True)
    assert row["beta"] == pytest.approx(fit.beta)
    assert row["n"] == 19


def test_no_variant_passes(tmp_path):
    source = written(tmp_path, np.ones((3, 9)) * [[0], [2], [0]], ["1", "2", "X"])
    phenotypes = pl.DataFrame({"subject": source.sample_ids, "y": np.arange(9.0)})
    with pytest.raises(FitError) as caught:
        scan(source, phenotypes)
    assert "every analysed subject has the same genotype: 2" in caught.value.got
    assert "none of the 3 variants" in caught.value.got
    assert "min_maf" in caught.value.todo


def structured(folder, seed, n=400, variants=3000, phenotypes=10):
    """Two populations (Balding–Nichols, F_ST 0.05) whose phenotypes differ in mean; no variant has an effect."""
    rng = np.random.default_rng(seed)
    ancestral, f = rng.uniform(0.1, 0.9, variants), 0.05
    here = rng.beta(*(p * (1 - f) / f for p in (ancestral, 1 - ancestral)), size=(2, variants))
    population = np.arange(n) % 2
    dosage = rng.binomial(2, here[population].T)
    chromosomes = [str(1 + 22 * i // variants) for i in range(variants)]
    source = written(folder, dosage, chromosomes, [100_000 * (i + 1) for i in range(variants)])
    values = rng.normal(size=(n, phenotypes)) + 0.8 * population[:, None]
    frame = pl.DataFrame({"subject": source.sample_ids, **{f"y{i}": values[:, i] for i in range(phenotypes)}})
    return source, frame


def test_components_take_away_the_inflation_that_structure_makes(tmp_path):
    source, phenotypes = structured(tmp_path, 11)
    naked = scan(source, phenotypes, options=GenotypeOptions(min_maf=0.05))
    assert naked.summary["lambda_gc"].min() > 2
    clean = scan(source, phenotypes, options=GenotypeOptions(min_maf=0.05, principal_components=2))
    tests = clean.sumstats.height
    # the median of m χ² has standard error 1 / (2 f √m) with density f = 0.4713 there: 2.33 / √m relative to 0.4549
    assert clean.summary["lambda_gc"].mean() == pytest.approx(1, abs=4 * 2.33 / np.sqrt(tests))
    for alpha in (0.05, 0.01, 0.001):
        rate = (clean.sumstats["neg_log_10_p_value"] > -np.log10(alpha)).mean()
        assert rate == pytest.approx(alpha, abs=4 * np.sqrt(alpha * (1 - alpha) / tests))
    assert clean.summary["genome_wide"].sum() == 0


def test_a_planted_effect_is_found_with_its_size(tmp_path):
    source, phenotypes = structured(tmp_path, 12, phenotypes=3)
    dosage = source.read(np.arange(400), 1500, 1501).dosage[0].astype(float)
    planted = phenotypes.with_columns((pl.col("y1") + 0.7 * pl.Series(dosage)).alias("y1"))
    result = scan(source, planted, options=GenotypeOptions(min_maf=0.05, principal_components=2))
    summary = {row["phenotype"]: row for row in result.summary.iter_rows(named=True)}
    assert summary["y1"]["top_variant"] == "v1500"
    assert [summary[y]["genome_wide"] for y in ("y0", "y1", "y2")] == [0, 1, 0]
    hit = result.sumstats.filter((pl.col("phenotype") == "y1") & (pl.col("variant_id") == "v1500")).row(0, named=True)
    assert hit["beta"] == pytest.approx(0.7, abs=4 * hit["standard_error"])
