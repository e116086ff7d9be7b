from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.zones import distance, zones
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.kernels.zones import border_distance, label_zones, zone_minima
from regions import regions


def plain(kernel):
    return getattr(kernel, "py_func", kernel)


@settings(max_examples=40, deadline=None)
@given(regions(levels=3))
def test_zones_are_those_of_a_flood_fill(region):
    image, mask, _ = region
    levels = np.where(mask, image, 0).astype(np.int32)
    expected = {frozenset(zone): int(levels[zone[0]]) for zone in zones(levels)}
    for function, kind in ((label_zones, np.int32), (label_zones, np.uint8), (plain(label_zones), np.int32)):
        label, level, size, plane = function(np.pad(levels, 1).astype(kind), OFFSETS_3D)
        found = [np.argwhere(label[1:-1, 1:-1, 1:-1] == k + 1) for k in range(level.size)]
        assert {frozenset(map(tuple, z.tolist())): int(v) for z, v in zip(found, level, strict=True)} == expected
        assert size.tolist() == [len(z) for z in found]
        assert plane.tolist() == [int(z[0, 0]) for z in found]
        assert np.count_nonzero(label) == np.count_nonzero(mask)


@settings(max_examples=30, deadline=None)
@given(regions(levels=2))
def test_zones_within_slices_are_those_of_each_slice_alone(region):
    image, mask, _ = region
    levels = np.pad(np.where(mask, image, 0).astype(np.int32), 1)
    together = label_zones(levels, OFFSETS_2D)
    alone = [label_zones(np.pad(part[None], ((1, 1), (0, 0), (0, 0))), OFFSETS_2D) for part in levels[1:-1]]
    np.testing.assert_array_equal(together[1], np.concatenate([one[1] for one in alone]))
    np.testing.assert_array_equal(together[2], np.concatenate([one[2] for one in alone]))
    np.testing.assert_array_equal(together[3], np.repeat(np.arange(len(alone)), [one[1].size for one in alone]))


def test_a_zone_may_meet_itself_again_and_again():
    # A comb in space: teeth that are joined only at their ends, so that many labels turn out to be one.
    levels = np.ones((5, 9, 12), dtype=np.uint8)
    levels[:, 1::2, :-1] = 2
    levels[2, :, 5] = 0
    expected = {frozenset(zone) for zone in zones(levels.astype(np.int32))}
    for offsets in (OFFSETS_3D, OFFSETS_3D[::-1].copy()):
        label, _, size, _ = label_zones(np.pad(levels, 1), offsets)
        inner = label[1:-1, 1:-1, 1:-1]
        found = {frozenset(map(tuple, np.argwhere(inner == k + 1).tolist())) for k in range(size.size)}
        assert found == expected


@settings(max_examples=40, deadline=None)
@given(regions(), st.booleans())
def test_distances_are_those_to_the_nearest_voxel_outside(region, by_slice):
    _, mask, _ = region
    expected = np.zeros(mask.shape, dtype=int)
    for at in np.argwhere(mask):
        expected[tuple(at)] = distance(mask, at, by_slice)
    for function in (border_distance, plain(border_distance)):
        found = function(np.pad(mask, 1), by_slice)
        np.testing.assert_array_equal(found[1:-1, 1:-1, 1:-1], expected)
        assert found.sum() == expected.sum()


@settings(max_examples=30, deadline=None)
@given(regions())
def test_minima_are_taken_zone_by_zone(region):
    image, mask, _ = region
    label = np.where(mask, image, 0).astype(np.int32)
    values = np.arange(label.size, dtype=np.int32).reshape(label.shape)[::-1].copy()
    n = int(label.max())
    largest = np.iinfo(np.int32).max
    expected = [values[label == k].min() if (label == k).any() else largest for k in range(1, n + 1)]
    for function in (zone_minima, plain(zone_minima)):
        assert function(label, values, n).tolist() == expected
