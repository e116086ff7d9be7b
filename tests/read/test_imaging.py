"""The one door: image and region come out on the same grid or not at all."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dicom_factory import OBLIQUE, to_world, write_other, write_rtstruct, write_series
from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.read.imaging import check_image, describe, read_pair
from radiolocus.read.options import ReadOptions

SHAPE = (5, 6, 7)  # z, y, x
STORED = np.arange(210).reshape(SHAPE)
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def blob():
    """A region without any symmetry."""
    array = np.zeros(SHAPE, bool)
    array[1:4, 2:5, 1:6] = True
    array[1, 2, 1:4] = False
    array[3, 4, 5] = False
    return array


def save_nifti(path, array, affine):
    """Write (z, y, x) `array` with an `affine` from (z, y, x, 1) to LPS."""
    ras = (TO_RAS @ affine)[:, [2, 1, 0, 3]]
    nib.save(nib.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), ras), path)
    return path


@pytest.fixture(params=["axial", "oblique"])
def study(request, tmp_path):
    """The same image and region as DICOM + RTSTRUCT and as NIfTI."""
    affine = write_series(tmp_path / "ct", STORED, frame=OBLIQUE if request.param == "oblique" else np.eye(3))
    contours = []
    for k, plane in enumerate(blob()):
        # One square contour a pixel: the plainest outline that reproduces any region.
        for y, x in np.argwhere(plane):
            corners = [(k, y - 0.4, x - 0.4), (k, y - 0.4, x + 0.4), (k, y + 0.4, x + 0.4), (k, y + 0.4, x - 0.4)]
            contours.append((to_world(affine, corners), None))
    write_rtstruct(tmp_path / "rt" / "rs.dcm", {"GTV": contours, "Empty": []})
    save_nifti(tmp_path / "image.nii.gz", STORED.astype(np.float32), affine)
    save_nifti(tmp_path / "mask.nii.gz", blob().astype(np.uint8) * 3, affine)
    return tmp_path, affine


def test_every_road_leads_to_the_same_pair(study):
    folder, _ = study
    roads = [
        ("ct", "rt/rs.dcm", "gtv"),
        ("ct", "rt", "G.V"),
        ("ct", "mask.nii.gz", None),
        ("ct", "mask.nii.gz", "3"),
        ("image.nii.gz", "mask.nii.gz", None),
    ]
    for image, mask, roi in roads:
        volume, region = read_pair(folder / image, folder / mask, roi=roi, modality="CT")
        np.testing.assert_array_equal(volume.array, STORED)
        np.testing.assert_array_equal(region.array, blob())
        assert volume.geometry.difference(region.geometry) == ""
        assert volume.modality == "CT"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_mask_stored_with_other_axes_is_turned_round_with_a_note(study, order, flips):
    folder, affine = study
    array, turned = blob().transpose(order), affine[:, [*order, 3]].copy()
    for axis in flips:
        array = np.flip(array, axis)
        turned[:3, 3] += turned[:3, axis] * (array.shape[axis] - 1)
        turned[:3, axis] *= -1
    save_nifti(folder / "turned.nii", array.astype(np.uint8), turned)
    volume, region = read_pair(folder / "image.nii.gz", folder / "turned.nii")
    np.testing.assert_array_equal(region.array, blob())
    assert volume.geometry.difference(region.geometry) == ""
    assert any("turned round" in note for note in region.notes) == (order != (0, 1, 2) or bool(flips))


def shifted(affine):
    return affine + np.array([[0, 0, 0, 0.5], [0] * 4, [0] * 4, [0] * 4])


def scaled(affine):
    return affine @ np.diag([1.01, 1, 1, 1])


def rotated(affine):
    a = np.deg2rad(2)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    return turn @ affine


def doubled(affine):
    return affine @ np.diag([2.0, 1, 1, 1])


@pytest.mark.parametrize("change", [shifted, scaled, rotated, doubled])
def test_mask_on_another_grid_is_refused(study, change):
    folder, affine = study
    save_nifti(folder / "other.nii", blob().astype(np.uint8), change(affine))
    with pytest.raises(GeometryError) as caught:
        read_pair(folder / "image.nii.gz", folder / "other.nii")
    assert caught.value.where == "image.nii.gz and other.nii"
    assert "image and mask on different grids: voxel centres up to" in caught.value.got
    assert "mm apart (spacing [3.0, 2.0, 1.5] against [" in caught.value.got
    assert "first voxel at [-10.0" in caught.value.got
    assert caught.value.allowed == "voxel centres within 0.01 mm"
    assert "resample" in caught.value.todo
    assert str(folder) not in str(caught.value)


def test_mask_of_another_shape_is_refused(study):
    folder, affine = study
    save_nifti(folder / "other.nii", blob()[:, :, :6].astype(np.uint8), affine)
    with pytest.raises(GeometryError, match=r"shape \(5, 6, 7\) against \(5, 6, 6\) \(z, y, x\)"):
        read_pair(folder / "image.nii.gz", folder / "other.nii")


def test_tolerance_is_the_callers(study):
    folder, affine = study
    save_nifti(folder / "other.nii", blob().astype(np.uint8), shifted(affine))
    _, region = read_pair(folder / "image.nii.gz", folder / "other.nii", tolerance_mm=0.6)
    np.testing.assert_array_equal(region.array, blob())


def test_empty_region_is_refused_and_one_voxel_is_not(study):
    folder, affine = study
    save_nifti(folder / "empty.nii", np.zeros(SHAPE, np.uint8), affine)
    with pytest.raises(RoiError, match=r"empty\.nii: the region has no voxel; allowed: one voxel or more"):
        read_pair(folder / "image.nii.gz", folder / "empty.nii")
    one = np.zeros(SHAPE, np.uint8)
    one[2, 3, 4] = 1
    save_nifti(folder / "one.nii", one, affine)
    assert read_pair(folder / "image.nii.gz", folder / "one.nii")[1].array.sum() == 1
    thin = to_world(affine, [(2, 1.1, 1.1), (2, 1.1, 1.9), (2, 1.9, 1.9)])
    write_rtstruct(folder / "thin.dcm", {"GTV": [(thin, None)]})
    with pytest.raises(RoiError, match=r"thin\.dcm: the region has no voxel"):
        read_pair(folder / "ct", folder / "thin.dcm")
    with pytest.raises(RoiError, match="no closed contour"):
        read_pair(folder / "ct", folder / "rt", roi="Empty")


def test_roi_of_a_nifti_mask_is_a_number(study):
    folder, _ = study
    with pytest.raises(RoiError, match=r"roi 'GTV' for a NIfTI mask.*allowed: a whole number as text") as caught:
        read_pair(folder / "image.nii.gz", folder / "mask.nii.gz", roi="GTV")
    assert caught.value.todo
    with pytest.raises(RoiError, match="no voxel has label 1; allowed: labels in this file: 3"):
        read_pair(folder / "image.nii.gz", folder / "mask.nii.gz", roi="1")


def test_modality_must_agree_with_the_headers(study):
    folder, _ = study
    with pytest.raises(FormatError, match=r"ct: the series is of modality CT; allowed: PT, as the study says"):
        read_pair(folder / "ct", folder / "rt", roi="GTV", modality="PET")
    assert read_pair(folder / "image.nii.gz", folder / "mask.nii.gz", modality="pet")[0].modality == "PT"


def test_paths_that_lead_nowhere(study):
    folder, _ = study
    write_other(folder / "seg.dcm", "1.2.840.10008.5.1.4.1.1.66.4", "SEG")
    write_other(folder / "sr.dcm")
    write_rtstruct(folder / "two" / "a.dcm", {"GTV": []})
    write_rtstruct(folder / "two" / "b.dcm", {"GTV": []})
    cases = [
        ("ct/000.dcm", "mask.nii.gz", "a single file that is not NIfTI"),
        ("absent", "mask.nii.gz", "no such folder"),
        ("absent.nii", "mask.nii.gz", "no such file"),
        ("image.nii.gz", "rt/rs.dcm", "a mask that is not NIfTI beside a NIfTI image"),
        ("ct", "absent", "no such file"),
        ("ct", "absent.nii", "no such file"),
        ("ct", "seg.dcm", "no segment is described"),
        ("ct", "sr.dcm", "DICOM of modality SR"),
        ("ct", "ct", "no RTSTRUCT or SEG files"),
        ("ct", "two", r"2 RTSTRUCT or SEG files \(a\.dcm, b\.dcm\)"),
    ]
    for image, mask, got in cases:
        with pytest.raises(FormatError, match=got) as caught:
            read_pair(folder / image, folder / mask)
        assert str(folder) not in str(caught.value)


def test_describe(study):
    folder, _ = study
    told = describe(folder / "image.nii.gz")
    assert (told["kind"], told["modality"], told["shape"], told["integer"]) == ("nifti", "", SHAPE, False)
    assert told["spacing"] == pytest.approx((3.0, 2.0, 1.5))
    assert describe(folder / "mask.nii.gz")["integer"] is True
    told = describe(folder / "ct")
    assert (told["kind"], told["modality"], told["shape"], told["files"]) == ("dicom series", "CT", SHAPE, 5)
    assert told["spacing"] == pytest.approx((3.0, 2.0, 1.5))
    for path in ("rt", "rt/rs.dcm"):
        told = describe(folder / path)
        assert (told["kind"], told["rois"], told["files"]) == ("rtstruct", ("GTV", "Empty"), 1)


def test_describe_several_series_and_bad_geometry(study):
    folder, _ = study

    def other(k, ds):
        ds.SeriesInstanceUID, ds.SeriesDescription = "1.2.3", "second"

    write_series(folder / "both" / "a", STORED)
    write_series(folder / "both" / "b", STORED, edit=other)
    told = describe(folder / "both")
    assert (told["kind"], told["modality"], told["shape"], told["files"]) == ("dicom series", "CT", None, 10)
    assert [s["description"] for s in told["series"]] == ["synthetic", "second"]
    (folder / "ct" / "002.dcm").unlink()
    told = describe(folder / "ct")
    assert told["shape"] == (4, 6, 7)
    assert told["spacing"] is None


def test_describe_nothing(study):
    folder, _ = study
    (folder / "void").mkdir()
    (folder / "text.txt").write_text("nothing")
    for name, got in [
        ("void", "no DICOM image or structure set"),
        ("text.txt", "neither NIfTI nor RTSTRUCT"),
        ("absent", "no such file"),
    ]:
        with pytest.raises(FormatError, match=f"{name}: {got}"):
            describe(folder / name)


def test_sarcoma_pairs_from_both_roads(data):
    for subject in ("STS_001", "STS_005", "STS_033"):
        dicom, nifti = data("sts") / "dicom" / subject / "PET", data("sts") / "nifti" / subject
        one, first = read_pair(dicom / "image", dicom / "mask", roi="GTV.*", modality="PT")
        two, second = read_pair(nifti / "PET_image.nii.gz", nifti / "PET_mask.nii.gz", modality="PT")
        np.testing.assert_array_equal(one.array, two.array)
        np.testing.assert_array_equal(first.array, second.array)
        assert one.geometry.difference(two.geometry) == ""
        assert describe(dicom)["rois"] == ("GTV_Mass_PET",)


@pytest.mark.parametrize(
    "options",
    [
        {"suv": "lbm"},
        {"gantry": "correct"},
        {"series": "1.2"},
        {"select": {"EchoTime": 4.6}},
    ],
)
def test_what_only_dicom_offers_is_not_silently_left_out_for_nifti(tmp_path, options):
    image = save_nifti(tmp_path / "image.nii.gz", STORED.astype(np.float32), np.eye(4))
    mask = save_nifti(tmp_path / "mask.nii.gz", blob().astype(np.uint8), np.eye(4))
    for read in (
        lambda: read_pair(image, mask, modality="PT", options=ReadOptions(**options)),
        lambda: check_image(image, ReadOptions(**options)),
    ):
        with pytest.raises(FormatError) as error:
            read()
        assert error.value.where == "image.nii.gz"
        assert error.value.got.startswith(f"{next(iter(options))} for a NIfTI image")
        assert "DICOM series" in error.value.todo
    check_image(image, ReadOptions())
    assert read_pair(image, mask, options=ReadOptions())[1].array.any()


def test_a_mask_that_holds_no_regions_is_told_what_may(tmp_path):
    write_series(tmp_path / "ct", STORED)
    write_other(tmp_path / "sr.dcm")
    with pytest.raises(FormatError) as error:
        read_pair(tmp_path / "ct", tmp_path / "sr.dcm")
    assert error.value.got == "DICOM of modality SR"
    assert error.value.allowed == "an RTSTRUCT or SEG file"
    assert error.value.todo
