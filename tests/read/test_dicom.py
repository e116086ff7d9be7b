"""DICOM series: place and value of every voxel, and a plain refusal of everything that is not one regular grid."""

from __future__ import annotations

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from dicom_factory import OBLIQUE, SERIES, pet, sop_uid, write_other, write_rtstruct, write_series
from radiolocus.errors import FormatError, GeometryError, RadiolocusError
from radiolocus.read.dicom import list_series, read_dicom, scan_folder
from radiolocus.read.options import ReadOptions

STORED = np.arange(5 * 4 * 6).reshape(5, 4, 6) * 10 - 300


def refused(folder, kind=GeometryError):
    with pytest.raises(kind) as caught:
        read_dicom(folder)
    message = str(caught.value)
    assert folder.name in message or ".dcm" in message
    assert caught.value.allowed
    assert "ecret" not in message.lower()
    assert str(folder.parent) not in message
    return message


@pytest.mark.parametrize("frame", [np.eye(3), OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "RLE"])
def test_every_voxel_keeps_its_value_and_its_place(tmp_path, frame, compress):
    folder = tmp_path / "ct"
    affine = write_series(
        folder, STORED, frame=frame, slope=2.0, intercept=-1024.0, order=[3, 0, 4, 1, 2], compress=compress
    )
    series = read_dicom(folder)
    volume = series.volume
    np.testing.assert_array_equal(volume.array, STORED * 2.0 - 1024.0)
    np.testing.assert_allclose(volume.geometry.affine, affine, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, [3.0, 2.0, 1.5], atol=1e-6)
    assert (volume.modality, volume.unit, volume.notes) == ("CT", "HU", ())
    assert series.sop_uids == tuple(sop_uid(k) for k in range(5))
    assert series.series_uid == SERIES
    assert series.frame_of_reference_uid.endswith("7.1")


def test_slices_written_from_the_far_end_come_back_along_the_normal(tmp_path):
    # A frame whose normal points against the order of writing: the last slice written is the first one read.
    flipped = np.diag([1.0, 1.0, -1.0])
    affine = write_series(tmp_path / "ct", STORED, frame=flipped)
    volume = read_dicom(tmp_path / "ct").volume
    np.testing.assert_array_equal(volume.array, STORED[::-1])
    for k in range(5):
        np.testing.assert_allclose(volume.geometry.affine @ [4 - k, 1, 2, 1], affine @ [k, 1, 2, 1], atol=1e-6)


def test_rescale_is_applied_slice_by_slice(tmp_path):
    slopes = np.array([0.5, 1.0, 1.5, 2.0, 2.5])
    write_series(tmp_path / "mr", STORED, modality="MR", slope=slopes, intercept=7.25)
    volume = read_dicom(tmp_path / "mr").volume
    np.testing.assert_array_equal(volume.array, STORED * slopes[:, None, None] + 7.25)
    assert volume.unit == ""


def test_mr_without_rescale_is_read_as_stored(tmp_path):
    def bare(k, ds):
        del ds.RescaleSlope, ds.RescaleIntercept

    write_series(tmp_path / "mr", STORED, modality="MR", edit=bare)
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr").volume.array, STORED)


def test_ct_without_rescale_is_refused(tmp_path):
    def bare(k, ds):
        del ds.RescaleIntercept

    write_series(tmp_path / "ct", STORED, edit=bare)
    assert "5 CT slices without Rescale" in refused(tmp_path / "ct", FormatError)


def test_zero_slope_is_refused(tmp_path):
    write_series(tmp_path / "ct", STORED, slope=0.0)
    assert "RescaleSlope is not a usable number" in refused(tmp_path / "ct", FormatError)


def test_other_rescale_type_is_not_called_hounsfield(tmp_path):
    write_series(tmp_path / "ct", STORED, extra={"RescaleType": "US"})
    volume = read_dicom(tmp_path / "ct").volume
    assert volume.unit == ""
    assert "not Hounsfield" in volume.notes[0]


def test_pet_becomes_suv(tmp_path):
    stored = np.abs(STORED)
    write_series(tmp_path / "pet", stored, modality="PT", slope=2.0, extra=pet())
    volume = read_dicom(tmp_path / "pet").volume
    expected = stored * 2.0 * 70_000 / (350e6 * 2 ** (-3600 / 6586.2))
    np.testing.assert_allclose(volume.array, expected, rtol=2e-7)
    assert volume.unit == "SUVbw g/mL"
    assert "converted to SUVbw" in volume.notes[0]


def test_pet_in_suv_is_not_converted_again(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", slope=0.5, extra=pet(units="GML", correction="ADMIN"))
    volume = read_dicom(tmp_path / "pet").volume
    np.testing.assert_array_equal(volume.array, np.abs(STORED) * 0.5)
    assert volume.notes == ("Units GML: intensities are SUV already and were not converted again",)


def test_pet_that_cannot_become_suv_is_refused(tmp_path):
    write_series(tmp_path / "pet", STORED, modality="PT", extra=pet(PatientWeight=0))
    assert "(0010,1030) is 0" in refused(tmp_path / "pet", FormatError)


def test_other_objects_are_ignored_and_said(tmp_path):
    folder = tmp_path / "ct"
    write_series(folder, STORED)
    write_rtstruct(folder / "rs.dcm", {"GTV": []})
    write_other(folder / "report.dcm")
    write_other(folder / "DICOMDIR", "1.2.840.10008.1.3.10", "OT")
    (folder / "notes.txt").write_text("nothing")
    (folder / ".DS_Store").write_bytes(b"\0" * 200)
    volume = read_dicom(folder).volume
    assert volume.array.shape == STORED.shape
    assert volume.notes == (
        "files that are not image slices were ignored: 1 x RTSTRUCT, 1 x SR, 3 x not DICOM or a DICOMDIR",
    )
    assert [p.name for p in scan_folder(folder).structures] == ["rs.dcm"]


def test_file_without_preamble_is_read(tmp_path):
    write_series(tmp_path / "ct", STORED)
    first = tmp_path / "ct" / "000.dcm"
    ds = pydicom.dcmread(first)
    content = first.read_bytes()
    body = content.index(ds.SOPClassUID.encode(), 300) - 8
    assert content[body : body + 4] == b"\x08\x00\x16\x00"
    first.write_bytes(content[body:])
    np.testing.assert_array_equal(read_dicom(tmp_path / "ct").volume.array, STORED)


def test_several_series_are_listed_and_one_can_be_chosen(tmp_path):
    def other(k, ds):
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.SeriesDescription = "1.2.3.77777777", 9, "delayed"

    write_series(tmp_path / "ct" / "a", STORED)
    write_series(tmp_path / "ct" / "b", STORED[:3] + 1, edit=other)
    message = refused(tmp_path / "ct", FormatError)
    assert "2 image series in one folder" in message
    assert "number 3 CT 'synthetic', 5 files" in message
    assert "number 9 CT 'delayed', 3 files, UID ending 77777777" in message
    for uid in ("1.2.3.77777777", "77777777"):
        np.testing.assert_array_equal(read_dicom(tmp_path / "ct", ReadOptions(series=uid)).volume.array, STORED[:3] + 1)
    with pytest.raises(FormatError, match="0 of them with a UID ending 5555"):
        read_dicom(tmp_path / "ct", ReadOptions(series="5555"))
    rows = list_series(scan_folder(tmp_path / "ct"))
    assert [(r["files"], r["rows"], r["columns"]) for r in rows] == [(5, 4, 6), (3, 4, 6)]


def test_localisers_and_captures_are_not_slices(tmp_path):
    folder = tmp_path / "ct"

    def sagittal(k, ds):
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    def captured(k, ds):
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"

    write_series(folder, STORED, extra={"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]})
    write_series(folder / "localiser", STORED[:1], edit=sagittal)
    write_series(folder / "capture", STORED[:2], edit=captured)
    volume = read_dicom(folder).volume
    np.testing.assert_array_equal(volume.array, STORED)
    assert volume.notes == ("files that are not image slices were ignored: 1 x localiser, 2 x secondary capture",)
    for part, kind in (("localiser", "1 x localiser"), ("capture", "2 x secondary capture")):
        message = refused(folder / part, FormatError)
        assert f"no DICOM image; files that are not image slices were ignored: {kind}" in message


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no DICOM image" in refused(tmp_path / "empty", FormatError)
    with pytest.raises(FormatError, match="absent: no such folder"):
        read_dicom(tmp_path / "absent")


def test_missing_slices_are_named_by_position(tmp_path):
    write_series(tmp_path / "ct", np.repeat(STORED, 2, axis=0))
    for k in (4, 7, 8):
        (tmp_path / "ct" / f"{k:03d}.dcm").unlink()
    # Slices stand at 30 + 3k mm.
    message = refused(tmp_path / "ct")
    assert "missing slices: 3 at 42.00, 51.00, 54.00 mm along the normal (spacing 3 mm)" in message


def test_irregular_gaps(tmp_path):
    def shift(k, ds):
        if k == 3:
            ds.ImagePositionPatient = [-10, -20, 30 + 3 * 3 + 1.2]

    write_series(tmp_path / "ct", STORED, edit=shift)
    assert "irregular gaps between slices: 1.8 to 4.2 mm, the first after 36.00 mm" in refused(tmp_path / "ct")


def test_slice_shifted_sideways(tmp_path):
    def shift(k, ds):
        if k == 2:
            ds.ImagePositionPatient = [-10, -19, 36]

    write_series(tmp_path / "ct", STORED, edit=shift)
    assert "slice at 36.00 mm along the normal lies 1 mm off a regular grid" in refused(tmp_path / "ct")


def test_positions_rounded_to_a_tenth_pass_with_a_note(tmp_path):
    def rounded(k, ds):
        ds.ImagePositionPatient = [-10, -20, round(30 + 3.27 * k, 1)]

    write_series(tmp_path / "ct", STORED, spacing=(3.27, 2.0, 1.5), edit=rounded)
    volume = read_dicom(tmp_path / "ct").volume
    assert volume.geometry.spacing[0] == pytest.approx(3.275)
    assert "off a regular grid" in volume.notes[0]


def test_repeated_slices(tmp_path):
    write_series(tmp_path / "ct", STORED)
    shutil.copy(tmp_path / "ct" / "002.dcm", tmp_path / "ct" / "copy.dcm")
    assert "repeated slices: 1 positions occur more than once (at 36.00 mm" in refused(tmp_path / "ct")


def test_gantry_tilt_by_geometry_and_by_tag(tmp_path):
    tilt = np.deg2rad(10)

    def tilted(k, ds):
        ds.ImageOrientationPatient = [1, 0, 0, 0, float(f"{np.cos(tilt):.9f}"), float(f"{np.sin(tilt):.9f}")]

    write_series(tmp_path / "a", STORED, edit=tilted)
    assert "gantry tilt: slices are stacked 10.00 degrees off their normal" in refused(tmp_path / "a")
    write_series(tmp_path / "b", STORED, extra={"GantryDetectorTilt": 7.5})
    assert "Gantry/Detector Tilt (0018,1120) is 7.5 degrees" in refused(tmp_path / "b")
    write_series(tmp_path / "c", STORED, extra={"GantryDetectorTilt": 0.0})
    assert read_dicom(tmp_path / "c").volume.array.shape == STORED.shape


def _set(k, **values):
    def edit(j, ds):
        if j == k:
            for name, value in values.items():
                setattr(ds, name, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set(2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "slices of 2 orientations"),
        (_set(2, PixelSpacing=[2.0, 1.6]), "Pixel Spacing (0028,0030) from [2.0, 1.5] to [2.0, 1.6] mm"),
        (_set(2, Rows=3, PixelData=b"\0" * 36), "slices of several sizes: 3 x 6, 4 x 6 rows x columns"),
        (_set(2, ImageOrientationPatient=None), "ImageOrientationPatient is missing or not 6 numbers"),
        (_set(2, ImagePositionPatient=None), "ImagePositionPatient is missing or not 3 numbers"),
        (_set(2, PixelSpacing=None), "PixelSpacing is missing or not 2 numbers"),
        (_set(2, FrameOfReferenceUID="1.2.3"), "several frames of reference"),
    ],
)
def test_slices_that_do_not_belong_together(tmp_path, edit, message):
    write_series(tmp_path / "ct", STORED, edit=edit)
    assert message in refused(tmp_path / "ct")


def test_orientation_vectors_must_be_at_a_right_angle(tmp_path):
    write_series(tmp_path / "ct", STORED, extra={"ImageOrientationPatient": [1, 0, 0, 0.6, 0.8, 0]})
    assert "Image Orientation (0020,0037) [1.0, 0.0, 0.0, 0.6, 0.8, 0.0]" in refused(tmp_path / "ct")


def test_single_slice(tmp_path):
    affine = write_series(tmp_path / "a", STORED[:1], frame=OBLIQUE)
    volume = read_dicom(tmp_path / "a").volume
    np.testing.assert_allclose(volume.geometry.affine, affine, atol=1e-6)
    assert volume.notes == ("a single slice: its extent along z is SliceThickness, 3 mm",)
    write_series(tmp_path / "b", STORED[:1], extra={"SpacingBetweenSlices": 4.5})
    assert read_dicom(tmp_path / "b").volume.geometry.spacing[0] == pytest.approx(4.5)
    write_series(tmp_path / "c", STORED[:1], extra={"SliceThickness": None})
    assert "a single slice without Slice Thickness" in refused(tmp_path / "c")


def test_spacing_tag_that_contradicts_the_positions_is_said(tmp_path):
    write_series(tmp_path / "ct", STORED, extra={"SpacingBetweenSlices": 1.5})
    assert "says 1.5 mm, the positions 3 mm" in read_dicom(tmp_path / "ct").volume.notes[0]


def test_number_of_slices_that_does_not_add_up_is_said(tmp_path):
    write_series(tmp_path / "pet", STORED, modality="PT", extra=pet(units="GML", NumberOfSlices=7))
    assert "says 7, there are 5" in read_dicom(tmp_path / "pet").volume.notes[0]


def test_multiframe_and_colour_are_refused(tmp_path):
    write_series(tmp_path / "a", STORED[:1], extra={"NumberOfFrames": 8})
    assert "a multi-frame object with 8 frames and no functional groups" in refused(tmp_path / "a", FormatError)
    write_series(tmp_path / "b", STORED[:1], extra={"SharedFunctionalGroupsSequence": [Dataset()]})
    assert "dcm2niix" in refused(tmp_path / "b", FormatError)
    write_series(tmp_path / "c", STORED[:1], extra={"SamplesPerPixel": 3})
    assert "a colour image" in refused(tmp_path / "c", FormatError)


@pytest.mark.parametrize("which", [0, 2, 4])
def test_a_slice_cut_anywhere_is_refused(tmp_path, which):
    folder = tmp_path / "ct"
    write_series(folder, STORED)
    path = folder / f"{which:03d}.dcm"
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 13):
        path.write_bytes(content[:length])
        with pytest.raises((FormatError, GeometryError)) as caught:
            read_dicom(folder)
        # A stack that is merely shorter by its cut end would be read without complaint: it must be the cut that is met.
        assert "no DICOM image" not in str(caught.value)


def test_flipped_bytes_never_end_the_study(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED[:2]), modality="PT", extra=pet())
    path = tmp_path / "pet" / "001.dcm"
    content = path.read_bytes()
    refusals = 0
    for at in range(0, len(content) - 60, 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            read_dicom(tmp_path / "pet")
        except RadiolocusError:
            refusals += 1
    assert refusals > 50


@pytest.mark.parametrize(
    ("tag", "kind", "message"),
    [
        (b"\x20\x00\x37\x00DS", GeometryError, "ImageOrientationPatient is missing or not 6 numbers"),
        (b"\x28\x00\x53\x10DS", FormatError, "RescaleSlope is not a usable number"),
    ],
)
def test_unreadable_number_in_a_header(tmp_path, tag, kind, message):
    write_series(tmp_path / "ct", STORED)
    path = tmp_path / "ct" / "001.dcm"
    content = path.read_bytes()
    at = content.index(tag) + 8
    path.write_bytes(content[:at] + b"one.two_thr" + content[at + 11 :])
    assert f"001.dcm: {message}" in refused(tmp_path / "ct", kind)


def test_compression_that_cannot_be_decoded(tmp_path):
    write_series(tmp_path / "ct", STORED, compress=True)
    for path in (tmp_path / "ct").iterdir():
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
        ds.save_as(path)
    # Whether a plugin is installed or not, these are no JPEG 2000 pixels.
    message = refused(tmp_path / "ct", FormatError)
    assert "cannot be decoded here" in message or "truncated or corrupt" in message


def test_no_warning_reaches_the_user(tmp_path):
    with pytest.warns(UserWarning, match="DS"):
        write_series(tmp_path / "ct", STORED, extra={"SpacingBetweenSlices": "3.00000000000000000001"})
    assert read_dicom(tmp_path / "ct").volume.array.shape == STORED.shape


def test_gantry_tilted_ct_of_a_scanner(data):
    folder = data("dicom_edge") / "dicom2nifti_failing" / "gantrytilting" / "001"
    assert "gantry tilt: slices are stacked 14.00 degrees off their normal" in refused(folder)


def test_one_slice_and_two_slices_of_another_project(data):
    folder = data("dicom_edge") / "rt-utils"
    assert "a single slice without Slice Thickness (0018,0050)" in refused(folder / "one_slice_data")
    two = read_dicom(folder / "mock_data").volume
    assert two.array.shape[0] == 2
    assert two.notes == ("files that are not image slices were ignored: 3 x RTSTRUCT",)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("dx_image.dcm", GeometryError, "ImageOrientationPatient is missing or not 6 numbers"),
        ("sr_document.dcm", FormatError, "no DICOM image; files that are not image slices were ignored: 1 x SR"),
        ("seg_image_ct_binary.dcm", FormatError, "no DICOM image; files that are not image slices were ignored: 1 x S"),
    ],
)
def test_what_is_no_volume_of_another_project(data, tmp_path, name, kind, message):
    (tmp_path / "one").mkdir()
    shutil.copy(data("dicom_edge") / "highdicom" / name, tmp_path / "one")
    assert message in refused(tmp_path / "one", kind)


def test_two_sagittal_slices_of_a_scanner(data):
    volume = read_dicom(data("dicom_edge") / "dicom2nifti_failing" / "slicecount" / "001").volume
    assert volume.array.shape == (2, 256, 256)
    np.testing.assert_allclose(volume.geometry.spacing, 1.0)
    # Sagittal: slices run along -x, rows down (-z), columns backwards (+y).
    np.testing.assert_allclose(volume.geometry.affine[:3, :3], [[-1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-9)


def test_mixed_folder_of_another_project(data):
    message = refused(data("dicom_edge") / "highdicom", FormatError)
    assert "2 image series in one folder" in message
    assert "number 1 CT" in message


def test_sarcoma_pet_has_the_bits_of_its_nifti_twin(data):
    nibabel = pytest.importorskip("nibabel")
    for subject in ("STS_001", "STS_005", "STS_033"):
        volume = read_dicom(data("sts") / "dicom" / subject / "PET" / "image").volume
        twin = nibabel.load(data("sts") / "nifti" / subject / "PET_image.nii.gz")
        np.testing.assert_array_equal(volume.array, np.asarray(twin.dataobj).T)
        assert volume.notes == ("Units GML: intensities are SUV already and were not converted again",)
        assert volume.unit == "SUVbw g/mL"


def test_sarcoma_series_against_an_independent_reader(data):
    sitk = pytest.importorskip("SimpleITK")
    folder = data("sts") / "dicom" / "STS_001" / "CT" / "image"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    other = reader.Execute()
    volume = read_dicom(folder).volume
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(other))
    np.testing.assert_allclose(volume.geometry.affine[:3, 3], other.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, other.GetSpacing()[::-1], atol=1e-4)
