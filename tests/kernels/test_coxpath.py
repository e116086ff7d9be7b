import numpy as np
import pytest

from naive import elastic_net as naive
from radiolocus.kernels import coxpath
from radiolocus.kernels.coxpath import cox_loss, elastic_net_path, null_residual

MODELS = ["efron", "breslow", "logistic"]


def sample(n=60, p=8, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 1] = 0.8 * X[:, 0] + 0.6 * X[:, 1]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    time = rng.exponential(np.exp(-X[:, 0] + 0.7 * X[:, 2]))
    censor = rng.exponential(1.5, size=n)
    event = (time <= censor).astype(float)
    time = np.minimum(time, censor)
    time = np.ceil(6 * time) if ties else time
    order = np.argsort(time, kind="stable")
    return X[order], time[order], event[order]


def bounds_of(time):
    return np.append(np.flatnonzero(np.r_[True, time[1:] != time[:-1]]), time.size).astype(np.int64)


def follow(X, time, event, model, penalties, l1_ratio, tolerance=1e-9, start=None, least=0.0):
    rate = event.mean()
    zero = np.zeros(X.shape[1]), 0.0 if model != "logistic" else np.log(rate / (1 - rate)), penalties[0]
    beta, intercept, previous = start or zero
    return elastic_net_path(
        np.ascontiguousarray(X.T),
        event,
        bounds_of(time),
        model != "logistic",
        model == "efron",
        np.asarray(penalties),
        l1_ratio,
        beta,
        intercept,
        previous,
        least,
        tolerance,
        500,
    )


def loss_of(time, event, model):
    if model == "logistic":
        return lambda eta: naive.logistic_loss(eta, event)
    return lambda eta: naive.cox_loss(eta, time, event, model)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_loss_and_null_residual_are_those_of_the_written_out_risk_sets(ties):
    _, time, event = sample(40)
    assert (np.bincount(time[event == 1].astype(int)) > 1).any(), "the sample has tied events"
    eta = np.random.default_rng(1).normal(size=(3, 40))
    expected = [naive.cox_loss(row, time, event, ties) for row in eta]
    np.testing.assert_allclose(cox_loss(eta, event, bounds_of(time), ties == "efron"), expected, rtol=1e-12)
    slope = naive.slope(loss_of(time, event, ties), np.zeros(40))
    np.testing.assert_allclose(null_residual(event, bounds_of(time), ties == "efron"), -slope, atol=1e-8)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("n", "p", "l1_ratio"), [(60, 8, 0.5), (60, 8, 0.0), (60, 8, 1.0), (40, 70, 0.5)])
def test_every_penalty_meets_the_optimality_conditions(model, n, p, l1_ratio):
    X, time, event = sample(n, p)
    loss = loss_of(time, event, model)
    penalties = np.geomspace(0.3, 0.02, 6)
    coefficients, intercepts, losses, fitted = follow(X, time, event, model, penalties, l1_ratio)
    assert fitted == 6
    for penalty, beta, intercept, value in zip(penalties, coefficients, intercepts, losses, strict=True):
        eta = X @ beta + intercept
        assert value == pytest.approx(loss(eta), rel=1e-10)
        gradient = naive.slope(loss, eta)
        # The subgradient of the criterion holds zero: the slope of the smooth part is −λα sign(β), or within ±λα.
        smooth = X.T @ gradient / n + penalty * (1 - l1_ratio) * beta
        used = beta != 0
        np.testing.assert_allclose(smooth[used], -penalty * l1_ratio * np.sign(beta[used]), atol=1e-7)
        assert (np.abs(smooth[~used]) <= penalty * l1_ratio + 1e-7).all()
        assert intercept == 0.0 if model != "logistic" else abs(gradient.sum()) / n < 1e-7
    if l1_ratio:
        assert (coefficients != 0).sum(axis=1)[0] < (coefficients != 0).sum(axis=1)[-1]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("l1_ratio", [0.5, 0.0])
def test_the_minimum_is_that_of_a_general_optimiser(model, l1_ratio):
    X, time, event = sample(40, 5, seed=3)
    coefficients, intercepts, _, _ = follow(X, time, event, model, [0.05], l1_ratio)
    beta, intercept = naive.minimum(loss_of(time, event, model), X, 0.05, l1_ratio, model == "logistic")
    np.testing.assert_allclose(coefficients[0], beta, atol=1e-6)
    assert intercepts[0] == pytest.approx(intercept, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_a_path_in_stretches_is_the_path(model):
    X, time, event = sample(50, 30)
    penalties = np.geomspace(0.3, 0.01, 12)
    whole = follow(X, time, event, model, penalties, 0.5)
    head = follow(X, time, event, model, penalties[:7], 0.5)
    tail = follow(X, time, event, model, penalties[7:], 0.5, start=(head[0][-1], head[1][-1], penalties[6]))
    np.testing.assert_allclose(np.vstack([head[0], tail[0]]), whole[0], atol=1e-7)
    cold = follow(X, time, event, model, penalties[-1:], 0.5)
    np.testing.assert_allclose(cold[0][0], whole[0][-1], atol=1e-6)


def test_a_saturated_fit_ends_the_path():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 200))
    event = (X[:, 0] > 0).astype(float)
    _, _, losses, fitted = follow(
        X, np.arange(30.0), event, "logistic", np.geomspace(0.4, 1e-7, 60), 0.5, 1e-6, least=0.2
    )
    assert 0 < fitted < 60
    assert losses[fitted - 1] <= 0.2 < losses[fitted - 2]


@pytest.mark.parametrize("model", MODELS)
def test_plain_python_gives_the_same(model, monkeypatch):
    X, time, event = sample(15, 3)
    compiled = follow(X, time, event, model, [0.1, 0.05], 0.5)
    for name in dir(coxpath):
        plain = getattr(getattr(coxpath, name), "py_func", None)
        if plain is not None:
            monkeypatch.setattr(coxpath, name, plain)
    monkeypatch.setitem(globals(), "elastic_net_path", coxpath.elastic_net_path)
    plain = follow(X, time, event, model, [0.1, 0.05], 0.5)
    np.testing.assert_allclose(plain[0], compiled[0], rtol=1e-9, atol=1e-12)
    assert plain[3] == compiled[3] == 2
