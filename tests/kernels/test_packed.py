import numpy as np
import pytest

from naive import genotype_quality as naive
from radiolocus.kernels.packed import (
    count_both_called,
    king_counts,
    pack_by_variant,
    pair_r2,
    prune_window,
)


def calls(variants, samples, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    out = rng.binomial(2, rng.uniform(0.1, 0.9, (variants, 1)), (variants, samples)).astype(np.int8)
    out[rng.random(out.shape) < missing] = -1
    return out


def planes(rows, width):
    return (np.zeros((rows, (width + 63) // 64), dtype=np.uint64) for _ in range(2))


@pytest.mark.parametrize("variants", [1, 63, 64, 65, 8300])
def test_king_counts_equal_the_obvious_ones(variants):
    found = calls(variants, 5)
    one, two = planes(5, variants)
    pack_by_variant(np.ascontiguousarray(found.T), one, two)
    left, right = np.array([0, 3]), np.array([4, 1, 2])
    out = np.empty((2, 3, 4), dtype=np.int64)
    king_counts(one, two, left, right, out)
    for a, i in enumerate(left):
        for b, j in enumerate(right):
            assert tuple(out[a, b]) == naive.king(found[:, i].tolist(), found[:, j].tolist())
    called = np.empty(2, dtype=np.int64)
    count_both_called(one, two, np.array([[0, 4], [3, 1]]), called)
    assert called.tolist() == [((found[:, i] >= 0) & (found[:, j] >= 0)).sum() for i, j in ((0, 4), (3, 1))]


@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 200])
def test_r2_equals_the_obvious_one(samples):
    found = calls(8, samples, seed=1)
    found[5] = np.where(np.arange(samples) % 3 == 0, found[4], found[5])
    found[6], found[7] = 1, -1
    one, two = planes(8, samples)
    pack_by_variant(found, one, two)
    for a in range(8):
        for b in range(8):
            expected = naive.r2(found[a].tolist(), found[b].tolist())
            np.testing.assert_allclose(pair_r2(one, two, a, b), expected, rtol=1e-12, atol=1e-15)


def test_no_pair_of_a_pruned_window_is_correlated_and_every_loss_has_a_reason():
    rng = np.random.default_rng(5)
    found = np.repeat(calls(20, 90, seed=2, missing=0), 5, axis=0)
    noise = rng.random(found.shape) < 0.15
    found[noise] = rng.integers(0, 3, noise.sum())
    frequency = found.mean(axis=1) / 2
    minor = np.minimum(frequency, 1 - frequency)
    one, two = planes(100, 90)
    pack_by_variant(found, one, two)
    removed, unchecked = np.zeros(100, dtype=np.bool_), np.zeros(100, dtype=np.int64)
    for start in range(0, 81, 4):
        here = slice(start, start + 20)
        prune_window(one[here], two[here], minor[here], 0.2, unchecked[here], start, removed[here])
    kept = np.flatnonzero(~removed)
    assert 20 <= kept.size < 60
    pairs = naive.correlated_pairs(found.tolist(), 0.2, 17)
    assert not [p for p in pairs if not removed[list(p)].any()]
    near = {i: [j for p in pairs for j in p if i in p and j != i] for i in range(100)}
    assert all(any(minor[j] >= minor[i] for j in near[i]) for i in np.flatnonzero(removed))
