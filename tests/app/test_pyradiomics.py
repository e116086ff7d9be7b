"""``radiolocus features --pyradiomics``."""

import json

import nibabel as nib
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app, main
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_image, read_pyradiomics

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
PARAMETERS = "setting: {binWidth: 10}\nimageType: {Original: {}, LoG: {sigma: [3.0, 90.0]}}\nfeatureClass: {glcm: }\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pair")
    mask = np.zeros((14, 12, 8), dtype=np.uint8)
    mask[4:9, 3:9, 2:6] = 1
    mask[1:3, 1:3, 1] = 2
    image = np.random.default_rng(3).normal(40, 30, mask.shape).astype(np.float32)
    nib.save(nib.Nifti1Image(image, AFFINE), root / "ct.nii.gz")
    nib.save(nib.Nifti1Image(mask, AFFINE), root / "mask.nii.gz")
    (root / "Params.yaml").write_text(PARAMETERS)
    (root / "plain.yaml").write_text("setting: {binWidth: 10}\n")
    (root / "settings.toml").write_text("bin_width = 25\n")
    return root


def _run(folder, *words, pair=("ct.nii.gz", "mask.nii.gz")):
    return CliRunner().invoke(app, ["features", *(str(folder / p) for p in pair), *map(str, words)])


def _expected(folder, file):
    pair = (read_image(folder / name) for name in ("ct.nii.gz", "mask.nii.gz"))
    return extract_pyradiomics(*pair, read_pyradiomics(folder / file)).values


def test_every_feature_is_shown_under_its_name(folder):
    told = _run(folder, "--pyradiomics", folder / "plain.yaml")
    assert told.exit_code == 0
    rows = {line.split()[0]: line.split() for line in told.stdout.splitlines()[1:]}
    expected = _expected(folder, "plain.yaml")
    assert list(rows) == list(expected)
    assert all(rows[name][2] == f"{value:.10g}" for name, value in expected.items())


def test_a_file_holds_values_reasons_settings_and_hashes(folder, tmp_path):
    out = tmp_path / "f.csv"
    told = _run(folder, "--pyradiomics", folder / "Params.yaml", "--out", out)
    assert told.exit_code == 3
    table = pl.read_csv(out)
    expected = _expected(folder, "Params.yaml")
    assert dict(zip(table["feature"], table["value"], strict=True)) == expected
    assert set(table["family"]) == {"glcm"}
    lost = table.filter(pl.col("value").is_null())
    assert all(name.startswith("log-sigma-90-0-mm-3D_") for name in lost["feature"])
    assert all("too small for sigma = 90 mm" in reason for reason in lost["reason"])
    origin = json.loads((tmp_path / "f.csv.json").read_text())
    assert origin["definitions"] == "PyRadiomics 3.0.1"
    assert origin["settings"]["binWidth"] == 10
    assert origin["image_types"]["LoG"]["sigma"] == [3.0, 90.0]
    assert set(origin["input_hash"]) == {"image", "mask"}


def test_roi_takes_the_place_of_the_label(folder, tmp_path):
    told = _run(folder, "--pyradiomics", folder / "plain.yaml", "--roi", "2", "--out", tmp_path / "f.json")
    assert told.exit_code == 0
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["settings"]["label"] == 2
    assert found["diagnostics"]["voxels_resegmented"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--settings", "settings.toml"), "--pyradiomics with --settings"),
        (("--modality", "CT"), "--pyradiomics with --modality"),
        (("--roi", "GTV.*"), "allowed: a label number above 0"),
    ],
)
def test_what_has_no_meaning_beside_the_file_is_refused(folder, words, said):
    told = _run(folder, "--pyradiomics", folder / "plain.yaml", *words)
    assert told.exit_code == 2
    assert said in told.stderr


def test_a_file_that_is_not_there_or_cannot_be_honoured_is_refused(folder, tmp_path):
    told = _run(folder, "--pyradiomics", tmp_path / "none.yaml")
    assert (told.exit_code, "no such file" in told.stderr) == (2, True)
    (tmp_path / "p.yaml").write_text("setting: {lbp2DMethod: var}\n")
    told = _run(folder, "--pyradiomics", tmp_path / "p.yaml")
    assert told.exit_code == 2
    assert (
        "p.yaml: setting: lbp2DMethod = 'var'; allowed: uniform, default, ror; what to do: choose another"
        in told.stderr
    )


@pytest.mark.parametrize(("pair", "said"), [(("ct.nii.gz", ""), "one file"), (("Params.yaml", "mask.nii.gz"), "ITK")])
def test_what_is_no_image_file_is_an_error_without_a_traceback(folder, monkeypatch, capsys, pair, said):
    words = ["radiolocus", "features", *(str(folder / p) for p in pair), "--pyradiomics", str(folder / "plain.yaml")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 1
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("place", "code"), [((5, 5, 3), 1), ((12, 1, 6), 0)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_itk_reads_as_0_is_refused_in_the_region_and_told_beside_it(
    folder, tmp_path, monkeypatch, capsys, place, code, value
):
    image = nib.load(folder / "ct.nii.gz")
    array = image.get_fdata(dtype=np.float32)
    array[place] = value
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "lost.nii.gz")
    pair = [str(tmp_path / "lost.nii.gz"), str(folder / "mask.nii.gz")]
    words = ["radiolocus", "features", *pair, "--pyradiomics", str(folder / "plain.yaml"), "--roi", "1"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == code
    told = capsys.readouterr().err
    assert (
        "1 NaN or infinite voxels inside the region" if code else "1 NaN or infinite voxels beside the region"
    ) in told
