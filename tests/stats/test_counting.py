import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import survival as naive
from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.counting import fit_counting_cox, fit_fine_gray
from radiolocus.stats.cox import fit_cox

FORMS = {
    "strata": {"strata": "g"},
    "weights": {"weights": "w", "robust": True},
    "entry": {"entry": "u"},
    "all": {"entry": "u", "strata": "g", "weights": "w", "cluster": "cl"},
}
TWO = np.array([[-1, 0.5], [1, 0]])


def covariates(judged):
    return np.column_stack([judged["s"], judged["x"]])


def fitted(judged, form, ties):
    columns = judged | {"cl": np.tile(np.arange(60), 2)}
    more = {k: v if v is True else columns[v] for k, v in FORMS[form].items()}
    return fit_counting_cox(judged["t"], judged["e"], covariates(judged), ties=ties, **more)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("form", FORMS)
def test_equals_coxph(judged, told, form, ties):
    found, key = fitted(judged, form, ties), f"cox.{ties}.{form}"
    np.testing.assert_allclose(found.coefficient, told[f"{key}.coef"], atol=1e-9)
    np.testing.assert_allclose(found.naive_covariance.ravel(), told[f"{key}.var"], atol=1e-10)
    np.testing.assert_allclose([found.loglik, found.loglik_null], told[f"{key}.loglik"], atol=1e-9)
    robust = f"{key}.robust" in told
    np.testing.assert_allclose(found.covariance.ravel(), told[f"{key}.robust" if robust else f"{key}.var"], atol=1e-10)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(("form", "stratum"), [("entry", 0), ("weights", 0), ("strata", 1.0)])
def test_risks_equal_survfit(judged, told, form, stratum, ties):
    risk = fitted(judged, form, ties).risk_at(TWO, [4, 9, 15], stratum)
    np.testing.assert_allclose(risk.ravel(), told[f"cox.{ties}.{form}.risk"], atol=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_fine_gray_equals_finegray_and_coxph(judged, told, ties):
    found = fit_fine_gray(judged["t"], judged["k"], covariates(judged), ties=ties)
    np.testing.assert_allclose(found.coefficient, told[f"fg.{ties}.coef"], atol=1e-9)
    np.testing.assert_allclose(found.covariance.ravel(), told[f"fg.{ties}.robust"], atol=1e-10)
    np.testing.assert_allclose(found.risk_at(TWO, [4, 9, 15]).ravel(), told[f"fg.{ties}.risk"], atol=1e-9)
    assert (found.n, found.events) == (120, np.sum(judged["k"] == 1))


def test_without_anything_it_is_the_plain_model(judged):
    X = covariates(judged)
    found, plain = fit_counting_cox(judged["t"], judged["e"], X), fit_cox(judged["t"], judged["e"], X)
    np.testing.assert_allclose(found.coefficient, plain.coefficient, atol=1e-10)
    np.testing.assert_allclose(found.covariance, plain.covariance, atol=1e-11)
    assert found.score_statistic == pytest.approx(plain.score_statistic, abs=1e-9)


def test_an_interval_cut_in_two_changes_nothing(judged):
    t, e, X = judged["t"], judged["e"], covariates(judged)
    half = np.floor(t / 2)
    cut = half > 0
    whole = fit_counting_cox(t, e, X, robust=True)
    parts = fit_counting_cox(
        np.r_[t, half[cut]],
        np.r_[e, np.zeros(cut.sum())],
        np.vstack([X, X[cut]]),
        entry=np.r_[np.where(cut, half, -np.inf), np.full(cut.sum(), -np.inf)],
        cluster=np.r_[np.arange(t.size), np.flatnonzero(cut)],
    )
    np.testing.assert_allclose(parts.coefficient, whole.coefficient, atol=1e-9)
    np.testing.assert_allclose(parts.naive_covariance, whole.naive_covariance, atol=1e-10)
    np.testing.assert_allclose(parts.covariance, whole.covariance, atol=1e-10)


def test_a_whole_weight_is_a_patient_several_times_with_breslow(judged):
    times = (2 * judged["w"]).astype(int)
    rows = np.repeat(np.arange(times.size), times)
    t, e, X = judged["t"], judged["e"], covariates(judged)
    weighted = fit_counting_cox(t, e, X, weights=times, ties="breslow")
    copied = fit_counting_cox(t[rows], e[rows], X[rows], ties="breslow")
    np.testing.assert_allclose(weighted.coefficient, copied.coefficient, atol=1e-9)
    np.testing.assert_allclose(weighted.covariance, copied.covariance, atol=1e-10)


rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.booleans(), st.integers(-2, 2), st.integers(0, 1)),
    min_size=8,
    max_size=20,
)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_the_estimate_is_a_maximum_of_the_written_out_likelihood(table):
    entry, more, event, x, stratum = (np.array(column) for column in zip(*table, strict=True))
    x = x[:, None].astype(float)
    try:
        found = fit_counting_cox(entry + more, event, x, entry=entry, strata=stratum)
    except FitError:
        return

    def loglik(beta):
        return naive.counting_loglik(
            np.array([beta]), entry, entry + more, event, x - x.mean(), "efron", stratum, np.ones(x.size)
        )

    beta = found.coefficient[0]
    assert found.loglik == pytest.approx(loglik(beta), abs=1e-9)
    assert loglik(beta) >= max(loglik(beta - 1e-3), loglik(beta + 1e-3)) - 1e-10


def test_left_truncation_is_needed_where_the_early_dead_are_not_seen():
    rng = np.random.default_rng(3)
    x = rng.normal(size=6000)
    t, entry = rng.exponential(np.exp(-x)), rng.exponential(0.5, 6000)
    seen = t > entry
    right = fit_counting_cox(t[seen], np.ones(seen.sum()), x[seen], entry=entry[seen])
    wrong = fit_counting_cox(t[seen], np.ones(seen.sum()), x[seen])
    assert abs(right.coefficient[0] - 1) < 3 * right.standard_error[0]
    assert abs(wrong.coefficient[0] - 1) > 3 * wrong.standard_error[0]


def test_fine_gray_finds_the_subdistribution_it_was_given():
    # Fine & Gray's own design: P(cause 1 by t | x) = 1 − (1 − p(1 − exp(−t)))^exp(βx).
    rng = np.random.default_rng(9)
    n, p, beta = 3000, 0.5, 0.7
    x = rng.normal(size=n)
    risk = np.exp(beta * x)
    first = rng.random(n) < 1 - (1 - p) ** risk
    u = rng.random(n) * (1 - (1 - p) ** risk)
    time = np.where(first, -np.log(np.maximum(1 - (1 - (1 - u) ** (1 / risk)) / p, 1e-12)), rng.exponential(size=n))
    lost = rng.uniform(0.2, 3, n)
    state = np.where(time <= lost, np.where(first, 1, 2), 0)
    found = fit_fine_gray(np.minimum(time, lost), state, x)
    assert abs(found.coefficient[0] - beta) < 3 * found.standard_error[0]
    curve = aalen_johansen(np.minimum(time, lost), state)
    assert found.risk_at(x[:, None], 1.0).mean() == pytest.approx(curve.incidence_at(1.0, 1), abs=0.01)


def test_without_competing_events_fine_gray_is_cox(judged):
    X = covariates(judged)
    found = fit_fine_gray(judged["t"], judged["e"], X)
    np.testing.assert_allclose(found.coefficient, fit_cox(judged["t"], judged["e"], X).coefficient, atol=1e-10)
    at_zero = fit_fine_gray(np.r_[0.0, judged["t"]], np.r_[0, judged["k"]], np.vstack([X[:1], X]))
    np.testing.assert_allclose(at_zero.coefficient, fit_fine_gray(judged["t"], judged["k"], X).coefficient, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entry": [0, 2, 0, 0]}, "entry 2 and exit 2"),
        ({"entry": [0, -1, 0, 0]}, "entry -1"),
        ({"entry": [0, np.nan, 0, 0]}, "entry nan"),
        ({"entry": [0, 1]}, r"entry of shape \(2,\)"),
        ({"weights": [1, 0, 1, 1]}, "weight 0"),
        ({"strata": [1, np.nan, 1, 1]}, "a missing label among the strata"),
        ({"strata": [1]}, "strata of shape"),
        ({"ties": "exact"}, "ties 'exact'"),
    ],
)
def test_unusable_input_is_named(change, words):
    with pytest.raises(InputError, match=words):
        fit_counting_cox([1, 2, 3, 4], [1, 1, 0, 1], [0.1, 0.3, 0.2, 0.1], **change)


def test_what_cannot_be_fitted_says_why():
    with pytest.raises(FitError, match="no events among 2"):
        fit_counting_cox([1, 2], [0, 0], [0.1, 0.2])
    with pytest.raises(FitError, match="monotone likelihood"):
        fit_counting_cox([1, 2, 3, 4], [1, 1, 1, 1], [4, 3, 2, 1.0])
    with pytest.raises(FitError, match="carries no information"):
        fit_counting_cox([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 0, 0.0], strata=[1, 1, 0, 0])
    with pytest.raises(UndefinedError, match=r"no events of the kind looked at \(3\)"):
        fit_fine_gray([1, 2, 3], [1, 2, 0], [1, 2, 2.0], cause=3)


def test_risks_need_a_stratum_and_the_columns_of_the_fit(judged):
    found = fitted(judged, "strata", "efron")
    with pytest.raises(InputError, match="stratum 7"):
        found.risk_at(TWO, 3, 7)
    with pytest.raises(InputError, match=r"design of shape \(1, 3\)"):
        found.risk_at([[1, 2, 3]], 3, 1.0)
    assert found.risk_at(TWO, 0, 1.0).max() == 0
