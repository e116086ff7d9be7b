import datetime
import gzip
import hashlib
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest
import yaml

from radiolocus.associate.export import as_regenie, as_ssf, export, p_text
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.errors import ConfigError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink

DAY = datetime.date(2026, 1, 2)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(8)
    n, m = 90, 60
    dosage = rng.binomial(2, 0.3, (m, n)).astype(np.float32)
    dosage[rng.random(dosage.shape) < 0.02] = np.nan
    variants = pl.DataFrame(
        {
            "chromosome": ["2"] * 20 + ["10"] * 40,
            "variant_id": [f"rs{i}" for i in range(m - 2)] + ["10_60_A_G", "10:61"],
            "base_pair_location": np.arange(m) + 1,
            "effect_allele": ["A"] * (m - 3) + ["<DEL>", "A", "A"],
            "other_allele": ["G"] * m,
        }
    )
    names = [f"s{i}" for i in range(n)]
    write_plink(folder / "g", dosage, variants, names)
    phenotypes = pl.DataFrame({"subject": names, "PT:mean": rng.normal(size=n), "b": rng.normal(size=n)})
    phenotypes = phenotypes.with_columns(pl.col("b") + pl.Series(np.nan_to_num(dosage[4])))
    covariates = pl.DataFrame({"subject": names, "age": rng.normal(size=n)})
    gwas(
        PlinkSource(folder / "g"), phenotypes, covariates, folder / "out",
        options=GenotypeOptions(min_maf=0, min_call_rate=0, missing="drop"),
        keep=GwasOptions(p_value=1e-3, all_rows=("PT:mean",)),
    )  # fmt: skip
    for frame, name in ((phenotypes, "pheno"), (covariates, "covar")):
        frame.rename({"subject": "IID"}).write_csv(folder / name, separator="\t")
    return folder


def test_gwas_ssf_and_its_metadata(results, tmp_path):
    done = export(results / "out", "PT:mean", tmp_path / "mean", assembly="GRCh38", ancestry="European", today=DAY)
    assert (done.rows, done.left_out) == (59, 1)
    data = (tmp_path / "mean.tsv.gz").read_bytes()
    lines = gzip.decompress(data).decode().splitlines()
    assert lines[0].split("\t") == [
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
        "effect_allele_frequency", "neg_log_10_p_value", "variant_id", "rsid", "n",
    ]  # fmt: skip
    table = [line.split("\t") for line in lines[1:]]
    assert [int(row[0]) for row in table] == [2] * 20 + [10] * 39
    assert [row[8:10] for row in table[-3:]] == [["#NA", "rs56"], ["10_60_A_G", "#NA"], ["#NA", "#NA"]]
    told = yaml.safe_load((tmp_path / "mean.tsv.gz-meta.yaml").read_text())
    assert told["data_file_md5sum"] == hashlib.md5(data).hexdigest()
    assert told["samples"] == [{"sample_size": 90, "sample_ancestry_category": ["European"]}]
    assert told["adjusted_covariates"] == ["age"]
    assert told["date_metadata_last_modified"] == DAY
    assert told["trait_description"] == ["PT:mean"]
    assert (told["file_type"], told["coordinate_system"], told["genome_assembly"]) == (
        "GWAS-SSF v1.0", "1-based", "GRCh38",
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")
def test_the_layout_of_plink2_is_what_plink2_writes(results, tmp_path):
    command = ["plink2", "--bfile", results / "g", "--pheno", results / "pheno", "--covar", results / "covar"]
    command += ["--no-psam-pheno", "--glm", "hide-covar", "omit-ref", "cols=+a1freq", "--out", tmp_path / "theirs"]
    command += ["--pheno-name", "PT:mean", "--allow-extra-chr"]
    subprocess.run(command, check=True, capture_output=True)
    export(results / "out", "PT:mean", tmp_path / "ours", "plink2")
    texts = {"#CHROM": pl.String, "ID": pl.String}
    theirs, ours = (
        pl.read_csv(tmp_path / name, separator="\t", schema_overrides=texts)
        for name in ("theirs.PT:mean.glm.linear", "ours.glm.linear")
    )
    assert ours.columns == theirs.columns
    for name in ours.columns:
        if ours[name].dtype == pl.Float64:
            np.testing.assert_allclose(ours[name], theirs[name].cast(pl.Float64), rtol=2e-5, atol=1e-6)
        else:
            assert ours[name].to_list() == theirs[name].to_list(), name


def test_the_layout_of_regenie(results, tmp_path):
    export(results / "out", "PT:mean", tmp_path / "ours", "regenie")
    head, first = (tmp_path / "ours.regenie").read_text().splitlines()[:2]
    assert head == "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ N TEST BETA SE CHISQ LOG10P EXTRA"
    row = dict(zip(head.split(), first.split(), strict=True))
    assert (row["CHROM"], row["ID"], row["ALLELE0"], row["ALLELE1"]) == ("2", "rs0", "G", "A")
    assert float(row["CHISQ"]) == pytest.approx((float(row["BETA"]) / float(row["SE"])) ** 2)


def test_rows_that_were_not_kept_are_not_passed_over(results, tmp_path):
    with pytest.raises(ConfigError) as caught:
        export(results / "out", "b", tmp_path / "b", "plink2")
    assert caught.value.got == "only rows of 'b' with p ≤ 0.001 were kept"
    assert "--all-rows 'b'" in caught.value.todo
    assert 0 < export(results / "out", "b", tmp_path / "b", "plink2", partial=True).rows < 59
    with pytest.raises(ConfigError, match="no genome assembly"):
        export(results / "out", "PT:mean", tmp_path / "b")
    with pytest.raises(ConfigError, match="layout 'gcta'"):
        export(results / "out", "PT:mean", tmp_path / "b", "gcta")


def test_p_values_as_text():
    values = pl.Series([0.0, 1.0, 0.30103, 7.301029995, 5000.5, 2.9999999999])
    assert p_text(values).to_list() == [
        "1.00000e0", "1.00000e-1", "5.00000e-1", "5.00000e-8", "3.16228e-5001", "1.00000e-3",
    ]  # fmt: skip


def test_chromosomes_that_have_numbers():
    row = {
        "chromosome": ["X", "MT", "HLA"], "base_pair_location": [1, 2, 3], "effect_allele": ["A"] * 3,
        "other_allele": ["C"] * 3, "beta": [0.1] * 3, "standard_error": [1.0] * 3, "statistic": [0.1] * 3,
        "effect_allele_frequency": [0.5] * 3, "neg_log_10_p_value": [0.3] * 3, "variant_id": ["rs1"] * 3, "n": [9] * 3,
    }  # fmt: skip
    table, left_out = as_ssf(pl.DataFrame(row))
    assert (table["chromosome"].to_list(), left_out) == ([23, 25], 1)
    assert as_regenie(pl.DataFrame(row))["CHROM"].to_list() == ["23", "25", "HLA"]
