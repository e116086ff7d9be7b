import numpy as np
import pytest

from radiolocus.errors import ConfigError, FitError, InputError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.splits import Rowwise, bootstrap_rows, outer_folds
from radiolocus.learn.target import Target

SITE = ProtocolOptions(split="site", site="site")
LATE = ProtocolOptions(split="temporal", date="date", temporal_test=0.25)


def target(n=40, every=2):
    return Target((np.arange(n) % every == 0).astype(float), np.arange(1.0, n + 1))


def test_each_site_is_held_out_once():
    sites = np.repeat(["b", "a", "c", ""], 10)
    found = outer_folds(target(), SITE, 0, Rowwise(site=sites))
    assert found.count == 4
    for k, name in enumerate(["", "a", "b", "c"]):
        assert set(sites[found.fold == k]) == {name}


def test_a_site_without_events_is_predicted_and_said():
    event = np.r_[np.zeros(10), np.arange(30) % 2]
    sites = np.repeat(["none", "x", "y", "z"], 10)
    found = outer_folds(Target(event, np.arange(1.0, 41)), SITE, 0, Rowwise(site=sites))
    assert found.notes == ("site 'none' is predicted but has nothing to compare: no events among 10 subjects",)


def test_sites_that_cannot_be_held_out_are_refused():
    with pytest.raises(FitError, match="one site \\(x\\)"):
        outer_folds(target(), SITE, 0, Rowwise(site=np.full(40, "x")))
    lonely = Target(np.r_[np.ones(5), np.zeros(35)], np.arange(1.0, 41))
    with pytest.raises(FitError) as caught:
        outer_folds(lonely, SITE, 0, Rowwise(site=np.repeat(["x", "y"], [20, 20])))
    assert caught.value.got == "the training part without site 'x' has no events among 20 subjects"
    with pytest.raises(InputError) as twice:
        outer_folds(target(), SITE, 0, Rowwise(np.arange(40) // 4, np.repeat(["x", "y"], [18, 22])))
    assert twice.value.got == "patient 4 in several sites (1 such)"
    with pytest.raises(InputError, match="no sites"):
        outer_folds(target(), SITE, 0, Rowwise())


def test_the_latest_are_held_out_and_nobody_of_their_day_is_trained_on():
    date = np.repeat(np.arange(20.0), 2)[::-1]
    found = outer_folds(target(), LATE, 0, Rowwise(date=date))
    assert set(found.fold) == {-1, 0}
    assert date[found.fold == 0].min() > date[found.fold == -1].max()
    assert (found.fold == 0).sum() == 10
    assert found.notes == ("30 earlier subjects trained the model, 10 later ones judged it",)
    visits = outer_folds(target(), LATE, 0, Rowwise(np.arange(40) % 10, None, np.arange(40.0)))
    for patient in range(10):
        assert np.unique(visits.fold[np.arange(40) % 10 == patient]).size == 1


def test_dates_that_do_not_do_are_refused():
    with pytest.raises(InputError) as caught:
        outer_folds(target(), LATE, 0, Rowwise(date=np.r_[np.nan, np.arange(39.0)]))
    assert caught.value.got == "1 of 40 rows without a date"
    early = Target((np.arange(40) < 20).astype(float), np.arange(1.0, 41))
    with pytest.raises(FitError, match="no events among 10 subjects among the later subjects"):
        outer_folds(early, LATE, 0, Rowwise(date=np.arange(40.0)))
    with pytest.raises(FitError, match="the training part of the earlier subjects has no events"):
        outer_folds(
            Target(1 - early.event, early.time),
            ProtocolOptions(split="temporal", date="d", temporal_test=0.6),
            0,
            Rowwise(date=np.arange(40.0)),
        )


@pytest.mark.parametrize(("split", "column"), [("site", "site"), ("temporal", "date")])
def test_a_split_without_its_column_is_a_mistake(split, column):
    with pytest.raises(ConfigError, match=f"split = {split} without a column '{column}'"):
        ProtocolOptions(split=split)
    with pytest.raises(ConfigError, match="split = random"):
        ProtocolOptions(split="random")


def test_bootstrap_samples_draw_patients_whole():
    options = ProtocolOptions(split="bootstrap")
    patient = np.repeat(np.arange(10), 4)
    everybody, _ = bootstrap_rows(target(), options, 0, patient)
    np.testing.assert_array_equal(everybody, np.arange(40))
    shares = []
    for draw in range(1, 40):
        rows, notes = bootstrap_rows(target(), options, draw, patient)
        times = np.bincount(rows, minlength=40)
        assert all(np.unique(times[patient == p]).size == 1 for p in range(10))
        assert times.sum() == 40
        assert notes == ()
        shares.append((times > 0).mean())
    assert np.mean(shares) == pytest.approx(1 - 0.9**10, abs=0.05)
    again, _ = bootstrap_rows(target(), options, 7, patient)
    np.testing.assert_array_equal(again, bootstrap_rows(target(), options, 7, patient)[0])


def test_a_sample_without_enough_events_is_drawn_again_with_the_reason():
    rare = Target((np.arange(40) < 3).astype(float), np.arange(1.0, 41))
    told = [bootstrap_rows(rare, ProtocolOptions(split="bootstrap"), draw)[1] for draw in range(1, 15)]
    again = [notes[0] for notes in told if notes]
    assert again
    assert all(note.startswith("bootstrap sample drawn again: ") for note in again)
    with pytest.raises(FitError, match="in each of 100 samples"):
        bootstrap_rows(Target((np.arange(40) < 2).astype(float), np.arange(1.0, 41)), ProtocolOptions(), 1)
