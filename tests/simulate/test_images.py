"""A simulated tumour has the volume, the mean and the texture it was given."""

import numpy as np
import pytest

from radiolocus.simulate.images import simulate_tumour


def _mean(make, draws=12):
    return np.mean([make(np.random.default_rng(i)) for i in range(draws)])


@pytest.mark.parametrize("volume_ml", [8.0, 20.0])
def test_volume(volume_ml):
    def measured(rng):
        _, mask = simulate_tumour(rng, volume_ml=volume_ml, mean_hu=70, texture_hu=25)
        return mask.array.sum() * mask.geometry.voxel_volume / 1000

    assert _mean(measured) == pytest.approx(volume_ml, rel=0.1)


@pytest.mark.parametrize(("mean_hu", "texture_hu"), [(70, 20), (100, 40)])
def test_mean_and_texture(mean_hu, texture_hu):
    def moments(rng):
        volume, mask = simulate_tumour(rng, volume_ml=20, mean_hu=mean_hu, texture_hu=texture_hu)
        inside = volume.array[mask.array]
        return inside.mean(), inside.std()

    found = np.mean([moments(np.random.default_rng(i)) for i in range(12)], axis=0)
    assert found[0] == pytest.approx(mean_hu, abs=0.35 * texture_hu)
    # Noise adds, and a field that varies slowly varies less within a small region than over the whole grid.
    assert found[1] == pytest.approx(texture_hu, rel=0.2)


def test_the_tumour_stays_clear_of_the_border():
    for i in range(8):
        _, mask = simulate_tumour(np.random.default_rng(i), volume_ml=45, mean_hu=70, texture_hu=25)
        edge = mask.array.copy()
        edge[1:-1, 1:-1, 1:-1] = False
        assert not edge.any()
