import numpy as np
import pytest

from radiolocus.errors import FitError
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.target import Target


def seed(*key):
    return np.random.SeedSequence(7, spawn_key=key)


def test_folds_are_alike_in_size_and_events():
    event = (np.arange(103) < 31).astype(float)
    for target in (Target(event), Target(event, np.arange(1.0, 104))):
        folds = draw_folds(target, 5, seed())
        sizes, events = np.bincount(folds.fold), np.bincount(folds.fold, weights=event)
        assert np.ptp(sizes) <= 1
        assert np.ptp(events) <= 1
        assert (folds.count, folds.notes) == (5, ())


def test_the_seed_decides_and_nothing_else():
    target = Target((np.arange(60) % 3 == 0).astype(float))
    first = draw_folds(target, 5, seed(0)).fold
    np.testing.assert_array_equal(first, draw_folds(target, 5, seed(0)).fold)
    assert (first != draw_folds(target, 5, seed(1)).fold).any()


def test_visits_of_a_patient_stay_together():
    rng = np.random.default_rng(0)
    patient = rng.choice([f"P{i}" for i in range(40)], size=150)
    ill = {p: rng.random() < 0.4 for p in np.unique(patient)}
    target = Target(np.array([float(ill[p]) for p in patient]))
    folds = draw_folds(target, 5, seed(), patient)
    for p in np.unique(patient):
        assert np.unique(folds.fold[patient == p]).size == 1
    assert np.ptp(np.bincount(folds.fold)) <= 6
    split = draw_folds(target, 5, seed())
    assert any(np.unique(split.fold[patient == p]).size > 1 for p in np.unique(patient)), (
        "without groups they are split"
    )


def test_fewer_events_than_folds_lead_to_fewer_folds_and_a_note():
    folds = draw_folds(Target((np.arange(50) < 3).astype(float)), 5, seed())
    assert folds.count == 3
    assert folds.notes == ("3 folds instead of 5: there are 3 patients in the rarer class",)
    assert (np.bincount(folds.fold, weights=np.arange(50) < 3) == 1).all()


def test_one_event_cannot_be_divided():
    with pytest.raises(FitError) as caught:
        draw_folds(Target((np.arange(50) < 1).astype(float), np.arange(50.0)), 5, seed())
    assert caught.value.got == "1 patients with an event"
    assert caught.value.allowed == "at least 2"
    assert "leave this endpoint out" in caught.value.todo


def test_an_unusable_partition_is_drawn_again_with_its_reason():
    # Of two events one is the last time: only the other one has anybody else at risk, and each fold holds one event.
    target = Target(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 9.0, 2.0, 3.0]))
    with pytest.raises(FitError) as caught:
        draw_folds(target, 2, seed())
    assert "no event while another subject is at risk, in each of 100 partitions" in caught.value.got
    # Two patients have an event now and again: a partition works when the informative rows end up apart.
    event = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    time = np.array([1.0, 9.0, 1.0, 2.0, 0.5, 0.5])
    notes = [draw_folds(Target(event, time), 2, seed(k)).notes for k in range(40)]
    again = [n for n in notes if n]
    assert again, "some first partition leaves only the last event in a training part"
    assert len(again) < len(notes)
    assert again[0][0].startswith("folds drawn 1 times again: the training part of fold ")
