"""Regions grown, shrunk and drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from radiolocus.errors import RoiError
from radiolocus.image.contour import redraw, resize

SPACING = np.array([3.0, 1.0, 1.0])
ROOM = (np.full(3, 50), np.full(3, 50))


def _ball(radius=9.0, shape=(9, 25, 25)):
    z, y, x = (i * s for i, s in zip(np.indices(shape), SPACING, strict=True))
    return (z - 12) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 <= radius**2


def _random(seed=1):
    return np.random.default_rng(seed)


@given(st.integers(0, 2**31), st.floats(-0.9, 1.5))
def test_the_number_of_voxels_is_met_and_the_nearest_go_first(seed, fraction):
    mask = _random(seed).random((3, 5, 4)) < 0.5
    mask[1, 2, 2] = True
    count = int(mask.sum())
    wanted = count + round(count * fraction)
    if wanted < 1:
        with pytest.raises(RoiError):
            resize(mask, fraction, SPACING, ROOM, _random())
        return
    found, before = resize(mask, fraction, SPACING, ROOM, _random(seed))
    assert found.sum() == wanted
    after = np.array(found.shape) - before - mask.shape
    old = np.pad(mask, list(zip(before, after, strict=True)))
    if fraction < 0:
        assert not (found & ~old).any()
        depth = distance_transform_edt(np.pad(old, 1), sampling=SPACING)[1:-1, 1:-1, 1:-1]
        gone, stays = depth[old & ~found], depth[found]
        assert gone.size == 0 or gone.max() <= stays.min() + 1e-9
    else:
        assert not (old & ~found).any()
        distance = distance_transform_edt(~np.pad(old, 4), sampling=SPACING)
        new = np.pad(found & ~old, 4)
        left = ~np.pad(found, 4)
        assert not new.any() or distance[new].max() <= distance[left].min() + 1e-9


def test_the_border_of_the_image_stops_what_grows():
    mask = np.ones((2, 3, 3), bool)
    room = (np.array([0, 0, 0]), np.array([0, 0, 5]))
    found, before = resize(mask, 0.5, SPACING, room, _random())
    assert found.sum() == 27
    assert before.tolist() == [0, 0, 0]
    assert found.shape[:2] == (2, 3)
    with pytest.raises(RoiError):
        resize(mask, 2.0, SPACING, room, _random())


def test_voxels_of_one_distance_are_drawn_at_random_but_reproducibly():
    mask = np.zeros((1, 7, 7), bool)
    mask[0, 2:5, 2:5] = True
    first, again, other = (resize(mask, 0.2, SPACING, ROOM, _random(s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_contour_on_a_sharp_edge_stays_near_it():
    mask = _ball()
    image = np.where(mask, 100.0, 0.0) + _random(3).normal(0, 1, mask.shape)
    for seed in range(5):
        found = redraw(image, mask, SPACING, _random(seed))
        assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.95


def test_a_contour_without_an_edge_differs_from_draw_to_draw_around_the_drawn_one():
    mask = _ball()
    image = 10 * np.sin(np.indices(mask.shape).sum(axis=0) / 3) + _random(3).normal(0, 3, mask.shape)
    drawn = [redraw(image, mask, SPACING, _random(seed)) for seed in range(40)]
    np.testing.assert_array_equal(drawn[0], redraw(image, mask, SPACING, _random(0)))
    volumes = np.array([d.sum() for d in drawn]) / mask.sum()
    assert len({d.tobytes() for d in drawn}) > 20
    assert 0.8 < volumes.mean() < 1.15
    assert volumes.std() > 0.01
    for d in drawn:
        assert 2 * (d & mask).sum() / (d.sum() + mask.sum()) > 0.6


def test_values_that_are_not_finite_beside_the_region_are_borne():
    mask = _ball()
    image = np.where(mask, 5.0, 1.0) + _random(1).normal(0, 1, mask.shape)
    image[~mask & (_random(2).random(mask.shape) < 0.1)] = np.nan
    assert redraw(image, mask, SPACING, _random()).any()


def test_a_small_region_is_never_lost_by_chance():
    mask = np.zeros((8, 16, 16), bool)
    mask[2:5, 5:9, 5:9] = True
    image = _random(4).normal(0, 5, mask.shape)
    for seed in range(30):
        assert (redraw(image, mask, SPACING, _random(seed)) & mask).any()


def test_a_region_that_no_supervoxel_holds_is_refused():
    mask = np.zeros((5, 9, 9), bool)
    mask[2, 4, 4] = True
    with pytest.raises(RoiError) as error:
        redraw(np.zeros(mask.shape), mask, SPACING, _random())
    assert "region of 1 voxels" in error.value.got
    assert "inside by 20%" in error.value.allowed
    assert "contour" in error.value.todo
