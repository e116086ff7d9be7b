"""Tables in the order of the subjects, and the feature table spread to one row a subject."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.cohort import align, phenotype_matrix
from radiolocus.errors import TableError


def _features(rows):
    return pl.DataFrame(
        rows, ["subject", "image", "visit", "roi", "modality", "stat_max", "cm_joint_max_3d_avg"], orient="row"
    )


def test_align_orders_and_leaves_gaps_null():
    frame = pl.DataFrame({"subject": ["b", "a", "z"], "x": [1, 2, 3]})
    assert align(frame, ["a", "c", "b"]).rows() == [("a", 2), ("c", None), ("b", 1)]
    with pytest.raises(TableError, match=r"1 subjects with several rows \(first 'a'\)"):
        align(pl.DataFrame({"subject": ["a", "a"]}), ["a"])


def test_names_are_short_when_nothing_repeats():
    matrix, names = phenotype_matrix(
        _features([("b", "PET", "", "GTV", "PT", 2.0, 0.2), ("a", "PET", "", "GTV", "PT", 1.0, 0.1)]), ["a", "c", "b"]
    )
    assert matrix.columns == ["subject", "PET:stat_max", "PET:cm_joint_max_3d_avg"]
    assert matrix.rows() == [("a", 1.0, 0.1), ("c", None, None), ("b", 2.0, 0.2)]
    assert names.rows()[0] == ("PET:stat_max", "PET", "", "GTV", "stat_max")


def test_region_and_visit_stand_in_the_name_only_where_the_image_has_several():
    rows = [
        ("a", "PET", "v1", "GTV", "PT", 1.0, None),
        ("a", "PET", "v2", "GTV", "PT", 2.0, None),
        ("a", "PET", "v10", "GTV", "PT", 3.0, None),
        ("a", "CT", "v1", "GTV", "CT", 4.0, 0.4),
        ("b", "CT", "v1", "node", "CT", 5.0, 0.5),
        ("a", "MR", None, "GTV", "MR", 6.0, 0.6),
    ]
    matrix, names = phenotype_matrix(_features(rows), ["a", "b"])
    assert matrix.columns == [
        "subject",
        "CT:GTV:stat_max",
        "CT:GTV:cm_joint_max_3d_avg",
        "CT:node:stat_max",
        "CT:node:cm_joint_max_3d_avg",
        "MR:stat_max",
        "MR:cm_joint_max_3d_avg",
        "PET@v1:stat_max",
        "PET@v2:stat_max",
        "PET@v10:stat_max",
    ]
    assert matrix["CT:node:stat_max"].to_list() == [None, 5.0]
    assert names["predictor"].to_list() == matrix.columns[1:]
    both, _ = phenotype_matrix(_features([("a", "P", v, r, "PT", 1.0, 1.0) for v in "12" for r in "xy"]), ["a"])
    assert both.columns[1] == "P:x@1:stat_max"


def test_no_row_and_a_row_too_many():
    matrix, names = phenotype_matrix(_features([]), ["a"])
    assert matrix.columns == ["subject"]
    assert names.height == 0
    with pytest.raises(TableError, match="features of PET"):
        phenotype_matrix(_features([("a", "PET", "", "", "PT", 1.0, 1.0)] * 2), ["a"])
