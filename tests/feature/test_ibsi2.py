"""Every feature value of IBSI 2, phase 2: intensity statistics of filtered images of the CT phantom, one case a row."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.filters import SimoncelliFilter
from radiolocus.read.imaging import read_pair
from reference import ibsi2

_SETTINGS = {row["filter_id"]: row for row in ibsi2.settings()}


@cache
def statistics(filter_id, *, extend=False):
    folder = ibsi2.FOLDER / "ibsi1_ct_phantom"
    volume, mask = read_pair(folder / "phantom.nii.gz", folder / "mask.nii.gz", modality="CT")
    row = _SETTINGS[filter_id]
    solid = {"resample_mm": (1.0, 1.0, 1.0), "interpolation": "cubic"}
    chosen = ibsi2.filters(row)
    if extend:
        chosen = tuple(replace(options, extend=True) for options in chosen)
    settings = FeatureSettings(
        families=("intensity",),
        resegment_range=(-1000.0, 400.0),
        filters=chosen,
        **(solid if row["dimension"] == "3D" else {}),
    )
    found = extract(volume, mask, settings).values
    prefix = f"{chosen[0].name}." if chosen else ""
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix + "stat_")}


def test_every_setting_has_its_values(reference):
    reference("ibsi/ibsi2_phase2_filters.csv")
    assert len(ibsi2.values()) == 323
    assert {filter_id for filter_id, _ in ibsi2.values()} == set(_SETTINGS)


@pytest.mark.parametrize(("filter_id", "feature"), ibsi2.values())
def test_feature(filter_id, feature, reference):
    reference("ibsi/ibsi2_phase2_filters.csv")
    value, tolerance = ibsi2.values()[filter_id, feature]
    assert statistics(filter_id)[feature] == pytest.approx(value, abs=tolerance, rel=0)


@pytest.mark.slow
def test_reference_values_of_transfer_functions_are_those_of_a_periodic_image(reference):
    reference("ibsi/ibsi2_phase2_filters.csv")
    ids = [i for i, row in _SETTINGS.items() if any(isinstance(o, SimoncelliFilter) for o in ibsi2.filters(row))]
    outside = [
        (filter_id, feature)
        for filter_id in ids
        for feature, found in statistics(filter_id, extend=True).items()
        if (known := ibsi2.values().get((filter_id, feature))) and abs(found - known[0]) > known[1]
    ]
    assert sorted(outside) == [("8.A", "stat_qcod"), ("9.B", "stat_median"), ("9.B", "stat_min")]
