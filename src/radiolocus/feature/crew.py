"""Threads that share the work on one region.

What is shared is cut in the same way whatever the number of threads, and results are put together in the order of the
parts, so that no bit depends on that number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import TracebackType
from typing import Any, TypeVar

import numba

__all__ = ["Crew", "available_threads", "one_by_one"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def available_threads() -> int:
    """Return how many threads this process may use: ``NUMBA_NUM_THREADS`` where it is set, else one a core."""
    config: Any = numba.config
    return int(config.NUMBA_NUM_THREADS)


def one_by_one(function: Callable[[Item], Value], items: Sequence[Item]) -> list[Value]:
    """Call `function` of each item in this thread."""
    return [function(item) for item in items]


class Crew:
    """The calling thread and `threads` - 1 more, as long as the context lasts.

    Parameters
    ----------
    threads : int
        At least 1.
    """

    def __init__(self, threads: int) -> None:
        self._helpers = threads - 1
        self._pool = ThreadPoolExecutor(self._helpers) if self._helpers > 0 else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def share(self, function: Callable[[Item], Value], items: Sequence[Item]) -> list[Value]:
        """Call `function` of each item and return the results in their order.

        The calling thread takes the first item and goes on as long as there are others; threads that have nothing else
        to do join in. A function may share its own work in turn: nobody waits for a thread that is not at work already.
        """
        if self._pool is None or len(items) < 2:
            return one_by_one(function, items)
        found: dict[int, Value] = {}
        places = count(1)

        def go_on(place: int) -> None:
            while place < len(items):
                found[place] = function(items[place])
                place = next(places)

        helpers = [self._pool.submit(lambda: go_on(next(places))) for _ in range(min(self._helpers, len(items) - 1))]
        go_on(0)
        for helper in helpers:
            # One that has not begun would find nothing left to do.
            if not helper.cancel():
                helper.result()
        return [found[place] for place in range(len(items))]
