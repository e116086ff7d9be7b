import numpy as np
import pytest

from naive.logistic import firth
from radiolocus.errors import FitError, InputError
from radiolocus.stats.firth import fit_firth
from radiolocus.stats.logistic import fit_logistic


def data(seed, n=80, share=0.25):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(40, 9, n), rng.binomial(1, 0.5, n), rng.binomial(2, 0.08, n)])
    return (rng.random(n) < share).astype(float), X


@pytest.mark.parametrize("table", [(3, 40, 9, 50), (0, 30, 5, 25), (7, 0, 0, 11), (1, 1, 1, 1)])
def test_a_table_of_two_by_two_is_that_with_a_half_added_to_each_cell(table):
    """The penalty of a saturated model is that of half an observation a cell: Firth 1993, section 3."""
    case1, control1, case0, control0 = table
    x = np.repeat([1.0, 1.0, 0.0, 0.0], table)
    y = np.repeat([1.0, 0.0, 1.0, 0.0], table)
    a, b, c, d = (cell + 0.5 for cell in table)
    found = fit_firth(y, x)
    assert found.coefficient[0] == pytest.approx(np.log(a * d / (b * c)), abs=1e-8)
    assert found.intercept == pytest.approx(np.log(c / d), abs=1e-8)
    n1, n0 = case1 + control1, case0 + control0
    variance = (a + b) ** 2 / (n1 * a * b) + (c + d) ** 2 / (n0 * c * d)
    assert found.standard_error[0] == pytest.approx(np.sqrt(variance), rel=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_maximum_of_the_penalised_likelihood(seed):
    y, X = data(seed)
    beta, error, ratio, maximum = firth(y, X)
    found = fit_firth(y, X)
    np.testing.assert_allclose(np.append(found.intercept, found.coefficient), beta, atol=2e-6, rtol=1e-6)
    np.testing.assert_allclose(found.standard_error, error[1:], rtol=1e-6)
    assert found.likelihood_ratio[2] == pytest.approx(ratio, abs=1e-8)
    assert found.penalised_loglik == pytest.approx(maximum, abs=1e-9)


def test_it_is_finite_where_the_classes_are_separated():
    x = np.arange(12.0)
    y = (x > 6).astype(float)
    with pytest.raises(FitError, match="separation"):
        fit_logistic(y, x)
    beta, _, ratio, _ = firth(y, x - 6)
    found = fit_firth(y, x)
    assert found.coefficient[0] == pytest.approx(beta[1], rel=1e-5)
    assert found.likelihood_ratio[0] == pytest.approx(ratio, abs=1e-7)
    assert found.neg_log10_p[0] > found.neg_log10_p_wald[0] > 0


def test_units_origin_and_names_of_the_classes_do_not_matter():
    y, X = data(7)
    found = fit_firth(y, X)
    moved = fit_firth(y, X * [10.0, 1.0, 0.5] + [3.0, -1.0, 2.0])
    turned = fit_firth(1 - y, X)
    np.testing.assert_allclose(moved.coefficient * [10.0, 1.0, 0.5], found.coefficient, rtol=1e-7)
    np.testing.assert_allclose(turned.coefficient, -found.coefficient, rtol=1e-7)
    for other in (moved, turned):
        np.testing.assert_allclose(other.likelihood_ratio, found.likelihood_ratio, rtol=1e-7)


def test_many_subjects_leave_nothing_of_the_penalty():
    y, X = data(1, n=20_000)
    plain = fit_logistic(y, X)
    found = fit_firth(y, X)
    assert (np.abs(found.coefficient - plain.coefficient) < 0.02 * plain.standard_error).all()
    np.testing.assert_allclose(found.standard_error, plain.standard_error, rtol=1e-3)


@pytest.mark.parametrize(
    ("y", "X", "kind", "told"),
    [
        (np.ones(9), np.arange(9.0), FitError, "one class only"),
        (np.arange(9) % 2 + 1.0, np.arange(9.0), InputError, "label 2.0"),
        (np.arange(9) % 2, np.ones(9), FitError, "constant"),
        (np.arange(9) % 2, np.column_stack([np.arange(9.0), 2 * np.arange(9.0)]), FitError, "collinear"),
        (np.arange(9) % 2, np.append(np.arange(8.0), np.nan), InputError, "value nan"),
    ],
)
def test_what_cannot_be_fitted(y, X, kind, told):
    with pytest.raises(kind, match=told):
        fit_firth(y, X)
