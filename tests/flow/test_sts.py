"""51 sarcoma patients from their original files to the report, and the known facts about them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.read.dicom import read_dicom
from radiolocus.read.imaging import read_pair
from radiolocus.store import read_json, read_table

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sts.toml"


@pytest.fixture(scope="module")
def sts(data):
    return data("sts")


@pytest.fixture(scope="module")
def finished(sts, tmp_path_factory):
    return run_study(load_study(EXAMPLE, sts), tmp_path_factory.mktemp("sts") / "out", jobs=2)


def test_everybody_came_in_and_nobody_was_set_aside(finished):
    assert read_table(finished.root, "cohort/subjects").height == 51
    assert finished.set_aside == 0
    features = read_table(finished.root, "features/features")
    assert dict(features.group_by("image").len().iter_rows()) == {"PET": 51, "PET_DICOM": 3, "CT": 1, "MR_T1": 1}


def test_events(finished):
    ends = read_table(finished.root, "cohort/endpoints").group_by("endpoint").agg(pl.col("event").sum(), pl.len())
    assert {name: (events, n) for name, events, n in ends.iter_rows()} == {
        "lung_metastasis": (19, 51),
        "lung_metastasis_free_survival": (19, 51),
        "overall_survival": (15, 51),
    }


@pytest.mark.parametrize(
    ("endpoint", "feature", "known"),
    [
        ("lung_metastasis", "stat_max", 0.811),
        ("lung_metastasis", "morph_integ_int", 0.776),  # TLG
        ("lung_metastasis", "stat_cov", 0.720),
        ("lung_metastasis", "morph_volume", 0.692),
        ("lung_metastasis", "stat_mean", 0.671),
        ("lung_metastasis_free_survival", "stat_max", 0.746),
        ("overall_survival", "stat_max", 0.680),
    ],
)
def test_known_discrimination_of_single_features(finished, endpoint, feature, known):
    table = read_table(finished.root, "outcome/univariate")
    row = table.filter((pl.col("endpoint") == endpoint) & (pl.col("predictor") == f"PET:{feature}")).row(0, named=True)
    assert row["estimate"] == pytest.approx(known, rel=0.01)
    assert row["lower"] < row["estimate"] < row["upper"]
    assert row["n"] == 51


def test_every_block_is_judged_out_of_fold(finished):
    table = read_table(finished.root, "outcome/performance")
    assert set(table["predictors"]) == {"clinical", "imaging", "all"}
    assert table["estimate"].is_between(0, 1).all()
    assert (table["lower"] < table["upper"]).all()


@pytest.mark.parametrize(
    ("subject", "image"),
    [("STS_001", "CT"), ("STS_001", "MR_T1"), ("STS_001", "PET"), ("STS_005", "PET"), ("STS_033", "PET")],
)
def test_contours_become_the_supplied_masks_voxel_for_voxel(sts, subject, image):
    folder = sts / "dicom" / subject / image
    volume, mask = read_pair(folder / "image", folder / "mask", roi="GTV.*")
    nifti = sts / "nifti" / subject
    # The supplied CT and MR come as masks only; the mask itself stands in for the image, whose voxels are not compared.
    reference = nifti / f"{image}_image.nii.gz" if image == "PET" else nifti / f"{image}_mask.nii.gz"
    supplied_volume, supplied = read_pair(reference, nifti / f"{image}_mask.nii.gz", roi=None)
    assert mask.geometry.difference(supplied.geometry, tolerance_mm=0.05) == ""
    assert np.array_equal(mask.array, supplied.array)
    if image == "PET":
        np.testing.assert_allclose(volume.array, supplied_volume.array, rtol=1e-6)


def test_features_do_not_depend_on_the_container(finished):
    features = read_table(finished.root, "features/features")
    dicom = features.filter(pl.col("image") == "PET_DICOM").sort("subject")
    nifti = features.filter((pl.col("image") == "PET") & pl.col("subject").is_in(dicom["subject"].implode())).sort(
        "subject"
    )
    columns = [c for c, t in features.schema.items() if t == pl.Float64]
    assert len(columns) > 60
    np.testing.assert_allclose(dicom.select(columns).to_numpy(), nifti.select(columns).to_numpy(), rtol=1e-6)


def test_pet_in_gml_is_not_converted_again(sts, finished):
    series = read_dicom(sts / "dicom/STS_001/PET/image")
    assert any("GML" in note for note in series.volume.notes)
    told = read_table(finished.root, "problems").filter(
        (pl.col("item") == "PET_DICOM") & pl.col("got").str.contains("GML")
    )
    assert set(told["subject"]) == {"STS_001", "STS_005", "STS_033"}


def test_note_rows_and_missing_cells_are_told(finished):
    got = " ".join(read_table(finished.root, "problems").filter(pl.col("stage") == "cohort")["got"])
    assert "8 note rows under the table were left out" in got
    assert "'--' read as missing in 48 cells" in got
    assert "'N/A' read as missing in 3 cells" in got


def test_manifests_tell_versions_hashes_and_seed(finished):
    told = read_json(finished.root, "outcome/manifest.json")
    assert told["seed"] == 1
    assert {"radiolocus", "numpy", "polars"} <= told["versions"].keys()
    assert "features/features" in told["input_hash"]
