"""What holds for every registered feature."""

from __future__ import annotations

import re

import pytest

from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import dictionary
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import FeatureSettings
from reference import ibsi

EVERY = FeatureSettings(tuple(FAMILIES), aggregations=tuple(AGGREGATIONS))
#: Percentiles of the intensity histogram; volume at an intensity fraction; intensity at a volume fraction.
SHARED = {"GPMT", "BC2M", "GBPN"}
FEATURES = [pytest.param(family, f, id=f.tag) for family in FAMILIES.values() for f in family.features.values()]


def suffixes(family):
    return [suffix for suffix, _ in family.columns(tuple(AGGREGATIONS)).values()]


@pytest.mark.parametrize(("family", "feature"), FEATURES)
def test_a_feature_says_what_it_is(family, feature):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", feature.tag)
    assert feature.name
    assert feature.unit, "a number without unit has the unit '1'"
    assert len(feature.definition) > 10
    assert feature.definition.endswith(".")
    assert feature.source


@pytest.mark.parametrize(("family", "feature"), FEATURES)
def test_a_feature_has_a_consensus_value_or_another_source(family, feature, reference):
    reference("ibsi/ibsi1_reference_values.csv")
    if feature.source != "IBSI 1":
        return
    for suffix in suffixes(family):
        rows = [r for r in ibsi.rows() if r["tag"].lower() == feature.tag + suffix]
        assert [r for r in rows if r["consensus_value"]], f"no consensus value for {feature.tag + suffix}"
        assert {r["ibsi_id"] for r in rows} == {feature.ibsi_id}
        assert {r["feature"] for r in rows} == {feature.name}
        assert {r["family"] for r in rows} == {family.title}


def test_no_consensus_value_is_without_its_feature(reference):
    reference("ibsi/ibsi1_reference_values.csv")
    rows = [r for r in ibsi.rows() if not r["family"].startswith("Diagnostics")]
    assert {family.title for family in FAMILIES.values()} == {r["family"] for r in rows}
    elsewhere = {f.tag for family in FAMILIES.values() for f in family.features.values() if f.source != "IBSI 1"}
    asked = {r["tag"].lower() for r in rows if r["consensus_value"]}
    assert asked == set(dictionary(EVERY)["feature"]) - elsewhere


def test_aggregations_are_named_as_in_the_table(reference):
    reference("ibsi/ibsi1_reference_values.csv")
    named = {r["tag"].lower(): r["aggregation"] for r in ibsi.rows()}
    for row in dictionary(EVERY).iter_rows(named=True):
        assert row["aggregation"] == named[row["feature"]]


def test_columns_are_unique():
    columns = dictionary(EVERY)["feature"].to_list()
    assert len(columns) == len(set(columns))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_identifiers_are_unique_within_a_family(family):
    ids = [f.ibsi_id for f in family.features.values()]
    # Two features that differ in a number only share their identifier in IBSI's table.
    assert {i for i in ids if ids.count(i) > 1} <= SHARED
    assert all(re.fullmatch(r"[0-9A-Z]{4}", i) for i in ids)
