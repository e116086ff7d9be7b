"""What a negative control destroys, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from radiolocus.errors import ConfigError, GeometryError, InputError
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.image.control import control_volume
from radiolocus.model import Geometry, Mask, Volume

GRID = Geometry.regular((9, 10, 11), (2.0, 1.0, 1.0))
INSIDE = np.zeros(GRID.shape, bool)
INSIDE[2:7, 3:8, 3:9] = True


def _pair():
    z, y, x = np.indices(GRID.shape)
    # Smooth, so that a shuffle can be told from it.
    return Volume((10 * x + y * z).astype(np.float32), GRID, "CT", "HU", ("as read",)), Mask(INSIDE, GRID, "GTV")


def test_a_shuffle_keeps_the_histogram_and_the_surroundings():
    volume, mask = _pair()
    found = control_volume(volume, mask, "shuffled", 4)
    np.testing.assert_array_equal(np.sort(found.array[INSIDE]), np.sort(volume.array[INSIDE]))
    np.testing.assert_array_equal(found.array[~INSIDE], volume.array[~INSIDE])
    assert (found.array != volume.array).sum() > 0.9 * INSIDE.sum()
    assert found.array.dtype == volume.array.dtype
    assert (found.modality, found.unit, found.notes) == ("CT", "HU", ("as read",))


def test_a_shuffle_keeps_intensity_statistics_and_destroys_texture():
    volume, mask = _pair()
    settings = FeatureSettings(families=("morphology", "intensity", "glcm"), bin_width=10.0)
    before = extract(volume, mask, settings).values
    after = extract(control_volume(volume, mask, "shuffled", 1), mask, settings).values
    for name in before:
        # Moran's I and Geary's C are the two of morphology that ask where intensities lie.
        if name.startswith(("stat_", "morph_")) and name not in ("morph_moran_i", "morph_geary_c", "morph_com"):
            assert after[name] == pytest.approx(before[name], rel=1e-5), name
    assert abs(after["cm_corr_3d_avg"]) < 0.2 < 0.5 < before["cm_corr_3d_avg"]
    assert abs(after["morph_moran_i"]) < 0.05 < before["morph_moran_i"]


def test_the_outside_is_drawn_from_itself_and_the_region_stays():
    volume, mask = _pair()
    found = control_volume(volume, mask, "outside", 4)
    np.testing.assert_array_equal(found.array[INSIDE], volume.array[INSIDE])
    assert np.isin(found.array[~INSIDE], volume.array[~INSIDE]).all()
    assert (found.array[~INSIDE] != volume.array[~INSIDE]).mean() > 0.9
    assert found.array[~INSIDE].mean() == pytest.approx(volume.array[~INSIDE].mean(), rel=0.1)


def test_voxels_that_are_not_finite_are_not_drawn():
    volume, mask = _pair()
    volume.array[0] = np.nan
    assert np.isfinite(control_volume(volume, mask, "outside", 4).array).all()


@pytest.mark.parametrize("kind", ["shuffled", "outside"])
def test_a_seed_decides_and_the_image_is_left_alone(kind):
    volume, mask = _pair()
    before = volume.array.copy()
    first, again, other = (control_volume(volume, mask, kind, seed).array for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(volume.array, before)


def test_what_cannot_be_used_is_refused():
    volume, mask = _pair()
    with pytest.raises(ConfigError) as unknown:
        control_volume(volume, mask, "volume", 1)
    assert "shuffled" in unknown.value.allowed
    with pytest.raises(InputError) as full:
        control_volume(volume, Mask(np.ones(GRID.shape, bool), GRID), "outside", 1)
    assert "outside" in full.value.got
    other = Geometry.regular(GRID.shape, (2.0, 1.0, 1.1))
    with pytest.raises(GeometryError):
        control_volume(volume, Mask(INSIDE, other), "shuffled", 1)
