import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.stats.logistic import fit_logistic, logistic_univariate_batch


def matrix(table, columns="abc"):
    return np.column_stack([table[c] for c in columns])


def test_equals_r(table, from_r):
    fit = fit_logistic(table["y"], matrix(table))
    np.testing.assert_allclose(np.r_[fit.intercept, fit.coefficient], from_r("logistic.coef"), rtol=1e-8)
    ours = np.roll(fit.covariance, (1, 1), axis=(0, 1))  # R puts the intercept first
    np.testing.assert_allclose(ours.ravel(), from_r("logistic.cov"), rtol=1e-7, atol=1e-14)
    assert fit.loglik == pytest.approx(from_r("logistic.loglik")[0], rel=1e-10)
    assert fit.loglik_null == pytest.approx(from_r("logistic.null")[0], rel=1e-10)


def test_batch_equals_r_column_by_column_with_gaps(table, from_r):
    batch = logistic_univariate_batch(table["y"], matrix(table, "abcd"))
    for j, column in enumerate("abcd"):
        expected = from_r(f"logistic.one.{column}")
        ours = [
            batch.intercept[j],
            batch.coefficient[j],
            batch.standard_error[j],
            batch.loglik[j],
            batch.loglik_null[j],
        ]
        np.testing.assert_allclose(ours, expected[:5], rtol=1e-7, err_msg=column)
        assert batch.score_statistic[j] == pytest.approx(expected[5], rel=1e-5), column


def test_batch_equals_the_multivariable_fit_of_one_column(table):
    batch = logistic_univariate_batch(table["y"], matrix(table))
    for j in range(3):
        fit = fit_logistic(table["y"], matrix(table)[:, j])
        assert batch.coefficient[j] == pytest.approx(fit.coefficient[0], rel=1e-9)
        assert batch.intercept[j] == pytest.approx(fit.intercept, rel=1e-9)
        assert batch.standard_error[j] == pytest.approx(fit.standard_error[0], rel=1e-8)
        assert batch.score_statistic[j] == pytest.approx(fit.score_statistic, rel=1e-9)
        assert batch.likelihood_ratio[j] == pytest.approx(fit.likelihood_ratio, rel=1e-8)
        assert batch.neg_log10_p[j] == pytest.approx(fit.neg_log10_p[0], rel=1e-8)


def test_two_by_two_table_gives_its_odds_ratio():
    # 30 and 10 positives among 40 and 50: log odds ratio and Woolf's variance are closed forms.
    x = np.repeat([1.0, 0.0], [40, 50])
    y = np.r_[np.ones(30), np.zeros(10), np.ones(10), np.zeros(40)]
    fit = fit_logistic(y, x)
    assert fit.coefficient[0] == pytest.approx(np.log(30 * 40 / (10 * 10)), rel=1e-12)
    assert fit.standard_error[0] == pytest.approx(np.sqrt(1 / 30 + 1 / 10 + 1 / 10 + 1 / 40), rel=1e-9)
    assert fit.intercept == pytest.approx(np.log(10 / 40), rel=1e-12)


def test_p_values_are_uniform_on_noise():
    rng = np.random.default_rng(8)
    batch = logistic_univariate_batch(rng.random(300) < 0.4, rng.normal(size=(300, 2000)))
    p = 10**-batch.neg_log10_p
    for level in (0.01, 0.05, 0.5):
        assert (p < level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2000))


@pytest.mark.parametrize(
    "column",
    [
        [1.0, 2, 3, 4, 5, 6],  # complete
        [6.0, 5, 4, 3, 2, 1],
        [1.0, 2, 3, 3, 5, 6],  # quasi-complete: the classes touch in one value
        [0.0, 0, 0, 0, 1, 1],
    ],
)
def test_separation_is_named(column):
    y = [0, 0, 0, 1, 1, 1]
    with pytest.raises(FitError, match="separation: the coefficient of grade"):
        fit_logistic(y, np.array(column), names=["grade"])
    batch = logistic_univariate_batch(y, np.array(column)[:, None])
    assert "separation" in batch.reason(0)
    assert np.isnan(batch.coefficient[0])


def test_a_separating_combination_is_found():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 2))
    with pytest.raises(FitError, match="separation"):
        fit_logistic(X @ [1, 1] > 0, X)


def test_classes_that_overlap_a_little_have_a_finite_maximum():
    y, x = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.arange(8.0)
    fit = fit_logistic(y, x)
    batch = logistic_univariate_batch(y, x[:, None])
    assert np.isfinite(fit.coefficient).all()
    assert batch.coefficient[0] == pytest.approx(fit.coefficient[0], rel=1e-9)


def test_batch_sets_single_columns_aside():
    X = np.column_stack([np.full(5, 2.0), [1, 2, np.nan, np.nan, 3], [0, 1, 0, 1, 2], np.full(5, np.nan)])
    batch = logistic_univariate_batch([0, 0, 1, 1, 0], X)
    assert [batch.reason(j) for j in range(4)] == ["constant", "one class only", "", "one class only"]
    assert batch.n.tolist() == [5, 3, 5, 0]
    assert batch.events.tolist() == [2, 0, 2, 0]


def test_one_class_and_other_codes_are_refused():
    with pytest.raises(FitError, match="one class only"):
        fit_logistic([1, 1, 1], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="1/2 coding is not guessed"):
        fit_logistic([1, 2, 1], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="row 1, column 0"):
        logistic_univariate_batch([0, 1], [[1.0], [np.inf]])
