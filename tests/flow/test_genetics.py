"""A study scans its genome as ``radiolocus gwas`` does: the same numbers, the same data set, and binary phenotypes."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from flow.small_study import CASES, GENETICS, MOLECULAR, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.app.cli import app
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import query
from radiolocus.cohort import phenotype_matrix
from radiolocus.config import StudyError, load_study
from radiolocus.errors import ConfigError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.store import read_json, read_table

ASKED = GENETICS + CASES.replace("0.05", "1.0").replace('["relapse"]', '["relapse", "egfr"]') + MOLECULAR


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    (folder := tmp_path_factory.mktemp("genetics") / "study").mkdir()
    study = SmallStudy(folder, n=30)
    study.text += ASKED
    assert not check_study(load_study(study.file())).mistakes
    return study, study.run()


def test_imaging_phenotypes_are_those_of_the_command(run, tmp_path):
    study, finished = run
    features, _ = phenotype_matrix(read_table(finished.root, "features/features"), tuple(study.subjects))
    covariates = study.clinical.select(pl.col("id").alias("subject"), "age")
    options = GenotypeOptions(min_maf=0.05, block_size=33)
    source = PlinkSource(study.root / "geno")
    gwas(source, features, covariates, tmp_path, options=options, keep=GwasOptions(p_value=1))
    names = read_table(tmp_path, "sumstats/summary")["phenotype"].to_list()
    assert_frame_equal(query(finished.root, phenotype=names), query(tmp_path, phenotype=names), check_exact=True)
    for name in ("sumstats/variants", "sumstats/summary", "sumstats/histogram", "genome/samples"):
        assert read_table(finished.root, name).equals(read_table(tmp_path, name)), name


def test_binary_endpoints_and_markers_are_scanned_by_logistic_regression(run, tmp_path):
    study, finished = run
    relapse = (study.clinical["relapse"] == "yes").cast(pl.Float64)
    egfr = read_table(finished.root, "molecular/markers")["egfr"]
    cases = pl.DataFrame({"subject": study.subjects, "relapse": relapse, "egfr": egfr})
    covariates = study.clinical.select(pl.col("id").alias("subject"), "age")
    options, keep = GenotypeOptions(min_maf=0.05, block_size=40), GwasOptions(p_value=1)
    source = PlinkSource(study.root / "geno")
    gwas(source, cases, covariates, tmp_path, options=options, keep=keep, binary=BinaryOptions())
    found = query(finished.root, phenotype=["relapse", "egfr"])
    assert_frame_equal(found, query(tmp_path, phenotype=["relapse", "egfr"]), check_exact=True)
    assert set(found["test"]) <= {"score", "spa", "firth"}
    page = (finished.root / "report.html").read_text()
    assert "Genetic associations of binary phenotypes" in page
    assert any("binary phenotypes: " in line for line in finished.lines)


def test_one_question_answers_of_both_scans(run):
    _, finished = run
    both = query(finished.root, rsid=["rs3"])
    assert {"relapse", "egfr", "CT:stat_mean"} <= set(both["phenotype"])
    binary = both["phenotype"].is_in(["relapse", "egfr"])
    assert both.filter(binary)["degrees_of_freedom"].null_count() == 2
    assert both.filter(~binary)["cases"].null_count() == (~binary).sum()
    with pytest.raises(ConfigError, match="no phenotype 'relaps'"):
        query(finished.root, phenotype=["relaps"])


def test_a_study_is_exported(run, tmp_path):
    _, finished = run
    for phenotype in ("relapse", "CT:stat_mean"):
        order = ["export", str(finished.root), phenotype, "--layout", "plink2", "--out", str(tmp_path / "x")]
        done = CliRunner().invoke(app, order)
        assert done.exit_code == 0, done.output
    assert {path.suffix for path in tmp_path.iterdir()} == {".linear", ".hybrid"}


def test_what_is_no_binary_phenotype_is_told_before_anything_runs(run):
    study, _ = run
    whole = study.text
    try:
        study.text = whole.replace('"egfr"', '"egrf"')
        told = [str(mistake) for mistake in check_study(load_study(study.file())).mistakes]
        assert any(t.startswith("genetics.binary: no binary endpoint or marker 'egrf'") for t in told), told
        study.text = whole.replace('"egfr"', '"os"')
        with pytest.raises(StudyError, match="no binary endpoint 'os'"):
            load_study(study.file())
    finally:
        study.text = whole


def test_binary_phenotypes_that_cannot_be_scanned_lose_nothing_of_the_others(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=12)
    study.clinical = study.clinical.with_columns(relapse=pl.lit("no"))
    study.text += GENETICS + CASES
    finished = study.run()
    assert any("binary phenotypes were not scanned" in line for line in finished.lines)
    assert read_table(finished.root, "sumstats/summary").height > 5
    assert not (finished.root / "binary").exists()
    told = [p for p in study.problems(finished) if p["item"] == "scan of binary phenotypes"]
    assert len(told) == 1
    assert "relapse" in told[0]["got"]
    # without binary phenotypes nothing of an earlier scan of them stays
    study.clinical = study.clinical.with_columns(relapse=pl.Series(["yes", "no"] * 6))
    assert (study.run().root / "binary/sumstats/manifest.json").exists()
    study.text = study.text.replace(CASES, "")
    assert not (study.run().root / "binary").exists()


def test_binary_phenotypes_alone_need_no_images(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=30)
    study.text = study.text[: study.text.index("[imaging]")] + GENETICS + CASES
    finished = study.run()
    told = read_json(finished.root, "binary/sumstats/told.json")
    assert (told["phenotypes"], told["subjects"]) == (1, 30)
    assert query(finished.root, region="1", p_value=0.05)["phenotype"].unique().to_list() == ["relapse"]


def test_what_the_binary_phenotypes_met_is_still_told_when_only_images_changed(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=16)
    study.clinical = study.clinical.with_columns(relapse=pl.Series(["yes", "no"] * 8))
    study.text += GENETICS + CASES
    fam = study.root / "geno.fam"
    fam.write_text(fam.read_text().replace("S03", "X03"))
    first = study.problems(study.run())
    lost = [p for p in first if p["where"] == "scan of binary phenotypes" and p["subject"] == "S03"]
    assert [p["got"] for p in lost] == ["no genotype"]
    study.image("S05", *study.picture(77))
    assert study.problems(study.run()) == first
    study.text = study.text.replace(study.text[study.text.index("[imaging]") : study.text.index("[genetics]")], "")
    root = study.run().root
    assert not (root / "sumstats").exists()
    assert (root / "binary/sumstats/manifest.json").exists()


def test_relatedness_may_be_modelled(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=20)
    study.text += GENETICS + 'mixed = { model = "lmm" }\nphenotypes = ["CT:stat_mean"]\n'
    root = study.run().root
    assert read_table(root, "sumstats/mixed").select("phenotype", "model", "n").rows() == [("CT:stat_mean", "lmm", 20)]
    study.text = study.text.replace('mixed = { model = "lmm" }\n', "")
    study.run()
    assert not (root / "sumstats/mixed.parquet").exists()


def test_lists_of_samples_and_variants_and_a_column_of_sex(tmp_path):
    (folder := tmp_path / "study").mkdir()
    study = SmallStudy(folder, n=20)
    write_sexed(study)
    (folder / "keep.txt").write_text("".join(f"{name}\n" for name in study.subjects[2:]))
    (folder / "variants.txt").write_text("".join(f"rs{i}\n" for i in range(0, 100, 2)))
    lists = 'samples = "keep.txt"\nvariants = "variants.txt"\n'
    study.text += GENETICS + 'sex = "sex"\nkeep = { p_value = 1.0 }\n' + lists
    assert not check_study(load_study(study.file())).mistakes
    root = study.run().root
    assert read_table(root, "genome/samples")["subject"].to_list() == study.subjects[2:]
    variants = read_table(root, "sumstats/variants")
    assert variants["variant_id"].to_list() == [f"rs{i}" for i in range(0, 100, 2)]
    assert variants.filter(chromosome="X", kept=True).height > 0
    told = read_table(root, "problems")["got"].to_list()
    assert "keep.txt: 18 of 20 subjects with genotypes are taken" in told
    assert "variants.txt: 50 of 100 variants are taken" in told
    assert "column sex: sex of 20 of 20 samples" in told
    # other samples are another scan
    (folder / "keep.txt").write_text("".join(f"{name}\n" for name in study.subjects[3:]))
    assert read_table(study.run().root, "genome/samples").height == 17
    (folder / "keep.txt").write_text("nobody\n")
    failed = [p for p in study.problems(study.run()) if p["where"] == "genetics.samples"]
    assert [p["got"] for p in failed] == ["none of the 20 subjects with genotypes is in 'keep.txt'"]


def write_sexed(study):
    """Chromosome 2 becomes X of a file that knows no sex; the subjects table does."""
    source = PlinkSource(study.root / "geno")
    dosage = source.read(np.arange(study.n), 0, 100).dosage
    male = np.arange(study.n) % 2 == 0
    dosage[50:, male] = 2.0 * (dosage[50:, male] > 0)
    write_plink(
        study.root / "geno",
        dosage,
        source.variants.with_columns(pl.col("chromosome").replace("2", "X")),
        study.subjects,
    )
    study.clinical = study.clinical.with_columns(pl.Series("sex", np.where(male, "male", "female")))
