from __future__ import annotations

import threading

import numba
import pytest

from radiolocus.feature.crew import Crew, available_threads, one_by_one


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_results_come_in_the_order_of_the_items(threads):
    with Crew(threads) as crew:
        for items in ([], [4], list(range(50))):
            assert crew.share(lambda n: n * n, items) == one_by_one(lambda n: n * n, items) == [n * n for n in items]


def test_two_threads_are_at_work_at_a_time():
    both = threading.Barrier(2, timeout=30)
    with Crew(2) as crew:
        # Neither gets past the barrier before the other is there.
        assert sorted(crew.share(lambda n: both.wait(), [0, 1])) == [0, 1]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_shared_work_may_share_its_own(threads):
    with Crew(threads) as crew:
        found = crew.share(lambda n: crew.share(lambda m: n * m, range(9)), range(12))
    assert found == [[n * m for m in range(9)] for n in range(12)]


@pytest.mark.parametrize("wrong", [0, 3, 9])
def test_an_error_reaches_the_caller(wrong):
    def refuse(n):
        if n == wrong:
            raise ValueError(f"item {n}")
        return n

    with Crew(3) as crew, pytest.raises(ValueError, match=f"item {wrong}"):
        crew.share(refuse, range(10))


def test_the_threads_of_numba_are_those_of_a_crew():
    assert available_threads() == numba.config.NUMBA_NUM_THREADS >= 1
