"""What every test may use: the shared data, when they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing about the code on a shared machine; in CI the same examples come every time.
settings.register_profile("radiolocus", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("radiolocus")

_HERE = Path(__file__).resolve().parent.parent
_DATA = Path(os.environ.get("RADIOLOCUS_DATA", _HERE.parent / "shared" / "data"))
_REFERENCE = Path(os.environ.get("RADIOLOCUS_REFERENCE", _HERE.parent / "shared" / "reference"))


def _needed(path: Path, variable: str) -> Path:
    if not path.exists():
        pytest.skip(f"outside data are not here: {path.name} (set {variable} to the folder that holds them)")
    return path


@pytest.fixture(scope="session")
def data():
    """Return a function from a name below the data folder to its path; skips plainly when it is absent."""
    return lambda name: _needed(_DATA / name, "RADIOLOCUS_DATA")


@pytest.fixture(scope="session")
def reference():
    """Return a function from a name below the reference folder to its path; skips plainly when it is absent."""
    return lambda name: _needed(_REFERENCE / name, "RADIOLOCUS_REFERENCE")
