from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from naive.shape import peaks
from radiolocus.feature.extract import extract
from radiolocus.feature.local_intensity import RADIUS_MM
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

CHOICE = FeatureSettings(("local_intensity",))


def test_the_sphere_holds_a_cubic_centimetre():
    assert 4 / 3 * math.pi * RADIUS_MM**3 == pytest.approx(1000)


@settings(max_examples=40, deadline=None)
@given(regions(largest=6, levels=9))
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    spacing = tuple(3 * s for s in spacing)
    found = extract(*pair(image, mask, spacing), CHOICE).values
    assert list(found.values()) == pytest.approx(peaks(image, mask, spacing, RADIUS_MM), rel=1e-12)


def test_voxels_outside_the_region_count():
    image = np.zeros((5, 5, 5))
    image[2, 2, 2], image[2, 2, 3] = 10.0, 70.0
    mask = np.zeros(image.shape, dtype=bool)
    mask[2, 2, 2] = True
    found = extract(*pair(image, mask, (5.0, 5.0, 5.0)), CHOICE).values
    # The six neighbours at 5 mm lie within 6.2 mm, those at 7.1 mm do not.
    assert found["loc_peak_loc"] == pytest.approx(80 / 7)


def test_nan_within_the_sphere_is_a_missing_value_with_a_reason():
    image = np.ones((5, 5, 5))
    image[2, 2, 3] = np.nan
    mask = np.zeros(image.shape, dtype=bool)
    mask[2, 2, 2] = True
    found = extract(*pair(image, mask, (5.0, 5.0, 5.0)), CHOICE)
    assert set(found.values.values()) == {None}
    assert any("1 cm³" in p.got for p in found.problems)
