"""The command ``radiolocus recist``."""

import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.schema import TABLES

WRITTEN = (
    *("timepoints", "best", "rates", "endpoints", "endpoint_summary", "kinetics"),
    *("criteria", "criteria_best", "criteria_rates"),
)
LESIONS = """subject,visit,day,lesion,kind,organ,node,diameter_mm,reader
A,Baseline,0,T1,target,lung,no,30,R1
A,Week 8,56,T1,target,lung,no,20,R1
A,Week 16,112,T1,target,lung,no,31,R1
B,Baseline,0,T1,target,lung,no,30,R1
B,Week 8,56,T1,target,lung,no,0,R1
"""


def run(*arguments):
    return CliRunner().invoke(app, ["recist", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lesions.csv"
    path.write_text(LESIONS)
    return path


def test_calls_are_shown_with_their_reasons(table):
    shown = run(table)
    assert shown.exit_code == 0, shown.output
    assert "recist11: objective response rate 100.0 % (95 % 15.8 to 100.0 %), 2 of 2" in shown.output
    assert "A  recist11: PR  (PR at day 56 (visit Week 8); progression at day 112 (visit Week 16))" in shown.output
    assert "Week 16, day 112: sum 31 mm is +55 % and +11 mm from the nadir 20 mm: PD → PD" in shown.output
    assert "progression-free survival (all events): median 112 days" in shown.output


def test_tables_are_written(table, tmp_path):
    out = tmp_path / "out"
    done = run(table, "-c", "recist11", "-c", "irecist", "--error-mm", "1", "--draws", "5", "--out", out)
    assert done.exit_code == 0, done.output
    for name in (f"response/{n}" for n in WRITTEN):
        assert pl.read_parquet(out / f"{name}.parquet").schema == TABLES[name].schema
    best = pl.read_csv(out / "response" / "criteria_best.csv")
    assert best["best_response"].to_list() == ["PR", "CR", "iPR", "iCR"]
    assert pl.read_csv(out / "response" / "measurement_error.csv")["draws"].to_list() == [5] * 5


def test_a_subject_set_aside_is_told_and_changes_the_exit_code(table):
    table.write_text(LESIONS + "C,Baseline,0,T1,target,lung,no,-3,R1\n")
    done = run(table)
    assert done.exit_code == 3
    assert "set aside lesions.csv, row 7, C, lesion T1, visit Baseline: diameter -3 mm" in done.output
    assert "not counted, because they were set aside: 1 of 3 subjects" in done.output
    table.write_text(LESIONS)
    assert "not counted" not in run(table).output


def test_options_come_from_the_file_and_from_the_command(table, tmp_path):
    file = tmp_path / "response.toml"
    file.write_text('confirmation = true\nsd_minimum_days = 0\ncriterion = "recist11"\n')
    assert "A  recist11: SD" in run(table, "--settings", file).output
    assert "A  recist11: PR" in run(table, "--settings", file, "--no-confirmation").output
    file.write_text("confirmaton = true\n")
    wrong = run(table, "--settings", file)
    assert wrong.exit_code != 0
    assert "confirmation" in str(wrong.exception) + wrong.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-c", "recist"), "unknown response criterion 'recist'"),
        (("--reader", "A", "--reader", "B", "--reader", "C"), "3 readers to compare"),
    ],
)
def test_what_cannot_be_followed_is_refused(table, arguments, words):
    done = run(table, *arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_two_readers_are_compared(table, tmp_path):
    other = LESIONS.replace("R1", "R2").replace("20,R2", "24,R2").split("\n", 1)[1]
    table.write_text(LESIONS + other)
    assert "several readers" in run(table).output + str(run(table).exception)
    done = run(table, "--reader", "R1", "--reader", "R2", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    told = pl.read_csv(tmp_path / "out" / "response" / "readers.csv")
    bias = told.filter((pl.col("quantity") == "quantity of visits") & (pl.col("statistic") == "bias"))
    assert bias["estimate"].to_list() == [pytest.approx(-4 / 3)]


def test_sdtm_domains_are_compared_with_their_own_sums_and_responses(tmp_path, monkeypatch):
    (tmp_path / "tu.csv").write_text("USUBJID,TULNKID,TUSTRESC,TULOC,VISITNUM\n1,T01,TARGET,LIVER,1\n")
    (tmp_path / "tr.csv").write_text(
        "USUBJID,TRLNKID,TRTESTCD,TRSTRESN,TRSTRESU,TRDTC,VISITNUM,VISIT\n"
        "1,T01,LDIAM,50,mm,2020-01-01,1,BASE\n1,,SUMDIAM,50,mm,2020-01-01,1,BASE\n"
        "1,T01,LDIAM,30,mm,2020-03-01,2,W8\n1,,SUMDIAM,32,mm,2020-03-01,2,W8\n"
    )
    (tmp_path / "rs.csv").write_text(
        "USUBJID,RSTESTCD,RSSTRESC,VISITNUM,VISIT\n1,OVRLRESP,PR,2,W8\n1,TRGRESP,SD,2,W8\n"
    )
    shown = run(tmp_path)
    assert shown.exit_code == 0, shown.output
    assert "sum: 1 of 2 as the study has them" in shown.output
    assert "overall: 1 of 1 as the study has them" in shown.output
    assert "1, W8, target: PR here, SD there; by the lesions: sum 30 mm is −40 %" in shown.output
    monkeypatch.chdir(tmp_path)
    assert run(".").output == shown.output
    run(tmp_path / "tr.csv", "--out", tmp_path / "out")
    assert pl.read_csv(tmp_path / "out" / "response" / "comparison.csv").height == 4


def test_a_missing_table_is_named(tmp_path):
    done = run(tmp_path / "none.csv")
    assert "no such file or folder 'none.csv'" in str(done.exception) + done.output
