"""Change between visits as a block of predictors: counted from the visit, in a run and in a locked model."""

import nibabel as nib
import numpy as np
import polars as pl
import pytest

from flow.small_study import OUTCOME, SmallStudy
from radiolocus.outcome.blocks import target_of
from radiolocus.pipeline.finished import open_run
from radiolocus.pipeline.locking import lock_run, predictions, validate_run
from radiolocus.store import read_table

RESPONSE = """[response]
lesions = "lesions.csv"
[response.endpoints]
pfs = "progression-free survival"
[response.ctdna]
table = "ctdna.csv"
[response.delta]
features = ["stat_mean", "morph_volume"]
"""
ASKED = 'endpoints = ["os", "pfs"]\nmodels = ["ridge"]\nunivariate_bootstrap = 20\n'
DELTA = '[outcome.delta]\nvisit = "week 8"\nchange = "log_ratio"\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Thirty subjects, two images each; the change of the image tells when they progress and die after it."""
    study = SmallStudy(tmp_path_factory.mktemp("delta") / "study", n=30)
    rng = np.random.default_rng(2)
    change = rng.normal(0, 0.3, study.n)
    rows, lesions = [], []
    after = np.round(rng.exponential(250 * np.exp(-3 * change)))
    for k, s in enumerate(study.subjects):
        image = nib.load(study.root / f"images/{s}/ct.nii.gz")
        nib.save(nib.Nifti1Image(image.get_fdata() * np.exp(change[k]), image.affine), study.root / f"images/{s}/b.nii")
        files = (("ct.nii.gz", "baseline"), ("b.nii", "week 8"))
        rows += [f"{s},images/{s}/{name},images/{s}/mask.nii.gz,{v}" for name, v in files]
        size = [(0, "baseline", 30.0), (50 + k % 9, "week 8", 30.0 * np.exp(change[k] / 4))]
        size += [(56 * j, f"week {8 * j}", 60.0 if after[k] < 56 * (j - 1) else 30.0) for j in (2, 3, 4, 5)]
        lesions += [f"{s},{v},{d},T1,target,liver,{x:.2f}" for d, v, x in size]
    (study.root / "images.csv").write_text("\n".join(["subject,image,mask,visit", *rows, ""]))
    (study.root / "lesions.csv").write_text(
        "\n".join(["subject,visit,day,lesion,kind,organ,diameter_mm", *lesions, ""])
    )
    early = np.where(np.arange(study.n) % 10 == 0, 30.0, 60 + after)
    study.clinical = study.clinical.with_columns(
        months=pl.Series((early / 30.4375).round(3)), dead=pl.Series(["yes"] * study.n)
    )
    images = 'image = "images/{subject}/ct.nii.gz"\nmask = "images/{subject}/mask.nii.gz"\n'
    study.text = study.text.replace(images, 'table = "images.csv"\n') + RESPONSE + OUTCOME + ASKED + DELTA
    return study, study.run("delta")


def test_the_block_is_judged_from_the_visit_on(run):
    study, done = run
    told = read_table(done.root, "outcome/performance")
    rows = {(r["endpoint"], r["predictors"]): r for r in told.to_dicts()}
    assert rows["os", "imaging"]["n"] == rows["os", "clinical"]["n"] == 30
    assert rows["os", "delta"]["n"] == rows["os", "all"]["n"] == 27  # three died on day 30
    assert rows["os", "delta"]["estimate"] > 0.6
    marks = read_table(done.root, "outcome/landmark").sort("endpoint")
    assert marks.select("endpoint", "known", "before", "n", "earliest", "latest").rows()[0] == ("os", 30, 3, 27, 50, 58)
    alone = read_table(done.root, "outcome/univariate").filter(endpoint="os", block="delta")
    assert set(alone["predictor"]) == {
        "CT:ROI@week 8:stat_mean:log_ratio",
        "ctdna@week 8:mean_vaf:log_ratio",
        "recist11@week 8:size:log_ratio",
    } | ({"CT:ROI@week 8:morph_volume:log_ratio"} & set(alone["predictor"]))
    assert len(study.subjects) == 30


def test_features_of_later_visits_do_not_predict_from_baseline(run):
    study, done = run
    names = read_table(done.root, "outcome/univariate").filter(block="imaging")["predictor"].to_list()
    assert "CT:stat_mean" in names
    assert not [name for name in names if "@" in name]
    told = [p for p in study.problems(done) if p["item"] == "week 8" and p["stage"] == "outcome"]
    assert "do not predict what is counted from baseline" in told[0]["got"]


def test_the_page_says_from_when_time_counts(run):
    page = (run[1].root / "report.html").read_text(encoding="utf-8")
    assert "Counted from the visit" in page
    assert "3 had the endpoint by then" in page


def test_a_locked_model_of_change_counts_from_the_visit(run):
    _, done = run
    model = lock_run(done.root, "os", "delta", "ridge")
    assert model.patients == 27
    frame = open_run(done.root).predictors(())["delta"]
    assert predictions(model, frame, [3.0])[0].height == 30
    found, notes = validate_run(model, done.root, "os", [3.0])
    assert found.filter(pl.col("metric").str.contains("Harrell"))["estimate"][0] > 0.6
    assert any("3 subjects left out: the endpoint was there at the visit" in note for note in notes)


def test_times_are_those_of_the_visit(run):
    _, done = run
    finished = open_run(done.root)
    known, _ = target_of(finished.endpoints()["os"])
    later, _, _ = finished.landmark().of(known)
    months = dict(zip(known.subject, known.target.time, strict=True))
    days = read_table(done.root, "response/delta").filter(visit="week 8").group_by("subject").agg(pl.col("day").max())
    for subject, time in zip(later.subject, later.target.time, strict=True):
        day = days.filter(subject=subject)["day"][0]
        assert time == pytest.approx(months[subject] - day / (365.25 / 12))


def test_a_visit_or_measure_that_is_not_there_is_named(run, tmp_path):
    study, _ = run
    before = study.text
    for wrong, said in (('visit = "week 9"', "did you mean 'week 8'"), ('measures = ["stat_men"]', "stat_mean")):
        study.text = before.replace('visit = "week 8"', wrong if "visit" in wrong else f'visit = "week 8"\n{wrong}')
        done = study.run("wrong")
        line = next(line for line in done.lines if line.startswith("outcome"))
        assert "did not run" in line
        assert said in line
    study.text = before
