"""Options of DICOM on the command line."""

import json

import pytest
from typer.testing import CliRunner

from dicom_factory import write_examples
from radiolocus.app.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("reading") / "dicom"
    write_examples(root)
    return root


def _run(folder, image, mask, *words):
    return CliRunner().invoke(app, ["features", str(folder / image), str(folder / mask), *map(str, words)])


def _mean(folder, tmp_path, *words):
    out = tmp_path / "f.json"
    told = _run(folder, *words, "--out", out)
    assert told.exit_code == 0, told.output
    found = json.loads(out.read_text())
    return {row["feature"]: row["value"] for row in found["features"]}["stat_mean"], found


def test_the_kind_of_suv_is_in_the_values_and_in_their_origin(folder, tmp_path):
    weight, one = _mean(folder, tmp_path, "pet", "rs.dcm", "--roi", "GTV")
    lean, two = _mean(folder, tmp_path, "pet", "rs.dcm", "--roi", "GTV", "--suv", "lbm")
    assert lean / weight == pytest.approx(55.8571 / 70, rel=1e-5)
    assert (one["unit"], two["unit"]) == ("SUVbw g/mL", "SUVlbm g/mL")
    assert (one["reading"]["suv"], two["reading"]["suv"]) == ("bw", "lbm")


def test_one_image_of_several_and_a_tilted_gantry(folder, tmp_path):
    means = [
        _mean(folder, tmp_path, "dwi", "dwi_seg.dcm", "--select", f"DiffusionBValue={b}")[0] for b in ("0", "1000")
    ]
    assert means[0] != means[1]
    refused = _run(folder, "tilted", "tilted_seg.dcm")
    assert refused.exit_code != 0
    assert 'set gantry = "correct"' in str(refused.exception)
    _, found = _mean(folder, tmp_path, "tilted", "tilted_seg.dcm", "--gantry", "correct")
    assert any("gantry tilt of 12.00 degrees corrected" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suv", "ibw"], "suv = 'ibw'; allowed: 'bw', 'lbm', 'lbm_james', 'bsa'"),
        (["--gantry", "ignore"], "gantry = 'ignore'; allowed: 'refuse', 'correct'"),
        (["--select", "EchoTime"], "--select EchoTime; allowed: KEYWORD=VALUE"),
        (["--suv", "lbm", "--pyradiomics", "Params.yaml"], "--pyradiomics with an option of DICOM"),
    ],
)
def test_options_that_cannot_be_followed(folder, words, message):
    told = _run(folder, "pet", "rs.dcm", *words)
    assert told.exit_code == 2
    assert message in told.output
