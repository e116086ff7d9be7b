"""The one decorator of every compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` without Python objects, cached on disk where that can be written, releasing the GIL.

    No fast-math: results do not depend on the machine's vector width. With ``NUMBA_DISABLE_JIT=1`` the plain
    Python function runs, so that coverage and debuggers see it.
    """
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder to write to: installed read-only, and a user without a home
        return cast(F, numba.njit(nogil=True)(function))
