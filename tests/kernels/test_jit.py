"""The decorator of the compiled loops, where nothing can be written to."""

import os
import subprocess
import sys
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


def test_a_loop_is_compiled_again_when_another_module_that_it_calls_has_changed(tmp_path):
    head = "from radiolocus.kernels.jit import kernel\n"
    (tmp_path / "outer.py").write_text(head + "from inner import f\n@kernel\ndef g(x):\n    return f(x) * 10\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": path}
    for added, misses in ((1, 1), (1, 0), (2, 1)):
        (tmp_path / "inner.py").write_text(head + f"@kernel\ndef f(x):\n    return x + {added}\n")
        code = "from outer import g; print(g(1), sum(g.stats.cache_misses.values()))"
        told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        assert told.split() == [str((1 + added) * 10), str(misses)]


def _twice(x):
    return 2 * x
