import numpy as np
import pytest

from radiolocus.learn.harmonise import fit_harmonise
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess
from radiolocus.stats.combat import fit_combat


def cohort(seed=0, n=90, p=6):
    rng = np.random.default_rng(seed)
    batch = np.array(["a", "b", "c"])[np.arange(n) % 3]
    age = rng.normal(60, 10, n)
    X = rng.normal(size=(n, p)) + 0.05 * age[:, None]
    X[batch == "b"] = X[batch == "b"] * 2 + 3
    return X, batch, age[:, None]


def test_it_is_combat_of_the_training_part_applied_to_others():
    X, batch, age = cohort()
    training = np.arange(90) < 60
    found, notes = fit_harmonise(X[training], ("imaging",) * 6, batch[training], age[training])
    expected = fit_combat(X[training], batch[training], age[training])
    np.testing.assert_array_equal(found.apply(X, batch, age), expected.apply(X, batch, age))
    assert notes == []
    gap = [abs(v[batch == "b"].mean() - v[batch != "b"].mean()) for v in (X, found.apply(X, batch, age))]
    assert gap[1] < 0.3 < 3 < gap[0]


def test_only_imaging_and_its_controls_are_changed():
    X, batch, _ = cohort()
    blocks = ("clinical", "imaging", "molecular", "control: shuffled", "imaging", "genetic")
    found, _ = fit_harmonise(X, blocks, batch, None)
    changed = (found.apply(X, batch, None) != X).any(axis=0)
    assert changed.tolist() == [False, True, False, True, True, False]


def test_a_new_or_unknown_batch_stays_as_it_is_and_is_named():
    X, batch, _ = cohort()
    found, _ = fit_harmonise(X, ("imaging",) * 6, batch, None)
    new = batch.astype("U9")
    new[:2], new[2] = "new site", ""
    out = found.apply(X, new, None)
    np.testing.assert_array_equal(out[:3], X[:3])
    assert (out[3:] != X[3:]).all()
    assert found.unseen(new) == ["", "new site"]


def test_what_cannot_be_harmonised_is_said():
    X, batch, _ = cohort()
    small = batch.astype("U9")
    small[:2] = "tiny"
    _, notes = fit_harmonise(X, ("imaging",) * 6, small, None)
    assert notes == [("tiny", "batch of 2 training subjects (fewer than 3) is not harmonised")]
    found, notes = fit_harmonise(X, ("imaging",) * 6, np.full(90, "one"), None)
    assert found is None
    assert notes == [("", "fewer than two batches in a training part: nothing is harmonised")]
    confounded = (batch == "b").astype(float)[:, None]
    found, notes = fit_harmonise(X, ("imaging",) * 6, batch, confounded)
    assert found is None
    assert notes[0][1].startswith("nothing is harmonised in a training part: covariates that the batches")
    assert fit_harmonise(X, ("clinical",) * 6, batch, None) == (None, [])


def test_missing_values_and_covariates_are_borne():
    X, batch, age = cohort()
    X[::7, 0], age[::5] = np.nan, np.nan
    X[:, 5] = 1.0
    found, _ = fit_harmonise(X, ("imaging",) * 6, batch, age)
    out = found.apply(X, batch, age)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(X))
    np.testing.assert_array_equal(out[:, 5], 1.0)


def test_the_training_part_alone_decides_and_columns_come_out_alike():
    X, batch, _ = cohort()
    names = tuple(f"x{j}" for j in range(6))
    predictors = Predictors(X, names, ("imaging",) * 6, np.zeros((90, 0), np.int64), batch=batch)
    training = np.arange(90) < 60
    learned = fit_preprocess(predictors.take(training), ProtocolOptions(harmonise="site"))
    held_out = learned.apply(predictors.take(~training))
    b = batch[~training] == "b"
    assert np.abs(held_out[b].mean(axis=0) - held_out[~b].mean(axis=0)).max() < 1.2
    assert held_out[b].std() == pytest.approx(held_out[~b].std(), rel=0.3)
    plain = fit_preprocess(predictors.take(training), ProtocolOptions())
    assert np.abs(np.diff([plain.apply(predictors)[batch == s].mean() for s in "ab"])) > 1.2


def test_numbers_are_those_of_neuroharmonize_learned_on_one_set_and_applied_to_another():
    """neuroHarmonize 2.5.2, harmonizationLearn on the first 60, harmonizationApply to the other 30 of `cohort()`."""
    X, batch, age = cohort()
    training = np.arange(90) < 60
    found, _ = fit_harmonise(X[training], ("imaging",) * 6, batch[training], age[training])
    out = found.apply(X, batch, age)
    learned, applied = out[training], out[~training]
    first = [4.84575856, 7.67680818, 4.52442413, 4.33299887, 5.91533872, 6.52338923]
    np.testing.assert_allclose(learned[0], first, rtol=2e-8)
    np.testing.assert_allclose(np.square(learned).sum(), 9892.871697036579, rtol=2e-8)
    first = [5.33951347, 5.69756044, 6.05910149, 4.9014185, 4.75093278, 3.62191602]
    np.testing.assert_allclose(applied[0], first, rtol=2e-8)
    np.testing.assert_allclose(np.square(applied).sum(), 4989.689801009071, rtol=2e-8)
