"""The one decorator of every compiled loop."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["bring_up", "kernel"]

_config: Any = numba.config
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` without Python objects, cached on disk, releasing the GIL.

    No fast-math: results do not depend on the machine's vector width. With ``NUMBA_DISABLE_JIT=1`` the plain
    Python function runs, so that coverage and debuggers see it.
    """
    try:
        loop = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba finds no folder to write to: installed read-only, and a user without a home
        _keep_for_this_run()
        loop = numba.njit(cache=True, nogil=True)(function)
    _stamp(loop)
    return cast(F, loop)


def _stamp(loop: Any) -> None:
    """Let what is kept of a loop lapse also when a module has changed whose loops it calls; numba looks at its own."""
    file = getattr(getattr(loop, "_cache", None), "_cache_file", None)
    if file is None:  # compilation is off
        return
    called = _called(loop, set())
    if len(called) > 1:
        sources = b"".join(_source(name) for name in sorted(called))
        file._source_stamp = hashlib.sha256(sources).digest()


@cache
def _source(name: str) -> bytes:
    return Path(name).read_bytes()


def _called(loop: Any, seen: set[str]) -> set[str]:
    """Files of a loop and of all loops that its module knows."""
    name = loop.py_func.__code__.co_filename
    if name not in seen:
        seen.add(name)
        for value in list(loop.py_func.__globals__.values()):
            if hasattr(value, "py_func"):
                _called(value, seen)
    return seen


def _keep_for_this_run() -> None:
    """Keep what is compiled in a temporary folder: the workers of this run find it through the environment."""
    folder = tempfile.mkdtemp(prefix="radiolocus-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = _config.CACHE_DIR = folder


@kernel
def _nothing() -> int:
    return 0


def bring_up() -> None:
    """Let numba load what it needs for the first loop of a process, a third of a second, at a time of one's choice."""
    _nothing()
