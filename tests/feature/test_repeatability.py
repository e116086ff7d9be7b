"""The table of repeatability from tables of features."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from naive.agreement import icc
from radiolocus.errors import ConfigError
from radiolocus.feature.repeatability import RetestOptions, repeatability
from radiolocus.schema import TABLES

SUBJECTS = ["s3", "s1", "s4", "s2", "s5"]
COPIES = ["noise 1", "noise 2", "volume +10 %"]


def _features(visits=("",), images=("CT",), roi="GTV"):
    rng = np.random.default_rng(4)
    rows = [
        {"subject": s, "image": image, "visit": v, "roi": roi, "modality": "CT", "a": 10 * k + rng.normal(), "b": 7.0}
        for image in images
        for k, s in enumerate(SUBJECTS)
        for v in visits
    ]
    return pl.DataFrame(rows)


def _copies(features):
    rng = np.random.default_rng(5)
    parts = [
        features.drop("modality").with_columns(
            pl.lit(c).alias("copy"), pl.col("a") + pl.Series(rng.normal(0, 3, features.height)), pl.col("b") * 1.0
        )
        for c in COPIES
    ]
    return pl.concat(parts)


def _row(table, **key):
    found = table.filter(**key)
    assert found.height == 1
    return found.row(0, named=True)


def test_copies_are_repeats_of_their_subject_whatever_the_order_of_the_rows():
    features = _features()
    copies = _copies(features)
    table = repeatability(features, copies)
    assert table.schema == pl.Schema(TABLES["features/repeatability"].schema)
    row = _row(table, feature="a")
    wanted = copies.sort("subject", "copy")["a"].to_numpy().reshape(5, 3).tolist()
    assert row["icc_1_1"] == pytest.approx(icc(wanted)[0][0], rel=1e-10)
    assert (row["image"], row["roi"], row["visit"], row["source"]) == ("CT", "GTV", "", "perturbation")
    assert (row["n_subjects"], row["n_incomplete"], row["n_repeats"], row["reason"]) == (5, 0, 3, None)
    assert repeatability(features, copies.sample(fraction=1.0, shuffle=True, seed=1)).equals(table)


def test_a_feature_that_is_the_same_everywhere_has_no_icc_and_says_why():
    features = _features()
    row = _row(repeatability(features, _copies(features)), feature="b")
    assert row["icc_1_1"] is row["icc_1_1_lower"] is row["icc_3_1"] is row["within_subject_sd"] is None
    assert row["reason"] == "the same value in all subjects and repeats"


def test_a_subject_without_a_copy_or_a_value_leaves_that_feature():
    features = _features()
    copies = _copies(features).with_columns(
        pl.when((pl.col("subject") == "s2") & (pl.col("copy") == "noise 2")).then(None).otherwise("a").alias("a")
    )
    copies = copies.filter(~((pl.col("subject") == "s4") & (pl.col("copy") == "noise 1")))
    table = repeatability(features, copies)
    assert _row(table, feature="a")["n_subjects"] == 3
    assert _row(table, feature="a")["n_incomplete"] == 2
    assert _row(table, feature="b")["n_subjects"] == 4


def test_the_original_counts_where_it_was_perturbed():
    features = _features(images=("CT", "PT"))
    copies = _copies(features.filter(image="CT"))
    table = repeatability(features, copies, original=True)
    assert table["image"].unique().to_list() == ["CT"]
    assert table["n_repeats"].unique().to_list() == [4]


def test_a_retest_compares_visits_in_the_order_given():
    features = _features(visits=("b", "a", "later"))
    table = repeatability(features, retest=("a", "b"))
    row = _row(table, feature="a")
    wanted = features.filter(pl.col("visit") != "later").sort("subject", "visit")["a"].to_numpy().reshape(5, 2).tolist()
    assert row["icc_3_1"] == pytest.approx(icc(wanted)[1][0], rel=1e-10)
    assert (row["source"], row["visit"], row["n_repeats"]) == ("retest", "a", 2)


def test_both_sources_stand_beside_each_other_image_by_image():
    features = _features(visits=("a", "b"), images=("CT", "PT"))
    table = repeatability(features, _copies(features.filter(visit="a")), retest=("a", "b"))
    assert table.group_by("image", "visit", "source").len().sort("image", "source").rows() == [
        ("CT", "a", "perturbation", 2),
        ("CT", "a", "retest", 2),
        ("PT", "a", "perturbation", 2),
        ("PT", "a", "retest", 2),
    ]


def test_without_repeats_there_is_no_row():
    features = _features()
    assert repeatability(features).height == 0
    assert repeatability(features, _copies(features).clear()).height == 0
    assert repeatability(features, retest=("x", "y")).height == 0


@pytest.mark.parametrize("visits", [(), ("a",), ("a", "a")])
def test_a_retest_needs_two_visits(visits):
    with pytest.raises(ConfigError) as error:
        RetestOptions(visits)
    assert f"visits = {list(visits)}" in error.value.got
    assert "two visits" in error.value.allowed
