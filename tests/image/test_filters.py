from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filters import (
    FILTERS,
    GaborFilter,
    GradientFilter,
    LawsFilter,
    LogFilter,
    MeanFilter,
    WaveletFilter,
    apply,
)
from radiolocus.image.pooling import POOLINGS
from radiolocus.model import Geometry, Volume

RIESZ = ("riesz", "riesz_log", "riesz_simoncelli")
POINT = ("square", "squareroot", "logarithm", "exponential")
BEYOND_IBSI = (*POINT, "gradient", "lbp")
TWO_D = {"laws": {"kernel": "L5E5"}, "wavelet": {"band": "LH"}} | {name: {"order": (1, 0)} for name in RIESZ}


def volume(shape=(6, 7, 8), spacing=(1.0, 1.0, 1.0), seed=0):
    array = np.random.default_rng(seed).normal(size=shape)
    return Volume(array, Geometry.regular(shape, spacing), "CT", "HU", ("read",))


@pytest.mark.parametrize("name", [n for n in FILTERS if n not in POINT])
@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_filter_maps_an_image_onto_its_own_grid(name, dimension, boundary):
    kind = FILTERS[name]
    special = {"extend": True} if name == "simoncelli" else {}
    special |= TWO_D.get(name, {}) if dimension == "2d" else {}
    options = kind.options(boundary=boundary, dimension=dimension, **special)
    image = volume()
    before = image.array.copy()
    found = apply(image, options)
    assert found.array.dtype == np.float64
    assert np.isfinite(found.array).all()
    assert np.array_equal(image.array, before)
    assert (found.geometry, found.modality, found.unit, found.notes) == (image.geometry, "CT", "", ("read",))
    assert np.array_equal(apply(image, options).array, found.array)
    assert options.name.startswith(name)
    assert kind.title
    assert len(kind.ibsi_id) == (0 if name in BEYOND_IBSI else 4)


@pytest.mark.parametrize("name", [n for n in FILTERS if n not in POINT])
def test_slices_do_not_know_of_each_other_in_two_dimensions(name):
    options = FILTERS[name].options(dimension="2d", **TWO_D.get(name, {}))
    image = volume()
    other = dataclasses.replace(image, array=np.concatenate([image.array[:3], volume(seed=9).array[3:]]))
    np.testing.assert_allclose(apply(image, options).array[:3], apply(other, options).array[:3], atol=1e-12)


@pytest.mark.parametrize("name", list(FILTERS))
def test_small_images_and_whole_numbers_are_filtered(name):
    array = np.arange(6, dtype=np.int16).reshape(1, 2, 3)
    found = apply(Volume(array, Geometry.regular(array.shape)), FILTERS[name].options())
    assert found.array.shape == array.shape
    assert np.isfinite(found.array).all()


def test_names_tell_options_apart():
    options = [
        *(MeanFilter(size=s, dimension=d, boundary=b) for s in (3, 5) for d in ("2d", "3d") for b in BOUNDARIES),
        *(LogFilter(sigma_mm=s, truncate=t) for s in (1, 1.5) for t in (3, 4)),
        *(LawsFilter(kernel=k, energy=e, delta=7) for k in ("L5E5E5", "E5L5E5") for e in (True, False)),
        *(LawsFilter(delta=d, pooling=p) for d in (3, 5) for p in POOLINGS),
        LawsFilter(rotation_invariant=False),
        *(
            WaveletFilter(wavelet=w, band=b, level=n, pooling=p)
            for w, b, n, p in itertools.product(("haar", "db3"), ("LLH", "HHH"), (1, 2), POOLINGS)
        ),
        *(GaborFilter(theta_deg=t, rotation_invariant=r, response="real") for t in (0, 45) for r in (True, False)),
        *(GaborFilter(sigma_mm=s, lambda_mm=2 * s, gamma=s, theta_step_deg=90 / s) for s in (1, 2)),
        *(FILTERS[n].options() for n in FILTERS if n not in ("wavelet", "laws", "log", "mean")),
    ]
    assert len({o.name for o in options}) == len(set(options))


def test_non_finite_voxels_are_refused():
    image = volume()
    image.array[0, 0, :2] = np.nan, np.inf
    with pytest.raises(InputError) as error:
        apply(image, LogFilter())
    assert error.value.got == "2 NaN or infinite voxels in an image that is to be filtered (log_sigma_3mm)"
    assert "finite" in error.value.allowed
    assert error.value.todo


def test_unequal_voxels_are_told():
    found = apply(volume(spacing=(3.0, 1.0, 1.0)), MeanFilter(size=3))
    assert found.notes[0] == "read"
    assert "3 x 1 x 1 mm" in found.notes[1]
    assert apply(volume(spacing=(3.0, 1.0, 1.0)), MeanFilter(size=3, dimension="2d")).notes == ("read",)


@pytest.mark.parametrize("change", [{"dimension": "3D"}, {"boundary": "reflect"}])
def test_unknown_words_are_refused_with_the_nearest_known_one(change):
    with pytest.raises(ConfigError) as error:
        MeanFilter(**change)
    assert error.value.got.startswith(next(iter(change)))
    assert error.value.allowed


def test_unknown_filters_and_poolings_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'wavelet'"):
        FILTERS["wavelets"]
    with pytest.raises(ConfigError, match="pooling = 'mean'"):
        LawsFilter(pooling="mean")


REACHING = [
    MeanFilter(size=5),
    LogFilter(sigma_mm=1.1, truncate=3),
    LawsFilter(kernel="L3E5S3", delta=2),
    LawsFilter(energy=False),
    GaborFilter(sigma_mm=0.8, lambda_mm=2, gamma=0.9),
    WaveletFilter(wavelet="db3", level=2),
    GradientFilter(),
]


@pytest.mark.parametrize("options", REACHING, ids=lambda o: o.name)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.8)])
def test_a_response_depends_on_nothing_beyond_its_reach(options, spacing):
    shape = (31, 31, 31)
    image = volume(shape, spacing)
    steps = np.ceil(options.reach_mm(np.array(spacing)) / np.array(spacing)).astype(int)
    outside = np.ones(shape, dtype=bool)
    outside[tuple(slice(max(15 - s, 0), 15 + s + 1) for s in steps)] = False
    changed = dataclasses.replace(image, array=np.where(outside, 1e3, image.array))
    found, other = (apply(v, options).array[15, 15, 15] for v in (image, changed))
    assert outside.any()
    assert found == pytest.approx(other, abs=1e-4 if options.filter == "gabor" else 1e-9)


def test_what_needs_the_whole_image_says_so():
    ones = np.ones(3)
    assert np.isinf(MeanFilter(boundary="periodic").reach_mm(ones))
    assert all(np.isinf(FILTERS[n].options().reach_mm(ones)) for n in ("simoncelli", *RIESZ, *POINT))


@pytest.mark.parametrize("name", list(FILTERS))
def test_the_page_of_filters_names_every_filter_and_option(name):
    page = (Path(__file__).resolve().parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    kind = FILTERS[name]
    assert f"| `{name}` | {kind.ibsi_id} |" in page
    for option in dataclasses.fields(kind.options):
        assert f"`{option.name}" in page
