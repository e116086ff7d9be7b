"""Tables of treatments."""

import pytest

from radiolocus.errors import TableError
from radiolocus.read.therapy_lines import read_therapy_lines


def test_lines_are_read_and_what_cannot_be_is_named(tmp_path):
    table = tmp_path / "treatments.csv"
    table.write_text(
        "subject,line,treatment,start,end\n"
        "B,1,A drug,0,\nA,2,Second,100,150\nA,1,First,-7,90\nA,1,First,-7,80\nA,3,Third,200,190\n"
        "A,4,Fourth,soon,190\n,1,First,0,1\nC,1,First,0,never\n"
    )
    found = read_therapy_lines(table)
    assert found.frame.rows() == [
        ("A", "1", "First", -7.0, 90.0),
        ("A", "2", "Second", 100.0, 150.0),
        ("B", "1", "A drug", 0.0, None),
    ]
    assert [(p.where.split(", ")[1], p.got) for p in found.problems] == [
        ("row 5", "the same treatment from the same day twice"),
        ("row 6", "an end (day 190) before the start (day 200)"),
        ("row 7", "days 'soon' to '190'"),
        ("row 8", "no subject or no treatment"),
        ("row 9", "days '0' to 'never'"),
    ]


def test_a_line_need_not_be_named_and_the_days_must(tmp_path):
    table = tmp_path / "treatments.csv"
    table.write_text("subject,treatment,start,end\nA,x,0,3\n")
    assert read_therapy_lines(table).frame["line"].to_list() == [None]
    table.write_text("subject,treatment,start\nA,x,0\n")
    with pytest.raises(TableError, match="no column 'end'"):
        read_therapy_lines(table)
