"""Bad lesion tables as a user meets them at the command line: set aside by name, the others go on."""

import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app

HEAD = "subject,visit,day,lesion,kind,organ,node,diameter_mm,status,axis,reader,unit,death_day,perpendicular_mm\n"
GOOD = "OK,Baseline,0,T1,target,lung,no,30,,,,mm,,\nOK,W8,56,T1,target,lung,no,15,,,,mm,,\n"
BASE = "A,Baseline,0,T1,target,lung,no,30,,,,mm,,"
NEXT = "A,W8,56,T1,target,lung,no,20,,,,mm,,"
# What is wrong: lines of subject A, row of the file, lesion, visit, words of the message.
BAD = {
    "a visit before baseline": ([BASE, NEXT, "A,Scan,-7,T1,target,lung,no,9,,,,mm,,"], 6, "T1", "Scan", "7 days"),
    "two baselines": ([BASE, NEXT, "A,Baseline,9,T1,target,lung,no,31,,,,mm,,"], 4, "T1", "Baseline", "two baselines"),
    "a target without baseline": ([BASE, NEXT, "A,W8,56,T2,target,liver,no,9,,,,mm,,"], 6, "T2", "W8", "without base"),
    "a lesion that changes organ": ([BASE, NEXT.replace("lung", "liver")], 4, "T1", "Baseline", "whose organ changes"),
    "units mixed": ([BASE, NEXT.replace("mm", "cm")], 4, "T1", "Baseline", "mixed units"),
    "a node on its long axis": (
        ["A,Baseline,0,N1,target,neck,yes,30,,long,,mm,,", "A,W8,56,N1,target,neck,yes,20,,,,mm,,"],
        4, "N1", "Baseline", "long axis",
    ),
    "a negative size": ([BASE, NEXT.replace(",20,", ",-20,")], 5, "T1", "W8", "diameter -20 mm"),
    "an impossible size": ([BASE, NEXT.replace(",20,", ",2000,")], 5, "T1", "W8", "diameter 2000 mm"),
    "a size that is no number": ([BASE, NEXT.replace(",20,", ",2 cm,")], 5, "T1", "W8", "diameter '2 cm'"),
    "two readers": (
        [BASE.replace(",mm,", "R1,mm,"), NEXT.replace(",mm,", "R2,mm,")], 4, "T1", "Baseline", "several readers",
    ),
    "a visit twice": ([BASE, NEXT, NEXT], 5, "T1", "W8", "twice at one visit"),
    "two visits on a day": (
        [BASE, NEXT, "A,W9,56,T1,target,lung,no,20,,,,mm,,"], 5, "T1", "W8", "two visits on the same day",
    ),
    "a new lesion without date": ([BASE, NEXT, "A,W16,,X,new,liver,no,9,,,,mm,,"], 6, "X", "W16", "an empty day"),
    "a visit after death": ([BASE, NEXT.replace(",mm,,", ",mm,40,")], 5, "T1", "W8", "16 days after death"),
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize("case", BAD)
def test_a_bad_subject_is_set_aside_by_name_and_the_others_go_on(tmp_path, case):
    lines, row, lesion, visit, words = BAD[case]
    path = tmp_path / "lesions.csv"
    path.write_text(HEAD + GOOD + "\n".join(lines) + "\n")
    (tmp_path / "options.toml").write_text('[columns]\nunit = "unit"\n')
    done = run("recist", path, "--settings", tmp_path / "options.toml")
    assert done.exit_code == 3, done.output
    (told,) = [line for line in done.output.splitlines() if line.startswith("set aside") and words in line]
    assert f"lesions.csv, row {row}, A, lesion {lesion}, visit {visit}:" in told
    assert "not counted, because they were set aside: 1 of 2 subjects" in done.output
    assert "OK  recist11: PR" in done.output
    assert "A  recist11" not in done.output


def test_a_long_axis_is_seen_beside_its_perpendicular(tmp_path):
    path = tmp_path / "lesions.csv"
    node = "A,Baseline,0,N1,target,neck,yes,30,,,,mm,,18\nA,W8,56,N1,target,neck,yes,20,,,,mm,,12\n"
    path.write_text(HEAD + GOOD + node)
    done = run("recist", path, "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert (
        "A, lesion N1, visit Baseline: a nodal target whose diameter, 30 mm, is longer than its perpendicular"
        in done.output
    )
    assert pl.read_csv(tmp_path / "out/response/best.csv")["subject"].to_list() == ["OK"]


@pytest.mark.parametrize(
    ("criterion", "code", "told"),
    [
        ("recist11", 3, "drug went on 114 days beyond progression (day 56); visits after it were set aside: W16, W24"),
        # Beyond an unconfirmed progression treatment is what iRECIST is for; here none is ever confirmed.
        ("irecist", 0, ""),
    ],
)
def test_therapy_after_progression(tmp_path, criterion, code, told):
    path = tmp_path / "lesions.csv"
    sizes = {"Baseline,0": 30, "W8,56": 40, "W16,112": 25, "W24,168": 20}
    rows = [f"A,{visit},T1,target,lung,no,{size},,,,mm,," for visit, size in sizes.items()]
    path.write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "lines.csv").write_text("subject,treatment,start,end\nA,drug,1,170\n")
    done = run("response", path, "-c", criterion, "--treatments", tmp_path / "lines.csv", "--out", tmp_path / "out")
    assert done.exit_code == code, done.output
    problems = pl.read_csv(tmp_path / "out/problems.csv").filter(pl.col("where") == "lines.csv")
    assert problems.select("subject", "item", "got").rows() == ([("A", "visit W16, W24", told)] if told else [])


def test_visits_under_another_treatment_are_left_out_by_name(tmp_path):
    path = tmp_path / "lesions.csv"
    head = HEAD.replace("death_day", "new_therapy_day")
    path.write_text(head + GOOD.replace("mm,,", "mm,60,") + "OK,W16,112,T1,target,lung,no,30,,,,mm,60,\n")
    done = run("recist", path)
    assert "lesions, OK, visit W16: 1 visits after the start of another treatment at day 60 left out" in done.output


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("subject,visit,day,lesion,kind,diameter\n", "no unit for the column 'diameter'"),
        ("subject,visit,day,lesion,diameter_mm\n", "no column 'kind'"),
    ],
)
def test_a_table_that_says_too_little_is_refused(tmp_path, head, words):
    path = tmp_path / "lesions.csv"
    path.write_text(head + ",".join("1" * head.count(",")) + ",1\n")
    done = run("recist", path)
    assert done.exit_code not in (0, 3)
    assert words in str(done.exception) + done.output
