"""A PyRadiomics parameter file through a whole study: names, dictionary, problems, phenotypes, report."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flow.small_study import MOLECULAR, SmallStudy
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_image, read_pyradiomics
from radiolocus.store import read_table

PARAMETERS = """
setting: {binWidth: 10}
imageType: {Original: {}, LBP3D: {binWidth: 0.5}}
featureClass: {shape: [MeshVolume], firstorder: [Mean, Kurtosis], glcm: [MCC], gldm: [DependenceVariance]}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=14)
    study.text += 'pyradiomics = "Params.yaml"\ncontrols = []\n'.replace("controls = []\n", "")
    study.text += '[[imaging.images.regions]]\nname = "ring"\nkind = "ring"\ndistance_mm = 3.0\n' + MOLECULAR
    (study.root / "Params.yaml").write_text(PARAMETERS)
    return study


def test_its_features_flow_through_the_study(study):
    image, mask = study.picture(2)
    study.image("S03", np.full_like(image, 7.0), mask)  # a flat image: no kurtosis of patterns
    study.image("S05", image, np.zeros_like(mask))
    finished = study.run()
    rows = read_table(finished.root, "features/features")
    parameters = read_pyradiomics(study.root / "Params.yaml")
    for subject in ("S01", "S02"):
        folder = study.root / "images" / subject
        expected = extract_pyradiomics(read_image(folder / "ct.nii.gz"), read_image(folder / "mask.nii.gz"), parameters)
        row = rows.filter(subject=subject, roi="ROI").row(0, named=True)
        assert {k: row[k] for k in expected.values} == expected.values
    assert rows.filter(roi="ring").height == 13
    assert rows.filter(roi="ring")["original_firstorder_Mean"].is_finite().all()
    told = read_table(finished.root, "features/dictionary")
    assert told["feature"].to_list() == [c for c in rows.columns if c.startswith(("original_", "lbp-"))]
    assert told.filter(feature="original_glcm_MCC")["family"].item() == "pyradiomics glcm"
    problems = pl.DataFrame(study.problems(finished))
    lost = problems.filter(severity="no value", subject="S03")["item"].to_list()
    assert "CT: lbp-3D-k_firstorder_Mean" in lost
    assert problems.filter(severity="set aside")["subject"].unique().to_list() == ["S05"]
    link = read_table(finished.root, "link/link")
    assert "CT:ROI:original_gldm_DependenceVariance" in set(link["feature"])
    assert "DependenceVariance" in (finished.root / "report.html").read_text(encoding="utf-8")


def test_a_changed_parameter_file_is_measured_anew(study):
    first = read_table(study.run().root, "features/features")
    (study.root / "Params.yaml").write_text(PARAMETERS.replace("binWidth: 10", "binWidth: 5"))
    second = read_table(study.run().root, "features/features")
    name = "original_glcm_MCC"
    assert (first[name] != second[name]).any()
    assert first["original_firstorder_Mean"].equals(second["original_firstorder_Mean"])


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("Params.yaml", "setting: {binWidht: 5}", ("unknown setting 'binWidht'", "did you mean 'binWidth'")),
        ("Absent.yaml", "", ("no file 'Absent.yaml'", "parameter file")),
        ("../Params.yaml", "", ("leads out of the study", "below [cohort] root")),
    ],
)
def test_a_parameter_file_that_cannot_be_used_ends_the_stage(study, name, text, parts):
    study.text = study.text.replace("Params.yaml", name)
    if text:
        (study.root / name).write_text(text)
    told = " ".join(str(p) for p in study.problems(study.run()))
    assert all(part in told for part in parts)
