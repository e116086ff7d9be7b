import numpy as np
import pytest

from naive import survival as naive
from radiolocus.errors import FitError, InputError
from radiolocus.stats.counting import fit_counting_cox
from radiolocus.stats.cox import cox_risk, cox_univariate_batch, fit_cox

TIES = ["efron", "breslow"]


def matrix(table, columns="abc"):
    return np.column_stack([table[c] for c in columns])


@pytest.mark.parametrize("ties", TIES)
def test_equals_r(table, from_r, ties):
    fit = fit_cox(table["t"], table["e"], matrix(table), ties=ties)
    np.testing.assert_allclose(fit.coefficient, from_r(f"{ties}.coef"), rtol=1e-8)
    np.testing.assert_allclose(fit.covariance.ravel(), from_r(f"{ties}.cov"), rtol=1e-8, atol=1e-16)
    for ours, key in (
        (fit.loglik, "loglik"),
        (fit.loglik_null, "null"),
        (fit.score_statistic, "score"),
        (fit.wald, "wald"),
    ):
        assert ours == pytest.approx(from_r(f"{ties}.{key}")[0], rel=1e-9), key
    assert (fit.n, fit.events) == (160, table["e"].sum())


@pytest.mark.parametrize("ties", TIES)
def test_batch_equals_r_column_by_column_with_gaps(table, from_r, ties):
    batch = cox_univariate_batch(table["t"], table["e"], matrix(table, "abcd"), ties=ties)
    for j, column in enumerate("abcd"):
        ours = [
            batch.coefficient[j],
            batch.standard_error[j],
            batch.loglik[j],
            batch.loglik_null[j],
            batch.score_statistic[j],
            batch.n[j],
            batch.events[j],
        ]
        np.testing.assert_allclose(ours, from_r(f"{ties}.one.{column}"), rtol=1e-8, err_msg=column)
    assert batch.n[3] == np.isfinite(table["d"]).sum() < 160


@pytest.mark.parametrize("ties", TIES)
def test_gradient_is_zero_and_information_is_the_curvature_of_the_written_out_likelihood(table, ties):
    time, event, X = table["t"][:40], table["e"][:40], matrix(table, "ab")[:40]
    fit = fit_cox(time, event, X, ties=ties)

    def loglik(beta):
        return naive.cox_loglik(beta, time, event, X, ties)

    assert loglik(fit.coefficient) == pytest.approx(fit.loglik, abs=1e-10)
    assert loglik(np.zeros(2)) == pytest.approx(fit.loglik_null, abs=1e-10)
    h, steps = 1e-4, np.eye(2) * 1e-4
    for i in range(2):
        up, down = loglik(fit.coefficient + steps[i]), loglik(fit.coefficient - steps[i])
        assert up < fit.loglik
        assert down < fit.loglik
        assert (up - down) / (2 * h) == pytest.approx(0, abs=1e-6)
    curvature = np.array(
        [
            [
                sum(si * sj * loglik(fit.coefficient + si * a + sj * b) for si in (1, -1) for sj in (1, -1))
                for b in steps
            ]
            for a in steps
        ]
    )
    np.testing.assert_allclose(np.linalg.inv(-curvature / (4 * h * h)), fit.covariance, rtol=1e-4)


@pytest.mark.parametrize("ties", TIES)
def test_batch_equals_the_multivariable_fit_of_one_column(table, ties):
    batch = cox_univariate_batch(table["t"], table["e"], matrix(table), ties=ties)
    for j in range(3):
        fit = fit_cox(table["t"], table["e"], matrix(table)[:, j], ties=ties)
        assert batch.coefficient[j] == pytest.approx(fit.coefficient[0], rel=1e-9)
        assert batch.standard_error[j] == pytest.approx(fit.standard_error[0], rel=1e-9)
        assert batch.score_statistic[j] == pytest.approx(fit.score_statistic, rel=1e-9)
        assert batch.likelihood_ratio[j] == pytest.approx(fit.likelihood_ratio, rel=1e-9)
        assert batch.neg_log10_p[j] == pytest.approx(fit.neg_log10_p[0], rel=1e-9)


def test_without_ties_efron_and_breslow_agree():
    rng = np.random.default_rng(4)
    time, event, X = rng.random(50), rng.random(50) < 0.7, rng.normal(size=(50, 2))
    efron, breslow = (fit_cox(time, event, X, ties=ties) for ties in ("efron", "breslow"))
    np.testing.assert_allclose(efron.coefficient, breslow.coefficient, rtol=1e-12)


def test_finds_planted_hazard_ratios_without_bias():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(4000, 3))
    truth = np.array([0.8, -0.5, 0.0])
    time, censor = rng.exponential(np.exp(-X @ truth)), rng.exponential(2.0, 4000)
    fit = fit_cox(np.minimum(time, censor), time <= censor, X)
    assert (np.abs(fit.coefficient - truth) < 3.5 * fit.standard_error).all()
    assert (fit.standard_error < 0.03).all()
    assert fit.neg_log10_p[0] > 100
    assert fit.neg_log10_p_test() > 100


@pytest.mark.parametrize("ties", TIES)
def test_a_score_test_alone_is_that_of_the_whole_fit(table, ties):
    whole, alone = (
        cox_univariate_batch(table["t"], table["e"], matrix(table, "abcd"), ties=ties, fit=fit) for fit in (True, False)
    )
    np.testing.assert_array_equal(alone.score_statistic, whole.score_statistic)
    np.testing.assert_array_equal(alone.loglik_null, whole.loglik_null)
    assert np.isnan([alone.coefficient, alone.standard_error, alone.loglik]).all()


def test_p_values_are_uniform_on_noise():
    rng = np.random.default_rng(8)
    batch = cox_univariate_batch(rng.exponential(size=200), rng.random(200) < 0.5, rng.normal(size=(200, 2000)))
    p = 10**-batch.neg_log10_p
    for level in (0.01, 0.05, 0.5):
        assert (p < level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2000))


def test_scaling_a_column_scales_its_coefficient(table):
    X = matrix(table)
    fit, scaled = (fit_cox(table["t"], table["e"], x) for x in (X, X * [1e-6, 1, 1e8] + [0, 5, -1e9]))
    np.testing.assert_allclose(scaled.coefficient * [1e-6, 1, 1e8], fit.coefficient, rtol=1e-6)
    assert scaled.loglik == pytest.approx(fit.loglik, rel=1e-10)


def test_no_events():
    with pytest.raises(FitError, match="no events among 3 patients"):
        fit_cox([1.0, 2.0, 3.0], [0, 0, 0], [1.0, 0.0, 2.0])


@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_likelihood_is_named(sign):
    time, event = np.arange(1.0, 9.0), np.ones(8)
    other = np.array([1.0, -1, 1, 1, -1, 1, -1, -1])
    with pytest.raises(FitError, match="monotone likelihood: the coefficient of grade"):
        fit_cox(time, event, np.column_stack([other, -sign * time]), names=["age", "grade"])
    batch = cox_univariate_batch(time, event, np.column_stack([sign * time, other]))
    assert batch.fitted.tolist() == [False, True]
    assert np.isnan(batch.coefficient[0])
    assert "monotone likelihood" in batch.reason(0)
    assert batch.reason(1) == ""


def test_no_event_in_one_group_is_monotone():
    rng = np.random.default_rng(2)
    group = np.repeat([0.0, 1.0], 30)
    time, event = rng.exponential(size=60), group == 0
    with pytest.raises(FitError, match="monotone likelihood"):
        fit_cox(time, event, np.column_stack([group, rng.normal(size=60)]))


def test_a_combination_that_orders_the_events_is_monotone():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 2))
    with pytest.raises(FitError, match="monotone likelihood"):
        fit_cox(20 - X @ [1.0, 0.5], np.ones(30), X)


def test_nearly_monotone_data_still_have_their_finite_maximum():
    time, event = np.arange(1.0, 13.0), np.ones(12)
    risk = -time.copy()
    risk[[3, 4]] = risk[[4, 3]]
    fit = fit_cox(time, event, risk)
    batch = cox_univariate_batch(time, event, risk[:, None])
    assert fit.coefficient[0] == pytest.approx(batch.coefficient[0], rel=1e-8)
    for nudge in (0.999, 1.001):
        assert naive.cox_loglik(fit.coefficient * nudge, time, event, risk[:, None], "efron") < fit.loglik


def test_collinear_and_constant_columns_are_named(table):
    X = matrix(table)
    with pytest.raises(FitError, match=r"collinear columns: .*(sum|age)"):
        fit_cox(table["t"], table["e"], np.column_stack([X, X[:, 0] + X[:, 1]]), names=["age", "sex", "dose", "sum"])
    with pytest.raises(FitError, match="column 1 is constant"):
        fit_cox(table["t"], table["e"], np.column_stack([X[:, 0], np.full(160, 2.5)]))
    with pytest.raises(FitError, match="collinear"):
        fit_cox(table["t"][:4], [1, 1, 1, 1], np.random.default_rng(0).normal(size=(4, 6)))


def test_a_column_that_varies_in_no_risk_set_carries_no_information():
    # It differs only in patients who left before the first event.
    time, event = np.array([1.0, 1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1, 0])
    X = np.array([5.0, 6.0, 1.0, 1.0, 1.0])
    with pytest.raises(FitError, match="carries no information"):
        fit_cox(time, event, X)
    assert "constant" in cox_univariate_batch(time, event, X[:, None]).reason(0)


def test_batch_sets_single_columns_aside():
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0])
    X = np.column_stack([np.full(4, 2.0), [np.nan, 1, np.nan, 2], np.full(4, np.nan), [0, 1, 2, -1]])
    batch = cox_univariate_batch(time, event, X)
    assert [batch.reason(j) for j in range(4)] == [
        "constant among the patients the likelihood compares",
        "no events",
        "no events",
        "",
    ]
    assert batch.n.tolist() == [4, 2, 0, 4]
    assert batch.events.tolist() == [2, 0, 0, 2]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[1.0], [np.nan], [2.0]], "row 1, column 0"),
        ([[1.0], [2.0]], r"\(3, at least 1\)"),
        (np.empty((3, 0)), "at least 1"),
    ],
)
def test_unusable_designs_are_named(X, words):
    with pytest.raises(InputError, match=words):
        fit_cox([1.0, 2.0, 3.0], [1, 1, 0], X)


def test_batch_refuses_infinite_values_and_unknown_ties():
    with pytest.raises(InputError, match="row 0, column 1"):
        cox_univariate_batch([1.0, 2.0], [1, 0], [[1.0, np.inf], [0.0, 1.0]])
    with pytest.raises(InputError, match="efron, breslow"):
        cox_univariate_batch([1.0, 2.0], [1, 0], [[1.0], [0.0]], ties="exact")


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_risks_are_those_of_a_fitted_model(table, ties):
    # The fit of intervals equals R's survfit (test_counting.py).
    X = np.column_stack([table["a"], table["b"]])
    fit = fit_counting_cox(table["t"], table["e"], X, ties=ties)
    eta = X @ fit.coefficient
    found = cox_risk(table["t"], table["e"], eta, eta[:20], [0, 3, 10, 1000], ties=ties)
    np.testing.assert_allclose(found, fit.risk_at(X[:20], [0, 3, 10, 1000]), atol=1e-12)
    np.testing.assert_allclose(
        cox_risk(table["t"], table["e"], eta + 900, eta[:20] + 900, [3, 10], ties=ties), found[:, 1:3]
    )


def test_risks_before_the_first_event_are_zero_and_extreme_ones_are_one():
    found = cox_risk([1, 2, 3], [0, 1, 0], np.zeros(3), np.array([-2000.0, 0, 2000]), [1, 2])
    np.testing.assert_allclose(found, [[0, 0], [0, 1 - np.exp(-0.5)], [0, 1]], atol=1e-15)
