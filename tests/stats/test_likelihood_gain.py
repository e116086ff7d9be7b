"""What a second score adds: against R's survival and glm, and against refitting weighted tables one by one."""

import shutil
import subprocess

import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.stats.likelihood_gain import likelihood_gain

_SCRIPT = """
suppressMessages(library(survival))
t <- read.csv(commandArgs(TRUE)[1])
cox <- function(f) coxph(f, t, ties = "breslow", control = coxph.control(eps = 1e-12))$loglik[2]
glm2 <- function(f) as.numeric(logLik(glm(f, binomial, t, control = glm.control(epsilon = 1e-14))))
cat(sprintf("%.12g\\n", c(
  2 * (cox(Surv(time, event) ~ a + b + strata(fold)) - cox(Surv(time, event) ~ a + strata(fold))),
  2 * (glm2(event ~ a + b + factor(fold)) - glm2(event ~ a + factor(fold))))))
"""


def table(n=90, seed=3):
    """Two scores, tied times, four folds."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 0.6 * a + rng.normal(size=n)
    time = np.ceil(6 * rng.exponential(np.exp(-0.5 * a - 0.4 * b)))
    event = (rng.random(n) < 0.6).astype(float)
    return time, event, a, b, rng.integers(4, size=n)


def test_it_is_that_of_r(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed: no comparison with coxph and glm")
    time, event, a, b, fold = table()
    rows = zip(time, event, a, b, fold, strict=True)
    text = "\n".join(["time,event,a,b,fold", *(",".join(repr(float(v)) for v in row) for row in rows)])
    (tmp_path / "table.csv").write_text(text)
    (tmp_path / "gain.R").write_text(_SCRIPT)
    call = [shutil.which("Rscript"), str(tmp_path / "gain.R"), str(tmp_path / "table.csv")]
    answer = subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()
    one = np.ones((1, time.size))
    assert likelihood_gain(event, a, b, fold, one, time)[0] == pytest.approx(float(answer[0]), rel=1e-7)
    assert likelihood_gain(event, a, b, fold, one)[0] == pytest.approx(float(answer[1]), rel=1e-7)


@pytest.mark.parametrize("timed", [True, False])
def test_a_weight_of_two_is_a_patient_twice(timed):
    time, event, a, b, fold = table(60)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=3).astype(float)
    got = likelihood_gain(event, a, b, fold, weights, time if timed else None)
    for row, value in zip(weights.astype(int), got, strict=True):
        again = [np.repeat(v, row) for v in (event, a, b, fold, time)]
        alone = likelihood_gain(*again[:4], np.ones((1, 60)), again[4] if timed else None)
        assert value == pytest.approx(alone[0], rel=1e-7)


@pytest.mark.parametrize("timed", [True, False])
def test_a_score_that_says_nothing_new_adds_nothing(timed):
    time, event, a, b, fold = table()
    given = time if timed else None
    one = np.ones((1, time.size))
    assert likelihood_gain(event, a, 2 * a + 1, fold, one, given)[0] == pytest.approx(0.0, abs=1e-6)
    assert likelihood_gain(event, a, np.ones(90), fold, one, given)[0] == 0.0
    assert likelihood_gain(event, a, -b, fold, one, given)[0] == 0.0, "what must be turned round adds nothing"
    with pytest.raises(InputError, match="not finite"):
        likelihood_gain(event, a, np.full(90, np.nan), fold, one, given)


def test_under_the_null_it_is_chi_square():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        time, event = rng.exponential(size=60), (rng.random(60) < 0.7).astype(float)
        found.append(
            likelihood_gain(event, rng.normal(size=60), rng.normal(size=60), np.arange(60) % 3, np.ones((1, 60)), time)
        )
    # Half of the scores would have to be turned round; the other half is χ² with one degree of freedom.
    assert np.mean(np.array(found) > 3.841) == pytest.approx(0.025, abs=0.02)
    assert np.mean(np.array(found) == 0) == pytest.approx(0.5, abs=0.1)
