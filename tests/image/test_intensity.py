from __future__ import annotations

import numpy as np
import pytest

from radiolocus.errors import RoiError
from radiolocus.image.intensity import resegment, round_to_integer

IMAGE = np.array([[[-600.0, -500.0, 0.0, 400.0, 401.0]]])
ALL = np.ones(IMAGE.shape, dtype=bool)


def kept(*args):
    return resegment(IMAGE, ALL, *args)[0, 0].tolist()


def test_both_ends_of_a_range_are_kept():
    assert kept((-500.0, 400.0)) == [False, True, True, True, False]


def test_an_end_may_be_open():
    assert kept((None, 400.0)) == [True, True, True, True, False]
    assert kept((-500.0, None)) == [False, True, True, True, True]


def test_nothing_asked_keeps_all():
    assert kept() == [True] * 5


def test_outliers_are_counted_in_population_standard_deviations():
    values = IMAGE[0, 0]
    limit = abs(values - values.mean()) / values.std()
    assert kept(None, 1.2) == (limit <= 1.2).tolist()


def test_range_and_outliers_do_not_depend_on_their_order():
    # Within the range alone the remaining voxels would have another mean.
    both = np.array(kept((-500.0, None), 1.2))
    np.testing.assert_array_equal(both, np.array(kept((-500.0, None))) & np.array(kept(None, 1.2)))


def test_only_the_mask_counts():
    mask = ALL.copy()
    mask[0, 0, 2] = False
    out = resegment(IMAGE, mask, (-500.0, 400.0))
    assert out[0, 0].tolist() == [False, True, False, True, False]


def test_one_intensity_has_no_outliers():
    image = np.full((3, 3, 3), 0.1)
    assert resegment(image, np.ones(image.shape, dtype=bool), None, 3.0).all()


def test_an_empty_result_is_refused_with_the_intensities_there_were():
    with pytest.raises(RoiError, match="no voxel is left of 5") as caught:
        resegment(IMAGE, ALL, (1000.0, 2000.0))
    assert "-600 to 401" in caught.value.got


def test_halves_go_up():
    np.testing.assert_array_equal(round_to_integer(np.array([-1.5, -0.5, 0.5, 1.49])), [-1, 0, 1, 1])
