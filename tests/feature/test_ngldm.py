from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from naive.neighbours import dependence
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

EVERY = FeatureSettings(("ngldm",), bin_width=1, resegment_range=(1, None), aggregations=tuple(AGGREGATIONS))


@settings(max_examples=60, deadline=None)
@given(regions())
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY)
    assert found.problems == ()
    for dimension in ("2d", "2_5d", "3d"):
        for name, value in dependence(np.where(mask, image, 0).astype(int), dimension).items():
            assert found.values[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_a_cube_of_one_grey_level_counts_neighbours():
    found = extract(*pair(np.full((3, 3, 3), 4.0), np.ones((3, 3, 3), dtype=bool)), EVERY).values
    # Eight corners with 7 neighbours, twelve edges with 11, six faces with 17, one middle with 26.
    assert found["ngl_hde_3d"] == pytest.approx((8 * 8**2 + 12 * 12**2 + 6 * 18**2 + 27**2) / 27)
    assert found["ngl_hde_2d"] == pytest.approx((4 * 4**2 + 4 * 6**2 + 9**2) / 9)
    assert found["ngl_dc_perc_3d"] == 1.0


def test_one_voxel_depends_on_itself_alone():
    found = extract(*pair(np.full((1, 1, 1), 2.0), np.ones((1, 1, 1), dtype=bool)), EVERY).values
    assert found["ngl_lde_3d"] == found["ngl_dc_energy_2d"] == 1.0
    assert found["ngl_dc_entr_3d"] == 0.0
