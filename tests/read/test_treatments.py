"""Tables of treatments: both layouts, and every mistake with its row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from radiolocus.errors import FormatError
from radiolocus.read.treatments import Condition, read_treatments

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "treatments.csv"
ROW = {
    "marker": '["hot:EGFR", "EGFR"]', "when": '"present"', "tumour": '"lung"', "treatment": '"osimertinib"',
    "effect": '"sensitivity"', "evidence": '"trial"', "source": '"Soria 2018"', "doi": '"10.1056/NEJMoa1713137"',
    "date": "2026-11-01",
}  # fmt: skip


def toml(folder, *rows, head='version = "1"\ndate = 2026-11-01\n'):
    text = head
    for row in rows:
        text += "[[treatment]]\n" + "".join(f"{k} = {v}\n" for k, v in row.items() if v is not None)
    path = folder / "treatments.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(FormatError) as raised:
        read_treatments(path)
    assert raised.value.where == path.name
    return raised.value.got


def test_the_example_holds_what_it_should():
    table = read_treatments(EXAMPLE)
    assert (table.version, table.date) == ("example 1", dt.date(2026, 11, 1))
    named = " ".join(m for row in table.rows for m in row.markers)
    for word in ("EGFR", "ALK", "KRAS G12C", "MSI-H", "TMB-H", "PD-L1", "BRCA1", "BRCA2", "HRD", "IDH", "MGMT"):
        assert word in named
    assert all(row.doi and row.pmid for row in table.rows)
    levels = {row.markers[0]: (row.when.sign, row.when.level, row.unit) for row in table.rows}
    assert levels["pdl1_tps"] == (">=", 50.0, "%")
    assert levels["hrd_sum"] == (">=", 42.0, "")


def test_both_layouts_say_the_same(tmp_path):
    table = read_treatments(toml(tmp_path, ROW, ROW | {"when": '">= 1e1"', "unit": '"%"'}))
    assert table.rows[0].markers == ("hot:EGFR", "EGFR")
    assert table.rows[1].when == Condition(">= 1e1", ">=", 10.0)
    rest = "lung,osimertinib,sensitivity,trial,Soria 2018,10.1056/NEJMoa1713137,2026-11-01"
    lines = [
        "version,released,marker,when,unit,tumour,treatment,effect,evidence,source,doi,date",
        f"1,2026-11-01,hot:EGFR|EGFR,present,,{rest}",
        f",,hot:EGFR|EGFR,>= 1e1,%,{rest}",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    found = read_treatments(tmp_path / "t.csv")
    assert (found.version, found.date, found.rows) == (table.version, table.date, table.rows)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"doi": None}, "treatment 1: no doi, pmid or url"),
        ({"doi": '"https://10.1/x"'}, "treatment 1: doi 'https://10.1/x'; allowed: 10.NNNN/..., without https"),
        ({"pmid": '"PMID 1"'}, "treatment 1: pmid 'PMID 1'; allowed: digits"),
        ({"url": '"javascript:alert(1)"'}, "treatment 1: url 'javascript:alert(1)'; allowed: https://..."),
        ({"when": '"G12"'}, "treatment 1: when 'G12'; allowed: present, absent, or a comparison such as '>= 10'"),
        ({"effect": '"good"'}, "treatment 1: effect 'good'; allowed: sensitivity, resistance, no benefit, prognosis"),
        ({"evidence": '"blog"'}, "treatment 1: evidence 'blog'; allowed: guideline, label, trial, retrospective"),
        ({"tumour": '""'}, "treatment 1: no tumour"),
        ({"date": '"yesterday"'}, "treatment 1: date: 'yesterday' is no date; allowed: YYYY-MM-DD"),
        ({"treatmnt": '"x"'}, "treatment 1: unknown key 'treatmnt' (did you mean 'treatment'?)"),
        ({"marker": '["A", "A"]'}, "treatment 1: marker is empty or named twice"),
    ],
)  # fmt: skip
def test_a_row_with_a_mistake_is_refused(tmp_path, change, got):
    assert refused(toml(tmp_path, ROW | change)) == got


def test_all_mistakes_are_told_at_once(tmp_path):
    got = refused(toml(tmp_path, ROW | {"doi": None}, ROW | {"effect": '"good"'}, head="date = 2026-11-01\n"))
    assert "version: missing" in got
    assert "treatment 1: no doi" in got
    assert "treatment 2: effect 'good'" in got


def test_a_row_that_stands_twice_is_refused(tmp_path):
    assert refused(toml(tmp_path, ROW, ROW)) == "treatment 2: the same as treatment 1"


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("version = ", "not valid TOML"),
        ('version = "1"\ndate = 2026-01-01\n', "no treatment"),
        ('vresion = "1"\n', "unknown key 'vresion'"),
        ("treatment = 3\n", "treatment that is no list of tables"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, got):
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    assert refused(tmp_path / "t.toml").startswith(got)


@pytest.mark.parametrize(
    ("lines", "got"),
    [
        (["marker,when", "A,present"], "columns marker, when"),
        (["version,released,marker", "1,2026-01-01"], "row 1 with another number of cells than columns"),
        (["version,released,marker", "1,2026-01-01,A", "2,2026-01-01,B"], "several versions in one table"),
    ],
)
def test_a_csv_that_is_no_table_is_refused(tmp_path, lines, got):
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    assert refused(tmp_path / "t.csv") == got


@pytest.mark.parametrize(
    ("sign", "held"),
    [("present", [False, True, False]), ("absent", [True, False, False]), (">=", [False, True, True]),
     (">", [False, False, True]), ("<=", [True, True, False]), ("<", [True, False, False]),
     ("=", [False, True, False])],
)  # fmt: skip
def test_conditions(sign, held):
    assert [Condition(sign, sign, 1.0).holds(v) for v in (0.0, 1.0, 2.0)] == held
