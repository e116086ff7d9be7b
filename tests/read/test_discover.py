"""Images and masks are paired by pattern or by table, and nothing leaves the study."""

import polars as pl
import pytest

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.discover import by_pattern, by_table, inside, pattern_regex


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_pairs_by_subject_and_visit(tmp_path):
    _touch(tmp_path, "a/S2/v1/img.nii", "a/S2/v1/msk.nii", "a/S1/v1/img.nii", "a/S1/v1/msk.nii", "a/S1/v2/img.nii")
    found = by_pattern(tmp_path, "CT", "a/{subject}/{visit}/img.nii", "a/{subject}/{visit}/msk.nii", "1")
    assert [(u.subject, u.visit, u.roi) for u in found.units] == [("S1", "v1", "1"), ("S2", "v1", "1")]
    (problem,) = found.problems
    assert (problem.subject, problem.item, problem.got) == ("S1", "CT", "1 images and 0 masks at visit v2")


def test_brackets_in_names_are_letters_like_others(tmp_path):
    _touch(tmp_path, "set [1]/S1.nii", "set 1/S2.nii")
    assert [u.subject for u in by_pattern(tmp_path, "i", "set [1]/{subject}.nii", "set [1]/{subject}.nii").units] == [
        "S1"
    ]


def test_two_candidates_are_not_guessed(tmp_path):
    _touch(tmp_path, "S1/ct_a.nii", "S1/ct_b.nii", "S1/mask.nii")
    found = by_pattern(tmp_path, "CT", "{subject}/ct_*.nii", "{subject}/mask.nii")
    assert found.units == ()
    assert found.problems[0].got == "2 images and 1 masks"


def test_a_star_stays_in_one_name_and_two_stars_cross_folders(tmp_path):
    _touch(tmp_path, "x/y/S1.nii", "S2.nii")
    assert [u.subject for u in by_pattern(tmp_path, "i", "**/{subject}.nii", "**/{subject}.nii").units] == ["S1", "S2"]
    assert by_pattern(tmp_path, "i", "*/{subject}.nii", "*/{subject}.nii").units == ()


@pytest.mark.parametrize(
    ("pattern", "message"), [("nifti/*.nii", "no {subject}"), ("{patient}/a.nii", r"unknown placeholder \{patient\}")]
)
def test_bad_patterns_are_named(pattern, message):
    with pytest.raises(ConfigError, match=message):
        pattern_regex(pattern)


def test_repeated_placeholders_must_agree():
    regex = pattern_regex("{subject}/{subject}_ct.nii")
    assert regex.fullmatch("S1/S1_ct.nii")
    assert not regex.fullmatch("S1/S2_ct.nii")


def test_paths_stay_inside_the_study(tmp_path):
    with pytest.raises(ConfigError, match="leads out of the study"):
        inside(tmp_path, "../elsewhere.csv", "study.toml")
    with pytest.raises(ConfigError, match="leads out of the study"):
        by_pattern(tmp_path, "CT", "../{subject}.nii", "{subject}.nii")


def test_table_rows_are_checked_one_by_one(tmp_path):
    _touch(tmp_path, "i.nii", "m.nii")
    table = pl.DataFrame(
        {"subject": ["S1", "S2", None], "image": ["i.nii", "gone.nii", "i.nii"], "mask": ["m.nii", "m.nii", "m.nii"]}
    )
    found = by_table(tmp_path, "CT", table, [2, 3, 4], "images.csv")
    assert [u.subject for u in found.units] == ["S1"]
    assert [(p.subject, p.where) for p in found.problems] == [("S2", "images.csv, row 3"), (None, "images.csv, row 4")]
    with pytest.raises(TableError, match="no column 'mask'"):
        by_table(tmp_path, "CT", table.drop("mask"), [2, 3, 4], "images.csv")
