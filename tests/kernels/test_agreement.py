"""The loop as plain Python and compiled, against the table of the analysis of variance written out."""

import numpy as np
import pytest

from naive.agreement import anova
from radiolocus.kernels.agreement import sums_of_squares


@pytest.mark.parametrize("form", [lambda f: getattr(f, "py_func", f), lambda f: f], ids=["plain", "compiled"])
def test_the_sums_are_those_of_the_table(form):
    values = np.random.default_rng(2).normal(5, 2, (3, 6, 4))
    values[1, 2, 3] = np.nan
    values[2] = np.nan
    sums, counts = np.empty((3, 5)), np.empty(3, np.int64)
    form(sums_of_squares)(values, sums, counts)
    assert counts.tolist() == [6, 5, 0]
    for j in range(2):
        n, k, between, within, error = anova(values[j].tolist())
        assert sums[j, 0] == pytest.approx(between * (n - 1), rel=1e-12)
        assert sums[j, 1] == pytest.approx(within * n * (k - 1), rel=1e-12)
        assert sums[j, 1] - sums[j, 2] == pytest.approx(error * (n - 1) * (k - 1), rel=1e-12)
    assert sums[0, 3] == pytest.approx(values[0].mean(), rel=1e-14)
    assert sums[0, 4] == np.abs(values[0]).max()
    assert np.isnan(sums[2, 2:4]).all()
