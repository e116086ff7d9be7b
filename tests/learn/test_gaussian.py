"""The penalised linear model of a number: conditions that only the minimum meets, and a twin that solves equations."""

import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.learn.gaussian import GaussianNet
from radiolocus.learn.linear import LinearFit
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.select import select_columns
from radiolocus.learn.target import Target
from radiolocus.learn.tune import fit_tuned


def table(n=60, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, Target(5.0 + 2.0 * X[:, 0] - X[:, 3] + rng.normal(size=n), number=True)


@pytest.mark.parametrize("shape", [(60, 12), (20, 50)])
def test_ridge_solves_its_normal_equations(shape):
    X, target = table(*shape)
    penalties = np.array([2.0, 0.3])
    path = GaussianNet().path(X, target, penalties, 0.0)
    Z, y = X - X.mean(axis=0), target.event - target.event.mean()
    for k, penalty in enumerate(penalties):
        expected = np.linalg.solve(Z.T @ Z / len(y) + penalty * np.eye(X.shape[1]), Z.T @ y / len(y))
        np.testing.assert_allclose(path.coefficients[k], expected, rtol=1e-9, atol=1e-12)
        rest = target.event - path.fit(k).predict(X)
        assert rest.mean() == pytest.approx(0.0, abs=1e-12)
        assert path.losses[k] == pytest.approx(0.5 * np.square(rest).sum())


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_elastic_net_meets_the_conditions_of_the_minimum(ratio):
    X, target = table()
    net = GaussianNet()
    first = np.abs(net.slopes(X, target)).max() / ratio
    for penalty in (0.5 * first, 0.1 * first, 0.01 * first):
        fit = net.fit(X, target, penalty, ratio)
        gradient = X.T @ (target.event - fit.predict(X)) / target.n - penalty * (1 - ratio) * fit.coefficient
        used = fit.coefficient != 0
        np.testing.assert_allclose(gradient[used], penalty * ratio * np.sign(fit.coefficient[used]), atol=1e-4)
        assert (np.abs(gradient[~used]) <= penalty * ratio + 1e-4).all()
    assert not net.fit(X, target, 1.001 * first, ratio).coefficient.any(), "the grid starts where nothing is used"


def test_a_path_may_go_on_from_a_fit():
    X, target = table()
    net, penalties = GaussianNet(), np.array([1.0, 0.2, 0.05])
    whole = net.path(X, target, penalties, 0.5, 1e-9)
    rest = net.path(X, target, penalties[1:], 0.5, 1e-9, LinearFit(whole.coefficients[0], 0.0, 1.0, 0.5))
    np.testing.assert_allclose(rest.coefficients, whole.coefficients[1:], atol=1e-5)
    assert net.held_out_deviance(whole.predict(X), target, np.zeros(60, bool)) == pytest.approx(2 * whole.losses)


def test_tuning_finds_what_is_there_and_admits_that_nothing_is():
    X, target = table(n=80)
    data = Predictors(X, tuple("abcdefghijkl"), ("imaging",) * 12, np.zeros((80, 0), np.int64))
    options = ProtocolOptions(inner_folds=3, penalties=10)
    for model in ("elastic_net", "ridge"):
        fit = fit_tuned(data, target, options, np.random.SeedSequence(1), model=model)
        assert np.corrcoef(fit.predict(data), target.event)[0, 1] > 0.85
    alike = 0
    for seed in range(8):
        noise = Target(np.random.default_rng(seed).normal(size=80), number=True)
        fit = fit_tuned(data, noise, options, np.random.SeedSequence(1), model="ridge")
        if np.ptp(fit.predict(data)) == 0:
            alike += 1
            assert fit.predict(data)[0] == pytest.approx(noise.event.mean())
    assert alike >= 4


@pytest.mark.parametrize("select", ["univariate", "mrmr", "elastic_net", "stability"])
def test_columns_are_chosen_that_go_with_a_number(select):
    X, target = table(n=120)
    stable = {"stability_draws": 10, "stability_threshold": 0.6, "stability_errors": 4.0}
    options = ProtocolOptions(select=select, select_count=2, **stable)
    chosen, _ = select_columns((X - X.mean(axis=0)) / X.std(axis=0), target, options)
    assert chosen[[0, 3]].all()
    assert chosen.sum() <= 3


def test_a_number_is_finite_varies_and_has_no_classes():
    with pytest.raises(InputError, match=r"index 1 \(1 such\): value nan"):
        Target(np.array([1.0, np.nan]), number=True)
    with pytest.raises(InputError, match="a number with times or classes"):
        Target(np.zeros(2), np.ones(2), number=True)
    with pytest.raises(FitError, match="one value among 4 subjects"):
        Target(np.ones(4), number=True).check()
    with pytest.raises(FitError, match=r"2 different values among 4 subjects.*at least 3 different values"):
        Target(np.array([1.0, 2.0, 1.0, 2.0]), number=True).check()
    part = Target(np.array([1.0, 2.5, 4.0]), number=True).take(np.array([0, 2]))
    assert (part.kind, part.classes, part.events, part.event.tolist()) == ("continuous", 0, 0, [1.0, 4.0])


def test_elastic_net_is_that_of_glmnet():
    """Recorded from glmnet 4.1.6: alpha = 0.5, lambda = 0.4 and 0.1, standardize = FALSE, thresh = 1e-15."""
    i = np.arange(1, 25)
    X = np.column_stack([np.sin(i * j) for j in range(1, 6)])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    target = Target(2 * X[:, 0] - X[:, 2] + np.cos(7 * i), number=True)
    recorded = {0.4: (1.69942386712, 0, -0.735818487020, 0, 0), 0.1: (1.94925744029, 0, -0.925540957442, 0, 0)}
    for penalty, expected in recorded.items():
        absolute, square = 0.5 * penalty, 0.5 * penalty / target.event.std()  # as glmnet scales the number
        fit = GaussianNet().fit(X, target, absolute + square, absolute / (absolute + square))
        np.testing.assert_allclose(fit.coefficient, expected, atol=1e-8)
        assert fit.intercept == pytest.approx(-0.0778584654371, abs=1e-10)
