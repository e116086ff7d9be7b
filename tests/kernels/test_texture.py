from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from naive.glrlm import runs
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.kernels.texture import level_counts, pair_counts, row_extent, run_counts, run_list
from regions import regions

TYPES = (np.int32, np.uint8)


def plain(kernel):
    return getattr(kernel, "py_func", kernel)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_levels_are_counted_one_by_one(region):
    image, mask, _ = region
    expected = [int(np.sum(mask & (image == k))) for k in range(1, int(image.max()) + 1)]
    for kind in TYPES:
        levels = np.pad(np.where(mask, image, 0).astype(kind), 1)
        for function in (level_counts, plain(level_counts)):
            assert function(levels, len(expected)).tolist() == expected


def test_a_row_extends_from_its_first_to_its_last_voxel():
    rows = {(0, 0): 1, (0, 3, 0): (1, 2), (0, 0, 2, 0, 1, 0, 0): (2, 5), (0, 1, 1, 0): (1, 3), (0, 0, 0, 0): 3}
    for row, expected in rows.items():
        for function in (row_extent, plain(row_extent)):
            assert function(np.array(row, dtype=np.uint8)) == (
                expected if isinstance(expected, tuple) else (expected,) * 2
            )


def test_many_levels_are_counted_without_copies():
    rng = np.random.default_rng(4)
    levels = np.pad(rng.integers(0, 300, (6, 7, 8)), 1).astype(np.int32)
    few = np.where(levels > 0, levels % 3 + 1, 0).astype(np.int32)
    merged = np.zeros((13, 3, 3), dtype=int)
    many = pair_counts(levels, OFFSETS_3D, 299, False)[0]
    for i, j in np.ndindex(299, 299):
        merged[:, (i + 1) % 3, (j + 1) % 3] += many[:, i, j]
    np.testing.assert_array_equal(merged, pair_counts(few, OFFSETS_3D, 3, False)[0])
    runs_of = run_counts(levels, OFFSETS_3D, 2000, 8, False)[0]
    assert (runs_of * np.arange(1, 9)).sum() == 13 * np.count_nonzero(levels)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_pairs_are_counted_one_by_one(region):
    image, mask, _ = region
    levels = np.pad(np.where(mask, image, 0).astype(np.int32), 1)
    n = int(levels.max())
    for offsets, by_slice in ((OFFSETS_2D, True), (OFFSETS_3D, False)):
        expected = np.zeros((levels.shape[0] - 2 if by_slice else 1, len(offsets), n, n), dtype=int)
        for z, y, x in np.argwhere(levels > 0):
            for d, (dz, dy, dx) in enumerate(offsets.tolist()):
                other = levels[z + dz, y + dy, x + dx]
                if other:
                    expected[z - 1 if by_slice else 0, d, levels[z, y, x] - 1, other - 1] += 1
        for function in (pair_counts, plain(pair_counts)):
            for kind in TYPES:
                np.testing.assert_array_equal(function(levels.astype(kind), offsets, n, by_slice), expected)


@settings(max_examples=40, deadline=None)
@given(regions(levels=3))
def test_runs_are_those_of_cut_lines(region):
    image, mask, _ = region
    levels = np.where(mask, image, 0).astype(np.int32)
    padded, n, longest = np.pad(levels, 1), int(levels.max()), max(levels.shape)
    for offsets, by_slice in ((OFFSETS_2D, True), (OFFSETS_3D, False)):
        parts = [part[None] for part in levels] if by_slice else [levels]
        expected = np.zeros((len(parts), len(offsets), n, longest), dtype=int)
        for g, part in enumerate(parts):
            for d, offset in enumerate(offsets.tolist()):
                for level, length in runs(part, offset):
                    expected[g, d, level - 1, length - 1] += 1
        for function in (run_counts, plain(run_counts)):
            for kind in TYPES:
                found = function(padded.astype(kind), offsets, n, longest, by_slice)
                np.testing.assert_array_equal(found, expected)
        for function in (run_list, plain(run_list)):
            found = np.zeros_like(expected)
            for d, offset in enumerate(offsets):
                plane, level, length = function(padded, offset)
                np.add.at(found, (plane if by_slice else 0 * plane, d, level - 1, length - 1), 1)
            np.testing.assert_array_equal(found, expected)
