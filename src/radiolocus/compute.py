"""Where work runs: this process or local workers, by the same call and with the same bytes.

Every unit computes with one BLAS thread, here as in a worker, so that the number of workers never changes a result.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

from radiolocus.errors import WorkerError

__all__ = ["one_thread", "run_units"]

Item = TypeVar("Item")
Value = TypeVar("Value")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one BLAS thread within the context, so that the bytes do not depend on the cores of the machine."""
    with threadpool_limits(1):
        yield


def _call(function: Callable[[Item], Value], item: Item) -> Value:
    with one_thread():
        return function(item)


def run_units(
    function: Callable[[Item], Value], items: Sequence[Item], *, jobs: int = 1, threads: bool = False
) -> Iterator[tuple[int, Value | Exception]]:
    """Apply `function` to every item, in this process or in `jobs` workers.

    A unit that raises yields its exception instead of a value; the others go on. A worker that dies is replaced, and
    only the unit it died of is lost.

    Parameters
    ----------
    function : callable
        Importable (not a lambda) when `jobs` is above one.
    items : sequence
        One entry a unit.
    jobs : int
        Number of workers.
    threads : bool
        Workers share this process's memory. For units that spend their time in compiled code and read large arrays;
        processes, the default, also survive a crash inside a library.

    Yields
    ------
    index : int
        Position of the item; units come as they finish.
    outcome
        Value, or the exception.
    """
    if jobs <= 1 or len(items) <= 1:
        for index, item in enumerate(items):
            try:
                yield index, _call(function, item)
            except Exception as error:  # handed to the caller, who knows whose data it is
                yield index, error
        return
    broken: list[int] = []
    pool: Executor
    with ThreadPoolExecutor(jobs) if threads else _pool(min(jobs, len(items))) as pool, one_thread(), _given_up(pool):
        with _undisturbed():
            futures: dict[Future[Value], int] = {pool.submit(_call, function, item): i for i, item in enumerate(items)}
        for future in as_completed(futures):
            outcome = _outcome(future)
            if isinstance(outcome, BrokenProcessPool):
                broken.append(futures[future])
            else:
                yield futures[future], outcome
    # A dead worker takes the whole pool with it; each unit that was not finished gets a process of its own.
    for index in sorted(broken):
        with _pool(1) as pool:
            with _undisturbed():
                alone = pool.submit(_call, function, items[index])
            outcome = _outcome(alone)
        if isinstance(outcome, BrokenProcessPool):
            outcome = WorkerError(
                "the process computing this unit died (out of memory, or a crash inside a library)",
                todo="give the machine more memory or fewer --jobs; look at the input of this unit",
            )
        yield index, outcome


@contextmanager
def _given_up(pool: Executor) -> Iterator[None]:
    """End the workers at once when the run is interrupted or the caller wants no more units."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        workers = set(multiprocessing.active_children()) - others
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        raise


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Start workers that Ctrl-C does not reach (a terminal sends it to all): this process alone answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process inherits it, from its first line
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork inherits locked threads of polars and BLAS.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _outcome(future: Future[Value]) -> Value | Exception:
    try:
        return future.result()
    except Exception as error:
        return error
