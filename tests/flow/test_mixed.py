"""A study models relatives as ``radiolocus gwas --model`` does."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flow.small_study import GENETICS, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.associate.query import query
from radiolocus.cohort import phenotype_matrix
from radiolocus.config import StudyError, load_study
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource
from radiolocus.store import read_json, read_table


def test_a_mixed_model_of_imaging_phenotypes(tmp_path):
    (folder := tmp_path / "study").mkdir()
    study = SmallStudy(folder, n=30)
    study.text += GENETICS + 'keep = { p_value = 1.0 }\nmixed = { model = "lmm", relationship = "standardised" }\n'
    assert not check_study(load_study(study.file())).mistakes
    root = study.run().root
    features, _ = phenotype_matrix(read_table(root, "features/features"), tuple(study.subjects))
    covariates = study.clinical.select(pl.col("id").alias("subject"), "age")
    gwas(
        PlinkSource(study.root / "geno"), features, covariates, tmp_path / "again",
        options=GenotypeOptions(min_maf=0.05, block_size=33), keep=GwasOptions(p_value=1),
        mixed=MixedOptions(relationship="standardised"),
    )  # fmt: skip
    names = read_table(root, "sumstats/summary")["phenotype"].to_list()
    assert_frame_equal(query(root, phenotype=names), query(tmp_path / "again", phenotype=names), check_exact=True)
    assert read_table(root, "sumstats/mixed").equals(read_table(tmp_path / "again", "sumstats/mixed"))
    assert read_json(root, "study.json")["settings"]["genetics"]["mixed"]["relationship"] == "standardised"


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ('mixed = { model = "gemma" }', "genetics.mixed.model", "gemma"),
        ('mixed = { folds = 1 }', "genetics.mixed", "folds = 1"),
        ('missing = "drop"\nmixed = { model = "lmm" }', "genetics", "missing = 'drop'"),
        ('keep = { multi_trait = true }\nmixed = { model = "ridge" }', "genetics", "multi-trait"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path, line, where, what):
    study = SmallStudy(tmp_path, n=12)
    study.text += GENETICS + line + "\n"
    with pytest.raises(StudyError) as caught:
        load_study(study.file())
    told = [str(mistake) for mistake in caught.value.mistakes]
    assert any(mistake.startswith(where) and what in mistake for mistake in told), told


def test_the_ridge_serves_binary_phenotypes_and_the_mixed_model_says_that_it_does_not(tmp_path):
    (folder := tmp_path / "study").mkdir()
    study = SmallStudy(folder, n=30)
    asked = 'binary = ["relapse"]\nkeep = { p_value = 1.0 }\n'
    study.text += GENETICS + asked + 'mixed = { model = "ridge", ridge_block = 20 }\n'
    finished = study.run()
    root = finished.root
    relapse = (study.clinical["relapse"] == "yes").cast(pl.Float64)
    cases = pl.DataFrame({"subject": study.subjects, "relapse": relapse})
    gwas(
        PlinkSource(study.root / "geno"), cases, study.clinical.select(pl.col("id").alias("subject"), "age"),
        tmp_path / "again", options=GenotypeOptions(min_maf=0.05, block_size=40), keep=GwasOptions(p_value=1),
        binary=BinaryOptions(), mixed=MixedOptions(model="ridge", ridge_block=20),
    )  # fmt: skip
    own, told = query(root / "binary", phenotype=["relapse"]), "as if nobody were related"
    assert_frame_equal(own, query(tmp_path / "again", phenotype=["relapse"]), check_exact=True)
    assert read_table(root / "binary", "sumstats/mixed").equals(read_table(tmp_path / "again", "sumstats/mixed"))
    assert not any(told in problem["got"] for problem in study.problems(finished))
    study.text = study.text.replace('model = "ridge", ridge_block = 20', 'model = "lmm"')
    related = study.run("other")
    (note,) = [problem for problem in study.problems(related) if told in problem["got"]]
    assert note["severity"] == "note"
    assert not query(related.root / "binary", phenotype=["relapse"]).equals(own)
    assert any(told in problem["got"] for problem in study.problems(study.run("other")))
