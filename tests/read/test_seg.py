"""Segmentation objects: every frame on the slice its position names, or refused in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from dicom_factory import (
    OBLIQUE,
    SERIES,
    recompress,
    write_label_map,
    write_other,
    write_rtstruct,
    write_seg,
    write_series,
)
from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.model import Geometry, Volume
from radiolocus.read.dicom import DicomSeries, read_dicom
from radiolocus.read.imaging import describe, read_pair
from radiolocus.read.seg import read_seg, segment_names

SHAPE = (6, 5, 7)  # z, y, x; 35 pixels a frame: frames begin within a byte
GROUPS = ("PlaneOrientationSequence", "PixelMeasuresSequence")


def region(seed=0, filled=0.4):
    array = np.random.default_rng(seed).random(SHAPE) < filled
    array[[0, 3]] = False
    return array


@pytest.fixture(params=["axial", "oblique"])
def ct(request, tmp_path):
    affine = write_series(
        tmp_path / "ct",
        np.zeros(SHAPE),
        frame=OBLIQUE if request.param == "oblique" else np.eye(3),
        order=[3, 1, 5, 0, 2, 4],
    )
    return read_dicom(tmp_path / "ct"), affine, tmp_path / "seg.dcm"


@pytest.fixture
def axial(tmp_path):
    affine = write_series(tmp_path / "ct", np.zeros(SHAPE))
    return read_dicom(tmp_path / "ct"), affine, tmp_path / "seg.dcm"


@pytest.mark.parametrize("omit_empty", [True, False])
@pytest.mark.parametrize("shared", [(), GROUPS])
def test_overlapping_segments_with_frames_in_any_order(ct, omit_empty, shared):
    series, affine, path = ct
    truth = {"GTV": region(1), "Oedema": region(2), "Core": region(1) & region(2)}
    frames = sum(int(a.any((1, 2)).sum()) for a in truth.values()) if omit_empty else 3 * SHAPE[0]
    order = np.random.default_rng(3).permutation(frames)
    write_seg(path, truth, affine, omit_empty=omit_empty, shared=shared, order=order)
    assert segment_names(path) == ("GTV", "Oedema", "Core")
    for number, (label, array) in enumerate(truth.items(), start=1):
        for asked in (label, label.lower(), str(number), label[:2] + ".*"):
            mask = read_seg(path, series, asked)
            assert mask.name == label
            np.testing.assert_array_equal(mask.array, array)
            assert series.volume.geometry.difference(mask.geometry) == ""
    assert any("1 slices between" in note for note in mask.notes)


def test_a_single_segment_may_share_everything_but_the_position(axial):
    series, affine, path = axial
    write_seg(path, {"GTV": region()}, affine, shared=(*GROUPS, "SegmentIdentificationSequence"))
    np.testing.assert_array_equal(read_seg(path, series).array, region())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compress", [None, "RLE", "JPEG2000"])
def test_a_label_map_holds_all_segments_in_one_frame_a_slice(tmp_path, bits, compress):
    shape = (4, 64, 70)
    affine = write_series(tmp_path / "ct", np.zeros(shape), frame=OBLIQUE)
    series, path = read_dicom(tmp_path / "ct"), tmp_path / "seg.dcm"
    high = 300 if bits == 16 else 200
    labels = np.random.default_rng(8).choice([0, 1, 7, high], shape)
    labels[2] = 0
    order = [3, 0, 1] if compress is None else [0, 1, 3]
    numbers = {1: "GTV", 7: "Oedema", high: "Necrosis"}
    write_label_map(path, labels, numbers, affine, order=order, bits=bits)
    if compress == "RLE":
        ds = pydicom.dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(path)
    elif compress:
        recompress(path, compress)
    assert segment_names(path) == tuple(numbers.values())
    for number, label in numbers.items():
        for asked in (label, str(number)):
            mask = read_seg(path, series, asked)
            np.testing.assert_array_equal(mask.array, labels == number)
            assert mask.name == label
    assert any("1 slices between" in note for note in mask.notes)
    assert not any("fractional" in note for note in mask.notes)
    write_label_map(path, np.where(labels == 7, 0, labels), numbers, affine, bits=bits)
    with pytest.raises(RoiError, match="segment 7 'Oedema': the segment is empty"):
        read_seg(path, series, "Oedema")


def test_a_segment_is_chosen_by_what_it_is_of(axial):
    series, affine, path = axial

    def coded(ds):
        for item, (code, meaning) in zip(
            ds.SegmentSequence, [("108369006", "Neoplasm"), ("79654002", "Edema")], strict=True
        ):
            kind = Dataset()
            kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning = code, "SCT", meaning
            item.SegmentedPropertyTypeCodeSequence = [kind]

    write_seg(path, {"Segment_1": region(), "Segment_2": region(1)}, affine, edit=coded)
    for asked in ("Edema", "edema", "79654002"):
        np.testing.assert_array_equal(read_seg(path, series, asked).array, region(1))
    with pytest.raises(RoiError) as caught:
        read_seg(path, series, "Heart")
    assert caught.value.allowed == "one of 1 'Segment_1' (108369006 Neoplasm), 2 'Segment_2' (79654002 Edema)"


@pytest.mark.parametrize("kind", ["PROBABILITY", "OCCUPANCY"])
def test_what_a_fraction_means_is_said(axial, kind):
    series, affine, path = axial
    write_seg(
        path,
        {"GTV": region().astype(np.uint8) * 255},
        affine,
        kind="FRACTIONAL",
        edit=lambda ds: setattr(ds, "SegmentationFractionalType", kind),
    )
    mask = read_seg(path, series)
    np.testing.assert_array_equal(mask.array, region())
    assert any(note.startswith(f"fractional segmentation ({kind.lower()})") for note in mask.notes)


@pytest.mark.parametrize("compress", [False, True])
def test_a_fractional_segment_is_cut_at_half_of_its_maximum(axial, compress):
    series, affine, path = axial
    values = np.random.default_rng(5).integers(0, 201, SHAPE).astype(np.uint8)
    values[2, 1, :3] = (99, 100, 101)

    def edit(ds):
        ds.MaximumFractionalValue = 200

    write_seg(path, {"GTV": values}, affine, kind="FRACTIONAL", compress=compress, edit=edit)
    mask = read_seg(path, series)
    np.testing.assert_array_equal(mask.array, values >= 100)
    below = int(((values > 0) & (values < 100)).sum())
    assert any("0.5 of the Maximum Fractional Value (200)" in n and f"{below} voxels" in n for n in mask.notes)


def test_binary_in_bytes_is_read_and_other_values_refused(axial):
    series, affine, path = axial

    def edit(ds):
        ds.SegmentationType = "BINARY"

    write_seg(path, {"GTV": region().astype(np.uint8)}, affine, kind="FRACTIONAL", edit=edit)
    mask = read_seg(path, series)
    np.testing.assert_array_equal(mask.array, region())
    assert not any("fractional" in n for n in mask.notes)
    write_seg(path, {"GTV": region().astype(np.uint8) * 2}, affine, kind="FRACTIONAL", edit=edit)
    with pytest.raises(FormatError, match=r"value 2.*allowed: 0 to 1"):
        read_seg(path, series)


def test_a_window_of_the_slices_is_put_in_its_place(ct):
    series, affine, path = ct
    window = affine.copy()
    window[:3, 3] += affine[:3, 1] + 2 * affine[:3, 2]
    part = region(4)[:, :3, :4]
    write_seg(path, {"GTV": part}, window)
    expected = np.zeros(SHAPE, bool)
    expected[:, 1:4, 2:6] = part
    mask = read_seg(path, series)
    np.testing.assert_array_equal(mask.array, expected)
    assert any("window of 3 x 4" in n for n in mask.notes)
    window[:3, 3] += 2 * affine[:3, 2]
    write_seg(path, {"GTV": part}, window)
    with pytest.raises(GeometryError, match=r"3 x 4 pixels from row 1, column 4.*within its 5 x 7"):
        read_seg(path, series)


@pytest.mark.parametrize(
    ("asked", "got"),
    [(None, "no segment given: 3"), ("GTV.*", "'GTV.*': 3"), ("nodes", "'nodes': no"), ("9", "no seg")],
)
def test_an_ambiguous_or_absent_segment_lists_all(axial, asked, got):
    series, affine, path = axial
    write_seg(path, {"GTV": region(), "GTV node": region(1), "GTV (": region(2)}, affine)
    with pytest.raises(RoiError) as error:
        read_seg(path, series, asked)
    assert got in error.value.got
    assert error.value.allowed == "one of 1 'GTV', 2 'GTV node', 3 'GTV ('"
    np.testing.assert_array_equal(read_seg(path, series, "gtv (").array, region(2))


def test_a_label_that_is_the_number_of_another_segment_is_ambiguous(axial):
    series, affine, path = axial
    write_seg(path, {"2": region(), "1": region(1)}, affine)
    with pytest.raises(RoiError, match="'2': 2 segments match"):
        read_seg(path, series, "2")


def test_segments_without_frames_or_voxels_are_empty(axial):
    series, affine, path = axial
    write_seg(path, {"GTV": region(), "Nothing": np.zeros(SHAPE, bool)}, affine)
    with pytest.raises(RoiError, match=r"segment 2 'Nothing': the segment is empty: no frame"):
        read_seg(path, series, "Nothing")
    write_seg(path, {"GTV": region(), "Nothing": np.zeros(SHAPE, bool)}, affine, omit_empty=False)
    with pytest.raises(RoiError, match="none of its frames has a voxel"):
        read_seg(path, series, "Nothing")


def _moved(affine, axis, share):
    moved = affine.copy()
    moved[:3, 3] += share * affine[:3, axis]
    return moved


def _scaled(affine, axis, factor):
    scaled = affine.copy()
    scaled[:3, axis] *= factor
    return scaled


def _turned(affine):
    turned = affine.copy()
    turned[:3, 2] *= -1
    turned[:3, 3] += affine[:3, 2] * (SHAPE[2] - 1)
    return turned


@pytest.mark.parametrize(
    ("grid", "got"),
    [
        (lambda a: _moved(a, 0, 0.3), "between slices, 0.9 mm off slice"),
        (lambda a: _moved(a, 0, 3), "3 mm beyond the last slice"),
        (lambda a: _moved(a, 0, -2), "6 mm beyond the first slice"),
        (lambda a: _moved(a, 2, 0.4), "0.6 mm off those of the image"),
        (lambda a: _moved(a, 1, 0.1), "0.2 mm off those of the image"),
        (lambda a: _scaled(a, 1, 1.1), "another pixel spacing: [2.2, 1.5] mm"),
        (lambda a: _scaled(a, 0, 1.5), "between slices"),
        (_turned, "another plane orientation"),
        (lambda a: a[:, [0, 2, 1, 3]], "another plane orientation"),
    ],
)
def test_another_geometry_is_refused_in_words(ct, grid, got):
    series, affine, path = ct
    write_seg(path, {"GTV": np.ones(SHAPE, bool)}, grid(affine))
    with pytest.raises(GeometryError) as error:
        read_seg(path, series)
    assert got in error.value.got
    assert error.value.allowed
    assert error.value.todo


def test_rounded_positions_pass(axial):
    series, affine, path = axial
    write_seg(path, {"GTV": region()}, _moved(_moved(affine, 0, 0.02), 1, 0.02))
    np.testing.assert_array_equal(read_seg(path, series).array, region())


def test_frames_of_every_second_slice_are_not_omitted_frames(axial):
    series, affine, path = axial
    coarse = _scaled(affine, 0, 2)
    write_seg(path, {"GTV": np.ones((3, 5, 7), bool)}, coarse, between=6.0)
    with pytest.raises(GeometryError, match="another slice spacing: Spacing Between Slices 6 mm; allowed: 3 mm"):
        read_seg(path, series)
    write_seg(path, {"GTV": region()}, affine, between=3.0)
    np.testing.assert_array_equal(read_seg(path, series).array, region())


def test_empty_frames_beyond_the_stack_are_told_and_two_on_a_slice_refused(axial):
    series, affine, path = axial
    longer = np.concatenate([region(), np.zeros((2, 5, 7), bool)])
    write_seg(path, {"GTV": longer}, affine, omit_empty=False)
    mask = read_seg(path, series)
    np.testing.assert_array_equal(mask.array, region())
    assert any("2 empty frames lie beyond" in n for n in mask.notes)
    write_seg(path, {"GTV": region()}, affine, order=[0, 1, 1, 2])
    with pytest.raises(GeometryError, match="two frames on slice 2"):
        read_seg(path, series)


def test_the_frame_of_reference_must_be_that_of_the_image(axial):
    series, affine, path = axial
    write_seg(path, {"GTV": region()}, affine, frame="1.2.3.99999999")
    with pytest.raises(GeometryError, match=r"another frame of reference .ending 99999999"):
        read_seg(path, series)
    write_seg(path, {"GTV": region()}, affine, frame=None)
    assert read_seg(path, series).notes[0].endswith("names this series")
    write_seg(path, {"GTV": region()}, affine, frame=None, made_on="1.2.3")
    with pytest.raises(GeometryError, match="neither a frame of reference nor"):
        read_seg(path, series)
    write_seg(path, {"GTV": region()}, affine, made_on="1.2.3")
    assert "placed by position alone" in read_seg(path, series).notes[0]


def _without(group):
    def edit(ds):
        del ds.PerFrameFunctionalGroupsSequence[1][group]

    return edit


def _cut(ds):
    ds.PixelData = ds.PixelData[:-2]


def _fewer(ds):
    ds.NumberOfFrames = ds.NumberOfFrames - 1


def _labelmap(ds):
    ds.SegmentationType = "LABELMAP"  # with the bits of a binary one


def _bad_position(ds):
    del ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient


@pytest.mark.parametrize(
    ("edit", "got"),
    [
        (_cut, "pixel data truncated: 16 bytes"),
        (_fewer, "4 functional groups for 3 frames"),
        (_labelmap, "type LABELMAP with 1 bits"),
        (_bad_position, "missing or damaged"),
        (_without("PlanePositionSequence"), "damaged (PlanePositionSequence)"),
        (_without("PlaneOrientationSequence"), "damaged (PlaneOrientationSequence)"),
        (_without("PixelMeasuresSequence"), "damaged (PixelMeasuresSequence)"),
        (_without("SegmentIdentificationSequence"), "damaged (SegmentIdentificationSequence)"),
    ],
)
def test_damaged_files_are_refused(axial, edit, got):
    series, affine, path = axial
    write_seg(path, {"GTV": region()}, affine, edit=edit)
    with pytest.raises(FormatError) as error:
        read_seg(path, series)
    assert got in error.value.got
    assert error.value.todo


def test_a_file_cut_anywhere_is_refused_or_told(axial):
    series, affine, path = axial
    write_seg(path, {"GTV": region()}, affine)
    whole = path.read_bytes()
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        with pytest.raises((FormatError, RoiError)):
            read_seg(path, series)


def test_what_is_no_segmentation_is_refused(axial):
    series, _, path = axial
    with pytest.raises(FormatError, match="no such file"):
        read_seg(path, series)
    with pytest.raises(FormatError, match="modality SR"):
        read_seg(write_other(path), series)
    surface = write_other(path, "1.2.840.10008.5.1.4.1.1.66.5", "SEG")
    with pytest.raises(FormatError, match="stored as Surface Segmentation Storage"):
        read_seg(surface, series)


def test_one_door_reads_and_describes_a_segmentation(ct):
    _, affine, path = ct
    folder = path.parent
    write_seg(folder / "regions" / "seg.dcm", {"GTV": region(), "Node": region(1)}, affine)
    for mask in ("regions", "regions/seg.dcm"):
        volume, got = read_pair(folder / "ct", folder / mask, roi="node", modality="CT")
        np.testing.assert_array_equal(got.array, region(1))
        assert volume.geometry.difference(got.geometry) == ""
        told = describe(folder / mask)
        assert (told["kind"], told["modality"], told["rois"]) == ("seg", "SEG", ("GTV", "Node"))
    shutil.copy(folder / "regions/seg.dcm", folder / "ct/seg.dcm")
    told = describe(folder / "ct")
    assert (told["kind"], told["files"], told["rois"]) == ("dicom series", SHAPE[0], ("GTV", "Node"))
    write_rtstruct(folder / "regions" / "rt.dcm", {"GTV": []}, drawn_on=SERIES)
    with pytest.raises(FormatError, match=r"2 RTSTRUCT or SEG files \(rt.dcm, seg.dcm\)"):
        read_pair(folder / "ct", folder / "regions", roi="GTV")


# Voxels of each segment by slice, as highdicom 0.28.2 (Segmentation.get_volume) reads the same files.
_HIGHDICOM = {
    "seg_image_ct_binary.dcm": {"first segment": {162: 127, 163: 256, 164: 255}},
    "seg_image_ct_binary_fractional.dcm": {"first segment": {162: 127, 163: 256, 164: 255}},
    "seg_image_ct_true_fractional.dcm": {"first segment": {162: 127, 163: 256, 164: 255}},
    "seg_image_ct_binary_overlap.dcm": {
        "first segment": {0: 16, 162: 16, 163: 16, 164: 16},
        "second segment": {0: 4, 162: 4, 163: 4, 164: 4},
    },
}


@pytest.mark.parametrize("name", _HIGHDICOM)
def test_files_of_another_writer_hold_what_its_reader_finds(data, name):
    path = data("dicom_edge/highdicom") / name
    spacing = (1.25, 0.488281, 0.488281)
    grid = Geometry.regular((165, 16, 16), spacing, (-125.0, -128.100006, -99.480003))
    frame = "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.4"
    uids = tuple(map(str, range(165)))
    series = DicomSeries(Volume(np.zeros(grid.shape, np.float32), grid), uids, frame, frame[:-1] + "2")
    stored = pydicom.dcmread(path)
    for number, (label, counts) in enumerate(_HIGHDICOM[name].items(), start=1):
        mask = read_seg(path, series, label)
        held = mask.array.sum((1, 2))
        assert {int(k): int(held[k]) for k in np.flatnonzero(held)} == counts
        # Voxel by voxel: the frames of the file lie in the order of their positions within a segment.
        own = [
            plane
            for plane, groups in zip(stored.pixel_array, stored.PerFrameFunctionalGroupsSequence, strict=True)
            if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
        ]
        top = stored.get("MaximumFractionalValue", 1)
        np.testing.assert_array_equal(mask.array[sorted(counts)], np.array(own) >= top / 2)
    assert any("0.5 of the Maximum" in n for n in mask.notes) == ("fractional" in name)


def test_files_of_another_writer_with_their_own_images(data, tmp_path):
    folder = data("dicom_edge/highdicom")
    (tmp_path / "one").mkdir()
    shutil.copy(folder / "ct_image.dcm", tmp_path / "one")
    _, mask = read_pair(tmp_path / "one", folder / "seg_image_ct_binary_single_frame.dcm", modality="CT")
    assert int(mask.array.sum()) == 1832
    with pytest.raises(GeometryError, match="frame of reference"):
        read_pair(tmp_path / "one", folder / "seg_image_ct_binary.dcm")
    with pytest.raises((FormatError, GeometryError), match=r"frame of reference|missing"):
        read_pair(tmp_path / "one", folder / "seg_image_cr_binary.dcm")
    directory = get_testdata_file("DICOMDIR", download=False)
    if directory is None:
        pytest.skip("the images of pydicom's tests are not installed")
    (tmp_path / "three").mkdir()
    for name in ("17136", "17166", "17196"):
        shutil.copy(Path(directory).parent / "77654033" / "CT2" / name, tmp_path / "three")
    _, mask = read_pair(tmp_path / "three", folder / "seg_image_ct_binary.dcm", modality="CT")
    assert mask.array.sum((1, 2)).tolist() == [127, 256, 255]
    with pytest.raises(GeometryError, match=r"202.5 mm beyond the first slice"):
        read_pair(tmp_path / "three", folder / "seg_image_ct_binary_overlap.dcm", roi="first segment")
