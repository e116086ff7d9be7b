from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from naive.glrlm import expected
from radiolocus.feature import glrlm
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

EVERY = FeatureSettings(("glrlm",), bin_width=1, resegment_range=(1, None), aggregations=tuple(AGGREGATIONS))


def near(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(regions())
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY)
    assert found.problems == ()
    for aggregation in AGGREGATIONS:
        for name, value in expected(np.where(mask, image, 0).astype(int), aggregation).items():
            assert found.values[name] == near(value), name


@settings(max_examples=30, deadline=None)
@given(regions())
def test_dense_and_listed_counting_are_the_same(region):
    image, mask, spacing = region
    found = []
    for cells_per_voxel in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(glrlm, "_CELLS_PER_VOXEL", cells_per_voxel)
            found.append(extract(*pair(image, mask, spacing), EVERY).values)
    assert found[0] == found[1]


@settings(max_examples=30, deadline=None)
@given(regions())
def test_flips_change_nothing(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY).values
    for axis in range(3):
        turned = extract(*pair(np.flip(image, axis), np.flip(mask, axis), spacing), EVERY).values
        assert turned == {name: near(value) for name, value in found.items()}


def test_a_line_is_one_run_along_itself_and_single_voxels_across():
    found = extract(*pair(np.full((1, 1, 6), 3.0), np.ones((1, 1, 6), dtype=bool)), EVERY).values
    # Of 13 directions one sees a run of 6, twelve see six runs of 1.
    assert found["rlm_lre_3d_avg"] == pytest.approx((36 + 12) / 13)
    assert found["rlm_lre_3d_comb"] == pytest.approx((36 + 72) / 73)
    assert found["rlm_r_perc_3d_comb"] == pytest.approx(73 / 78)
    assert found["rlm_hgre_3d_avg"] == 9.0
    assert found["rlm_gl_var_3d_avg"] == 0.0


def test_a_gap_ends_a_run():
    image = np.full((1, 1, 5), 2.0)
    found = extract(*pair(image, np.array([[[True, True, False, True, True]]])), EVERY).values
    assert found["rlm_lre_2d_avg"] == pytest.approx((4 + 1 + 1 + 1) / 4)


def test_many_grey_levels_need_no_dense_matrix():
    rng = np.random.default_rng(3)
    image = rng.permutation(30_000).reshape(30, 25, 40).astype(float)
    choice = FeatureSettings(("glrlm",), bin_width=1, aggregations=("2d_avg", "3d_comb"))
    found = extract(*pair(image, np.ones(image.shape, dtype=bool)), choice).values
    # Every run is a single voxel of a level of its own.
    assert found["rlm_sre_3d_comb"] == pytest.approx(1)
    assert found["rlm_r_perc_2d_avg"] == 1.0
    assert found["rlm_glnu_3d_comb"] == pytest.approx(13)
    assert found["rlm_rl_entr_3d_comb"] == pytest.approx(np.log2(30_000))
