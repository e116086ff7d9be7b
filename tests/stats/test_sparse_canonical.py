import numpy as np
import pytest

from radiolocus.stats.sparse_canonical import (
    _projected,
    _standard,
    _start,
    _weights,
    partial_least_squares,
    sparse_canonical,
)


def slow_projection(a, limit):
    """The soft threshold found by halving."""

    def scaled(t):
        soft = np.sign(a) * np.maximum(np.abs(a) - t, 0)
        return soft / np.linalg.norm(soft)

    if np.abs(scaled(0)).sum() <= limit:
        return scaled(0)
    low, high = 0.0, np.abs(a).max() * (1 - 1e-12)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if np.abs(scaled(middle)).sum() < limit else (middle, high)
    return scaled(high)


@pytest.mark.parametrize("limit", [1.0, 1.3, 2.0, 3.5, 20.0])
def test_weights_are_shrunk_as_by_halving(limit):
    A = np.random.default_rng(0).normal(size=(50, 12))
    got = _projected(A, limit)
    for j in range(12):
        np.testing.assert_allclose(got[:, j], slow_projection(A[:, j], limit), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(got, axis=0), 1)
    assert (np.abs(got).sum(axis=0) <= limit * (1 + 1e-9)).all()


def test_permuted_data_sets_are_solved_as_if_each_were_alone():
    """Penalised matrix decomposition written out: alternate until nothing moves."""
    rng = np.random.default_rng(1)
    x, y = _standard(rng.normal(size=(30, 8))), _standard(rng.normal(size=(30, 12)))
    x[:, 0] = y[:, 0]
    orders = np.vstack([np.arange(30), rng.permutation(30)])
    U, V = _weights(x, y, orders, 0.5, _start(x, y, orders))
    for k, order in enumerate(orders):
        cross = x[order].T @ y
        v = np.linalg.svd(cross)[2][0]
        for _ in range(30):
            u = slow_projection(cross @ v, max(1, 0.5 * np.sqrt(8)))
            v = slow_projection(cross.T @ u, max(1, 0.5 * np.sqrt(12)))
        sign = np.sign(u @ U[:, k])
        np.testing.assert_allclose(U[:, k], sign * u, atol=1e-4)
        np.testing.assert_allclose(V[:, k], sign * v, atol=1e-4)


def planted(seed=2, n=80):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1))
    X, Y = rng.normal(size=(n, 20)), rng.normal(size=(n, 60))
    X[:, :3] += 1.5 * z
    Y[:, :6] -= 1.5 * z
    return X, Y


def test_planted_columns_are_found_by_both():
    X, Y = planted()
    sparse = sparse_canonical(X, Y, 60, 1, halves=30, penalties=(0.2, 0.4))
    assert sparse.p_value == pytest.approx(1 / 61)
    assert set(np.flatnonzero(sparse.stable_u > 0.7)) <= {0, 1, 2}
    assert sparse.stable_v[:6].mean() > 2 * sparse.stable_v[6:].mean()
    assert sparse.u @ np.ones(20) * (sparse.v @ np.ones(60)) < 0
    assert np.abs(sparse.u).sum() <= max(1, sparse.penalty * np.sqrt(20)) + 1e-9
    dense = partial_least_squares(X, Y, 60, 1, draws=40)
    assert dense.p_value == pytest.approx(1 / 61)
    assert set(np.argsort(-np.abs(dense.stable_u))[:3]) == {0, 1, 2}


def test_partial_least_squares_are_the_singular_vectors():
    X, Y = planted(3)
    found = partial_least_squares(X, Y, 5, 1, draws=5)
    left, _, right = np.linalg.svd(_standard(X).T @ _standard(Y), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.u), np.abs(left[:, 0]), atol=1e-10)
    np.testing.assert_allclose(np.abs(found.v), np.abs(right[0]), atol=1e-10)
    assert found.correlation == pytest.approx(np.corrcoef(_standard(X) @ found.u, _standard(Y) @ found.v)[0, 1])


def test_p_values_of_the_whole_procedure_are_those_of_chance():
    """The penalty is chosen to look best; p still is not smaller than it says."""
    rng = np.random.default_rng(4)
    p = []
    for s in range(60):
        X, Y = rng.normal(size=(25, 6)), rng.normal(size=(25, 10))
        found = sparse_canonical(X, Y, 19, s, penalties=(0.3, 0.7), halves=1)
        dense = partial_least_squares(X, Y, 19, s, draws=2)
        p.append((found.p_value, dense.p_value))
    share = (np.array(p) <= 0.1).mean(axis=0)
    assert (np.abs(share - 0.1) < 0.12).all()


def test_the_same_seed_gives_the_same_and_order_of_subjects_does_not_matter_to_weights():
    X, Y = planted(5)
    a, b = (sparse_canonical(X, Y, 20, 7, penalties=(0.3,), halves=3) for _ in range(2))
    np.testing.assert_array_equal(a.u, b.u)
    assert a.p_value == b.p_value
    order = np.random.default_rng(0).permutation(len(X))
    c = sparse_canonical(X[order], Y[order], 20, 7, penalties=(0.3,), halves=3)
    np.testing.assert_allclose(a.u, c.u, atol=1e-5)
