import numpy as np
import pytest

from naive import elastic_net as naive
from radiolocus.errors import FitError
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.target import Target


@pytest.mark.parametrize("l1_ratio", [0, 0.05, 0.5, 1])
def test_path_equals_glmnet(penalised, from_glmnet, l1_ratio):
    table = penalised(False)
    path = LogisticNet().path(table.X, table.binary, table.penalties, l1_ratio, 1e-10)
    expected = from_glmnet(False)[f"logistic.{l1_ratio}"].reshape(8, -1)
    np.testing.assert_allclose(path.intercepts, expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(path.coefficients, expected[:, 1:], atol=1e-6)


def test_perfect_separation_has_a_finite_answer():
    x = np.linspace(-1.7, 1.7, 20)[:, None]
    fit = LogisticNet().fit(x, Target((x[:, 0] > 0).astype(float)), 0.01)
    assert 0 < fit.coefficient[0] < 20
    assert ((fit.predict(x) > 0) == (x[:, 0] > 0)).all()


def test_held_out_deviance_is_twice_the_log_loss_of_the_others(penalised):
    target = penalised(False).binary
    eta = np.random.default_rng(0).normal(size=(2, target.n)) * 3
    training = np.arange(target.n) % 3 > 0
    expected = [2 * naive.logistic_loss(row[~training], target.event[~training]) for row in eta]
    np.testing.assert_allclose(LogisticNet().held_out_deviance(eta, target, training), expected)


def test_one_class_is_refused():
    with pytest.raises(FitError) as caught:
        LogisticNet().path(np.ones((3, 1)), Target(np.zeros(3)), np.array([0.1]))
    assert caught.value.got == "0 events among 3 subjects: one class only"
    assert caught.value.allowed == "both classes"
