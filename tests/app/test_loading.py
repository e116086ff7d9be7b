"""What a command loads, and what Ctrl-C does meanwhile."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from radiolocus.app.loading import loading
from radiolocus.model import Geometry, Volume
from radiolocus.read.nifti import write_nifti

HEAVY = ("matplotlib", "pandas", "scipy.stats", "sklearn", "SimpleITK", "jinja2")
ROOMS = ("report", "pipeline", "simulate", "outcome", "associate", "learn", "genome", "molecular", "response", "config")


@pytest.fixture
def pair(tmp_path):
    image = np.random.default_rng(1).normal(40, 20, (9, 10, 11))
    mask = np.zeros(image.shape)
    mask[2:7, 2:8, 2:9] = 1
    for name, array in (("image", image), ("mask", mask)):
        write_nifti(tmp_path / f"{name}.nii", Volume(array, Geometry.regular(array.shape)), name)
    return [str(tmp_path / "image.nii"), str(tmp_path / "mask.nii")]


def test_measuring_a_pair_loads_nothing_that_it_does_not_need(pair, tmp_path):
    told = ", ".join(repr(name) for name in (*HEAVY, *(f"radiolocus.{room}" for room in ROOMS)))
    code = (
        "import sys\nfrom radiolocus.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('loaded:', *[name for name in ({told}) if name in sys.modules])"
    )
    call = [sys.executable, "-c", code, "features", *pair, "--modality", "CT", "--out", str(tmp_path / "f.csv")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert (tmp_path / "f.csv").exists()


@pytest.mark.parametrize("library", ["typer", "numpy", "polars", "numba", "nibabel"])
def test_an_interrupt_while_libraries_load_ends_without_a_traceback(library, pair):
    call = [sys.executable, "-X", "importtime", "-m", "radiolocus", "features", *pair, "--modality", "CT"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        before = []
        for line in process.stderr:
            before.append(line)
            if line.rpartition("|")[2].strip().startswith(library):  # told when a module of it has been loaded
                break
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in told
    assert told.splitlines()[-1] == "interrupted"


def test_afterwards_an_interrupt_is_an_exception_again():
    # Tests that run in the background, as under nohup, ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with loading():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
