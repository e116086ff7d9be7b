import numpy as np
import pytest

from naive import elastic_net as naive
from radiolocus.errors import InputError
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.target import Target


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("l1_ratio", [0, 0.05, 0.5, 1])
def test_breslow_path_equals_glmnet(penalised, from_glmnet, ties, l1_ratio):
    table = penalised(ties)
    path = CoxNet("breslow").path(table.X, table.survival, table.penalties, l1_ratio, 1e-10)
    expected = from_glmnet(ties)[f"breslow.{l1_ratio}"].reshape(8, -1)
    np.testing.assert_allclose(path.coefficients, expected, atol=1e-6)


@pytest.mark.parametrize("penalty", [0.05, 0.5])
def test_efron_ridge_equals_coxph(penalised, from_glmnet, penalty):
    table = penalised(True)
    fit = CoxNet("efron").fit(table.X[:, :4], table.survival, penalty, 0.0)
    np.testing.assert_allclose(fit.coefficient, from_glmnet(True)[f"efron.{penalty}"], atol=1e-6)
    breslow = CoxNet("breslow").fit(table.X[:, :4], table.survival, penalty, 0.0)
    assert np.abs(fit.coefficient - breslow.coefficient).max() > 1e-3, "the ties of the sample matter"


def test_prediction_is_the_log_relative_hazard(penalised):
    table = penalised(True)
    fit = CoxNet().fit(table.X, table.survival, 0.1)
    np.testing.assert_allclose(fit.predict(table.X), table.X @ fit.coefficient)
    assert fit.intercept == 0.0


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_held_out_deviance_is_the_loss_of_all_less_that_of_the_training_part(penalised, ties):
    target = penalised(True).survival
    eta = np.random.default_rng(0).normal(size=(2, target.n))
    training = np.arange(target.n) % 3 > 0
    found = CoxNet(ties).held_out_deviance(eta, target, training)
    for row, value in zip(eta, found, strict=True):
        whole = naive.cox_loss(row, target.time, target.event, ties)
        part = naive.cox_loss(row[training], target.time[training], target.event[training], ties)
        assert value == pytest.approx(2 * (whole - part))


def test_slopes_are_the_score_at_zero(penalised):
    table = penalised(True)
    step = 1e-5
    for j, slope in enumerate(CoxNet().slopes(table.X, table.survival)):
        up, down = (
            naive.cox_loss(s * step * table.X[:, j], table.survival.time, table.survival.event, "efron")
            for s in (1, -1)
        )
        assert slope == pytest.approx(-(up - down) / (2 * step) / table.survival.n, abs=1e-8)


def test_a_binary_endpoint_is_refused():
    with pytest.raises(InputError) as caught:
        CoxNet().slopes(np.ones((2, 1)), Target(np.array([0.0, 1.0])))
    assert caught.value.allowed == "a survival endpoint"
