"""The loops as plain Python on tiny inputs: what the compiler sees is what a reader sees."""

import numpy as np
import pytest

from naive import survival as naive
from radiolocus.kernels import riskset

TIME = np.array([5.0, 4.0, 4.0, 4.0, 2.0, 1.0])
START = np.array([0, 1, 4, 5, 6])
EVENT = np.array([True, True, False, True, True, False])
X = np.array([[0.5, 1.0], [-1.0, 0.0], [0.3, 1.0], [1.2, 1.0], [0.7, 0.0], [-0.2, 1.0]])


def plain(function):
    """Return the function before compilation; itself when NUMBA_DISABLE_JIT is set."""
    return getattr(function, "py_func", function)


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_sweep_equals_the_written_out_likelihood(form, ties):
    beta, gradient, information = np.array([0.4, -0.3]), np.empty(2), np.empty((2, 2))
    loglik = form(riskset.cox_sweep)(X, START, EVENT, X @ beta, ties == "efron", gradient, information)
    assert loglik == pytest.approx(naive.cox_loglik(beta, TIME, EVENT, X, ties), abs=1e-13)
    for j, step in enumerate(np.eye(2) * 1e-5):
        sides = [naive.cox_loglik(beta + s * step, TIME, EVENT, X, ties) for s in (1, -1)]
        assert gradient[j] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-8)
    assert (np.linalg.eigvalsh(information) > 0).all()
    np.testing.assert_array_equal(information, information.T)


def test_cox_sweep_survives_a_risk_set_whose_weights_underflow():
    eta = np.array([-2000.0, -2000, -2000, -2000, 0, 0])
    loglik = riskset.cox_sweep(X, START, EVENT, eta, True, np.empty(2), np.empty((2, 2)))
    assert loglik == -np.inf


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
def test_concordance_counts_weighted_pairs(form):
    rank, weight = np.array([1, 3, 2, 2, 3, 1]), np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 3, 0, 1]])
    counts = np.zeros((2, 3), np.int64)
    form(riskset.concordance)(START, EVENT, rank, weight, counts)
    for row, w in zip(counts, weight, strict=True):
        assert row.tolist() == naive.harrell_c(TIME, EVENT, rank, w)


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
def test_cox_batch_fits_and_says_why_not(form):
    group = np.repeat(np.arange(4), np.diff(START))
    columns = np.vstack([X[:, 0], np.ones(6), -TIME, np.where(EVENT, np.nan, 1.0)])
    result, counts, status = np.full((4, 5), np.nan), np.zeros((4, 2), np.int64), np.zeros(4, np.int64)
    form(riskset.cox_batch)(columns, group, EVENT, True, True, result, counts, status)
    assert status.tolist() == [riskset.FITTED, riskset.CONSTANT, riskset.MONOTONE, riskset.NO_EVENTS]
    assert counts.tolist() == [[6, 4], [6, 4], [6, 4], [2, 0]]
    beta = result[0, 0]
    top = naive.cox_loglik(np.array([beta]), TIME, EVENT, X[:, :1], "efron")
    assert result[0, 2] == pytest.approx(top, abs=1e-12)
    for nudge in (-1e-3, 1e-3):
        assert naive.cox_loglik(np.array([beta + nudge]), TIME, EVENT, X[:, :1], "efron") < top
    assert np.isnan(result[1:]).all()


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
def test_concordance_timed_weighs_pairs_by_the_group_of_their_event(form):
    rank, weight = np.array([1, 3, 2, 2, 3, 1]), np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 3, 0, 1]])
    pair_weight = np.array([[0.5, 2.0, 1.25, 1.0], [1.0, 0.0, 3.0, 0.25]])
    sums = np.zeros((2, 3))
    form(riskset.concordance_timed)(START, EVENT, rank, weight, pair_weight, sums)
    for row, w, factors in zip(sums, weight, pair_weight, strict=True):
        # One event time after the other: the pairs of the events of this time alone.
        parts = [
            f * np.array(naive.harrell_c(TIME, EVENT & (t == TIME), rank, w))
            for t, f in zip((5, 4, 2, 1), factors, strict=True)
        ]
        np.testing.assert_allclose(row, np.sum(parts, axis=0), atol=1e-14)


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
def test_incidence_above_follows_those_above_only(form):
    state, level = np.array([0, 1, 0, 2, 1, 0]), np.array([2, 1, 2, 2, 2, 1])
    share, incidence = np.empty((2, 2, 3))
    weight = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 2, 1, 1, 1]])
    form(riskset.incidence_above)(START, 1, True, state, level, weight, share, incidence)
    np.testing.assert_allclose(share, [[1, 4 / 6, 0], [1, 5 / 6, 0]])
    # All: one of five at 2, one of four (beside a competing event) at 4. Above: one of four at 2, none after.
    np.testing.assert_allclose(incidence[0], [1 / 5 + 4 / 5 / 4, 1 / 4, 0], atol=1e-15)
    np.testing.assert_allclose(incidence[1], [1 / 5, 1 / 5, 0], atol=1e-15)
    # Before any but the two last times, and those censored: nothing is known at 4 of who left at 1.
    form(riskset.incidence_above)(START, 1, False, state, np.array([0, 0, 0, 0, 0, 1]), weight, share, incidence)
    assert np.isnan(incidence[0, 0])


@pytest.mark.parametrize("form", [plain, lambda f: f], ids=["plain", "compiled"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_counting_equals_the_written_out_likelihood(form, ties):
    entry, weight = np.array([0.0, 3.5, 2.0, 0.0, 1.0, 0.0]), np.array([1.0, 2.0, 0.5, 1.5, 1.0, 1.0])
    # One stratum of the first four rows, one of the last two; who entered at or after each time of exit.
    stratum, group, leaving = np.array([0, 2, 4]), np.array([0, 1, 4, 5, 6]), np.array([1, 2, 0, 3, 4, 5])
    entered = np.array([0, 0, 4, 5])
    beta, gradient, information = np.array([0.4, -0.3]), np.empty(2), np.empty((2, 2))
    hazard, moment = np.empty((4, 2)), np.empty((4, 3, 2))
    tables = X, stratum, group, entered, leaving, EVENT, weight

    def loglik(b):
        efron = ties == "efron"
        return form(riskset.cox_counting)(*tables, X @ b, efron, gradient, information, hazard, moment)

    code = np.repeat([0, 1], [4, 2])
    assert loglik(beta) == pytest.approx(
        naive.counting_loglik(beta, entry, TIME, EVENT, X, ties, code, weight), abs=1e-13
    )
    found, increments = gradient.copy(), hazard.copy()
    for j, step in enumerate(np.eye(2) * 1e-5):
        assert found[j] == pytest.approx((loglik(beta + step) - loglik(beta - step)) / 2e-5, abs=1e-8)
    np.testing.assert_array_equal(information, information.T)
    # The last time has no event; the first group one, with itself alone at risk.
    np.testing.assert_allclose(increments[0], 1 / np.exp(X[0] @ beta), rtol=1e-12)
    assert not increments[3].any()
    assert loglik(np.array([5000.0, -5000.0])) == -np.inf
