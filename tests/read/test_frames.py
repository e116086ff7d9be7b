"""Enhanced multi-frame objects: the volume of the classic series they were made of; choices are asked for."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from dicom_factory import (
    OBLIQUE,
    pet,
    recompress,
    sop_uid,
    to_world,
    write_enhanced,
    write_rtstruct,
    write_seg,
    write_series,
)
from radiolocus.errors import ConfigError, FormatError, GeometryError, RadiolocusError
from radiolocus.read.dicom import read_dicom
from radiolocus.read.imaging import describe, read_pair
from radiolocus.read.options import ReadOptions

STORED = np.random.default_rng(11).integers(-900, 2000, (6, 7, 8))


def same(one, two):
    assert one.volume.array.dtype == two.volume.array.dtype
    assert one.volume.array.tobytes() == two.volume.array.tobytes()
    assert one.volume.geometry.affine.tobytes() == two.volume.geometry.affine.tobytes()
    assert (one.volume.modality, one.volume.unit) == (two.volume.modality, two.volume.unit)
    assert one.frame_of_reference_uid == two.frame_of_reference_uid


@pytest.mark.parametrize("frame", [np.eye(3), OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_an_enhanced_object_is_the_classic_series_bit_for_bit(tmp_path, frame, modality):
    slopes = np.array([0.7, 1.0, 1.3, 2.0, 2.5, 0.1])
    write_series(
        tmp_path / "classic",
        STORED,
        modality=modality,
        frame=frame,
        slope=slopes,
        intercept=-31.7,
        extra={"RescaleType": "HU"} if modality == "CT" else {},
    )
    write_enhanced(tmp_path / "enhanced" / "one.dcm", tmp_path / "classic", order=[4, 0, 5, 2, 1, 3])
    classic, enhanced = read_dicom(tmp_path / "classic"), read_dicom(tmp_path / "enhanced")
    same(classic, enhanced)
    np.testing.assert_allclose(classic.volume.array, STORED * slopes[:, None, None] - 31.7, rtol=1e-6, atol=1e-3)
    assert [uid.split("/")[1] for uid in enhanced.sop_uids] == ["2", "5", "4", "6", "1", "3"]
    told = describe(tmp_path / "enhanced")
    assert (told["shape"], told["files"], told["modality"]) == ((6, 7, 8), 1, modality)
    assert told["spacing"] == pytest.approx((3.0, 2.0, 1.5))


def test_several_objects_make_one_series(tmp_path):
    write_series(tmp_path / "classic", STORED)
    write_enhanced(tmp_path / "two" / "a.dcm", tmp_path / "classic", order=[5, 1, 0])
    write_enhanced(tmp_path / "two" / "b.dcm", tmp_path / "classic", order=[2, 4, 3])
    same(read_dicom(tmp_path / "classic"), read_dicom(tmp_path / "two"))


@pytest.mark.parametrize("kind", ["RLE", "JPEG", "JPEG2000"])
def test_compressed_frames(tmp_path, kind):
    write_series(tmp_path / "classic", np.random.default_rng(2).integers(-900, 2000, (3, 64, 70)))
    path = write_enhanced(tmp_path / "enhanced" / "one.dcm", tmp_path / "classic")
    if kind == "RLE":
        ds = pydicom.dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(path)
    else:
        recompress(path, kind)
    same(read_dicom(tmp_path / "classic"), read_dicom(tmp_path / "enhanced"))


def test_real_world_values_stand_in_for_a_missing_transformation(tmp_path):
    write_series(tmp_path / "mr", STORED, modality="MR", slope=0.25, intercept=3.0)
    path = write_enhanced(tmp_path / "only" / "e.dcm", tmp_path / "mr", transform=False, real_world="ms")
    same(read_dicom(tmp_path / "mr"), read_dicom(path.parent))

    def other(ds):
        for item in ds.PerFrameFunctionalGroupsSequence:
            item.RealWorldValueMappingSequence[0].RealWorldValueSlope = 99.0

    # Beside a modality transformation the map is one more reading of the values, not the stated one.
    path = write_enhanced(tmp_path / "both" / "e.dcm", tmp_path / "mr", real_world="ms", edit=other)
    same(read_dicom(tmp_path / "mr"), read_dicom(path.parent))
    write_series(tmp_path / "ct", STORED, intercept=-1024.0)
    path = write_enhanced(tmp_path / "hu" / "e.dcm", tmp_path / "ct", transform=False, real_world="[hnsf'U]")
    same(read_dicom(tmp_path / "ct"), read_dicom(path.parent))
    path = write_enhanced(tmp_path / "bare" / "e.dcm", tmp_path / "ct", transform=False)
    with pytest.raises(FormatError, match="6 CT slices without Rescale Slope"):
        read_dicom(path.parent)


def _pet_enhanced(moment="20200301110000.00", **changes):
    def edit(ds):
        for name in ("Units", "DecayCorrection", "CorrectedImage", "SeriesTime", "AcquisitionTime"):
            if name in ds:
                delattr(ds, name)
        ds.DecayCorrected, ds.AttenuationCorrected = "YES", "YES"
        ds.DecayCorrectionDateTime = moment
        drug = ds.RadiopharmaceuticalInformationSequence[0]
        drug.RadiopharmaceuticalStartDateTime = "20200301100000"
        for name, value in changes.items():
            if value is None:
                delattr(ds, name)
            else:
                setattr(ds, name, value)

    return edit


def test_enhanced_pet_becomes_suv_by_its_own_decay_reference(tmp_path):
    slopes = np.array([1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", slope=slopes, extra=pet())

    def decay(i, k):  # what each frame was multiplied by already: it must not be applied again
        return {"PETFrameCorrectionFactorsSequence": {"DecayFactor": 1.0 + k / 10}}

    write_enhanced(
        tmp_path / "e" / "e.dcm",
        tmp_path / "pet",
        transform=False,
        real_world="Bq/ml",
        per_frame=decay,
        edit=_pet_enhanced(),
    )
    same(read_dicom(tmp_path / "pet"), read_dicom(tmp_path / "e"))
    # One half-life later twice the factor; corrected to the injection itself, no decay at all.
    for name, moment, decayed in (("late", "20200301114946.20", 2.0), ("admin", "20200301100000", 1.0)):
        write_enhanced(
            tmp_path / name / "e.dcm",
            tmp_path / "pet",
            transform=False,
            real_world="Bq/ml",
            edit=_pet_enhanced(moment),
        )
        volume = read_dicom(tmp_path / name).volume
        expected = np.abs(STORED) * slopes[:, None, None] * 70_000 / 350e6 * decayed
        np.testing.assert_allclose(volume.array, expected, rtol=3e-7)
        assert volume.unit == "SUVbw g/mL"


def test_enhanced_pet_that_is_suv_already(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", slope=0.5, extra=pet(units="GML"))
    for code, options in (("g/ml{SUVbw}", None), ("{SUVlbm(janma)}g/ml", ReadOptions(suv="lbm"))):
        path = write_enhanced(
            tmp_path / "e" / "e.dcm",
            tmp_path / "pet",
            transform=False,
            real_world=code,
            edit=_pet_enhanced(),
        )
        volume = read_dicom(path.parent, options).volume
        np.testing.assert_array_equal(volume.array, np.abs(STORED) * 0.5)


def test_pet_converted_from_classic_slices(tmp_path):
    # What enhanced PET has no place for stands in the groups of unassigned attributes, times with their date.
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", slope=1.7, extra=pet())

    def convert(ds):
        kept = Dataset()
        for name in ("Units", "DecayCorrection", "CorrectedImage", "RadiopharmaceuticalInformationSequence"):
            kept.add(ds[name])
            delattr(ds, name)
        del ds.AcquisitionTime, ds.AcquisitionDate
        ds.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence = [kept]

    path = write_enhanced(
        tmp_path / "e" / "e.dcm",
        tmp_path / "pet",
        per_frame=lambda i, k: {"FrameContentSequence": {"FrameAcquisitionDateTime": f"202003011100{k:02d}"}},
        edit=convert,
    )
    same(read_dicom(tmp_path / "pet"), read_dicom(path.parent))


def test_groups_may_be_shared_or_the_frames_own(tmp_path):
    write_series(tmp_path / "ct", STORED, slope=0.5, intercept=-10.0)

    def move(ds):
        (shared,) = ds.SharedFunctionalGroupsSequence
        for item in ds.PerFrameFunctionalGroupsSequence:
            shared.PixelValueTransformationSequence = item.PixelValueTransformationSequence
            del item.PixelValueTransformationSequence
            item.PixelMeasuresSequence = shared.PixelMeasuresSequence
            item.PlaneOrientationSequence = shared.PlaneOrientationSequence
        del shared.PixelMeasuresSequence, shared.PlaneOrientationSequence

    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "ct", edit=move)
    same(read_dicom(tmp_path / "ct"), read_dicom(path.parent))


def test_the_scan_of_a_selected_image_began_with_the_whole_series(tmp_path):
    # Two dynamic frames of a series made later (series time 15:00): decay runs to the first acquisition of them all.
    for n, clock in enumerate(("110000", "113000")):
        header = pet(SeriesTime="150000", AcquisitionTime=clock, FrameReferenceTime=1000.0 * n)
        write_series(tmp_path / "pet" / str(n), np.abs(STORED) + n, modality="PT", extra=header)
    volume = read_dicom(tmp_path / "pet", ReadOptions(select={"FrameReferenceTime": 1000})).volume
    expected = (np.abs(STORED) + 1) * 70_000 / (350e6 * 2 ** (-3600 / 6586.2))
    np.testing.assert_allclose(volume.array, expected, rtol=3e-7)


def test_time_zones_of_injection_and_decay_reference(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", extra=pet(RadiopharmaceuticalStartTime=None))
    classic = np.abs(STORED) * 70_000 / (350e6 * 2 ** (-3600 / 6586.2))
    for n, (start, moment, local) in enumerate(
        [
            ("20200301100000-0500", "20200301160000+0000", "-0800"),
            ("20200301100000-0500", "20200301110000", "-0500"),
            ("20200301100000-0500", "20200301080000", "-0800"),
            ("20200301100000", "20200301110000+0100", "-0500"),
        ]
    ):
        edit = _pet_enhanced(moment, TimezoneOffsetFromUTC=local)

        def zones(ds, edit=edit, start=start):
            edit(ds)
            ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = start

        path = write_enhanced(
            tmp_path / str(n) / "e.dcm", tmp_path / "pet", transform=False, real_world="Bq/ml", edit=zones
        )
        np.testing.assert_allclose(read_dicom(path.parent).volume.array, classic, rtol=3e-7)


def test_a_parametric_map_of_floating_point(tmp_path):
    values = np.random.default_rng(9).normal(1e-3, 3e-4, STORED.shape).astype(np.float32)
    write_series(tmp_path / "mr", STORED, modality="MR")

    def float_pixels(ds):
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.30"
        del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
        ds.BitsAllocated, ds.FloatPixelData = 32, values.tobytes()
        for item in ds.PerFrameFunctionalGroupsSequence:
            mapping = item.RealWorldValueMappingSequence[0]
            mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 1.0, 0.0

    path = write_enhanced(
        tmp_path / "map" / "e.dcm", tmp_path / "mr", transform=False, real_world="mm2/s", edit=float_pixels
    )
    volume = read_dicom(path.parent).volume
    assert volume.array.dtype == np.float64
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_array_equal(volume.geometry.affine, read_dicom(tmp_path / "mr").volume.geometry.affine)


def test_flipped_bytes_of_an_enhanced_object_never_end_the_study(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED[:2]), modality="PT", extra=pet())
    path = write_enhanced(
        tmp_path / "e" / "e.dcm", tmp_path / "pet", transform=False, real_world="Bq/ml", edit=_pet_enhanced()
    )
    content = path.read_bytes()
    refusals = 0
    for at in range(132, len(content) - 200, 11):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            read_dicom(path.parent)
        except RadiolocusError:
            refusals += 1
    assert refusals > 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DecayCorrected": "NO"}, r"Decay Corrected \(0018,9758\) is NO; allowed: YES"),
        ({"AttenuationCorrected": "NO"}, r"Attenuation Corrected \(0018,9759\) is NO"),
        ({"DecayCorrectionDateTime": None}, r"Decay Correction DateTime \(0018,9701\) is missing"),
        ({"PatientWeight": None}, r"Patient's Weight \(0010,1030\) is missing"),
        ({"DecayCorrectionDateTime": "20200301095900"}, "-60 s from injection"),
    ],
)
def test_enhanced_pet_without_what_it_takes(tmp_path, changes, message):
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", extra=pet())
    path = write_enhanced(
        tmp_path / "e" / "e.dcm",
        tmp_path / "pet",
        transform=False,
        real_world="Bq/ml",
        edit=_pet_enhanced(**changes),
    )
    with pytest.raises(FormatError, match=message):
        read_dicom(path.parent)


def test_enhanced_pet_of_unknown_unit_is_refused(tmp_path):
    write_series(tmp_path / "pet", np.abs(STORED), modality="PT", extra=pet())
    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "pet", real_world="{counts}", edit=_pet_enhanced())
    with pytest.raises(FormatError, match=r"PET Units \(0054,1001\) are missing"):
        read_dicom(path.parent)


@pytest.fixture
def diffusion(tmp_path):
    """Two b-values at two time points, in one object; and the stored values of each."""
    images = {(b, t): STORED + 10 * b // 1000 + t for b in (0, 1000) for t in (1, 2)}
    folders = []
    for n, stored in enumerate(images.values()):
        folders.append(tmp_path / f"part{n}")
        write_series(folders[-1], stored, modality="MR")
    keys = list(images)

    def groups(i, k):
        b, t = keys[i]
        return {
            "FrameContentSequence": {"TemporalPositionIndex": t, "StackID": "1", "InStackPositionNumber": k + 1},
            "MRDiffusionSequence": {"DiffusionBValue": float(b)},
        }

    write_enhanced(tmp_path / "dwi" / "e.dcm", folders, per_frame=groups)
    return tmp_path / "dwi", images


def test_several_images_in_one_object_are_listed_and_one_is_chosen(diffusion):
    folder, images = diffusion
    with pytest.raises(GeometryError) as caught:
        read_dicom(folder)
    assert "repeated slices: 18 positions occur more than once" in caught.value.got
    assert "TemporalPositionIndex = 1, 2; DiffusionBValue = 0.0, 1000.0" in caught.value.got
    assert caught.value.todo == "choose one image, e.g. select = { TemporalPositionIndex = ... }"
    for (b, t), stored in images.items():
        options = ReadOptions(select={"DiffusionBValue": b, "TemporalPositionIndex": str(t)})
        np.testing.assert_array_equal(read_dicom(folder, options).volume.array, stored)
    with pytest.raises(GeometryError, match=r"slices of one place differ in DiffusionBValue = 0\.0, 1000\.0"):
        read_dicom(folder, ReadOptions(select={"TemporalPositionIndex": 1}))


def test_a_selection_that_finds_nothing_says_what_there_is(diffusion):
    folder, _ = diffusion
    with pytest.raises(FormatError) as caught:
        read_dicom(folder, ReadOptions(select={"DiffusionBValue": 800}))
    assert caught.value.got == "no slice with DiffusionBValue = 800"
    assert caught.value.allowed == "DiffusionBValue = 0.0, 1000.0"
    with pytest.raises(FormatError, match="no slice with EchoTime = 3; allowed: attributes that the slices have"):
        read_dicom(folder, ReadOptions(select={"EchoTime": 3}))
    with pytest.raises(ConfigError, match="select names 'echo time'"):
        ReadOptions(select={"echo time": 3})


def test_several_stacks_are_refused_even_where_they_would_make_one_grid(tmp_path):
    write_series(tmp_path / "mr", STORED, modality="MR")
    path = write_enhanced(
        tmp_path / "e" / "e.dcm",
        tmp_path / "mr",
        per_frame=lambda i, k: {"FrameContentSequence": {"StackID": "upper" if k > 2 else "lower"}},
    )
    with pytest.raises(GeometryError) as caught:
        read_dicom(path.parent)
    assert caught.value.got == "2 stacks in one object: StackID = lower, upper"
    assert caught.value.todo == 'choose one, e.g. select = { StackID = "lower" }'
    chosen = read_dicom(path.parent, ReadOptions(select={"StackID": "upper"}))
    np.testing.assert_array_equal(chosen.volume.array, STORED[3:])


def test_echoes_of_a_classic_series_are_chosen_the_same_way(tmp_path):
    write_series(tmp_path / "mr" / "a", STORED, modality="MR", extra={"EchoTime": 4.6})
    write_series(tmp_path / "mr" / "b", STORED + 1, modality="MR", extra={"EchoTime": 9.2})
    with pytest.raises(GeometryError, match=r"slices of one place differ in EchoTime = 4\.6, 9\.2"):
        read_dicom(tmp_path / "mr")
    volume = read_dicom(tmp_path / "mr", ReadOptions(select={"EchoTime": 9.2})).volume
    np.testing.assert_array_equal(volume.array, STORED + 1)


def test_missing_frames_are_named_by_position(tmp_path):
    write_series(tmp_path / "ct", STORED)
    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "ct", order=[0, 1, 3, 4, 5])
    with pytest.raises(GeometryError, match=r"missing slices: 1 at 36\.00 mm along the normal"):
        read_dicom(path.parent)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda ds: setattr(ds, "NumberOfFrames", 5), "6 functional groups for 5 frames"),
        (lambda ds: delattr(ds, "PerFrameFunctionalGroupsSequence"), "a multi-frame object with 6 frames and no funct"),
        (lambda ds: setattr(ds, "PixelData", ds.PixelData[:-2]), "pixel data truncated or corrupt"),
    ],
)
def test_damaged_objects_are_refused(tmp_path, edit, message):
    write_series(tmp_path / "ct", STORED)
    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "ct", edit=edit)
    with pytest.raises(FormatError, match=message) as caught:
        read_dicom(path.parent)
    assert "e.dcm" in caught.value.where
    assert caught.value.todo


def test_frames_without_a_place_are_refused(tmp_path):
    def homeless(ds):
        del ds.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence

    write_series(tmp_path / "ct", STORED)
    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "ct", edit=homeless)
    with pytest.raises(GeometryError, match=r"e\.dcm, frame 3: ImagePositionPatient is missing"):
        read_dicom(path.parent)


def test_regions_on_an_enhanced_object(tmp_path):
    affine = write_series(tmp_path / "ct", STORED, frame=OBLIQUE)
    path = write_enhanced(tmp_path / "e" / "e.dcm", tmp_path / "ct", order=[5, 4, 3, 2, 1, 0])
    truth = np.zeros(STORED.shape, bool)
    truth[2:4, 2:6, 3:7] = True
    write_seg(tmp_path / "seg.dcm", {"GTV": truth}, affine)
    corners = [(1.5, 2.5), (1.5, 6.5), (5.5, 6.5), (5.5, 2.5)]
    planes = [(to_world(affine, [(k, y, x) for y, x in corners]), sop_uid(k)) for k in (2, 3)]
    structures = write_rtstruct(tmp_path / "rs.dcm", {"GTV": planes})

    uid = pydicom.dcmread(path).SOPInstanceUID

    def point(frames):
        ds = pydicom.dcmread(structures)
        for item, number in zip(ds.ROIContourSequence[0].ContourSequence, frames, strict=True):
            item.ContourImageSequence[0].ReferencedSOPInstanceUID = uid
            if number:
                item.ContourImageSequence[0].ReferencedFrameNumber = number
        ds.save_as(structures)

    for mask in ("seg.dcm", "rs.dcm"):
        np.testing.assert_array_equal(read_pair(path.parent, tmp_path / mask)[1].array, truth)
    point([0, 0])
    assert any("name no single slice" in n for n in read_pair(path.parent, structures)[1].notes)
    point([4, 3])  # frames were written from the last slice to the first
    assert not read_pair(path.parent, structures)[1].notes
    point([3, 4])
    with pytest.raises(GeometryError, match="lies on slice 2 but names slice 3"):
        read_pair(path.parent, structures)
