"""Several regions of every mask: who is chosen, under which name, and that nobody is lost with another."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dicom_factory import write_rtstruct, write_seg, write_series
from radiolocus.read.discover import Discovery, ImageUnit
from radiolocus.read.regions import each_region, matching_regions, region_names

NAMES = ("GTV", "Node 1", "node 2", "Lung (left")


@pytest.mark.parametrize(
    ("rois", "chosen", "lacking"),
    [
        ([".*"], ["GTV", "Node 1", "node 2", "Lung (left"], []),
        (["node.*"], ["Node 1", "node 2"], []),
        (["NODE 2", "gtv"], ["NODE 2", "gtv"], []),  # called as they were asked for, the same for every subject
        (["GTV", ".*"], ["GTV", "Node 1", "node 2", "Lung (left"], []),
        (["lung (left", "heart"], ["lung (left"], ["heart"]),
        (["node"], [], ["node"]),
    ],
)
def test_names_patterns_and_what_they_find(rois, chosen, lacking):
    assert matching_regions(NAMES, rois) == (chosen, lacking)


@pytest.fixture
def masks(tmp_path):
    affine = write_series(tmp_path / "ct", np.zeros((3, 4, 5)))
    region = np.zeros((3, 4, 5), bool)
    region[1, 1:3, 1:3] = True
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": [], "Node": []})
    write_seg(tmp_path / "seg.dcm", {"GTV": region, "Node": region}, affine)
    labels = np.zeros((5, 4, 3), np.uint8)
    labels[1, 1, 1], labels[2, 2, 2] = 7, 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "labels.nii.gz")
    return tmp_path


def test_every_kind_of_mask_tells_its_regions(masks):
    assert region_names(masks / "labels.nii.gz") == ("2", "7")
    for name in ("rs.dcm", "seg.dcm"):
        assert region_names(masks / name) == ("GTV", "Node")


def test_a_unit_a_region_and_what_failed_by_subject(masks):
    (masks / "broken.nii.gz").write_bytes(b"nothing")
    pairs = [("A", "labels.nii.gz"), ("B", "broken.nii.gz"), ("C", "rs.dcm"), ("D", "absent.dcm")]
    units = tuple(ImageUnit(subject, "v1", masks / "ct", masks / mask) for subject, mask in pairs)
    units += (ImageUnit("E", "", masks / "ct", masks / "seg.dcm", "Node"),)
    found = each_region(Discovery(units, ()), ["GTV", "[0-9]+"], "CT")
    assert [(u.subject, u.roi) for u in found.units] == [("A", "2"), ("A", "7"), ("C", "GTV"), ("E", "Node")]
    told = [(p.subject, p.severity, p.where, p.got) for p in found.problems]
    assert told[0] == ("A", "note", "visit v1, labels.nii.gz", "no region matches 'GTV'")
    assert told[1][:3] == ("B", "set aside", "visit v1, broken.nii.gz")
    assert told[2] == ("C", "note", "visit v1, rs.dcm", "no region matches '[0-9]+'")
    assert told[3][:3] == ("D", "set aside", "visit v1, absent.dcm")
    assert [p.item for p in found.problems] == ["CT"] * 4
    (none,) = each_region(Discovery(units[:1], ()), ["heart"], "CT").problems
    assert (none.got, none.allowed, none.severity) == ("no region matches 'heart'", "'2', '7'", "set aside")
    assert each_region(Discovery(units, ()), [], "CT").units == units
