import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.roc import average_precision, average_precision_bootstrap, delong, delong_paired


def test_equals_proc(judged, told):
    one, two = delong(judged["y"], judged["p"]), delong(judged["y"], judged["z"])
    np.testing.assert_allclose([one.estimate, two.estimate], told["delong.auc"], atol=1e-12)
    np.testing.assert_allclose([one.standard_error**2, two.standard_error**2], told["delong.var"], atol=1e-12)
    np.testing.assert_allclose([one.lower, one.upper], told["delong.ci"], atol=1e-12)
    test = delong_paired(judged["y"], judged["p"], judged["z"])
    covariance = (one.standard_error**2 + two.standard_error**2 - test.standard_error**2) / 2
    np.testing.assert_allclose([test.statistic, 10**-test.neg_log10_p, covariance], told["delong.paired"], atol=1e-10)
    assert test.difference == pytest.approx(one.estimate - two.estimate, abs=1e-15)
    np.testing.assert_allclose(test.upper - test.lower, 2 * 1.959963984540054 * test.standard_error, rtol=1e-12)


def test_variance_is_that_of_the_placements():
    label, score = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([3.0, 2, 1, 2, 0, 1, 0])
    pairs = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in score[3:]] for a in score[:3]])
    found = delong(label, score)
    assert found.estimate == pytest.approx(pairs.mean(), abs=1e-15)
    expected = pairs.mean(axis=1).var(ddof=1) / 3 + pairs.mean(axis=0).var(ddof=1) / 4
    assert found.standard_error**2 == pytest.approx(expected, abs=1e-15)


def test_interval_covers_the_truth():
    rng = np.random.default_rng(1)
    truth, hits = 0.7602499389065233, 0  # Φ(1/√2)
    for _ in range(200):
        found = delong(np.repeat([1, 0], 40), np.r_[rng.normal(1, 1, 40), rng.normal(0, 1, 40)])
        hits += found.lower <= truth <= found.upper
    assert 180 <= hits <= 199


def test_a_perfect_score_has_no_interval():
    found = delong([1, 1, 0, 0], [4, 3, 2, 1])
    assert (found.estimate, found.standard_error) == (1, 0)
    assert np.isnan([found.lower, found.upper]).all()
    assert np.isnan(average_precision([1, 1, 0, 0], [4, 3, 2, 1]).lower)


def test_scores_that_rank_alike_are_not_compared(judged):
    with pytest.raises(UndefinedError, match="without variance"):
        delong_paired(judged["y"], judged["p"], 2 * judged["p"] + 1)


def test_average_precision_equals_its_definition(judged, told):
    found = average_precision(judged["y"], judged["z"])
    assert found.estimate == pytest.approx(told["ap"][0], abs=1e-12)
    assert found.estimate == pytest.approx(average_precision_score(judged["y"], judged["z"]), abs=1e-12)
    assert found.prevalence == judged["y"].mean()
    logit = np.log(
        np.array([found.lower, found.estimate, found.upper])
        / (1 - np.array([found.lower, found.estimate, found.upper]))
    )
    half = 1.959963984540054 / np.sqrt(judged["y"].sum() * found.estimate * (1 - found.estimate))
    np.testing.assert_allclose(np.diff(logit), half, rtol=1e-9)


def test_average_precision_of_draws_is_that_of_the_patients_drawn(judged):
    label, score = judged["y"], judged["z"]
    draws = average_precision_bootstrap(label, score, draws=6, seed=2)
    for value, weight in zip(draws, next(bootstrap_weights(label.size, 6, 2, stratum=label)), strict=True):
        drawn = np.repeat(np.arange(label.size), weight)
        assert value == pytest.approx(average_precision_score(label[drawn], score[drawn]), abs=1e-12)
    interval = percentile_interval(average_precision_bootstrap(label, score, draws=200))
    assert interval.lower < average_precision(label, score).estimate < interval.upper


@pytest.mark.parametrize("judge", [delong, average_precision])
def test_unusable_input_is_named(judge):
    with pytest.raises(UndefinedError, match="one class only"):
        judge([1, 1], [0.1, 0.2])
    with pytest.raises(InputError, match="label 2"):
        judge([1, 2], [0.1, 0.2])
    with pytest.raises(InputError, match="score nan"):
        judge([1, 0], [0.1, np.nan])
    with pytest.raises(InputError, match="level 1"):
        judge([1, 0], [0.1, 0.2], level=1)


def test_a_variance_needs_two_of_each_class():
    with pytest.raises(UndefinedError, match="1 positives and 2 negatives"):
        delong([1, 0, 0], [0.1, 0.2, 0.3])
