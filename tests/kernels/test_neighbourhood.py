from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.neighbours import around
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.kernels.neighbourhood import compare_neighbours, count_neighbours, tone_complexity
from regions import regions


def plain(kernel):
    return getattr(kernel, "py_func", kernel)


@settings(max_examples=40, deadline=None)
@given(regions(), st.booleans())
def test_neighbours_are_compared_one_by_one(region, within_slices):
    image, mask, _ = region
    levels = np.where(mask, image, 0).astype(np.int32)
    offsets = OFFSETS_2D if within_slices else OFFSETS_3D
    expected = []
    for z, y, x in np.argwhere(levels):
        others = around(levels[z : z + 1], (0, y, x)) if within_slices else around(levels, (z, y, x))
        level = int(levels[z, y, x])
        mean = sum(others) / len(others) if others else level
        expected.append((len(others), others.count(level), abs(level - mean)))
    for function in (compare_neighbours, plain(compare_neighbours)):
        neighbours, alike, difference = function(np.pad(levels, 1), offsets)
        assert list(zip(neighbours.tolist(), alike.tolist(), strict=True)) == [e[:2] for e in expected]
        assert difference.tolist() == pytest.approx([e[2] for e in expected], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(regions(), st.booleans())
def test_counts_are_those_of_neighbours_compared_one_by_one(region, within_slices):
    image, mask, _ = region
    levels = np.where(mask, image, 0).astype(np.int32)
    offsets = OFFSETS_2D if within_slices else OFFSETS_3D
    n = int(levels.max())
    expected = np.zeros((3, len(levels) if within_slices else 1, n, 2 * len(offsets) + 1), dtype=int)
    for z, y, x in np.argwhere(levels):
        others = around(levels[z : z + 1], (0, y, x)) if within_slices else around(levels, (z, y, x))
        level, plane = int(levels[z, y, x]), z if within_slices else 0
        expected[0, plane, level - 1, others.count(level)] += 1
        expected[1, plane, level - 1, len(others)] += 1
        expected[2, plane, level - 1, len(others)] += abs(level * len(others) - sum(others))
    for function, kind in (
        (count_neighbours, np.int32),
        (count_neighbours, np.uint8),
        (plain(count_neighbours), np.int32),
    ):
        found = function(np.pad(levels, 1).astype(kind), offsets, n, within_slices)
        np.testing.assert_array_equal(found, expected)


def test_complexity_adds_up_pairs_of_the_same_matrix_only():
    matrix = np.array([0, 0, 1, 2, 2, 2])
    level = np.array([1.0, 4, 7, 1, 2, 5])
    p = np.array([0.25, 0.75, 1, 0.5, 0.25, 0.25])
    weighted = np.array([0.5, 1.5, 3, 0.1, 0.2, 0.7])
    expected = np.zeros(3)
    for a in range(6):
        for b in range(6):
            if matrix[a] == matrix[b]:
                expected[matrix[a]] += abs(level[a] - level[b]) * (weighted[a] + weighted[b]) / (p[a] + p[b])
    for function in (tone_complexity, plain(tone_complexity)):
        np.testing.assert_allclose(function(matrix, level, p, weighted, 3), expected, rtol=1e-14)
