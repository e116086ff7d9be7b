"""Treatment × marker: against R's likelihood-ratio tests, and where the classes are separated."""

import shutil
import subprocess

import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.stats.firth import firth_block_test, fit_firth
from radiolocus.stats.interaction import interaction_test


def trial(n=200, seed=3):
    rng = np.random.default_rng(seed)
    marker, arm, age = rng.normal(size=n), rng.integers(0, 3, n), rng.normal(60, 9, n)
    eta = -0.4 + 0.5 * marker + 0.3 * (arm == 1) + 0.8 * (arm == 2) * marker
    event = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    time = np.ceil(20 * rng.exponential(np.exp(-eta)) + 0.01)
    return event, time, arm, marker, age


def test_is_what_r_finds(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed: no comparison with R")
    event, time, arm, marker, age = trial()
    np.savetxt(
        tmp_path / "t.csv",
        np.column_stack([event, time, arm, marker, age]),
        delimiter=",",
        header="e,t,a,m,g",
        comments="",
    )
    script = """
    d <- read.csv(commandArgs(TRUE)[1]); d$a <- factor(d$a)
    f <- glm(e ~ m + a + g + m:a, binomial, d); o <- anova(glm(e ~ m + a + g, binomial, d), f, test = "LRT")
    library(survival)
    h <- coxph(Surv(t, e) ~ m + a + g + m:a, d); p <- anova(coxph(Surv(t, e) ~ m + a + g, d), h)
    cat(o$Deviance[2], o$Df[2], o[2, "Pr(>Chi)"], coef(f)["m:a2"], sqrt(vcov(f)["m:a2", "m:a2"]), coef(f)["m"],
        p$Chisq[2], coef(h)["m:a2"], sqrt(vcov(h)["m:a2", "m:a2"]), sep = "\\n")
    """
    told = subprocess.run(
        ["Rscript", "-e", script, str(tmp_path / "t.csv")], capture_output=True, text=True, check=False
    )
    if told.returncode:
        pytest.skip(f"R or its package survival cannot answer: {told.stderr[-200:]}")
    want = [float(x) for x in told.stdout.split()]
    arms = np.column_stack([arm == 1, arm == 2])
    found = interaction_test(event, arms, marker, age)
    assert found.method == "likelihood ratio"
    np.testing.assert_allclose([found.statistic, found.df, 10**-found.neg_log10_p], want[:3], rtol=1e-6)
    np.testing.assert_allclose(
        [found.coefficient[1], found.standard_error[1], found.prognostic[0]], want[3:6], rtol=1e-4
    )
    cox = interaction_test(event, arms, marker, age, time=time)
    np.testing.assert_allclose([cox.statistic, cox.coefficient[1], cox.standard_error[1]], want[6:], rtol=1e-4)


def test_published_table():
    """Among HER2-negative: pCR 12 of 92 and 18 of 85 under control, 4 of 35 and 27 of 34 under pembrolizumab."""
    cells = [(0, 0, 12, 92), (0, 1, 18, 85), (1, 0, 4, 35), (1, 1, 27, 34)]
    arm = np.repeat([c[0] for c in cells], [c[3] for c in cells])
    immune = np.repeat([c[1] for c in cells], [c[3] for c in cells])
    event = np.concatenate([np.r_[np.ones(x), np.zeros(n - x)] for _, _, x, n in cells])
    found = interaction_test(event, arm, immune)
    assert 10**-found.neg_log10_p == pytest.approx(1.47e-4, rel=0.005)
    assert found.n == 246


def test_separated_classes_are_penalised():
    rng = np.random.default_rng(1)
    arm, marker = np.repeat([0, 1], 30), np.tile([0, 1], 30)
    event = np.where((arm == 1) & (marker == 1), 1.0, (rng.random(60) < 0.4).astype(float))
    found = interaction_test(event, arm, marker)
    assert found.method == "penalised likelihood ratio"
    own = fit_firth(event, np.column_stack([marker, arm, arm * marker]))
    assert found.statistic == pytest.approx(own.likelihood_ratio[2], rel=1e-6)
    assert found.coefficient[0] == pytest.approx(own.coefficient[2])
    assert firth_block_test(event, np.column_stack([marker, arm]), (arm * marker)[:, None]) == found.statistic


def test_a_level_that_an_arm_lacks_costs_a_degree_of_freedom():
    event, _, arm, _, _ = trial()
    level = np.arange(200) % 3
    level[(arm == 1) & (level == 2)] = 0
    marker = np.column_stack([level == 1, level == 2])
    assert interaction_test(event, arm == 1, marker).df == 1
    assert interaction_test(event, arm == 2, marker).df == 2


def test_what_cannot_be_tested_is_said():
    event, _, arm, marker, _ = trial()
    with pytest.raises(FitError, match="cannot be told from the main effects"):
        interaction_test(event, arm == 1, arm == 1)
    with pytest.raises(InputError, match="200 subjects"):
        interaction_test(event, arm == 1, np.where(marker > 1, np.nan, marker))


def test_null_p_values_are_uniform():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(300):
        arm, marker = rng.integers(0, 2, 150), rng.normal(size=150)
        event = rng.random(150) < 1 / (1 + np.exp(-(0.7 * arm + 0.7 * marker)))
        p.append(10 ** -interaction_test(event, arm, marker).neg_log10_p)
    # 300 draws: three Monte Carlo errors about the level.
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 300)
    assert abs(np.mean(p) - 0.5) < 3 * np.sqrt(1 / 12 / 300)
