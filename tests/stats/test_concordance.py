import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import evaluation as slow
from naive import survival as naive
from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.concordance import auc, auc_bootstrap, harrell_c, harrell_c_bootstrap, uno_c, uno_c_bootstrap
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

patients = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(-2, 2)), min_size=2, max_size=25).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


@given(patients)
@settings(max_examples=200, deadline=None)
def test_equals_the_count_over_all_pairs(cohort):
    time, event, risk = cohort
    concordant, discordant, tied = naive.harrell_c(time, event, risk)
    if concordant + discordant + tied == 0:
        with pytest.raises(UndefinedError, match="no comparable pair"):
            harrell_c(time, event, risk)
        return
    found = harrell_c(time, event, risk)
    assert (found.concordant, found.discordant, found.tied_risk) == (concordant, discordant, tied)
    assert found.comparable == concordant + discordant + tied
    assert found.estimate == pytest.approx((concordant + tied / 2) / found.comparable, abs=1e-15)


@given(patients)
@settings(max_examples=100, deadline=None)
def test_reversed_risk_reverses_c_and_order_does_not_matter(cohort):
    time, event, risk = cohort
    if sum(naive.harrell_c(time, event, risk)) == 0:
        return
    found = harrell_c(time, event, risk)
    assert harrell_c(time, event, -risk).estimate == pytest.approx(1 - found.estimate, abs=1e-15)
    shuffle = np.random.default_rng(1).permutation(len(time))
    assert harrell_c(time[shuffle], event[shuffle], risk[shuffle]) == found


def test_heavily_tied_times_equal_r(reference):
    # shared reference survival/README.md, R survival 3.5-3
    with reference("survival/ties.csv").open() as stream:
        rows = np.array([[float(r[c]) for c in "tes"] for r in csv.DictReader(stream)])
    assert harrell_c(*rows.T).estimate == pytest.approx(0.664541439162, abs=1e-10)


def test_equals_r(table, from_r):
    found = harrell_c(table["t"], table["e"], table["a"])
    assert found.estimate == pytest.approx(from_r("c.estimate")[0], abs=1e-12)
    assert [found.concordant, found.discordant, found.tied_risk] == from_r("c.counts").tolist()


def test_bootstrap_equals_pairs_weighted_by_the_draw(table):
    time, event, risk = table["t"][:40], table["e"][:40], table["a"][:40]
    draws = harrell_c_bootstrap(time, event, risk, draws=12, seed=5)
    weights = next(bootstrap_weights(40, 12, 5))
    for value, weight in zip(draws, weights, strict=True):
        concordant, discordant, tied = naive.harrell_c(time, event, risk, weight)
        assert value == pytest.approx((concordant + tied / 2) / (concordant + discordant + tied), abs=1e-14)


def test_copies_of_a_patient_are_not_compared_with_each_other():
    # Two patients: a draw that holds one of them twice has no comparable pair.
    draws = harrell_c_bootstrap([1.0, 2.0], [1, 1], [1.0, 0.0], draws=200, seed=3)
    assert set(np.unique(draws[np.isfinite(draws)])) == {1.0}
    assert 0.3 < np.isnan(draws).mean() < 0.7


def test_bootstrap_is_reproducible_whatever_the_blocks(table, monkeypatch):
    arguments = table["t"], table["e"], table["a"]
    once = harrell_c_bootstrap(*arguments, draws=50, seed=9)
    monkeypatch.setattr("radiolocus.stats.resampling._BLOCK", 3 * len(table["t"]))
    np.testing.assert_array_equal(harrell_c_bootstrap(*arguments, draws=50, seed=9), once)
    assert not np.array_equal(harrell_c_bootstrap(*arguments, draws=50, seed=10), once)


def test_bootstrap_interval_covers_the_true_concordance():
    # Exponential hazards exp(x): P(T_i < T_j | x) = 1 / (1 + exp(x_j − x_i)), averaged over a large sample.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200_000))
    truth = np.mean(1 / (1 + np.exp(-np.abs(x - y))))
    hit = 0
    for seed in range(120):
        local = np.random.default_rng(seed + 1)
        risk = local.normal(size=80)
        draws = harrell_c_bootstrap(local.exponential(np.exp(-risk)), np.ones(80), risk, draws=200, seed=seed)
        interval = percentile_interval(draws)
        hit += interval.lower <= truth <= interval.upper
    assert 105 <= hit <= 119  # 95 % of 120 is 114; binomial error 2.4


@pytest.mark.parametrize(
    ("time", "event", "risk", "words"),
    [
        ([1.0, -2.0], [1, 0], [0.0, 1.0], "index 1"),
        ([1.0, np.nan], [1, 0], [0.0, 1.0], "index 1"),
        ([np.inf, 1.0], [1, 0], [0.0, 1.0], "index 0"),
        ([1.0, 2.0], [1], [0.0, 1.0], "one length"),
        ([1.0, 2.0], [1, 2], [0.0, 1.0], "1/2 coding is not guessed"),
        ([1.0, 2.0], [1, 0], [0.0, np.nan], "risk nan"),
        ([1.0, 2.0], [1, 0], [0.0], "one value a patient"),
        ([], [], [], "no patients"),
    ],
)
def test_unusable_input_is_named(time, event, risk, words):
    with pytest.raises(InputError, match=words):
        harrell_c(time, event, risk)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=25))
@settings(max_examples=150, deadline=None)
def test_auc_equals_the_count_over_all_pairs(rows):
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    if label.all() or not label.any():
        with pytest.raises(UndefinedError, match="one class only"):
            auc(label, score)
        return
    assert auc(label, score) == pytest.approx(naive.auc(label, score), abs=1e-14)


def test_auc_bootstrap_keeps_the_classes_and_equals_weighted_pairs(table):
    label, score = table["y"][:30], table["a"][:30]
    draws = auc_bootstrap(label, score, draws=10, seed=2)
    weights = next(bootstrap_weights(30, 10, 2, stratum=label))
    assert (weights @ label == label.sum()).all()
    assert (weights.sum(axis=1) == 30).all()
    for value, weight in zip(draws, weights, strict=True):
        assert value == pytest.approx(naive.auc(label, score, weight), abs=1e-14)


def test_auc_refuses_labels_of_other_codes():
    with pytest.raises(InputError, match="label 2"):
        auc([1, 2], [0.0, 1.0])


@pytest.mark.parametrize("truncation", [6, 12, None])
def test_uno_equals_r(judged, told, truncation):
    found = uno_c(judged["t"], judged["e"], judged["s"], truncation=truncation)
    assert found.estimate == pytest.approx(told[f"uno.{truncation or 'all'}"][0], abs=1e-12)
    last = truncation or judged["t"][judged["e"] == 1].max()
    assert found.truncation == last
    assert found.events == np.sum((judged["e"] == 1) & (judged["t"] <= last))


@pytest.mark.parametrize(
    ("truncation", "value"),
    [
        (20, 0.654960202956),
        (np.nextafter(20, 0), 0.654883954966),
        (40, 0.663250012228),
        (np.nextafter(40, 0), 0.662127091687),
    ],
)
def test_uno_with_heavily_tied_times_equals_r(reference, truncation, value):
    with reference("survival/ties.csv").open() as stream:
        rows = np.array([[float(r[c]) for c in "tes"] for r in csv.DictReader(stream)])
    assert uno_c(*rows.T, truncation=truncation).estimate == pytest.approx(value, abs=1e-10)


@given(patients)
@settings(max_examples=100, deadline=None)
def test_uno_equals_the_sum_over_all_pairs(cohort):
    time, event, risk = cohort
    last = time[event].max() if event.any() else 0
    expected = slow.uno_c(time, event, risk, last)
    if np.isnan(expected):
        with pytest.raises(UndefinedError, match=r"no comparable pair|no events"):
            uno_c(time, event, risk)
        return
    assert uno_c(time, event, risk).estimate == pytest.approx(expected, abs=1e-12)
    if event.all():
        assert uno_c(time, event, risk).estimate == pytest.approx(harrell_c(time, event, risk).estimate, abs=1e-14)


def test_uno_bootstrap_estimates_censoring_anew_in_every_draw(table):
    time, event, risk = table["t"][:30], table["e"][:30], table["a"][:30]
    draws = uno_c_bootstrap(time, event, risk, truncation=10, draws=8, seed=5)
    for value, weight in zip(draws, next(bootstrap_weights(30, 8, 5)), strict=True):
        assert value == pytest.approx(slow.uno_c(time, event, risk, 10, weight), abs=1e-12)


def test_uno_refuses_a_truncation_time_beyond_follow_up():
    with pytest.raises(InputError, match="truncation time 5 beyond follow-up"):
        uno_c([1, 2], [1, 0], [0, 1], truncation=5)
    with pytest.raises(InputError, match="truncation time -1"):
        uno_c([1, 2], [1, 0], [0, 1], truncation=-1)
    with pytest.raises(UndefinedError, match="no events among 2"):
        uno_c([1, 2], [0, 0], [0, 1])
    with pytest.raises(UndefinedError, match=r"by time 0.5 \(0 events by then\)"):
        uno_c([1, 2], [1, 0], [0, 1], truncation=0.5)
