"""``radiolocus map``: feature maps as NIfTI images."""

import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from typer.testing import CliRunner

from radiolocus.app.cli import app

AFFINE = np.array([[-2.0, 0, 0, 30], [0, -2, 0, 20], [0, 0, 3, -100], [0, 0, 0, 1]])
COLUMNS = ("stat_mean", "cm_joint_entr_3d_comb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(3)
    mask = np.zeros((14, 12, 8), dtype=np.uint8)
    mask[4:9, 3:9, 2:6] = 1
    mask[0, 0, 0] = 2
    nib.save(nib.Nifti1Image(rng.normal(40, 30, mask.shape).astype(np.float32), AFFINE), root / "ct.nii.gz")
    nib.save(nib.Nifti1Image(mask, AFFINE), root / "mask.nii.gz")
    return root


def _run(folder, *words, features=COLUMNS, roi="1"):
    named = [w for f in features for w in ("--feature", f)]
    pair = [str(folder / "ct.nii.gz"), str(folder / "mask.nii.gz"), "--roi", roi, "--modality", "CT"]
    return CliRunner().invoke(app, ["map", *pair, *named, *map(str, words)])


def test_maps_lie_over_the_image_they_were_taken_of(folder, tmp_path):
    told = _run(folder, "--radius", 1, "--out", tmp_path)
    assert told.exit_code == 0, told.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(f"{c}.nii.gz" for c in COLUMNS), "maps.json"])
    image = SimpleITK.GetArrayFromImage(source := SimpleITK.ReadImage(str(folder / "ct.nii.gz"))).astype(float)
    mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "mask.nii.gz"))) == 1
    found = SimpleITK.ReadImage(str(tmp_path / "stat_mean.nii.gz"))
    values = SimpleITK.GetArrayFromImage(found)
    assert values.size == 5 * 6 * 4
    for z, y, x in np.ndindex(values.shape):
        place = found.TransformIndexToPhysicalPoint((x, y, z))
        window = tuple(slice(i - 1, i + 2) for i in source.TransformPhysicalPointToIndex(place)[::-1])
        assert values[z, y, x] == pytest.approx(image[window][mask[window]].mean(), rel=1e-12)
    assert f"stat_mean.nii.gz: 120 voxels, {values.min():.6g} to {values.max():.6g} HU" in told.stdout


def test_the_origin_stands_beside_the_maps(folder, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("bin_width = 25\n")
    assert _run(folder, "--radius-mm", 3, "--out", tmp_path / "maps", "--settings", settings).exit_code == 0
    origin = json.loads((tmp_path / "maps/maps.json").read_text())
    assert origin["settings"]["bin_width"] == 25
    assert origin["order"]["features"] == list(COLUMNS)
    assert (origin["order"]["radius_mm"], origin["order"]["radius_voxels"]) == (3.0, None)
    assert origin["versions"]["radiolocus"]
    assert str(folder) not in json.dumps(origin)


def test_a_map_without_any_value_shows_in_the_exit_code(folder, tmp_path):
    told = _run(folder, "--radius", 1, "--out", tmp_path, roi="2")
    assert told.exit_code == 3
    assert "cm_joint_entr_3d_comb.nii.gz: no value anywhere" in told.stdout
    assert "note     cm_joint_entr_3d_comb has no value at 1 of 1 voxels" in told.stderr


@pytest.mark.parametrize(
    ("words", "features", "part"),
    [
        (("--radius", 1), ("morph_volume",), "family morphology"),
        (("--radius", 1), ("stat_men",), "did you mean 'stat_mean'?"),
        ((), ("stat_mean",), "no radius"),
        (("--radius", 1, "--radius-mm", 2), ("stat_mean",), "two radii"),
    ],
)
def test_orders_that_cannot_be_followed_are_refused(folder, tmp_path, words, features, part):
    told = _run(folder, *words, "--out", tmp_path / "maps", features=features)
    assert told.exit_code == 2
    assert part in told.stderr
    assert not (tmp_path / "maps").exists()
