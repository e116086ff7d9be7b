"""From two files to one row of features and one thumbnail."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from radiolocus.errors import ConfigError, RoiError
from radiolocus.feature.measure import ImageSource, ImagingOptions, Work, measure
from radiolocus.feature.settings import FeatureSettings
from radiolocus.read.discover import ImageUnit

SETTINGS = FeatureSettings(families=("intensity",))


def _work(folder: Path, roi=None, modality="CT", unit="") -> Work:
    rng = np.random.default_rng(1)
    image = rng.normal(50, 10, (9, 8, 7)).astype(np.float32)
    labels = np.zeros((9, 8, 7), np.uint8)
    labels[2:6, 2:6, 2:5] = 1
    labels[6:8, 2:6, 2:5] = 2
    for name, array in (("i.nii", image), ("m.nii", labels)):
        nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1.0, 2.0, 1.0])), folder / name)
    pair = ImageUnit("raw 1", "v1", folder / "i.nii", folder / "m.nii", roi)
    return Work("S1", pair, "CT", modality, unit, SETTINGS)


def test_one_row_with_its_key_and_the_values_of_the_region(tmp_path):
    work = _work(tmp_path, roi="2")
    found = measure(work)
    row = found.features.row(0, named=True)
    assert [row[k] for k in ("subject", "image", "visit", "roi", "modality")] == ["S1", "CT", "v1", "2", "CT"]
    inside = nib.load(tmp_path / "i.nii").get_fdata()[6:8, 2:6, 2:5]
    assert row["stat_mean"] == pytest.approx(inside.mean())
    assert row["stat_max"] == pytest.approx(inside.max())


def test_the_thumbnail_knows_volume_and_unit(tmp_path):
    row = measure(_work(tmp_path)).thumbnail.row(0, named=True)
    assert (row["voxels"], row["volume_ml"]) == (72, pytest.approx(72 * 2 / 1000))
    assert len(row["pixels"]) == len(row["mask"]) == row["height"] * row["width"]
    assert row["unit"] == "HU"


@pytest.mark.parametrize(("modality", "unit", "known"), [("CT", "", "HU"), ("PT", "SUV", "SUV"), ("MR", "", "")])
def test_a_unit_that_the_file_cannot_tell_comes_from_the_study(tmp_path, modality, unit, known):
    assert measure(_work(tmp_path, modality=modality, unit=unit)).thumbnail["unit"][0] == known


def test_a_region_without_voxels_is_refused_with_its_label(tmp_path):
    with pytest.raises(RoiError, match=r"label 7.*1, 2"):
        measure(_work(tmp_path, roi="7"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a:b", "image": "{subject}", "mask": "{subject}"}, "allowed: letters"),
        ({"name": "CT", "image": "{subject}/i.nii"}, "has no path"),
        ({"name": "CT", "table": "t.csv", "image": "{subject}"}, "both patterns and a table"),
    ],
)
def test_sources_that_say_too_little_or_too_much(options, message):
    with pytest.raises(ConfigError, match=message):
        ImageSource(**options)


def test_names_of_images_are_unique():
    image = ImageSource("CT", image="{subject}", mask="{subject}")
    with pytest.raises(ConfigError, match="every name once"):
        ImagingOptions((image, image))
    with pytest.raises(ConfigError, match="at least one"):
        ImagingOptions()
