"""X, Y, XY and MT against plink2 --glm."""

import subprocess

import numpy as np
import polars as pl
import pytest

from plink2 import needs_plink2, sexed
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.effects import EffectArray
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.scan import scan
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink

CODES = np.repeat(["1", "23", "24", "25", "26"], [5, 12, 6, 4, 6])
OPEN = GenotypeOptions(min_maf=0, min_call_rate=0, missing="drop", block_size=7)


def cohort(folder, *, seed=5, n=240, wrong=0.02, unknown=0.04):
    """Phenotypes moved by a variant on X and one on Y, another in women than in men; some unknown."""
    rng = np.random.default_rng(seed)
    sex = rng.choice([0, 1, 2], n, p=[unknown, 0.5 - unknown / 2, 0.5 - unknown / 2])
    p = rng.uniform(0.2, 0.6, (CODES.size, 1))
    dosage = rng.binomial(2, p, (CODES.size, n)).astype(float)
    single = 2.0 * rng.binomial(1, p, dosage.shape)
    dosage[np.ix_(CODES == "23", sex == 1)] = single[np.ix_(CODES == "23", sex == 1)]
    haploid = (CODES == "24") | (CODES == "26")
    dosage[haploid] = single[haploid]
    causal = dosage[6] * (sex > 0) + dosage[18] * (sex == 1)
    for code, who in (("23", sex == 1), ("24", sex == 1), ("26", sex >= 0)):
        at = np.ix_(code == CODES, who)
        dosage[at] = np.where(rng.random(dosage[at].shape) < wrong, 1.0, dosage[at])
    dosage[rng.random(dosage.shape) < 0.02] = np.nan
    ids = [f"s{i}" for i in range(n)]
    table = pl.DataFrame(
        {
            "chromosome": CODES,
            "variant_id": [f"v{i}" for i in range(CODES.size)],
            "base_pair_location": 3_000_000 + 100 * np.arange(CODES.size),
            "effect_allele": ["A"] * CODES.size,
            "other_allele": ["C"] * CODES.size,
        }
    )
    write_plink(folder / "g", dosage, table, pl.DataFrame({"individual_id": ids, "sex": sex.astype(str)}))
    age = rng.normal(50, 8, n)
    y = 0.5 * causal + 0.7 * (sex == 2) + 0.05 * age + rng.normal(size=n)
    patchy = np.where(rng.random(n) < 0.15, np.nan, y + rng.normal(size=n))
    women_only = np.where(sex == 2, rng.normal(size=n), np.nan)
    binary = (rng.random(n) < 1 / (1 + np.exp(-(y - y.mean())))).astype(float)
    names = {"y": y, "patchy": patchy, "women": women_only, "binary": binary}
    phenotypes = pl.DataFrame({"subject": ids, **names}).fill_nan(None)
    return PlinkSource(folder / "g"), sex, phenotypes, pl.DataFrame({"subject": ids, "age": age})


def glm(folder, phenotypes, covariates, name, *arguments, further=()):
    """What plink2 --glm says of one phenotype; heterozygous calls of one copy are first set missing."""
    clean = ["plink2", "--bfile", "g", "--set-hh-missing", "--set-mixed-mt-missing", "--make-bed"]
    subprocess.run([*clean, "--out", "clean"], check=True, capture_output=True, cwd=folder)
    for frame, file in ((phenotypes.select("subject", name), "pheno"), (covariates, "covar")):
        frame.rename({"subject": "IID"}).write_csv(folder / file, separator="\t", null_value="NA")
    command = ["plink2", "--bfile", "clean", "--pheno", "pheno", "--covar", "covar", "--glm", *arguments]
    columns = "cols=chrom,pos,ref,alt,a1freq,nobs,beta,se,tz,p,err"
    command += [
        "omit-ref",
        "hide-covar",
        columns,
        "--vif",
        "1e6",
        "--max-corr",
        "1",
        "--threads",
        "1",
        "--out",
        "o",
        *further,
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    (file,) = folder.glob(f"o.{name}.glm.*")
    types = {"#CHROM": pl.String, "ID": pl.String}
    found = pl.read_csv(file, separator="\t", null_values="NA", schema_overrides=types, infer_schema_length=None)
    return found.filter(pl.col("BETA").is_not_null())


def same(ours, theirs, statistic="T_STAT"):
    assert ours["variant_id"].to_list() == theirs["ID"].to_list()
    assert ours["n"].to_list() == theirs["OBS_CT"].to_list()
    np.testing.assert_allclose(ours["effect_allele_frequency"], theirs["A1_FREQ"], rtol=1e-5)
    np.testing.assert_allclose(ours["beta"], theirs["BETA"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours["statistic"], theirs[statistic], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(ours["neg_log_10_p_value"], -theirs["P"].log10(), rtol=1e-5, atol=1e-5)


@needs_plink2
@pytest.mark.parametrize("name", ["y", "patchy", "women"])
def test_linear_equals_plink2_on_every_chromosome(tmp_path, name):
    source, sex, phenotypes, covariates = cohort(tmp_path)
    # plink2 ends with an error where Y has no subject
    elsewhere = ["--not-chr", "Y"] if name == "women" else []
    theirs = glm(tmp_path, phenotypes, covariates, name, further=elsewhere)
    result = scan(source, phenotypes, covariates, OPEN)
    ours = result.sumstats.filter(pl.col("phenotype") == name)
    same(ours, theirs)
    chromosomes = {"1", "X", "Y", "XY", "MT"} - ({"Y"} if name == "women" else set())
    assert set(ours["chromosome"]) == chromosomes
    if name == "y":
        assert ours.filter(pl.col("variant_id") == "v6")["neg_log_10_p_value"].item() > 5
        most = ours.group_by("chromosome").agg(pl.col("n").max(), pl.col("degrees_of_freedom").max())
        at = {c: (n, df) for c, n, df in most.iter_rows()}
        assert at["X"][0] <= (sex > 0).sum()
        assert at["X"][1] == at["X"][0] - 4
        assert at["Y"][0] <= (sex == 1).sum()
        assert at["Y"][1] == at["Y"][0] - 3


@needs_plink2
def test_sex_given_as_a_covariate_is_not_added_twice_and_goes_on_y(tmp_path):
    source, sex, phenotypes, covariates = cohort(tmp_path, unknown=0)
    with_sex = covariates.with_columns(pl.Series("gender", sex))
    result = scan(source, phenotypes, with_sex, OPEN)
    ours = result.sumstats.filter(pl.col("phenotype") == "y")
    theirs = glm(tmp_path, phenotypes, covariates, "y", "sex")
    same(ours, theirs)
    notes = [(p.where, p.got) for p in result.problems if "is left out" in p.got]
    men = int((sex == 1).sum())
    assert notes == [("chromosome Y", f"covariate gender is left out: it says nothing more among the {men} men")]


@needs_plink2
def test_binary_equals_plink2_on_every_chromosome(tmp_path):
    source, _, phenotypes, covariates = cohort(tmp_path)
    theirs = glm(tmp_path, phenotypes.with_columns(pl.col("binary") + 1), covariates, "binary")
    found = gwas(
        source,
        phenotypes.select("subject", "binary"),
        covariates,
        tmp_path / "out",
        options=OPEN,
        keep=GwasOptions(p_value=1),
        binary=BinaryOptions(test="wald"),
    )
    parts = {file.parent.name: pl.read_parquet(file) for file in (tmp_path / "out/sumstats").glob("chromosome=*/*")}
    order = ["1", "X", "Y", "XY", "MT"]
    same(pl.concat([parts[f"chromosome={c}"] for c in order]), theirs, "Z_STAT")
    assert found.tests == theirs.height


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_neither_blocks_nor_threads_nor_the_way_of_scanning_change_a_number(tmp_path, missing):
    source, _, phenotypes, covariates = cohort(tmp_path)
    options = GenotypeOptions(min_maf=0, min_call_rate=0, missing=missing, block_size=5)
    one = scan(source, phenotypes, covariates, options)
    other = scan(source, phenotypes, covariates, GenotypeOptions(min_maf=0, min_call_rate=0, missing=missing))
    assert one.sumstats.equals(other.sumstats)
    keep = GwasOptions(p_value=1, effects=True)
    done = [
        gwas(source, phenotypes, covariates, tmp_path / f"j{j}", options=options, keep=keep, jobs=j) for j in (1, 2)
    ]
    files = sorted(p.relative_to(done[0].root) for p in done[0].root.rglob("*.parquet"))
    assert files == sorted(p.relative_to(done[1].root) for p in done[1].root.rglob("*.parquet"))
    for file in files:
        assert (done[0].root / file).read_bytes() == (done[1].root / file).read_bytes()
    written = pl.concat(
        pl.read_parquet(done[0].root / f"sumstats/chromosome={c}/part.parquet") for c in ("1", "X", "Y", "XY", "MT")
    )
    assert written.sort("variant_id", "phenotype").equals(one.sumstats.sort("variant_id", "phenotype"))
    assert done[0].tests == one.sumstats.height == one.summary["tests"].sum()
    beta = EffectArray.open(done[0].root / "sumstats/effects/beta").read(np.arange(CODES.size))
    place = {name: i for i, name in enumerate(["y", "patchy", "women", "binary"])}
    for row in one.sumstats.iter_rows(named=True):
        assert beta[int(row["variant_id"][1:]), place[row["phenotype"]]] == np.float32(row["beta"])
    assert np.isnan(beta[CODES == "24", place["women"]]).all()


def test_calls_that_cannot_be_are_missing_and_told(tmp_path):
    source, sex, phenotypes, covariates = cohort(tmp_path)
    result = scan(source, phenotypes, covariates, OPEN)
    dosage = source.read(np.arange(240), 0, CODES.size).dosage
    who = {"X": (CODES == "23", sex == 1), "Y": (CODES == "24", sex == 1), "MT": (CODES == "26", sex >= 0)}
    for chromosome, (variants, people) in who.items():
        told = [p for p in result.problems if p.where == f"chromosome {chromosome}" and "called heterozygous" in p.got]
        wrong = int((dosage[np.ix_(variants, people)] == 1).sum())
        assert wrong > 0
        assert sum(p.count for p in told) == wrong
        assert {p.severity for p in told} == {"note"}
    unknown = int((sex == 0).sum())
    assert f"{unknown} subjects of unknown sex are left out on X and Y" in [p.got for p in result.problems]
    on_y = CODES != "24"
    np.testing.assert_allclose(result.samples["call_rate"], 1 - np.isnan(dosage[on_y]).mean(axis=0), rtol=1e-12)


def test_without_sex_x_and_y_are_not_analysed(tmp_path):
    cohort(tmp_path)
    fam = (tmp_path / "g.fam").read_text().splitlines()
    (tmp_path / "g.fam").write_text("".join("\t".join([*line.split()[:4], "0", "-9"]) + "\n" for line in fam))
    result = scan(PlinkSource(tmp_path / "g"), *tables(tmp_path), OPEN)
    why = dict(result.variants.select("chromosome", "reason").unique().iter_rows())
    assert why["X"] == "no analysed subject has a known sex"
    assert why["Y"] == "no analysed subject is known to be male"
    assert why["MT"] is None
    assert set(result.sumstats["chromosome"]) == {"1", "XY", "MT"}


def tables(folder):
    ids = PlinkSource(folder / "g").sample_ids
    rng = np.random.default_rng(1)
    return (
        pl.DataFrame({"subject": ids, "y": rng.normal(size=len(ids))}),
        pl.DataFrame({"subject": ids, "age": rng.normal(size=len(ids))}),
    )


def test_too_few_men_for_y(tmp_path):
    cohort(tmp_path)
    sexes = ["1"] * 3 + ["2"] * 237
    fam = (tmp_path / "g.fam").read_text().splitlines()
    lines = ["\t".join([*line.split()[:4], sex, "-9"]) + "\n" for line, sex in zip(fam, sexes, strict=True)]
    (tmp_path / "g.fam").write_text("".join(lines))
    result = scan(PlinkSource(tmp_path / "g"), *tables(tmp_path), OPEN)
    on_y = result.variants.filter(pl.col("chromosome") == "Y")
    assert not on_y["kept"].any()
    assert on_y["reason"].unique().to_list() == [
        "chromosome Y: 3 subjects for an intercept, 1 covariates and a variant"
    ]
    assert "Y" not in set(result.sumstats["chromosome"])
    assert "X" in set(result.sumstats["chromosome"])
    found = gwas(PlinkSource(tmp_path / "g"), *tables(tmp_path), tmp_path / "out", options=OPEN)
    assert found.tests == result.sumstats.height


def test_multi_trait_tests_leave_other_subjects_out(tmp_path):
    source = sexed(tmp_path, samples=150, counts=(160, 20, 10, 12, 8))
    values = np.random.default_rng(2).normal(size=(150, 3))
    table = pl.DataFrame({"subject": source.sample_ids, **{f"y{k}": values[:, k] for k in range(3)}})
    options = GenotypeOptions(min_maf=0, min_call_rate=0, block_size=50)
    gwas(source, table, None, tmp_path / "out", options=options, keep=GwasOptions(multi_trait=True))
    found = pl.read_parquet(tmp_path / "out/sumstats/multitrait.parquet")
    told = found.filter(pl.col("mostest_statistic").is_not_null())["chromosome"].unique()
    assert set(told) == {"1", "XY"}
    assert found.height == source.variants.height
