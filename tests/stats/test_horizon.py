import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import evaluation as naive
from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.censoring import censoring_curve
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.horizon import auc_at, brier_at, horizon_bootstrap, integrated_brier
from radiolocus.stats.resampling import bootstrap_weights

HORIZONS = [4, 9, 15]
CODES = {"one": ("e", None), "cause1": ("k", 1), "cause2": ("k", 2)}

cohorts = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.integers(0, 4)), min_size=3, max_size=20).map(
    lambda rows: tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
)


def risks(judged):
    return np.column_stack([0.4 * judged["p"], 0.7 * judged["p"], judged["p"]])


@pytest.mark.parametrize("name", CODES)
def test_equal_riskregression(judged, told, name):
    state, cause = CODES[name]
    arguments = judged["t"], judged[state], risks(judged), HORIZONS
    np.testing.assert_allclose(auc_at(*arguments, cause=cause), told[f"auc.{name}"], atol=1e-10)
    brier = brier_at(*arguments, cause=cause)
    np.testing.assert_allclose(brier, told[f"brier.{name}"], atol=1e-10)
    assert integrated_brier(HORIZONS, brier) == pytest.approx(told[f"ibs.{name}"][-1], abs=1e-10)
    state, wanted = judged[CODES[name][0]], cause or 1
    nobody = aalen_johansen(judged["t"], state).incidence_at(HORIZONS, wanted)  # one minus Kaplan–Meier for one kind
    bare = brier_at(judged["t"], state, np.tile(nobody, (len(state), 1)), HORIZONS, cause=cause)
    np.testing.assert_allclose(bare, told[f"null.{name}"], atol=1e-10)


def test_heavily_tied_times_equal_riskregression(reference):
    # shared reference survival/README.md, riskRegression 2022.11.28
    with reference("survival/ties.csv").open() as stream:
        time, event, score = np.array([[float(r[c]) for c in "tes"] for r in csv.DictReader(stream)]).T
    risk = np.outer(1 / (1 + np.exp(-score)), [0.3, 0.6, 0.9])
    known = [[0.701202070763, 0.698276383364, 0.740821887789], [0.102755742551, 0.195481509100, 0.222937349865]]
    np.testing.assert_allclose(auc_at(time, event, risk, [5, 13, 30]), known[0], atol=1e-10)
    np.testing.assert_allclose(brier_at(time, event, risk, [5, 13, 30]), known[1], atol=1e-10)


@given(cohorts, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_equal_the_sums_over_pairs_and_patients(cohort, t):
    time, state, level = cohort
    risk = level / 4
    if t > time.max() or not (state == 1).any():
        with pytest.raises((InputError, UndefinedError)):
            brier_at(time, state, risk, t, cause=1)
        return
    auc, brier = naive.horizon(time, state, risk, t)
    assert brier_at(time, state, risk, t, cause=1)[0] == pytest.approx(brier, abs=1e-12)
    if np.isnan(auc):
        with pytest.raises(UndefinedError, match="one class only"):
            auc_at(time, state, risk, t, cause=1)
    else:
        assert auc_at(time, state, risk, t, cause=1)[0] == pytest.approx(auc, abs=1e-12)


def test_bootstrap_equals_the_twin_on_the_patients_drawn(judged):
    time, state, risk = judged["t"][:30], judged["k"][:30], risks(judged)[:30]
    found = horizon_bootstrap(time, state, risk, HORIZONS, cause=1, draws=6, seed=4)
    for draw, weight in enumerate(next(bootstrap_weights(30, 6, 4))):
        for j, t in enumerate(HORIZONS):
            auc, brier = naive.horizon(time, state, risk[:, j], t, weight=weight.astype(float))
            assert found.auc[draw, j] == pytest.approx(auc, abs=1e-12, nan_ok=True)
            assert found.brier[draw, j] == pytest.approx(brier, abs=1e-12)
        assert found.integrated_brier[draw] == integrated_brier(HORIZONS, found.brier[draw])
    assert np.isnan(horizon_bootstrap(time, state, risk[:, 0], 4, cause=1, draws=3).integrated_brier).all()


def test_without_censoring_both_are_those_of_a_class():
    rng = np.random.default_rng(3)
    time, risk = rng.exponential(size=60), rng.random(60)
    died = time <= 0.8
    pairs = risk[died][:, None] - risk[~died][None, :]
    assert auc_at(time, np.ones(60), risk, 0.8)[0] == pytest.approx((pairs > 0).mean(), abs=1e-14)
    assert brier_at(time, np.ones(60), risk, 0.8)[0] == pytest.approx(np.mean((died - risk) ** 2), abs=1e-14)


def test_censoring_of_another_sample_is_used_and_must_reach(judged):
    time, event, risk = judged["t"], judged["e"], risks(judged)
    own = censoring_curve(time, event)
    for score in (auc_at, brier_at):
        same = score(time, event, risk, HORIZONS, censoring=own)
        np.testing.assert_allclose(same, score(time, event, risk, HORIZONS), rtol=1e-13)
        short = censoring_curve(np.minimum(time, 8), np.where(time < 8, event, 0))
        with pytest.raises(UndefinedError, match="time 9: beyond the last time") as error:
            score(time, event, risk[:, :2], [4, 9], censoring=short)
        assert "last time of follow-up 8" in error.value.where
    # Everybody left was censored at 8: G(8) = 0, and the error names the time.
    with pytest.raises(UndefinedError, match="at time 8: everybody left was censored"):
        brier_at(time, event, risk[:, 0], 8, censoring=short)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizons": 30}, "horizon 30 beyond follow-up"),
        ({"horizons": [4, 4]}, "do not increase"),
        ({"horizons": 0}, "horizon 0"),
        ({"horizons": np.nan}, "horizon nan"),
        ({"risk": [0.1, 1.2, 0.3, 0.4]}, "risk 1.2"),
        ({"risk": [0.1, np.nan, 0.3, 0.4]}, "risk nan"),
        ({"risk": [0.1, 0.3, 0.4]}, r"risks of shape \(3,\)"),
        ({"time": [1, -2, 3, 4]}, "time -2"),
        ({"state": [1, 2, 1, 2]}, "1/2 coding is not guessed"),
        ({"state": [1, 0.5, 1, 0], "cause": 1}, "state 0.5"),
        ({"state": [1, 2, 1, 0], "cause": 0}, "cause 0"),
    ],
)
def test_unusable_input_is_named(change, words):
    known = {"time": [1, 2, 3, 4], "state": [1, 0, 1, 0], "risk": [0.4, 0.3, 0.2, 0.1], "horizons": 2.5}
    with pytest.raises(InputError, match=words):
        brier_at(**(known | change))


def test_without_an_event_or_a_control_nothing_is_judged():
    with pytest.raises(UndefinedError, match="no events of the kind looked at"):
        brier_at([1, 2, 3], [0, 0, 0], [0.1, 0.2, 0.3], 2)
    with pytest.raises(UndefinedError, match="no events of the kind looked at"):
        auc_at([1, 2, 3], [1, 1, 0], [0.1, 0.2, 0.3], 2, cause=2)
    with pytest.raises(UndefinedError, match="0 cases and 3 controls at time 1"):
        auc_at([2, 2, 3], [1, 0, 1], [0.1, 0.2, 0.3], 1)


def test_integral_needs_a_grid():
    assert integrated_brier([1, 3, 4], [0.1, 0.2, 0.9]) == pytest.approx((0.1 * 2 + 0.2) / 4, abs=1e-15)
    for horizons, brier in (([1], [0.1]), ([2, 1], [0.1, 0.2]), ([1, 2], [0.1])):
        with pytest.raises(InputError, match="two or more increasing"):
            integrated_brier(horizons, brier)
