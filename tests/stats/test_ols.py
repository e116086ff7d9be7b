import numpy as np
import pytest

from radiolocus.errors import FitError
from radiolocus.stats.ols import covariate_basis, regress_pair, residualise, slopes


def test_the_basis_spans_intercept_and_covariates_and_is_orthonormal():
    rng = np.random.default_rng(1)
    covariates = rng.normal(size=(40, 3)) * [1, 1e6, 1e-6] + [5, 1e7, 0]
    basis = covariate_basis(covariates, 40)
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(basis[:, 0], 40**-0.5)
    np.testing.assert_allclose(basis @ (basis.T @ covariates), covariates, rtol=1e-12, atol=1e-18)
    assert covariate_basis(None, 5).shape == (5, 1)


def test_dependent_covariates_are_named():
    rng = np.random.default_rng(2)
    age, sex = rng.normal(size=30), rng.integers(0, 2, 30)
    table = np.column_stack([age, sex, 1 - sex, np.full(30, 3.7), 2 * age + sex, rng.normal(size=30)])
    with pytest.raises(FitError) as caught:
        covariate_basis(table, 30, ["age", "male", "female", "site", "mix", "other"])
    assert caught.value.got.endswith("determine: female, site (constant), mix")
    assert "leave" in caught.value.todo


def test_more_columns_than_subjects():
    with pytest.raises(FitError, match="5 subjects for an intercept and 4 covariates; allowed: at least 6 subjects"):
        covariate_basis(np.eye(5)[:, :4], 5)


def test_residuals_are_orthogonal_to_rounding():
    rng = np.random.default_rng(3)
    basis = covariate_basis(rng.normal(size=(50, 4)), 50)
    responses = basis @ rng.normal(size=(5, 2)) * 1e8 + rng.normal(size=(50, 2))
    assert np.abs(basis.T @ residualise(basis, responses)).max() < 1e-12


def test_longley_as_certified_by_nist():
    # NIST StRD, linear regression, Longley: coefficient and error of the last predictor (year), 9 degrees of freedom
    rows = """60323 83.0 234289 2356 1590 107608 1947
    61122 88.5 259426 2325 1456 108632 1948
    60171 88.2 258054 3682 1616 109773 1949
    61187 89.5 284599 3351 1650 110929 1950
    63221 96.2 328975 2099 3099 112075 1951
    63639 98.1 346999 1932 3594 113270 1952
    64989 99.0 365385 1870 3547 115094 1953
    63761 100.0 363112 3578 3350 116219 1954
    66019 101.2 397469 2904 3048 117388 1955
    67857 104.6 419180 2822 2857 118734 1956
    68169 108.4 442769 2936 2798 120445 1957
    66513 110.8 444546 4681 2637 121950 1958
    68655 112.6 482704 3813 2552 123366 1959
    69564 114.2 502601 3931 2514 125368 1960
    69331 115.7 518173 4806 2572 127852 1961
    70551 116.9 554894 4007 2827 130081 1962"""
    table = np.array([[float(x) for x in row.split()] for row in rows.split("\n")])
    y, covariates, year = table[:, 0], table[:, 1:6], table[:, 6]
    basis = covariate_basis(covariates, 16)
    beta, error, t = regress_pair(year, y, basis, 9)
    assert beta == pytest.approx(1829.15146461355, rel=1e-9)
    assert error == pytest.approx(455.478499142212, rel=1e-9)
    assert t == pytest.approx(1829.15146461355 / 455.478499142212, rel=1e-9)
    x, residual = residualise(basis, np.column_stack([year, y])).T
    sums = [np.atleast_2d(value) for value in (x @ residual, x @ x, residual @ residual)]
    found = slopes(*sums, 9.0)
    assert float(found.beta[0, 0]) == pytest.approx(1829.15146461355, rel=1e-8)
    assert float(found.standard_error[0, 0]) == pytest.approx(455.478499142212, rel=1e-8)
    assert not found.near.any()


def test_a_perfect_fit_has_no_error_and_a_nearly_perfect_one_has_its_own():
    rng = np.random.default_rng(4)
    x, basis = rng.normal(size=30), covariate_basis(rng.normal(size=(30, 2)), 30)
    assert regress_pair(x, 3 * x + 5, basis, 26) is None
    full, _ = np.linalg.qr(np.column_stack([basis, x]))
    noise = residualise(full, rng.normal(size=(30, 1)))[:, 0]
    beta, error, _ = regress_pair(x, 3 * x + 1e-8 * noise, basis, 26)
    rest = residualise(basis, x[:, None])[:, 0]
    assert beta == pytest.approx(3, rel=1e-12)
    assert error == pytest.approx(1e-8 * np.sqrt(noise @ noise / 26 / (rest @ rest)), rel=1e-6)
