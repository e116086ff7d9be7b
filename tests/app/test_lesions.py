"""The command ``radiolocus lesions``."""

import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from response.test_measured import A, scan
from sr_factory import group, number, report


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_from_masks_to_calls(tmp_path):
    scan(tmp_path, "base", {1: (A, 31)})
    scan(tmp_path, "w8", {1: (A, 19)})
    rows = ["subject,visit,day,image,mask,modality,unit"]
    rows += [f"P1,{v},{d},{v}.nii.gz,{v}_mask.nii.gz,CT,HU" for v, d in (("base", 0), ("w8", 56))]
    (tmp_path / "scans.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "lesions.csv"
    unsaid = run("lesions", tmp_path / "scans.csv", "--out", out)
    assert unsaid.exit_code == 0, unsaid.output
    assert "1 subjects, 0 of whom can be called" in unsaid.output
    assert "an empty kind" in unsaid.output
    done = run("lesions", tmp_path / "scans.csv", "--unsaid-kind", "target", "--out", out)
    assert "2 rows of 1 subjects, 1 of whom can be called" in done.output
    shown = run("recist", out)
    assert "P1  recist11: PR" in shown.output


def test_from_reports(tmp_path):
    sr = tmp_path / "sr"
    for k, (size, date) in enumerate(((30, "20200101"), (40, "20200226"))):
        report(sr / f"{k}.dcm", [group("L1", number("long", size, "mm"), uid="1.1")], date=date, reader="R1")
    (sr / "readme.txt").write_text("x")
    (tmp_path / "roles.csv").write_text("subject,lesion,kind\nP1,L1,target\nP1,l2,new\n")
    out = tmp_path / "lesions.csv"
    done = run("lesions", sr, "--roles", tmp_path / "roles.csv", "--reader", "R1", "--out", out)
    assert done.exit_code == 0, done.output
    assert "roles.csv, P1, lesion l2: a role (new) of a lesion that was not measured" in done.output
    assert "no structured report (not DICOM): left out" in done.output
    assert pl.read_csv(out)["diameter_mm"].to_list() == [30.0, 40.0]
    assert pl.read_csv(tmp_path / "lesions_measurements.csv")["unit"].to_list() == ["mm", "mm"]
    assert "P1  recist11: PD" in run("recist", out).output
    damaged = sr / "2.dcm"
    damaged.write_bytes((sr / "1.dcm").read_bytes()[:500])
    assert run("lesions", sr, "--unsaid-kind", "target", "--out", out).exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv",), "no such file or folder 'none.csv'"),
        (("scans.csv", "--gone", "lost"), "gone 'lost'"),
        (("scans.csv", "--reader", "R1"), "--reader R1 for a table of scans"),
        (("scans.csv", "--out", "lesions.parquet"), "a name that ends in .csv"),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans.csv").write_text("subject,visit,day,image,mask\n")
    scan(tmp_path, "base", {1: (A, 31)})
    (tmp_path / "scans.csv").write_text("subject,visit,day,image,mask\nP1,b,0,base.nii.gz,base_mask.nii.gz\n")
    done = run("lesions", *arguments)
    assert done.exit_code != 0
    assert words in done.output + str(done.exception)


def test_scans_of_which_none_can_be_read_are_told_in_one_line(tmp_path):
    (tmp_path / "scans.csv").write_text("subject,visit,day,image,mask\nP1,b,0,base.nii.gz,base_mask.nii.gz\n")
    done = run("lesions", tmp_path / "scans.csv", "--out", tmp_path / "lesions.csv")
    assert done.exit_code == 1
    told = str(done.exception)
    assert "no lesion could be measured; scans.csv, row 2, P1: base.nii.gz and base_mask.nii.gz not there" in told
    assert not (tmp_path / "lesions.csv").exists()
