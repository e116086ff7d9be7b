"""A study of feature tables instead of images: joined, measured by another program, told from noise."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.config import StudyError, load_study
from radiolocus.pipeline import run_study
from radiolocus.pipeline.stages import _told_features
from radiolocus.store import read_table

STUDY = """
[cohort]
subjects = "subjects.csv"
id = "patient"
[cohort.ids]
case = "upper"
extract = '(P\\d+)'
[[imaging.tables]]
name = "CT"
path = "features.csv"
id = "Image"
[molecular]
markers = [ { path = "subjects.csv", id = "patient", columns = ["EGFR"] } ]
[genotyping]
clinical = ["age"]
models = ["ridge"]
repeats = 1
folds = 4
inner_folds = 3
penalties = 6
bootstrap = 100
draws = 10
permutations = 39
[genotyping.targets.EGFR]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(2)
    n = 90
    mutant = rng.random(n) < 0.4
    pl.DataFrame(
        {"patient": [f"P{i:02d}" for i in range(n)], "EGFR": np.where(mutant, "Mutant", "Wildtype"),
         "age": rng.integers(40, 80, n)}
    ).write_csv(root / "subjects.csv")  # fmt: skip
    features = pl.DataFrame(
        {
            "Image": [f"/data/images/p{i:02d}.nii" for i in range(80)] + ["/data/images/x1.nii"],
            "diagnostics_Mask-original_VoxelNum": rng.integers(100, 900, 81),
            "note": ["ok"] * 81,
            "original_shape_MeshVolume": rng.lognormal(3, 1, 81),
            "original_glcm_Contrast": np.append(rng.normal(2.0 * mutant[:80]), 0.0),
        }
    )
    again = features.row(4)
    pl.concat(
        [features, features.head(1), pl.DataFrame([(*again[:4], 9.9)], schema=features.schema, orient="row")]
    ).write_csv(root / "features.csv")
    (root / "study.toml").write_text(STUDY)
    return root


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return run_study(load_study(folder / "study.toml"), tmp_path_factory.mktemp("out") / "out", jobs=1)


def test_the_table_becomes_rows_of_the_feature_table(finished):
    rows = read_table(finished.root, "features/features")
    assert rows.height == 79
    assert rows.columns[-2:] == ["original_shape_MeshVolume", "original_glcm_Contrast"]
    assert set(rows["image"]) == {"CT"}
    words = read_table(finished.root, "features/dictionary")
    assert dict(words.select("feature", "family").iter_rows()) == {
        "original_shape_MeshVolume": "shape",
        "original_glcm_Contrast": "glcm",
    }


def test_what_was_left_out_is_told_by_name(finished):
    problems = read_table(finished.root, "problems").filter(stage="features")
    (row,) = problems.filter(severity="set aside").iter_rows(named=True)
    assert (row["subject"], row["item"]) == ("P04", "CT")
    assert "2 rows of one subject that disagree" in row["got"]
    got = " ".join(problems["got"])
    assert "1 columns that are not numbers are no features (note)" in got
    assert "1 ids are not in the cohort: '/data/images/x1.nii'" in got
    assert "10 of 90 subjects of the cohort are not in this source" in got


def test_subjects_of_two_tables_are_counted_once():
    tables = tuple(pl.DataFrame({"subject": own}) for own in (["S1", "S2"], ["S2", "S3"]))
    gathered = SimpleNamespace(works=(), measured=tables)
    assert _told_features(4, gathered) == "features of 3 subjects read from tables"


def test_the_planted_marker_is_told(finished):
    verdict = read_table(finished.root, "genotyping/verdict").row(0, named=True)
    assert verdict["told"]
    assert verdict["n"] == 79
    performance = read_table(finished.root, "genotyping/performance")
    assert {"clinical", "volume", "clinical + volume", "imaging", "imaging + clinical"} < set(performance["predictors"])


def test_the_report_says_so(finished):
    page = (finished.root / "report.html").read_text()
    assert "the image tells EGFR" in page
    assert "Does the image tell the marker?" in page
    assert "ROC curve, calibration, decision curve and permutation null of EGFR" in page
    assert "For research use only" in page


def test_a_second_run_computes_nothing(finished, folder):
    before = (finished.root / "genotyping/verdict.parquet").stat().st_mtime_ns
    run_study(load_study(folder / "study.toml"), finished.root, jobs=1)
    assert (finished.root / "genotyping/verdict.parquet").stat().st_mtime_ns == before


def test_workers_change_no_number(finished, folder, tmp_path):
    other = run_study(load_study(folder / "study.toml"), tmp_path / "out", jobs=2)
    for name in ("performance", "predictions", "null", "curves", "differences", "verdict"):
        assert read_table(finished.root, f"genotyping/{name}").equals(read_table(other.root, f"genotyping/{name}"))


def test_the_command_takes_the_two_tables(folder, tmp_path):
    arguments = [
        "genotype-from-image", str(folder / "features.csv"), str(folder / "subjects.csv"), "--marker", "EGFR",
        "--marker", "age", "--features-id", "Image", "--id", "patient", "--extract", r"((?i:p)\d+)",
        "--permutations", "3",
        "--repeats", "1", "--model", "ridge", "--out", str(tmp_path / "out"), "-j", "1",
    ]  # fmt: skip
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 1  # p12 is not P12: nobody is joined, and that is no silent success
    assert "0 of 90 subjects have features" in found.output
    assert "81 ids are not in the cohort: '/data/images/p00.nii' (nearest 'P00')" in found.output
    lower = pl.read_csv(folder / "subjects.csv").with_columns(pl.col("patient").str.to_lowercase())
    lower.write_csv(folder / "lower.csv")
    arguments[2] = str(folder / "lower.csv")
    found = CliRunner().invoke(app, [*arguments, "--fresh"])
    assert found.exit_code == 3  # the subject with two rows
    assert "79 of 90 subjects have features" in found.output
    assert "not judged: AUC 0." in found.output  # three permutations cannot tell
    assert "no evidence that the image tells age: R² " in found.output  # a number, which nothing here goes with
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Observed against predicted values and permutation null of age" in page
    assert "Prediction intervals of the first model" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('[[imaging.tables]]\nname = "CT"\npath = "features.csv"\nid = "Image"\n', "there is no [imaging]"),
        ("[genotyping.targets.EGFR]\n", "targets is empty"),
    ],
)
def test_a_study_file_that_cannot_be_followed(folder, change, said):
    (folder / "broken.toml").write_text(STUDY.replace(change, ""))
    with pytest.raises(StudyError) as told:
        load_study(folder / "broken.toml")
    assert said in str(told.value)
