"""Lesion tables from masks: what is measured is what was drawn, and what is not there is said."""

import nibabel as nib
import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.lesion_roles import read_roles
from radiolocus.read.lesions import read_lesions
from radiolocus.response.measured import ScanOptions, measure_scans, read_scans
from radiolocus.response.recist11 import recist11

SHAPE, VOXEL = (64, 64, 20), (1.0, 1.0, 3.0)  # x, y, z
TARGET = ScanOptions(unsaid_kind="target")


def ball(centre, diameter):
    x, y, z = np.meshgrid(*(np.arange(n) * v for n, v in zip(SHAPE, VOXEL, strict=True)), indexing="ij")
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= (diameter / 2) ** 2


def scan(folder, name, balls, value=40.0):
    """Write an image and its labelled mask."""
    mask = np.zeros(SHAPE, np.uint8)
    for label, (centre, diameter) in balls.items():
        mask[ball(centre, diameter)] = label
    image = np.where(mask > 0, value, -50.0).astype(np.float32)
    affine = np.diag([-VOXEL[0], -VOXEL[1], VOXEL[2], 1.0])
    nib.save(nib.Nifti1Image(image, affine), folder / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine), folder / f"{name}_mask.nii.gz")


A, B = (20, 20, 28), (46, 44, 28)


@pytest.fixture
def follow_up(tmp_path):
    scan(tmp_path, "base", {1: (A, 31), 2: (B, 21)})
    scan(tmp_path, "w8", {1: (A, 21)})
    scan(tmp_path, "w16", {1: (A, 21), 2: (B, 11), 3: ((50, 12, 28), 13)})
    lines = [
        f"P1,{v},{d},{n}.nii.gz,{n}_mask.nii.gz,CT,HU"
        for v, d, n in (
            ("baseline", "2020-01-01", "base"),
            ("week 8", "2020-02-26", "w8"),
            ("week 16", "2020-04-22", "w16"),
        )
    ]
    (tmp_path / "scans.csv").write_text("\n".join(["subject,visit,day,image,mask,modality,unit", *lines, ""]))
    return tmp_path


def test_every_label_is_a_lesion_and_the_sizes_are_those_drawn(follow_up):
    scans, problems = read_scans(follow_up / "scans.csv")
    assert problems == ()
    frame = measure_scans(scans, options=TARGET).frame
    assert frame.select("visit", "day", "lesion", "kind", "status").rows() == [
        ("baseline", 0.0, "L1", "target", "present"),
        ("baseline", 0.0, "L2", "target", "present"),
        ("week 8", 56.0, "L1", "target", "present"),
        ("week 8", 56.0, "L2", "target", "NE"),
        ("week 16", 112.0, "L1", "target", "present"),
        ("week 16", 112.0, "L2", "target", "present"),
        ("week 16", 112.0, "L3", "new", "present"),
    ]
    sizes = frame["diameter_mm"].to_list()
    assert sizes[3] is None
    for size, drawn in zip([s for s in sizes if s is not None], (31, 21, 21, 21, 11, 13), strict=True):
        assert size == pytest.approx(drawn, abs=1.0)
    volume = 4 / 3 * np.pi * (np.array([31, 21]) / 20) ** 3
    np.testing.assert_allclose(frame["volume_ml"].to_list()[:2], volume, rtol=0.05)
    assert frame["density_hu"].drop_nulls().unique().to_list() == [40.0]
    assert frame["uptake"].null_count() == frame.height


def test_the_table_is_read_and_called(follow_up, tmp_path):
    scans, _ = read_scans(follow_up / "scans.csv")
    calls = {}
    for gone in ("NE", "absent"):
        options = ScanOptions(gone=gone, unsaid_kind="target")
        measure_scans(scans, options=options).frame.write_csv(tmp_path / "lesions.csv")
        table = read_lesions(tmp_path / "lesions.csv")
        assert [p for p in table.problems if p.severity == "set aside"] == []
        calls[gone] = recist11(table.frame).timepoints["overall_response"].to_list()
    assert calls == {"NE": [None, "NE", "PD"], "absent": [None, "PR", "PD"]}
    measure_scans(scans).frame.write_csv(tmp_path / "lesions.csv")
    (problem,) = [p for p in read_lesions(tmp_path / "lesions.csv").problems if p.severity == "set aside"]
    assert problem.got == "an empty kind"


def test_named_lesions_nodes_and_uptake(tmp_path):
    scan(tmp_path, "ct", {1: (A, 31), 2: (B, 21)})
    scan(tmp_path, "pet", {1: (A, 31)}, value=8.0)
    (tmp_path / "scans.csv").write_text(
        "subject,visit,day,image,mask,roi,lesion,modality,unit\n"
        "P1,baseline,0,pet.nii.gz,pet_mask.nii.gz,1,T1,PT,SUVbw\n"
        "P1,baseline,0,ct.nii.gz,ct_mask.nii.gz,1,T1,CT,HU\n"
        "P1,baseline,0,ct.nii.gz,ct_mask.nii.gz,2,N1,CT,HU\n"
        "P1,baseline,0,ct.nii.gz,ct_mask.nii.gz,7,N2,CT,HU\n"
    )
    (tmp_path / "roles.csv").write_text(
        "subject,lesion,kind,organ,node\nP1,T1,target,lung,no\nP1,N1,target,axilla,yes\n"
    )
    scans, _ = read_scans(tmp_path / "scans.csv")
    assert len(scans) == 2
    frame = measure_scans(scans, read_roles(tmp_path / "roles.csv")).frame
    t1, n1 = (frame.row(by_predicate=pl.col("lesion") == x, named=True) for x in ("T1", "N1"))
    assert (t1["density_hu"], t1["axis"], n1["axis"]) == (40.0, "long", "short")
    assert t1["uptake"] == pytest.approx(8.0)
    assert t1["mtv_ml"] == pytest.approx(t1["volume_ml"])
    assert t1["tlg"] == pytest.approx(8.0 * t1["volume_ml"])
    assert t1["diameter_mm"] == t1["longest_mm"]
    assert n1["diameter_mm"] == n1["perpendicular_mm"]
    assert frame.height == 2  # a label that was never there is no lesion


def test_what_cannot_be_used_is_named_and_the_rest_measured(follow_up):
    table = follow_up / "scans.csv"
    other = np.zeros((4, 4, 4), np.uint8)
    nib.save(nib.Nifti1Image(other + 1, np.eye(4)), follow_up / "small_mask.nii.gz")
    text = table.read_text()
    table.write_text(
        text + "P1,week 24,2020-06-17,w16.nii.gz,small_mask.nii.gz,CT,HU\n"
        "P2,baseline,2020-06-17,base.nii.gz,none.nii.gz,CT,HU\nP3,baseline,2020-06-17,base.nii.gz,,CT,HU\n"
        "P4,baseline,2020-06-17,base.nii.gz,base_mask.nii.gz,CT,Gy\n"
    )
    scans, problems = read_scans(table)
    assert [(p.subject, p.got) for p in problems if p.severity == "set aside"] == [
        ("P2", "none.nii.gz not there"),
        ("P3", "no value for mask"),
    ]
    found = measure_scans(scans, options=TARGET)
    told = {p.subject: p.got for p in found.problems if p.severity == "no value"}
    assert "different grids" in told["P1"]
    assert told["P4"] == "unit 'Gy'"
    assert found.frame["visit"].unique(maintain_order=True).to_list() == ["baseline", "week 8", "week 16"]


def test_the_hypoxic_fraction_is_the_share_above_the_stated_ratio_to_the_background(tmp_path):
    scan(tmp_path, "fmiso", {1: (A, 31)}, value=2.0)
    half = nib.load(tmp_path / "fmiso.nii.gz")
    image = half.get_fdata()
    image[:20] = np.where(image[:20] > 0, 1.0, image[:20])  # up to the column of the centre
    nib.save(nib.Nifti1Image(image, half.affine), tmp_path / "fmiso.nii.gz")
    table = tmp_path / "scans.csv"
    row = "P1,baseline,0,fmiso.nii.gz,fmiso_mask.nii.gz,PT,SUVbw"
    table.write_text(f"subject,visit,day,image,mask,modality,unit,background\n{row},1.2\n")
    scans, _ = read_scans(table)
    found = {}
    for ratio in (0.5, 1.4, 2.0):
        frame = measure_scans(scans, options=ScanOptions(unsaid_kind="target", tbr_threshold=ratio)).frame
        found[ratio] = frame["hypoxic_fraction"][0]
        assert frame["uptake"].to_list() == [None]
    assert found[0.5] == 1.0
    assert found[1.4] == pytest.approx(0.5, abs=0.04)
    assert found[2.0] == 0.0
    table.write_text(f"subject,visit,day,image,mask,modality,unit,background\n{row},0\n")
    with pytest.raises(TableError, match="background '0'"):
        read_scans(table)


def test_workers_do_not_change_the_table(follow_up):
    scans, _ = read_scans(follow_up / "scans.csv")
    assert measure_scans(scans, options=TARGET, jobs=2).frame.equals(measure_scans(scans[::-1], options=TARGET).frame)


def test_odd_tables_and_options_are_refused(tmp_path):
    table = tmp_path / "scans.csv"
    table.write_text("subject,visit,day,image\nP1,b,0,x.nii\n")
    with pytest.raises(TableError, match="no column 'mask'"):
        read_scans(table)
    table.write_text("subject,visit,day,image,mask\nP1,b,soon,x.nii,y.nii\n")
    with pytest.raises(TableError, match="day 'soon'"):
        read_scans(table)
    with pytest.raises(ConfigError, match="gone 'lost'"):
        ScanOptions(gone="lost")
