"""What holds for every model that a study file can name."""

import numpy as np
import pytest

from radiolocus.errors import ConfigError, InputError, UndefinedError
from radiolocus.learn.blockwise import Fusion
from radiolocus.learn.models import MODELS, check_models, display_name, models_for
from radiolocus.learn.null import repeat_statistic
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.target import Target
from radiolocus.learn.tune import fit_tuned

# What is fitted to columns alone; models of several blocks are asked in test_fusion.py.
PAIRS = [
    (n, kind) for n, learner in MODELS.items() if not isinstance(learner, Fusion) for kind in sorted(learner.kinds)
]
OPTIONS = ProtocolOptions(penalties=8)


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """Twenty trees do for what is asked here."""
    monkeypatch.setattr("radiolocus.learn.trees._TREES", 20)


def need(name):
    if MODELS[name].needs:
        pytest.importorskip(MODELS[name].needs)


def cohort(kind, n=90, p=4, effect=2.0, seed=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    risk = effect * X[:, 0]
    if kind == "survival":
        died, lost = rng.exponential(np.exp(-risk)), rng.exponential(2, n)
        return X, Target((died <= lost).astype(float), np.minimum(died, lost))
    if kind == "competing":
        times = np.column_stack([rng.exponential(2, n), rng.exponential(np.exp(-risk)), rng.exponential(2, n)])
        state = np.array([0.0, 1.0, 2.0])[times.argmin(axis=1)]
        return X, Target((state == 1) * 1.0, times.min(axis=1), state=state)
    if kind == "continuous":
        return X, Target(risk + rng.logistic(size=n), number=True)
    if kind == "binary":
        return X, Target((risk + rng.logistic(size=n) > 0).astype(float))
    code = np.digitize(risk + rng.logistic(size=n), [-1, 1]).astype(float)
    return X, Target(code, None, ("low", "mid", "high"), ordered=kind == "ordinal")


def middle(learner, X, target):
    settings = learner.settings(X, target, OPTIONS)
    return settings[len(settings) // 2]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_model_ranks_a_strong_effect_and_answers_in_shape(name, kind):
    need(name)
    X, target = cohort(kind)
    learner = MODELS[name]
    setting = middle(learner, X, target)
    fit = learner.fit(X, target, setting, 1)
    risk = fit.predict(X)
    assert risk.shape == (90,)
    assert np.isfinite(risk).all()
    assert np.corrcoef(risk, X[:, 0])[0, 1] > 0.6
    assert fit.coefficient.shape == (4,)
    assert fit.coefficient[0] != 0, "the column that matters is used"
    if target.time is not None:
        curve = fit.survival(X, [0.1, 0.5, 2.0]) if name not in ("elastic_net", "lasso", "ridge") else None
        if curve is not None:
            assert curve.shape == (90, 3)
            assert ((curve >= 0) & (curve <= 1)).all()
            assert (np.diff(curve, axis=1) <= 1e-12).all()
            assert np.corrcoef(curve[:, 1], X[:, 0])[0, 1] < -0.5
            with pytest.raises(UndefinedError):
                fit.probability(X)
    elif kind == "continuous":
        for asked in (fit.probability, lambda Z: fit.survival(Z, [1.0])):
            with pytest.raises(UndefinedError):
                asked(X)
    else:
        probability = fit.probability(X)
        assert probability.shape == (90, target.classes)
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-9)
        with pytest.raises(UndefinedError):
            fit.survival(X, [1.0])
    again = learner.fit(X, target, setting, 1)
    assert again.predict(X).tobytes() == risk.tobytes(), "the same seed, the same bytes"
    loss = learner.loss(fit, X, target)
    assert loss < learner.loss(learner.fit(X[:, :0], target, setting, 1), X[:, :0], target)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_without_columns_everybody_is_alike(name, kind):
    need(name)
    X, target = cohort(kind, n=30)
    learner = MODELS[name]
    fit = learner.fit(X[:, :0], target, middle(learner, X, target), 1)
    assert np.unique(fit.predict(X[:, :0])).size == 1
    if kind == "continuous":
        np.testing.assert_allclose(fit.predict(X[:, :0]), target.event.mean())
    elif target.time is None:
        share = np.bincount(target.event.astype(int), minlength=target.classes) / 30
        np.testing.assert_allclose(fit.probability(X[:, :0]), np.tile(share, (30, 1)), atol=1e-6)


@pytest.mark.parametrize("name", ["elastic_net", "weibull", "discrete_time", "xgboost_cox", "xgboost_aft"])
def test_survival_of_a_tuned_model_is_calibrated_on_average(name):
    need(name)
    X, target = cohort("survival", n=150, effect=1.0)
    predictors = Predictors(X, tuple("abcd"), ("imaging",) * 4, np.zeros((150, 0), np.int64))
    options = ProtocolOptions(inner_folds=3, penalties=8)
    model = fit_tuned(predictors, target, options, np.random.SeedSequence(1), model=name)
    from radiolocus.stats.survival import kaplan_meier

    curve = kaplan_meier(target.time, target.event)
    for t in (0.3, 1.0):
        observed = curve.survival[np.searchsorted(curve.time, t, side="right") - 1]
        assert model.survival(predictors, [t]).mean() == pytest.approx(observed, abs=0.09)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_a_column_that_separates_ends_in_finite_numbers(name, kind):
    need(name)
    X, target = cohort(kind, n=40)
    order = np.argsort(X[:, 0])
    timed = kind in ("survival", "competing")
    event = np.ones(40) if timed else np.zeros(40)
    time = np.zeros(40)
    time[order] = np.arange(40.0, 0.0, -1.0)
    if not timed:
        event[order] = np.sort(target.event)
    state = None
    if kind == "competing":  # the other event strikes those of low risk alone
        event[order[:8]] = 0.0
        state = np.where(event == 1, 1.0, 2.0)
    perfect = Target(event, time if timed else None, target.levels, target.ordered, target.number, state=state)
    learner = MODELS[name]
    fit = learner.fit(X, perfect, learner.settings(X, perfect, OPTIONS)[-1], 1)
    risk = fit.predict(X)
    assert np.isfinite(risk).all()
    assert np.corrcoef(risk, X[:, 0])[0, 1] > 0.5


def test_boosting_sees_what_no_line_can():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(160, 5))
    target = Target((X[:, 0] * X[:, 1] > 0).astype(float))
    predictors = Predictors(X, tuple("abcde"), ("imaging",) * 5, np.zeros((160, 0), np.int64))
    options = ProtocolOptions(folds=3, inner_folds=2, penalties=8)
    found = {name: repeat_statistic(target, Protocol(options, name).run(predictors, target)) for name in ("boosting",)}
    found["ridge"] = repeat_statistic(target, Protocol(options, "ridge").run(predictors, target))
    assert found["boosting"] > 0.75
    assert abs(found["ridge"] - 0.5) < 0.15


def test_names_are_loud():
    with pytest.raises(ConfigError) as caught:
        check_models(("elastic_net", "bosting"))
    assert (caught.value.got, caught.value.where) == ("unknown model 'bosting'", "outcome.models")
    assert caught.value.todo == "did you mean 'boosting'?"
    with pytest.raises(ConfigError, match="at least one, every one once"):
        check_models(("ridge", "ridge"))
    with pytest.raises(ConfigError, match="at least one"):
        check_models(())
    assert models_for("binary", ("weibull", "forest", "ridge")) == ("forest", "ridge")
    assert display_name("elastic_net", "survival") == "elastic-net Cox"
    assert display_name("ridge", "binary") == "ridge logistic"


def test_a_model_without_its_package_is_refused(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        check_models(("xgboost_cox",))
    assert caught.value.got == "model 'xgboost_cox' needs the package xgboost, which is not installed"
    assert 'pip install "radiolocus[boost]"' in caught.value.todo


def test_a_model_of_another_kind_is_refused():
    X, target = cohort("survival")
    predictors = Predictors(X, tuple("abcd"), ("imaging",) * 4, np.zeros((90, 0), np.int64))
    with pytest.raises(ConfigError) as caught:
        fit_tuned(predictors, target, OPTIONS, np.random.SeedSequence(1), model="forest")
    assert caught.value.got == "model 'forest' for a survival endpoint"
    assert "weibull" in caught.value.allowed


def test_zero_times_are_named_by_models_that_take_logarithms():
    X, target = cohort("survival", n=40)
    zero = Target(target.event, np.r_[0.0, target.time[1:]])
    with pytest.raises(InputError, match="time 0"):
        MODELS["weibull"].fit(X, zero, {"ridge": 1.0}, 1)
    assert np.isfinite(MODELS["discrete_time"].fit(X, zero, {"ridge": 1.0}, 1).predict(X)).all()
