"""The table of characteristics: quartiles, shares of those with a value, and what is missing."""

import polars as pl

from radiolocus.report.characteristics import characteristics
from radiolocus.report.source import Artefacts
from radiolocus.store import write_json


def test_columns_that_a_section_names_are_described(tmp_path):
    settings = {"outcome": {"clinical": ["age", "grade", "empty"]}, "link": {"covariates": ["smoker"]}}
    write_json(tmp_path / "study.json", {"settings": settings})
    frame = pl.DataFrame(
        {
            "subject": [f"s{i}" for i in range(11)],
            "grade": [None, *"aabbbccccc"],
            "age": [float(v) for v in range(10)] + [None],
            "other": list(range(11)),
            "smoker": [0, 1] * 5 + [1],
            "empty": pl.Series([None] * 11, dtype=pl.String),
        }
    )
    table = characteristics(Artefacts(tmp_path), frame)
    assert [list(row) for row in table.rows] == [
        ["grade", "c", "5 (50 %)", "1 (9 %)"],
        ["", "b", "3 (30 %)", ""],
        ["", "a", "2 (20 %)", ""],
        ["age", "median (quartiles)", "4.50 (2.25 to 6.75)", "1 (9 %)"],
        ["smoker", "1", "6 (55 %)", "0 (0 %)"],
        ["", "0", "5 (45 %)", ""],
        ["empty", "no value", "", "11 (100 %)"],
    ]
    many = frame.with_columns(grade=pl.Series([f"g{i}" for i in range(11)]))
    assert characteristics(Artefacts(tmp_path), many).rows[8][1:3] == ["others", "3 (27 %)"]
    write_json(tmp_path / "study.json", {"settings": {}})
    assert characteristics(Artefacts(tmp_path), frame) is None
