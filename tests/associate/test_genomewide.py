import hashlib

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from naive.association import regress
from radiolocus.associate import genomewide
from radiolocus.associate.effects import EffectArray, phenotypes_of
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.scan import scan
from radiolocus.errors import ConfigError, FitError, StoreError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES

N, M, P = 300, 900, 6


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(4)
    dosage = rng.binomial(2, rng.uniform(0.02, 0.9, (M, 1)), (M, N)).astype(np.float32)
    dosage[rng.random(dosage.shape) < 0.01] = np.nan
    dosage[7] = 1
    dosage[7, 0] = np.nan
    place = np.concatenate([np.arange(600), np.arange(300)]) * 1000 + 1
    place[650:660] = place[650:660][::-1]
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 600 + ["2"] * 299 + ["X"],
            "variant_id": [f"rs{(i * 7919) % 100_000}" for i in range(M)],
            "base_pair_location": place,
            "effect_allele": ["A"] * M,
            "other_allele": ["C"] * M,
        }
    )
    names = [f"s{i}" for i in range(N)]
    write_plink(folder / "g", dosage, variants, names)
    values = rng.normal(size=(N, P))
    values[:, 1] += np.nan_to_num(dosage[50])
    for column in (2, 4):
        values[rng.random(N) < 0.1, column] = np.nan
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": values[:, i] for i in range(P)})
    covariates = pl.DataFrame({"subject": names, "age": rng.normal(50, 5, N)})
    return PlinkSource(folder / "g"), phenotypes, covariates, dosage


def options(**changed):
    return GenotypeOptions(**{"block_size": 128, "scan_dtype": "float64", **changed})


def read(root):
    parts = sorted((root / "sumstats").glob("chromosome=*/part.parquet"))
    return pl.concat([pl.read_parquet(part, hive_partitioning=False) for part in parts])


def bytes_of(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", ".lock", ".fingerprints.json")
    }


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_with_all_rows_it_is_the_scan(cohort, tmp_path, missing):
    source, phenotypes, covariates, _ = cohort
    expected = scan(source, phenotypes, covariates, options(missing=missing))
    found = gwas(
        source, phenotypes, covariates, tmp_path, options=options(missing=missing), keep=GwasOptions(p_value=1)
    )
    rows = read(tmp_path)
    key = ["chromosome", "base_pair_location", "variant_id"]
    assert rows.equals(expected.sumstats.sort(key[:2], maintain_order=True))
    assert found.tests == found.rows == rows.height
    assert found.variants == expected.variants["kept"].sum()
    summary = pl.read_parquet(tmp_path / "sumstats/summary.parquet")
    tested = expected.summary
    for name in ("phenotype", "n", "tests", "covariates", "top_variant", "top_neg_log_10_p_value", "genome_wide"):
        assert summary[name].to_list() == tested[name].to_list(), name
    np.testing.assert_allclose(summary["lambda_gc"], tested["lambda_gc"], atol=4.5e-3)
    variants = pl.read_parquet(tmp_path / "sumstats/variants.parquet")
    assert dict(variants.schema) == TABLES["sumstats/variants"].schema
    assert variants.select("kept", "reason", "call_rate").equals(
        expected.variants.select("kept", "reason", "call_rate")
    )
    best = rows.group_by(key).agg(pl.col("neg_log_10_p_value").max(), pl.len())
    joined = variants.filter("kept").join(best, on=key)
    assert joined.height == found.variants - 1  # every sample heterozygous: analysed, without a test
    assert joined["top_neg_log_10_p_value"].equals(joined["neg_log_10_p_value"].alias("top_neg_log_10_p_value"))
    assert joined["tests"].to_list() == joined["len"].to_list()
    for name, file in (("variants", "variants"), ("variant_ids", "variant_ids"), ("sumstats", "by_phenotype/part")):
        fields = pq.read_schema(tmp_path / f"sumstats/{file}.parquet")
        for column in TABLES[f"sumstats/{name}"].columns:
            assert fields.field(column.name).metadata[b"meaning"].decode() == column.meaning
    samples = pl.read_parquet(tmp_path / "genome/samples.parquet")
    np.testing.assert_allclose(samples["call_rate"], expected.samples["call_rate"])


def test_rows_below_a_p_value_and_all_of_a_phenotype(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    whole = scan(source, phenotypes, covariates, options()).sumstats.sort(
        "chromosome", "base_pair_location", maintain_order=True
    )
    keep = GwasOptions(p_value=1e-3, all_rows=("y3",))
    gwas(source, phenotypes, covariates, tmp_path, options=options(), keep=keep)
    rows = read(tmp_path)
    wanted = whole.filter((pl.col("neg_log_10_p_value") >= 3) | (pl.col("phenotype") == "y3"))
    assert 0 < wanted.filter(pl.col("phenotype") != "y3").height < 30
    assert rows.equals(wanted)
    summary = pl.read_parquet(tmp_path / "sumstats/summary.parquet")
    assert summary["tests"].sum() == whole.height
    again = pl.read_parquet(tmp_path / "sumstats/by_phenotype/part.parquet")
    assert again.equals(wanted.sort("phenotype", maintain_order=True))
    ids = pl.read_parquet(tmp_path / "sumstats/variant_ids.parquet")
    assert ids["variant_id"].is_sorted()
    assert ids.height == M


def test_discoveries_are_counted_only_where_the_rows_decide(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    full = scan(source, phenotypes, covariates, options()).summary
    for p_value in (1, 1e-3, 1e-9):
        root = tmp_path / str(p_value)
        gwas(source, phenotypes, covariates, root, options=options(), keep=GwasOptions(p_value=p_value))
        summary = pl.read_parquet(root / "sumstats/summary.parquet")
        if p_value == 1e-9:
            assert summary["genome_wide"].null_count() == summary["bonferroni"].null_count() == P
        else:
            assert summary["genome_wide"].to_list() == full["genome_wide"].to_list()
            assert summary["bonferroni"].to_list() == full["bonferroni"].to_list()
            assert summary["fdr"].to_list() == full["fdr"].to_list()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_killed_at_any_block_and_with_any_number_of_workers_the_bytes_are_the_same(
    cohort, tmp_path, monkeypatch, dtype
):
    source, phenotypes, covariates, _ = cohort
    arguments = (source, phenotypes, covariates)
    settings = {"options": options(scan_dtype=dtype), "keep": GwasOptions(p_value=0.01, effects=True)}
    gwas(*arguments, tmp_path / "whole", **settings)
    gwas(*arguments, tmp_path / "two", jobs=2, **settings)
    expected = bytes_of(tmp_path / "whole")
    assert bytes_of(tmp_path / "two") == expected
    assert len(expected) > 8
    for moment in (1, 4, 7):
        done = []

        def stop(done=done, moment=moment):
            done.append(1)
            if len(done) == moment:
                raise KeyboardInterrupt

        root = tmp_path / f"killed {moment}"
        with pytest.raises(KeyboardInterrupt):
            gwas(*arguments, root, step=stop, **settings)
        assert not (root / "sumstats/manifest.json").exists()
        steps = []
        gwas(
            *arguments,
            root,
            step=lambda steps=steps, root=root: steps.append(len(list(root.glob("sumstats/.units/*")))),
            **settings,
        )
        assert steps[:moment] == [moment] * moment  # taken up, not run again
        assert steps[moment:] == list(range(moment + 1, 10))
        assert bytes_of(root) == expected
    # finished: nothing runs again
    with monkeypatch.context() as patch:
        patch.setattr(genomewide, "prepare", lambda *_, **__: pytest.fail("ran again"))
        assert gwas(*arguments, tmp_path / "whole", **settings).phenotypes == P


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_effects_of_every_pair(cohort, tmp_path, missing):
    source, phenotypes, covariates, dosage = cohort
    keep = GwasOptions(effects=True)
    gwas(source, phenotypes, covariates, tmp_path, options=options(missing=missing), keep=keep)
    folder = tmp_path / "sumstats/effects"
    beta, error = (EffectArray.open(folder / name).read(np.arange(M)) for name in ("beta", "standard_error"))
    assert beta.shape == error.shape == (M, P)
    assert phenotypes_of(folder) == [f"y{i}" for i in range(P)]
    np.testing.assert_array_equal(EffectArray.open(folder / "beta").column(1), beta[:, 1])
    kept = pl.read_parquet(tmp_path / "sumstats/variants.parquet")["kept"].to_numpy()
    assert np.isnan(beta[~kept]).all()
    for v in np.flatnonzero(kept)[::97]:
        for p in range(P):
            fit = regress(dosage[v], phenotypes[f"y{p}"].to_numpy(), covariates.select("age").to_numpy(), missing)
            assert beta[v, p] == pytest.approx(fit.beta, rel=1e-5, abs=1e-6 * fit.error)
            assert error[v, p] == pytest.approx(fit.error, rel=1e-6)


def test_another_scan_is_refused_and_other_options_run_again(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    first = gwas(source, phenotypes, covariates, tmp_path, options=options())
    with pytest.raises(StoreError, match="the results of another study"):
        gwas(source, phenotypes.drop("y0"), covariates, tmp_path, options=options())
    second = gwas(source, phenotypes, covariates, tmp_path, options=options(), keep=GwasOptions(p_value=0.01))
    assert second.rows > first.rows
    third = gwas(source, phenotypes.drop("y0"), covariates, tmp_path, options=options(), fresh=True)
    assert third.phenotypes == P - 1


def test_what_cannot_be_scanned(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    with pytest.raises(ConfigError, match="no phenotype 'y9'"):
        gwas(source, phenotypes, covariates, tmp_path / "a", keep=GwasOptions(all_rows=("y9",)))
    with pytest.raises(ConfigError, match="p_value = 0"):
        GwasOptions(p_value=0)
    with pytest.raises(FitError, match="none of the 900 variants can be analysed"):
        gwas(source, phenotypes, covariates, tmp_path / "b", options=options(min_maf=0.5, min_call_rate=1.0))


def test_nothing_of_a_scan_with_other_settings_stays_beside_the_new_one(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    arguments = (source, phenotypes, covariates)
    gwas(*arguments, tmp_path / "twice", options=options(), keep=GwasOptions(p_value=1, effects=True, multi_trait=True))
    assert (tmp_path / "twice/sumstats/chromosome=2").is_dir()
    strict = GwasOptions(p_value=1e-12)
    gwas(*arguments, tmp_path / "twice", options=options(), keep=strict)
    gwas(*arguments, tmp_path / "once", options=options(), keep=strict)
    assert not (tmp_path / "twice/sumstats/chromosome=2").exists()
    assert bytes_of(tmp_path / "twice") == bytes_of(tmp_path / "once")


def test_the_histogram_holds_every_test(cohort, tmp_path):
    source, phenotypes, covariates, _ = cohort
    gwas(source, phenotypes, covariates, tmp_path, options=options(), keep=GwasOptions(p_value=1))
    rows, bins = read(tmp_path), pl.read_parquet(tmp_path / "sumstats/histogram.parquet")
    assert dict(bins.schema) == TABLES["sumstats/histogram"].schema
    for name, lower, upper, tests in bins.sample(40, seed=1).iter_rows():
        value = rows.filter(phenotype=name)["neg_log_10_p_value"]
        assert ((value >= lower) & (value < upper)).sum() == tests
    assert bins["tests"].sum() == rows.height
