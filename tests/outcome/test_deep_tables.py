"""Tables of networks from what their units say; no network is trained here."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import FitError
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.deep_data import Crops, DeepData, Numbers
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.splits import Rowwise, outer_folds
from radiolocus.model import Endpoint
from radiolocus.outcome.deep import NETWORK, plan_deep, run_deep
from radiolocus.outcome.deep_tables import summarise_deep

N = 60
OPTIONS = DeepOptions(folds=3, bootstrap=60, penalties=5, inner_folds=2, crop=(1, 8, 8), explained=4)


@pytest.fixture(scope="module")
def planned():
    rng = np.random.default_rng(1)
    subjects = tuple(f"S{i:02d}" for i in range(N))
    score = rng.normal(size=N)
    event = (rng.random(N) < 1 / (1 + np.exp(-1.5 * score))).astype(float)
    event[0] = np.nan
    grade = Endpoint("grade", "ordinal", subjects, rng.integers(0, 3, N) * 1.0, None, "", levels=("a", "b", "c"))
    ends = {"relapse": Endpoint("relapse", "binary", subjects, event, None, ""), "grade": grade}
    mask = np.ones((N, 1, 8, 8), dtype=bool)
    mask[30:] = False
    image = rng.normal(size=mask.shape).astype(np.float32)
    numbers = Predictors(score[:, None], ("score",), ("clinical",), np.zeros((N, 0), dtype=np.int64))
    data = DeepData({"CT": Crops(image, mask), "clinical": Numbers(numbers)})
    units, problems = plan_deep(ends, subjects, data, numbers, OPTIONS, Clinic(None, OPTIONS))
    return units, problems, score


WINDOWS = {"endpoint": pl.String, "subject": pl.String, "window": pl.Int64, "attribution": pl.Float64}


def whole(columns):
    """A table of the first repetition."""
    return pl.DataFrame(columns).with_columns(pl.col("fold").cast(pl.Int64), repeat=pl.lit(0, pl.Int64))


def spoken(unit, score):
    """What a unit of networks would say, with risks made up from the score."""
    task = unit.task
    fold = outer_folds(task.target, task.options, unit.repeat, Rowwise()).fold
    held = np.flatnonzero(fold == unit.fold)
    name = [task.subject[i] for i in held]
    risk = np.array([score[int(s[1:])] for s in name]) + np.random.default_rng(unit.fold).normal(size=held.size)
    imaged = task.data.modalities["CT"].present[held]
    base = {
        "endpoint": task.endpoint,
        "model": NETWORK,
        "subject": name,
        "repeat": 0,
        "fold": unit.fold,
        "threshold": 0.0,
    }
    parts = [(task.predictors, risk), ("CT", np.where(imaged, -risk, np.nan)), ("clinical", risk)]
    rows = [whole(base | {"predictors": p, "prediction": r}) for p, r in parts]
    order = ("endpoint", "predictors", "model", "subject", "repeat", "fold", "prediction", "threshold")
    pixels = np.zeros(64, dtype=np.uint8).tobytes()
    maps = {"endpoint": task.endpoint, "subject": name, "image": "CT", "prediction": risk, "height": 8, "width": 8}
    return {
        "predictions": pl.concat(rows).select(order),
        "risks": run_deep_risks(),
        "notes": pl.DataFrame({"item": [""], "got": ["a note"], "count": [1]}),
        "training": pl.DataFrame(
            {"endpoint": [task.endpoint] * 2, "repeat": 0, "fold": unit.fold, "network": 0, "epoch": [0, 1],
             "training": [None, 0.6], "validation": [0.7, 0.65], "kept": [False, True]}
        ),
        "attention": pl.DataFrame(
            {"endpoint": task.endpoint, "subject": name, "repeat": 0, "modality": "clinical", "attention": 1.0,
             "attribution": risk, "gap": 0.0}
        ),
        "columns": pl.DataFrame(
            {"endpoint": task.endpoint, "modality": "clinical", "item": "score", "subject": name, "value": risk,
             "attribution": 2 * risk + 1}
        ),
        "windows": pl.DataFrame(schema=WINDOWS),
        "maps": pl.DataFrame(maps | {"highest": 1.0, "pixels": pixels, "mask": pixels, "map": pixels}),
    }  # fmt: skip


def run_deep_risks():
    schema = {"subject": pl.String, "time": pl.Float64, "risk": pl.Float64, "without": pl.Float64}
    return pl.DataFrame(schema=schema | {"predictors": pl.String, "model": pl.String, "repeat": pl.Int64})


@pytest.fixture(scope="module")
def summed(planned):
    units, _, score = planned
    results = [spoken(unit, score) if unit.model == NETWORK else run_deep(unit) for unit in units]
    return summarise_deep(units, results)


def test_units_are_folds_of_networks_and_repetitions_of_simple_models(planned):
    units, problems, _ = planned
    assert [unit.name for unit in units] == [*(f"relapse/network/0/{k}" for k in range(3)), "relapse/elastic_net/0/-1"]
    assert [(p.item, p.allowed) for p in problems] == [("grade", "survival, binary")]
    assert units[0].task.target.n == N - 1


def test_performance_is_that_of_the_predictions_and_of_each_pattern_of_modalities(planned, summed):
    task = planned[0][0].task
    rows = summed[0]["deep/predictions"].filter(model="network", predictors="CT + clinical").sort("subject")
    assert rows["subject"].to_list() == list(task.subject)
    score, fold = rows["prediction"].to_numpy()[None], rows["fold"].to_numpy()[None]
    table = summed[0]["deep/performance"]
    told = {r["patients"]: r for r in table.filter(model="network", predictors="CT + clinical").iter_rows(named=True)}
    assert list(told) == ["all", "complete", "without CT"]
    have = task.data.present.all(axis=1)
    for name, who in (("all", have | True), ("complete", have), ("without CT", ~have)):
        found = out_of_fold_discrimination(task.target, score, np.where(who, fold, -1), 60, 1)
        assert (told[name]["estimate"], told[name]["lower"]) == (found.estimate, found.lower)
        assert told[name]["n"] == who.sum()
    alone = table.filter(patients="with CT")
    assert alone["n"].to_list() == [int(have.sum())]


def test_differences_are_those_of_the_same_folds(planned, summed):
    task = planned[0][0].task
    parts = [
        summed[0]["deep/predictions"].filter(model=m, predictors=p).sort("subject")
        for m, p in (("elastic-net logistic", "clinical"), ("network", "CT + clinical"))
    ]
    simple, network = (part["prediction"].to_numpy()[None] for part in parts)
    found = compare_on_same_folds(task.target, simple, network, parts[0]["fold"].to_numpy()[None], 60, 1)
    row = summed[0]["deep/differences"].filter(model="elastic-net logistic").row(0, named=True)
    assert (row["estimate"], row["lower"], row["upper"]) == (found.estimate, found.lower, found.upper)


def test_columns_have_their_slope_and_maps_are_of_the_extremes(summed):
    assert summed[0]["deep/columns"]["slope"].to_list() == pytest.approx([2.0])
    maps, whole = summed[0]["deep/maps"], summed[0]["deep/predictions"].filter(predictors="CT + clinical")
    ranked = whole.sort("prediction", descending=True)["subject"].to_list()
    assert maps["subject"].to_list() == [*ranked[:2], *ranked[-2:]]
    assert [(p.got, p.count) for p in summed[1]] == [("a note", 3)]


def test_networks_that_fail_take_their_endpoint_and_a_simple_model_only_itself(planned):
    units, _, score = planned
    good = [spoken(unit, score) if unit.model == NETWORK else run_deep(unit) for unit in units]
    tables, problems = summarise_deep(units, [*good[:2], FitError("no loss"), good[3]])
    assert tables["deep/performance"].height == 0
    assert [(p.item, p.got, p.severity) for p in problems] == [("relapse by network", "no loss", "set aside")]
    tables, problems = summarise_deep(units, [*good[:3], FitError("no path")])
    assert set(tables["deep/performance"]["model"]) == {"network"}
    assert problems[0].item == "relapse by elastic-net logistic"
    with pytest.raises(ZeroDivisionError):
        summarise_deep(units, [*good[:3], ZeroDivisionError()])
