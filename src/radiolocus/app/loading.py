"""While libraries are loaded, Ctrl-C ends the process at once, and no garbage is looked for."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "loading"]

#: Exit code of a command that was interrupted.
INTERRUPTED = 130


@contextmanager
def loading() -> Iterator[None]:
    """Leave without a traceback when interrupted within the context; nothing may be under way that needs an end.

    A library that is interrupted while it is loaded may answer with any exception, or swallow the interrupt. What is
    loaded stays for good: to look through its hundred thousands of objects for garbage takes as long as loading them.
    """
    with _uncollected(), _interruptible():
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@contextmanager
def _interruptible() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)
