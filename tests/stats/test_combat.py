import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolocus.errors import FitError, InputError
from radiolocus.stats.combat import fit_combat


def sites(seed=3, p=25):
    """Three sites of different size, location and scale, with age and sex that matter."""
    rng = np.random.default_rng(seed)
    batch = np.repeat(["a", "b", "c"], [15, 25, 20])
    age, sex = rng.normal(60, 9, 60), rng.integers(0, 2, 60).astype(float)
    X = (
        rng.normal(size=(60, p)) * rng.uniform(0.5, 3, p)
        + 0.02 * age[:, None]
        + 0.5 * sex[:, None]
        + rng.normal(size=p)
    )
    X += (batch == "a")[:, None] * rng.normal(0.6, 0.4, p)
    X = np.where((batch == "c")[:, None], X * 1.6, X)
    return X, batch, np.column_stack([age, sex])


# neuroCombat 0.2.12 on `sites()`: first two values of the first feature, the last of the last, Σx².
NEUROCOMBAT = {
    "plain": ({}, True, (4.81906191, 1.455848, -0.5320060981, 19093.06088)),
    "reference": ({"reference": "b"}, True, (3.976605359, 0.7157485578, -0.7469603808, 12583.47794)),
    "not shrunk": ({"empirical_bayes": False}, True, (4.67052677, 1.23456223, -0.5215848643, 19049.11329)),
    "no covariates": ({}, False, (5.335060722, 1.265842811, -0.5843522244, 19106.10242)),
}


@pytest.mark.parametrize("case", NEUROCOMBAT)
def test_numbers_are_those_of_neurocombat(case):
    X, batch, Z = sites()
    how, adjusted, expected = NEUROCOMBAT[case]
    Z = Z if adjusted else None
    got = fit_combat(X, batch, Z, **how).apply(X, batch, Z)
    # neuroCombat stops when nothing moves by more than 1e-4; ours by 1e-10.
    np.testing.assert_allclose([got[0, 0], got[1, 0], got[-1, -1], np.square(got).sum()], expected, rtol=3e-6)


R_SCRIPT = """
suppressMessages(library(sva))
folder <- commandArgs(TRUE)[1]
d <- t(as.matrix(read.csv(file.path(folder, "x.csv"), header = FALSE)))
k <- read.csv(file.path(folder, "k.csv"))
out <- suppressMessages(ComBat(d, k$batch, model.matrix(~ age + sex, k)))
write.table(t(out), file.path(folder, "o.csv"), sep = ",", row.names = FALSE, col.names = FALSE)
"""


@pytest.mark.slow
def test_numbers_are_those_of_sva(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Rscript)")
    X, batch, Z = sites(4, 40)
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", fmt="%.17g")
    rows = "\n".join(f"{b},{a!r},{s}" for b, (a, s) in zip(batch, Z.tolist(), strict=True))
    (tmp_path / "k.csv").write_text("batch,age,sex\n" + rows)
    (tmp_path / "s.R").write_text(R_SCRIPT)
    ran = subprocess.run(["Rscript", "--vanilla", tmp_path / "s.R", tmp_path], capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip("R's sva is not installed (r-bioc-sva)")
    assert ran.returncode == 0, ran.stderr
    expected = np.loadtxt(tmp_path / "o.csv", delimiter=",")
    np.testing.assert_allclose(fit_combat(X, batch, Z).apply(X, batch, Z), expected, rtol=2e-4, atol=2e-4)


def test_a_known_difference_is_taken_out_and_what_covariates_explain_stays():
    rng = np.random.default_rng(8)
    n = 4000
    batch = np.repeat(["one", "two"], n // 2)
    z = rng.normal(size=n) + (batch == "two")
    truth = rng.normal(size=(n, 6)) + 0.8 * z[:, None]
    X = np.where((batch == "two")[:, None], 2.0 * (truth - 0.8 * z[:, None]) + 0.8 * z[:, None] + 3.0, truth)
    got = fit_combat(X, batch, z).apply(X, batch, z)
    for name in ("one", "two"):
        slope = np.polyfit(z[batch == name], got[batch == name], 1)
        np.testing.assert_allclose(slope[0], 0.8, atol=0.12)
    residual = got - 0.8 * z[:, None]
    gap = residual[batch == "one"].mean(axis=0) - residual[batch == "two"].mean(axis=0)
    np.testing.assert_allclose(gap, 0.0, atol=0.1)
    ratio = residual[batch == "one"].std(axis=0) / residual[batch == "two"].std(axis=0)
    np.testing.assert_allclose(ratio, 1.0, atol=0.05)


def test_missing_values_are_left_out_of_their_feature_alone():
    X, batch, Z = sites()
    whole = fit_combat(X, batch, Z, empirical_bayes=False)
    gap = X.copy()
    gap[[0, 20, 50], 3] = np.nan
    holed = fit_combat(gap, batch, Z, empirical_bayes=False)
    there = ~np.isnan(gap[:, 3])
    alone = fit_combat(X[there][:, [3]], batch[there], Z[there], empirical_bayes=False)
    np.testing.assert_allclose(holed.location[:, 3], alone.location[:, 0], rtol=1e-10)
    np.testing.assert_allclose(holed.variance[:, 3], alone.variance[:, 0], rtol=1e-10)
    np.testing.assert_allclose(np.delete(holed.location, 3, 1), np.delete(whole.location, 3, 1), rtol=1e-10)
    applied = holed.apply(gap, batch, Z)
    assert np.isnan(applied).sum() == 3


def test_a_feature_that_a_batch_never_measured_takes_the_prior_of_the_batch():
    X, batch, _ = sites()
    X[batch == "a", 2] = np.nan
    model = fit_combat(X, batch)
    known = np.delete(model.raw_location[0], 2)
    assert model.location[0, 2] == pytest.approx(known.mean())
    assert np.isfinite(model.variance).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 10))
def test_units_and_order_do_not_matter(seed, shift, scale):
    X, batch, Z = sites(seed, 8)
    model = fit_combat(X, batch, Z)
    plain = model.apply(X, batch, Z)
    np.testing.assert_allclose(fit_combat(X * scale + shift, batch, Z).apply(X * scale + shift, batch, Z),
                               plain * scale + shift, rtol=1e-6, atol=1e-6)  # fmt: skip
    order = np.random.default_rng(seed).permutation(60)
    np.testing.assert_allclose(fit_combat(X[order], batch[order], Z[order]).apply(X, batch, Z), plain, atol=1e-7)
    # what is applied to one subject does not depend on who else comes
    np.testing.assert_allclose(model.apply(X[5:6], batch[5:6], Z[5:6]), plain[5:6], rtol=1e-12)


def test_the_reference_stays_as_it_is_and_so_does_a_constant():
    X, batch, Z = sites()
    X[:, 4] = 7.25
    got = fit_combat(X, batch, Z, reference="b").apply(X, batch, Z)
    np.testing.assert_allclose(got[batch == "b"], X[batch == "b"], rtol=1e-12)
    np.testing.assert_array_equal(got[:, 4], 7.25)


def test_means_alone_leave_the_scale():
    X, batch, _ = sites()
    model = fit_combat(X, batch, mean_only=True)
    np.testing.assert_array_equal(model.variance, 1.0)
    got = model.apply(X, batch)
    for name in "abc":
        np.testing.assert_allclose(got[batch == name].std(axis=0), X[batch == name].std(axis=0), rtol=1e-10)
    before, after = (np.ptp([v[batch == b].mean(axis=0) for b in "abc"], axis=0).mean() for v in (X, got))
    assert after < 0.4 * before  # shrunk towards the mean of the batch
    lonely = np.array(["a"] + ["b"] * 59)
    assert np.isfinite(fit_combat(X, lonely, mean_only=True).apply(X, lonely)).all()


def test_what_cannot_be_told_apart_is_refused():
    X, batch, Z = sites()
    with pytest.raises(FitError) as one:
        fit_combat(X, ["a"] * 60)
    assert "one batch" in one.value.got
    with pytest.raises(FitError) as lonely:
        fit_combat(X, ["z"] + ["a"] * 59)
    assert "single subject: z" in lonely.value.got
    with pytest.raises(FitError) as confounded:
        fit_combat(X, batch, (batch == "a").astype(float))
    assert "batches" in confounded.value.got
    assert "cannot be told apart" in confounded.value.todo
    with pytest.raises(InputError) as unseen:
        fit_combat(X, batch, Z).apply(X, ["a"] * 59 + ["new"], Z)
    assert "new" in unseen.value.got
    assert unseen.value.allowed == "a, b, c"
    with pytest.raises(InputError):
        fit_combat(X, batch, Z).apply(X[:, :3], batch, Z)
    with pytest.raises(InputError):
        fit_combat(X, batch, Z, reference="q")
    with pytest.raises(InputError):
        fit_combat(np.where(X > 3, np.inf, X), batch)
