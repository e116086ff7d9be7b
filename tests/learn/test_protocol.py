import numpy as np
import pytest

from naive import out_of_fold as naive
from radiolocus.errors import FitError
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import cross_validate, fit_tuned
from radiolocus.learn.target import Target

QUICK = ProtocolOptions(repeats=2, penalties=12)


def mixed(n=90, seed=3):
    """Numeric predictors with gaps, a copy and a constant, and a category with a rare level."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 9))
    X[:, 7] = X[:, 0] * 2
    X[:, 8] = 4.0
    time, censor = rng.exponential(np.exp(-X[:, 0] + 0.5 * X[:, 1])), rng.exponential(1.5, n)
    X[rng.random((n, 9)) < 0.08] = np.nan
    codes = rng.choice([0, 1, 2, -1], p=[0.55, 0.35, 0.04, 0.06], size=(n, 1))
    names = tuple(f"x{j}" for j in range(9))
    predictors = Predictors(X, names, ("imaging",) * 9, codes, (("a", "b", "c"),), ("kind",), ("clinical",))
    event = (time <= censor).astype(float)
    return predictors, Target(event, np.minimum(time, censor)), Target((X[:, 2:3] > 0).any(axis=1).astype(float))


def numbers(model):
    return [
        model.preprocess.columns,
        model.preprocess.mean.tobytes(),
        model.preprocess.scale.tobytes(),
        model.fit.coefficient.tobytes(),
        model.fit.intercept,
        model.fit.penalty,
        model.threshold,
        model.penalties.tobytes(),
        model.deviance.tobytes(),
    ]


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("poison", ["huge", "missing", "unseen category"])
def test_a_poisoned_test_fold_changes_no_fitted_number(kind, poison):
    predictors, survival, binary = mixed()
    target = survival if kind == "survival" else binary
    clean = cross_validate(predictors, target, QUICK)
    held_out = clean.fold == 2
    numeric, codes = predictors.numeric.copy(), predictors.codes.copy()
    if poison == "huge":
        numeric[held_out] = np.where(np.isnan(numeric[held_out]), 1e6, numeric[held_out] * -1e6)
    elif poison == "missing":
        numeric[held_out], codes[held_out] = np.nan, -1
    else:
        codes[held_out] = 2
    bad = Predictors(
        numeric,
        predictors.numeric_names,
        predictors.numeric_blocks,
        codes,
        predictors.levels,
        predictors.categorical_names,
        predictors.categorical_blocks,
    )
    poisoned = cross_validate(bad, target, QUICK)
    np.testing.assert_array_equal(clean.fold, poisoned.fold)
    assert numbers(clean.models[2]) == numbers(poisoned.models[2])
    if poison == "huge":
        assert (clean.prediction[held_out] != poisoned.prediction[held_out]).any(), "the poison is really there"
        assert numbers(clean.models[0]) != numbers(poisoned.models[0]), "where it may be seen, it is seen"


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_poisoned_outcome_of_the_test_fold_changes_no_fitted_number(kind):
    # Folds are stratified by event, so only what keeps the events may change: the times, or the fitting itself.
    predictors, survival, binary = mixed()
    target = survival if kind == "survival" else binary
    clean = cross_validate(predictors, target, QUICK)
    training = clean.fold != 1
    if kind == "survival":
        time = np.where(training, target.time, target.time[::-1] * 100)
        again = cross_validate(predictors, Target(target.event, time), QUICK)
        assert numbers(clean.models[1]) == numbers(again.models[1])
    alone = fit_tuned(
        predictors.take(training), target.take(training), QUICK, np.random.SeedSequence(1, spawn_key=(0, 1))
    )
    assert numbers(clean.models[1]) == numbers(alone)


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_noise_predicts_nothing_and_selection_outside_the_folds_pretends_it_does(kind):
    n, p = 150, 1000
    rng = np.random.default_rng(12)
    X = rng.normal(size=(n, p))
    time, censor = rng.exponential(size=n), rng.exponential(2.0, size=n)
    event = (time <= censor).astype(float)
    target = (
        Target(event, np.minimum(time, censor)) if kind == "survival" else Target((rng.random(n) < 0.5).astype(float))
    )

    def judged(columns):
        names = tuple(f"x{j}" for j in range(columns.shape[1]))
        predictors = Predictors(columns, names, ("imaging",) * len(names), np.zeros((n, 0), np.int64))
        found = cross_validate(predictors, target, QUICK)
        return out_of_fold_discrimination(target, found.prediction[None, :], found.fold[None, :], draws=200).estimate

    inside = judged(X)
    family = CoxNet() if kind == "survival" else LogisticNet()
    strongest = np.argsort(-np.abs(family.slopes(X, target)))[:20]
    outside = judged(X[:, strongest])
    error = 0.5 / np.sqrt(3 * target.events / 2)
    assert abs(inside - 0.5) < 2.5 * error
    assert outside > 0.65


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_planted_effect_is_found(make, kind):
    predictors, survival, binary = make(150, 40, effect=2.0)
    target = survival if kind == "survival" else binary
    found = cross_validate(predictors, target, QUICK)
    score = out_of_fold_discrimination(target, found.prediction[None, :], found.fold[None, :], draws=200)
    assert score.lower > 0.6
    for model in found.models:
        assert np.argmax(np.abs(model.fit.coefficient)) == model.preprocess.columns.index("x0")
    alone = naive.statistic(target.time, target.event, predictors.numeric[:, 0], found.fold, np.ones(target.n))
    assert score.estimate > alone - 0.08, "tuning among 40 columns costs little against the true one"


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_inner_deviance_is_that_of_cv_glmnet(penalised, from_glmnet, kind):
    model = penalised(False).tuned(kind)
    expected = from_glmnet(False)[f"deviance.{kind}"]
    # R's table of breslow ties without ties in it is the same likelihood.
    np.testing.assert_allclose(model.deviance, expected[: model.deviance.size], rtol=2e-4)
    assert model.fit.penalty == model.penalties[np.argmin(expected[: model.deviance.size])]


def test_repetitions_are_deterministic_and_differ():
    predictors, survival, _ = mixed()
    first, again, other = (cross_validate(predictors, survival, QUICK, k) for k in (0, 0, 1))
    assert first.prediction.tobytes() == again.prediction.tobytes()
    assert (first.fold != other.fold).any()
    seeded = cross_validate(predictors, survival, ProtocolOptions(repeats=2, penalties=12, seed=2), 0)
    assert (first.fold != seeded.fold).any()


def test_visits_of_a_patient_are_never_on_both_sides(make):
    predictors, survival, _ = make(120, 4)
    patient = np.repeat(np.arange(40), 3)
    found = cross_validate(predictors, survival, QUICK, 0, patient)
    for p in range(40):
        assert np.unique(found.fold[patient == p]).size == 1


def test_threshold_is_the_median_of_predictions_by_models_that_did_not_see_the_subject(make):
    predictors, survival, _ = make(100, 3)
    options = ProtocolOptions()
    seed = np.random.SeedSequence(9)
    model = fit_tuned(predictors, survival, options, seed)
    assert model.fit.l1_ratio == 0.0, "three columns: ridge"
    inner = draw_folds(survival, 5, np.random.SeedSequence(9))
    out = np.empty(100)
    for k in range(5):
        inside = inner.fold != k
        X = predictors.numeric
        mean, scale = X[inside].mean(axis=0), X[inside].std(axis=0)
        Z = (X - mean) / scale
        fit = CoxNet().fit(Z[inside], survival.take(inside), model.fit.penalty, 0.0)
        out[~inside] = fit.predict(Z)[~inside]
    assert model.threshold == pytest.approx(np.median(out), abs=1e-4)


def test_one_standard_error_rule_takes_a_larger_penalty(make):
    predictors, survival, _ = make(100, 30)
    least = fit_tuned(predictors, survival, ProtocolOptions(), np.random.SeedSequence(1))
    sparse = fit_tuned(predictors, survival, ProtocolOptions(penalty_rule="1se"), np.random.SeedSequence(1))
    assert sparse.fit.penalty > least.fit.penalty
    assert (sparse.fit.coefficient != 0).sum() < (least.fit.coefficient != 0).sum()


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_without_a_usable_predictor_everybody_is_predicted_alike(make, kind):
    predictors, survival, binary = make(40, 2)
    predictors.numeric[:] = 1.0
    target = survival if kind == "survival" else binary
    found = cross_validate(predictors, target, QUICK)
    for k, model in enumerate(found.models):
        assert np.unique(found.prediction[found.fold == k]).size == 1
        assert model.preprocess.columns == ()
    assert ("", "no usable predictor in a training part: everybody is predicted alike", 5) in found.notes
    assert ("x0", "constant in a training part", 5) in found.notes


def test_few_events_give_fewer_folds_and_a_note(make):
    predictors, _, _ = make(40, 3)
    target = Target((np.arange(40) < 4).astype(float), np.arange(1.0, 41.0))
    found = cross_validate(predictors, target, QUICK)
    assert len(found.models) == 4
    assert ("", "4 folds instead of 5: there are 4 events", 1) in found.notes
    assert ("", "inner cross-validation: 3 folds instead of 5: there are 3 events", 4) in found.notes


def test_too_few_events_for_an_inner_division_are_refused(make):
    predictors, _, _ = make(40, 3)
    target = Target((np.arange(40) < 3).astype(float), np.arange(1.0, 41.0))
    with pytest.raises(FitError) as caught:
        cross_validate(predictors, target, ProtocolOptions(folds=2))
    assert caught.value.got == "3 patients with an event"
    assert caught.value.where == "nested cross-validation with 2 outer folds"
    assert caught.value.allowed == "enough to leave 2 in every training part"
    with pytest.raises(FitError, match="no events among 40 subjects"):
        cross_validate(predictors, Target(np.zeros(40), np.arange(40.0)), QUICK)


def test_many_more_columns_than_subjects(make):
    predictors, survival, _ = make(60, 3000, effect=2.0)
    found = cross_validate(predictors, survival, ProtocolOptions(folds=3, inner_folds=3, penalties=10, screen=200))
    assert all(len(m.preprocess.columns) <= 200 for m in found.models)
    assert np.isfinite(found.prediction).all()


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_ridge_that_predicts_nothing_ranks_nobody(kind):
    """Tiny coefficients would rank a coin too, and scatter far from 0.5 in either direction."""
    estimates, alike = [], 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = 120
        X, event = rng.normal(size=(n, 3)), (rng.random(n) < 0.5).astype(float)
        target = Target(event, rng.exponential(size=n)) if kind == "survival" else Target(event)
        predictors = Predictors(X, ("a", "b", "c"), ("clinical",) * 3, np.zeros((n, 0), np.int64))
        found = cross_validate(predictors, target, QUICK)
        bare = sum(not model.fit.coefficient.any() for model in found.models)
        assert sum(n for _, note, n in found.notes if "better than no predictor" in note) == bare
        alike += bare
        estimates.append(out_of_fold_discrimination(target, found.prediction[None], found.fold[None], 20).estimate)
        signal = Target((X[:, 0] > 0).astype(float))
        assert all(model.fit.coefficient.any() for model in cross_validate(predictors, signal, QUICK).models)
    assert alike > 60 * 0.4
    assert abs(np.mean(estimates) - 0.5) < 3 * np.std(estimates) / np.sqrt(12) + 0.01
