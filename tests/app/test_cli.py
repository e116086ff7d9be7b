"""The command as a user types it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest

from flow.small_study import RESPONSE, SmallStudy
from radiolocus.app.cli import main
from radiolocus.errors import ConfigError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli") / "study"
    root.mkdir()
    made = SmallStudy(root, n=8)
    made.text += RESPONSE
    made.file()
    return made


_ENVIRONMENT = {"NO_COLOR": "1", "COLUMNS": "100"}


def _process(*words):
    """Run the command in a process of its own, whose start takes longer than most of what is asked of it here."""
    command = [sys.executable, "-m", "radiolocus", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | _ENVIRONMENT)


def _radiolocus(*words):
    """Run the command in this process; what it does not answer itself is raised."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["radiolocus", *map(str, words)]
    with (
        mock.patch.object(sys, "argv", arguments),
        mock.patch.dict(os.environ, _ENVIRONMENT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return subprocess.CompletedProcess(arguments, ended.value.code or 0, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("command", ["init", "check", "run", "report", "demo", "features", "map"])
def test_help_of_every_command_has_an_example(command):
    told = _radiolocus(command, "--help")
    assert told.returncode == 0
    assert f"radiolocus {command}" in told.stdout.split("Example")[-1]


def test_check_prints_the_schema():
    told = _radiolocus("check", "--schema")
    assert json.loads(told.stdout)["title"] == "Radiolocus study file"


def test_check_run_and_report(study, tmp_path):
    told = _radiolocus("check", study.root / "study.toml")
    assert told.returncode == 0, told.stderr
    assert "no mistake found" in told.stdout
    assert "images     CT: 8 subjects" in told.stdout
    told = _process("run", study.root / "study.toml", "--out", tmp_path / "out", "--jobs", "1")
    assert told.returncode == 0, told.stderr
    # Where its loops were never compiled, a run says so.
    assert [line for line in told.stderr.splitlines() if not line.startswith("compiling ")] == []
    assert "features   8 of 8 regions measured" in told.stdout
    report = tmp_path / "out/report.html"
    first = report.read_bytes()
    report.unlink()
    assert _radiolocus("report", tmp_path / "out").returncode == 0
    assert report.read_bytes() == first


def test_mistakes_go_to_stderr_and_the_exit_code_is_two(study, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[cohort]\nsubjcts = "x"\n[imagin]\n')
    for command in (("check", bad), ("run", bad, "--out", tmp_path / "out")):
        told = _radiolocus(*command)
        assert told.returncode == 2
        assert "unknown key 'subjcts'" in told.stderr
        assert "unknown key 'imagin'" in told.stderr
        assert "Traceback" not in told.stderr
    assert not (tmp_path / "out").exists()


def test_a_subject_set_aside_shows_in_the_exit_code(study, tmp_path):
    (tmp_path / "study").mkdir()
    other = SmallStudy(tmp_path / "study", n=6)
    image, mask = other.picture(0)
    other.image("S02", image, mask * 0)
    told = _radiolocus("run", other.file(), "--out", tmp_path / "out", "--jobs", "1")
    assert told.returncode == 3
    assert "problems.csv" in told.stdout
    told = _radiolocus("run", other.file(), "--out", tmp_path / "out2", "--strict", "--jobs", "1")
    assert told.returncode == 1
    assert "S02" in told.stderr


def test_a_folder_with_other_files_is_refused_in_words(study, tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    told = _radiolocus("run", study.root / "study.toml", "--out", tmp_path)
    assert told.returncode == 1
    assert "thesis.docx" in told.stderr
    assert "--fresh" in told.stderr


def test_init_drafts_what_check_accepts(study, tmp_path):
    drafted = study.root / "drafted.toml"
    told = _radiolocus("init", study.root, "--out", drafted)
    assert told.returncode == 0, told.stderr
    checked = _radiolocus("check", drafted)
    assert checked.returncode == 0, checked.stderr + drafted.read_text()
    again = _radiolocus("init", study.root, "--out", drafted)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    drafted.unlink()


def test_config_errors_are_values_errors():
    assert issubclass(ConfigError, ValueError)


def test_the_version_is_told():
    assert _process("--version").stdout.startswith("radiolocus 0.")


def test_what_cannot_be_written_is_told_without_a_traceback(study, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for words in (
        ("run", study.root / "study.toml", "--out", file),
        ("run", study.root / "study.toml", "--out", file / "below"),
        ("init", study.root, "--out", file / "study.toml"),
        ("demo", "--out", file),
    ):
        told = _radiolocus(*words)
        assert told.returncode == 1
        assert "Traceback" not in told.stderr
        assert str(file) in told.stderr
    assert file.read_text() == "mine"


def test_a_root_that_is_not_there_is_named_as_it_was_given(study, tmp_path):
    told = _radiolocus("check", study.root / "study.toml", "--root", tmp_path / "nowhere")
    assert told.returncode == 2
    assert f"--root: no folder '{tmp_path / 'nowhere'}'" in told.stderr


def test_an_interrupted_run_says_so_and_goes_on(tmp_path):
    (tmp_path / "study").mkdir()
    other = SmallStudy(tmp_path / "study", n=60)
    command = [sys.executable, "-m", "radiolocus", "run", str(other.file()), "--out", str(tmp_path / "out"), "-j", "2"]
    # A terminal sends the signal to the whole group; a process in the background, as under nohup, would ignore it.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(command, **pipes, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("features/.units/*.zip")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=120)
    assert run.returncode == 130, told
    assert told == "interrupted; the same command goes on from the last finished unit\n"
    assert not (tmp_path / "out/features/manifest.json").exists()
    assert _radiolocus(*command[3:-1], "1").returncode == 0
