from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.histogram import histogram
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair

CHOICE = FeatureSettings(("intensity_histogram",), bin_width=1, resegment_range=(1, None))


def of(levels):
    image = np.reshape(np.asarray(levels, dtype=float), (1, 1, -1))
    return extract(*pair(image, np.ones(image.shape, dtype=bool)), CHOICE)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_agrees_with_the_naive_twin(levels):
    found = of(levels).values
    expected = histogram(levels)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), name


def test_the_mode_is_the_most_common_level_nearest_to_the_mean():
    assert of([1, 1, 1, 4, 4, 4, 9, 9, 9, 5]).values["ih_mode"] == 4.0
    # 2 and 4 lie equally near to the mean of 3: the lower one.
    assert of([2, 2, 4, 4]).values["ih_mode"] == 2.0


def test_empty_bins_are_bins():
    found = of([1, 1, 4]).values
    assert found["ih_min_grad"] == -2.0
    assert (found["ih_max_grad"], found["ih_max_grad_g"]) == (1.0, 4.0)


def test_one_grey_level_at_the_first_bin():
    found = of([1, 1, 1])
    assert {k for k, v in found.values.items() if v is None} == {
        "ih_skew",
        "ih_kurt",
        "ih_max_grad",
        "ih_max_grad_g",
        "ih_min_grad",
        "ih_min_grad_g",
    }
    reasons = {p.item: p.got for p in found.problems}
    assert "all 3 voxels have the grey level 1" in reasons["ih_skew"]
    assert "no slope" in reasons["ih_max_grad"]
    assert found.values["ih_entropy"] == 0.0


def test_two_far_voxels_have_nothing_between_their_percentiles():
    found = of([1, 9])
    assert found.values["ih_rmad"] is None
    assert "between the 10th and the 90th percentile" in found.problems[0].got
