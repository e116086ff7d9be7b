"""The decorator of the compiled loops, where nothing can be written to."""

import numba
import pytest

from radiolocus.kernels.jit import kernel


def test_a_loop_compiles_also_where_no_folder_can_hold_its_cache(monkeypatch):
    plain = numba.njit

    def read_only(**options):
        if options.get("cache"):
            # What numba raises in a read-only installation for a user without a home.
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", read_only)
    assert kernel(_twice)(4.0) == pytest.approx(8.0)


def _twice(x):
    return 2 * x
