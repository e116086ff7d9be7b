"""Endpoints counted from the visit at which their predictors were measured."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Endpoint
from radiolocus.outcome.blocks import target_of
from radiolocus.outcome.delta_options import DeltaBlock
from radiolocus.outcome.landmark import Landmark
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import run_unit, summarise
from radiolocus.outcome.tasks import plan


def cohort(n=90, seed=3, effect=1.2):
    """Hazards from the visit on follow the change; earlier ones do not."""
    rng = np.random.default_rng(seed)
    subject = tuple(f"P{i:03d}" for i in range(n))
    change = rng.normal(size=n)
    visit = rng.uniform(40, 70, n)
    early = rng.exponential(400, n)
    late = visit + rng.exponential(300 * np.exp(-effect * change))
    time = np.where(early <= visit, early, late)
    end = rng.uniform(30, 900, n)
    event = (time <= end).astype(float)
    return subject, change, visit, np.minimum(time, end), event


def test_everyone_kept_is_followed_beyond_the_visit_and_counted_from_it():
    subject, _, visit, time, event = cohort()
    missing = subject[:7]
    days = {s: d for s, d in zip(subject, visit, strict=True) if s not in missing}
    known, _ = target_of(Endpoint("os", "survival", subject, event, time, "days"))
    later, told, problems = Landmark("w8", days).of(known)
    expected = {s: (t - days[s], e) for s, t, e in zip(subject, time, event, strict=True) if s in days and t > days[s]}
    assert list(later.subject) == list(expected)
    assert later.target.time == pytest.approx([t for t, _ in expected.values()], abs=1e-12)
    assert later.target.event.tolist() == [e for _, e in expected.values()]
    row = told.row(0, named=True)
    had = sum(s in days and t <= days[s] and e == 1 for s, t, e in zip(subject, time, event, strict=True))
    assert (row["without_visit"], row["before"], row["n"]) == (7, had, len(expected))
    assert row["known"] == row["without_visit"] + row["before"] + row["lost"] + row["n"]
    assert row["earliest"] == min(days[s] for s in expected)
    assert sum(p.count for p in problems) == row["before"] + row["lost"]


def test_units_and_time_zero_are_converted():
    subject = ("a", "b", "c")
    endpoint = Endpoint("os", "survival", subject, np.ones(3), np.array([2.0, 5.0, 9.0]), "months")
    known, _ = target_of(endpoint)
    days = dict.fromkeys(subject, 365.25 / 4)
    later, _, _ = Landmark("w12", days).of(known)
    assert dict(zip(later.subject, later.target.time, strict=True)) == pytest.approx({"b": 2.0, "c": 6.0})
    later, _, _ = Landmark("w12", days, {"a": 0.0, "b": 1.5, "c": 4.0}).of(known)
    assert dict(zip(later.subject, later.target.time, strict=True)) == pytest.approx({"b": 0.5, "c": 2.0})
    ours = Endpoint("pfs", "survival", subject, np.ones(3), np.array([60.0, 150.0, 300.0]), "days", decided=np.ones(3))
    later, _, _ = Landmark("w12", days, {"a": 0.0, "b": 100.0, "c": 100.0}).of(target_of(ours)[0])
    assert dict(zip(later.subject, later.target.time, strict=True)) == pytest.approx({"b": 58.6875, "c": 208.6875})
    with pytest.raises(InputError, match=r"cycles.*days, weeks, months, years"):
        Landmark("w12", days).of(target_of(Endpoint("os", "survival", subject, np.ones(3), np.ones(3), "cycles"))[0])


def test_a_response_that_the_visit_itself_decided_is_not_predicted_from_it():
    subject = tuple("abcdef")
    decided = np.array([50.0, 56.0, 57.0, 120.0, 56.0, np.inf])
    endpoint = Endpoint("orr", "binary", subject, np.array([1.0, 0, 1, 0, 0, 1]), unit="days", decided=decided)
    later, told, _ = Landmark("w8", dict.fromkeys(subject, 56.0)).of(target_of(endpoint)[0])
    assert later.subject == ("c", "d", "f")
    assert (told["before"][0], told["checked"][0]) == (3, True)
    undated = Endpoint("pcr", "binary", subject, endpoint.event)
    later, told, problems = Landmark("w8", dict.fromkeys(subject[:5], 56.0)).of(target_of(undated)[0])
    assert (later.subject, told["checked"][0]) == (subject[:5], False)
    assert "was not checked" in problems[-1].got


def judged(same_subjects, unit="days"):
    subject, change, visit, time, event = cohort()
    rng = np.random.default_rng(8)
    frames = {
        "imaging": pl.DataFrame({"subject": subject, "CT:stat_mean": rng.normal(size=len(subject))}),
        "delta": pl.DataFrame({"subject": subject, "CT@w8:stat_mean:relative": change})[:80],
    }
    days = dict(zip(subject[:80], visit[:80], strict=True))
    options = OutcomeOptions(
        models=("ridge",), repeats=1, folds=3, inner_folds=3, penalties=5, bootstrap=30, univariate_bootstrap=30,
        same_subjects=same_subjects, delta=DeltaBlock(visit="w8"),
    )  # fmt: skip
    planned = plan(
        {"os": Endpoint("os", "survival", subject, event, time, unit)}, frames, options, None, Landmark("w8", days)
    )
    return planned, summarise(planned, [run_unit(u) for u in planned.units]), (subject, visit, time, event)


def test_sets_with_change_are_judged_at_the_visit_and_the_others_at_baseline():
    planned, found, (subject, visit, time, _) = judged(same_subjects=False)
    told = {r["predictors"]: r for r in found.tables["outcome/performance"].to_dicts()}
    beyond = sum(t > d for t, d in zip(time[:80], visit[:80], strict=True))
    assert {name: r["n"] for name, r in told.items()} == {"imaging": 90, "delta": beyond, "all": beyond}
    assert told["delta"]["lower"] > 0.55
    alone = {r["block"]: r["n"] for r in found.tables["outcome/univariate"].to_dicts()}
    assert alone == {"imaging": 90, "delta": beyond}
    assert planned.landmark["n"].to_list() == [beyond]
    assert len(subject) == 90


def test_with_same_subjects_baseline_and_change_are_compared_on_one_cohort():
    _, found, (_, visit, time, event) = judged(same_subjects=True)
    told = found.tables["outcome/performance"]
    beyond = time[:80] > visit[:80]
    assert told["n"].unique().to_list() == [beyond.sum()]
    assert told["events"].unique().to_list() == [int(event[:80][beyond].sum())]
    folds = found.tables["outcome/predictions"].pivot(on="predictors", index=["subject", "repeat"], values="fold")
    assert folds["imaging"].to_list() == folds["delta"].to_list() == folds["all"].to_list()


def test_a_unit_that_cannot_be_compared_costs_the_sets_with_change_alone():
    planned, found, _ = judged(same_subjects=False, unit="cycles")
    assert found.tables["outcome/performance"]["predictors"].to_list() == ["imaging"]
    assert any("times in 'cycles'" in p.got for p in planned.problems)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"visit": ""}, "visit"), ({"visit": "w8", "change": "ratio"}, "relative")]
)
def test_options_are_checked(wrong, said):
    with pytest.raises(ConfigError, match=said):
        DeltaBlock(**wrong)
