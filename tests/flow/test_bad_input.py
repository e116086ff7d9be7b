"""Bad input: each case is told with what was got, what is allowed and what to do, and never ends the study."""

import gzip

import numpy as np
import polars as pl
import pytest

from flow.small_study import AFFINE, GENETICS, GENOTYPING, MOLECULAR, OUTCOME, RESPONSE, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import load_study
from radiolocus.errors import InputError, StoreError
from radiolocus.store import read_json, read_table


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    return SmallStudy(tmp_path / "study", n=12)


def _told(study, finished, subject, **like):
    rows = [p for p in study.problems(finished) if p["subject"] == subject and p["severity"] != "note"]
    rows = [p for p in rows if all(text in (p[key] or "") for key, text in like.items())]
    assert rows, [p for p in study.problems(finished) if p["severity"] != "note"]
    return rows[0]


def _measured(finished):
    return set(read_table(finished.root, "features/features")["subject"])


def test_one_subject_of_each_kind_is_set_aside_and_the_others_go_on(study):
    image, mask = study.picture(0)
    shifted = AFFINE.copy()
    shifted[0, 3] = 4.0
    study.image("S01", image, mask, shifted)
    study.image("S02", image, np.zeros_like(mask))
    one = np.zeros_like(mask)
    one[5, 5, 4] = 1
    study.image("S03", image, one)
    for subject, value in (("S04", np.nan), ("S05", np.inf)):
        bad = image.copy()
        bad[4, 4, 3] = value
        study.image(subject, bad, mask)
    path = study.root / "images/S06/ct.nii.gz"
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    path = study.root / "images/S07/ct.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-100]))
    study.image("S08", image, np.ones_like(mask)[:, :, :-1])
    study.image("S09", np.full_like(image, 7.0), mask)
    finished = study.run()
    assert _measured(finished) == {"S03", "S09", "S10", "S11", "S12"}
    for subject, got in (
        ("S01", "4 mm apart"),
        ("S02", "no voxel"),
        ("S04", "1 NaN or infinite"),
        ("S05", "1 NaN or infinite"),
        ("S06", ""),
        ("S07", ""),
        ("S08", "shape"),
    ):
        row = _told(study, finished, subject, got=got)
        assert row["severity"] == "set aside"
        assert row["allowed"] or row["todo"], row
    for subject, item in (("S03", "stat_skew"), ("S09", "stat_skew")):
        assert _told(study, finished, subject, item=item)["severity"] == "no value"
    values = read_table(finished.root, "features/features").filter(pl.col("subject") == "S03").row(0, named=True)
    assert values["stat_skew"] is None
    assert values["stat_mean"] is not None
    assert finished.set_aside == 7
    numbers = read_table(finished.root, "features/features").select(pl.selectors.numeric())
    assert numbers.fill_null(0.0).to_numpy().astype(float).sum() < np.inf


def test_strict_stops_at_the_first(study):
    image, mask = study.picture(0)
    study.image("S02", image, np.zeros_like(mask))
    with pytest.raises(InputError, match="S02"):
        study.run(strict=True)


def test_a_truncated_bed_ends_genetics_and_nothing_else(study):
    study.text += GENETICS + RESPONSE
    bed = study.root / "geno.bed"
    bed.write_bytes(bed.read_bytes()[:-7])
    finished = study.run()
    (row,) = [p for p in study.problems(finished) if p["stage"] == "genetics"]
    assert "geno.bed" in row["where"] + row["got"]
    assert row["todo"]
    stages = read_json(finished.root, "study.json")["stages"]
    assert stages["genetics"]["ran"] is False
    assert stages["response"]["ran"] is True
    assert finished.set_aside == 1


def test_a_bed_that_disagrees_with_its_fam(study):
    study.text += GENETICS
    fam = study.root / "geno.fam"
    fam.write_text("".join(fam.read_text().splitlines(keepends=True)[:-5]))
    finished = study.run()
    (row,) = [p for p in study.problems(finished) if p["stage"] == "genetics"]
    assert "bytes" in row["got"]
    assert "7" in row["got"] + row["allowed"]


def test_duplicate_subject_ids_are_named_with_their_rows(study):
    study.clinical = pl.concat([study.clinical, study.clinical[2:3].with_columns(age=pl.lit(99, pl.Int64))])
    finished = study.run()
    row = _told(study, finished, "S03")
    assert "4" in row["got"] + row["where"]
    assert "14" in row["got"] + row["where"]
    assert "S03" not in set(read_table(finished.root, "cohort/subjects")["subject"])


def test_an_id_in_one_table_only_is_told(study):
    study.clinical = study.clinical[:-1]
    finished = study.run()
    membership = read_table(finished.root, "cohort/membership")
    assert membership.filter(pl.col("raw_id") == "S12")["status"].to_list() == ["not in cohort"]
    assert "S12" not in _measured(finished)


def test_text_negative_time_and_missing_time(study):
    study.clinical = study.clinical.with_columns(
        pl.Series("months", ["-3", "n.d. (lost)", "?", *map(str, study.clinical["months"][3:])])
    )
    finished = study.run()
    assert "-3" in _told(study, finished, "S01")["got"]
    assert any("lost" in p["got"] for p in study.problems(finished))
    ends = read_table(finished.root, "cohort/endpoints").filter(pl.col("endpoint") == "os")
    assert ends.filter(pl.col("time").is_null())["subject"].to_list() == ["S01", "S02", "S03"]


def test_an_endpoint_without_events_and_a_constant_feature(study):
    study.text += OUTCOME
    study.clinical = study.clinical.with_columns(pl.lit("no").alias("dead"))
    finished = study.run()
    told = [p for p in study.problems(finished) if p["stage"] == "outcome" and "os" in (p["item"] or "") + p["got"]]
    assert any("event" in p["got"] for p in told), study.problems(finished)
    constant = [p for p in study.problems(finished) if "one value" in p["got"] or "constant" in p["got"]]
    assert constant


def test_an_unknown_clinical_column_is_suggested(study):
    study.text += OUTCOME.replace('"age"', '"agee"')
    found = check_study(load_study(study.file()))
    assert any("unknown clinical column 'agee'" in str(m) and "'age'" in str(m) for m in found.mistakes)


def test_a_missing_endpoint_column_hides_no_other_mistake(study):
    study.text = study.text.replace('"months"', '"month"', 1).replace('event = "relapse"', 'event = "relapsed"')
    study.text += OUTCOME.replace('"age"', '"agee"')
    text = "\n".join(map(str, check_study(load_study(study.file())).mistakes))
    assert "cohort.endpoints.os.time: no column 'month'" in text
    assert "cohort.endpoints.relapse.event: no column 'relapsed'" in text
    assert "did you mean 'months'?" in text
    assert "unknown clinical column 'agee'" in text


def test_check_lists_all_mistakes_of_the_data_at_once(study):
    study.text += GENETICS + MOLECULAR
    (study.root / "images/S04/mask.nii.gz").unlink()
    (study.root / "images/S05/ct.nii.gz").write_bytes(b"not an image")
    shifted = AFFINE.copy()
    shifted[0, 3] = 4.0
    study.image("S06", *study.picture(0), shifted)
    bed = study.root / "geno.bed"
    bed.write_bytes(b"no" + bed.read_bytes()[2:])
    (study.root / "markers.csv").unlink()
    found = check_study(load_study(study.file()))
    text = "\n".join(map(str, found.mistakes))
    for piece in ("S04, CT: 1 images and 0 masks", "S05, CT", "S06, CT", "4 mm apart", "geno.bed", "markers.csv"):
        assert piece in text, text


def test_another_studys_folder_is_not_overwritten_without_fresh(study, tmp_path):
    study.run()
    before = (tmp_path / "out/study.json").read_bytes()
    study.text = study.text.replace('name = "small"', 'name = "other"')
    with pytest.raises(StoreError, match=r"another study \('small', this one is 'other'\).*--fresh"):
        study.run()
    assert (tmp_path / "out/study.json").read_bytes() == before
    study.run(fresh=True)
    assert read_json(tmp_path / "out", "study.json")["name"] == "other"


def test_visit_and_region_of_a_problem_are_told(study):
    for i, subject in enumerate(study.subjects):
        for visit in ("v1", "v2"):
            image, mask = study.picture(i)
            study.image(f"{subject}/{visit}", image, mask * (0 if (i, visit) == (2, "v2") else 2))
    study.text = study.text.replace("{subject}/", "{subject}/{visit}/") + 'roi = "2"\n'
    finished = study.run()
    assert read_table(finished.root, "features/features").height == 2 * 12 - 1
    assert _told(study, finished, "S03")["where"] == "visit v2, region 2, mask.nii.gz"


def test_numbers_and_text_in_one_predictor_are_told(study):
    ages = [f"{a}y" if i % 3 == 0 else str(a) for i, a in enumerate(study.clinical["age"])]
    study.clinical = study.clinical.with_columns(pl.Series("age", ages))
    study.text += OUTCOME
    (note,) = [n for n in check_study(load_study(study.file())).notes if "in one column" in n]
    assert "age, cohort.columns.age: 8 numbers and 4 texts (" in note
    assert "what to do: correct the cells, or declare" in note
    study.text += '[cohort.columns.age]\ntype = "number"\n'
    assert not [n for n in check_study(load_study(study.file())).notes if "in one column" in n]


def test_who_needs_markers_says_that_the_molecular_stage_failed(study):
    study.text += MOLECULAR + GENOTYPING
    (study.root / "markers.csv").write_text("id,egfr\nS01\n")
    finished = study.run()
    why = read_json(finished.root, "study.json")["stages"]
    cause = why["molecular"]["why"]
    assert "markers.csv" in cause
    for stage in ("link", "genotyping"):
        assert why[stage]["ran"] is False
        assert "the molecular stage failed: " in why[stage]["why"]
        assert "markers.csv" in why[stage]["why"]
        (problem,) = [p for p in study.problems(finished) if p["stage"] == stage]
        assert problem["got"].startswith("the molecular stage failed: ")
    assert why["features"]["ran"] is True
