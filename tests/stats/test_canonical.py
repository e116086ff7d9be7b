"""Canonical correlations beside R's manova and cancor, and a slow twin of their definition."""

import shutil
import subprocess

import numpy as np
import pytest
from scipy import linalg, stats

from radiolocus.errors import FitError
from radiolocus.stats.canonical import canonical_test, neg_log10_p_f, permuted_p, principal_axes
from radiolocus.stats.ols import covariate_basis, residualise

R = shutil.which("Rscript")


def case(n=60, p=4, q=3, k=2, effect=0.4, seed=5):
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, k))
    x = rng.binomial(2, 0.4, (n, p)) + 0.3 * covariates[:, :1]
    y = rng.normal(size=(n, q)) + covariates[:, 1:2]
    y[:, 0] += effect * x[:, -1]
    return x, y, covariates


def axes_of(x, y, covariates):
    basis = covariate_basis(covariates, x.shape[0])
    return *(principal_axes(residualise(basis, v - v.mean(axis=0)))[0] for v in (x, y)), basis


@pytest.mark.skipif(R is None, reason="Rscript is not installed")
@pytest.mark.parametrize(("p", "q"), [(4, 3), (1, 3), (4, 1), (2, 2), (5, 6)])
def test_wilks_and_raos_f_are_those_of_r(tmp_path, p, q):
    x, y, covariates = case(p=p, q=q)
    for name, values in (("x", x), ("y", y), ("z", covariates)):
        np.savetxt(tmp_path / name, values)
    script = """
    x <- as.matrix(read.table("x")); y <- as.matrix(read.table("y")); z <- as.matrix(read.table("z"))
    e <- crossprod(residuals(lm(y ~ z + x))); h <- crossprod(residuals(lm(y ~ z))) - e
    wilks <- det(e) / det(e + h)
    if (ncol(y) > 1) {
      s <- summary(manova(y ~ z + x), test = "Wilks")$stats["x", ]
      told <- c(s["Wilks"], s["approx F"], s["num Df"], s["den Df"], s["Pr(>F)"])
    } else {
      a <- anova(lm(y ~ z), lm(y ~ z + x))
      told <- c(wilks, a$F[2], a$Df[2], a$Res.Df[2], a$`Pr(>F)`[2])
    }
    r <- cancor(residuals(lm(x ~ z)), residuals(lm(y ~ z)))$cor
    cat(format(c(told, r), digits = 17))
    """
    told = subprocess.run([R, "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    wilks, statistic, df1, df2, p_value, *correlations = (float(v) for v in told)
    ours, theirs, _ = axes_of(x, y, covariates)
    found = canonical_test(ours, theirs, 3)
    np.testing.assert_allclose(found.correlations, correlations, rtol=1e-10)
    np.testing.assert_allclose([found.wilks, found.statistic], [wilks, statistic], rtol=1e-9)
    assert (found.df1, found.df2) == (df1, pytest.approx(df2, abs=1e-9))
    assert found.neg_log10_p == pytest.approx(-np.log10(p_value), rel=1e-8)


def test_correlations_are_roots_of_the_definition():
    x, y, covariates = case()
    left, right, basis = axes_of(x, y, covariates)
    rx, ry = (residualise(basis, v - v.mean(axis=0)) for v in (x, y))
    a, b, c = rx.T @ rx, ry.T @ ry, rx.T @ ry
    roots = np.sort(linalg.eigvals(np.linalg.solve(a, c) @ np.linalg.solve(b, c.T)).real)[::-1]
    found = canonical_test(left, right, 3)
    np.testing.assert_allclose(found.correlations**2, roots[:3], atol=1e-12)
    assert np.corrcoef(found.first_x, found.first_y)[0, 1] == pytest.approx(found.correlations[0])


@pytest.mark.parametrize(("f", "df1", "df2"), [(1.3, 4, 50.5), (80.0, 3, 200), (150.0, 12, 800.0), (0.01, 5, 30)])
def test_the_tail_is_that_of_f(f, df1, df2):
    assert neg_log10_p_f(f, df1, df2) == pytest.approx(-stats.f.logsf(f, df1, df2) / np.log(10), rel=1e-9)


def test_far_tails_go_on_smoothly_below_the_smallest_number():
    at = np.linspace(30, 60, 25)
    values = np.array([neg_log10_p_f(f, 10, 2000) for f in at])
    far = np.array([neg_log10_p_f(f, 10, 20_000) for f in (200.0, 400.0)])
    assert np.all(np.diff(values) > 0)
    assert np.abs(np.diff(values, 3)).max() < 1e-3
    # one degree of freedom above is the square of Student's t, whose tail is known in logarithms
    from radiolocus.stats.tail import neg_log10_p_t

    assert neg_log10_p_f(60.0**2, 1, 500) == pytest.approx(float(neg_log10_p_t(60.0, 500)), rel=1e-9)
    assert far[0] > 300
    assert far[1] > far[0]


def test_columns_that_repeat_others_cost_nothing():
    x, y, covariates = case()
    again = np.column_stack([x, x[:, 0] + x[:, 1], 3 * x[:, 2], np.ones(60), covariates[:, 0]])
    plain, doubled = (axes_of(v, y, covariates) for v in (x, again))
    assert doubled[0].shape[1] == 4
    assert canonical_test(*doubled[:2], 3).wilks == pytest.approx(canonical_test(*plain[:2], 3).wilks, rel=1e-10)


def test_a_smaller_share_of_the_variance_takes_fewer_axes():
    rng = np.random.default_rng(2)
    base = rng.normal(size=(80, 2))
    columns = np.column_stack([base @ rng.normal(size=2) + 0.01 * rng.normal(size=80) for _ in range(10)])
    columns -= columns.mean(axis=0)
    every, _ = principal_axes(columns)
    most, _ = principal_axes(columns, 0.99)
    assert every.shape[1] == 10
    assert most.shape[1] == 2
    np.testing.assert_allclose(most.T @ most, np.eye(2), atol=1e-12)


def test_too_few_subjects_are_refused():
    x, y, covariates = case(n=12, p=5, q=4)
    left, right, _ = axes_of(x, y, covariates)
    with pytest.raises(FitError, match=r"12 subjects for 5 axes of variants, 4 of phenotypes and 3"):
        canonical_test(left, right, 3)


def test_without_association_both_p_values_are_uniform():
    count, small, differences = 300, 0, []
    for seed in range(count):
        left, right, basis = axes_of(*case(n=40, effect=0.0, seed=seed))
        found = canonical_test(left, right, 3)
        small += found.neg_log10_p > -np.log10(0.05)
        if seed < 12:
            p = permuted_p(left, right, basis, found.wilks, 199, np.random.default_rng(seed))
            differences.append(p - 10**-found.neg_log10_p)
    assert abs(small / count - 0.05) < 3 * np.sqrt(0.05 * 0.95 / count)
    assert np.abs(differences).max() < 0.12
    assert abs(np.mean(differences)) < 0.03


def test_a_permuted_p_value_is_never_zero_and_small_where_there_is_an_effect():
    left, right, basis = axes_of(*case(effect=3.0))
    found = canonical_test(left, right, 3)
    assert permuted_p(left, right, basis, found.wilks, 99, np.random.default_rng(1)) == 0.01
