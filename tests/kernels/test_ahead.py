"""Loops are compiled once, before work starts, and never in a worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import _CacheLocator

from radiolocus.kernels import ahead
from radiolocus.model import Geometry, Volume
from radiolocus.read.nifti import write_nifti

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def cache(tmp_path):
    """An empty folder for what is compiled, and how a process is told of it."""
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder, told_of(folder)


@pytest.fixture(scope="module")
def everything():
    """The folder in which this machine keeps what is compiled, with every recorded loop in it."""
    call(told_of(), "-m", "radiolocus", "compile")
    return ahead._folder(ahead._recorded()["imaging"])


@pytest.fixture
def compiled(everything, cache):
    """A copy of that without the marks: all is compiled, and nobody knows."""
    folder, env = cache
    place = folder / _CacheLocator.get_suitable_cache_subpath(ahead.__file__)
    shutil.copytree(everything, place, ignore=shutil.ignore_patterns("*.py", "*.pyc", "*.compiled"))
    return folder, env


def told_of(folder=None):
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    return os.environ | {"PYTHONPATH": path} | ({"NUMBA_CACHE_DIR": str(folder)} if folder else {})


def call(env, *words):
    return subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=True)


def kept(folder):
    return {path.name for path in folder.rglob("*.nb[ci]")}


def test_every_recorded_loop_is_there():
    recorded = ahead._recorded()
    assert tuple(recorded) == ahead.PARTS
    for part, modules in recorded.items():
        assert modules, f"nothing is recorded of {part}"
        for module, loops in modules.items():
            for name in loops:
                loop = getattr(import_module(f"radiolocus.kernels.{module}"), name)
                assert hasattr(loop, "py_func"), f"{module}.{name}: run tests/reference/signatures.py"


def test_with_compilation_off_nothing_is_needed(monkeypatch):
    monkeypatch.setattr(ahead._config, "DISABLE_JIT", 1)
    assert ahead.needed() is None


def test_the_command_compiles_once_and_says_so(cache):
    folder, env = cache
    first = call(env, "-m", "radiolocus", "compile", "response")
    assert first.stderr.startswith("compiling ")
    assert "numerical loops, once: about " in first.stderr
    files = kept(folder)
    assert any(name.startswith("recist.best-") and name.endswith(".nbc") for name in files)
    second = call(env, "-m", "radiolocus", "compile", "response")
    assert (second.stderr, second.stdout) == ("", "all is compiled\n")
    assert kept(folder) == files


ASSESS = """
import polars as pl
from radiolocus.kernels import recist
from radiolocus.read.lesions import LESION_COLUMNS
from radiolocus.response.recist11 import recist11
sizes = ((0.0, 80.0), (56.0, 50.0), (112.0, 40.0))
lesion = ("T", "target", "lung", False)
rows = [(name, f"day {day}", day, *lesion, size, "present") for name in "AB" for day, size in sizes]
recist11(pl.DataFrame(rows, schema=LESION_COLUMNS, orient="row"))
for loop in (recist.time_points, recist.best):
    print(loop.__name__, sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values()), loop.signatures)
"""


def test_what_was_compiled_ahead_is_what_a_call_loads(cache):
    folder, env = cache
    call(env, "-m", "radiolocus", "compile", "response")
    files = kept(folder)
    told = call(env, "-c", ASSESS).stdout
    assert [line.split()[:3] for line in told.splitlines()] == [["time_points", "1", "0"], ["best", "1", "0"]], told
    assert kept(folder) == files


def test_an_unknown_part_is_refused_with_those_there_are(cache):
    done = subprocess.run([sys.executable, "-m", "radiolocus", "compile", "imagin"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"no part 'imagin'; allowed: {', '.join(ahead.PARTS)}\n"


def test_two_processes_at_once_compile_once(cache):
    folder, env = cache
    words = [sys.executable, "-m", "radiolocus", "compile", "response"]
    both = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert len(list(folder.rglob("recist.best-*.nbc"))) == 1


@pytest.mark.slow
def test_the_first_measurement_says_that_it_compiles_and_the_second_is_silent(compiled, tmp_path):
    folder, env = compiled
    for path in folder.rglob("sphere.*"):
        path.unlink()
    array = np.random.default_rng(1).normal(40, 20, (9, 10, 11))
    for name, values in (("image", array), ("mask", (abs(array - 40) < 15).astype(float))):
        write_nifti(tmp_path / f"{name}.nii", Volume(values, Geometry.regular(values.shape)))
    words = ["-m", "radiolocus", "features", str(tmp_path / "image.nii"), str(tmp_path / "mask.nii")]
    first = call(env, *words, "--modality", "CT")
    assert first.stderr.startswith("compiling ")
    files = kept(folder)
    assert any(name.startswith("sphere.") for name in files)
    second = call(env, *words, "--modality", "CT")
    assert second.stderr == ""
    assert second.stdout == first.stdout
    assert kept(folder) == files


@pytest.mark.slow
@pytest.mark.parametrize("part", ahead.PARTS)
def test_a_part_calls_no_loop_but_those_recorded_of_it_and_compiles_none(everything, part):
    assert everything
    told = json.loads(call(told_of(), str(TESTS / "reference" / "signatures.py"), "--record", part).stdout)
    known = set()
    for recorded in (part, "imaging", "genetics"):  # the small study has images and genotypes
        known |= set(flat(ahead._recorded()[recorded]))
    assert set(flat(told["called"])) <= known, "run tests/reference/signatures.py"
    assert told["compiled"] == []


def flat(modules):
    return [(module, name, types) for module, loops in modules.items() for name in loops for types in loops[name]]


@pytest.mark.slow
def test_workers_load_and_never_compile(everything):
    assert everything
    found = json.loads(call(told_of(), "-m", "reference.workers").stdout)
    assert len({process for process, *_ in found}) == 2
    for _, loaded, compiled in found:
        assert loaded > 5
        assert compiled == 0
