import numpy as np
import polars as pl
import pytest

from radiolocus.learn.target import Target
from radiolocus.outcome.groups import high_risk, risk_groups
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.survival import kaplan_meier, log_rank


def test_the_majority_decides_and_the_mean_distance_breaks_a_tie():
    distance = np.array(
        [[1.0, 1.0, -9.0, 0.0, 5.0, 0.1], [1.0, -1.0, 1.0, 0.0, -1.0, -5.0], [-9.0, -1.0, 1.0, 0.0, 1, 1]]
    )
    np.testing.assert_array_equal(high_risk(distance), [True, False, True, False, True, True])
    np.testing.assert_array_equal(high_risk(distance[:2]), [True, False, False, False, True, False])


def case(n=60, seed=1):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    time, censor = rng.exponential(10 * np.exp(-score)), rng.exponential(12, n)
    target = Target((time <= censor).astype(float), np.ceil(np.minimum(time, censor)))
    threshold = rng.normal(0, 0.1, n)
    subject = tuple(f"S{i}" for i in range(n))
    return target, subject, pl.DataFrame({"prediction": score, "threshold": threshold}), score > threshold


def test_groups_curves_and_test_are_those_of_the_division():
    target, subject, predictions, high = case()
    tables, problems = risk_groups(target, subject, predictions, "os from imaging")
    assert problems == []
    assert tables["groups"].rows() == [(s, "high" if h else "low") for s, h in zip(subject, high, strict=True)]
    for name, members in (("low", ~high), ("high", high)):
        curve = kaplan_meier(target.time[members], target.event[members])
        found = tables["kaplan_meier"].filter(pl.col("group") == name)
        for column in ("time", "at_risk", "events", "censored", "survival"):
            np.testing.assert_array_equal(found[column].to_numpy(), getattr(curve, column))
        np.testing.assert_array_equal(found["lower"].is_null().to_numpy(), np.isnan(curve.lower))
    row = tables["logrank"].row(0, named=True)
    test = log_rank(target.time, target.event, high)
    assert (row["statistic"], row["degrees_of_freedom"]) == (test.statistic, 1)
    assert row["neg_log_10_p_value"] == test.neg_log10_p
    fit = fit_cox(target.time, target.event, high.astype(float))
    ends = np.exp(fit.coefficient[0] + np.array([0, -1.96, 1.96]) * fit.standard_error[0])
    assert (row["hazard_ratio"], row["lower"], row["upper"]) == pytest.approx(tuple(ends), rel=1e-3)
    assert row["hazard_ratio"] > 1.5
    assert (row["n"], row["events"]) == (60, target.events)


def test_one_group_has_a_curve_and_no_test():
    target, subject, predictions, _ = case()
    tables, (problem,) = risk_groups(
        target, subject, predictions.with_columns(prediction=0.0, threshold=0.0), "os from x"
    )
    assert set(tables["groups"]["group"]) == {"low"}
    assert set(tables["kaplan_meier"]["group"]) == {"low"}
    assert tables["logrank"].height == 0
    assert (problem.severity, problem.item) == ("no value", "os from x")
    assert problem.got == "all 60 subjects in one risk group: the models tell nobody apart"


def test_perfect_division_has_a_test_and_no_hazard_ratio():
    target = Target(np.r_[np.ones(10), np.zeros(10)], np.r_[np.arange(1.0, 11), np.full(10, 20.0)])
    predictions = pl.DataFrame({"prediction": np.r_[np.ones(10), -np.ones(10)], "threshold": np.zeros(20)})
    tables, (problem,) = risk_groups(target, tuple("abcdefghijklmnopqrst"), predictions, "os from x")
    row = tables["logrank"].row(0, named=True)
    assert row["neg_log_10_p_value"] > 3
    assert row["hazard_ratio"] is row["lower"] is row["upper"] is None
    assert problem.item == "hazard ratio, os from x"
    assert "monotone" in problem.got
