import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from naive import survival as naive
from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.survival import check_survival, kaplan_meier, log_rank

cohorts = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 1)), min_size=2, max_size=30).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


def test_kaplan_meier_equals_r(table, from_r):
    curve = kaplan_meier(table["t"], table["e"])
    for name in ("time", "at_risk", "events", "censored", "survival"):
        np.testing.assert_allclose(getattr(curve, name), from_r(f"km.{name}"), atol=1e-12, err_msg=name)
    np.testing.assert_allclose(curve.standard_error, from_r("km.error"), atol=1e-10)
    np.testing.assert_allclose(curve.lower, from_r("km.lower"), atol=1e-10)
    np.testing.assert_allclose(curve.upper, from_r("km.upper"), atol=1e-10)
    np.testing.assert_allclose(curve.median(), from_r("km.median"), atol=1e-12)


@given(cohorts)
@settings(max_examples=100, deadline=None)
def test_kaplan_meier_equals_the_product(cohort):
    time, event, _ = cohort
    curve = kaplan_meier(time, event)
    for t in range(time.max() + 1):
        assert curve.survival_at(t) == pytest.approx(naive.kaplan_meier(time, event, t), abs=1e-12)
        assert curve.at_risk_at(t) == (time >= t).sum()
    assert np.isnan(curve.survival_at(time.max() + 1))
    assert curve.at_risk_at(time.max() + 1) == 0
    assert curve.survival_at(-1) == 1


def test_interval_stands_only_where_survival_lies_between_zero_and_one():
    curve = kaplan_meier([1.0, 2.0, 3.0], [0, 1, 1])
    np.testing.assert_array_equal(curve.survival, [1, 0.5, 0])
    assert np.isnan(curve.lower[[0, 2]]).all()
    assert np.isfinite(curve.lower[1])
    assert np.isfinite(curve.upper[1])


@pytest.mark.parametrize(
    ("time", "event", "median"),
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], 2.5),  # the curve lies on 1/2 from 2 to 3: its middle, as R
        ([1, 2, 3], [1, 1, 1], 2),
        ([1, 2, 3, 4], [1, 1, 0, 0], 2),  # on 1/2 to the end: the first time
        ([1, 2, 3, 4], [1, 0, 0, 0], np.nan),  # not reached
    ],
)
def test_median(time, event, median):
    np.testing.assert_equal(kaplan_meier(time, event).median()[0], median)


def test_greenwood_error_is_the_binomial_one_without_censoring():
    curve = kaplan_meier(np.arange(1.0, 11.0), np.ones(10))
    np.testing.assert_allclose(
        curve.standard_error[:-1], np.sqrt(curve.survival * (1 - curve.survival) / 10)[:-1], rtol=1e-12
    )


def test_log_rank_of_three_groups_equals_r(table, from_r):
    test = log_rank(table["t"], table["e"], table["g"])
    assert test.statistic == pytest.approx(from_r("lr.chisq")[0], rel=1e-10)
    assert test.degrees_of_freedom == 2
    assert test.group.tolist() == ["x", "y", "z"]
    np.testing.assert_allclose(test.observed, from_r("lr.observed"), rtol=1e-10)
    np.testing.assert_allclose(test.expected, from_r("lr.expected"), rtol=1e-10)
    np.testing.assert_array_equal(test.n, from_r("lr.n"))
    two = log_rank(table["t"], table["e"], table["g"] == "x")
    assert two.statistic == pytest.approx(from_r("lr2.chisq")[0], rel=1e-10)
    assert two.neg_log10_p == pytest.approx(-np.log10(chi2.sf(two.statistic, 1)), rel=1e-10)
    assert test.neg_log10_p == pytest.approx(test.statistic / 2 / np.log(10), rel=1e-10)  # χ² with 2 df


@given(cohorts)
@settings(max_examples=100, deadline=None)
def test_log_rank_equals_the_sum_over_event_times(cohort):
    time, event, group = cohort
    if len(set(group)) < 2:
        with pytest.raises(InputError, match="at least two groups"):
            log_rank(time, event, group)
        return
    try:
        statistic = naive.log_rank(time, event, group)
    except ZeroDivisionError:
        with pytest.raises(UndefinedError, match="two groups are at risk"):
            log_rank(time, event, group)
        return
    assert log_rank(time, event, group).statistic == pytest.approx(statistic, abs=1e-9)


def test_a_group_gone_before_the_first_event_does_not_count_as_a_degree_of_freedom():
    test = log_rank([1, 1, 2, 3, 4, 5], [0, 0, 1, 1, 1, 0], ["c", "c", "a", "b", "a", "b"])
    assert test.degrees_of_freedom == 1
    assert test.expected[2] == 0


def test_zero_times_are_allowed_and_tied_to_nothing_else():
    curve = kaplan_meier([0.0, 0.0, 1.0], [1, 0, 1])
    np.testing.assert_array_equal(curve.at_risk, [3, 1])
    np.testing.assert_allclose(curve.survival, [2 / 3, 0])


def test_times_are_tied_when_they_are_equal_as_numbers():
    # R with its default timefix = TRUE has 4 at risk, then 2.
    np.testing.assert_array_equal(kaplan_meier([0.1 + 0.2, 0.3, 1, 2], [1, 1, 1, 0]).at_risk, [4, 3, 2, 1])


def test_check_returns_floats_and_booleans():
    time, event = check_survival([1, 2], [0.0, 1.0])
    assert (time.dtype, event.dtype) == (np.float64, np.bool_)


@pytest.mark.parametrize("event", [[0, np.nan], [0, 2], [0, -1]])
def test_other_event_codes_are_refused(event):
    with pytest.raises(InputError) as error:
        check_survival([1, 2], event)
    assert error.value.where.startswith("index 1")
    assert "recode" in error.value.todo


def test_labels_of_another_length_and_silly_levels_are_refused():
    with pytest.raises(InputError, match="one label a patient"):
        log_rank([1, 2], [1, 1], ["a"])
    with pytest.raises(InputError, match="between 0 and 1"):
        kaplan_meier([1, 2], [1, 1], level=95)
