"""Sparse group lasso against its slow twin, and its two ends against the lasso and against nothing."""

import numpy as np
import pytest

from naive import sparse_group
from radiolocus.kernels.coxpath import elastic_net_path
from radiolocus.kernels.grouppath import sparse_group_path
from radiolocus.learn.cox import in_time
from radiolocus.learn.target import Target

GROUP = np.repeat([0, 1, 2], [3, 6, 9]).astype(np.int64)
WEIGHT = np.sqrt(np.bincount(GROUP))


def cohort(seed=1, n=70):
    """Correlated columns of three groups, of which the second says nothing; rounded, hence tied, times."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, GROUP.size)) + 0.7 * rng.normal(size=(n, 3))[:, GROUP]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    risk = X[:, 0] - 0.6 * X[:, 1] + 0.7 * X[:, 10] + 0.4 * X[:, 12]
    time = np.ceil(4 * rng.exponential(np.exp(-risk)))
    event = (rng.random(n) < 0.7).astype(float)
    label = (risk + rng.logistic(size=n) > 0).astype(float)
    return X, Target(event, time), Target(label)


def path(X, target, penalties, l1_ratio, efron=True, tolerance=1e-10):
    """Coefficients, intercepts and number of fitted penalties."""
    survival = target.time is not None
    order, bounds = in_time(target) if survival else (np.arange(target.n), np.zeros(1, dtype=np.int64))
    start = 0.0 if survival else float(np.log(target.events / (target.n - target.events)))
    found = sparse_group_path(
        np.ascontiguousarray(X[order].T), target.event[order], bounds, survival, efron, GROUP, WEIGHT,
        np.asarray(penalties, dtype=float), l1_ratio, np.zeros(GROUP.size), start, 0.0, tolerance, 200,
    )  # fmt: skip
    return found[0], found[1], found[3]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_is_the_slow_twin(l1_ratio, ties):
    X, target, _ = cohort()
    found, _, fitted = path(X, target, [0.2, 0.08, 0.02], l1_ratio, ties == "efron")
    assert fitted == 3
    for k, penalty in enumerate([0.2, 0.08, 0.02]):
        twin, _ = sparse_group.minimum(
            lambda eta: sparse_group.cox_slope(eta, target.time, target.event, ties),
            X, GROUP, WEIGHT, penalty, l1_ratio, False,
        )  # fmt: skip
        np.testing.assert_allclose(found[k], twin, atol=2e-8)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_logistic_is_the_slow_twin(l1_ratio):
    X, _, target = cohort(2)
    found, intercepts, fitted = path(X, target, [0.06, 0.01], l1_ratio)
    assert fitted == 2
    for k, penalty in enumerate([0.06, 0.01]):
        twin, shift = sparse_group.minimum(
            lambda eta: sparse_group.logistic_slope(eta, target.event), X, GROUP, WEIGHT, penalty, l1_ratio, True
        )
        np.testing.assert_allclose(found[k], twin, atol=2e-8)
        assert intercepts[k] == pytest.approx(shift, abs=2e-8)


@pytest.mark.parametrize("survival", [True, False])
def test_without_groups_it_is_the_lasso(survival):
    X, timed, classed = cohort(3)
    target = timed if survival else classed
    penalties = np.geomspace(0.2, 0.01, 8)
    found, intercepts, fitted = path(X, target, penalties, 1.0)
    order, bounds = in_time(target) if survival else (np.arange(target.n), np.zeros(1, dtype=np.int64))
    start = 0.0 if survival else float(np.log(target.events / (target.n - target.events)))
    lasso = elastic_net_path(
        np.ascontiguousarray(X[order].T), target.event[order], bounds, survival, True, penalties, 1.0,
        np.zeros(GROUP.size), start, penalties[0], 0.0, 1e-10, 200,
    )  # fmt: skip
    assert fitted == 8
    np.testing.assert_allclose(found, lasso[0], atol=1e-8)
    np.testing.assert_allclose(intercepts, lasso[1], atol=1e-8)


def test_group_lasso_takes_groups_whole():
    X, target, _ = cohort(4)
    found, _, _ = path(X, target, np.geomspace(0.3, 0.03, 12), 0.0)
    used = np.column_stack([(found[:, g == GROUP] != 0).mean(axis=1) for g in range(3)])
    assert set(np.unique(used)) == {0.0, 1.0}
    assert used[0].sum() == 0  # the largest penalty takes none
    assert used[:, 1].sum() < used[:, 0].sum()  # the group without a signal comes later than the one with
