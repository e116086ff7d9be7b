from __future__ import annotations

import math

import numpy as np
import pytest

from radiolocus.errors import ConfigError
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import DEFAULT_BINS, FeatureSettings


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("families", ("morfology",), "did you mean 'morphology'?"),
        ("families", (), "at least one of"),
        ("families", ("glcm", "glcm"), "twice"),
        ("aggregations", ("3d_average",), "did you mean '3d_avg'?"),
        ("interpolation", "cubik", "did you mean 'cubic'?"),
        ("resample_mm", (1.0, 1.0), "three numbers"),
        ("resample_mm", (1.0, -1.0, 1.0), "three numbers"),
        ("resample_mm", (0.0, 0.0, 0.0), "at least one above 0"),
        ("resample_mm", (1.0, math.nan, 1.0), "three numbers"),
        ("resegment_range", (400, -500), "lowest below"),
        ("resegment_range", (1.0,), "two numbers"),
        ("resegment_range", (math.nan, 1.0), "two numbers"),
        ("resegment_outliers", 0.0, "above 0"),
        ("bin_width", 0.0, "above 0"),
        ("bin_width", math.inf, "finite"),
        ("bin_number", 0, "1 to 65536"),
        ("bin_number", 65537, "1 to 65536"),
        ("bin_number", 1.5, "whole number"),
        ("ivh_bin_width", -1.0, "above 0"),
        ("ivh_bin_number", 0, "1 to 65536"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(option, value, named):
    with pytest.raises(ConfigError) as caught:
        FeatureSettings(**{option: value})
    assert named in str(caught.value)
    assert option in str(caught.value)


def test_width_and_number_exclude_each_other():
    with pytest.raises(ConfigError, match="one of the two"):
        FeatureSettings(bin_width=25, bin_number=32)
    with pytest.raises(ConfigError, match=r"ivh_bin_width = 1 and ivh_bin_number = 5.*one of the two"):
        FeatureSettings(ivh_bin_width=1, ivh_bin_number=5)


def test_an_open_end_may_be_written_as_infinity():
    assert FeatureSettings(resegment_range=(-500, math.inf)).resegment_range == (-500.0, None)
    assert FeatureSettings(resegment_range=(None, 400)) == FeatureSettings(resegment_range=(-math.inf, 400))


def test_the_default_is_thirty_two_bins():
    levels = FeatureSettings().discretise(np.arange(320.0))
    assert (levels.min(), levels.max()) == (1, DEFAULT_BINS)
    np.testing.assert_array_equal(np.bincount(levels)[1:], 10)


def test_bins_of_a_width_start_at_the_lower_end_of_the_range():
    values = np.array([-10.0, 0.0, 14.0, 15.0])
    np.testing.assert_array_equal(FeatureSettings(bin_width=25).discretise(values), [1, 1, 1, 2])
    anchored = FeatureSettings(bin_width=25, resegment_range=(-500, 400))
    np.testing.assert_array_equal(anchored.discretise(values), [20, 21, 21, 21])
    open_below = FeatureSettings(bin_width=25, resegment_range=(None, 400))
    np.testing.assert_array_equal(open_below.discretise(values), [1, 1, 1, 2])


def test_the_volume_histogram_follows_the_unit_unless_it_is_told():
    values = np.array([0.0, 10.0])
    assert FeatureSettings(resegment_range=(-5, None)).volume_scale("HU")(values).last == 15
    assert FeatureSettings().volume_scale("")(values).last == 999
    assert FeatureSettings(ivh_bin_width=5).volume_scale("HU")(values).width == 5
    assert FeatureSettings(ivh_bin_number=7).volume_scale("HU")(values).last == 6


def test_what_is_skipped_must_be_a_feature_of_the_families():
    with pytest.raises(ConfigError, match=r"skip: unknown 'stat_meen'.*stat_mean"):
        FeatureSettings(("intensity",), skip=("stat_meen",))
    with pytest.raises(ConfigError, match="skip leaves no feature"):
        FeatureSettings(("local_intensity",), skip=tuple(FAMILIES["local_intensity"].features))
    everything = tuple(FAMILIES["intensity"].features)
    with pytest.raises(ConfigError, match="filters without a family that looks at intensities"):
        FeatureSettings(("morphology", "intensity"), skip=everything, filters=({"filter": "mean"},))
