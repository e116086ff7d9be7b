import hashlib

import numpy as np
import polars as pl
import pytest

from naive import logistic as naive
from plink2 import needs_plink2, plink2
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.export import export
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, FitError, RadiolocusError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES
from radiolocus.stats.logistic import fit_logistic

N, M = 400, 90
NAMES = [f"s{i}" for i in range(N)]
TIGHT = 5e-4  # of a standard error: PLINK 2 fits in single precision and stops early


def write(path, dosage):
    m = len(dosage)
    variants = {
        "chromosome": ["1"] * (m // 2) + ["2"] * (m - m // 2),
        "variant_id": [f"rs{i}" for i in range(m)],
        "base_pair_location": np.arange(m) * 1000 + 1,
        "effect_allele": ["A"] * m,
        "other_allele": ["C"] * m,
    }
    write_plink(path, dosage, pl.DataFrame(variants), NAMES)
    return PlinkSource(path)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Genotypes with corner cases; phenotypes common, rare and with missing values; covariates."""
    rng = np.random.default_rng(4)
    dosage = rng.binomial(2, rng.uniform(0.01, 0.6, (M, 1)), (M, N)).astype(np.float32)
    sex = np.arange(N) % 2
    dosage[0] = 0  # nobody carries it
    dosage[1] = sex  # determined by a covariate
    dosage[2] = 0
    dosage[2, :3] = 1  # carried by those without `gaps` alone
    age = rng.normal(60, 9, N)
    y = {
        name: (rng.random(N) < share * np.exp((age - 60) / 20)).astype(float)
        for name, share in (("many", 0.4), ("few", 0.04), ("gaps", 0.2))
    }
    y["gaps"][rng.random(N) < 0.1] = np.nan
    y["gaps"][:3] = np.nan
    dosage[3] = 0
    dosage[3, np.flatnonzero(y["many"] == 1)[:6]] = 1  # carried by cases alone
    dosage[4] = np.where(y["few"] == 1, 2, 0)  # the very cases
    complete = dosage.copy()
    dosage[5:, :][rng.random((M - 5, N)) < 0.02] = np.nan
    folder = tmp_path_factory.mktemp("binary")
    phenotypes = pl.DataFrame({"subject": NAMES} | y).fill_nan(None)
    covariates = pl.DataFrame({"subject": NAMES, "age": age, "sex": sex})
    told = phenotypes.rename({"subject": "#IID"}).with_columns(pl.exclude("#IID") + 1)
    told.write_csv(folder / "p.tsv", separator="\t", null_value="NA")
    covariates.rename({"subject": "#IID"}).write_csv(folder / "c.tsv", separator="\t")
    return (
        folder,
        {"missing": write(folder / "g", dosage), "complete": write(folder / "whole", complete)},
        phenotypes,
        covariates,
        dosage,
    )


def run(cohort, out, *, which="missing", phenotypes=None, jobs=1, keep=None, options=(), **binary):
    _, sources, known, covariates, _ = cohort
    chosen = GenotypeOptions(**{"min_maf": 0.0, "min_call_rate": 0.0, "block_size": 32, **dict(options)})
    return gwas(
        sources[which], known if phenotypes is None else phenotypes, covariates, out, options=chosen,
        keep=keep or GwasOptions(p_value=1), binary=BinaryOptions(**binary), jobs=jobs,
    )  # fmt: skip


def rows(root):
    return query(root, phenotype=["many", "few", "gaps"])


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_every_pair_is_that_of_the_slow_twin(cohort, tmp_path, missing):
    _, _, phenotypes, covariates, dosage = cohort
    run(cohort, tmp_path, options={"missing": missing})
    found = rows(tmp_path)
    assert dict(found.schema) == TABLES["sumstats/binary"].schema
    X = covariates.select("age", "sex").to_numpy().astype(float)
    X[:, 0] = (X[:, 0] - 60) / 9
    kinds = set()
    for row in found.iter_rows(named=True):
        v = int(row["variant_id"][2:])
        y = phenotypes[row["phenotype"]].to_numpy().astype(float)
        g = dosage[v].astype(float)
        if missing == "mean":
            g = np.where(np.isnan(g), np.nanmean(g), g)
        frequency = np.nanmean(dosage[v][~np.isnan(y)]) / 2
        use = ~np.isnan(y) & ~np.isnan(g)
        y, g, x = y[use], g[use], X[use]
        kinds.add(row["test"])
        assert (row["n"], row["cases"]) == (use.sum(), y.sum())
        assert row["effect_allele_frequency"] == pytest.approx(frequency, abs=1e-6)
        if row["test"] == "firth":
            continue
        score, variance, p = naive.score_test(y, g, x, quick=True)
        assert row["statistic"] == pytest.approx(score / np.sqrt(variance), abs=1e-8)
        assert (abs(row["statistic"]) > 2) == (row["test"] == "spa")
        if row["test"] == "spa":
            assert row["neg_log_10_p_value"] == pytest.approx(-np.log10(p), rel=1e-6)
    assert {"score", "spa"} <= kinds


def test_corner_cases_have_no_row_and_a_reason(cohort, tmp_path):
    found = run(cohort, tmp_path)
    told = rows(tmp_path)
    problems = {(row["item"], row["got"]): row["count"] for row in found.problems.iter_rows(named=True)}
    assert problems == {
        ("rs1", "the covariates determine the genotype"): 3,
        ("rs2", "no two analysed subjects differ in genotype"): 1,
    }
    assert told.height == found.tests == 3 * (M - 1) - 4
    cases_only = told.filter(variant_id="rs3", phenotype="many").row(0, named=True)
    assert cases_only["test"] == "spa"
    assert 0 < cases_only["beta"] < 6
    assert cases_only["standard_error"] < 3
    assert told["beta"].null_count() == 0


@pytest.mark.parametrize("phenotype", ["many", "few"])
def test_effects_and_firths_test_are_those_of_the_maximised_likelihood(cohort, tmp_path, phenotype):
    _, _, phenotypes, covariates, dosage = cohort
    run(cohort, tmp_path, test="firth", options={"missing": "drop"})
    X = covariates.select("age", "sex").to_numpy().astype(float)
    X[:, 0] = (X[:, 0] - 60) / 9
    table = rows(tmp_path).filter(phenotype=phenotype)
    some = pl.concat([table.filter(test="firth").head(4), table.filter(test="score").head(3)])
    assert some["test"].n_unique() == 2
    for row in some.iter_rows(named=True):
        g = dosage[int(row["variant_id"][2:])].astype(float)
        y, use = phenotypes[phenotype].to_numpy().astype(float), ~np.isnan(g)
        beta, error, ratio, _ = naive.firth(y[use], np.column_stack([X[use], g[use]]))
        assert row["beta"] == pytest.approx(beta[-1], abs=2e-5 * error[-1])
        assert row["standard_error"] == pytest.approx(error[-1], rel=1e-5)
        if row["test"] == "firth":
            assert row["statistic"] == pytest.approx(np.sign(beta[-1]) * np.sqrt(ratio), abs=1e-5)


def compared(theirs, ours):
    """Join and compare all but rs5.

    PLINK 2 (alpha 3.5) is a little off in the first variant with missing genotypes after complete ones; ours is
    compared with an ordinary fit below.
    """
    both = theirs.filter(pl.col("ERRCODE") == ".", pl.col("ID") != "rs5").join(
        ours, left_on="ID", right_on="variant_id"
    )
    sign = np.where(both["A1"] == both["effect_allele"], 1, -1)
    error = both["standard_error"].to_numpy()
    assert (both["OBS_CT"] == both["n"]).all()
    assert (np.abs(both["BETA"].to_numpy() * sign - both["beta"].to_numpy()) < TIGHT * error).all()
    np.testing.assert_allclose(both["SE"], error, rtol=TIGHT)
    return both


@needs_plink2
@pytest.mark.parametrize("phenotype", ["many", "few", "gaps"])
def test_plink2_firth_fallback(cohort, tmp_path, phenotype):
    folder = cohort[0]
    run(cohort, tmp_path / "ours", test="wald", options={"missing": "drop"})
    read = plink2(
        folder / "g", tmp_path / "t", "--glm", "firth-fallback", "hide-covar", "no-x-sex", "cols=+beta,+firth,+nobs",
        "--pheno", folder / "p.tsv", "--covar", folder / "c.tsv", "--covar-variance-standardize",
    )  # fmt: skip
    both = compared(read(f"{phenotype}.glm.logistic.hybrid"), rows(tmp_path / "ours").filter(phenotype=phenotype))
    assert both.height >= M - 9
    assert ((both["FIRTH?"] == "Y") == (both["test"] == "firth wald")).all()
    np.testing.assert_allclose(-np.log10(both["P"]), both["neg_log_10_p_value"], rtol=2e-3, atol=1e-4)
    if phenotype == "few":
        assert (both["test"] == "firth wald").any()


@needs_plink2
@pytest.mark.parametrize("phenotype", ["many", "few", "gaps"])
def test_plink2_firth(cohort, tmp_path, phenotype):
    folder = cohort[0]
    run(cohort, tmp_path / "ours", test="firth", options={"missing": "drop"})
    read = plink2(
        folder / "g", tmp_path / "t", "--glm", "firth", "hide-covar", "no-x-sex", "cols=+beta,+nobs",
        "--pheno", folder / "p.tsv", "--covar", folder / "c.tsv", "--covar-variance-standardize",
    )  # fmt: skip
    both = compared(read(f"{phenotype}.glm.firth"), rows(tmp_path / "ours").filter(phenotype=phenotype))
    assert both.height >= M - 9


@pytest.mark.parametrize("phenotype", ["many", "few", "gaps"])
def test_wald_is_the_ordinary_fit_where_there_is_one(cohort, tmp_path, phenotype):
    _, _, phenotypes, covariates, dosage = cohort
    run(cohort, tmp_path, test="wald", options={"missing": "drop"})
    X, y = covariates.select("age", "sex").to_numpy(), phenotypes[phenotype].to_numpy().astype(float)
    table = rows(tmp_path).filter(phenotype=phenotype, test="wald")
    assert table.filter(variant_id="rs5").height == 1
    for row in table.head(20).iter_rows(named=True):
        g = dosage[int(row["variant_id"][2:])].astype(float)
        use = ~np.isnan(y) & ~np.isnan(g)
        fit = fit_logistic(y[use], np.column_stack([X, g])[use])
        assert row["beta"] == pytest.approx(fit.coefficient[-1], rel=1e-6, abs=1e-9)
        assert row["standard_error"] == pytest.approx(fit.standard_error[-1], rel=1e-6)
        assert row["neg_log_10_p_value"] == pytest.approx(fit.neg_log10_p[-1], rel=1e-6, abs=1e-9)


@needs_plink2
def test_hapmap_is_plink2(data, tmp_path):
    prefix = data("hapmap") / "plinkhapmap"
    people = [line.split() for line in prefix.with_suffix(".fam").read_text().splitlines()]
    rng = np.random.default_rng(2)
    names = [p[1] for p in people]
    case = (rng.random(len(names)) < 0.3).astype(int)
    age = rng.normal(size=len(names))
    chosen = prefix.with_suffix(".bim").read_text().splitlines()[:8000:8]
    (tmp_path / "ids").write_text("\n".join(line.split()[1] for line in chosen))
    plink2(prefix, tmp_path / "g", "--extract", tmp_path / "ids", "--geno", "0", "--make-bed")
    fid = [p[0] for p in people]
    pl.DataFrame({"#FID": fid, "IID": names, "y": case + 1}).write_csv(tmp_path / "p", separator="\t")
    pl.DataFrame({"#FID": fid, "IID": names, "age": age}).write_csv(tmp_path / "c", separator="\t")
    read = plink2(
        tmp_path / "g", tmp_path / "t", "--glm", "firth-fallback", "hide-covar", "no-x-sex", "cols=+beta,+firth,+nobs",
        "--pheno", tmp_path / "p", "--covar", tmp_path / "c",
    )  # fmt: skip
    gwas(
        PlinkSource(tmp_path / "g"), pl.DataFrame({"subject": names, "y": case}),
        pl.DataFrame({"subject": names, "age": age}), tmp_path / "o",
        options=GenotypeOptions(min_maf=0, min_call_rate=0, missing="drop"),
        keep=GwasOptions(p_value=1), binary=BinaryOptions(test="wald"),
    )  # fmt: skip
    both = compared(read("y.glm.logistic.hybrid"), query(tmp_path / "o", phenotype=["y"]))
    assert both.height > 200
    np.testing.assert_allclose(-np.log10(both["P"]), both["neg_log_10_p_value"], rtol=2e-3, atol=1e-4)


def bytes_of(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted((root / "sumstats").rglob("*.parquet"))
    }


def test_neither_threads_nor_blocks_change_a_number(cohort, tmp_path):
    run(cohort, tmp_path / "one")
    run(cohort, tmp_path / "two", jobs=2)
    run(cohort, tmp_path / "blocks", options={"block_size": 7})
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert rows(tmp_path / "one").equals(rows(tmp_path / "blocks"))


def test_without_missing_genotypes_both_rules_agree(cohort, tmp_path):
    for missing in ("mean", "drop"):
        run(cohort, tmp_path / missing, which="complete", options={"missing": missing})
    assert rows(tmp_path / "mean").equals(rows(tmp_path / "drop"))


def test_firth_steps_in_where_there_is_no_saddle_point(cohort, tmp_path):
    """A phenotype and a genotype that are the same: the score lies at the edge of what it can be."""
    y = (np.arange(N) % 2 == 0).astype(float)
    source = write(tmp_path / "g", np.stack([2 * y, np.arange(N) % 3]).astype(np.float32))
    table = pl.DataFrame({"subject": NAMES, "y": y})
    keep = GwasOptions(p_value=1)
    gwas(source, table, None, tmp_path / "out", keep=keep, binary=BinaryOptions())
    row = query(tmp_path / "out", rsid=["rs0"]).row(0, named=True)
    beta, error, ratio, _ = naive.firth(y, 2 * y)
    assert row["test"] == "firth"
    assert row["beta"] == pytest.approx(beta[1], rel=1e-4)
    assert row["standard_error"] == pytest.approx(error[1], rel=1e-4)
    assert row["statistic"] ** 2 == pytest.approx(ratio, rel=1e-6)


def test_coding_is_declared_not_guessed(cohort, tmp_path):
    phenotypes = cohort[2]
    twos = phenotypes.with_columns((pl.exclude("subject") + 1).fill_null(0))
    with pytest.raises(TableError, match=r"binary phenotype 'many' holds 1, 2; allowed: 0 for controls.*not guessed"):
        run(cohort, tmp_path / "refused", phenotypes=twos)
    run(cohort, tmp_path / "ones")
    run(cohort, tmp_path / "twos", phenotypes=twos, coding="1/2")
    assert rows(tmp_path / "twos").equals(rows(tmp_path / "ones"))
    measured = phenotypes.with_columns(many=pl.int_range(pl.len()) / 7)
    with pytest.raises(TableError, match=r"holds 0, 0.142857, .*, \.\.\..*leave the column out"):
        run(cohort, tmp_path / "measured", phenotypes=measured)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros(N), "one value in all 400 subjects that have it"),
        (np.arange(N) < 2, "2 cases for an intercept and 2 covariates"),
        (np.arange(N) >= 2, "2 controls for an intercept and 2 covariates"),
        (np.arange(N) % 2, "nothing is left of it"),
        (np.arange(N) % 4 == 1, "separation: the covariates tell the cases from the controls"),
    ],
)
def test_phenotypes_without_a_null_model_are_set_aside(cohort, tmp_path, values, told):
    phenotypes = cohort[2].select("subject", "many").with_columns(bad=pl.Series(values).cast(pl.Float64))
    found = run(cohort, tmp_path / "both", phenotypes=phenotypes)
    assert found.phenotypes == 1
    aside = found.problems.filter(pl.col("severity") == "set aside")
    assert aside["item"].to_list() == ["bad"]
    assert told in aside["got"][0]
    with pytest.raises(FitError, match="none of the 1 phenotypes can be analysed"):
        run(cohort, tmp_path / "alone", phenotypes=phenotypes.select("subject", "bad"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"test": "score"}, "test = 'score'; allowed: 'spa' or 'firth' or 'wald'"),
        ({"cutoff": 0.5}, "cutoff = 0.5; allowed: a number, at least 1"),
        ({"coding": "2/1"}, "coding = '2/1'"),
        ({"keep": GwasOptions(effects=True)}, "effects of binary phenotypes"),
        ({"keep": GwasOptions(multi_trait=True)}, "multi_trait of binary phenotypes"),
    ],
)
def test_options_that_cannot_be(cohort, tmp_path, changed, told):
    with pytest.raises(ConfigError) as error:
        run(cohort, tmp_path, **changed)
    assert told in error.value.message


def test_text_is_refused(cohort, tmp_path):
    with pytest.raises(RadiolocusError, match="phenotype 'many' holds text"):
        run(cohort, tmp_path, phenotypes=cohort[2].with_columns(many=pl.lit("yes")))


def test_layouts_of_others(cohort, tmp_path):
    run(cohort, tmp_path / "out")
    ours = query(tmp_path / "out", phenotype=["few"])
    hybrid = export(tmp_path / "out", "few", tmp_path / "few", "plink2")
    assert hybrid.files[0].name == "few.glm.logistic.hybrid"
    assert "Z_STAT" in hybrid.files[0].read_text().splitlines()[0]
    regenie = pl.read_csv(export(tmp_path / "out", "few", tmp_path / "few", "regenie").files[0], separator=" ")
    assert regenie["EXTRA"].to_list() == ours["test"].to_list()
    score = ours["test"] == "score"
    np.testing.assert_allclose(regenie.filter(score)["CHISQ"], ours.filter(score)["statistic"] ** 2, rtol=1e-6)
    files = export(tmp_path / "out", "few", tmp_path / "few", assembly="GRCh38").files
    cases = int(cohort[2]["few"].sum())
    assert f"case_count: {cases}\n" in files[1].read_text()
    assert f"control_count: {N - cases}\n" in files[1].read_text()
