"""Lesions measured inside a run: the same as by command, resumed, and no bad mask ends it."""

import nibabel as nib
import numpy as np
import polars as pl
import pytest

from flow.small_study import SmallStudy
from radiolocus.config import StudyError, load_study
from radiolocus.pipeline import measured_lesions
from radiolocus.response.measured import ScanOptions, measure_scans, read_scans
from radiolocus.store import read_table

SHAPE = (40, 36, 8)
MASKS = """[response]
criterion = "recist11"
further = ["volumetric"]
[response.masks]
days = { baseline = 0, w8 = 56 }
unsaid_kind = "target"
gone = "absent"
[response.endpoints]
orr = "objective response"
"""


def draw(folder, name, boxes):
    """Bars of so many voxels of 2 mm, one a label."""
    mask = np.zeros(SHAPE, np.uint8)
    for label, length in boxes.items():
        mask[2 : 2 + length, 6 * label : 6 * label + 5, 2:5] = label
    image = np.where(mask > 0, 40.0, -20.0).astype(np.float32)
    image[0, 0, 0] = 7.0
    for array, file in ((image, f"{name}.nii.gz"), (mask, f"{name}_mask.nii.gz")):
        nib.save(nib.Nifti1Image(array, np.diag([-2.0, -2.0, 3.0, 1.0])), folder / file)


SIZES = {"S01": ({1: 12, 2: 15}, {1: 7, 2: 8}), "S02": ({1: 12}, {1: 18}), "S03": ({1: 14, 2: 9}, {1: 14}),
         "S04": ({1: 13}, {1: 13, 2: 9})}  # fmt: skip


@pytest.fixture
def study(tmp_path):
    study = SmallStudy(tmp_path / "study", n=4)
    rows = ["subject,visit,day,image,mask,modality,unit"]
    for s, visits in SIZES.items():
        for (visit, day), boxes in zip((("baseline", 0), ("w8", 56)), visits, strict=True):
            folder = study.root / "scans" / s / visit
            folder.mkdir(parents=True)
            draw(folder, "ct", boxes)
            rows.append(f"{s},{visit},{day},scans/{s}/{visit}/ct.nii.gz,scans/{s}/{visit}/ct_mask.nii.gz,CT,HU")
    (study.root / "scans.csv").write_text("\n".join([*rows, ""]))
    study.text = (
        study.text.replace("images/{subject}/ct", "scans/{subject}/{visit}/ct")
        .replace("images/{subject}/mask.nii.gz", "scans/{subject}/{visit}/ct_mask.nii.gz")
        .replace('modality = "CT"', 'modality = "CT"\nunit = "HU"')
    ) + MASKS
    return study


def test_what_is_measured_is_what_the_command_measures(study):
    done = study.run()
    assert "response   4 subjects: 2 PD, 2 PR" in done.lines
    found = read_table(done.root, "response/lesions")
    scans, _ = read_scans(study.root / "scans.csv")
    whole = measure_scans(scans, options=ScanOptions(gone="absent", unsaid_kind="target")).frame
    columns = [c for c in whole.columns if c != "file"]
    assert found.select(columns).equals(whole.select(columns))
    assert found["density_hu"].drop_nulls().unique().to_list() == [40.0]
    best = dict(read_table(done.root, "response/best").select("subject", "best_response").rows())
    assert best == {"S01": "PR", "S02": "PD", "S03": "PR", "S04": "PD"}
    events = read_table(done.root, "response/study_endpoints").select("subject", "event").rows()
    assert events == [("S01", 1), ("S02", 0), ("S03", 1), ("S04", 0)]
    volumes = read_table(done.root, "response/delta").filter(measure="volume", image="lesions")
    assert volumes["subject"].to_list() == ["S01", "S02", "S03", "S04"]


def test_a_bad_mask_costs_its_visit_and_a_mended_one_is_measured_alone(study, monkeypatch):
    bad = study.root / "scans/S02/w8/ct_mask.nii.gz"
    kept = bad.read_bytes()
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), bad)
    done = study.run()
    told = [p for p in study.problems(done) if p["stage"] == "response" and p["subject"] == "S02"]
    assert [(p["severity"], p["item"]) for p in told] == [("no value", "visit w8")]
    best = dict(read_table(done.root, "response/best").select("subject", "best_response").rows())
    assert best == {"S01": "PR", "S02": "NE", "S03": "PR", "S04": "PD"}
    bad.write_bytes(kept)
    measured = []
    real = measured_lesions.measure_scan
    monkeypatch.setattr(measured_lesions, "measure_scan", lambda scan: measured.append(scan.subject) or real(scan))
    again = study.run()
    assert measured == ["S02"]
    best = dict(read_table(again.root, "response/best").select("subject", "best_response").rows())
    assert best["S02"] == "PD"
    measured.clear()
    study.text += '[cohort.columns.age]\ntype = "number"\n' if "cohort.columns" not in study.text else ""
    study.run()
    assert measured == []


def test_days_of_single_subjects_and_roles_come_from_tables(study):
    (study.root / "visits.csv").write_text(
        "subject,visit,day\nS01,baseline,2020-01-01\nS01,w8,2020-03-10\nS02,baseline,0\nS02,w8,60\nS03,baseline,0\n"
    )
    (study.root / "roles.csv").write_text("subject,lesion,kind,organ,node\nS01,L2,non-target,liver,\n")
    study.text = study.text.replace("days = { baseline = 0, w8 = 56 }", 'visits = "visits.csv"\nroles = "roles.csv"')
    done = study.run()
    found = read_table(done.root, "response/lesions")
    days = found.select("subject", "visit", "day").unique().sort("subject", "day").rows()
    assert days == [
        ("S01", "baseline", 0.0), ("S01", "w8", 69.0), ("S02", "baseline", 0.0), ("S02", "w8", 60.0),
        ("S03", "baseline", 0.0),
    ]  # fmt: skip
    assert found.filter(pl.col("subject") == "S01", pl.col("lesion") == "L2")["kind"].unique().to_list() == [
        "non-target"
    ]
    undated = [p for p in study.problems(done) if "has no day" in p["got"] and p["subject"]]
    assert [(p["subject"], p["got"].split("'")[1]) for p in undated] == [
        ("S03", "w8"), ("S04", "baseline"), ("S04", "w8")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("days = { baseline = 0, w8 = 56 }", ""), "the day of every visit"),
        (("days = {", 'images = ["PET"]\ndays = {'), "no image 'PET'"),
        (("[response]", '[response]\nlesions = "lesions.csv"'), "one of them"),
    ],
)
def test_what_cannot_be_measured_is_refused(study, change, said):
    study.text = study.text.replace(*change)
    with pytest.raises(StudyError, match=said):
        load_study(study.file())
