from __future__ import annotations

import numpy as np
import pytest

from naive import filters as naive
from radiolocus.errors import ConfigError
from radiolocus.image.filter_wavelet import WaveletFilter, wavelet_filter, wavelet_filters
from radiolocus.image.wavelet_taps import LOW_PASS

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 6))
POOL = {"average": np.mean, "max": np.max, "min": np.min}


def high(low):
    """Alternating flip."""
    return np.array([(-1) ** (k + 1) * low[len(low) - 1 - k] for k in range(len(low))])


@pytest.mark.parametrize("name", sorted(LOW_PASS))
def test_taps_have_the_properties_that_define_the_wavelet(name):
    low = np.array(LOW_PASS[name])
    assert low.sum() == pytest.approx(np.sqrt(2), abs=1e-10)
    for shift in range(low.size // 2):
        assert low[: low.size - 2 * shift] @ low[2 * shift :] == pytest.approx(float(shift == 0), abs=1e-9)
    # Vanishing moments: N of dbN, 2N of coifN; moments of a long filter are large numbers that cancel.
    order = 1 if name == "haar" else int(name.lstrip("dbcoif"))
    moments = 2 * order if name.startswith("coif") else order
    k = np.linspace(-1, 1, low.size)
    for power in range(moments):
        assert abs(high(low) @ k**power) < 1e-7
    assert low.size == (6 if name.startswith("coif") else 2) * order


@pytest.mark.parametrize("order", range(1, 6))
def test_coiflets_have_vanishing_moments_of_the_scaling_function_too(order):
    low = np.array(LOW_PASS[f"coif{order}"])
    centre = round(float(low @ np.arange(low.size) / low.sum()))
    k = (np.arange(low.size) - centre) / low.size
    for power in range(1, 2 * order):
        assert abs(low @ k**power) < 1e-7


def test_daubechies_taps_are_of_extremal_phase():
    """db2 in closed form, table 6.1 of Ten Lectures on Wavelets, reversed: decomposition order."""
    s3 = np.sqrt(3)
    expected = np.array([1 - s3, 3 - s3, 3 + s3, 1 + s3]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(LOW_PASS["db2"], expected, atol=1e-12)


@pytest.mark.parametrize("pooling", sorted(POOL))
@pytest.mark.parametrize(("band", "dimension"), [("LLH", "3d"), ("HL", "2d")])
def test_first_level_agrees_with_every_rotation_of_the_whole_kernel(band, dimension, pooling):
    low = np.array(LOW_PASS["db2"])
    taps = [np.append(low if letter == "L" else high(low), 0.0) for letter in band]
    maps = [naive.convolution(ARRAY, k, "mirror") for k in naive.turned(naive.product_kernel(*taps), dimension)]
    options = WaveletFilter(wavelet="db2", band=band, dimension=dimension, pooling=pooling)
    np.testing.assert_allclose(wavelet_filter(ARRAY, np.ones(3), options), POOL[pooling](maps, axis=0), atol=1e-12)


def test_second_level_filters_the_low_pass_with_holes_in_the_kernel():
    low = np.array(LOW_PASS["haar"])
    pre = naive.product_kernel(*[np.append(low, 0.0)] * 3)
    spread = {"L": np.zeros(5), "H": np.zeros(5)}
    spread["L"][[0, 2]], spread["H"][[0, 2]] = low, high(low)
    once = naive.convolution(ARRAY, pre, "zero")
    expected = naive.convolution(once, naive.product_kernel(*(spread[b] for b in "LHH")), "zero")
    options = WaveletFilter(wavelet="haar", band="LHH", level=2, rotation_invariant=False, boundary="zero")
    np.testing.assert_allclose(wavelet_filter(ARRAY, np.ones(3), options), expected, atol=1e-12)


def test_sub_bands_hold_the_energy_of_the_image():
    """A Parseval frame up to its gain: the undecimated bands of one level have 2 times the energy an axis."""
    array = np.random.default_rng(1).normal(size=(8, 8, 8))
    total = 0.0
    for band in ("LLL", "LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH"):
        options = WaveletFilter(wavelet="coif2", band=band, rotation_invariant=False, boundary="periodic")
        total += (wavelet_filter(array, np.ones(3), options) ** 2).sum()
    assert total == pytest.approx(8 * (array**2).sum(), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "got"),
    [({"wavelet": "db11"}, "wavelet"), ({"band": "LH"}, "band"), ({"band": "LLX"}, "band"), ({"level": 0}, "level")],
)
def test_what_is_not_there_is_refused(change, got):
    with pytest.raises(ConfigError) as error:
        WaveletFilter(**change)
    assert error.value.got.startswith(got)
    assert error.value.allowed


def test_bands_asked_for_one_after_the_other_are_those_asked_for_alone():
    bands = [("LLL", 1, False), ("LLH", 1, False), ("LLH", 2, False), ("LHH", 2, True), ("HLH", 1, False)]
    wanted = [
        WaveletFilter(wavelet="db2", band=band, level=level, rotation_invariant=turned, boundary=boundary)
        for boundary in ("zero", "mirror")
        for band, level, turned in [*bands, bands[0]]
    ]
    wanted.insert(3, WaveletFilter(dimension="2d", band="LH", rotation_invariant=False))
    for options, found in zip(wanted, wavelet_filters(ARRAY, np.ones(3), wanted), strict=True):
        np.testing.assert_array_equal(found, wavelet_filter(ARRAY, np.ones(3), options), options.name)
