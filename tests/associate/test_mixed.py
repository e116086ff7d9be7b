import hashlib
import json
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from naive.mixed import relationship, stacked, wald
from radiolocus.associate import mixed as module
from radiolocus.associate import stacked as ridge_module
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.effects import EffectArray
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.associate.mixed_workshop import MixedWorkshop
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES
from radiolocus.stats.ridge import folds_of
from radiolocus.stats.tail import neg_log10_p_t

N, M = 120, 400

needs_gemma = pytest.mark.skipif(shutil.which("gemma") is None, reason="gemma is not installed (Debian package gemma)")


def families(rng, n, m):
    """Genotypes of brothers and sisters, four to a family."""
    frequency = rng.uniform(0.1, 0.9, m)
    parents = rng.random((2, 2, n // 4, m)) < frequency
    children = [np.where(rng.random((2, n // 4, m)) < 0.5, parents[:, 0], parents[:, 1]).sum(axis=0) for _ in range(4)]
    return np.stack(children, axis=1).reshape(n, m).T.astype(np.float32)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(11)
    dosage = families(rng, N, M)
    dosage[dosage.std(axis=1) == 0, 0] = 1
    genetic = rng.normal(size=M) @ (dosage - dosage.mean(axis=1, keepdims=True))
    genetic /= genetic.std()
    dosage[rng.random(dosage.shape) < 0.01] = np.nan
    chromosome = np.arange(M) * 4 // M + 1
    table = pl.DataFrame(
        {
            "chromosome": chromosome.astype(str),
            "variant_id": [f"rs{i}" for i in range(M)],
            "base_pair_location": np.arange(M) * 1000 + 1,
            "effect_allele": ["A"] * M,
            "other_allele": ["C"] * M,
        }
    )
    names = [f"s{i}" for i in range(N)]
    write_plink(folder / "g", dosage, table, names)
    age = rng.normal(50, 5, N)
    values = np.column_stack(
        [
            genetic + 0.7 * rng.normal(size=N) + 0.02 * age,
            rng.normal(size=N),
            0.5 * genetic + rng.normal(size=N) + np.nan_to_num(dosage[7]),
        ]
    )
    values[rng.random(N) < 0.08, 2] = np.nan
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": values[:, i] for i in range(3)}).fill_nan(None)
    covariates = pl.DataFrame({"subject": names, "age": age})
    return PlinkSource(folder / "g"), phenotypes, covariates, dosage, values, age, chromosome


def options(**changed):
    return GenotypeOptions(**{"block_size": 128, "scan_dtype": "float64", **changed})


def run(cohort, out, mixed, *, keep=None, jobs=1, **changed):
    source, phenotypes, covariates = cohort[:3]
    keep = keep or GwasOptions(p_value=1)
    gwas(source, phenotypes, covariates, out, options=options(**changed), keep=keep, mixed=mixed, jobs=jobs)
    return read(out), pl.read_parquet(out / "sumstats/mixed.parquet")


def read(out):
    parts = sorted((out / "sumstats").glob("chromosome=*/part.parquet"))
    return pl.concat([pl.read_parquet(part, hive_partitioning=False) for part in parts])


def bytes_of(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", ".lock", ".fingerprints.json")
    }


def of(rows, phenotype, variant):
    return rows.row(by_predicate=(pl.col("phenotype") == phenotype) & (pl.col("variant_id") == variant), named=True)


@needs_gemma
@pytest.mark.parametrize("column", [0, 1, 2])
def test_exact_it_is_gemma(cohort, tmp_path, column):
    source, _, _, _, values, age, _ = cohort
    for ending in ("bed", "bim"):
        shutil.copy(source.path.removesuffix(".bed") + f".{ending}", tmp_path / f"g.{ending}")
    y = np.where(np.isnan(values), -9, values)
    lines = [f"0 s{i} 0 0 0 {y[i, column]:.17g}\n" for i in range(N)]
    (tmp_path / "g.fam").write_text("".join(lines))
    (tmp_path / "age").write_text("".join(f"1 {a:.17g}\n" for a in age))

    def gemma(*words):
        subprocess.run(["gemma", "-bfile", "g", *words], cwd=tmp_path, check=True, capture_output=True)

    known = ~np.isnan(values[:, column])
    # GEMMA takes the matrix over those with a phenotype; here it comes from all
    (tmp_path / "k").write_text("\n".join(" ".join(f"{x:.17g}" for x in row) for row in relationship(cohort[3])) + "\n")
    gemma("-k", "k", "-c", "age", "-lmm", "1", "-miss", "1", "-maf", "0", "-r2", "1", "-o", "y")
    theirs = pl.read_csv(tmp_path / "output/y.assoc.txt", separator="\t")
    rows, fits = run(cohort, tmp_path / "out", MixedOptions(model="lmm-exact"), min_maf=0.0, min_call_rate=0.0)
    ours = rows.filter(phenotype=f"y{column}").join(theirs, left_on="variant_id", right_on="rs")
    assert ours.height == theirs.height == M
    assert ours["n"].unique().to_list() == [known.sum()]
    # GEMMA prints seven digits, and stops its search for λ at about five
    difference = np.abs(ours["beta"] - ours["beta_right"]) / ours["se"]
    assert difference.max() < 2e-5
    np.testing.assert_allclose(ours["standard_error"], ours["se"], rtol=2e-5)
    np.testing.assert_allclose(10 ** -ours["neg_log_10_p_value"], ours["p_wald"], rtol=1e-4)
    log = dict(
        line[3:].split(" = ")
        for line in (tmp_path / "output/y.log.txt").read_text().splitlines()
        if " = " in line and "null model" in line
    )
    fit = fits.row(by_predicate=pl.col("phenotype") == f"y{column}", named=True)
    told = {name: float(log[f"{name} in the null model"]) for name in ("pve estimate", "vg estimate", "ve estimate")}
    assert fit["heritability"] == pytest.approx(told["pve estimate"], rel=1e-4)
    assert fit["genetic_variance"] == pytest.approx(told["vg estimate"], rel=1e-4)
    assert fit["residual_variance"] == pytest.approx(told["ve estimate"], rel=1e-4)
    assert fit["log_likelihood"] == pytest.approx(float(log["REMLE log-likelihood in the null model"]), rel=1e-5)
    if fit["boundary"] is None:
        assert fit["heritability_standard_error"] == pytest.approx(float(log["se(pve) in the null model"]), rel=1e-4)


@pytest.mark.parametrize("model", ["lmm", "lmm-exact"])
@pytest.mark.parametrize(("scaling", "loco"), [("centred", False), ("standardised", True)])
def test_tests_are_those_of_whole_matrices(cohort, tmp_path, model, scaling, loco):
    _, _, _, dosage, values, age, chromosome = cohort
    choice = MixedOptions(model=model, relationship=scaling, loco=loco)
    rows, fits = run(cohort, tmp_path, choice, keep=GwasOptions(p_value=1, effects=True))
    folder, everybody = tmp_path / "sumstats/effects", np.arange(dosage.shape[0])
    beta, error = (EffectArray.open(folder / name).read(everybody) for name in ("beta", "standard_error"))
    for column, variant in ((0, 3), (1, 250), (2, 7), (2, 399)):
        used = dosage[chromosome != chromosome[variant]] if loco else dosage
        known = ~np.isnan(values[:, column])
        relation = relationship(used, standardised=scaling == "standardised")[np.ix_(known, known)]
        y, c, x = values[known, column], age[known, None], dosage[variant, known].astype(float)
        x = np.where(np.isnan(x), np.nanmean(x), x)
        null = wald(y, c, None, relation)
        left_out = pl.col("left_out") == str(chromosome[variant]) if loco else pl.col("left_out").is_null()
        fit = fits.row(by_predicate=left_out & (pl.col("phenotype") == f"y{column}"), named=True)
        assert fit["variance_ratio"] == pytest.approx(null.ratio, rel=1e-3)
        assert fit["log_likelihood"] == pytest.approx(null.log_likelihood, abs=1e-6)
        wanted = wald(y, c, x, relation, fit["variance_ratio"] if model == "lmm" else None)
        found = of(rows, f"y{column}", f"rs{variant}")
        assert found["beta"] == pytest.approx(wanted.beta, rel=1e-5)
        assert found["standard_error"] == pytest.approx(wanted.error, rel=1e-5)
        assert found["statistic"] == pytest.approx(wanted.t, rel=1e-5)
        assert found["degrees_of_freedom"] == known.sum() - 3
        assert found["neg_log_10_p_value"] == pytest.approx(float(neg_log10_p_t(wanted.t, known.sum() - 3)), rel=1e-4)
        assert beta[variant, column] == pytest.approx(found["beta"], rel=1e-6)
        assert error[variant, column] == pytest.approx(found["standard_error"], rel=1e-6)
    assert fits.height == 3 * (4 if loco else 1)
    assert dict(fits.schema) == TABLES["sumstats/mixed"].schema
    told = json.loads((tmp_path / "sumstats/options.json").read_text())
    assert told["mixed"]["model"] == model


def test_predictions_of_the_ridge_are_those_of_one_solve_at_a_time(cohort, tmp_path, monkeypatch):
    _, _, _, dosage, values, age, chromosome = cohort
    seen = {}
    make = ridge_module.offsets_of

    def looked(file, columns, turn):
        seen[turn] = make(file, columns, turn)
        return seen[turn]

    monkeypatch.setattr("radiolocus.associate.mixed_workshop.offsets_of", looked)
    rows, fits = run(cohort, tmp_path, MixedOptions(model="ridge", ridge_block=60, folds=3, seed=5))
    blocks, places = [], []
    for c in range(1, 5):
        for part in np.array_split(np.flatnonzero(chromosome == c), 2):
            blocks.append(dosage[part])
            places.append(str(c))
    y = values[:, 0]
    offsets, explained = stacked(blocks, places, y, age[:, None], folds_of(N, 3, 5), [str(c) for c in range(1, 5)])
    for turn in range(4):
        np.testing.assert_allclose(seen[turn][:, 0], offsets[turn], rtol=1e-4, atol=1e-6)
    fit = fits.row(by_predicate=pl.col("phenotype") == "y0", named=True)
    assert fit["predicted"] == pytest.approx(explained, rel=1e-4)
    # the linear test of what is left
    design = np.column_stack([np.ones(N), age])
    hat = design @ np.linalg.pinv(design)
    length = np.linalg.norm(y - hat @ y)
    x = np.where(np.isnan(dosage[250]), np.nanmean(dosage[250]), dosage[250])
    rest = (y - hat @ y) / length - offsets[2]
    rest, x = rest - hat @ rest, x - hat @ x
    slope = x @ rest / (x @ x)
    error = np.sqrt(((rest - slope * x) ** 2).sum() / (N - 3) / (x @ x))
    found = of(rows, "y0", "rs250")
    assert found["beta"] == pytest.approx(slope * length, rel=1e-4)
    assert found["standard_error"] == pytest.approx(error * length, rel=1e-4)


def scores(design, y, x):
    """z of the score test of x, the null model fitted by Newton's method."""
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        mu = 1 / (1 + np.exp(-design @ beta))
        weight = mu * (1 - mu)
        beta += np.linalg.solve(design.T @ (design * weight[:, None]), design.T @ (y - mu))
    inside = design.T @ (weight * x)
    variance = x @ (weight * x) - inside @ np.linalg.solve(design.T @ (design * weight[:, None]), inside)
    return x @ (y - mu) / np.sqrt(variance)


def test_a_prediction_is_a_covariate_of_a_binary_phenotype(cohort, tmp_path, monkeypatch):
    source, phenotypes, covariates, dosage, values, age, _ = cohort
    seen = {}
    make = ridge_module.offsets_of

    def looked(file, columns, turn):
        seen[turn] = make(file, columns, turn)
        return seen[turn]

    monkeypatch.setattr("radiolocus.associate.mixed_workshop.offsets_of", looked)
    cases = phenotypes.select("subject", *((pl.col(f"y{i}") > pl.col(f"y{i}").median()).cast(float) for i in (0, 2)))
    choice = MixedOptions(model="ridge", ridge_block=60)
    asked = {"options": options(), "keep": GwasOptions(p_value=1), "mixed": choice}
    gwas(source, cases, covariates, tmp_path / "ridge", binary=BinaryOptions(cutoff=30), **asked)
    rows = read(tmp_path / "ridge")
    for column, name, variant in ((0, "y0", 3), (0, "y0", 250), (1, "y2", 7), (1, "y2", 399)):
        known = ~np.isnan(values[:, 2 * column])
        y = cases[name].drop_nulls().to_numpy()
        prediction = seen[variant * 4 // M][known, column]
        design = np.column_stack([np.ones(known.sum()), (age[known] - 50) / 5, prediction / np.std(prediction)])
        x = np.where(np.isnan(dosage[variant]), np.nanmean(dosage[variant]), dosage[variant])[known]
        found = of(rows, name, f"rs{variant}")
        assert found["test"] == "score"
        assert found["statistic"] == pytest.approx(scores(design, y, x), rel=1e-5)
        assert found["n"] == known.sum()
    fits = pl.read_parquet(tmp_path / "ridge/sumstats/mixed.parquet")
    assert fits["phenotype"].to_list() == ["y0", "y2"]
    with pytest.raises(ConfigError, match="effects of binary"):
        gwas(source, cases, covariates, tmp_path / "no", binary=BinaryOptions(),
             **asked | {"keep": GwasOptions(effects=True)})  # fmt: skip


@pytest.mark.parametrize("model", ["lmm", "lmm-exact", "ridge"])
def test_a_killed_run_goes_on_with_the_same_bytes_whatever_the_jobs(cohort, tmp_path, monkeypatch, model):
    choice = MixedOptions(model=model, ridge_block=60, loco=model == "lmm")
    run(cohort, tmp_path / "whole", choice, jobs=2, scan_dtype="float32")
    assert not (tmp_path / "whole/sumstats/.units").exists()
    work, left = MixedWorkshop.run, [2]

    def dying(self, unit):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return work(self, unit)

    with monkeypatch.context() as patch:
        patch.setattr(MixedWorkshop, "run", dying)
        with pytest.raises(KeyboardInterrupt):
            run(cohort, tmp_path / "killed", choice, scan_dtype="float32")
    # what was expensive is not made again
    patched = [(module, "relationship_sum"), (module, "spectrum_of"), (ridge_module, "coefficients_without")]
    for where, name in patched:
        monkeypatch.setattr(where, name, None)
    run(cohort, tmp_path / "killed", choice, scan_dtype="float32")
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


def test_single_precision_and_a_strong_effect(cohort, tmp_path):
    source, phenotypes, covariates, dosage = cohort[:4]
    strong = np.nan_to_num(dosage[30], nan=1.0) + 1e-3 * np.random.default_rng(1).normal(size=N)
    table = phenotypes.with_columns(pl.Series("strong", strong), pl.Series("same", np.nan_to_num(dosage[31], nan=1.0)))
    found = {}
    for precision in ("float32", "float64"):
        out = tmp_path / precision
        gwas(
            source, table, covariates, out, options=options(scan_dtype=precision), keep=GwasOptions(p_value=1),
            mixed=MixedOptions(model="lmm"),
        )  # fmt: skip
        found[precision] = read(out)
    single, double = found["float32"], found["float64"]
    assert single.select("phenotype", "variant_id").equals(double.select("phenotype", "variant_id"))
    np.testing.assert_allclose(single["standard_error"], double["standard_error"], rtol=1e-4)
    assert (np.abs(single["beta"] - double["beta"]) / double["standard_error"]).max() < 1e-3
    np.testing.assert_allclose(single["neg_log_10_p_value"], double["neg_log_10_p_value"], rtol=1e-4, atol=1e-3)
    assert double["neg_log_10_p_value"].max() > 100


def test_a_variant_that_cannot_be_tested_is_told(tmp_path):
    rng = np.random.default_rng(3)
    n = 60
    dosage = families(rng, n, 60)
    dosage[5] = 1  # everybody heterozygous
    dosage[59] = 2 * (dosage[59] > 1)  # nobody has two copies
    names = [f"s{i}" for i in range(n)]
    table = pl.DataFrame(
        {
            "chromosome": ["1"] * 30 + ["2"] * 29 + ["MT"],
            "variant_id": [f"v{i}" for i in range(60)],
            "base_pair_location": np.arange(60) + 1,
            "effect_allele": ["A"] * 60,
            "other_allele": ["C"] * 60,
        }
    )
    write_plink(tmp_path / "g", dosage, table, names)
    covariates = pl.DataFrame({"subject": names, "copy": dosage[9].astype(float)})
    phenotypes = pl.DataFrame(
        {"subject": names, "y": rng.normal(size=n), "twin": 2 * dosage[11].astype(float), "flat": [1.0] * n}
    )
    for precision in ("float32", "float64"):
        done = gwas(
            PlinkSource(tmp_path / "g"), phenotypes, covariates, tmp_path / precision,
            options=options(scan_dtype=precision, min_maf=0.0), keep=GwasOptions(p_value=1),
            mixed=MixedOptions(model="lmm" if precision == "float32" else "lmm-exact"),
        )  # fmt: skip
        told = {(p["item"], p["got"]) for p in done.problems.iter_rows(named=True)}
        assert ("v5", "no two analysed subjects differ in genotype") in told
        assert ("v9", "the covariates determine the genotype") in told
        assert ("v11", "the variant fits the phenotype perfectly, which leaves no error to test against") in told
        assert ("flat", f"one value in all {n} subjects that have it") in {(i, g.split(": ")[-1]) for i, g in told}
        variants = pl.read_parquet(tmp_path / precision / "sumstats/variants.parquet")
        assert "tests the autosomes alone" in variants["reason"][59]


def test_a_ratio_at_an_end_is_told(cohort, tmp_path):
    source, phenotypes, covariates = cohort[:3]
    # what relatives share is taken out of this one
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(N // 4, 4))
    table = phenotypes.with_columns(pl.Series("unlike", (inside - inside.mean(axis=1, keepdims=True)).ravel()))
    done = gwas(source, table, covariates, tmp_path, options=options(), mixed=MixedOptions())
    fits = pl.read_parquet(tmp_path / "sumstats/mixed.parquet")
    assert fits.filter(phenotype="unlike")["boundary"].to_list() == ["lower"]
    assert fits.filter(phenotype="unlike")["heritability_standard_error"].to_list() == [None]
    note = done.problems.filter(pl.col("item") == "unlike").row(0, named=True)
    assert note["severity"] == "note"
    assert "variance ratio 1e-05" in note["got"]
    assert "linear model" in note["todo"]


def test_a_linear_scan_after_a_mixed_one_leaves_nothing_of_it(cohort, tmp_path):
    run(cohort, tmp_path, MixedOptions())
    source, phenotypes, covariates = cohort[:3]
    gwas(source, phenotypes, covariates, tmp_path, options=options())
    assert not list((tmp_path / "sumstats").glob("mixed*"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": "gemma"}, "model = 'gemma'"),
        ({"relationship": "kinship"}, "relationship = 'kinship'"),
        ({"relatedness_min_maf": 0.0}, "relatedness_min_maf = 0"),
        ({"folds": 1}, "folds = 1"),
        ({"ridge_block": 1}, "ridge_block = 1"),
    ],
)
def test_options_out_of_range(changed, told):
    with pytest.raises(ConfigError) as caught:
        MixedOptions(**changed)
    assert told in caught.value.got
    assert caught.value.allowed


def test_what_does_not_go_with_a_mixed_model(cohort, tmp_path):
    with pytest.raises(ConfigError, match="multi-trait tests"):
        run(cohort, tmp_path / "a", MixedOptions(), keep=GwasOptions(multi_trait=True))
    with pytest.raises(ConfigError, match="missing = 'drop'"):
        run(cohort, tmp_path / "b", MixedOptions(), missing="drop")
    source, phenotypes, covariates = cohort[:3]
    with pytest.raises(ConfigError, match="of binary phenotypes"):
        gwas(source, phenotypes, covariates, tmp_path / "c", binary=BinaryOptions(), mixed=MixedOptions())


@pytest.mark.parametrize("choice", [MixedOptions(loco=True), MixedOptions(model="ridge")])
def test_one_chromosome_cannot_be_left_out(cohort, tmp_path, choice):
    _, phenotypes, covariates, dosage = cohort[:4]
    table = cohort[0].variants.with_columns(chromosome=pl.lit("7"))
    write_plink(tmp_path / "g", dosage, table, [f"s{i}" for i in range(N)])
    with pytest.raises(FitError) as caught:
        gwas(PlinkSource(tmp_path / "g"), phenotypes, covariates, tmp_path / "out", mixed=choice)
    assert "lie on chromosome 7: leaving it out leaves none" in caught.value.got
    assert "two chromosomes" in caught.value.allowed


def test_too_few_and_too_many_subjects(cohort, tmp_path, monkeypatch):
    with pytest.raises(FitError, match="120 subjects in 61 folds"):
        run(cohort, tmp_path / "a", MixedOptions(model="ridge", folds=61))
    with monkeypatch.context() as patch:
        patch.setattr(module, "LARGEST", 100)
        with pytest.raises(FitError) as caught:
            run(cohort, tmp_path / "b", MixedOptions())
    assert "120 subjects for a matrix of all pairs" in caught.value.got
    assert caught.value.todo == "use model 'ridge'"
    source, phenotypes, covariates = cohort[:3]
    wide = covariates.with_columns(pl.Series(f"c{i}", np.random.default_rng(i).normal(size=N)) for i in range(N))
    with pytest.raises(FitError, match="120 subjects"):
        gwas(source, phenotypes, wide, tmp_path / "c", mixed=MixedOptions())
    with pytest.raises(FitError, match="can tell who is related"):
        run(cohort, tmp_path / "d", MixedOptions(relatedness_min_maf=0.5), min_maf=0.0)
