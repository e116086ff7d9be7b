import numpy as np
import pytest
from scipy.stats import binom, hypergeom, norm

from naive import logistic as naive
from radiolocus.errors import FitError
from radiolocus.stats.saddlepoint import fit_null, neg_log10_p_roots, score_test


def design(X):
    return np.column_stack([np.ones(len(X)), X])


def data(seed, n=300, share=0.1, frequency=0.2):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.binomial(1, 0.4, n)])
    y = (rng.random(n) < share * np.exp(0.5 * X[:, 0])).astype(float)
    return y, X, rng.binomial(2, frequency, (40, n)).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_scores_variances_and_saddle_points(seed):
    y, X, G = data(seed)
    found = score_test(G, fit_null(y, design(X)), cutoff=1e-9, fast=False)
    for v, g in enumerate(G):
        score, variance, p = naive.score_test(y, g, X)
        assert found.score[v] == pytest.approx(score, abs=1e-10)
        assert found.variance[v] == pytest.approx(variance, rel=1e-10)
        if abs(score) > 0.5 * np.sqrt(variance):  # nearer the mean ln(v / w) / w of the slow twin has lost its digits
            assert found.neg_log10_p[v] == pytest.approx(-np.log10(p), rel=1e-7)


def test_up_to_the_cutoff_the_score_is_normal():
    y, X, G = data(5)
    null = fit_null(y, design(X))
    found = score_test(G, null, cutoff=1.0)
    z = np.abs(found.score / np.sqrt(found.variance))
    assert 0 < (z > 1).sum() < z.size
    np.testing.assert_allclose(found.neg_log10_p[z <= 1], -np.log10(2 * norm.sf(z[z <= 1])), rtol=1e-10)
    assert (np.abs(found.neg_log10_p[z > 1] + np.log10(2 * norm.sf(z[z > 1]))) > 1e-6).all()


def test_the_quick_form_is_near_the_whole():
    y, X, G = data(3, n=3000, share=0.02, frequency=0.02)
    null = fit_null(y, design(X))
    quick, whole = (score_test(G, null, cutoff=1.0, fast=fast).neg_log10_p for fast in (True, False))
    assert (quick != whole).any()
    np.testing.assert_allclose(quick, whole, atol=0.01)


def all_scores(a, mu):
    """Every value of Σ a (Y − μ), and its probability."""
    values, chance = np.zeros(1), np.ones(1)
    for ai, m in zip(a, mu, strict=True):
        values = np.concatenate([values - ai * m, values + ai * (1 - m)])
        chance = np.concatenate([chance * (1 - m), chance * m])
    return values, chance


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_against_all_outcomes_of_twenty_subjects(seed):
    rng = np.random.default_rng(seed)
    n = 20
    X, g, y = rng.normal(size=(n, 1)), rng.uniform(0, 2, n), np.zeros(n)
    y[rng.permutation(n)[:5]] = 1
    mu = fit_null(y, design(X)).mu
    a = naive.adjusted(g, mu, X)
    values, chance = all_scores(a, mu)
    sd = np.sqrt(np.sum(a * a * mu * (1 - mu)))
    for z in (1.5, 2.0, 2.5, 3.0):
        exact = chance[np.abs(values) >= z * sd].sum()
        assert naive.tail(a, mu, z * sd) + naive.tail(a, mu, -z * sd) == pytest.approx(exact, rel=0.08)


def exact_of_three(counts, mu, score):
    """Probabilities of a score at least, and more, as far from zero: sum over cases among the three genotypes."""
    n = np.array(counts)
    mean = (n[1] + 2 * n[2]) / n.sum()
    chances = [binom.pmf(np.arange(c + 1), c, mu) for c in n]
    kept = [np.flatnonzero(chance > 1e-18) for chance in chances]
    t0, t1, t2 = np.meshgrid(*kept, indexing="ij")
    s = -mean * (t0 - n[0] * mu) + (1 - mean) * (t1 - n[1] * mu) + (2 - mean) * (t2 - n[2] * mu)
    chance = chances[0][t0] * chances[1][t1] * chances[2][t2]
    edge = abs(score) * (1 + 1e-9), abs(score) * (1 - 1e-9)
    return chance[np.abs(s) > edge[0]].sum(), chance[np.abs(s) >= edge[1]].sum()


@pytest.mark.parametrize("carriers", [6, 8, 10, 12, 15])
def test_against_the_exact_distribution_at_one_case_in_fifty(carriers):
    """The normal p-value is too small by orders of magnitude; that of the saddle point is within an eighth."""
    counts, cases = (2890, 108, 2), 60
    g = np.repeat([0.0, 1.0, 2.0], counts)
    y = np.zeros(g.size)
    y[: cases - carriers] = 1
    y[counts[0] : counts[0] + carriers] = 1
    null = fit_null(y, np.ones((g.size, 1)))
    found = score_test(g[None], null)
    p = 10 ** -found.neg_log10_p[0]
    beyond, reached = exact_of_three(counts, cases / g.size, found.score[0])
    assert 0.95 * beyond < p < 1.12 * reached
    normal = 2 * norm.sf(found.score[0] / np.sqrt(found.variance[0]))
    assert abs(np.log(p / reached)) < abs(np.log(normal / reached))
    if carriers >= 8:
        assert normal < reached / 10
    # permuting the cases: their number is fixed, which changes little
    permuted = hypergeom.sf(carriers - 1, g.size, counts[1] + counts[2], cases)
    assert permuted / 3 < p < 3 * permuted


def test_outside_the_support_there_is_no_tail_and_at_its_edge_no_saddle_point():
    np.testing.assert_allclose(neg_log10_p_roots(np.array([3.0]), np.array([-np.inf])), -norm.logsf(3) / np.log(10))
    unknown = neg_log10_p_roots(np.array([np.nan, np.inf]), np.array([-1.0, -np.inf]))
    assert np.isnan(unknown).all()
    # all carriers are cases, and nobody else is: the largest score there is
    y = np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    found = score_test(y[None], fit_null(y, np.ones((10, 1))), fast=False)
    assert np.isnan(found.neg_log10_p[0])
    assert found.score[0] == pytest.approx(2.1)


def test_a_genotype_that_the_covariates_determine_has_no_test():
    y, X, _ = data(1)
    found = score_test(np.stack([X[:, 1], np.ones(len(y))]), fit_null(y, design(X)))
    assert np.isnan(found.neg_log10_p).all()


def test_covariates_that_tell_the_classes_apart():
    y = np.repeat([0.0, 1.0], 10)
    with pytest.raises(FitError, match="separation: the covariates tell the cases from the controls"):
        fit_null(y, design(np.arange(20.0)[:, None] / 10))
    with pytest.raises(FitError, match="determine each other"):
        fit_null(y, np.ones((20, 2)))


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high", "least"), [(0.05, 0.3, 1.0), (0.01, 0.05, 0.7)])
def test_type_one_error_at_one_case_in_fifty(low, high, least):
    """Rejections among 20,000 variants without effect, with about 100 cases among 5,000 and a covariate with effect.

    Common variants are rejected as often as the level says, within three standard errors; rare ones, whose scores are
    few numbers, not more often, and not much more rarely. The normal test rejects rare ones too often.
    """
    rng = np.random.default_rng(12)
    n, m = 5000, 20_000
    X = rng.normal(size=(n, 1))
    y = (rng.random(n) < 0.018 * np.exp(0.4 * X[:, 0])).astype(float)
    assert 70 < y.sum() < 130
    null = fit_null(y, design(X))
    p, normal = [], []
    for _ in range(20):
        G = rng.binomial(2, rng.uniform(low, high, (m // 20, 1)), (m // 20, n)).astype(float)
        found = score_test(G, null)
        p.append(10**-found.neg_log10_p)
        normal.append(2 * norm.sf(np.abs(found.score) / np.sqrt(found.variance)))
    for level in (5e-2, 5e-3, 5e-4):
        error = 3 * np.sqrt(level * (1 - level) / m)
        assert least * level - error < (np.concatenate(p) < level).mean() < level + error
    if least < 1:
        assert (np.concatenate(normal) < 5e-4).mean() > 5e-4 + 3 * np.sqrt(5e-4 / m)
