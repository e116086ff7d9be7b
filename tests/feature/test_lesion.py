"""Measurements of lesions from masks: known shapes, a slow twin, and the image around them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from skimage.measure import find_contours

from naive import planar as naive
from radiolocus.errors import RoiError
from radiolocus.feature.lesion import diameters, measure_lesion
from radiolocus.feature.local_intensity import RADIUS_MM
from radiolocus.model import Geometry, Mask, Volume


def grid(shape, spacing):
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def test_a_voxel_and_a_row_are_as_long_as_their_pixels():
    mask = np.zeros((3, 5, 9), bool)
    mask[1, 2, 4] = True
    one = diameters(mask, np.array([5.0, 2.0, 1.0]))
    assert (one.longest_mm, one.perpendicular_mm, one.slice_index) == (2.0, 1.0, 1)
    mask[2, 2, 1:8] = True
    row = diameters(mask, np.array([5.0, 2.0, 1.0]))
    assert (row.longest_mm, row.slice_index) == (7.0, 2)
    assert row.perpendicular_mm == pytest.approx(2.0)


@pytest.mark.parametrize("angle", [0.0, 17.0, 45.0, 80.0])
def test_an_ellipse_has_its_axes_however_it_lies(angle):
    _, y, x = grid((3, 161, 161), (3.0, 0.5, 0.5))
    turn = np.radians(angle)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    mask = (u / 34.0) ** 2 + (v / 15.0) ** 2 < 1
    found = diameters(mask, np.array([3.0, 0.5, 0.5]))
    assert found.longest_mm == pytest.approx(68.0, abs=0.6)
    assert found.perpendicular_mm == pytest.approx(30.0, abs=0.6)


def test_the_diameter_is_that_of_one_slice_not_of_the_whole():
    z, y, x = grid((41, 41, 41), (1.0, 1.0, 1.0))
    lean = ((x - z) ** 2 + y**2 < 25) & (abs(z) < 14)
    found = diameters(lean, np.ones(3))
    assert found.longest_mm == pytest.approx(10.0, abs=1.0)


def test_a_parallelogram_is_measured_across_its_diameter_and_not_by_its_width():
    # The width across the long diagonal is larger than any chord across it.
    corners = np.array([[0, 0], [0, 60], [20, 80], [20, 20]]) + 2
    mask = np.zeros((1, 26, 86), bool)
    for y in range(2, 23):
        mask[0, y, y : y + 61] = True
    found = diameters(mask, np.ones(3))
    long = corners[2] - corners[0]
    unit = long / np.linalg.norm(long)
    offset = (corners[1] - corners[0]) @ np.array([-unit[1], unit[0]])
    width = 2 * abs(offset)
    assert found.longest_mm == pytest.approx(np.linalg.norm(long) + 1, abs=1.0)
    assert found.perpendicular_mm < 0.95 * width


def test_an_empty_mask_is_refused():
    with pytest.raises(RoiError, match="empty"):
        diameters(np.zeros((2, 2, 2), bool), np.ones(3))


@settings(max_examples=25, deadline=None)
@given(arrays(bool, (2, 5, 6)), st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.7, 1.3)]))
def test_equals_the_slow_twin(mask, spacing):
    mask[0, 2, 3] = True
    found = diameters(mask, np.array(spacing))
    longest, chord = naive.diameters(mask, spacing)
    assert found.longest_mm == pytest.approx(longest, abs=1e-9)
    assert found.perpendicular_mm == pytest.approx(chord, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_farthest_points_of_marching_squares(seed):
    rng = np.random.default_rng(seed)
    _, y, x = grid((1, 40, 40), (1.0, 1.0, 1.0))
    radius = 10 + 3 * np.sin(3 * np.arctan2(y, x) + rng.uniform(0, 6)) + rng.normal(0, 0.5, y.shape)
    mask = np.hypot(x, y) < radius
    # All parts that the label has in the slice belong to the lesion.
    contours = np.vstack(find_contours(np.pad(mask[0], 1).astype(float), 0.5))
    expected = 0.7 * pdist(contours).max()
    assert diameters(mask, np.array([3.0, 0.7, 0.7])).longest_mm == pytest.approx(expected, rel=1e-12)


def test_volume_mean_and_peak_of_a_hot_ball():
    z, y, x = grid((21, 31, 31), (2.0, 1.0, 1.0))
    away = np.sqrt(z**2 + y**2 + x**2)
    ball = away <= 9.0
    image = np.where(ball, 4.0, 1.0)
    image[10, 15, 15] += 40.0
    geometry = Geometry.regular(ball.shape, (2.0, 1.0, 1.0))
    found = measure_lesion(Volume(image, geometry, "PT", "SUVbw g/mL"), Mask(ball, geometry))
    sphere = np.count_nonzero(away <= RADIUS_MM)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.03)
    assert found.voxels == ball.sum()
    assert found.mean == pytest.approx(4.0 + 40.0 / ball.sum())
    # Every sphere that holds the hot voxel and lies within the ball has the same mean; none is hotter.
    assert found.peak == pytest.approx(4.0 + 40.0 / sphere)
    assert found.diameters.longest_mm == pytest.approx(18.0, abs=1.0)
    image[0, 0, 0] = np.nan
    assert measure_lesion(Volume(image, geometry), Mask(ball, geometry)).peak == pytest.approx(4.0 + 40.0 / sphere)
    image[10, 15, 25] = np.nan
    assert measure_lesion(Volume(image, geometry), Mask(ball, geometry)).peak is None


def test_slices_that_are_not_axial_are_told():
    affine = np.eye(4)[[1, 0, 2, 3]]  # the slices follow one another from right to left
    affine[:3, :3] = np.array([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    axial = Geometry((4, 4, 4), affine)
    coronal = Geometry(
        (4, 4, 4), np.block([[np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]), np.zeros((3, 1))], [0, 0, 0, 1]])
    )
    mask = np.zeros((4, 4, 4), bool)
    mask[1:3, 1:3, 1:3] = True
    told = [
        any("not axial" in note for note in measure_lesion(Volume(mask.astype(float), g), Mask(mask, g)).notes)
        for g in (axial, coronal)
    ]
    assert told == [False, True]
