"""Measures regions in two workers and says what each loaded and compiled: ``python -m reference.workers``."""

from __future__ import annotations

import gc
import json
import os
import sys
import time

from numba.core.dispatcher import Dispatcher

from radiolocus.compute import run_units
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.feature.families import FAMILIES
from reference.signatures import region


def measured(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Measure a region; returns the process, and how many loops it loaded and compiled so far."""
    extract(*region(shape), FeatureSettings(families=tuple(FAMILIES), bin_number=16))
    time.sleep(1.0)  # so that both workers get a unit
    stats = [loop.stats for loop in gc.get_objects() if isinstance(loop, Dispatcher)]
    hits, misses = (sum(sum(getattr(s, name).values()) for s in stats) for name in ("cache_hits", "cache_misses"))
    return os.getpid(), hits, misses


if __name__ == "__main__":
    sizes = [(9, 14, 15 + i) for i in range(4)]
    found = [outcome for _, outcome in run_units(measured, sizes, jobs=2)]
    if broken := [outcome for outcome in found if isinstance(outcome, Exception)]:
        sys.exit(str(broken[0]))
    print(json.dumps(found))
