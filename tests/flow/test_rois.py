"""Several drawn regions a mask through a whole study, and how images are read, from the study file to the table."""

import numpy as np
import polars as pl
import pytest

from dicom_factory import pet, to_world, write_rtstruct, write_series
from flow.small_study import SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import StudyError, load_study
from radiolocus.feature.measure import ImageSource
from radiolocus.read.options import ReadOptions
from radiolocus.store import read_table


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    return SmallStudy(tmp_path / "study", n=6)


def test_every_label_is_measured_and_one_that_fails_loses_no_other(study):
    study.text += 'rois = ["[0-9]+"]\n'
    truth = {}
    for i, subject in enumerate(study.subjects):
        image, mask = study.picture(i)
        labels = np.zeros(mask.shape, np.uint8)
        labels[2:5, 2:5, 2:4], labels[6:8, 6:8, 2:4] = 1, 2
        if subject == "S03":
            labels[labels == 2] = 0
        if subject == "S04":
            image = np.where(labels == 2, np.float32("nan"), image)
        study.image(subject, image, labels)
        truth |= {(subject, str(n)): image[labels == n].mean() for n in (1, 2) if (labels == n).any()}
    finished = study.run()
    rows = read_table(finished.root, "features/features")
    found = {(s, r): m for s, r, m in rows.select("subject", "roi", "stat_mean").iter_rows()}
    assert set(found) == set(truth) - {("S04", "2")}
    for key, mean in found.items():
        assert mean == pytest.approx(truth[key], rel=1e-6)
    lost = [p for p in study.problems(finished) if p["severity"] == "set aside"]
    assert [(p["subject"], p["where"].split(",")[0]) for p in lost] == [("S04", "region 2")]


def _dicom(study, subject, angle=0.0):
    """A PET series with a structure set of two regions, every number known."""
    folder = study.root / "pet" / subject
    a = np.deg2rad(angle)

    def turn(k, ds):
        ds.ImageOrientationPatient = [1, 0, 0, 0, *(float(f"{v:.9f}") for v in (np.cos(a), np.sin(a)))]
        ds.PatientSize, ds.PatientSex = 1.75, "M"

    stored = np.full((8, 12, 12), 5000) + 100 * (int(subject[1:]) % 5)
    affine = write_series(folder / "image", stored, modality="PT", edit=turn, extra=pet())
    affine[:3, 1] = np.array([0, np.cos(a), np.sin(a)]) * 2.0
    box = [(2.5, 2.5), (2.5, 8.5), (8.5, 8.5), (8.5, 2.5)]
    planes = [(to_world(affine, [(k, y, x) for y, x in box]), None) for k in (2, 3, 4)]
    write_rtstruct(folder / "rs.dcm", {"GTV": planes, "Node": planes[:2]})
    return float(stored[0, 0, 0])


PET = """
[[imaging.images]]
name = "PET"
modality = "PT"
image = "pet/{subject}/image"
mask = "pet/{subject}/rs.dcm"
rois = [".*"]
"""


def test_the_kind_of_suv_and_the_gantry_are_the_studys(study):
    stored = {subject: _dicom(study, subject, angle=10.0) for subject in study.subjects}
    study.text += PET
    mistakes = [str(m) for m in check_study(load_study(study.file())).mistakes]
    assert len(mistakes) == 12
    assert all("gantry tilt: slices are stacked 10.00 degrees off their normal" in m for m in mistakes)
    refused = study.run()
    told = [p for p in study.problems(refused) if p["severity"] == "set aside"]
    assert len(told) == 2 * 6
    assert "gantry tilt" in told[0]["got"]
    study.text += 'gantry = "correct"\n'
    assert not check_study(load_study(study.file())).mistakes
    means = {}
    for kind, measure in (("bw", 70.0), ("lbm", 55.85710), ("bsa", 71.84 * 70**0.425 * 175**0.725 / 1000)):
        study.text = study.text.split("suv")[0] + f'suv = "{kind}"\n'
        rows = read_table(study.run().root, "features/features").filter(pl.col("image") == "PET")
        assert rows.height == 12
        assert set(rows["roi"]) == {"GTV", "Node"}
        for subject, mean in rows.select("subject", "stat_mean").iter_rows():
            expected = stored[subject] * measure * 1000 / (350e6 * 2 ** (-3600 / 6586.2))
            assert mean == pytest.approx(expected, rel=1e-5)
        means[kind] = rows["stat_mean"].to_list()
    assert means["bw"] != means["lbm"]  # the unit of work is made anew when the way of reading changes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('suv = "ibw"', "imaging.images[1].suv"),
        ('gantry = "ignore"', "imaging.images[1].gantry"),
        ('roi = "1"\nrois = ["2"]', "both roi and rois"),
        ('select = { "echo time" = 3 }', "select names 'echo time'"),
    ],
)
def test_mistakes_in_the_study_file_are_named(study, line, message):
    study.text += line + "\n"
    with pytest.raises(StudyError) as caught:
        load_study(study.file())
    assert message in str(caught.value)


def test_how_an_image_is_read_is_part_of_it():
    source = ImageSource(
        name="DWI", image="{subject}.nii", mask="{subject}_m.nii", select={"DiffusionBValue": 1000}, series="123"
    )
    assert source.reading == ReadOptions(series="123", select={"DiffusionBValue": 1000})
