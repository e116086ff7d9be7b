"""Structure sets: exact masks on any orientation, and loud words about everything that does not fit."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from dicom_factory import OBLIQUE, sop_uid, to_world, write_other, write_rtstruct, write_series
from naive import raster as naive
from radiolocus.errors import FormatError, GeometryError, RadiolocusError, RoiError
from radiolocus.read.dicom import read_dicom
from radiolocus.read.rtstruct import read_rtstruct, roi_names

SHAPE = (6, 12, 14)


@pytest.fixture(scope="module", params=["axial", "oblique"])
def series(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "ct"
    write_series(
        folder, np.zeros(SHAPE), frame=OBLIQUE if request.param == "oblique" else np.eye(3), order=[2, 5, 0, 3, 1, 4]
    )
    return read_dicom(folder)


def contour(series, k, points, named="right"):
    """A contour on slice `k` (may be fractional) with (y, x) index points; `named` is the SOP reference."""
    index = [(k, y, x) for y, x in points]
    uid = sop_uid(round(k)) if named == "right" else named
    return to_world(series.volume.geometry.affine, index), uid


def box(y0, x0, y1, x1):
    return [(y0, x0), (y0, x1), (y1, x1), (y1, x0)]


def read(tmp_path, series, contours, roi=None, **options):
    return read_rtstruct(write_rtstruct(tmp_path / "rs.dcm", {"GTV": contours}, **options), series, roi)


def refused(kind, tmp_path, series, contours, **options):
    with pytest.raises(kind) as caught:
        read(tmp_path, series, contours, **options)
    message = str(caught.value)
    assert "rs.dcm: ROI 'GTV'" in message
    assert caught.value.allowed
    assert caught.value.todo
    assert "ecret" not in message.lower()
    assert str(tmp_path) not in message
    return message


def test_box_covers_the_centres_it_holds(tmp_path, series):
    mask = read(tmp_path, series, [contour(series, k, box(1.6, 2.4, 5.4, 9.6)) for k in (2, 3, 4)])
    expected = np.zeros(SHAPE, bool)
    expected[2:5, 2:6, 3:10] = True
    np.testing.assert_array_equal(mask.array, expected)
    assert mask.name == "GTV"
    assert mask.notes == ()
    assert mask.geometry.difference(series.volume.geometry) == ""


def test_random_contours_equal_the_exact_twin(tmp_path, series):
    rng = np.random.default_rng(3)
    # Quarters are exact in index space; a shift keeps vertices and edges away from centres, which have a test below.
    polygons = {k: [np.round(rng.uniform(-2, 15, (n, 2)) * 4) / 4 + 0.0923 for n in (3, 5, 11)] for k in range(6)}
    mask = read(tmp_path, series, [contour(series, k, p) for k, group in polygons.items() for p in group])
    for k, group in polygons.items():
        np.testing.assert_array_equal(mask.array[k], naive.fill(group, *SHAPE[1:]))


def test_vertices_on_centres_follow_the_half_open_rule_in_any_orientation(tmp_path, series):
    mask = read(tmp_path, series, [contour(series, 1, box(2, 3, 6, 8))])
    expected = np.zeros(SHAPE, bool)
    expected[1, 2:6, 3:8] = True
    np.testing.assert_array_equal(mask.array, expected)
    assert mask.notes == (
        "all contours lie on slice 1, counted from 0",
        "18 pixel centres lie exactly on a contour: inside on edges towards smaller x or y, outside on others",
    )


def test_hole_island_and_keyhole(tmp_path, series):
    outer, hole, island = box(0.5, 0.5, 10.5, 12.5), box(2.5, 2.5, 8.5, 9.5), box(4.5, 4.5, 6.5, 6.5)
    expected = np.zeros(SHAPE[1:], bool)
    expected[1:11, 1:13] = True
    expected[3:9, 3:10] = False
    nested = read(tmp_path, series, [contour(series, 0, p) for p in (hole, outer)])
    np.testing.assert_array_equal(nested.array[0], expected)
    keyhole = [*outer, outer[0], hole[0], hole[3], hole[2], hole[1], hole[0], outer[0]]
    np.testing.assert_array_equal(read(tmp_path, series, [contour(series, 0, keyhole)]).array[0], expected)
    xor = read(
        tmp_path, series, [contour(series, 0, p) for p in (outer, hole)], kinds=["CLOSEDPLANAR_XOR", "CLOSEDPLANAR_XOR"]
    )
    np.testing.assert_array_equal(xor.array[0], expected)
    expected[5:7, 5:7] = True
    island_first = read(tmp_path, series, [contour(series, 0, p) for p in (island, hole, outer)])
    np.testing.assert_array_equal(island_first.array[0], expected)
    assert nested.notes == xor.notes == island_first.notes == ("all contours lie on slice 0, counted from 0",)


def test_volume_of_a_sphere(tmp_path):
    write_series(tmp_path / "ct", np.zeros((60, 80, 80)), spacing=(1.0, 0.8, 0.8), frame=OBLIQUE)
    series = read_dicom(tmp_path / "ct")
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    contours = []
    for k in range(60):
        r2 = 20.0**2 - (k - 29.6) ** 2
        if r2 > 0:
            r = np.sqrt(r2) / 0.8
            contours.append(contour(series, k, np.stack([39.7 + r * np.sin(angle), 40.2 + r * np.cos(angle)], axis=1)))
    mask = read(tmp_path, series, contours)
    volume = mask.array.sum() * series.volume.geometry.voxel_volume
    assert volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=2e-3)


def test_region_is_chosen_by_name_then_by_pattern(tmp_path, series):
    plane = [contour(series, 1, box(0.5, 0.5, 4.5, 4.5))]
    names = ("GTV", "GTV_node", "Lung (left", "gtv")
    path = write_rtstruct(tmp_path / "rs.dcm", dict.fromkeys(names, plane))
    assert roi_names(path) == names
    for asked, found in [("GTV", "GTV"), ("gtv", "gtv"), (" GTV_NODE", "GTV_node"), (".*node", "GTV_node")]:
        assert read_rtstruct(path, series, asked).name == found
    assert read_rtstruct(path, series, "lung (left").name == "Lung (left"
    for asked, count in [("GTV.*", "3"), ("Gtv", "2"), ("node", "no"), ("heart", "no"), ("(", "no"), (None, "4")]:
        with pytest.raises(RoiError) as caught:
            read_rtstruct(path, series, asked)
        assert f": {count} regions match" in caught.value.got
        assert caught.value.allowed == "one of 'GTV', 'GTV_node', 'Lung (left', 'gtv'"
    alone = write_rtstruct(tmp_path / "one.dcm", {"GTV": plane})
    assert read_rtstruct(alone, series).name == "GTV"


def test_region_without_closed_contours(tmp_path, series):
    assert "no closed contour (no contour at all)" in refused(RoiError, tmp_path, series, [])
    points = [contour(series, 1, [(1, 1)]), contour(series, 2, box(1, 1, 3, 3))]
    message = refused(RoiError, tmp_path, series, points, kinds=["POINT", "OPEN_PLANAR"])
    assert "no closed contour (1 OPEN_PLANAR, 1 POINT)" in message


def test_open_contours_beside_closed_ones_are_left_out_and_said(tmp_path, series):
    planes = [contour(series, 1, box(0.5, 0.5, 4.5, 4.5)), contour(series, 1, [(3, 3)])]
    mask = read(tmp_path, series, planes, kinds=["CLOSED_PLANAR", "POINT"])
    assert mask.array.sum() == 16
    assert mask.notes[0] == "contours that enclose nothing were left out: 1 POINT"


def test_another_frame_of_reference_is_refused(tmp_path, series):
    message = refused(GeometryError, tmp_path, series, [contour(series, 1, box(1, 1, 5, 5))], frame="1.2.3.99999999")
    assert "drawn in another frame of reference (ending 99999999)" in message


def test_without_frame_of_reference_only_slice_references_tie(tmp_path, series):
    plane = box(0.5, 0.5, 4.5, 4.5)
    mask = read(tmp_path, series, [contour(series, 1, plane)], frame="", references=False)
    assert mask.array.sum() == 16
    assert "every contour names a slice" in mask.notes[0]
    for named in (None, "1.2.3"):
        planes = [contour(series, 1, plane), contour(series, 2, plane, named)]
        message = refused(GeometryError, tmp_path, series, planes, frame="", references=False)
        assert "neither a frame of reference nor slice references" in message


def test_dangling_references_are_counted(tmp_path, series):
    plane = box(0.5, 0.5, 4.5, 4.5)
    mask = read(tmp_path, series, [contour(series, 1, plane), contour(series, 2, plane, "1.2.3")])
    assert mask.array.sum() == 32
    assert "1 of 2 contours name images that are not in this series (dangling references)" in mask.notes[0]
    mask = read(tmp_path, series, [contour(series, k, plane, "1.2.3") for k in (1, 2)])
    assert mask.notes[0].startswith("all of 2 contours")


def test_missing_references_are_counted(tmp_path, series):
    planes = [contour(series, 1, box(0.5, 0.5, 4.5, 4.5), None)]
    assert read(tmp_path, series, planes).notes[0] == "1 of 1 contours name no single slice: placed by position alone"
    mask = read(tmp_path, series, planes, drawn_on="1.2.3")
    assert mask.notes[0] == "the structure set refers to another series; its contours were placed by position alone"


def test_reference_at_odds_with_position_is_refused(tmp_path, series):
    planes = [contour(series, 1, box(0.5, 0.5, 4.5, 4.5), sop_uid(4))]
    assert "lies on slice 1 but names slice 4" in refused(GeometryError, tmp_path, series, planes)


@pytest.mark.parametrize(("k", "words"), [(-2, "6 mm beyond the first"), (6, "3 mm beyond the last")])
def test_contour_beyond_the_stack_is_refused(tmp_path, series, k, words):
    planes = [contour(series, 3, box(1, 1, 5, 5)), contour(series, k, box(1, 1, 5, 5), None)]
    assert f"a contour lies {words} slice" in refused(GeometryError, tmp_path, series, planes)


def test_contour_off_its_slice_goes_to_the_nearest_and_is_said(tmp_path, series):
    mask = read(tmp_path, series, [contour(series, 2.4, box(0.5, 0.5, 4.5, 4.5))])
    assert mask.array[2].sum() == 16
    assert mask.notes[0] == "1 contours lie up to 1.2 mm off their slice"
    message = refused(GeometryError, tmp_path, series, [contour(series, 2.5, box(1, 1, 5, 5), None)])
    assert "halfway between slices 2 and 3" in message


def test_contours_closer_than_the_slices_are_refused(tmp_path, series):
    # Drawn on slices of 1.5 mm, read on slices of 3 mm: combining two planes on one slice would cut holes.
    planes = [contour(series, k, box(1, 1, 5, 5), None) for k in (1.8, 2.3)]
    message = refused(GeometryError, tmp_path, series, planes)
    assert "contours of planes 1.5 mm apart fall on one slice, 2 (spacing 3 mm)" in message


def test_contour_that_leaves_its_plane_is_refused(tmp_path, series):
    points = to_world(series.volume.geometry.affine, [(2, 1, 1), (2, 1, 8), (3, 8, 8), (3, 8, 1)])
    assert "leaves the plane of its slice by 1.5 mm" in refused(GeometryError, tmp_path, series, [(points, None)])


def test_odd_contours_are_counted(tmp_path, series):
    planes = [
        contour(series, 1, box(0.5, 0.5, 4.5, 4.5)),
        contour(series, 1, box(6.1, 6.1, 6.9, 9.9)),  # holds no centre
        contour(series, 2, box(2.5, 2.5, 6.5, 6.5)),
        contour(series, 2, box(4.5, 4.5, 9.5, 9.5)),  # overlaps the one before
        contour(series, 5, box(-3.5, 2.5, 2.5, 5.5)),  # sticks out
    ]
    mask = read(tmp_path, series, planes)
    assert mask.array[1].sum() == 16
    assert mask.array[2].sum() == 16 + 25 - 2 * 4
    assert mask.array[5].sum() == 9
    assert mask.notes == (
        "2 slices between the first and the last contour have none (slices 3, 4, counted from 0); nothing is "
        "interpolated",
        "1 contours enclose no pixel centre and add nothing (slice 1, counted from 0)",
        "1 contours reach beyond the image and were cut at its edge",
        "1 contours partly overlap another on their slice: the overlap is outside (even-odd rule)",
    )


def test_degenerate_contours_enclose_nothing(tmp_path, series):
    planes = [contour(series, 1, p) for p in ([(2.2, 2.2)], [(2.2, 2.2), (5.2, 7.3)])]
    mask = read(tmp_path, series, planes)
    assert not mask.array.any()
    assert any(note.startswith("2 contours enclose no pixel centre and add nothing") for note in mask.notes)


def test_a_slice_whose_contours_are_thinner_than_a_voxel_is_named(tmp_path, series):
    thin = box(2.1, 2.1, 2.9, 9.9)
    planes = [contour(series, k, box(1.5, 1.5, 4.5, 4.5) if k == 2 else thin) for k in (0, 1, 2, 4)]
    mask = read(tmp_path, series, planes)
    assert [int(plane.sum()) for plane in mask.array] == [0, 0, 9, 0, 0, 0]
    assert mask.notes == (
        "1 slices between the first and the last contour have none (slice 3, counted from 0); nothing is interpolated",
        "3 contours enclose no pixel centre and add nothing (slices 0, 1, 4, counted from 0); no voxel is left of "
        "slices 0, 1, 4, counted from 0",
    )


@pytest.mark.filterwarnings("ignore:The value length .17. exceeds:UserWarning")
@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSED_PLANAR_XOR", "CLOSEDPLANAR_XOR"])
def test_a_ring_is_the_same_however_it_is_written(tmp_path, series, kind):
    outer, hole = box(0.5, 0.5, 10.5, 12.5), box(2.5, 2.5, 8.5, 9.5)
    mask = read(tmp_path, series, [contour(series, 3, p) for p in (hole, outer)], kinds=[kind, kind])
    assert mask.array[3].sum() == 10 * 12 - 6 * 7
    assert not mask.array[3, 3:9, 3:10].any()


@pytest.mark.parametrize("values", [[1.0, 2.0], ["1", "2", "nan"], None])
@pytest.mark.filterwarnings("ignore:Invalid value for VR DS:UserWarning")
def test_unreadable_contour_data(tmp_path, series, values):
    path = write_rtstruct(tmp_path / "rs.dcm", {"GTV": [contour(series, 1, box(1, 1, 5, 5))]})
    ds = pydicom.dcmread(path)
    item = ds.ROIContourSequence[0].ContourSequence[0]
    if values is None:
        del item.ContourData
    else:
        item.ContourData = values
    ds.save_as(path)
    with pytest.raises(FormatError, match=r"rs\.dcm: ROI 'GTV': Contour Data \(3006,0050\).*allowed: finite x, y, z"):
        read_rtstruct(path, series)


@pytest.mark.parametrize("explicit", [True, False], ids=["explicit lengths", "undefined lengths"])
def test_cut_anywhere_is_refused(tmp_path, series, explicit):
    path = write_rtstruct(tmp_path / "rs.dcm", {"GTV": [contour(series, k, box(1, 1, 5, 5)) for k in range(6)]})
    if not explicit:
        ds = pydicom.dcmread(path)
        for sequence in (ds["StructureSetROISequence"], ds["ROIContourSequence"]):
            sequence.is_undefined_length = True
        ds.save_as(path)
    content = path.read_bytes()
    assert (b"\xff\xff\xff\xff" in content) == (not explicit)
    for length in range(0, len(content) - 1, 13):
        path.write_bytes(content[:length])
        with pytest.raises((FormatError, RoiError)):
            read_rtstruct(path, series)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flipped_bytes_never_end_the_study(tmp_path, series):
    path = write_rtstruct(tmp_path / "rs.dcm", {"GTV": [contour(series, k, box(1, 1, 5, 5)) for k in range(2)]})
    content = path.read_bytes()
    whole = read_rtstruct(path, series).array
    refusals = 0
    for at in range(140, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            assert read_rtstruct(path, series).array.shape == whole.shape
        except RadiolocusError:
            refusals += 1
    assert refusals > 20


def test_not_a_structure_set(tmp_path, series):
    report = write_other(tmp_path / "sr")
    (tmp_path / "text").write_text("nothing" * 100)
    for name, got in [("sr", "DICOM of modality SR"), ("text", "not DICOM"), ("absent", "no such file")]:
        with pytest.raises(FormatError, match=f"{name}: {got}"):
            read_rtstruct(report.with_name(name), series)


def test_region_without_a_number(tmp_path, series):
    path = write_rtstruct(tmp_path / "rs.dcm", {"GTV": []})
    ds = pydicom.dcmread(path)
    del ds.StructureSetROISequence[0].ROINumber
    ds.save_as(path)
    with pytest.raises(FormatError, match=r"ROI Number \(3006,0022\)"):
        roi_names(path)


@pytest.mark.parametrize(
    ("subject", "image", "voxels"),
    [
        ("STS_001", "CT", 117145),
        ("STS_001", "MR_T1", 117145),
        ("STS_001", "PET", 5095),
        ("STS_005", "PET", 5985),
        ("STS_033", "PET", 4036),
    ],
)
def test_sarcoma_masks_voxel_for_voxel(data, subject, image, voxels):
    nibabel = pytest.importorskip("nibabel")
    folder = data("sts") / "dicom" / subject / image
    series = read_dicom(folder / "image")
    mask = read_rtstruct(folder / "mask" / "RS.dcm", series, "gtv_mass_.*")
    supplied = nibabel.load(data("sts") / "nifti" / subject / f"{image}_mask.nii.gz")
    np.testing.assert_array_equal(mask.array, np.asarray(supplied.dataobj).T != 0)
    assert mask.array.sum() == voxels
    assert mask.name == f"GTV_Mass_{image}"
    # The published crops got new slice UIDs and kept the old structure sets.
    assert "dangling references" in mask.notes[0]


def test_structure_sets_of_another_project(data):
    folder = data("dicom_edge") / "rt-utils" / "mock_data"
    series = read_dicom(folder)
    # Three slices are outlined, two are there.
    for name in ("invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"):
        assert roi_names(folder / name) == ("ROI-1", "ROI-2", "ROI-3", "ROI-4")
        with pytest.raises(GeometryError, match="5 mm beyond the last slice"):
            read_rtstruct(folder / name, series, "ROI-2")
    with pytest.raises(GeometryError, match="another frame of reference"):
        read_rtstruct(folder / "rt.dcm", series)
