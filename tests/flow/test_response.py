"""Responses in a study: SDTM domains in place of a lesion table, and criteria beside each other."""

import polars as pl

from flow.small_study import SmallStudy
from radiolocus.store import read_table

SECTION = '[response]\nlesions = "sdtm"\ncriterion = "irecist"\nfurther = ["recist11"]\n'


def sdtm(root, subjects, second=30):
    folder = root / "sdtm"
    folder.mkdir(exist_ok=True)
    tu = [f"{s},T01,TARGET,LIVER,1" for s in subjects]
    tr = [
        f"{s},T01,LDIAM,{size},mm,{date},{visit},V{visit}"
        for k, s in enumerate(subjects)
        for size, date, visit in ((50, "2020-01-01", 1), (second + 5 * k, "2020-03-01", 2))
    ]
    (folder / "tu.csv").write_text("\n".join(["USUBJID,TULNKID,TUSTRESC,TULOC,VISITNUM", *tu, ""]))
    (folder / "tr.csv").write_text(
        "\n".join(["USUBJID,TRLNKID,TRTESTCD,TRSTRESN,TRSTRESU,TRDTC,VISITNUM,VISIT", *tr, ""])
    )


def test_sdtm_domains_are_read_called_and_called_again_when_they_change(tmp_path):
    study = SmallStudy(tmp_path, n=4)
    study.text = study.text.partition("[imaging]")[0] + SECTION
    sdtm(tmp_path, study.subjects)
    done = study.run()
    assert done.lines[-1] == "response   4 subjects: 2 iPR, 2 iSD"
    best = read_table(done.root, "response/criteria_best")
    told = best.pivot(on="criterion", index="subject", values="best_response").rows()
    assert told == [
        (s, *words) for s, words in zip(study.subjects, [("iPR", "PR")] * 2 + [("iSD", "SD")] * 2, strict=True)
    ]
    assert read_table(done.root, "response/best")["best_response"].to_list() == ["PR", "PR", "SD", "SD"]
    page = (done.root / "report.html").read_text(encoding="utf-8")
    assert "iRECIST (immunotherapy)" in page
    assert "Swimmer plot" in page
    sdtm(tmp_path, study.subjects, second=60)
    again = study.run()
    calls = read_table(again.root, "response/criteria").filter(pl.col("criterion") == "irecist")
    assert set(calls["overall_response"].drop_nulls()) == {"iUPD"}
