"""Units of perturbed copies and negative controls: which there are, and what they measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import polars as pl
import pytest

from radiolocus.feature.copies import control_works, copy_works, measure_control, measure_copies, volume_rows
from radiolocus.feature.extract import extract
from radiolocus.feature.measure import ImageSource, ImagingOptions, Work, measure, read_work
from radiolocus.feature.repeatability import RetestOptions
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.control import control_volume
from radiolocus.image.perturb_options import Perturbation, PerturbOptions
from radiolocus.read.discover import ImageUnit
from radiolocus.read.imaging import read_pair

SETTINGS = FeatureSettings(families=("intensity",))
PERTURB = PerturbOptions(rotation_deg=(-4.0, 4.0), noise=2, volume=(-0.1, 0.1, 0.2), seed=8)


def _pair(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(1)
    mask = np.zeros((14, 13, 9), np.uint8)
    mask[4:10, 4:9, 3:7] = 1
    for name, array in (("i.nii", rng.normal(50, 10, mask.shape).astype(np.float32)), ("m.nii", mask)):
        nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1.0, 2.0, 1.0])), folder / name)
    return folder / "i.nii", folder / "m.nii"


def _works(folder=Path(), subjects=("S1", "S2"), images=("CT", "PT"), visits=("",)):
    image, mask = _pair(folder) if folder != Path() else (Path("i"), Path("m"))
    return [
        Work(s, ImageUnit(s, v, image, mask), i, "CT", "HU", SETTINGS) for i in images for s in subjects for v in visits
    ]


def _imaging(**options):
    sources = tuple(
        ImageSource(name, image="{subject}", mask="{subject}", analyse=name != "MR") for name in ("CT", "PT", "MR")
    )
    return ImagingOptions(sources, **options)


def test_copies_come_in_units_of_at_most_eight_that_together_hold_all():
    works = copy_works(_imaging(perturb=PERTURB), _works())
    assert [len(w.copies) for w in works] == [8, 4] * 4
    assert [(w.image, w.subject) for w in works[::2]] == [("CT", "S1"), ("CT", "S2"), ("PT", "S1"), ("PT", "S2")]
    assert [c.name for w in works[:2] for c in w.copies] == [c.name for c in PERTURB.copies()]


def test_every_copy_has_a_seed_of_its_own_that_its_company_does_not_change():
    def seeds(works):
        return {(w.image, w.subject, w.unit.visit, c.name): c.seed for w in works for c in w.copies}

    imaging = _imaging(perturb=PERTURB)
    whole = seeds(copy_works(imaging, _works(visits=("a", "b"))))
    assert len(set(whole.values())) == len(whole) == 2 * 2 * 2 * 12
    part = seeds(copy_works(imaging, list(reversed(_works(subjects=("S2",), visits=("a", "b"))))))
    assert part == {key: seed for key, seed in whole.items() if key[1] == "S2"}
    fewer = seeds(copy_works(_imaging(perturb=replace(PERTURB, noise=1)), _works(visits=("a", "b"))))
    assert fewer.items() <= whole.items()
    other = seeds(copy_works(_imaging(perturb=replace(PERTURB, seed=9)), _works(visits=("a", "b"))))
    assert not set(other.values()) & set(whole.values())


def test_images_that_are_not_analysed_are_perturbed_only_when_named():
    works = _works(images=("CT", "MR"))
    assert {w.image for w in copy_works(_imaging(perturb=PERTURB), works)} == {"CT"}
    named = replace(PERTURB, images=("MR",))
    assert {w.image for w in copy_works(_imaging(perturb=named), works)} == {"MR"}
    assert copy_works(_imaging(), works) == []


def test_the_retest_is_neither_perturbed_nor_a_control():
    works = _works(visits=("a", "b", "later"))
    imaging = _imaging(perturb=PERTURB, retest=RetestOptions(("a", "b")), controls=("shuffled",))
    assert {w.unit.visit for w in copy_works(imaging, works)} == {"a", "later"}
    assert {w.unit.visit for w in control_works(imaging, works)} == {"a", "later"}


def test_copies_are_measured_as_the_image_is(tmp_path):
    work = copy_works(_imaging(perturb=PERTURB), _works(tmp_path, subjects=("S1",), images=("CT",)))[1]
    rows, problems = measure_copies(work)
    assert problems == ()
    assert rows["copy"].to_list() == [c.name for c in work.copies]
    volume, mask = read_work(work)
    for row, copy in zip(rows.iter_rows(named=True), work.copies, strict=True):
        assert row["stat_mean"] == extract(volume, mask, SETTINGS, copy).values["stat_mean"]
    plain = measure(replace(work, copies=())).features.row(0, named=True)
    assert rows["stat_mean"].to_numpy() == pytest.approx(plain["stat_mean"], rel=0.1)
    assert plain["stat_mean"] not in rows["stat_mean"].to_list()


def test_a_copy_of_a_ct_is_rounded_as_an_interpolated_ct_is(tmp_path):
    work = copy_works(_imaging(perturb=PERTURB), _works(tmp_path, subjects=("S1",), images=("CT",)))[0]
    minima = measure_copies(work)[0]["stat_min"].to_list()
    assert all(m == round(m) for m in minima)
    free = replace(work, settings=replace(SETTINGS, round_intensity=False))
    assert not all(m == round(m) for m in measure_copies(free)[0]["stat_min"].to_list())


def test_controls_are_units_of_their_own_and_volume_needs_none(tmp_path):
    imaging = _imaging(controls=("shuffled", "outside", "volume"))
    works = control_works(imaging, _works(tmp_path, subjects=("S1",), images=("CT", "MR")))
    assert [(w.image, w.control) for w in works] == [("CT", "shuffled"), ("CT", "outside")]
    assert works[0].seed != works[1].seed
    rows, _ = measure_control(works[0])
    volume, mask = read_work(works[0])
    wanted = extract(control_volume(volume, mask, "shuffled", works[0].seed), mask, SETTINGS).values
    assert rows.select("subject", "image", "roi", "control").rows() == [("S1", "CT", "ROI", "shuffled")]
    assert rows["stat_mean"][0] == wanted["stat_mean"]


def test_a_control_that_cannot_be_made_is_a_note(tmp_path):
    works = control_works(_imaging(controls=("outside",)), _works(tmp_path, subjects=("S1",), images=("CT",)))
    nib.save(nib.Nifti1Image(np.ones((14, 13, 9), np.uint8), np.diag([-1.0, -1.0, 2.0, 1.0])), tmp_path / "m.nii")
    rows, problems = measure_control(works[0])
    assert rows.height == 0
    assert [(p.severity, p.subject) for p in problems] == [("note", "S1")]
    assert "control outside could not be measured" in problems[0].got


def test_the_volume_is_that_of_the_region_as_drawn(tmp_path):
    works = _works(tmp_path, subjects=("S1",), images=("CT", "MR"))
    thumbnails = pl.concat([measure(w).thumbnail for w in works])
    rows = volume_rows(thumbnails, _imaging(controls=("volume",)))
    assert rows.rows() == [("S1", "CT", "", "ROI", "volume", pytest.approx(6 * 5 * 4 * 2 / 1000))]


# MIRP 2.7.0 on PET of STS_001: extract_features(image, mask, image_modality="PET", new_spacing=4.0, spline_order=1,
# anti_aliasing=False, base_feature_families=["morphological", "statistics"]) and the keyword beside each row.
MIRP = [
    (None, (359826.66667, 361472.0, 2.53183, 1.51882, 0.1962, 7.12051)),
    # perturbation_translation_fraction
    (Perturbation(translation=0.25), (363392.0, 364992.0, 2.52943, 1.5108, 0.18873, 7.64119)),
    (Perturbation(translation=0.75), (363610.66667, 365184.0, 2.53627, 1.50682, 0.21378, 6.73072)),
    # perturbation_rotation_angles
    (Perturbation(rotation_deg=10.0), (363032.0, 364672.0, 2.53636, 1.50825, 0.18671, 7.06806)),
]


@pytest.mark.parametrize(("copy", "theirs"), MIRP, ids=lambda p: p.name if isinstance(p, Perturbation) else None)
def test_mirp_finds_the_same_on_a_shifted_and_on_a_turned_grid(data, copy, theirs):
    folder = data("sts/nifti/STS_001")
    volume, mask = read_pair(folder / "PET_image.nii.gz", folder / "PET_mask.nii.gz", modality="PT")
    settings = FeatureSettings(families=("morphology", "intensity"), resample_mm=(4.0, 4.0, 4.0))
    found = extract(volume, mask, settings, copy).values
    names = ("morph_volume", "morph_vol_approx", "stat_mean", "stat_var", "stat_min", "stat_max")
    assert [found[name] for name in names] == pytest.approx(theirs, rel=1e-5, abs=6e-6)
