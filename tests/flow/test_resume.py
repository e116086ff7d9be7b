"""A run killed at any moment goes on from there; its tables are those of an undisturbed run, byte for byte."""

import signal
import subprocess
import sys
import time

import pytest

from flow.small_study import CASES, GENETICS, MOLECULAR, OUTCOME, RESPONSE, SmallStudy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("resume")
    (root / "study").mkdir()
    study = SmallStudy(root / "study", n=30)
    study.text = study.text.replace("[imaging]\n", '[imaging]\ncontrols = ["shuffled", "volume"]\n')
    study.text += (
        "[imaging.perturb]\nnoise = 1\nvolume = [-0.1, 0.1]\n" + GENETICS + CASES + MOLECULAR + OUTCOME + RESPONSE
    )
    finished = study.run("whole", jobs=1)
    # One shape feature is the same in all of these boxes, and is set aside.
    assert finished.set_aside
    return study, _bytes(root / "whole")


def _bytes(folder):
    kinds = {".parquet", ".csv", ".html"}
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.suffix in kinds}


def _command(study, out, *more):
    return [sys.executable, "-m", "radiolocus", "run", str(study.root / "study.toml"), "--out", str(out), *more]


def _count(folder, pattern):
    return len(list(folder.glob(pattern)))


MOMENTS = {
    "before anything": lambda out: out.exists(),
    "first region": lambda out: _count(out, "features/.units/*.zip") >= 1,
    "half of the regions": lambda out: _count(out, "features/.units/*.zip") >= 15,
    "features told": lambda out: (out / "features/manifest.json").exists(),
    "first block of variants": lambda out: _count(out, "sumstats/.units/*.zip") >= 1,
    "links written": lambda out: (out / "link/link.parquet").exists(),
    "first fit": lambda out: _count(out, "outcome/.units/*.zip") >= 1,
}


def _kill_at(study, out, reached):
    """Start the run and send SIGKILL as soon as `reached`; tells whether it was in time."""
    with subprocess.Popen(
        _command(study, out, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while run.poll() is None and not reached(out):
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
        run.wait()
    return run.returncode == -signal.SIGKILL


def test_killed_once_at_each_moment_of_one_run_it_ends_the_same(undisturbed, tmp_path):
    study, whole = undisturbed
    out = tmp_path / "killed"
    killed = {moment: _kill_at(study, out, reached) for moment, reached in MOMENTS.items()}
    assert sum(killed.values()) >= 4, killed
    done = subprocess.run(_command(study, out, "--jobs", "2"), capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert _bytes(out) == whole
    assert not list(out.rglob(".partial-*"))


# The process kills itself between writing the named file and giving it its name, when half the work is on the disk.
_KILL_WITHIN_WRITE = """
import os, signal, sys
from pathlib import Path
name, sys.argv = sys.argv[1], ["radiolocus", *sys.argv[2:]]
rename = Path.replace
def replace(self, target):
    if str(target).endswith(name):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.replace = replace
from radiolocus.app.cli import main
main()
"""
WRITES = (
    "study.json",
    "problems.parquet",
    "features/manifest.json",
    "binary/sumstats/variants.parquet",
    "outcome/performance.parquet",
    "report.html",
)


def test_killed_within_a_write_it_ends_the_same(undisturbed, tmp_path):
    study, whole = undisturbed
    out = tmp_path / "killed"
    for name in WRITES:
        command = _command(study, out, "--jobs", "1")[3:]
        done = subprocess.run([sys.executable, "-c", _KILL_WITHIN_WRITE, name, *command], check=False)
        assert done.returncode == -signal.SIGKILL, name
        assert list(out.rglob(".partial-*")), name
    subprocess.run(_command(study, out), check=False, capture_output=True)
    assert _bytes(out) == whole
    assert not list(out.rglob(".partial-*"))


def test_finished_regions_are_not_measured_again_and_damaged_ones_are(undisturbed, tmp_path):
    study, whole = undisturbed
    out = tmp_path / "killed"
    assert _kill_at(study, out, MOMENTS["half of the regions"])
    units = sorted(out.glob("features/.units/*.zip"))
    assert len(units) >= 15
    units[0].write_bytes(units[0].read_bytes()[:-40])
    units[1].write_bytes(b"")
    middle = bytearray(units[2].read_bytes())
    middle[len(middle) // 2] ^= 0xFF
    units[2].write_bytes(middle)
    before = {p: p.stat().st_mtime_ns for p in units}
    subprocess.run(_command(study, out), check=False, capture_output=True)
    again = {p for p in units if p.stat().st_mtime_ns != before[p]}
    assert again == set(units[:3])
    assert _bytes(out) == whole


def test_a_finished_run_is_not_run_again(undisturbed):
    study, whole = undisturbed
    out = study.root.parent / "whole"
    times = {p: p.stat().st_mtime_ns for p in out.rglob("manifest.json")}
    study.run("whole", jobs=2)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("manifest.json")} == times
    assert _bytes(out) == whole
