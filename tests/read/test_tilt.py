"""CT of a tilted gantry: refused unless the study asks for it; then objects lie where they are, regions included."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dicom_factory import OBLIQUE, decimal, to_world, write_rtstruct, write_seg, write_series
from radiolocus.errors import GeometryError
from radiolocus.model import Geometry
from radiolocus.read.dicom import read_dicom
from radiolocus.read.imaging import read_pair
from radiolocus.read.options import ReadOptions
from radiolocus.read.tilt import tilt_of

CORRECT = ReadOptions(gantry="correct")
SHAPE, SPACING = (24, 48, 40), (2.5, 0.9, 0.8)  # z, y, x
CENTRE, AXES = np.array([2.0, -3.0, 41.0]), np.array([11.0, 13.0, 15.0])


def tilted_affine(angle, frame=None):
    """Slices stacked along the third column of `frame`, their rows turned by `angle` degrees about its first."""
    frame = np.eye(3) if frame is None else frame
    a = np.deg2rad(angle)
    down = np.cos(a) * frame[:, 1] + np.sin(a) * frame[:, 2]
    affine = np.eye(4)
    affine[:3, :3] = np.stack([frame[:, 2] * SPACING[0], down * SPACING[1], frame[:, 0] * SPACING[2]], axis=1)
    middle = (np.array(SHAPE) - 1) / 2
    affine[:3, 3] = CENTRE - affine[:3, :3] @ middle
    return affine


def centres(geometry_shape, affine):
    index = np.stack(np.meshgrid(*map(np.arange, geometry_shape), indexing="ij"), axis=-1)
    return to_world(affine, index.reshape(-1, 3)).reshape(*geometry_shape, 3)


def smooth(points):
    """A known intensity at every point of space, in HU."""
    x, y, z = np.moveaxis(points, -1, 0)
    return 300 * np.sin(x / 9) * np.cos(y / 11) + 200 * np.cos(z / 13)


def ellipsoid(points):
    return (((points - CENTRE) / AXES) ** 2).sum(-1) <= 1


def write_tilted(folder, angle, field, frame=None, **options):
    affine = tilted_affine(angle, frame)
    stored = np.rint(field(centres(SHAPE, affine)) * 10)

    def place(k, ds):
        column, row = affine[:3, 2] / SPACING[2], affine[:3, 1] / SPACING[1]
        ds.ImageOrientationPatient = decimal([*column, *row])
        ds.ImagePositionPatient = decimal(affine[:3, 3] + k * affine[:3, 0])

    write_series(folder, stored, spacing=SPACING, slope=0.1, edit=place, **options)
    return affine


@pytest.mark.parametrize("frame", [None, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("angle", [-22.5, 3.0, 14.0])
def test_intensities_of_an_analytic_phantom(tmp_path, angle, frame):
    write_tilted(tmp_path / "ct", angle, smooth, frame)
    with pytest.raises(GeometryError, match=rf"slices are stacked {abs(angle):.2f} degrees off their normal") as caught:
        read_dicom(tmp_path / "ct")
    assert caught.value.todo.startswith('set gantry = "correct"')
    series = read_dicom(tmp_path / "ct", CORRECT)
    grid = series.volume.geometry
    axes = grid.affine[:3, :3] / grid.spacing
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-7)
    np.testing.assert_allclose(grid.spacing, [2.5 * np.cos(np.deg2rad(angle)), 0.9, 0.8], rtol=1e-7)
    truth = smooth(centres(grid.shape, grid.affine))
    reached = series.tilt.straighten(np.ones(SHAPE), 0.0)[0] > 0.5
    # Linear interpolation errs by at most d² f'' / 8, here 0.81 mm² x 300 HU / 81 mm² / 8, and a rounding of 0.05.
    assert np.abs(series.volume.array - truth)[reached].max() < 0.81 * 2 * 300 / 81 / 8 + 0.06
    # Every acquired voxel is on the upright grid, up to the row that a fractional shift uses up.
    assert reached.sum() >= SHAPE[0] * (SHAPE[1] - 1) * SHAPE[2]
    assert (series.volume.array[~reached] == series.volume.array.min()).all()
    assert f"gantry tilt of {abs(angle):.2f} degrees corrected" in series.volume.notes[-1]
    assert f"{int((~reached).sum())} voxels that no slice reaches" in series.volume.notes[-1]


@pytest.mark.parametrize("angle", [-20.0, 14.0])
def test_an_object_stays_where_it_is(tmp_path, angle):
    write_tilted(tmp_path / "ct", angle, lambda p: 1000.0 * ellipsoid(p))
    volume = read_dicom(tmp_path / "ct", CORRECT).volume
    found = volume.array > 500
    points = centres(volume.geometry.shape, volume.geometry.affine)
    assert np.abs(points[found].mean(0) - CENTRE).max() < 0.1
    size = found.sum() * volume.geometry.voxel_volume
    assert size == pytest.approx(4 / 3 * np.pi * AXES.prod(), rel=0.01)
    # Nowhere is the surface off by half a voxel of the plane or more.
    wrong = points[found != ellipsoid(points)]
    radius = np.sqrt((((wrong - CENTRE) / AXES) ** 2).sum(-1))
    assert (np.abs(radius - 1) * AXES.max()).max() < 0.5 * np.hypot(0.9, 0.8) * AXES.max() / AXES.min()
    # Read as if it were upright the object would be sheared by as many millimetres as the slices are staggered.
    naive = np.eye(4)
    naive[:3, :3] = volume.geometry.affine[:3, :3]
    assert np.abs(tilted_affine(angle)[:3, 0] - naive[:3, 0]).max() > 0.5


@pytest.mark.parametrize("road", ["rtstruct", "seg", "nifti", "nifti turned"])
@pytest.mark.parametrize("angle", [-20.0, 14.0])
def test_regions_are_corrected_with_their_image(tmp_path, road, angle):
    affine = write_tilted(tmp_path / "ct", angle, smooth)
    truth = ellipsoid(centres(SHAPE, affine))
    if road == "rtstruct":
        mask = tmp_path / "rs.dcm"
        write_rtstruct(mask, {"GTV": [(outline, None) for outline in outlines(affine)]})
    elif road == "seg":
        mask = write_seg(tmp_path / "seg.dcm", {"GTV": truth}, affine)
    else:
        mask = tmp_path / "mask.nii.gz"
        array, to_lps = truth, affine
        if road == "nifti turned":
            array, to_lps = truth[::-1], affine @ np.array([[-1, 0, 0, SHAPE[0] - 1], *np.eye(4)[1:]])
        ras = (np.diag([-1, -1, 1, 1]) @ to_lps)[:, [2, 1, 0, 3]]
        nib.save(nib.Nifti1Image(array.transpose(2, 1, 0).astype(np.uint8), ras), mask)
    volume, region = read_pair(tmp_path / "ct", mask, options=CORRECT)
    assert volume.geometry.difference(region.geometry) == ""
    expected = ellipsoid(centres(region.geometry.shape, region.geometry.affine))
    dice = 2 * (region.array & expected).sum() / (region.array.sum() + expected.sum())
    assert dice > (0.995 if road == "rtstruct" else 0.98)
    points = centres(region.geometry.shape, region.geometry.affine)
    assert np.abs(points[region.array].mean(0) - CENTRE).max() < 0.1
    assert any("moved upright" in note for note in region.notes) == (road != "rtstruct")


def outlines(affine):
    """The ellipsoid cut by the plane of each slice: its exact outline, found along rays in the plane."""
    turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    for k in range(SHAPE[0]):
        middle = affine[:3, 3] + affine[:3, :3] @ [k, (SHAPE[1] - 1) / 2, (SHAPE[2] - 1) / 2]
        u, v = affine[:3, 2] / SPACING[2], affine[:3, 1] / SPACING[1]
        # |(m + s u + t v - c) / axes|² = 1 is an ellipse in (s, t): complete the square, then scale.
        m, e, f = (middle - CENTRE) / AXES, u / AXES, v / AXES
        gram = np.array([[e @ e, e @ f], [e @ f, f @ f]])
        shift = -np.linalg.solve(gram, [m @ e, m @ f])
        room = 1 - m @ m + shift @ gram @ shift
        if room > 1e-3:
            circle = np.stack([np.cos(turn), np.sin(turn)]) * np.sqrt(room)
            st = shift[:, None] + np.linalg.solve(np.linalg.cholesky(gram).T, circle)
            yield middle + np.outer(st[0], u) + np.outer(st[1], v)


def test_shifts_by_whole_pixels_change_no_value():
    affine = np.eye(4)
    affine[:3, :3] = [[0, 0, 1], [2, 1, 0], [1, 0, 0]]  # each slice two rows further
    array = np.random.default_rng(0).normal(size=(3, 4, 5))
    tilt = tilt_of(Geometry(array.shape, affine))
    assert tilt.upright.shape == (3, 8, 5)
    straight, outside = tilt.straighten(array, -7.0)
    for k in range(3):
        np.testing.assert_array_equal(straight[k, 2 * k : 2 * k + 4], array[k])
    assert outside == (straight == -7.0).sum() == 3 * 4 * 5
    assert tilt_of(tilt.upright) is None


def test_slices_that_are_upright_are_left_alone_and_contradictions_refused(tmp_path):
    stored = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    write_series(tmp_path / "upright", stored)
    one, two = read_dicom(tmp_path / "upright"), read_dicom(tmp_path / "upright", CORRECT)
    assert one.volume.array.tobytes() == two.volume.array.tobytes()
    assert two.tilt is None
    assert two.volume.notes == ()
    write_series(tmp_path / "said", stored, extra={"GantryDetectorTilt": 7.5})
    with pytest.raises(GeometryError) as caught:
        read_dicom(tmp_path / "said", CORRECT)
    assert "is 7.5 degrees, but slices are stacked 0.00 degrees off their normal" in caught.value.got
    write_tilted(tmp_path / "agrees", 14.0, smooth, extra={"GantryDetectorTilt": -14.0})
    assert read_dicom(tmp_path / "agrees", CORRECT).tilt.angle == pytest.approx(14.0, abs=1e-4)


def test_a_mask_of_neither_grid_is_refused(tmp_path):
    write_tilted(tmp_path / "ct", 14.0, smooth)
    moved = tilted_affine(14.0)
    moved[:3, 3] += 1.0
    ras = (np.diag([-1, -1, 1, 1]) @ moved)[:, [2, 1, 0, 3]]
    nib.save(nib.Nifti1Image(np.ones(SHAPE[::-1], np.uint8), ras), tmp_path / "mask.nii")
    with pytest.raises(GeometryError, match="image and mask on different grids"):
        read_pair(tmp_path / "ct", tmp_path / "mask.nii", options=CORRECT)


def test_gantry_tilted_ct_of_a_scanner(data):
    folder = data("dicom_edge") / "dicom2nifti_failing" / "gantrytilting" / "001"
    series = read_dicom(folder, CORRECT)
    assert series.tilt.angle == pytest.approx(14.0, abs=0.01)
    # The slices themselves are only moved: their sums over the reached part stay within interpolation.
    acquired, grid = series.tilt.acquired, series.volume.geometry
    assert grid.shape[0] == acquired.shape[0] == 4
    assert grid.shape[1] > acquired.shape[1]
    assert grid.spacing[0] == pytest.approx(acquired.spacing[0] * np.cos(np.deg2rad(14.0)), rel=1e-3)
