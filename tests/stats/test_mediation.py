"""Mediation: against R on a recorded table, closed forms, scipy's BCa, and simulations with a known truth."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from radiolocus.errors import FitError, InputError
from radiolocus.stats.mediation import additive_hazards, e_value, mediate, sensitivity

RECIPE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def table():
    return pl.read_csv(RECIPE / "mediation_table.csv")


@pytest.fixture(scope="module")
def known():
    return dict(pl.read_csv(RECIPE / "mediation_answers.csv").iter_rows())


def columns(table, *names):
    return [table[name].to_numpy().astype(float) for name in names]


@pytest.mark.parametrize(
    ("kind", "outcome", "tolerance"), [("linear", "y", 1e-9), ("logistic", "case", 1e-8), ("survival", "time", 1e-8)]
)
def test_every_effect_is_that_of_r(table, known, kind, outcome, tolerance):
    a, m, y, age, event = columns(table, "a", "m", outcome, "age", "event")
    found = mediate(a, m, y, age, kind=kind, event=event if kind == "survival" else None, draws=20)
    for name in ("mediated", "direct", "total"):
        if f"{kind}_{name}" in known:
            assert getattr(found, name).estimate == pytest.approx(known[f"{kind}_{name}"], rel=tolerance), name
    assert found.total.estimate == pytest.approx(found.mediated.estimate + found.direct.estimate)
    assert found.proportion.estimate == pytest.approx(found.mediated.estimate / found.total.estimate)
    if kind == "logistic":
        assert found.risk_ratio == pytest.approx(known["logistic_ratio"], rel=tolerance)
        assert found.events == int(y.sum())


def test_sensitivity_is_that_of_r_and_holds_where_it_must(table, known):
    a, m, y, age = columns(table, "a", "m", "y", "age")
    found = sensitivity(a, m, y, age)
    assert found.rho_at_zero == pytest.approx(known["rho_at_zero"], rel=1e-9)
    at = dict(zip(found.rho, found.estimate, strict=True))
    assert at[0.0] == pytest.approx(known["linear_mediated"], rel=1e-9)
    assert sensitivity(a, m, y, age, rho=[found.rho_at_zero]).estimate[0] == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="correlation of 1"):
        sensitivity(a, m, y, rho=[1.0])


def test_sensitivity_gives_back_the_truth_of_correlated_errors():
    rng = np.random.default_rng(3)
    n, rho = 60_000, 0.5
    a = rng.binomial(2, 0.4, n)
    errors = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)
    m = 0.5 * a + errors[:, 0]
    y = 0.3 * a + 0.2 * m + errors[:, 1]
    naive = mediate(a, m, y, draws=2).mediated.estimate
    assert naive > 0.3
    assert sensitivity(a, m, y, rho=[rho]).estimate[0] == pytest.approx(0.5 * 0.2, abs=0.02)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-base, r-cran-timereg)")
def test_the_recorded_answers_are_those_of_the_recipe(tmp_path):
    shutil.copy(RECIPE / "mediation_table.csv", tmp_path)
    ran = subprocess.run(["Rscript", RECIPE / "mediation.R", tmp_path], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"R cannot run the recipe (Debian package r-cran-timereg): {ran.stderr[-200:]}")
    now, kept = (pl.read_csv(folder / "mediation_answers.csv") for folder in (tmp_path, RECIPE))
    np.testing.assert_allclose(now["value"], kept["value"], rtol=1e-8)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_the_interval_is_that_of_scipy(table, interval):
    a, m, y = columns(table, "a", "m", "y")

    def statistic(a, m, y):
        one = np.ones(a.size)
        first = np.linalg.lstsq(np.column_stack([one, a]), m, rcond=None)[0][1]
        return first * np.linalg.lstsq(np.column_stack([one, a, m]), y, rcond=None)[0][2]

    theirs = stats.bootstrap(
        (a, m, y), statistic, paired=True, vectorized=False, n_resamples=1500, method=interval, random_state=1
    ).confidence_interval  # fmt: skip
    ours = mediate(a, m, y, interval=interval, draws=1500).mediated
    width = theirs.high - theirs.low
    assert ours.lower == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.upper == pytest.approx(theirs.high, abs=0.08 * width)
    assert ours.p_value == pytest.approx(2 / 1501, abs=0.01)


def test_intervals_hold_the_truth_and_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(5)
    inside, false = 0, 0
    runs = 40
    for seed in range(runs):
        a = rng.binomial(2, 0.4, 150)
        m = 0.5 * a + rng.normal(size=150)
        y = 0.4 * m + 0.2 * a + rng.normal(size=150)
        found = mediate(a, m, y, draws=120, seed=seed).mediated
        inside += found.lower <= 0.2 <= found.upper
        null = mediate(a, rng.normal(size=150), y, draws=120, seed=seed).mediated
        false += not null.lower <= 0 <= null.upper
    assert inside / runs > 0.95 - 4 * np.sqrt(0.05 * 0.95 / runs)
    assert false / runs < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)


def test_effects_of_probability_are_those_of_simulated_people():
    rng = np.random.default_rng(9)
    n = 40_000
    a = rng.binomial(1, 0.5, n).astype(float)
    m = 0.8 * a + rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(-0.5 + 0.9 * m + 0.4 * a)))).astype(float)
    found = mediate(a, m, y, kind="logistic", draws=2)
    error = rng.normal(size=2_000_000)

    def risk(own, other):
        return float((1 / (1 + np.exp(-(-0.5 + 0.9 * (0.8 * other + error) + 0.4 * own)))).mean())

    truth = 0.5 * (risk(1, 1) - risk(1, 0) + risk(0, 1) - risk(0, 0))
    assert found.mediated.estimate == pytest.approx(truth, abs=0.01)
    assert found.total.estimate == pytest.approx(risk(1, 1) - risk(0, 0), abs=0.015)


def test_additive_hazards_find_the_planted_excess_and_weights_are_repeats():
    rng = np.random.default_rng(2)
    n = 20_000
    z = np.column_stack([rng.binomial(2, 0.4, n), rng.uniform(0, 1, n)])
    t = rng.exponential(1 / (0.3 + z @ [0.1, 0.2]))
    c = rng.uniform(0, 5, n)
    time, event = np.minimum(t, c), (t <= c).astype(float)
    assert additive_hazards(z, time, event) == pytest.approx([0.1, 0.2], abs=0.03)
    few = slice(0, 40)
    weights = rng.integers(0, 3, 40)
    repeated = additive_hazards(*(np.repeat(x[few], weights, axis=0) for x in (z, time, event)))
    assert additive_hazards(z[few], time[few], event[few], weights) == pytest.approx(repeated, rel=1e-9)
    with pytest.raises(FitError, match="no event"):
        additive_hazards(z, time, np.zeros(n))


def test_ties_are_taken_at_risk_together():
    z = np.array([[0.0], [1.0], [2.0], [1.0], [0.0]])
    time, event = np.array([1.0, 1.0, 2.0, 3.0, 3.0]), np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    spread = score = 0.0
    before = 0.0
    for now in (1.0, 2.0, 3.0):
        inside = time >= now
        mean = z[inside].mean()
        spread += (now - before) * ((z[inside] - mean) ** 2).sum()
        score += sum(float(z[i, 0] - mean) for i in range(5) if time[i] == now and event[i])
        before = now
    assert additive_hazards(z, time, event)[0] == pytest.approx(score / spread)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5), st.floats(-3, 3))
def test_units_of_the_mediator_say_nothing(seed, scale, shift):
    rng = np.random.default_rng(seed)
    a = rng.binomial(2, 0.4, 200).astype(float)
    m = a + rng.normal(size=200)
    y = 0.5 * m + rng.normal(size=200)
    case = (y > np.median(y)).astype(float)
    for kind, outcome in (("linear", y), ("logistic", case)):
        plain = mediate(a, m, outcome, kind=kind, draws=2)
        turned = mediate(a, scale * m + shift, outcome, kind=kind, draws=2)
        assert turned.mediated.estimate == pytest.approx(plain.mediated.estimate, abs=1e-6)
        assert turned.direct.estimate == pytest.approx(plain.direct.estimate, abs=1e-6)


def test_published_e_values():
    # VanderWeele & Ding 2017: breast-feeding and respiratory death, RR 3.9 (1.8 to 8.7); obesity and leukaemia, 0.8
    assert round(e_value(3.9), 2) == 7.26
    assert round(e_value(1.8), 1) == 3.0
    assert e_value(0.8) == e_value(1.25)
    assert e_value(1.0) == 1.0
    with pytest.raises(InputError, match="risk ratio of 0"):
        e_value(0.0)


def test_same_seed_same_numbers_and_bad_input(table):
    a, m, y, time, event = columns(table, "a", "m", "y", "time", "event")
    assert mediate(a, m, y, draws=50, seed=3).mediated == mediate(a, m, y, draws=50, seed=3).mediated
    for arguments, how, match in (
        ((a, m[:5], y), {}, "one shape"), ((a, m, np.where(m > 1, np.nan, y)), {}, "not finite"),
        ((a, m, y), {"kind": "logistic"}, "not 0 and 1"), ((a, m, time), {"kind": "survival"}, "without events"),
        ((a, m, y), {"treated": 0.0}, "compared with itself"), ((a[:4], m[:4], y[:4]), {}, "4 subjects"),
        ((a, m, y), {"kind": "poisson"}, "kind 'poisson'"), ((a, m, -time), {"kind": "survival", "event": event}, "below 0"),  # noqa: E501
    ):  # fmt: skip
        with pytest.raises(InputError, match=match):
            mediate(*arguments, **how)
    with pytest.raises(FitError, match="combination"):
        mediate(a, m, y, a)
    with pytest.raises(FitError, match="without a maximum"):
        mediate(a, m, (m > 0.3).astype(float), kind="logistic")
