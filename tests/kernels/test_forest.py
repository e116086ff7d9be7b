import numpy as np
import pytest

from naive import survival_forest as naive
from radiolocus.kernels.forest import grow_tree, mean_hazard, survivals


def sample(seed, n=60, p=4, ties=True):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).round(1 if ties else 9)
    time = rng.exponential(np.exp(-X[:, 0]))
    lost = rng.exponential(1.5, n)
    event = (time <= lost).astype(float)
    time = np.minimum(time, lost)
    time = np.ceil(8 * time) if ties else time
    order = np.lexsort((1 - event, time))
    weight = np.bincount(rng.integers(n, size=n), minlength=n).astype(float)
    return X[order], time[order], event[order], weight


def tree_of(X, time, event, weight, least=5.0, columns=None, seed=0):
    stage = np.unique(time, return_inverse=True)[1].astype(np.int64) + 1
    return grow_tree(np.ascontiguousarray(X.T), stage, event, weight, columns or X.shape[1], least, seed)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_every_node_is_cut_where_the_log_rank_test_of_all_cuts_is_largest(seed, ties):
    X, time, event, weight = sample(seed, ties=ties)
    nodes, threshold, used, _, _ = tree_of(X, time, event, weight)
    assert (nodes[:, 0] >= 0).sum() >= 3
    assert used.sum() == (nodes[:, 0] >= 0).sum()

    def walk(node, inside):
        own = np.where(inside, weight, 0.0)
        best = max((naive.best_split(x, time, event, own, 5.0)[0] for x in X.T), default=-1.0)
        if nodes[node, 0] < 0:
            assert own.sum() < 10 or best <= 0 or not (event[own > 0] == 1).any()
            return
        left = X[:, nodes[node, 0]] <= threshold[node]
        assert naive.log_rank(time, event, own, left & inside) == pytest.approx(best, rel=1e-9)
        walk(nodes[node, 1], inside & left)
        walk(nodes[node, 2], inside & ~left)

    walk(0, np.ones(60, dtype=bool))


def test_leaves_hold_the_nelson_aalen_estimate_of_their_subjects():
    X, time, event, weight = sample(1)
    nodes, threshold, _, stage, jump = tree_of(X, time, event, weight)
    leaf = np.zeros(60, dtype=int)
    for i, x in enumerate(X):
        while nodes[leaf[i], 0] >= 0:
            node = leaf[i]
            leaf[i] = nodes[node, 1] if x[nodes[node, 0]] <= threshold[node] else nodes[node, 2]
    distinct = np.unique(time)
    found, mortality = np.zeros((60, distinct.size)), np.zeros(60)
    stages = np.arange(distinct.size) + 1
    survivals(X, nodes, threshold, stage, jump, stages, found)
    for i in range(60):
        own = np.where(leaf == leaf[i], weight, 0.0)
        hazard = np.array([naive.nelson_aalen(time, event, own, t) for t in distinct])
        np.testing.assert_allclose(found[i], np.exp(-hazard), rtol=1e-12)
    events = np.isin(distinct, time[event == 1])
    passed = np.append(0, np.cumsum(events[::-1])[::-1]).astype(float)
    mean_hazard(X, nodes, threshold, stage, jump, passed, mortality)
    np.testing.assert_allclose(mortality, -np.log(found[:, events]).sum(axis=1), rtol=1e-12)


def test_nobody_with_an_event_is_one_leaf_without_hazard():
    X, time, _, weight = sample(2)
    nodes, _, used, stage, jump = tree_of(X, time, np.zeros(60), weight)
    assert nodes.tolist() == [[-1, 0, 0]]
    assert used.sum() == stage.size == jump.size == 0


def test_the_columns_that_are_tried_come_from_the_seed():
    X, time, event, weight = sample(3, p=6)
    first, again, other = (tree_of(X, time, event, weight, columns=2, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[4], again[4])
    assert first[0].shape != other[0].shape or (first[0] != other[0]).any()
