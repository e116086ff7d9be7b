"""Perturbed copies, retests and negative controls through a whole study."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from flow.small_study import MOLECULAR, OUTCOME, SmallStudy
from naive.agreement import icc
from radiolocus.app.check import check_study
from radiolocus.config import StudyError, load_study
from radiolocus.store import read_json, read_table

FAMILIES = 'families = ["intensity"]\n'
PERTURB = "[imaging.perturb]\ntranslation = [0.25]\nnoise = 1\nvolume = [-0.2, 0.2]\nseed = 3\n"
CONTROLS = 'controls = ["shuffled", "outside", "volume"]\n'
GLCM = 'families = ["intensity", "glcm"]\n'


def _study(root, n=12, text=""):
    (root / "study").mkdir()
    study = SmallStudy(root / "study", n=n)
    study.text = study.text.replace('families = ["morphology", "intensity"]\n', FAMILIES)
    study.text += text
    return study


def _with_controls(study, families=FAMILIES):
    study.text = study.text.replace(FAMILIES, families + CONTROLS)
    return study


def _bytes(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def perturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("perturbed")
    study = _with_controls(_study(root, text=PERTURB))
    return study, study.run()


def test_every_copy_has_a_row_and_every_feature_its_agreement(perturbed):
    _, finished = perturbed
    rows = read_table(finished.root, "features/perturbed")
    assert rows.height == 12 * 2
    assert rows["copy"].unique().sort().to_list() == [
        "translation 0.25, noise 1, volume +20 %",
        "translation 0.25, noise 1, volume -20 %",
    ]
    found = read_table(finished.root, "features/repeatability")
    assert set(found["source"]) == {"perturbation"}
    assert found["n_repeats"].unique().to_list() == [2]
    by = rows.sort("subject", "copy")
    for feature in ("stat_mean", "stat_max", "stat_var"):
        table = by[feature].to_numpy().reshape(12, 2).tolist()
        row = found.row(by_predicate=pl.col("feature") == feature, named=True)
        one, three = icc(table)
        assert [row[f"icc_1_1{e}"] for e in ("", "_lower", "_upper")] == pytest.approx(one, rel=1e-9)
        assert [row[f"icc_3_1{e}"] for e in ("", "_lower", "_upper")] == pytest.approx(three, rel=1e-9)
        assert row["n_subjects"] == 12


def test_workers_and_interruptions_change_no_byte(perturbed, tmp_path):
    study, finished = perturbed
    whole = _bytes(finished.root)
    assert _bytes(study.run("two", jobs=2).root) == whole
    part = finished.root.parent / "two"
    units = sorted((part / "features" / ".units").glob("*.zip"))
    assert len(units) == 12 * 4  # the image, its copies, and two controls that need an image
    for unit in units[::3]:
        unit.unlink()
    (part / "features" / "manifest.json").unlink()
    assert _bytes(study.run("two").root) == whole


def test_other_copies_do_not_measure_the_images_again(perturbed):
    study, _ = perturbed
    first = study.run("again").root
    before = {p.name: p.stat().st_mtime_ns for p in (first / "features/.units").iterdir()}
    one = read_table(first, "features/perturbed")
    text = study.text
    study.text = text.replace("seed = 3", "seed = 4")
    second = study.run("again").root
    study.text = text
    after = {p.name: p.stat().st_mtime_ns for p in (second / "features/.units").iterdir()}
    same = [name for name in before if after.get(name) == before[name]]
    assert len(same) == 12 * 3
    assert (one["stat_mean"] != read_table(second, "features/perturbed")["stat_mean"]).all()


def test_controls_are_rows_of_their_own(perturbed):
    study, finished = perturbed
    rows = read_table(finished.root, "features/controls")
    features = read_table(finished.root, "features/features").sort("subject")
    assert rows.group_by("control").len().sort("control").rows() == [("outside", 12), ("shuffled", 12), ("volume", 12)]
    for control in ("shuffled", "outside"):
        mine = rows.filter(control=control).sort("subject")
        np.testing.assert_allclose(mine["stat_mean"], features["stat_mean"], rtol=1e-6)
    volume = rows.filter(control="volume").sort("subject")
    wanted = [(study.picture(i)[1] > 0).sum() * 12 / 1000 for i in range(12)]
    assert volume["volume_ml"].to_list() == pytest.approx(wanted)
    assert volume["stat_mean"].null_count() == 12


def test_the_report_tells_what_agreed(perturbed):
    page = (perturbed[1].root / "report.html").read_text(encoding="utf-8")
    assert "Repeatability of the features" in page
    assert "necessary and not sufficient" in page
    assert "McGraw" in page
    assert "Welch" in page


def test_the_original_may_be_one_of_the_copies(tmp_path):
    study = _study(tmp_path, n=5, text="[imaging.perturb]\nnoise = 1\noriginal = true\n")
    root = study.run().root
    row = read_table(root, "features/repeatability").row(by_predicate=pl.col("feature") == "stat_mean", named=True)
    copies = [read_table(root, t).sort("subject")["stat_mean"] for t in ("features/features", "features/perturbed")]
    assert row["n_repeats"] == 2
    assert row["icc_1_1"] == pytest.approx(icc(np.column_stack(copies).tolist())[0][0], rel=1e-9)


def _retest(tmp_path, n=8, text=""):
    study = _study(tmp_path, n=n, text=text)
    study.text = study.text.replace("images/{subject}/", "images/{subject}/{visit}/")
    rng = np.random.default_rng(3)
    for i, subject in enumerate(study.subjects):
        image, mask = study.picture(i)
        for visit in ("a", "b"):
            study.image(f"{subject}/{visit}", image + rng.normal(0, 1, image.shape).astype(np.float32), mask)
    study.text += '[imaging.retest]\nvisits = ["a", "b"]\n'
    return study


def test_a_retest_tells_agreement_and_is_no_further_phenotype(tmp_path):
    study = _retest(tmp_path, n=24, text=MOLECULAR)
    root = study.run().root
    found = read_table(root, "features/repeatability")
    assert set(found.select("source", "visit", "n_repeats", "n_subjects").unique().rows()) == {("retest", "a", 2, 24)}
    rows = read_table(root, "features/features").sort("subject", "visit")
    table = rows["stat_mean"].to_numpy().reshape(24, 2).tolist()
    row = found.row(by_predicate=pl.col("feature") == "stat_mean", named=True)
    assert row["icc_3_1"] == pytest.approx(icc(table)[1][0], rel=1e-9)
    names = read_table(root, "link/link")["feature"].unique()
    assert "CT:stat_mean" in names
    assert not [n for n in names if "@" in n]
    assert read_table(root, "link/link")["n"].max() == 24


def test_subjects_without_a_retest_are_told_and_stay_in_the_study(tmp_path):
    study = _retest(tmp_path)
    for name in ("ct", "mask"):
        (study.root / "images" / "S03" / "b" / f"{name}.nii.gz").unlink()
    root = study.run().root
    found = read_table(root, "features/repeatability")
    assert found.select("n_subjects", "n_incomplete").unique().rows() == [(7, 1)]
    assert read_table(root, "features/features").height == 15


def test_a_visit_that_nobody_has_is_told(tmp_path):
    study = _retest(tmp_path)
    study.text = study.text.replace('["a", "b"]', '["a", "retest"]')
    mistakes = [str(m) for m in check_study(load_study(study.file())).mistakes]
    assert any("visit 'retest' of the retest was found for nobody" in m and "a, b" in m for m in mistakes), mistakes


@pytest.mark.parametrize(("by", "column"), [("lower", "icc_1_1_lower"), ("estimate", "icc_1_1")])
def test_a_demand_leaves_out_what_is_below_it_by_name(tmp_path, by, column):
    study = _study(tmp_path, n=24, text=PERTURB + MOLECULAR)
    table = read_table(study.run().root, "features/repeatability")
    least = round(table[column].quantile(0.4), 3)
    study.text = study.text.replace("[link]\n", f'[link]\nicc_min = {least}\nicc_by = "{by}"\n')
    finished = study.run()
    kept = {f"CT:{f}" for f in table.filter(pl.col(column) >= least)["feature"]}
    out = {f"CT:{f}" for f in table["feature"]} - kept
    assert kept
    assert out
    assert set(read_table(finished.root, "link/link")["feature"]) == kept
    told = read_table(finished.root, "problems").filter(pl.col("got").str.starts_with("imaging feature not analysed"))
    assert set(told["item"]) == out
    assert set(told["stage"]) == {"link"}
    assert any(f"{len(out)} imaging features left out by icc_min" in line for line in finished.lines)
    assert "imaging feature not analysed" in (finished.root / "report.html").read_text(encoding="utf-8")


def test_a_demand_that_nothing_can_answer_is_a_mistake_of_the_study_file(tmp_path):
    study = _study(tmp_path, n=4, text=MOLECULAR.replace("[link]\n", "[link]\nicc_min = 0.8\n"))
    with pytest.raises(StudyError) as error:
        load_study(study.file())
    assert "link.icc_min" in str(error.value)
    assert "[imaging.perturb] or [imaging.retest]" in str(error.value)


def test_a_demand_that_no_feature_meets_ends_the_stage_and_says_so(tmp_path):
    text = PERTURB + MOLECULAR.replace("[link]\n", "[link]\nicc_min = 0.999999\n")
    finished = _study(tmp_path, n=6, text=text).run()
    why = read_json(finished.root, "study.json")["stages"]["link"]["why"]
    assert "reaches icc_min = 0.999999" in why
    assert "features/repeatability.csv" in why


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[imaging.perturb]\nnoise = 1\n", "imaging.perturb", "two or more"),
        ('[imaging.perturb]\nnoise = 2\nimages = ["PET"]\n', "imaging", "perturb.images names 'PET'"),
        ("[imaging.perturb]\nnoise = 2\nrotate = [3.0]\n", "imaging.perturb.rotate", "unknown key"),
        ('[imaging.retest]\nvisits = ["a"]\n', "imaging.retest", "two visits or more"),
        ("[outcome]\nicc_min = 1.5\n", "outcome", "icc_min = 1.5"),
        ('[outcome]\nicc_min = 0.5\nicc_by = "upper"\n', "outcome.icc_by", "lower"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, text, where, what):
    study = _study(tmp_path, n=3, text=text)
    with pytest.raises(StudyError) as error:
        load_study(study.file())
    assert any(where in m.where and what in m.what for m in error.value.mistakes), error.value.mistakes


def test_an_unknown_control_is_a_mistake(tmp_path):
    study = _study(tmp_path, n=3)
    study.text = study.text.replace(FAMILIES, FAMILIES + 'controls = ["scrambled"]\n')
    with pytest.raises(StudyError) as error:
        load_study(study.file())
    assert "shuffled" in str(error.value)


def test_a_copy_that_cannot_be_measured_is_told_and_its_image_stays(tmp_path):
    study = _study(tmp_path, n=4, text="[imaging.perturb]\nvolume = [0.1, 0.2]\n")
    image, mask = study.picture(1)
    study.image("S02", image, np.ones_like(mask))  # nowhere to grow
    finished = study.run()
    assert read_table(finished.root, "features/features").height == 4
    assert read_table(finished.root, "features/perturbed").height == 6
    told = [p for p in study.problems(finished) if "could not be measured" in p["got"]]
    assert {(p["subject"], p["severity"]) for p in told} == {("S02", "note")}
    assert len(told) == 2
    assert finished.set_aside == 0
    assert read_table(finished.root, "features/repeatability")["n_subjects"].unique().to_list() == [3]


def test_an_image_that_cannot_be_read_is_told_once(tmp_path):
    study = _with_controls(_study(tmp_path, n=4, text=PERTURB))
    (study.root / "images" / "S02" / "ct.nii.gz").write_bytes(b"nothing")
    told = [p for p in study.problems(study.run()) if p["subject"] == "S02"]
    assert len(told) == 1
    assert told[0]["severity"] == "set aside"


@pytest.mark.slow
def test_a_signal_of_texture_does_not_survive_shuffling(tmp_path):
    # Who relapses has smooth tumours; histogram, shape and volume are the same in all.
    study = _with_controls(_study(tmp_path, n=40, text=OUTCOME + "endpoints = ['relapse']\n"), GLCM)
    rng = np.random.default_rng(5)
    relapse = rng.permutation(["yes", "no"] * 20)
    study.clinical = study.clinical.with_columns(pl.Series("relapse", relapse))
    for subject, answer in zip(study.subjects, relapse, strict=True):
        image = rng.normal(50, 10, (12, 11, 8)).astype(np.float32)
        mask = np.zeros(image.shape, np.uint8)
        mask[3:9, 3:8, 2:6] = 1
        if answer == "yes":
            image[mask > 0] = np.sort(image[mask > 0])
        study.image(subject, image, mask)
    finished = study.run()
    table = read_table(finished.root, "outcome/performance")
    found = dict(table.select("predictors", "estimate").iter_rows())
    assert found["imaging"] > 0.9
    assert found["control: outside"] > 0.9
    assert found["control: shuffled"] < 0.75
    assert set(found) == {"clinical", "imaging", "all", "control: shuffled", "control: outside", "control: volume"}
    lower = dict(table.select("predictors", "lower").iter_rows())
    assert lower["control: shuffled"] < 0.5
    univariate = read_table(finished.root, "outcome/univariate")
    assert not univariate["block"].str.starts_with("control").any()
    assert "Negative controls" in (finished.root / "report.html").read_text(encoding="utf-8")
