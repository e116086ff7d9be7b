"""Meta-analysis: against R's metafor on recorded tables, published trials, and properties that must hold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from radiolocus.errors import ConfigError, InputError
from radiolocus.stats.meta import combine_z, fixed_effect, heterogeneity, i2_interval, random_effects, z_of_p

RECIPE = Path(__file__).parents[1] / "reference"
# Colditz et al., JAMA 1994;271:698-702: tuberculosis with and without BCG, treated and control, with and without it.
BCG = np.array(
    [(4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
     (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
     (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)], float,
)  # fmt: skip
# Fleiss, Stat Methods Med Res 1993;2:121-145: deaths after infarction, on aspirin and on placebo.
ASPIRIN = np.array(
    [(49, 615, 67, 624), (44, 758, 64, 771), (102, 832, 126, 850), (32, 317, 38, 309), (85, 810, 52, 406),
     (246, 2267, 219, 2257), (1570, 8587, 1720, 8600)], float,
)  # fmt: skip


def bcg():
    a, b, c, d = BCG.T
    risk = np.log((a / (a + b)) / (c / (c + d)))
    return risk, np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def aspirin():
    e, n, c, m = ASPIRIN.T
    return np.log(e * (m - c) / ((n - e) * c)), np.sqrt(1 / e + 1 / (n - e) + 1 / c + 1 / (m - c))


def cases():
    table = pl.read_csv(RECIPE / "meta_table.csv")
    frames = {name: rows.select("beta", "se").to_numpy().T for (name,), rows in table.group_by("case")}
    return frames | {"bcg": bcg()}


def answers():
    told = pl.read_csv(RECIPE / "meta_answers.csv")
    return {(case, name): value for case, name, value in told.iter_rows()}


@pytest.mark.parametrize("case", ["bcg", "alike", "apart", "two", "many"])
def test_every_number_is_that_of_metafor(case):
    b, s = (np.asarray(x)[None, :] for x in cases()[case])
    known = answers()
    fixed, apart = fixed_effect(b, s), heterogeneity(b, s)
    assert fixed.beta[0] == pytest.approx(known[case, "fe_beta"], rel=1e-12)
    assert fixed.standard_error[0] == pytest.approx(known[case, "fe_se"], rel=1e-12)
    assert fixed.neg_log10_p[0] == pytest.approx(known[case, "fe_neg_log10_p"], rel=1e-9)
    assert apart.q[0] == pytest.approx(known[case, "q"], rel=1e-11)
    assert apart.neg_log10_p[0] == pytest.approx(known[case, "q_neg_log10_p"], rel=1e-9)
    for method in ("dl", "pm", "reml"):
        for adjusted, label in ((False, method), (True, f"{method}_hk")):
            found = random_effects(b, s, method, hartung_knapp=adjusted)
            assert found.tau2[0] == pytest.approx(known[case, f"{label}_tau2"], rel=2e-6, abs=1e-9), label
            assert found.beta[0] == pytest.approx(known[case, f"{label}_beta"], rel=1e-6), label
            assert found.standard_error[0] == pytest.approx(known[case, f"{label}_se"], rel=2e-6), label
            assert found.neg_log10_p[0] == pytest.approx(known[case, f"{label}_neg_log10_p"], rel=1e-5), label


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-base, r-cran-metafor)")
def test_the_recorded_answers_are_those_of_the_recipe(tmp_path):
    shutil.copy(RECIPE / "meta_table.csv", tmp_path)
    ran = subprocess.run(["Rscript", RECIPE / "meta.R", tmp_path], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"R cannot run the recipe (Debian package r-cran-metafor): {ran.stderr[-200:]}")
    now = pl.read_csv(tmp_path / "meta_answers.csv")
    kept = pl.read_csv(RECIPE / "meta_answers.csv")
    assert now.select("case", "name").equals(kept.select("case", "name"))
    np.testing.assert_allclose(now["value"], kept["value"], rtol=1e-9, atol=1e-9)


def test_published_trials():
    # Viechtbauer, J Stat Softw 2010;36(3), p. 12: BCG, log risk ratios by REML
    b, s = (x[None, :] for x in bcg())
    found, apart = random_effects(b, s, "reml"), heterogeneity(b, s)
    assert [round(float(x), 4) for x in (found.beta[0], found.standard_error[0], found.tau2[0])] == [
        -0.7145, 0.1798, 0.3132,
    ]  # fmt: skip
    assert round(float(apart.q[0]), 4) == 152.2330
    # Fleiss 1993: log odds ratios of seven trials of aspirin; the interval of I² is that of Higgins and Thompson
    b, s = (x[None, :] for x in aspirin())
    fixed, random, apart = fixed_effect(b, s), random_effects(b, s), heterogeneity(b, s)
    low, high = i2_interval(apart.q, apart.df)
    assert round(float(np.exp(fixed.beta[0])), 2) == 0.90
    assert round(float(np.exp(random.beta[0])), 2) == 0.88
    assert round(float(apart.q[0]), 2) == 9.95
    assert [round(float(x), 3) for x in (apart.i2[0], low[0], high[0])] == [0.397, 0.0, 0.746]


NUMBERS = st.lists(
    st.tuples(st.floats(-2, 2, allow_subnormal=False), st.floats(0.05, 2)), min_size=2, max_size=6
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.floats(-3, 3), st.floats(0.2, 5))
def test_shift_scale_order_and_absence(pairs, shift, scale):
    b, s = (np.array(x)[None, :] for x in zip(*pairs, strict=True))
    for method in ("dl", "pm", "reml"):
        plain = random_effects(b, s, method)
        moved = random_effects(shift + scale * b, scale * s, method)
        assert moved.beta[0] == pytest.approx(shift + scale * plain.beta[0], abs=1e-6)
        assert moved.tau2[0] == pytest.approx(scale**2 * plain.tau2[0], abs=1e-6, rel=1e-5)
        assert plain.tau2[0] >= 0
        turned = random_effects(b[:, ::-1], s[:, ::-1], method)
        assert turned.beta[0] == pytest.approx(plain.beta[0], abs=1e-9)
    gaps = [np.column_stack([x, [[np.nan]]]) for x in (b, s)]
    assert fixed_effect(*gaps).beta[0] == fixed_effect(b, s).beta[0]
    assert heterogeneity(*gaps).q[0] == heterogeneity(b, s).q[0]


@settings(max_examples=30, deadline=None)
@example([(0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (1.0, 0.25)])  # full steps swing about the maximum
@given(NUMBERS)
def test_estimates_of_variance_solve_their_equations(pairs):
    b, s = (np.array(x) for x in zip(*pairs, strict=True))

    def q(tau2):
        w = 1 / (s**2 + tau2)
        return float((w * (b - (w * b).sum() / w.sum()) ** 2).sum())

    def restricted(tau2):
        w = 1 / (s**2 + tau2)
        mean = (w * b).sum() / w.sum()
        return float(0.5 * np.log(w).sum() - 0.5 * np.log(w.sum()) - 0.5 * (w * (b - mean) ** 2).sum())

    pm = float(random_effects(b[None], s[None], "pm").tau2[0])
    assert q(pm) == pytest.approx(len(b) - 1, rel=1e-6) if pm > 0 else q(0.0) <= len(b) - 1
    reml = float(random_effects(b[None], s[None], "reml").tau2[0])
    for other in (reml * 0.9, reml * 1.1 + 1e-4):  # a maximum where it stands
        assert restricted(reml) >= restricted(other) - 1e-9


def test_single_cohorts_and_nothing():
    b, s = np.array([[0.2, np.nan], [np.nan, np.nan]]), np.array([[0.1, np.nan], [np.nan, 0.2]])
    fixed = fixed_effect(b, s)
    assert fixed.cohorts.tolist() == [1, 0]
    assert fixed.beta[0] == pytest.approx(0.2)
    assert np.isnan(fixed.beta[1])
    assert np.isnan(heterogeneity(b, s).q).all()
    assert np.isnan(random_effects(b, s).beta).all()
    low, high = i2_interval([0.0, 1.0, 30.0], [3, 1, 1])
    assert np.isnan(low[:2]).all()
    assert 0.9 < low[2] < high[2] < 1
    with pytest.raises(InputError, match="standard error 0") as caught:
        fixed_effect([[1.0, 2.0]], [[0.1, 0.0]])
    assert "cohort 1" in caught.value.where
    with pytest.raises(ConfigError, match="did you mean 'reml'"):
        random_effects([[1.0, 2.0]], [[0.1, 0.1]], "rml")
    with pytest.raises(InputError, match="shape"):
        fixed_effect([1.0], [1.0])


def test_weighted_z_is_stouffers_and_far_beyond_floating_point():
    z, n = np.array([[2.0, -1.0, 0.5], [40.0, 38.0, np.nan]]), np.array([[100.0, 400.0, 50.0], [1e4, 9e3, 1.0]])
    found = combine_z(z, n)
    w = np.sqrt(n[0])
    assert found.z[0] == pytest.approx((w * z[0]).sum() / np.sqrt((w**2).sum()))
    assert found.n.tolist() == [550.0, 19000.0]
    expected = w * found.z[0] / np.sqrt(550)
    assert found.q[0] == pytest.approx(((z[0] - expected) ** 2).sum())
    assert found.q_neg_log10_p[0] == pytest.approx(-stats.chi2.logsf(found.q[0], 2) / np.log(10))
    assert found.neg_log10_p[1] > 650
    assert z_of_p(found.neg_log10_p, found.z) == pytest.approx(found.z, rel=1e-9)
    with pytest.raises(InputError, match="not above 0"):
        combine_z([[1.0]], [[0.0]])


def test_random_effects_hold_their_level_where_fixed_ones_do_not():
    rng = np.random.default_rng(5)
    cohorts, studies = 8, 4000
    s = rng.uniform(0.05, 0.2, (studies, cohorts))
    b = rng.normal(0, 0.15, (studies, cohorts)) + s * rng.normal(size=(studies, cohorts))
    level = -np.log10(0.05)
    rejected = [
        float((found.neg_log10_p > level).mean())
        for found in (fixed_effect(b, s), random_effects(b, s, "reml", hartung_knapp=True))
    ]
    assert rejected[0] > 0.2
    assert abs(rejected[1] - 0.05) < 4 * np.sqrt(0.05 * 0.95 / studies)
