"""Responses in a study: SDTM domains in place of a lesion table, and criteria beside each other."""

import nibabel as nib
import polars as pl
import pytest

from flow.small_study import SmallStudy
from radiolocus.errors import ConfigError
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
    assert "response   4 subjects: 2 iPR, 2 iSD" in done.lines
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


DELTA = """[response]
lesions = "lesions.csv"
[response.delta]
features = ["stat_mean", "morph_volume"]
repeatability = "repeatability.csv"
"""


def follow_up(root, subjects):
    """A second visit whose image is brighter by ten, in half of the subjects by one, and lesions with volumes."""
    rows, lesions = [], []
    for k, s in enumerate(subjects):
        image = nib.load(root / f"images/{s}/ct.nii.gz")
        brighter = image.get_fdata() + (10.0 if k % 2 else 1.0)
        nib.save(nib.Nifti1Image(brighter, image.affine), root / f"images/{s}/ct2.nii.gz")
        rows += [f"{s},images/{s}/ct{n}.nii.gz,images/{s}/mask.nii.gz,{v}" for n, v in (("", "baseline"), (2, "w8"))]
        lesions += [f"{s},baseline,0,T1,target,liver,30,10,8", f"{s},w8,56,T1,target,liver,20,4,{4 + k}"]
    (root / "images.csv").write_text("\n".join(["subject,image,mask,visit", *rows, ""]))
    header = "subject,visit,day,lesion,kind,organ,diameter_mm,volume_ml,uptake"
    (root / "lesions.csv").write_text("\n".join([header, *lesions, ""]))
    (root / "repeatability.csv").write_text(
        "measure,repeatability_coefficient,scale\nstat_mean,5,absolute\nuptake,20,percent\n"
    )


def test_change_between_visits_stands_beside_its_repeatability(tmp_path):
    study = SmallStudy(tmp_path, n=6)
    images = 'image = "images/{subject}/ct.nii.gz"\nmask = "images/{subject}/mask.nii.gz"\n'
    study.text = study.text.replace(images, 'table = "images.csv"\n') + DELTA
    follow_up(tmp_path, study.subjects)
    done = study.run()
    changes = read_table(done.root, "response/delta")
    brighter = changes.filter(pl.col("measure") == "stat_mean").sort("subject")
    assert brighter["absolute"].round(6).to_list() == [1.0, 10.0] * 3
    assert brighter["beyond_noise"].to_list() == [False, True] * 3
    assert brighter["day"].unique().to_list() == [56.0]
    assert set(changes["measure"]) == {"stat_mean", "morph_volume", "volume", "uptake"}
    assert changes.filter(pl.col("measure") == "volume")["relative"].unique().to_list() == [-60.0]
    calls = read_table(done.root, "response/function")
    assert calls["function"].to_list() == ["response", "response", "stable", "stable", "stable", "stable"]
    worth = read_table(done.root, "response/delta_features")
    assert worth.filter(pl.col("measure") == "stat_mean").select("beyond", "n").row(0) == (3, 6)
    page = (done.root / "report.html").read_text(encoding="utf-8")
    assert "Change between visits" in page
    (tmp_path / "repeatability.csv").write_text("measure,repeatability_coefficient\nstat_mean,50\n")
    again = read_table(study.run().root, "response/delta")
    assert not again.filter(pl.col("measure") == "stat_mean")["beyond_noise"].any()
    study.text = study.text.replace('features = ["stat_mean", "morph_volume"]', "days = { a = 3 }")
    with pytest.raises(ConfigError, match="the baseline at day 0"):
        study.run()
