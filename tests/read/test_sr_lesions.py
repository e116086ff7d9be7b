"""Lesion tables from structured reports."""

import polars as pl
import pytest

from radiolocus.errors import TableError
from radiolocus.read.lesion_roles import read_roles
from radiolocus.read.lesions import LesionColumns
from radiolocus.read.sdtm import read_lesion_source
from radiolocus.read.sr_lesions import read_sr_lesions
from radiolocus.response.recist11 import recist11
from sr_factory import MAXIMUM, MEAN, PEAK, group, number, report

TARGETS = LesionColumns(unsaid_kind="target")


def follow_up(folder):
    first = [
        group("L1", number("long", 3.1, "cm"), number("short", 22, "mm"), uid="1.1", site="Liver"),
        group("N1", number("short", 18, "mm"), number("long", 30, "mm"), uid="1.2", site="Axillary lymph node"),
        group("Aorta", number("diameter", 25, "mm"), uid="1.9", anatomy=True),
    ]
    second = [
        group("L1", number("long", 20, "mm"), number("volume", 4200, "mm3"), uid="1.1", site="Liver"),
        group("N1", number("short", 12, "mm"), number("long", 20, "mm"), uid="1.2", site="Axillary lymph node"),
    ]
    third = [*second, group("L2", number("long", 14, "mm"), uid="1.3", site="Lung")]
    for name, groups, date in (("a", first, "20200101"), ("b", second, "20200226"), ("c", third, "20200422")):
        report(folder / f"{name}.dcm", groups, date=date, reader="R1")


def test_reports_become_lesions_and_calls(tmp_path):
    follow_up(tmp_path)
    found = read_sr_lesions(tmp_path, TARGETS)
    frame = found.table.frame
    base = frame.filter(pl.col("day") == 0).sort("lesion")
    assert base.select("lesion", "kind", "node", "diameter_mm").rows() == [
        ("L1", "target", False, 31.0),
        ("N1", "target", True, 18.0),
    ]
    assert base["perpendicular_mm"].to_list() == [22.0, None]
    assert frame["day"].unique().sort().to_list() == [0, 56, 112]
    assert frame.filter(pl.col("lesion") == "L2")["kind"].to_list() == ["new"]
    assert frame.filter((pl.col("lesion") == "L1") & (pl.col("day") == 56))["volume_ml"].to_list() == [4.2]
    assert any("1 measurement groups of normal anatomy" in p.got for p in found.table.problems)
    calls = recist11(frame).timepoints
    assert calls["sum_mm"].to_list() == [49.0, 32.0, 32.0]
    assert calls["overall_response"].to_list() == [None, "PR", "PD"]
    assert found.measurements.filter(pl.col("column").is_null()).height == 0
    again, none = read_lesion_source(tmp_path, TARGETS)
    assert none is None
    assert again.frame.equals(frame)


def test_a_kind_that_is_said_nowhere_sets_aside_and_names_report_and_group(tmp_path):
    follow_up(tmp_path)
    (problem,) = [p for p in read_sr_lesions(tmp_path).table.problems if p.severity == "set aside"]
    assert (problem.subject, problem.where, problem.got) == ("P1", "a.dcm, group 1", "an empty kind")


def test_kinds_are_taken_from_evaluations_and_from_a_table_of_roles(tmp_path):
    said = [
        group("L1", number("long", 30, "mm"), uid="1.1", said=("Target Lesion",)),
        group("X", uid="1.2", said=("Present",)),
    ]
    report(tmp_path / "sr" / "a.dcm", said)
    roles = tmp_path / "roles.csv"
    roles.write_text("subject,lesion,kind,organ\nP1,X,non-target,bone\n")
    frame = read_sr_lesions(tmp_path / "sr", roles=read_roles(roles)).table.frame
    assert frame.select("lesion", "kind", "organ", "status").rows() == [
        ("L1", "target", None, "present"),
        ("X", "non-target", "bone", "present"),
    ]
    roles.write_text("subject,lesion,kind\nP1,X,target\nP1,X,new\n")
    with pytest.raises(TableError, match="lesion X of P1 twice"):
        read_roles(roles)
    roles.write_text("subject,lesion\nP1,X\n")
    with pytest.raises(TableError, match="no column 'kind'"):
        read_roles(roles)


def test_units_are_converted_by_their_code_and_never_guessed(tmp_path):
    numbers = [
        number("long", 0.03, "m"),
        number("volume", 3, "ml"),
        number("adc", 1.1, "10-3.mm2/s", MEAN),
        number("suv", 7.5, "{SUVbw}g/ml", PEAK),
        number("suv", 9.5, "{SUVbw}g/ml", MAXIMUM),
        number("short", 11, "furlong"),
        number("area", 3, "cm2"),
        number("diameter", None, ""),
    ]
    report(tmp_path / "a.dcm", [group("L1", *numbers, uid="1.1")])
    found = read_sr_lesions(tmp_path, TARGETS)
    row = found.table.frame.row(0, named=True)
    assert row["diameter_mm"] == pytest.approx(30.0)
    assert (row["volume_ml"], row["adc"], row["uptake"]) == (3.0, pytest.approx(1100.0), 7.5)
    assert row["perpendicular_mm"] is None
    told = [(p.got, p.severity, p.where) for p in found.table.problems]
    assert ("Short axis in 'furlong'", "no value", "a.dcm, group 1") in told
    assert ("Diameter without a number", "no value", "a.dcm, group 1") in told
    unused = found.measurements.filter(pl.col("column").is_null())
    assert unused.select("concept", "derivation").rows() == [("SUVbw", "Maximum"), ("Area", None)]


def test_a_node_measured_on_its_long_axis_alone_is_set_aside(tmp_path):
    report(tmp_path / "a.dcm", [group("N1", number("long", 30, "mm"), uid="1.1", site="Lymph node")])
    (problem,) = [p for p in read_sr_lesions(tmp_path, TARGETS).table.problems if p.severity == "set aside"]
    assert "long axis" in problem.got
    assert problem.where == "a.dcm, group 1"


def test_two_values_two_readers_and_two_lesions_of_one_name(tmp_path):
    twice = group("L1", number("long", 30, "mm"), number("long", 31, "mm"), number("volume", 1, "ml"), uid="1.1")
    report(tmp_path / "one" / "a.dcm", [twice])
    found = read_sr_lesions(tmp_path / "one", TARGETS)
    assert found.table.frame["diameter_mm"].to_list() == [None]
    assert any(p.got == "two values of Long Axis" for p in found.table.problems)
    same = [group("L1", number("long", 30 + k, "mm"), uid=f"1.{k}") for k in range(2)]
    report(tmp_path / "two" / "a.dcm", same)
    found = read_sr_lesions(tmp_path / "two", TARGETS)
    assert found.table.frame["lesion"].to_list() == ["L1 (0)", "L1 (1)"]
    assert any("tracking identifier 'L1' of 2 lesions" in p.got for p in found.table.problems)
    for k in (1, 2):
        report(tmp_path / "three" / f"{k}.dcm", [group("L1", number("long", 30 + k, "mm"), uid="1.1")], reader=f"R{k}")
    assert any("readers" in p.got for p in read_sr_lesions(tmp_path / "three", TARGETS).table.problems)
    kept = read_sr_lesions(tmp_path / "three", LesionColumns(unsaid_kind="target", keep_reader="R2"))
    assert kept.table.frame["diameter_mm"].to_list() == [32.0]


def test_time_points_name_the_visits_and_the_baseline(tmp_path):
    for k, (visit, date) in enumerate((("Screening", "20200101"), ("Baseline", "20200110"), ("Week 8", "20200306"))):
        report(tmp_path / f"{k}.dcm", [group("L1", number("long", 30, "mm"), uid="1.1", visit=visit)], date=date)
    (problem,) = [p for p in read_sr_lesions(tmp_path, TARGETS).table.problems if p.severity == "set aside"]
    assert problem.got == "a visit 9 days before baseline"
    (tmp_path / "0.dcm").unlink()
    frame = read_sr_lesions(tmp_path, TARGETS).table.frame
    assert frame.select("visit", "day").rows() == [("Baseline", 0.0), ("Week 8", 56.0)]
