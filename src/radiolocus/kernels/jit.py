"""The one decorator of every compiled loop."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel"]

_config: Any = numba.config
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` without Python objects, cached on disk, releasing the GIL.

    No fast-math: results do not depend on the machine's vector width. With ``NUMBA_DISABLE_JIT=1`` the plain
    Python function runs, so that coverage and debuggers see it.
    """
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder to write to: installed read-only, and a user without a home
        _keep_for_this_run()
        return cast(F, numba.njit(cache=True, nogil=True)(function))


def _keep_for_this_run() -> None:
    """Keep what is compiled in a temporary folder: the workers of this run find it through the environment."""
    folder = tempfile.mkdtemp(prefix="radiolocus-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = _config.CACHE_DIR = folder
