"""Compiling ahead: every loop that a command can call is compiled before work starts, in processes of its own.

``signatures.json`` names the loops that are called in each part of a study and the types they are called with; it is
recorded from runs of that part. What is compiled lies where numba keeps it (``NUMBA_CACHE_DIR``; else beside the
sources; else the user's cache folder) with a mark beside it, so that looking whether all is ready costs milliseconds.
A loop called with other types compiles on its first call, as always.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
from numba.core import sigutils

__all__ = ["PARTS", "Compilation", "compile_ahead", "needed"]

#: Parts of a study, and of the program, that call loops of their own.
PARTS = ("imaging", "maps", "genetics", "gwas", "gwas-binary", "gwas-mixed", "link", "outcome", "response")

_PACKAGE = "radiolocus.kernels"
_HERE = Path(__file__).resolve().parent
_config: Any = numba.config
_sigutils: Any = sigutils
#: Seconds that a process takes before it compiles, and for each signature, on the machine this was written on.
_START, _EACH = 1.0, 1.6

#: Loops of a module, each with its signatures in numba's words.
Loops = dict[str, list[str]]


@dataclass(frozen=True)
class Compilation:
    """What is to be compiled: loops by module, how many signatures, about how long it takes, and who is then ready."""

    modules: dict[str, Loops]
    count: int
    seconds: float
    marks: tuple[Path, ...]


@cache
def _recorded() -> dict[str, dict[str, Loops]]:
    found: dict[str, dict[str, Loops]] = json.loads((_HERE / "signatures.json").read_text())
    return found


def needed(parts: Sequence[str] = PARTS) -> Compilation | None:
    """Say what must be compiled before some parts of a study; None when all is there, or compilation is off.

    Parameters
    ----------
    parts : sequence of str
        Of :data:`PARTS`.

    Returns
    -------
    Compilation or None
    """
    if _config.DISABLE_JIT:
        return None
    modules: dict[str, Loops] = {}
    marks = []
    for part in parts:
        wanted = _recorded()[part]
        mark = _mark(part, wanted)
        if mark is None or mark.exists():
            continue
        marks.append(mark)
        for module, loops in wanted.items():
            known = modules.setdefault(module, {})
            for name, signatures in loops.items():
                known[name] = list(dict.fromkeys([*known.get(name, []), *signatures]))
    if not marks:
        return None
    count = sum(_signatures(loops) for loops in modules.values())
    longest = max(_signatures(loops) for loops in modules.values())
    share = max(count / _processes(len(modules)), longest)
    return Compilation(modules, count, _START + _EACH * share, tuple(marks))


def _signatures(loops: Loops) -> int:
    return sum(len(signatures) for signatures in loops.values())


def _processes(tasks: int) -> int:
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, tasks))


def _mark(part: str, wanted: dict[str, Loops]) -> Path | None:
    """Name the file that says that a part is compiled; None when nothing can be kept."""
    hashed = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode())
    for module in ("jit", *sorted(wanted)):
        hashed.update((_HERE / f"{module}.py").read_bytes())
    cpu = _config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    features = _config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
    hashed.update(repr((numba.__version__, llvmlite.__version__, sys.version, cpu, features)).encode())
    folder = _folder(wanted)
    return folder / f"{part}-{hashed.hexdigest()[:16]}.compiled" if folder else None


def _folder(wanted: dict[str, Loops]) -> Path | None:
    """Folder in which numba keeps the loops of this package."""
    for module, loops in wanted.items():
        for name in loops:
            stats = getattr(getattr(import_module(f"{_PACKAGE}.{module}"), name, None), "stats", None)
            if stats is not None:
                return Path(stats.cache_path) if stats.cache_path else None
    return None


def compile_ahead(work: Compilation, step: Callable[[], None] = lambda: None) -> None:
    """Compile, in a process a core, what :func:`needed` found; at once when another process has done it meanwhile.

    Parameters
    ----------
    work : Compilation
    step : callable
        Called after each signature, from any thread but never twice at once.
    """
    folder = work.marks[0].parent
    with _alone(folder):
        if all(mark.exists() for mark in work.marks):
            return
        tasks = sorted(work.modules.items(), key=lambda task: _signatures(task[1]))  # the longest is taken first
        lock = threading.Lock()
        workers = [_Compiler(tasks, lock, step) for _ in range(_processes(len(tasks)))]
        try:
            for worker in workers:
                worker.thread.start()
            for worker in workers:
                worker.thread.join()
        finally:
            for worker in workers:
                worker.close()
        if all(worker.sound for worker in workers):
            for mark in work.marks:
                with contextlib.suppress(OSError):
                    mark.touch()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another process that compiles into the same folder, where the file system can lock."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context((folder / "compiling.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Compiler:
    """A process that compiles module after module, and the thread that feeds it.

    All loops of a module go to one process, because two would overwrite each other's index of what is kept.
    """

    def __init__(self, tasks: list[tuple[str, Loops]], lock: threading.Lock, step: Callable[[], None]) -> None:
        self.tasks, self.lock, self.step = tasks, lock, step
        self.sound = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{_PACKAGE}.ahead"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.thread = threading.Thread(target=self._feed, daemon=True)

    def _feed(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: PT018, S101
        with contextlib.suppress(OSError, ValueError):
            while (task := self._next()) is not None:
                self.process.stdin.write(json.dumps(task) + "\n")
                self.process.stdin.flush()
                while (line := self.process.stdout.readline()) != "done\n":
                    if not line:
                        return
                    with self.lock:
                        self.step()
            self.sound = True

    def _next(self) -> tuple[str, Loops] | None:
        with self.lock:
            return self.tasks.pop() if self.tasks else None

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def _serve() -> None:
    """Compile what each line of standard input names; tell each signature with a line."""
    for line in sys.stdin:
        module, loops = json.loads(line)
        for name, signatures in loops.items():
            loop = getattr(import_module(f"{_PACKAGE}.{module}"), name, None)
            for signature in signatures:
                # A loop that changed since the record compiles on its first call.
                with contextlib.suppress(Exception):
                    # Numba keeps it under what it is given; a call looks for a tuple of types, never for words.
                    loop.compile(_sigutils.normalize_signature(signature)[0])  # type: ignore[union-attr]
                print("compiled", flush=True)
        print("done", flush=True)


if __name__ == "__main__":
    _serve()
