import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.learn.null import permuted, procedure_null, protocol_statistic
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import auc

OPTIONS = ProtocolOptions(folds=3, inner_folds=2, penalties=6)


def cohort(make, effect, n=60):
    predictors, _, binary = make(n, 8, effect=effect)
    return predictors, binary


def test_outcomes_change_places_whole():
    target = Target(np.arange(20) % 2, np.arange(20.0))
    again = permuted(target, 1, 0)
    assert sorted(zip(again.time, again.event, strict=True)) == sorted(zip(target.time, target.event, strict=True))
    assert (again.time != target.time).any()
    np.testing.assert_array_equal(again.time, permuted(target, 1, 0).time)
    assert (again.time != permuted(target, 1, 1).time).any()
    site = np.arange(20) // 10
    within = permuted(target, 1, 0, within=site)
    assert set(within.time[:10]) == set(range(10))


def test_the_rows_of_a_patient_stay_together():
    patient = np.r_[np.repeat(np.arange(6), 2), 6, 7, 8]
    target = Target(np.zeros(15), np.arange(15.0))
    again = permuted(target, 3, 0, patient=patient)
    for p in range(6):
        a, b = again.time[patient == p]
        assert b == a + 1
        assert a % 2 == 0
    with pytest.raises(InputError, match="a patient in two strata"):
        permuted(target, 3, 0, patient=patient, within=np.arange(15) % 2)


def test_the_p_value_of_a_statistic_is_exact_when_all_permutations_are_drawn_often():
    target = Target(np.array([1, 1, 1, 0, 0, 0.0]))
    score = np.array([6, 5, 4, 3, 2, 1.0])
    null = procedure_null(lambda t: float(auc(t.event, score)), target, 600, 0)
    assert null.observed == 1.0
    assert null.p_value == pytest.approx(1 / 20, abs=4 * null.p_error)
    assert null.mean == pytest.approx(0.5, abs=4 * null.mean_error)


def test_the_whole_protocol_finds_a_signal_and_finds_nothing_in_noise(make):
    predictors, target = cohort(make, 3.0)
    null = procedure_null(protocol_statistic(Protocol(OPTIONS), predictors), target, 12, 1)
    assert null.p_value == pytest.approx(1 / 13)
    assert abs(null.mean - 0.5) < 0.1
    predictors, target = cohort(make, 0.0)
    assert procedure_null(protocol_statistic(Protocol(OPTIONS), predictors), target, 12, 1).p_value > 0.1


def test_a_permutation_that_cannot_be_run_is_left_out_and_none_at_all_is_an_error():
    target = Target(np.r_[np.ones(10), np.zeros(10)])
    calls = []

    def sometimes(t):
        calls.append(t)
        if len(calls) % 2:
            raise FitError("no")
        return 0.5

    assert procedure_null(sometimes, target, 6, 0, observed=0.7).finite.size == 3

    def never(t):
        raise FitError("no")

    with pytest.raises(FitError, match="on none of 4 permuted outcomes"):
        procedure_null(never, target, 4, 0, observed=0.7)
    with pytest.raises(InputError, match="0 permutations"):
        procedure_null(never, target, 0, 0)


def test_several_classes_have_a_null_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    code = np.digitize(X[:, 0], [-0.5, 0.5]).astype(float)
    target = Target(code, None, ("a", "b", "c"))
    predictors = Predictors(X, tuple("abc"), ("imaging",) * 3, np.zeros((60, 0), np.int64))
    null = procedure_null(protocol_statistic(Protocol(OPTIONS, "multinomial"), predictors), target, 4, 1)
    assert null.observed > 0.8 > null.draws.max()
