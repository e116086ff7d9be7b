import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from radiolocus.errors import ConfigError, FitError, InputError
from radiolocus.stats.susie import SusieOptions, credible_sets, ld_mismatch, susie, susie_rss

SCRIPT = Path(__file__).resolve().parents[1] / "reference" / "susie.R"


def locus(seed, *, n=400, p=60, causal=(10, 42), effect=0.35, decay=0.93):
    """Genotypes whose correlation decays with distance, and a phenotype of some of them."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(2, n, p))
    for j in range(1, p):
        latent[:, :, j] = decay * latent[:, :, j - 1] + np.sqrt(1 - decay**2) * latent[:, :, j]
    X = (latent < rng.uniform(-1, 0.5, p)).sum(axis=0).astype(float)
    X = X[:, X.std(axis=0) > 0]
    y = X[:, list(causal)] @ np.full(len(causal), effect) + rng.normal(size=n)
    return X, y


def t_of(X, y):
    x, v = X - X.mean(axis=0), y - y.mean()
    r = x.T @ v / np.sqrt((x**2).sum(axis=0) * (v @ v))
    return r * np.sqrt((len(y) - 2) / (1 - r**2))


def test_the_numbers_of_susier(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed: no comparison with susieR")
    X, y = locus(1)
    z = t_of(X, y)
    np.savetxt(tmp_path / "X.csv", X, delimiter=",")
    np.savetxt(tmp_path / "y.csv", y)
    np.savetxt(tmp_path / "z.csv", z)
    ran = subprocess.run(["Rscript", str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False)
    if "no package called" in ran.stderr:
        pytest.skip("susieR is not installed (Debian package r-cran-susier)")
    assert ran.returncode == 0, ran.stderr
    lines = [line.split() for line in ran.stdout.splitlines()]
    R = np.corrcoef(X.T)
    options = SusieOptions(effects=5, tolerance=1e-8, max_iterations=1000)
    for name, fit in (("individual", susie(X, y, options)), ("rss", susie_rss(z, R, len(y), options))):
        np.testing.assert_allclose(fit.pip, np.loadtxt(tmp_path / f"{name}_pip.csv"), atol=2e-4)
        prior, factor = np.loadtxt(tmp_path / f"{name}_V.csv").T
        np.testing.assert_allclose(fit.prior_variance, prior, rtol=2e-3, atol=1e-6)
        np.testing.assert_allclose(fit.log_bayes_factor[prior > 0], factor[prior > 0], rtol=1e-3)
        told = next(line for line in lines if line[0] == name and line[1] != "set")
        assert fit.residual_variance == pytest.approx(float(told[1]), rel=1e-5)
        assert fit.bound[-1] == pytest.approx(float(told[2]), abs=1e-3)
        assert fit.converged
        theirs = {line[2]: [float(v) for v in line[3:]] for line in lines if line[0] == name and line[1] == "set"}
        ours = {
            ",".join(str(v + 1) for v in sorted(found.variants)): [found.coverage, found.min_abs_r, found.mean_abs_r]
            for found in credible_sets(fit, R, options)
        }
        assert ours.keys() == theirs.keys()
        assert ours
        for key, values in theirs.items():
            np.testing.assert_allclose(ours[key], values, rtol=1e-3)
    z[19] = -z[19]
    assert ld_mismatch(z, R, len(y)) == pytest.approx(float(lines[-1][1]), rel=1e-3)


def naive_single(X, y, prior, residual):
    """One effect, by the definition: the likelihood of each variant's regression with its effect integrated out."""
    n = len(y)
    told = []
    for x in X.T:
        covariance = residual * np.eye(n) + prior * np.outer(x, x)
        told.append(-0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * y @ np.linalg.solve(covariance, y))
    weight = np.exp(np.array(told) - max(told))
    return weight / weight.sum()


def test_one_effect_is_bayes_rule():
    X, y = locus(5, n=60, p=12, causal=(4,))
    fit = susie(X, y, SusieOptions(effects=1, tolerance=1e-10))
    scaled = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    expected = naive_single(scaled, y - y.mean(), fit.prior_variance[0], fit.residual_variance)
    np.testing.assert_allclose(fit.pip, expected, atol=1e-6)


def test_the_bound_never_falls():
    X, y = locus(8, causal=(10, 30, 42))
    bound = np.array(susie(X, y, SusieOptions(tolerance=1e-9)).bound)
    assert bound.size > 3
    assert (np.diff(bound) > -1e-7).all()


@pytest.mark.parametrize("kind", [pytest.param("individual", marks=pytest.mark.slow), "rss"])
def test_credible_sets_cover(kind):
    """At least 95 % of the sets hold a causal variant, within the error of so many sets."""
    held = total = 0
    for seed in range(40):
        X, y = locus(100 + seed, n=300, p=40, causal=(8, 30), effect=0.4, decay=0.85)
        R = np.corrcoef(X.T)
        few = SusieOptions(effects=4, tolerance=1e-3)
        fit = susie(X, y, few) if kind == "individual" else susie_rss(t_of(X, y), R, len(y), few)
        assert fit.converged
        for found in credible_sets(fit, R):
            total += 1
            held += bool({8, 30} & set(found.variants))
    assert total > 40
    assert held / total >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / total)


def test_without_an_effect_there_is_no_set():
    found = 0
    for seed in range(20):
        X, y = locus(300 + seed, n=200, p=30, causal=(), effect=0.0)
        found += len(credible_sets(susie(X, y, SusieOptions(effects=3)), np.corrcoef(X.T)))
    assert found <= 2


def test_sets_that_are_impure_or_there_already():
    X, y = locus(1)
    R = np.corrcoef(X.T)
    fit = susie(X, y)
    assert credible_sets(fit, R)
    assert credible_sets(fit, np.eye(60), SusieOptions(min_abs_r=0.99)) == tuple(
        found for found in credible_sets(fit, np.eye(60), SusieOptions(min_abs_r=0.0)) if len(found.variants) == 1
    )
    all_in = credible_sets(susie(X[:, [10, 10]], y), np.ones((2, 2)))
    assert [sorted(found.variants) for found in all_in] == [[0, 1]]


def test_what_cannot_be_fitted():
    X, y = locus(1, n=30, p=5, causal=(1,))
    with pytest.raises(InputError, match="column 2 does not vary"):
        susie(np.where(np.arange(5) == 1, 1.0, X), y)
    with pytest.raises(InputError, match="missing values"):
        susie(np.where(np.arange(5) == 1, np.nan, X), y)
    with pytest.raises(FitError):
        susie(X[:2], y[:2])
    with pytest.raises(InputError, match="5 z-scores"):
        susie_rss(np.ones(5), np.eye(4), 100)
    with pytest.raises(InputError, match="not finite"):
        susie_rss(np.full(5, np.nan), np.eye(5), 100)
    for wrong in ({"effects": 0}, {"coverage": 1.0}, {"prior_variance": 0.0}):
        with pytest.raises(ConfigError):
            SusieOptions(**wrong)
