"""Units of work: same answers here and in workers; one bad unit never takes the others along."""

import multiprocessing
import os
import signal
import time

import pytest

from radiolocus.compute import run_units
from radiolocus.errors import RoiError, WorkerError


def _square(x):
    if x == 3:
        raise RoiError("an empty mask", where="S3", todo="look at it")
    return x * x


def _die(x):
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_unit_yields_its_error_whole_and_the_others_go_on(jobs):
    outcome = dict(run_units(_square, [1, 2, 3, 4], jobs=jobs))
    assert [outcome[i] for i in (0, 1, 3)] == [1, 4, 16]
    assert isinstance(outcome[2], RoiError)
    assert outcome[2].message == "S3: an empty mask; what to do: look at it"


def test_a_worker_that_dies_loses_only_its_unit():
    outcome = dict(run_units(_die, [0, 1, 2, 3], jobs=2))
    assert [outcome[i] for i in (0, 2, 3)] == [0, 2, 3]
    assert isinstance(outcome[1], WorkerError)
    assert "memory" in outcome[1].message


def _slow(x):
    time.sleep(0.2 if x == 0 else 60)
    return x


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_caller_that_gives_up_does_not_wait_for_the_units_that_are_left(error):
    started, before = time.monotonic(), set(multiprocessing.active_children())
    units = run_units(_slow, range(5), jobs=2)
    assert next(units) == (0, 0)
    with pytest.raises(error):
        units.throw(error)
    assert time.monotonic() - started < 30
    # Two threads reap the workers, and the books of one may lag behind the other by a moment.
    while set(multiprocessing.active_children()) - before and time.monotonic() - started < 30:
        time.sleep(0.02)
    assert set(multiprocessing.active_children()) <= before


def _told_of_interrupts(_):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_is_answered_by_the_main_process_alone():
    assert [told for _, told in run_units(_told_of_interrupts, [0, 1], jobs=2)] == [True, True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
