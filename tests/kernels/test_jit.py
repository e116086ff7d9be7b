"""The decorator of the compiled loops, where nothing can be written to."""

import os
from pathlib import Path

import numba
import pytest

from radiolocus.kernels.jit import kernel


def test_a_loop_is_kept_for_the_run_where_no_folder_can_hold_its_cache(monkeypatch):
    plain = numba.njit

    def read_only(**options):
        if options.get("cache") and not numba.config.CACHE_DIR:
            # What numba raises in a read-only installation for a user without a home.
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    with monkeypatch.context() as patched:
        patched.setattr(numba, "njit", read_only)
        loop = kernel(_twice)
    assert loop(4.0) == pytest.approx(8.0)
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder == Path(numba.config.CACHE_DIR)
    assert list(folder.rglob("*_twice*.nbc"))


def _twice(x):
    return 2 * x
