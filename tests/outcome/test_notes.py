from dataclasses import replace

import pytest

from radiolocus.model import Problem
from radiolocus.outcome.notes import told_once
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit, summarise

OPTIONS = OutcomeOptions(
    clinical=("Age", "Sex"),
    models=("lasso", "ridge"),
    horizons=(100.0, 1e6),
    repeats=1,
    penalties=5,
    inner_folds=2,
    bootstrap=20,
    univariate_bootstrap=10,
)


@pytest.fixture(scope="module")
def tasks(same_cohort):
    frames = {name: same_cohort.frames[name] for name in ("clinical", "molecular")}
    planned = plan({"survival": same_cohort.endpoints["survival"]}, frames, OPTIONS)
    return planned, {unit.task.label: unit.task for unit in planned.units}


def note(label, got="the horizon 100 lies beyond"):
    return Problem("outcome", got, "note", item="horizons", where=label)


def test_a_horizon_beyond_follow_up_is_told_once_for_all_models_and_sets(tasks):
    planned, timed = tasks
    assert len(timed) == 6
    summary = summarise(planned, [run_unit(unit) for unit in planned.units])
    told = [(p.got, p.where) for p in summary.problems if p.item == "horizons"]
    assert told == [("the horizon 1e+06 is not before the last time of follow-up and was left out", "survival")]


def test_what_one_set_of_subjects_tells_names_it(tasks):
    _, timed = tasks
    labels = [label for label, task in timed.items() if task.predictors != "clinical"]
    other = Problem("outcome", "else", "note", item="risk groups")
    told = told_once([other, *map(note, labels), other], timed)
    assert told == [other, note("survival from molecular, all"), other]


def test_what_one_model_tells_keeps_its_name(tasks):
    _, timed = tasks
    label = next(iter(timed))
    assert told_once([note(label)], timed) == [note(label)]


def test_endpoints_tell_for_themselves(tasks):
    _, timed = tasks
    later = {f"relapse, {label}": replace(task, endpoint="relapse") for label, task in timed.items()}
    renamed = {task.label: task for task in later.values()}
    told = told_once([note(label) for label in (*timed, *renamed)], timed | renamed)
    assert [p.where for p in told] == ["survival", "relapse"]
    assert len({p.got for p in told}) == 1
