from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.histogram import volume_histogram
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair

ONLY = ("intensity_volume_histogram",)


def of(values, choice=None, unit=""):
    image = np.reshape(np.asarray(values, dtype=float), (1, 1, -1))
    return extract(*pair(image, np.ones(image.shape, dtype=bool), unit=unit), choice or FeatureSettings(ONLY))


def agrees(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == (None if value is None else pytest.approx(float(value), rel=1e-9, abs=1e-9)), name


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=40), st.booleans())
def test_whole_numbers_with_a_unit_are_taken_as_they_are(values, limited):
    choice = FeatureSettings(ONLY, resegment_range=(-30.5, 25.5) if limited else None)
    scale = range(-30, 26) if limited else range(min(values), max(values) + 1)
    agrees(of(values, choice, "HU").values, volume_histogram(values, scale))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), st.sampled_from((1.0, 0.1, 2.5)))
def test_bins_of_a_size_stand_for_their_centres(eighths, width):
    values = [v / 8 for v in eighths]
    choice = FeatureSettings(ONLY, resegment_range=(0, 25), ivh_bin_width=width)
    count = round(25 / width)
    bins = [min(math.floor(v / width), count - 1) for v in values]
    scale = [(k + 0.5) * width for k in range(count)]
    agrees(of(values, choice).values, volume_histogram([scale[k] for k in bins], scale))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40).filter(lambda v: max(v) > min(v)))
def test_arbitrary_units_are_cut_into_a_thousand_bins(values):
    x = np.array(values)
    bins = np.minimum(np.floor(1000 * (x - x.min()) / (x.max() - x.min())) + 1, 1000).astype(int).tolist()
    agrees(of(values).values, volume_histogram(bins, range(1, 1001)))


def test_one_intensity():
    found = of([7.0] * 5, unit="HU")
    assert found.values["ivh_auc"] == 0.0
    assert {k for k, v in found.values.items() if v is None} == set(found.values) - {"ivh_auc"}
    reasons = {p.item: p.got for p in found.problems}
    assert "single value 7" in reasons["ivh_v10"]
    assert "more than 10 % of the volume has the largest intensity" in reasons["ivh_i10"]


def test_one_intensity_within_a_range_has_fractions_and_no_area():
    found = of([7.0] * 5, FeatureSettings(ONLY, resegment_range=(0, 10)), "HU").values
    assert (found["ivh_v10"], found["ivh_v90"], found["ivh_i10"]) == (1.0, 0.0, 8.0)
    assert found["ivh_auc"] == 0.0


def test_too_many_steps_are_refused_by_name():
    found = of([0.0, 1e200], unit="HU")
    assert set(found.values.values()) == {None}
    assert "1e+200 steps" in found.problems[0].got
    assert "ivh_bin_width" in found.problems[0].todo


def test_a_uniform_distribution_has_an_area_of_half():
    found = of(np.arange(10_001), unit="HU").values
    assert found["ivh_auc"] == pytest.approx(0.5, abs=1e-3)
    assert found["ivh_v10"] == pytest.approx(0.9, abs=1e-3)
    assert found["ivh_i90"] == pytest.approx(1001, abs=1)
