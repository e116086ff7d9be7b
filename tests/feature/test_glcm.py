from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from naive.glcm import averaged
from radiolocus.errors import UndefinedError
from radiolocus.feature import glcm
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

EVERY = FeatureSettings(("glcm",), bin_width=1, resegment_range=(1, None), aggregations=tuple(AGGREGATIONS))


def near(name, value):
    # The root of a difference of entropies that may be 0: rounding of 1e-16 becomes 1e-8.
    return pytest.approx(value, rel=1e-9, abs=1e-7 if "info_corr2" in name else 1e-9)


def grey_levels(image, mask):
    return np.pad(np.where(mask, image, 0).astype(np.int32), 1)


@settings(max_examples=60, deadline=None)
@given(regions())
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY).values
    for aggregation in AGGREGATIONS:
        for name, value in averaged(np.where(mask, image, 0).astype(int), aggregation).items():
            assert found[name] == (None if value is None else near(name, value)), name


@settings(max_examples=40, deadline=None)
@given(regions())
def test_dense_and_listed_counting_are_the_same(region):
    image, mask, _ = region
    levels = grey_levels(image, mask)
    for offsets, by_slice in ((glcm.OFFSETS_2D, True), (glcm.OFFSETS_3D, False)):
        found = []
        for cells_per_voxel in (10**9, 0):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(glcm, "_CELLS_PER_VOXEL", cells_per_voxel)
                found.append(glcm.count_cells(levels, offsets, by_slice))
        for part in ("matrix", "row", "column", "count"):
            np.testing.assert_array_equal(getattr(found[0], part), getattr(found[1], part))


@settings(max_examples=40, deadline=None)
@given(regions())
def test_flips_change_nothing(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY).values
    for axis in range(3):
        turned = extract(*pair(np.flip(image, axis), np.flip(mask, axis), spacing), EVERY).values
        for name, value in found.items():
            assert turned[name] == (None if value is None else near(name, value)), name


def test_a_shift_of_intensity_changes_nothing_when_bins_start_at_the_minimum():
    rng = np.random.default_rng(1)
    image, mask = rng.integers(0, 400, (6, 7, 8)).astype(float), rng.random((6, 7, 8)) < 0.7
    choice = FeatureSettings(("glcm",), bin_width=25, aggregations=tuple(AGGREGATIONS))
    before = extract(*pair(image, mask), choice).values
    assert extract(*pair(image - 1024, mask), choice).values == before


def test_the_axes_may_be_exchanged_in_3d():
    rng = np.random.default_rng(2)
    image, mask = rng.integers(1, 6, (4, 5, 6)).astype(float), rng.random((4, 5, 6)) < 0.8
    choice = FeatureSettings(("glcm",), bin_width=1, aggregations=("3d_avg", "3d_comb"))
    before = extract(*pair(image, mask), choice).values
    after = extract(*pair(image.transpose(2, 0, 1), mask.transpose(2, 0, 1)), choice).values
    assert after == pytest.approx(before, rel=1e-12)


def test_many_grey_levels_need_no_dense_matrix():
    rng = np.random.default_rng(3)
    image, mask = rng.permutation(30_000).reshape(30, 25, 40).astype(float), np.ones((30, 25, 40), dtype=bool)
    found = extract(*pair(image, mask), FeatureSettings(("glcm",), bin_width=1, aggregations=("3d_comb", "2_5d_avg")))
    assert found.diagnostics["grey_levels"] == 30_000
    # Every voxel has a level of its own: the average over all pairs of 3-D neighbours can be written down.
    total = pairs = 0.0
    for dz, dy, dx in glcm.OFFSETS_3D.tolist():
        a = image[dz:, max(dy, 0) : 25 + min(dy, 0), max(dx, 0) : 40 + min(dx, 0)]
        b = image[: 30 - dz, max(-dy, 0) : 25 + min(-dy, 0), max(-dx, 0) : 40 + min(-dx, 0)]
        total, pairs = total + np.abs(a - b).sum(), pairs + a.size
    assert found.values["cm_dissimilarity_3d_comb"] == pytest.approx(total / pairs, rel=1e-12)
    assert found.values["cm_joint_max_3d_comb"] == pytest.approx(0.5 / pairs, rel=1e-12)


def test_one_voxel_has_no_pairs():
    found = extract(*pair(np.ones((3, 3, 3)), np.arange(27).reshape(3, 3, 3) == 13), EVERY)
    assert set(found.values.values()) == {None}
    reasons = {p.item: p for p in found.problems}
    assert set(reasons) == set(found.values)
    assert "no two voxels" in reasons["cm_energy_3d_avg"].got
    assert "within a slice" in reasons["cm_energy_2d_avg"].got
    assert reasons["cm_energy_2d_avg"].severity == "no value"


def test_two_voxels_across_slices_have_pairs_in_3d_only():
    found = extract(*pair([[[1.0]], [[2.0]]], np.ones((2, 1, 1), dtype=bool)), EVERY).values
    assert found["cm_contrast_3d_avg"] == 1.0
    assert found["cm_contrast_2d_avg"] is None


def test_one_grey_level_has_no_correlation_but_has_an_energy():
    found = extract(*pair(np.full((3, 3, 3), 7.0), np.ones((3, 3, 3), dtype=bool)), EVERY)
    for aggregation in AGGREGATIONS:
        assert found.values[f"cm_energy_{aggregation}"] == 1.0
        assert found.values[f"cm_joint_entr_{aggregation}"] == 0.0
        assert found.values[f"cm_info_corr2_{aggregation}"] == 0.0
        assert found.values[f"cm_corr_{aggregation}"] is None
        assert found.values[f"cm_info_corr1_{aggregation}"] is None
    assert any("single grey level" in p.got for p in found.problems)


def test_a_flat_matrix_is_left_out_of_an_average():
    # Slice 0 is flat; the average correlation is that of slice 1 alone.
    image = np.array([[[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
    choice = FeatureSettings(("glcm",), bin_width=1, aggregations=("2d_comb",))
    both = extract(*pair(image, np.ones(image.shape, dtype=bool)), choice).values["cm_corr_2d_comb"]
    alone = extract(*pair(image[1:], np.ones((1, 2, 2), dtype=bool)), choice).values["cm_corr_2d_comb"]
    assert both == alone


def test_offsets_are_one_of_each_pair_of_opposites():
    for offsets, n in ((glcm.OFFSETS_2D, 4), (glcm.OFFSETS_3D, 13)):
        known = {tuple(o) for o in offsets.tolist()}
        assert len(known) == n
        assert not any(tuple(-i for i in o) in known for o in known)


def test_varied_refuses_only_when_all_are_flat():
    flat = glcm.Glcm(glcm.Cells(*(np.array([v]) for v in (0, 2, 2, 4)), n_levels=3))
    with pytest.raises(UndefinedError, match="single grey level"):
        flat.varied(np.zeros(1))
