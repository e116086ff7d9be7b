import numpy as np
import pytest

from naive.mixed import ridge
from radiolocus.stats.ridge import EXPLAINED, coefficients_without, folds_of, penalties_of


def test_folds_hold_everybody_once_and_come_again():
    folds = folds_of(23, 5, 7)
    assert sorted(np.concatenate(folds).tolist()) == list(range(23))
    assert {fold.size for fold in folds} == {4, 5}
    assert all(np.array_equal(a, b) for a, b in zip(folds, folds_of(23, 5, 7), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(folds, folds_of(23, 5, 8), strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_coefficients_are_those_of_one_solve_at_a_time(dtype, tolerance):
    rng = np.random.default_rng(1)
    features, responses = rng.normal(size=(12, 30)), rng.normal(size=(30, 2))
    folds, penalties = folds_of(30, 3, 1), penalties_of(12)
    found = coefficients_without(features.astype(dtype), responses, folds, penalties)
    assert found.shape == (3, 5, 12, 2)
    for k, fold in enumerate(folds):
        rest = np.setdiff1d(np.arange(30), fold)
        for r, h in enumerate(EXPLAINED):
            wanted = ridge(features[:, rest], responses[rest], 12 * (1 - h) / h)
            np.testing.assert_allclose(found[k, r], wanted, rtol=tolerance, atol=tolerance)
