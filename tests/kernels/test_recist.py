import numpy as np
import pytest

from radiolocus.kernels import recist


@pytest.mark.parametrize("plain", [True, False])
def test_two_subjects_in_one_sweep(plain):
    def form(f):
        return getattr(f, "py_func", f) if plain else f

    first = np.array([0, 4, 6])
    day = np.array([0.0, 50, 100, 150, 0, 50])
    targets, total = np.full(6, 1), np.array([100.0, 60, 0, 30, 40, 50])
    measured = np.array([1, 1, 1, 1, 1, 0])
    n, off = 6, np.zeros(6, np.bool_)
    nadir, target, response = np.full(n, np.nan), np.zeros(n, np.int8), np.zeros(n, np.int8)
    returned, held = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    form(recist.time_points)(
        first, day, targets, measured, total, total == 0, off, np.zeros(n, np.int8), off,
        True, False, 0.0, nadir, target, response, returned, held,
    )  # fmt: skip
    said = [recist.LABELS[k] for k in response]
    assert said == ["none", "PR", "CR", "PD", "none", "PD"]
    np.testing.assert_array_equal(nadir, [np.nan, 100, 60, 0, np.nan, 40])
    result, decided, progression = np.zeros(2, np.int8), np.zeros(2, np.int64), np.zeros(2, np.int64)
    form(recist.best)(first, day, response, targets, False, 28.0, 42.0, 1, 0, result, decided, progression)
    assert [recist.LABELS[k] for k in result] == ["CR", "PD"]
    assert decided.tolist() == [2, 5]
    assert progression.tolist() == [3, 5]
