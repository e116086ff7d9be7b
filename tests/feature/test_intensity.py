from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.intensity import features
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from reference import ibsi
from regions import pair, regions

CHOICE = FeatureSettings(("intensity",))


def statistics_of(values):
    image = np.reshape(np.asarray(values, dtype=float), (1, 1, -1))
    return extract(*pair(image, np.ones(image.shape, dtype=bool)), CHOICE)


@settings(max_examples=60, deadline=None)
@given(regions())
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), CHOICE).values
    for name, value in features(image[mask]).items():
        assert found[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 3)), min_size=1, max_size=30))
def test_agrees_with_the_naive_twin_on_any_numbers(values):
    found = statistics_of(values).values
    expected = features(values)
    for name in ("stat_mean", "stat_var", "stat_median", "stat_p10", "stat_p90", "stat_iqr", "stat_mad", "stat_energy"):
        assert found[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name


def test_a_shift_moves_places_and_leaves_spreads():
    rng = np.random.default_rng(5)
    values = rng.normal(0, 10, 500)
    before, after = statistics_of(values).values, statistics_of(values + 1000).values
    for name in ("stat_mean", "stat_median", "stat_min", "stat_max", "stat_p10", "stat_p90"):
        assert after[name] == pytest.approx(before[name] + 1000)
    for name in ("stat_var", "stat_skew", "stat_kurt", "stat_iqr", "stat_range", "stat_mad", "stat_rmad"):
        assert after[name] == pytest.approx(before[name], rel=1e-8), name


def test_one_intensity_has_no_skewness():
    found = statistics_of([0.1] * 7)
    assert found.values["stat_mean"] == 0.1
    assert found.values["stat_var"] == 0.0
    assert {k for k, v in found.values.items() if v is None} == {"stat_skew", "stat_kurt"}
    assert "all 7 voxels have the intensity 0.1" in found.problems[0].got


def test_a_mean_of_nothing_has_no_coefficient_of_variation():
    found = statistics_of([-1.0, 1.0])
    assert found.values["stat_cov"] is None
    assert found.values["stat_qcod"] is None
    assert found.values["stat_rmad"] is None


def test_a_result_that_overflows_is_missing_and_not_infinite():
    found = statistics_of([1e200, 2e200, 4e200])
    assert found.values["stat_energy"] is None
    assert found.values["stat_mean"] == pytest.approx(7e200 / 3)
    assert any(p.item == "stat_energy" and "inf" in p.got for p in found.problems)


def test_the_percentile_rule_is_the_one_that_the_consensus_was_made_with(reference):
    """IBSI's 90th percentile of the digital phantom tells the rules for small regions apart."""
    reference("ibsi/ibsi1_digital_phantom")
    volume, mask = ibsi.phantom("digital_phantom")
    row = next(r for r in ibsi.rows() if r["config"] == "digital_phantom" and r["tag"] == "stat_p90")
    values = volume.array[mask.array]
    assert ibsi.agrees(statistics_of(values).values["stat_p90"], row)
    for rule in ("hazen", "weibull"):
        assert not ibsi.agrees(np.percentile(values, 90, method=rule), row)
