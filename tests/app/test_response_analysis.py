"""The commands ``radiolocus response`` and ``radiolocus demo-response``."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from flow.small_study import OUTCOME, RESPONSE, SmallStudy
from radiolocus.app.cli import app
from radiolocus.schema import TABLES
from radiolocus.store import read_table
from sr_factory import group, number, report

HEAD = "subject,visit,day,lesion,kind,organ,diameter_mm,uptake\n"
LESIONS = HEAD + (
    "A,Baseline,0,T1,target,lung,30,9\nA,Week 8,56,T1,target,lung,20,5\nA,Week 16,112,T1,target,lung,31,9.5\n"
    "B,Baseline,0,T1,target,lung,30,8\nB,Week 8,56,T1,target,lung,0,\n"
)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lesions.csv"
    path.write_text(LESIONS)
    return path


def test_a_table_becomes_tables_a_report_and_courses(table, tmp_path):
    (tmp_path / "lines.csv").write_text("subject,line,treatment,start,end\nA,1,drug,1,150\nC,1,drug,1,120\nA,2,x,9,1\n")
    (tmp_path / "rc.csv").write_text("measure,repeatability_coefficient,scale\nuptake,20,percent\nuptke,9,percent\n")
    out = tmp_path / "out"
    done = run(
        "response", table, "-c", "recist11", "-c", "irecist", "--treatments", tmp_path / "lines.csv",
        "--repeatability", tmp_path / "rc.csv", "--timelines", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "A  recist11: PR" in done.output
    assert "2 courses" in done.output
    for name in ("criteria", "best", "kinetics", "delta", "delta_features", "function", "treatments"):
        frame = read_table(out, f"response/{name}")
        assert frame.schema == TABLES[f"response/{name}"].schema
        assert frame.height
    assert read_table(out, "response/treatments").rows() == [("A", "1", "drug", 1.0, 150.0)]
    calls = read_table(out, "response/function").filter(pl.col("subject") == "A")
    assert calls["function"].to_list() == ["response", "progression"]
    assert (out / "timelines" / "A.svg").read_text().startswith("<?xml")
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("Treatment response", "Change between visits", "Courses of patients", "lines of treatment"):
        assert words in page
    problems = pl.read_csv(out / "problems.csv")
    assert "an end (day 1) before the start (day 9)" in problems["got"].to_list()
    unknown = "lines of treatment left out: 1, of a subject unknown to the lesion table: 'C'"
    assert unknown in problems["got"].to_list()
    assert f"lines.csv: {unknown}" in done.output
    assert "repeatability of 'uptke', which nothing measures" in problems["got"].to_list()
    assert "drug went on 38 days beyond progression (day 112)" in problems["got"].to_list()


def test_results_of_a_whole_run_are_not_taken_away(tmp_path):
    (tmp_path / "s").mkdir()
    study = SmallStudy(tmp_path / "s", n=4)
    study.text += RESPONSE
    stages = {"response": {"ran": True}, "features": {"ran": True}, "link": {"ran": True}, "deep": {"ran": False}}
    (tmp_path / "study.json").write_text(json.dumps({"stages": stages}))
    done = run("response", study.file(), "--out", tmp_path)
    assert done.exit_code == 2
    assert "the folder holds results of link, which this command would remove" in done.output


def test_a_study_file_runs_the_parts_of_response_alone(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=4)
    study.text += RESPONSE + OUTCOME
    out = tmp_path / "out"
    done = run("response", study.file(), "--out", out, "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert "response   4 subjects" in done.output
    assert "outcome" not in done.output
    assert json.loads((out / "study.json").read_text())["stages"]["features"]["ran"]
    refused = run("response", study.file(), "-c", "irecist", "--out", out)
    assert refused.exit_code == 2
    assert "--criterion beside a study file" in refused.output
    study.text = study.text.partition("[response]")[0]
    assert "no section [response]" in run("response", study.file(), "--out", tmp_path / "other").output


def test_reports_of_a_trial_and_its_own_domains(tmp_path):
    sr = tmp_path / "sr"
    for k, (size, day) in enumerate(((30, "20200101"), (15, "20200226"))):
        report(sr / f"{k}.dcm", [group("L1", number("long", size, "mm"), uid="1.1", said=("Target",))], date=day)
    done = run("response", sr, "--out", tmp_path / "one")
    assert "P1  recist11: PR" in done.output, done.output
    sdtm = tmp_path / "sdtm"
    sdtm.mkdir()
    (sdtm / "tu.csv").write_text("USUBJID,TULNKID,TUSTRESC,TULOC,VISITNUM\n1,T01,TARGET,LIVER,1\n")
    (sdtm / "tr.csv").write_text(
        "USUBJID,TRLNKID,TRTESTCD,TRSTRESN,TRSTRESU,TRDTC,VISITNUM,VISIT\n"
        "1,T01,LDIAM,50,mm,2020-01-01,1,BASE\n1,T01,LDIAM,30,mm,2020-03-01,2,W8\n"
    )
    (sdtm / "rs.csv").write_text("USUBJID,RSTESTCD,RSSTRESC,VISITNUM,VISIT\n1,OVRLRESP,SD,2,W8\n")
    done = run("response", sdtm, "--out", tmp_path / "two")
    assert done.exit_code == 0, done.output
    told = read_table(tmp_path / "two", "response/comparison")
    assert told.select("ours", "theirs", "agree").rows() == [("PR", "SD", False)]
    assert "Where they differ (1)" in (tmp_path / "two" / "report.html").read_text(encoding="utf-8")


def test_what_needs_a_study_is_refused_and_what_is_set_aside_is_told(table, tmp_path):
    for text, words in (
        ('clones = { table = "samples.csv" }', "clones beside a table"),
        ('ctdna = { table = "ctdna.csv" }', "name the table with --ctdna"),
    ):
        (tmp_path / "s.toml").write_text(f"{text}\n")
        refused = run("response", table, "--settings", tmp_path / "s.toml", "--out", tmp_path / "out")
        assert refused.exit_code == 2
        assert words in refused.output
    table.write_text(LESIONS + "C,Baseline,0,T1,target,lung,-3,\n")
    assert run("response", table, "--out", tmp_path / "out").exit_code == 3


def test_the_simulated_study_is_called_as_it_is(tmp_path):
    done = run("demo-response", "--subjects", "12", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    same, of = done.output.partition(" best responses are")[0].splitlines()[-1].split(" of ")
    assert int(of) == 12
    assert int(same) >= 10
    delta = read_table(tmp_path / "results", "response/delta")
    assert set(delta["measure"]) == {"uptake", "volume"}
    assert "Courses of patients" in (tmp_path / "results" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("asked", "leading", "told"),
    [
        (("recist11", "choi"), "recist11", "criterion 'choi' cannot be followed: no column density_hu"),
        (("choi", "recist11"), "recist11", "end points and figures follow recist11"),
        (("rano", "lugano", "irecist"), "irecist", "no column deauville or perpendicular_mm"),
    ],
)
def test_a_criterion_that_lacks_a_column_does_not_stop_the_others(table, tmp_path, asked, leading, told):
    done = run("response", table, *(word for name in asked for word in ("-c", name)), "--out", tmp_path / "out")
    assert done.exit_code == 3, done.output
    assert set(pl.read_csv(tmp_path / "out/response/criteria_best.csv")["criterion"]) == {leading}
    assert set(pl.read_csv(tmp_path / "out/response/endpoints.csv")["criterion"]) == {leading}
    problems = pl.read_csv(tmp_path / "out/problems.csv").filter(pl.col("severity") == "set aside")
    assert any(told in f"{p['got']} {p['todo']}" for p in problems.iter_rows(named=True))
    assert "Waterfall" in (tmp_path / "out/report.html").read_text()


def test_a_table_that_no_criterion_can_follow_is_refused(table, tmp_path):
    done = run("response", table, "-c", "choi", "--out", tmp_path / "out")
    assert done.exit_code not in (0, 3)
    assert "density_hu, which Choi" in str(done.exception) + done.output


BLOOD = (
    "subject,sample,day,gene,change,alt_reads,depth\n"
    "A,A0,0,TP53,p.R175H,100,1000\nA,A1,50,TP53,p.R175H,20,1000\nA,A2,110,TP53,p.R175H,200,1000\n"
    "D,D0,0,KRAS,p.G12D,100,1000\nD,D1,30,KRAS,p.G12D,0,1000\n"
)


def test_circulating_tumour_dna_alone_and_beside_lesions(table, tmp_path):
    (tmp_path / "blood.csv").write_text(BLOOD)
    (tmp_path / "lines.csv").write_text("subject,treatment,start,end\nA,drug,0,100\nZ,drug,0,9\n")
    alone = ("response", "--ctdna", tmp_path / "blood.csv", "--treatments", tmp_path / "lines.csv", "--timelines")
    done = run(*alone, "--out", tmp_path / "alone")
    assert done.exit_code == 0, done.output
    assert "circulating tumour DNA of 2 subjects, 5 samples" in done.output
    assert "1, of a subject unknown to the table of circulating tumour DNA: 'Z'" in done.output
    calls = read_table(tmp_path / "alone", "response/ctdna").filter(pl.col("day") > 0)
    assert calls.select("subject", "molecular_response").rows() == [
        ("A", "RESPONSE"),
        ("A", "PROGRESSION"),
        ("D", "CLEARED"),
    ]
    assert sorted(p.name for p in (tmp_path / "alone/timelines").iterdir()) == ["A.svg", "D.svg"]
    page = (tmp_path / "alone/report.html").read_text()
    assert "Courses of patients" in page
    assert "Best overall response" not in page
    (tmp_path / "found.csv").write_text(BLOOD + "A,A2,110,KRAS,p.G12D,50,1000\n")
    for absent, call in (("missing", "NE"), ("zero", "PROGRESSION")):
        asked = ("response", "--ctdna", tmp_path / "found.csv", "--ctdna-absent", absent, "--out", tmp_path / absent)
        assert run(*asked).exit_code == 0
        assert read_table(tmp_path / absent, "response/ctdna").filter(sample="A2")["molecular_response"].item() == call
    both = run("response", table, "--ctdna", tmp_path / "blood.csv", "--out", tmp_path / "both")
    assert both.exit_code == 0, both.output
    combined = read_table(tmp_path / "both", "response/combined").select("subject", "imaging", "molecular", "combined")
    assert combined.rows() == [
        ("A", "PR", "RESPONSE", "concordant"),
        ("A", "PD", "PROGRESSION", "concordant"),
    ]
    told = pl.read_csv(tmp_path / "both/problems.csv")
    assert told.filter(subject="D")["got"].to_list() == ["circulating tumour DNA without lesions"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to analyse"),
        (("--ctdna", "none.csv"), "no such file 'none.csv'"),
        (("--ctdna-absent", "zero"), "nothing to analyse"),
        (("lesions.csv", "--ctdna-absent", "zero"), "--ctdna-absent without --ctdna"),
        (("--ctdna", "none.csv", "-c", "choi"), "--criterion without lesions"),
        (("--ctdna", "none.csv", "--error-mm", "1"), "--error-mm without lesions"),
    ],
)
def test_blood_that_cannot_be_analysed_is_refused(tmp_path, arguments, words):
    done = run("response", *arguments, "--out", tmp_path / "out")
    assert done.exit_code not in (0, 3)
    assert words in str(done.exception) + done.output


def test_readers_and_measurement_error_come_into_the_report(table, tmp_path):
    head, *lines = LESIONS.strip().split("\n")
    second = [f"{line},R2".replace(",20,", ",24,") for line in lines]
    table.write_text("\n".join([f"{head},reader", *(f"{line},R1" for line in lines), *second]) + "\n")
    out = tmp_path / "out"
    done = run("response", table, "--reader", "R1", "--reader", "R2", "--error-mm", "2", "--out", out)
    assert done.exit_code == 0, done.output
    assert "readers, recist11, call of visits: observed agreement 0.67, n = 3" in done.output
    assert "an error of 2 mm keeps" in done.output
    for name in ("readers", "measurement_error"):
        assert read_table(out, f"response/{name}").schema == TABLES[f"response/{name}"].schema
    page = (out / "report.html").read_text()
    assert "Agreement of two readers" in page
    assert "What an error of 2 mm does to the calls" in page
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=4)
    (study.root / "two.csv").write_text(table.read_text().replace("\nA,", "\nS01,").replace("\nB,", "\nS02,"))
    asked = 'lesions = "two.csv"\nsecond_reader = "R2"\nerror_mm = 2.0\n[response.columns]\nkeep_reader = "R1"\n'
    study.text = study.text.split("[imaging]")[0] + "[response]\n" + asked
    made = study.run("made").root
    for name in ("readers", "measurement_error"):
        assert (
            read_table(made, f"response/{name}")
            .drop("subject", strict=False)
            .equals(read_table(out, f"response/{name}").drop("subject", strict=False))
        )
