import numpy as np
import pytest
from scipy.stats import norm

from radiolocus.associate.prediction import AssessOptions, assess, liability_r2, quantiles, tune
from radiolocus.errors import ConfigError, FitError
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.roc import delong


def told(frame):
    return {row["metric"]: row for row in frame.iter_rows(named=True)}


def data(seed=1, n=400, slope=0.5):
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    score = rng.normal(size=n) * 3 + 10
    return score, slope * (score - 10) / 3 + 0.7 * age + rng.normal(size=n), age[:, None]


def test_a_measured_phenotype():
    score, y, age = data()
    found = told(assess(score, y, age))
    x = (score - score.mean()) / score.std(ddof=1)
    X = np.column_stack([np.ones(400), age, x])
    beta, rest, *_ = np.linalg.lstsq(X, y, rcond=None)
    error = np.sqrt(rest[0] / 397 * np.linalg.inv(X.T @ X)[2, 2])
    assert found["beta"]["estimate"] == pytest.approx(beta[2])
    assert found["standard_error"]["estimate"] == pytest.approx(error)
    small = np.linalg.lstsq(X[:, :2], y, rcond=None)[1][0]
    total = np.square(y - y.mean()).sum()
    assert found["r2"]["estimate"] == pytest.approx((small - rest[0]) / total)
    assert found["r2_covariates"]["estimate"] == pytest.approx(1 - small / total)
    assert found["r2"]["lower"] < found["r2"]["estimate"] < found["r2"]["upper"]
    # r² of a partial correlation, Olkin & Finn 1995, has about this error
    assert 0.3 < (found["r2"]["upper"] - found["r2"]["lower"]) / (4 * np.sqrt(4 * 0.14 / 400)) < 1.3


def test_cases_and_controls():
    score, y, age = data(2)
    labels = (y > np.quantile(y, 0.7)).astype(float)
    found = told(assess(score, labels, age, AssessOptions(prevalence=0.3)))
    x = (score - score.mean()) / score.std(ddof=1)
    full, without = fit_logistic(labels, np.column_stack([age, x])), fit_logistic(labels, age)
    assert found["odds_ratio"]["estimate"] == pytest.approx(np.exp(full.coefficient[1]))
    assert found["odds_ratio"]["lower"] == pytest.approx(
        np.exp(full.coefficient[1] - norm.ppf(0.975) * full.standard_error[1])
    )

    def nagelkerke(fit):
        return (1 - np.exp(2 * (fit.loglik_null - fit.loglik) / 400)) / (1 - np.exp(2 * fit.loglik_null / 400))

    assert found["nagelkerke_r2"]["estimate"] == pytest.approx(nagelkerke(full) - nagelkerke(without))
    assert found["nagelkerke_r2_covariates"]["estimate"] == pytest.approx(nagelkerke(without))
    area = delong(labels, score)
    assert (found["auc"]["estimate"], found["auc"]["lower"]) == pytest.approx((area.estimate, area.lower))
    assert found["auc_gain"]["estimate"] > 0
    assert found["cases"]["estimate"] == 120
    assert found["liability_r2"]["estimate"] > 0


@pytest.mark.parametrize(("case_share", "prevalence"), [(0.1, 0.1), (0.5, 0.1), (0.5, 0.02)])
def test_the_liability_scale_is_that_of_a_simulation(case_share, prevalence):
    rng = np.random.default_rng(3)
    total = 400_000
    score = rng.normal(size=total)
    liability = np.sqrt(0.2) * score + np.sqrt(0.8) * rng.normal(size=total)
    case = liability > norm.isf(prevalence)
    cases = np.flatnonzero(case)
    healthy = np.flatnonzero(~case)
    controls = rng.choice(healthy, min(round(cases.size * (1 / case_share - 1)), healthy.size), replace=False)
    chosen = np.concatenate([cases, controls])
    r2 = np.corrcoef(score[chosen], case[chosen])[0, 1] ** 2
    assert liability_r2(r2, case_share, prevalence) == pytest.approx(0.2, abs=0.012)


def test_quantiles_of_a_binary_and_of_a_measured_phenotype():
    score, y, age = data(4, n=1000)
    labels = (y > 1).astype(float)
    found = quantiles(score, labels, None, AssessOptions(groups=4))
    assert found["n"].to_list() == [250] * 4
    share = found["mean_phenotype"].to_numpy()
    # without covariates the odds ratio is that of the table
    odds = share / (1 - share)
    np.testing.assert_allclose(found["estimate"], odds / odds[0], rtol=1e-6)
    assert found["lower"][0] is None
    measured = quantiles(score, y, None, AssessOptions(groups=4, kind="linear"))
    means = measured["mean_phenotype"].to_numpy()
    np.testing.assert_allclose(measured["estimate"], means - means[0], atol=1e-9)
    adjusted = quantiles(score, y, age)
    assert adjusted["estimate"].is_sorted()
    assert (adjusted["lower"][1:] < adjusted["estimate"][1:]).all()


def test_a_threshold_is_chosen_by_the_other_folds_alone():
    """Of forty useless scores the best seems to explain something; within folds it does not."""
    rng = np.random.default_rng(6)
    seen, honest = [], []
    for seed in range(30):
        scores, y = rng.normal(size=(150, 40)), rng.normal(size=150)
        each, chosen = tune(scores, [f"s{i}" for i in range(40)], y, None, AssessOptions(seed=seed))
        seen.append(each["r2"].max())
        honest.append(chosen["r2"].mean())
    assert np.mean(seen) > 0.03
    assert np.mean(honest) < 2 * np.std(honest) / np.sqrt(30)
    score, y, age = data(7)
    each, chosen = tune(np.column_stack([rng.normal(size=400), score]), ["noise", "real"], y, age)
    assert chosen["score"].to_list() == ["real"] * 5
    assert abs(chosen["r2"].mean() - each["r2"][1]) < 0.06


def test_what_cannot_be_assessed():
    score, y, age = data()
    with pytest.raises(FitError, match="standard deviation 0"):
        assess(np.ones(400), y)
    with pytest.raises(FitError, match="8 subjects"):
        assess(score[:8], y[:8])
    with pytest.raises(FitError, match="in 5 folds"):
        tune(score[:20, None], ["s"], y[:20], age[:20])
    for wrong in ({"kind": "x"}, {"prevalence": 0.0}, {"groups": 1}):
        with pytest.raises(ConfigError):
            AssessOptions(**wrong)
