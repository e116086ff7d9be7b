"""Derived regions through a whole study: rows of their own, problems by name, nothing measured twice."""

import numpy as np
import polars as pl
import pytest
from scipy.ndimage import binary_dilation

from flow.small_study import SmallStudy
from radiolocus.app.check import check_study
from radiolocus.cohort import phenotype_matrix
from radiolocus.config import StudyError, load_study
from radiolocus.store import read_table

REGIONS = """
[[imaging.images.regions]]
name = "ring3"
kind = "ring"
distance_mm = 3.0
[[imaging.images.regions]]
name = "core2"
kind = "core"
distance_mm = 2.0
[[imaging.images.regions]]
name = "habitat"
kind = "habitats"
method = "kmeans"
"""
NAMES = ["ROI", "core2", "habitat_1", "habitat_2", "ring3"]


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    made = SmallStudy(tmp_path / "study", n=12)
    made.text += REGIONS
    return made


def _rows(finished):
    return read_table(finished.root, "features/features").sort("subject", "roi")


def test_every_region_has_a_row_with_the_values_of_its_voxels(study):
    finished = study.run()
    rows = _rows(finished)
    assert rows["roi"].to_list() == NAMES * 12
    for i, subject in enumerate(study.subjects):
        image, mask = study.picture(i)  # x, y, z of 2, 2, 3 mm
        mask = mask > 0
        cross = np.zeros((3, 3, 3), bool)
        cross[:, :, 1] = True
        cross[1, 1, :] = True  # 3 mm: one step along any axis, or one along both of 2 mm
        near = binary_dilation(mask, cross) & ~mask
        step = np.zeros((3, 3, 3), bool)
        step[:, 1, 1] = step[1, :, 1] = True
        deep = ~binary_dilation(~mask, step) & mask  # more than 2 mm: no neighbour outside along x or y
        means = dict(rows.filter(subject=subject).select("roi", "stat_mean").iter_rows())
        assert means["ROI"] == pytest.approx(image[mask].mean(), rel=1e-6)
        assert means["ring3"] == pytest.approx(image[near].mean(), rel=1e-6)
        assert means["core2"] == pytest.approx(image[deep].mean(), rel=1e-6)
        assert means["habitat_1"] < means["ROI"] < means["habitat_2"]
    thumbnails = read_table(finished.root, "features/thumbnails")
    sizes = dict(thumbnails.filter(subject="S01").select("roi", "voxels").iter_rows())
    assert sizes["habitat_1"] + sizes["habitat_2"] == sizes["ROI"]
    _, predictors = phenotype_matrix(rows, study.subjects)
    assert {name.split(":")[1] for name in predictors["predictor"]} == set(NAMES)


def test_an_empty_derived_region_is_set_aside_by_name_and_nothing_else(study):
    image, mask = study.picture(0)
    thin = np.zeros_like(mask)
    thin[3:5, 3:5, 3:4] = 1
    study.image("S04", image, thin)
    study.image("S05", np.where(mask > 0, np.float32(7), image), mask)
    finished = study.run()
    rows = _rows(finished)
    assert rows.filter(subject="S04")["roi"].to_list() == [n for n in NAMES if n != "core2"]
    assert "habitat_1" not in rows.filter(subject="S05")["roi"].to_list()
    told = [p for p in study.problems(finished) if p["subject"] == "S04" and p["severity"] == "set aside"]
    assert len(told) == 1
    assert "'core2' (core) is empty" in told[0]["got"]
    assert "region core2" in told[0]["where"]
    assert told[0]["todo"]
    told = [p for p in study.problems(finished) if p["subject"] == "S05" and "habitats" in p["got"]]
    assert {p["where"] for p in told} == {"region habitat_1", "region habitat_2"}


def test_a_changed_definition_is_measured_again_and_no_other_region(study):
    finished = study.run()
    units = finished.root / "features" / ".units"
    before = {p.name: p.stat().st_mtime_ns for p in units.iterdir()}
    first = _rows(finished)
    study.text = study.text.replace("distance_mm = 3.0", "distance_mm = 4.0")
    finished = study.run()
    after = {p.name: p.stat().st_mtime_ns for p in units.iterdir()}
    assert len(before) == len(after) == 12 * len(NAMES)
    kept = before.keys() & after.keys()
    assert len(kept) == 12 * (len(NAMES) - 1)
    assert all(before[name] == after[name] for name in kept)
    same = pl.col("roi") != "ring3"
    assert _rows(finished).filter(same).equals(first.filter(same))
    assert not _rows(finished).filter(~same)["stat_mean"].equals(first.filter(~same)["stat_mean"])


def test_regions_of_named_labels_and_of_each_lesion_of_a_table(study):
    for i, subject in enumerate(study.subjects):
        image, mask = study.picture(i)
        mask[3:5] *= 2
        study.image(subject, image, mask)
    lines = [f"{s},images/{s}/ct.nii.gz,images/{s}/mask.nii.gz,{r}" for s in study.subjects for r in (1, 2)]
    (study.root / "ct.csv").write_text("\n".join(["subject,image,mask,roi", *lines, lines[0]]) + "\n")
    head, _ = study.text.split("image = ")
    study.text = (
        head
        + 'table = "ct.csv"\n'
        + (
            '[[imaging.images.regions]]\nname = "ring"\nkind = "ring"\ndistance_mm = 2.0\n'
            '[[imaging.images.regions]]\nname = "whole"\nkind = "union"\nof = ["1", "2"]\n'
        )
    )
    finished = study.run()
    rows = _rows(finished)
    assert rows["roi"].to_list() == ["1", "1.ring", "2", "2.ring", "whole"] * 12
    volumes = read_table(finished.root, "features/thumbnails").filter(subject="S02")
    sizes = dict(volumes.select("roi", "voxels").iter_rows())
    assert sizes["whole"] == sizes["1"] + sizes["2"]
    doubled = [p for p in study.problems(finished) if "given twice" in p["got"]]
    assert {(p["subject"], p["got"].split("'")[1]) for p in doubled} == {("S01", "1"), ("S01", "1.ring")}


def test_mistakes_in_the_definition_are_named_with_their_place(study):
    study.text = study.text.replace("distance_mm = 3.0", "distance = 3.0").replace('"kmeans"', '"kmean"')
    with pytest.raises(StudyError) as error:
        load_study(study.file())
    places = {m.where: m.what for m in error.value.mistakes}
    assert any("regions[1]" in where and "distance_mm" in what for where, what in places.items()), places
    assert any("regions[3]" in where and "kmeans" in what for where, what in places.items()), places
    study.text = study.text.replace("distance = 3.0", "distance_mm = 3.0").replace('"kmean"', '"otsu"')
    study.text = study.text.replace('name = "core2"', 'name = "ring3"')
    with pytest.raises(StudyError, match="every name once"):
        load_study(study.file())


def test_check_names_an_unreadable_file_once(study):
    (study.root / "images/S05/ct.nii.gz").write_bytes(b"not an image")
    found = check_study(load_study(study.file()))
    assert sum("S05" in str(m) for m in found.mistakes) == 1
