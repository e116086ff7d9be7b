"""Accelerated failure time, ordinal, multinomial and discrete-time models against R on the same table."""

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from radiolocus.stats.aft import fit_aft
from radiolocus.stats.discrete import fit_discrete, interval_ends
from radiolocus.stats.ordinal import fit_multinomial, fit_ordinal

_SCRIPT = Path(__file__).resolve().parent.parent / "reference" / "models.R"


def table(n=120):
    """Tied whole times, columns of unlike scale, four classes."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 3)) * [1, 5, 0.2] + [0, 10, 3]
    died, lost = np.ceil(10 * rng.exponential(np.exp(-X[:, 0]))), np.ceil(rng.uniform(1, 40, n))
    code = np.digitize(X[:, 0] + rng.logistic(size=n), [-1, 0.5, 1.5]).astype(float)
    return X, np.minimum(died, lost), (died <= lost).astype(float), code


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """R's answers; skips when R or a package is absent."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: no comparison with R")
    X, time, event, code = table()
    folder = tmp_path_factory.mktemp("models")
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["t", "e", "a", "b", "c", "k"])
        writer.writerows(np.column_stack([time, event, X, code]).tolist())
    np.savetxt(folder / "ends.txt", interval_ends(time, event, 6), fmt="%.17g")
    done = subprocess.run([program, str(_SCRIPT), str(folder)], capture_output=True, text=True, check=False)
    if "no package called" in done.stderr:
        pytest.skip("R's packages survival, MASS and glmnet are not installed: no comparison with them")
    assert done.returncode == 0, done.stderr
    found = defaultdict(list)
    with (folder / "answers.csv").open() as stream:
        for row in csv.DictReader(stream):
            found[row["key"]].append(float(row["value"]))
    return {key: np.array(values) for key, values in found.items()}


@pytest.mark.parametrize("distribution", ["weibull", "lognormal", "loglogistic"])
def test_accelerated_failure_time_models_are_those_of_survreg(answers, distribution):
    X, time, event, _ = table()
    fit = fit_aft(time, event, X, distribution=distribution)
    np.testing.assert_allclose([fit.intercept, *fit.coefficient], answers[f"{distribution}.coefficient"], rtol=1e-6)
    np.testing.assert_allclose(fit.scale, answers[f"{distribution}.scale"], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), answers[f"{distribution}.error"], rtol=1e-6)
    np.testing.assert_allclose([fit.loglik_null, fit.loglik], answers[f"{distribution}.loglik"], rtol=1e-9)
    np.testing.assert_allclose(fit.survival(X, [5])[:, 0], answers[f"{distribution}.survival"], rtol=1e-6)


def test_proportional_odds_are_those_of_polr(answers):
    X, _, _, code = table()
    fit = fit_ordinal(code, X, 4)
    # polr ends its quasi-Newton search with five digits or so; where it ends, our likelihood is no smaller.
    np.testing.assert_allclose(fit.coefficient, answers["ordinal.coefficient"], rtol=2e-6)
    np.testing.assert_allclose(fit.threshold, answers["ordinal.threshold"], rtol=2e-6)
    np.testing.assert_allclose(fit.loglik, answers["ordinal.loglik"], rtol=1e-9)
    assert fit.loglik >= answers["ordinal.loglik"][0] - 1e-9


def test_multinomial_model_is_that_of_glmnet(answers):
    X, _, _, code = table()
    fit = fit_multinomial(code, (X - X.mean(axis=0)) / X.std(axis=0), 4, ridge=0.05)
    expected = answers["multinomial"].reshape(4, 4)
    np.testing.assert_allclose(fit.intercept, expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(fit.coefficient.T, expected[:, 1:], atol=1e-6)


def test_discrete_time_hazards_are_those_of_glm_on_person_periods(answers):
    X, time, event, _ = table()
    fit = fit_discrete(time, event, X, interval_ends(time, event, 6))
    np.testing.assert_allclose([*fit.baseline, *fit.coefficient], answers["discrete.coefficient"], rtol=1e-6)
    error = np.sqrt(np.diag(fit.covariance))
    np.testing.assert_allclose([*error[3:], *error[:3]], answers["discrete.error"], rtol=1e-5)
    np.testing.assert_allclose(fit.loglik, answers["discrete.loglik"], rtol=1e-10)
