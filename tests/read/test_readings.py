import numpy as np
import polars as pl
import pytest

from radiolocus.errors import TableError
from radiolocus.read.markers import read_markers
from radiolocus.read.readings import READINGS, read_reading

NAN = np.nan


def read(name, *cells):
    return read_reading(pl.Series("m", cells, pl.String), range(2, 2 + len(cells)), "t.csv", name)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("tps", {"<1%": (0.5, 0), "0": (0, 0), "1 %": (1, 1), "49": (49, 1), "50%": (50, 2), "1-49%": (NAN, 1),
                 ">=50%": (NAN, 2), "≥ 50 %": (NAN, 2), "<50": (NAN, NAN), ">90": (NAN, 2), "100": (100, 2)}),
        ("cps", {"<1": (0.5, 0), "9.9": (9.9, 1), "10": (10, 2), "1-9": (NAN, 1), "5–20": (NAN, NAN)}),
        ("ki67", {"<1%": (0.5, NAN), "14": (14, NAN)}),
        ("her2", {"0": (0, 0), "1+": (1, 1), "2+": (2, 2), "3+": (3, 3), "3": (3, 3)}),
        ("msi", {"MSI-H": (1, 1), "MSS": (0, 0), "msi low": (0, 0), "dMMR": (1, 1), "pMMR": (0, 0)}),
        ("mgmt", {"Methylated": (1, 1), "unmethylated": (0, 0), "Non-methylated": (0, 0)}),
        ("idh", {"Mutant": (1, 1), "WT": (0, 0), "wild-type": (0, 0), "1": (1, 1), "R132H": (1, 1),
                 "IDH1 R132H": (1, 1), "IDH1 p.R132C": (1, 1), "idh2 R172K": (1, 1), "IDH2-mutant": (1, 1)}),
        ("1p19q", {"codel": (1, 1), "1p/19q co-deleted": (1, 1), "non-codel": (0, 0), "intact": (0, 0)}),
        ("receptor", {"positive": (1, 1), "-": (0, 0), "<1%": (0, 0), "90%": (1, 1)}),
    ],
)  # fmt: skip
def test_cells(name, cells):
    found = read(name, *cells)
    np.testing.assert_array_equal(found.values, [v for v, _ in cells.values()])
    np.testing.assert_array_equal(found.grades, [g for _, g in cells.values()])


def test_what_cannot_be_read_is_named_by_its_row():
    assert np.isnan(read("idh", "WT", "IDH1 R172K").values[1])  # a residue of the other gene
    found = read("tps", "5", "101", "about 5", None, "-3")
    assert np.isnan(found.values[1:]).all()
    assert [p.where for p in found.notes] == [f"t.csv, row {r}, column 'm'" for r in (3, 4, 6)]
    assert all(p.severity == "no value" and "<1 %" in p.allowed for p in found.notes)
    with pytest.raises(TableError, match=r"no cell that is a msi \('maybe'"):
        read("msi", None, "maybe")
    with pytest.raises(TableError, match=r"reading 'tsp'.*did you mean 'tps'"):
        read("tsp", "1")


def test_what_was_made_of_bounds_and_intervals_is_said():
    told = [p.got for p in read("tps", "<1%", "<1%", "1-49%", "7").notes]
    assert told == [
        "marker 'm': 2 cells below a bound count as half of it",
        "marker 'm': 1 cells are intervals, with a grade but no number",
    ]


def test_readings_in_a_table(tmp_path):
    (tmp_path / "ihc.csv").write_text("id,PD-L1,MSI\nA,<1%,MSS\nB,60%,MSI-H\nC,1-49%,?\n")
    found = read_markers(tmp_path / "ihc.csv", readings={"PD-L1": "tps", "MSI": "msi"})
    columns = {c.name: c for c in found.columns}
    assert {n: c.kind for n, c in columns.items()} == {
        "PD-L1": "continuous", "PD-L1 grade": "ordinal", "MSI": "binary",
    }  # fmt: skip
    np.testing.assert_array_equal(columns["PD-L1"].values, [0.5, 60, NAN])
    np.testing.assert_array_equal(columns["PD-L1 grade"].values, [0, 2, 1])
    np.testing.assert_array_equal(columns["MSI"].values, [0, 1, NAN])
    assert columns["PD-L1"].unit == "%"
    assert "Reck" in columns["PD-L1"].definition


def test_every_reading_says_what_it_is_and_its_words_exclude_each_other():
    for reading in READINGS.values():
        assert reading.definition
        assert not set(reading.present) & set(reading.absent)
