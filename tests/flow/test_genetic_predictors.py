"""Genotypes predict: dosages and components learned inside the fold, scores with given weights."""

import numpy as np
import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.errors import ConfigError
from radiolocus.pipeline import run_study
from radiolocus.pipeline.locking import lock_run
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.store import read_table

N, M = 90, 120
STUDY = """
[cohort]
name = "genotypes"
subjects = "clinical.csv"
id = "id"
[cohort.endpoints.os]
kind = "survival"
time = "months"
event = "dead"
event_values = [1]
unit = "months"
[cohort.endpoints.relapse]
kind = "binary"
event = "relapse"
event_values = [1]
[genetics]
plink = "geno"
binary = ["relapse"]
[outcome]
endpoints = ["os"]
clinical = ["age"]
models = ["elastic_net", "ipf_ridge"]
repeats = 1
folds = 3
inner_folds = 3
bootstrap = 50
univariate_bootstrap = 20
permutations = 0
shuffles = 0
[outcome.genetic]
variants = ["rs3", "rs70"]
scores = ["score.txt"]
components = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A variant (rs3) and a score of five others carry the hazard."""
    root = tmp_path_factory.mktemp("genetic")
    rng = np.random.default_rng(4)
    dosage = rng.binomial(2, rng.uniform(0.3, 0.6, M), (N, M)).astype(np.float32)
    subject = [f"P{i:03d}" for i in range(N)]
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * M,
            "variant_id": [f"rs{j}" for j in range(M)],
            "base_pair_location": [1000 * (j + 1) for j in range(M)],
            "effect_allele": ["A"] * M,
            "other_allele": ["C"] * M,
        }
    )
    weights = dict(zip(range(20, 25), [0.5, -0.4, 0.6, 0.3, 0.7], strict=True))
    risk = 1.2 * dosage[:, 3] + sum(2 * w * dosage[:, j] for j, w in weights.items())
    time = rng.exponential(20 * np.exp(-(risk - risk.mean())))
    dead = (rng.random(N) < 0.7).astype(int)
    write_plink(root / "geno", dosage[:, :].T, variants, subject)
    clinical = {"id": subject, "age": rng.integers(40, 80, N), "months": time.round(3) + 0.01, "dead": dead}
    pl.DataFrame({**clinical, "relapse": rng.integers(0, 2, N)}).write_csv(root / "clinical.csv")
    rows = "".join(f"rs{j}\tA\tC\t{w}\n" for j, w in weights.items())
    header = "#pgs_name=five\n#genome_build=NR\nrsID\teffect_allele\tother_allele\teffect_weight\n"
    (root / "score.txt").write_text(header + rows)
    return root


def finished(folder, out, text=STUDY):
    (folder / "study.toml").write_text(text)
    return run_study(load_study(folder / "study.toml"), out, jobs=1)


@pytest.fixture(scope="module")
def run(folder):
    return finished(folder, folder / "out")


def test_dosages_and_scores_are_those_of_the_files(folder, run):
    table = read_table(run.root, "outcome/genetic")
    assert table.columns == ["subject", "rs3", "rs70", "score:five", "genotype PC1", "genotype PC2"]
    source = PlinkSource(folder / "geno")
    dosage = source.read(np.arange(N), 0, M).dosage
    np.testing.assert_array_equal(table["rs3"].to_numpy(), dosage[3])
    score = sum(w * dosage[j] for j, w in zip(range(20, 25), [0.5, -0.4, 0.6, 0.3, 0.7], strict=True)) / 10
    np.testing.assert_allclose(table["score:five"].to_numpy(), score, atol=1e-6)
    problems = read_table(run.root, "problems").filter(stage="outcome", item="score:five")
    assert problems["got"][0].startswith("5 of 5 weights matched")


def test_they_predict_and_add_to_the_clinic(run):
    table = read_table(run.root, "outcome/performance")
    found = dict(table.filter(model="elastic-net Cox").select("predictors", "estimate").iter_rows())
    assert set(found) == {"clinical", "genetic", "all"}
    assert found["genetic"] > 0.7
    used = read_table(run.root, "outcome/selection").filter(predictors="genetic")
    assert {"rs3", "score:five"} <= set(used.filter(pl.col("fraction") == 1.0)["predictor"])
    added = read_table(run.root, "outcome/added_value").filter(
        metric="Harrell C", about="predictors", reference_predictors="clinical", model="elastic-net Cox"
    )
    assert added["lower"][0] > 0
    assert "Added value of blocks of predictors" in (run.root / "report.html").read_text()


@pytest.mark.slow
def test_a_fusion_of_dosages_is_locked_and_components_are_not(folder, run):
    with pytest.raises(ConfigError) as caught:
        lock_run(run.root, "os", "all", "ipf_ridge")
    assert caught.value.where == "outcome.genetic.components"
    again = finished(folder, folder / "out2", STUDY.replace("components = 2", ""))
    locked = lock_run(again.root, "os", "all", "ipf_ridge")
    assert {c.block for c in locked.columns} == {"clinical", "genetic"}
    frame = read_table(again.root, "outcome/genetic").join(
        read_table(again.root, "cohort/subjects").select("subject", "age"), on="subject"
    )
    linear, told = locked.linear(frame)
    assert not told
    assert np.corrcoef(linear, frame["rs3"])[0, 1] > 0.2
    with pytest.raises(ConfigError, match="may lack a block"):
        lock_run(again.root, "os", "any: dropout", "stacked")


def test_what_is_not_there_is_said(folder):
    wrong = finished(folder, folder / "out3", STUDY.replace('"rs3"', '"rs333"'))
    assert any("no variant 'rs333'" in line for line in read_table(wrong.root, "problems")["got"])
