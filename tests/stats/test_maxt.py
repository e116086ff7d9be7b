import numpy as np
import pytest
from scipy import stats

from naive import maxt as naive
from radiolocus.errors import ConfigError
from radiolocus.stats.correlation import spanning_basis
from radiolocus.stats.maxt import Block, max_t, permutations_of

N, P, Q = 30, 5, 4
FAMILY = np.array(["b", "a", "b", "c", "a"])


def cohort(seed, gaps=False):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(N, 2))
    common = rng.normal(size=(N, 1))
    F = rng.normal(size=(N, P)) + common + 0.5 * Z[:, :1]
    M = rng.normal(size=(N, Q)) + 0.4 * common - 0.5 * Z[:, 1:]
    M[:, 1] = (M[:, 1] > 0) * 1.0
    if gaps:
        F[rng.random((N, P)) < 0.1] = np.nan
        F[:, 3] = rng.normal(size=N)
        M[rng.random((N, Q)) < 0.1] = np.nan
        M[:, 2] = rng.normal(size=N)
    return F, M, Z


def groups_of(scope):
    pairs = [(i, j) for i in range(P) for j in range(Q)]
    keys = {"marker": lambda p: p[1], "family": lambda p: FAMILY[p[0]], "all": lambda p: 0}[scope]
    return [[p for p in pairs if keys(p) == k] for k in sorted({keys(p) for p in pairs})]


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("covariates", [False, True])
@pytest.mark.parametrize("scope", ["marker", "family", "all"])
def test_counts_are_those_of_the_slow_twin(scope, covariates, gaps):
    F, M, Z = cohort(4, gaps)
    Z = Z if covariates else Z[:, :0]
    count, seed = 40, 9
    block = Block(F, M, spanning_basis(Z, N))
    got = max_t([block], count, seed, scope=scope, family=FAMILY)
    observed, alone, stepped = naive.max_t(F, M, list(Z.T), permutations_of(N, count, seed), groups_of(scope))
    for (i, j), z in observed.items():
        assert got.z[j, i] == pytest.approx(z, rel=2e-4, abs=1e-4)
        assert got.p_value[j, i] == pytest.approx((1 + alone[i, j]) / (1 + count))
        assert got.adjusted[j, i] == pytest.approx((1 + stepped[i, j]) / (1 + count))
    assert not got.fitted.any()


def test_markers_in_blocks_of_their_own_share_the_permutations():
    F, M, Z = cohort(2)
    basis = spanning_basis(Z, N)
    for scope in ("marker", "all"):
        one = max_t([Block(F, M, basis)], 60, 3, scope=scope)
        two = max_t([Block(F, M[:, :1], basis), Block(F, M[:, 1:], basis)], 60, 3, scope=scope)
        np.testing.assert_array_equal(one.adjusted, two.adjusted)
        np.testing.assert_array_equal(one.p_value, two.p_value)


@pytest.mark.parametrize("scope", ["marker", "family", "all"])
def test_threads_change_no_bit_and_pairs_beyond_the_kept_take_the_single_step(scope):
    rng = np.random.default_rng(5)
    F, M = rng.normal(size=(40, 30)), rng.normal(size=(40, 600))
    M[:, :5] += F[:, :1]
    block = Block(F, M, spanning_basis(None, 40))
    family = np.arange(30) % 3
    one = max_t([block], 30, 1, scope=scope, family=family, top=7)
    two = max_t([block], 30, 1, scope=scope, family=family, top=7, threads=2)
    np.testing.assert_array_equal(one.adjusted, two.adjusted)
    np.testing.assert_array_equal(one.p_value, two.p_value)
    whole = max_t([block], 30, 1, scope=scope, family=family, top=30 * 600)
    assert (one.adjusted >= whole.adjusted - 1e-12).all()
    order = np.argsort(-one.z, axis=None)[:7]
    np.testing.assert_array_equal(one.adjusted.ravel()[order], whole.adjusted.ravel()[order])


def test_subjects_stay_in_their_stratum():
    stratum = np.repeat(["x", "y", "z"], [5, 9, 6])
    orders = permutations_of(20, 50, 1, stratum)
    assert (stratum[orders] == stratum).all()
    assert {tuple(sorted(o)) for o in orders} == {tuple(range(20))}
    assert len({tuple(o) for o in orders}) == 50
    # what differs between strata alone is not significant
    rng = np.random.default_rng(0)
    level = (stratum == "y") * 6.0
    block = Block(
        (level + rng.normal(size=20))[:, None], (level + rng.normal(size=20))[:, None], spanning_basis(None, 20)
    )
    assert max_t([block], 400, 1).p_value[0, 0] < 0.02
    assert max_t([block], 400, 1, stratum=stratum).p_value[0, 0] > 0.1


def test_family_wise_error_is_held_among_correlated_features():
    """Under the null, with strongly correlated features and a covariate, p ≤ 0.05 (2 of 40) in 5 % of studies."""
    rng = np.random.default_rng(12)
    false, alone, studies = 0, 0, 300
    for s in range(studies):
        Z = rng.normal(size=(30, 1))
        F = 0.9 * rng.normal(size=(30, 1)) + 0.4 * rng.exponential(size=(30, 8)) + Z
        got = max_t([Block(F, rng.exponential(size=(30, 1)) + Z, spanning_basis(Z, 30))], 39, s)
        false += got.adjusted.min() <= 0.05
        alone += got.p_value[0, 0] <= 0.05
    assert abs(false / studies - 0.05) < 0.035
    assert abs(alone / studies - 0.05) < 0.035


def test_step_down_controls_where_some_hypotheses_are_false_and_beats_the_single_step():
    rng = np.random.default_rng(2)
    wrong = found = single = 0
    for s in range(150):
        F = rng.normal(size=(40, 6))
        m = F[:, 0] * 2 + rng.normal(size=40)
        F[:, 1] += 0.45 * m
        got = max_t([Block(F, m[:, None], spanning_basis(None, 40))], 39, s)
        wrong += (got.adjusted[0, 2:] <= 0.05).any()
        found += got.adjusted[0, 1] <= 0.05
        only = max_t([Block(F, m[:, None], spanning_basis(None, 40))], 39, s, scope="all", top=1)
        single += only.adjusted[0, 1] <= 0.05
    assert wrong / 150 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert found >= single
    assert found > 40


def test_tails_reach_below_what_was_permuted():
    rng = np.random.default_rng(3)
    n = 200
    F, m = rng.normal(size=(n, 20)), rng.normal(size=n)
    F[:, 0] += 0.36 * m
    got = max_t([Block(F, m[:, None], spanning_basis(None, n))], 999, 1)
    exact = stats.pearsonr(F[:, 0], m).pvalue
    assert exact < 1e-4
    assert got.fitted[0, 0]
    # a tail of 999 permutations is prudent three digits further: see test_tail_fit.py for how far it can be trusted
    assert exact / 3 < got.p_value[0, 0] < 1e-4
    assert 20 * exact / 3 < got.adjusted[0, 0] < 1e-3
    np.testing.assert_array_equal(np.argsort(got.adjusted[0], kind="stable")[0], 0)


def test_what_is_constant_has_p_one():
    F, M, Z = cohort(1)
    F[:, 0], M[:, 0] = 3.0, Z[:, 0]
    got = max_t([Block(F, M, spanning_basis(Z, N))], 20, 1)
    assert (got.p_value[:, 0] == 1).all()
    assert (got.adjusted[0] == 1).all()
    assert (got.z[1:, 1:] > 0).all()


def test_no_permutation_is_refused():
    F, M, Z = cohort(1)
    with pytest.raises(ConfigError) as error:
        max_t([Block(F, M, spanning_basis(Z, N))], 0, 1)
    assert "0 permutations" in error.value.got
