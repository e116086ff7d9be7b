from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from naive.glrlm import runs
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.kernels.texture import pair_counts, run_counts, run_list
from regions import regions


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
        for function in (pair_counts, getattr(pair_counts, "py_func", pair_counts)):
            np.testing.assert_array_equal(function(levels, offsets, n, by_slice), expected)


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
        for function in (run_counts, getattr(run_counts, "py_func", run_counts)):
            np.testing.assert_array_equal(function(padded, offsets, n, longest, by_slice), expected)
        for function in (run_list, getattr(run_list, "py_func", run_list)):
            found = np.zeros_like(expected)
            for d, offset in enumerate(offsets):
                plane, level, length = function(padded, offset)
                np.add.at(found, (plane if by_slice else 0 * plane, d, level - 1, length - 1), 1)
            np.testing.assert_array_equal(found, expected)
