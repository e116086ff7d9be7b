"""``radiolocus features``: one image, one region, without a study file."""

import json
import re

import nibabel as nib
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app, main
from radiolocus.app.features import _unit
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.read.imaging import read_pair

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
SETTINGS = 'families = ["intensity", "glcm"]\nbin_width = 25\nfilters = [{ filter = "mean", size = 3 }]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(3)
    mask = np.zeros((14, 12, 8), dtype=np.uint8)
    mask[4:9, 3:9, 2:6] = 1
    mask[1, 1, 1] = 2
    nib.save(nib.Nifti1Image(rng.normal(40, 30, mask.shape).astype(np.float32), AFFINE), root / "ct.nii.gz")
    nib.save(nib.Nifti1Image(mask, AFFINE), root / "mask.nii.gz")
    (root / "settings.toml").write_text(SETTINGS)
    return root


def _run(folder, *words, pair=("ct.nii.gz", "mask.nii.gz")):
    return CliRunner().invoke(app, ["features", *(str(folder / p) for p in pair), *map(str, words)])


def _expected(folder, **settings):
    volume, mask = read_pair(folder / "ct.nii.gz", folder / "mask.nii.gz", roi="1", modality="CT")
    return extract(volume, mask, FeatureSettings(**settings)).values


def test_the_table_shows_every_feature_with_its_name_id_value_and_unit(folder):
    told = _run(folder, "--roi", "1", "--modality", "CT")
    assert told.exit_code == 0
    expected = _expected(folder)
    rows = {line.split()[0]: line for line in told.stdout.splitlines()[1:]}
    assert list(rows) == list(expected)
    for column, value in expected.items():
        assert f" {value:.10g} " in rows[column]
    assert re.fullmatch(r"stat_var +Intensity variance +ECT3 +[\d.]+ +HU²", rows["stat_var"])
    assert rows["morph_integ_int"].endswith(" HU·mm³")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_every_format_holds_the_values_and_where_they_come_from(folder, tmp_path, suffix):
    out = tmp_path / "below" / f"f.{suffix}"
    told = _run(folder, "--roi", "1", "--modality", "CT", "--settings", folder / "settings.toml", "--out", out)
    assert told.exit_code == 0
    assert str(out) in told.stdout
    if suffix == "csv":
        table = pl.read_csv(out)
        origin = json.loads((tmp_path / "below" / "f.csv.json").read_text())
    elif suffix == "parquet":
        table = pl.read_parquet(out)
        origin = json.loads(pq.read_schema(out).metadata[b"radiolocus"])
    else:
        origin = json.loads(out.read_text())
        table = pl.DataFrame(origin["features"])
    expected = _expected(
        folder,
        families=("intensity", "glcm"),
        bin_width=25.0,
        filters=({"filter": "mean", "size": 3},),
    )
    assert dict(zip(table["feature"], table["value"], strict=True)) == expected
    assert table["unit"][table["feature"].index_of("stat_mean")] == "HU"
    response = next(f for f in table["feature"] if f.endswith(".stat_mean"))
    assert table["unit"][table["feature"].index_of(response)] == "intensity"
    assert origin["settings"]["bin_width"] == 25.0
    assert origin["settings"]["filters"][0]["size"] == 3
    assert origin["versions"]["radiolocus"]
    assert (origin["image"], origin["mask"], origin["roi"]) == ("ct.nii.gz", "mask.nii.gz", "1")
    assert len(origin["input_hash"]["image"]) == 64
    assert str(folder) not in json.dumps(origin)


def test_what_has_no_value_says_why_and_the_exit_code_tells(folder, tmp_path):
    told = _run(folder, "--roi", "2")
    assert told.exit_code == 3
    row = next(line for line in told.stdout.splitlines() if line.startswith("cm_corr_3d_avg"))
    assert "—" in row
    reason = next(line for line in told.stdout.splitlines() if line.startswith("no value") and "cm_corr" in line)
    assert "no two voxels" in reason
    assert "allowed: at least two neighbouring voxels" in reason
    assert told.stdout.count("no two voxels") == 1
    out = tmp_path / "f.csv"
    told = _run(folder, "--roi", "2", "--out", out)
    assert told.exit_code == 3
    table = pl.read_csv(out)
    lost = table.filter(pl.col("value").is_null())
    assert f"{lost.height} of them without value" in told.stdout
    assert lost["reason"].null_count() == 0
    assert table.filter(pl.col("value").is_not_null())["reason"].null_count() == table.height - lost.height


def test_notes_go_to_stderr(folder):
    told = _run(folder)
    assert "note     labels 1, 2 taken together as one region" in told.stderr
    assert "note" not in told.stdout


def test_every_mistake_of_the_settings_is_told_at_once(folder, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('familys = ["glcm"]\nbin_width = -1.0\ninterpolation = "cubicc"\naggregations = ["3d_avgg"]\n')
    told = _run(folder, "--settings", bad, "--out", tmp_path / "f.csv")
    assert told.exit_code == 2
    assert "bad.toml: 4 mistakes" in told.stderr
    assert "did you mean 'families'?" in told.stderr
    assert "settings: bin_width = -1.0" in told.stderr
    assert "interpolation: got 'cubicc'" in told.stderr
    assert "did you mean '3d_avg'?" in told.stderr
    assert not (tmp_path / "f.csv").exists()


def test_a_settings_file_that_is_not_there_is_named(folder, tmp_path):
    told = _run(folder, "--settings", tmp_path / "no.toml")
    assert told.exit_code == 2
    assert "no.toml: no such file" in told.stderr


def test_an_unknown_format_is_refused_before_anything_is_read(tmp_path):
    told = _run(tmp_path, "--out", tmp_path / "f.xlsx", pair=("absent.nii", "absent.nii"))
    assert told.exit_code == 2
    assert ".csv, .parquet, .json" in told.stderr


@pytest.mark.parametrize(
    ("told", "unit", "shown"),
    [
        ("intensity", "SUVbw g/mL", "SUVbw g/mL"),
        ("intensity²", "SUVbw g/mL", "(SUVbw g/mL)²"),
        ("intensity²", "HU", "HU²"),
        ("intensity²", "", "intensity²"),
        ("mm³", "HU", "mm³"),
    ],
)
def test_the_unit_of_the_image_takes_the_place_of_intensity(told, unit, shown):
    assert _unit({"feature": "stat_var", "unit": told}, unit) == shown
    assert _unit({"feature": "mean_3.stat_var", "unit": told}, unit) == told


def test_an_image_that_cannot_be_read_is_an_error_without_a_traceback(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["radiolocus", "features", str(folder / "no.nii"), str(folder / "mask.nii.gz")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: no.nii: no such file")


@pytest.mark.parametrize("command", ["features", "map"])
def test_what_cannot_be_measured_is_named(folder, tmp_path, monkeypatch, capsys, command):
    settings = tmp_path / "s.toml"
    settings.write_text("resegment_range = [1e6, 2e6]\n")
    words = ["radiolocus", command, str(folder / "ct.nii.gz"), str(folder / "mask.nii.gz"), "--settings", str(settings)]
    if command == "map":
        words += ["--feature", "stat_mean", "--radius", "1", "--out", str(tmp_path / "maps")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 1
    assert "error: ct.nii.gz, mask.nii.gz: no voxel is left" in capsys.readouterr().err
