"""Glioma, lung cancer and leukaemia from their tables to the report, and the known facts about them."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

pytestmark = pytest.mark.slow
# One model and repetition, and permutations enough for a verdict: a minute instead of three.
SPARED = {"repeats": 1, "inner_folds": 3, "penalties": 8, "permutations": 39, "bootstrap": 200, "draws": 20}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def quicker(study, **changes):
    """The example with fewer repetitions and permutations: the facts are those of every repetition."""
    options = dataclasses.replace(study.sections.genotyping, **changes)
    return dataclasses.replace(study, sections=dataclasses.replace(study.sections, genotyping=options, outcome=None))


@pytest.fixture(scope="module")
def glioma(data, tmp_path_factory):
    study = load_study(EXAMPLES / "glioma.toml", data("tcga_glioma"))
    study = quicker(study, models=("ridge",), **SPARED)
    return run_study(study, tmp_path_factory.mktemp("glioma") / "out", jobs=2)


@pytest.fixture(scope="module")
def nsclc(data, tmp_path_factory):
    study = load_study(EXAMPLES / "nsclc.toml", data("nsclc_radiogenomics"))
    study = quicker(study, models=("ridge",), **SPARED)
    return run_study(study, tmp_path_factory.mktemp("nsclc") / "out", jobs=2)


def imaging(finished, target, metric="AUC", **more):
    table = read_table(finished.root, "genotyping/performance")
    return table.filter("primary", pl.col("target") == target, pl.col("metric") == metric, **more).row(0, named=True)


@pytest.mark.parametrize(
    ("target", "n", "positives", "known"),
    [
        # Plain five-fold logistic regression of these tables gave the last column.
        ("IDH", 218, 89, 0.92),
        ("IDH in grades 2 and 3", 106, 84, 0.72),
        ("MGMT", 183, 125, 0.67),
        ("1p19q among IDH-mutant", 88, 27, 0.83),
    ],
)
def test_known_markers_are_told_nested_and_calibrated(glioma, target, n, positives, known):
    row = imaging(glioma, target)
    assert (row["n"], row["positives"]) == (n, positives)
    assert row["estimate"] > known - 0.05
    assert row["lower"] > 0.5
    verdict = read_table(glioma.root, "genotyping/verdict").filter(target=target).row(0, named=True)
    assert verdict["told"]
    assert verdict["p_value"] <= 0.025
    slope = imaging(glioma, target, "calibration slope")
    assert slope["lower"] < 1.0 < slope["upper"]


def test_prediction_sets_of_glioma_hold_the_truth(glioma):
    table = read_table(glioma.root, "genotyping/coverage").filter("primary", pl.col("class") == "")
    assert (table["upper"] >= 0.9).all()
    assert table.filter(target="IDH")["mean_size"][0] < 1.4


def test_ids_that_a_naive_join_loses(glioma, data):
    """42 of the 188 patients whose images radiologists read stand under other spellings in the two tables."""
    folder = data("tcga_glioma")
    raw = [set(pl.read_csv(folder / f, infer_schema_length=0).to_series(0)) for f in _OF_LOWER_GRADE]
    assert (len(raw[0]), len(raw[0] & raw[1])) == (188, 146)
    members = read_table(glioma.root, "cohort/membership").filter(source="features VASARI")
    assert members.filter(status="joined").height == 188
    assert members.filter(status="not in cohort").height == 0


_OF_LOWER_GRADE = ("TCGA_vasari_INFO.csv", "TCGA_clinical_INFO.csv")


def test_the_corrupt_cell_is_set_aside_by_name(glioma):
    problems = read_table(glioma.root, "problems").filter(item="IDH status", severity="no value")
    assert problems["got"].to_list() == ["'glioblastoma' among 'Mutant' and 'WT' became null"]
    assert problems["where"].to_list() == ["tcga_glioma_1122_idh_1p19q_mgmt_subtype.tsv, row 574, column 'IDH status'"]


def test_egfr_is_near_noise_and_the_report_says_so(nsclc):
    row = imaging(nsclc, "EGFR")
    assert (row["n"], row["positives"], row["candidates"]) == (60, 16, 1764)
    assert row["lower"] <= 0.5
    verdict = read_table(nsclc.root, "genotyping/verdict").filter(target="EGFR").row(0, named=True)
    assert not verdict["told"]
    assert verdict["lower"] <= 0.5 <= verdict["upper"]
    assert verdict["p_value"] > 0.05
    assert "no evidence that the image tells EGFR" in (nsclc.root / "report.html").read_text()


def test_three_way_join_of_images_genes_and_labels(nsclc):
    joined = read_table(nsclc.root, "cohort/membership").filter(status="joined")
    found = [set(joined.filter(pl.col("source").str.contains(s))["subject"]) for s in ("features", "rnaseq", "labels")]
    assert [len(f) for f in found] == [60, 130, 211]
    assert len(set.intersection(*found)) == 60


def test_predicting_recurrence_from_genes_selected_on_it_is_refused(data, tmp_path):
    text = (EXAMPLES / "nsclc.toml").read_text()
    begin = text.index("#     [outcome]")
    note = "\n".join(line.removeprefix("#     ") for line in text[begin:].splitlines())
    study = text[: text.index("[link]")] + note
    (tmp_path / "study.toml").write_text(study)
    finished = run_study(load_study(tmp_path / "study.toml", data("nsclc_radiogenomics")), tmp_path / "out")
    told = next(line for line in finished.lines if line.startswith("outcome"))
    assert "was selected on 'recurrence' and would predict it" in told
    assert "(molecular; 140 such)" in told


def test_leukaemia(data, tmp_path):
    finished = run_study(load_study(EXAMPLES / "laml.toml", data("omics")), tmp_path / "out", jobs=2)
    words = read_table(finished.root, "molecular/dictionary").filter(pl.col("marker").str.starts_with("mut:"))
    most = words.sort("n_positive", descending=True)["marker"].head(3).to_list()
    assert set(most) == {"mut:FLT3", "mut:NPM1", "mut:DNMT3A"}
    burden = read_table(finished.root, "molecular/burden")
    assert (burden.height, burden["variants"].sum(), burden["variants"].median()) == (193, 1732, 9)
    assert burden["per_megabase"].median() == pytest.approx(9 / 35.8)
    assert read_table(finished.root, "cohort/subjects").height == 200
    joined = read_table(finished.root, "cohort/membership").filter(source="tcga_laml.maf.gz", status="joined")
    assert joined["subject"].n_unique() == 193
    assert not any("did not run" in line for line in finished.lines if line.startswith(("molecular", "outcome")))
