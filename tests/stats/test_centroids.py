import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from radiolocus.errors import InputError
from radiolocus.stats.centroids import similarities


def test_similarities_are_those_of_scipy():
    rng = np.random.default_rng(1)
    values, centroids = rng.standard_normal((12, 4)).round(1), rng.standard_normal((12, 3)).round(1)
    for kind, one in (
        ("spearman", lambda a, b: spearmanr(a, b)[0]),
        ("pearson", lambda a, b: pearsonr(a, b)[0]),
        ("euclidean", lambda a, b: -np.linalg.norm(a - b) / np.sqrt(12)),
    ):
        expected = [[one(values[:, i], centroids[:, c]) for c in range(3)] for i in range(4)]
        np.testing.assert_allclose(similarities(values, centroids, kind), expected, atol=1e-12)


def test_a_constant_sample_has_no_correlation_and_what_cannot_be_compared():
    assert np.isnan(similarities(np.ones((4, 1)), np.arange(8.0).reshape(4, 2))).all()
    with pytest.raises(InputError, match="at least 3"):
        similarities(np.ones((2, 1)), np.ones((2, 2)))
    with pytest.raises(InputError, match="missing values"):
        similarities(np.full((4, 1), np.nan), np.ones((4, 2)))
