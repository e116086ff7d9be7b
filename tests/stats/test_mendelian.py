"""Mendelian randomisation: against R's lm(), published numbers, and simulations with a known effect."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolocus.errors import FitError, InputError
from radiolocus.stats.mendelian import (
    Instruments,
    egger,
    f_statistics,
    i2_gx,
    inverse_variance,
    leave_one_out,
    steiger,
    wald_ratios,
    weighted_median,
    weighted_mode,
)

RECIPE = Path(__file__).parents[1] / "reference"
CASES = ["lipids", "clean", "pleiotropic"]


def data_of(case):
    table = pl.read_csv(RECIPE / "mendelian_table.csv").filter(pl.col("case") == case)
    return Instruments(*(table[name].to_numpy() for name in ("bx", "sx", "by", "sy")))


@pytest.mark.parametrize("case", CASES)
def test_every_number_is_that_of_r(case):
    told = pl.read_csv(RECIPE / "mendelian_answers.csv").filter(pl.col("case") == case)
    known = dict(told.select("name", "value").iter_rows())
    data = data_of(case)
    random, fixed = inverse_variance(data), inverse_variance(data, random=False)
    slope, intercept = egger(data)
    found = {
        "ivw": random.estimate, "ivw_fixed_se": fixed.standard_error, "ivw_random_se": random.standard_error,
        "ivw_q": random.q, "egger": slope.estimate, "egger_se": slope.standard_error,
        "egger_p": 10**-slope.neg_log10_p, "intercept": intercept.estimate,
        "intercept_se": intercept.standard_error, "egger_q": slope.q,
        "weighted_median": weighted_median(data, draws=10).estimate,
        "simple_median": weighted_median(data, draws=10, weighted=False).estimate,
    }  # fmt: skip
    for name, value in found.items():
        assert value == pytest.approx(known[name], rel=1e-9), name
    assert weighted_mode(data, draws=10).estimate == pytest.approx(known["weighted_mode"], abs=2e-3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-base)")
def test_the_recorded_answers_are_those_of_the_recipe(tmp_path):
    shutil.copy(RECIPE / "mendelian_table.csv", tmp_path)
    subprocess.run(["Rscript", RECIPE / "mendelian.R", tmp_path], check=True, capture_output=True)
    now, kept = (pl.read_csv(folder / "mendelian_answers.csv") for folder in (tmp_path, RECIPE))
    assert now.select("case", "name").equals(kept.select("case", "name"))
    np.testing.assert_allclose(now["value"], kept["value"], rtol=1e-9)


def test_published_lipids_and_heart_disease():
    # Yavorska & Burgess, Int J Epidemiol 2017;46:1734-1739 and the vignette of its package: 28 variants of
    # Waterworth et al. 2010 (PMC3891568), LDL cholesterol on coronary heart disease.
    data = data_of("lipids")
    ivw, (slope, intercept) = inverse_variance(data), egger(data)
    assert (round(ivw.estimate, 3), round(ivw.standard_error, 3), round(ivw.q, 4)) == (2.834, 0.530, 99.5304)
    assert (round(slope.estimate, 3), round(slope.standard_error, 3)) == (3.253, 0.770)
    assert (round(intercept.estimate, 3), round(intercept.standard_error, 3)) == (-0.011, 0.015)
    assert round(100 * i2_gx(data), 1) == 91.9
    median = weighted_median(data, draws=10_000)
    assert round(median.estimate, 3) == 2.683
    assert median.standard_error == pytest.approx(0.419, abs=0.012)
    simple = weighted_median(data, draws=10_000, weighted=False)
    assert round(simple.estimate, 3) == 1.755
    assert simple.standard_error == pytest.approx(0.740, abs=0.02)


def simulated(rng, n=40, effect=0.4, invalid=0.0, mean=0.0):
    bx = rng.uniform(0.05, 0.3, n) * rng.choice([-1, 1], n)
    sx, sy = np.full(n, 0.01), np.full(n, 0.02)
    wrong = rng.random(n) < invalid
    direct = np.where(wrong, rng.normal(mean, 0.08, n), 0.0) * np.sign(bx)
    return Instruments(bx + sx * rng.normal(size=n), sx, effect * bx + direct + sy * rng.normal(size=n), sy)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    runs = 300
    inside = {"ivw": 0, "egger": 0, "median": 0}
    for _ in range(runs):
        data = simulated(rng)
        for name, found in (
            ("ivw", inverse_variance(data)),
            ("egger", egger(data)[0]),
            ("median", weighted_median(data, draws=200)),
        ):
            inside[name] += found.lower <= 0.4 <= found.upper
    for name, count in inside.items():
        assert count / runs > 0.95 - 4 * np.sqrt(0.05 * 0.95 / runs), name


def test_directional_pleiotropy_misleads_the_mean_and_not_the_others():
    rng = np.random.default_rng(2)
    runs = [simulated(rng, invalid=0.3, mean=0.15, n=60) for _ in range(60)]
    mean = np.mean([inverse_variance(d).estimate for d in runs])
    median = np.mean([weighted_median(d, draws=50).estimate for d in runs])
    mode = np.mean([weighted_mode(d, draws=20).estimate for d in runs[:20]])
    assert mean > 0.5
    assert abs(median - 0.4) < 0.5 * abs(mean - 0.4)
    assert abs(mode - 0.4) < 0.04
    every = [simulated(rng, invalid=1.0, mean=0.1, n=80) for _ in range(60)]
    slopes, starts = zip(*(egger(d) for d in every), strict=True)
    assert np.mean([s.estimate for s in slopes]) == pytest.approx(0.4, abs=0.05)
    assert np.mean([s.estimate for s in starts]) == pytest.approx(0.1, abs=0.01)
    assert np.mean([s.neg_log10_p > 1.3 for s in starts]) > 0.9


ROWS = st.lists(
    st.tuples(st.floats(0.05, 1), st.floats(0.01, 0.2), st.floats(-1, 1), st.floats(0.02, 0.5), st.booleans()),
    min_size=3,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.floats(0.1, 10))
def test_coding_order_and_units(rows, unit):
    bx, sx, by, sy, turn = (np.array(c) for c in zip(*rows, strict=True))
    bx = bx * np.where(turn, -1.0, 1.0)
    if np.ptp(np.abs(bx)) < 0.05:
        return
    data = Instruments(bx, sx, by, sy)
    flipped = Instruments(-bx, sx, -by, sy)
    turned = Instruments(bx[::-1], sx[::-1], by[::-1], sy[::-1])
    scaled = Instruments(bx, sx, by * unit, sy * unit)
    for method in (inverse_variance, lambda d: egger(d)[0], lambda d: weighted_median(d, draws=3)):
        estimate = method(data).estimate
        assert method(flipped).estimate == pytest.approx(estimate, abs=1e-8)
        assert method(turned).estimate == pytest.approx(estimate, abs=1e-8)
        assert method(scaled).estimate == pytest.approx(unit * estimate, rel=1e-7, abs=1e-8)
    assert egger(data)[0].q <= inverse_variance(data).q + 1e-6
    ratios, _ = wald_ratios(data)
    assert ratios.min() - 1e-12 <= weighted_median(data, draws=3).estimate <= ratios.max() + 1e-12


def test_one_instrument_leaving_out_and_direction():
    one = Instruments([0.2], [0.01], [0.1], [0.02])
    found = inverse_variance(one)
    assert (found.estimate, found.standard_error) == (pytest.approx(0.5), pytest.approx(0.1))
    assert np.isnan(found.q)
    assert leave_one_out(one) == []
    data = data_of("clean")
    left = leave_one_out(data)
    mask = np.arange(12) != 4
    assert left[4] == inverse_variance(data.only(mask))
    assert f_statistics(data)[0] == pytest.approx((data.bx[0] / data.sx[0]) ** 2)
    forward = steiger(data, 8000, 40_000)
    assert forward.direction
    assert forward.neg_log10_p > 3
    assert not steiger(Instruments(data.by, data.sy, data.bx, data.sx), 40_000, 8000).direction
    z = np.square(data.bx / data.sx)
    assert forward.r2_exposure == pytest.approx((z / (z + 7998)).sum())
    for method in (weighted_median, weighted_mode):
        first, again, other = (method(data, draws=50, seed=seed).standard_error for seed in (4, 4, 5))
        assert first == again != other


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (([0.1], [0.0], [0.1], [0.1]), "errors above 0"),
        (([0.0], [0.1], [0.1], [0.1]), "effect of 0"),
        (([np.nan], [0.1], [0.1], [0.1]), "finite effects"),
        (([0.1, 0.2], [0.1], [0.1], [0.1]), "one shape"),
    ],
)
def test_what_is_no_instrument(values, match):
    with pytest.raises(InputError, match=match):
        Instruments(*values)


def test_too_few_instruments():
    two = Instruments([0.1, 0.2], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1])
    for method in (egger, weighted_median, weighted_mode):
        with pytest.raises(FitError, match="2 instruments") as caught:
            method(two)
        assert caught.value.allowed == "at least 3"
    with pytest.raises(FitError, match="one effect"):
        egger(Instruments([0.1] * 3, [0.1] * 3, [0.1, 0.2, 0.3], [0.1] * 3))
