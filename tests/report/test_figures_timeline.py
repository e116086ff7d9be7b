"""The course of one patient."""

import polars as pl
import pytest

from radiolocus.report.figures_timeline import TRACKS, rank_subjects, timeline
from radiolocus.report.sections_follow_up import changes, timelines
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table


def rows(name, *given):
    schema = TABLES[name].schema
    return pl.DataFrame([{c: row.get(c) for c in schema} for row in given], schema=schema)


@pytest.fixture
def tables():
    visit = {"subject": "A", "criterion": "recist11", "quantity": "sum of diameters, mm", "new_lesion": False}
    blood = {"subject": "A", "variants": 2, "limit": 0.001, "mean_lower": 0.01, "mean_upper": 0.03}
    change = {"subject": "A", "image": "lesions", "roi": "", "measure": "uptake"}
    clone = {"subject": "A", "clone": "C1", "lower": 0.4, "upper": 0.6}
    return {
        "response/criteria": rows(
            "response/criteria",
            visit | {"visit": "b", "day": 0.0, "value": 50.0},
            visit | {"visit": "w8", "day": 56.0, "value": 30.0, "overall_response": "PR"},
            visit | {"visit": "w16", "day": 112.0, "value": None, "overall_response": "PD", "new_lesion": True},
            visit | {"subject": "B", "visit": "b", "day": 0.0, "value": 20.0},
            visit | {"subject": "B", "visit": "w8", "day": 56.0, "value": 20.0, "overall_response": "SD"},
            visit | {"subject": "D", "visit": "b", "day": 0.0, "value": 20.0},
        ),
        "response/delta": rows("response/delta", change | {"day": 56.0, "relative": -40.0}),
        "response/ctdna": rows(
            "response/ctdna",
            blood | {"sample": "s0", "day": 0.0, "mean_vaf": 0.02, "detected": 2},
            blood | {"sample": "s1", "day": 60.0, "mean_vaf": 0.0, "detected": 0, "mean_lower": 0.0},
            blood | {"sample": "s2", "day": 120.0, "mean_vaf": 0.02, "detected": 1, "resistance": "EGFR T790M"},
        ),
        "response/clones": rows(
            "response/clones",
            clone | {"sample": "t0", "day": 0.0, "cancer_cell_fraction": 0.5},
            clone | {"sample": "t1", "day": 100.0, "cancer_cell_fraction": 0.5},
        ),
        "response/treatments": rows(
            "response/treatments",
            {"subject": "A", "line": "1", "treatment": "drug", "start": -7.0, "end": 110.0},
            {"subject": "A", "line": "2", "treatment": "other drug", "start": 115.0, "end": None},
        ),
    }


def axes_of(drawn):
    return {a.get_title(loc="left"): a for a in drawn.figure.axes}


def test_every_table_is_a_track_over_the_same_days(tables):
    drawn = timeline("A", tables)
    tracks = axes_of(drawn)
    assert list(tracks) == list(TRACKS.values())
    assert {tuple(a.get_xlim()) for a in tracks.values()} == {tuple(drawn.figure.axes[0].get_xlim())}
    assert tracks["scans and calls"].get_xlim()[0] <= -7
    words = [t.get_text() for t in tracks["scans and calls"].texts]
    assert words == ["PR", "PD"]
    assert [t.get_text() for t in tracks["function"].texts] == ["uptake"]
    assert [t.get_text() for t in tracks["circulating tumour DNA"].texts] == ["EGFR T790M"]
    assert [t.get_text() for t in tracks["treatment"].texts] == ["1: drug", "2: other drug"]
    assert "Patient A: scans and calls, function" in drawn.caption


def test_what_was_not_detected_stands_hollow_at_the_limit(tables):
    (points,) = axes_of(timeline("A", tables))["circulating tumour DNA"].collections[-1:]
    assert points.get_offsets()[:, 1].tolist() == [0.02, 0.001, 0.02]
    white = [tuple(color[:3]) == (1.0, 1.0, 1.0) for color in points.get_facecolors()]
    assert white == [False, True, False]


def test_tracks_without_rows_are_left_out_and_nobody_is_drawn_without_a_call(tables):
    assert list(axes_of(timeline("B", tables))) == ["scans and calls"]
    assert timeline("C", tables) is None
    assert timeline("D", tables) is None
    assert rank_subjects(tables) == ["A", "B"]
    assert rank_subjects({}) == []


def test_the_sections_hold_what_the_tables_say(tables, tmp_path):
    for name, table in tables.items():
        write_table(tmp_path, name, table)
    told = {"image": "lesions", "roi": "", "measure": "uptake", "visit": "w8", "day": 56.0, "n": 9}
    worth = rows(
        "response/delta_features",
        told | {"beyond": 7, "share_beyond": 7 / 9, "share_lower": 0.45, "changes": True},
        told | {"measure": "adc"},
    )
    write_table(tmp_path, "response/delta_features", worth)
    write_json(tmp_path / "study.json", {"settings": {"response": {"criterion": "recist11"}}})
    section = timelines(Artefacts(tmp_path))
    assert [b.kind for b in section.blocks] == ["figure", "figure"]
    section = changes(Artefacts(tmp_path))
    assert section.verdict == [
        "2 measures at two visits or more; of 1 with known repeatability 1 change by more than noise in more subjects "
        "than chance brings"
    ]
    assert "No repeatability is known for 1 of 2" in section.blocks[0].text
    assert [row[-1] for row in section.blocks[1].rows] == ["yes", "not known"]


def test_a_study_without_changes_has_no_sections(tmp_path):
    assert changes(Artefacts(tmp_path)) is None
    assert timelines(Artefacts(tmp_path)) is None
