"""The rasteriser against exact rational arithmetic and against areas known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import raster as naive
from radiolocus.kernels.raster import centres_on_outline, toggle_polygon

ROWS, COLUMNS = 7, 9
# Eighths are exact in binary, so vertices fall on centres and on edges often, and the twin can demand equality.
coordinate = st.integers(-16, 88).map(lambda k: k / 8)
polygon = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=9).map(np.array)


def fill(polygons, rows=ROWS, columns=COLUMNS):
    plane = np.zeros((rows, columns), bool)
    counts = [toggle_polygon(plane, np.asarray(p, float)) for p in polygons]
    return plane, counts


@settings(max_examples=120, deadline=None)
@given(st.lists(polygon, min_size=1, max_size=3))
def test_toggle_polygon_equals_the_exact_twin(polygons):
    plane, counts = fill(polygons)
    np.testing.assert_array_equal(plane, naive.fill(polygons, ROWS, COLUMNS))
    before = np.zeros_like(plane)
    for points, (inside, cleared) in zip(polygons, counts, strict=True):
        alone = naive.fill([points], ROWS, COLUMNS)
        assert inside == alone.sum()
        assert cleared == (alone & before).sum()
        before ^= alone


@settings(max_examples=100, deadline=None)
@given(polygon)
def test_centres_on_outline_equals_the_exact_twin(points):
    # At eighths, a centre that is not on an edge is at least 1/832 of a pixel away along x.
    assert centres_on_outline(points, ROWS, COLUMNS, 1e-9) == naive.outline(points, ROWS, COLUMNS)


@settings(max_examples=60, deadline=None)
@given(polygon, st.randoms(use_true_random=False))
def test_order_and_direction_of_vertices_do_not_matter(points, random):
    turn = random.randrange(len(points))
    turned = np.ascontiguousarray(np.roll(points, turn, axis=0)[::-1])
    np.testing.assert_array_equal(fill([points])[0], fill([turned])[0])


def test_pure_python_gives_the_same():
    function = getattr(toggle_polygon, "py_func", toggle_polygon)
    points = np.array([[0.5, 0.5], [0.5, 6.25], [5.75, 3.0]])
    plain, compiled = np.zeros((ROWS, COLUMNS), bool), np.zeros((ROWS, COLUMNS), bool)
    assert function(plain, points) == toggle_polygon(compiled, points)
    np.testing.assert_array_equal(plain, compiled)
    count = getattr(centres_on_outline, "py_func", centres_on_outline)
    assert count(points, ROWS, COLUMNS, 1e-9) == centres_on_outline(points, ROWS, COLUMNS, 1e-9)


def test_area_of_a_disc():
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    points = np.stack([150.3 + 120 * np.sin(angle), 149.7 + 120 * np.cos(angle)], axis=1)
    plane, _ = fill([points], 300, 300)
    assert plane.sum() == pytest.approx(np.pi * 120**2, rel=1e-3)


def test_neighbours_share_an_edge_and_no_pixel():
    left = [[0, 0], [0, 3], [4, 3], [4, 0]]
    right = [[0, 3], [0, 6], [4, 6], [4, 3]]
    plane, counts = fill([left, right])
    assert plane.sum() == 24
    assert counts == [(12, 0), (12, 0)]


def test_keyhole_leaves_no_seam():
    slanted = np.array([[3.3, 3.1], [0.3, 0.1]])  # the channel, walked in and out on the same line
    outer = [[0.3, 0.1], [0.3, 8.1], [6.4, 8.1], [6.4, 0.1]]
    hole = [[3.3, 3.1], [4.6, 3.1], [4.6, 5.2], [3.3, 5.2]]
    keyhole = np.array([*outer, slanted[1], slanted[0], *hole[1:], slanted[0], slanted[1]])
    np.testing.assert_array_equal(fill([keyhole])[0], fill([outer, hole])[0])


def test_outside_the_plane_is_left_out():
    plane, counts = fill([[[-50, -50], [-50, 50], [50, 50], [50, -50]]])
    assert plane.all()
    assert counts == [(ROWS * COLUMNS, 0)]
    assert fill([[[20, 20], [20, 25], [25, 25]]])[1] == [(0, 0)]
    assert fill([np.zeros((0, 2))])[1] == [(0, 0)]
