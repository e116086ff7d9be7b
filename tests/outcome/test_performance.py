import pickle
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from naive import out_of_fold as naive
from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Endpoint
from radiolocus.outcome.further import TABLES as FURTHER
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit, summarise
from radiolocus.schema import CONTROL, TABLES
from radiolocus.stats.horizon import brier_at

OPTIONS = OutcomeOptions(
    clinical=("Age", "Sex", "Grade"),
    repeats=3,
    penalties=12,
    bootstrap=100,
    univariate_bootstrap=50,
    inner_folds=3,
    permutations=2,
)


@pytest.fixture(scope="session")
def done(same_cohort):
    planned = plan(same_cohort.endpoints, same_cohort.frames, OPTIONS)
    results = [run_unit(unit) for unit in planned.units]
    return planned, results, summarise(planned, results)


def rows(summary, name, **where):
    frame = summary.tables[f"outcome/{name}"]
    return frame.filter(*(pl.col(k) == v for k, v in where.items()))


def test_every_table_is_complete_and_conforms(done, same_cohort):
    _, _, summary = done
    elsewhere = ("comparison", "landmark", "added_value", "missing_modality", "genetic")
    later = {f"outcome/{name}" for name in (*FURTHER, *elsewhere)}
    assert set(summary.tables) == {name for name in TABLES if name.startswith("outcome/")} - later
    for name, table in summary.tables.items():
        assert table.schema == pl.Schema(TABLES[name].schema)
        # No competing events and no classes beyond two in this cohort.
        none = name in ("outcome/incidence", "outcome/gray", "outcome/classes", "outcome/class_calibration")
        assert (table.height == 0) == none, name
        assert not any(table[c].is_nan().any() for c, kind in table.schema.items() if kind == pl.Float64)
    performance = rows(summary, "performance")
    assert performance.select("endpoint", "predictors").rows() == [
        (endpoint, block)
        for endpoint in ("survival", "relapse")
        for block in ("clinical", "imaging", "molecular", "all")
    ]
    assert performance["candidates"].to_list() == [3, 12, 2, 17] * 2
    assert set(performance["repeats"]) == {3}
    assert set(performance["folds"]) == {5}
    predictions = rows(summary, "predictions", endpoint="relapse", predictors="all")
    assert predictions.height == 3 * 70
    assert predictions.filter(pl.col("repeat") == 1)["subject"].to_list() == list(same_cohort.subject)


def test_performance_is_the_mean_of_pairs_counted_within_folds(done, same_cohort):
    _, _, summary = done
    for endpoint in same_cohort.endpoints.values():
        parts = rows(summary, "predictions", endpoint=endpoint.name, predictors="all").partition_by("repeat")
        expected = [
            naive.statistic(endpoint.time, endpoint.event, p["prediction"], p["fold"], np.ones(70)) for p in parts
        ]
        row = rows(summary, "performance", endpoint=endpoint.name, predictors="all").row(0, named=True)
        assert row["estimate"] == pytest.approx(np.mean(expected), rel=1e-12)
        assert row["lower"] < row["estimate"] < row["upper"]
        assert (row["n"], row["events"], row["kind"]) == (70, endpoint.event.sum(), endpoint.kind)


def test_planted_effects_are_found_where_they_were_planted(done):
    _, _, summary = done
    for endpoint in ("survival", "relapse"):
        score = dict(rows(summary, "performance", endpoint=endpoint).select("predictors", "estimate").iter_rows())
        assert score["imaging"] > 0.6
        assert score["all"] > score["clinical"]
        best = rows(summary, "selection", endpoint=endpoint, predictors="imaging").row(0, named=True)
        assert (best["predictor"], best["fraction"], best["block"]) == ("PET:f0", 1.0, "imaging")
        assert best["mean_coefficient"] > 0.1


def test_selection_counts_outer_fits_with_a_coefficient(done):
    _, results, summary = done
    units = [
        r
        for r in results
        if "predictions" in r
        and r["predictions"]["endpoint"][0] == "survival"
        and r["predictions"]["predictors"][0] == "all"
    ]
    assert len(units) == 3
    coefficients = pl.concat([u["selection"] for u in units]).filter(pl.col("predictor") == "EGFR")
    row = rows(summary, "selection", endpoint="survival", predictors="all", predictor="EGFR").row(0, named=True)
    assert row["fraction"] == pytest.approx(coefficients.height / 15)
    assert row["mean_coefficient"] == pytest.approx(coefficients["coefficient"].sum() / 15)
    assert row["block"] == "molecular"


def test_blocks_with_the_same_subjects_share_their_folds(done):
    _, _, summary = done
    folds = [
        rows(summary, "predictions", endpoint="survival", predictors=block)["fold"].to_list()
        for block in ("clinical", "imaging", "molecular", "all")
    ]
    assert folds[0] == folds[1] == folds[2] == folds[3]


def test_units_are_pure_and_travel_between_processes(done):
    planned, results, _ = done
    assert len({unit.name for unit in planned.units}) == len(planned.units) == 24 + 2 * 2
    for k in (20, 3, 7):
        again = run_unit(pickle.loads(pickle.dumps(planned.units[k])))
        assert all(again[name].equals(results[k][name]) for name in again)


def test_the_order_of_tables_rows_does_not_matter(done, same_cohort):
    planned, results, _ = done
    frames = {name: frame.sample(fraction=1.0, shuffle=True, seed=1) for name, frame in same_cohort.frames.items()}
    again = plan(same_cohort.endpoints, frames, OPTIONS)
    assert run_unit(again.units[10])["predictions"].equals(results[10]["predictions"])
    assert again.univariate.equals(planned.univariate)


@pytest.mark.parametrize("endpoint", ["survival", "relapse"])
def test_poisoned_tables_of_held_out_subjects_change_no_fitted_number(done, same_cohort, endpoint):
    """From the tables as they are read, through the join of ids, to the coefficients: what is held out is not seen."""
    planned, results, _ = done
    k = next(i for i, unit in enumerate(planned.units) if unit.name == f"{endpoint}/all/elastic_net/0")
    clean = results[k]
    held_out = clean["predictions"].filter(pl.col("fold") == 2)["subject"]
    strange = pl.col("subject").is_in(held_out.implode())
    poisons = {
        "clinical": {"Age": pl.lit(1000), "Grade": pl.lit("never seen")},
        "imaging": {f"PET:f{j}": pl.lit(1e6 * (j + 1)) for j in range(12)},
        "molecular": {"EGFR": pl.lit(1e3)},
    }
    frames = {
        name: frame.with_columns(
            pl.when(strange).then(value).otherwise(pl.col(column)).alias(column)
            for column, value in poisons[name].items()
        ).sample(fraction=1.0, shuffle=True, seed=5)
        for name, frame in same_cohort.frames.items()
    }
    unit = plan(same_cohort.endpoints, frames, OPTIONS).units[k]
    assert unit.name == planned.units[k].name
    poisoned = run_unit(unit)

    def of(result, name, fold):
        return result[name].filter(pl.col("fold") == fold)

    assert poisoned["predictions"]["fold"].equals(clean["predictions"]["fold"])
    assert of(poisoned, "selection", 2).equals(of(clean, "selection", 2))
    assert of(poisoned, "predictions", 2)["threshold"].equals(of(clean, "predictions", 2)["threshold"])
    assert not of(poisoned, "predictions", 2)["prediction"].equals(of(clean, "predictions", 2)["prediction"])
    assert not of(poisoned, "selection", 0).equals(of(clean, "selection", 0)), "where it may be seen, it is seen"


def test_each_block_is_judged_on_those_who_have_it(cohort):
    frames = cohort.frames | {
        "imaging": cohort.frames["imaging"].filter(pl.col("subject") >= "S006"),
        "molecular": cohort.frames["molecular"].filter(pl.col("subject") < "S065"),
    }
    planned = plan(cohort.endpoints, frames, replace(OPTIONS, endpoints=("relapse",), repeats=1))
    assert {u.task.predictors: u.task.target.n for u in planned.units} == {
        "clinical": 70,
        "imaging": 64,
        "molecular": 65,
        "all": 59,
    }
    told = {p.item: p for p in planned.problems}
    assert told["relapse from imaging"].got == "6 of 70 subjects left out: 6 without imaging"
    assert told["relapse from all"].got == "11 of 70 subjects left out: 6 without imaging, 5 without molecular"
    assert (told["relapse from all"].severity, told["relapse from all"].count) == ("note", 11)
    everybody = next(u.task for u in planned.units if u.task.predictors == "all")
    assert everybody.subject == cohort.subject[6:65]
    np.testing.assert_array_equal(everybody.data.numeric[0, 1:13], cohort.frames["imaging"].row(6)[1:])
    same = plan(cohort.endpoints, frames, replace(OPTIONS, same_subjects=True, repeats=1))
    assert {u.task.target.n for u in same.units} == {59}


def test_endpoints_that_cannot_be_predicted_are_problems_and_the_others_go_on(cohort):
    endpoints = cohort.endpoints | {
        "never": Endpoint("never", "survival", cohort.subject, np.zeros(70), np.arange(70.0)),
        "always": Endpoint("always", "binary", cohort.subject, np.ones(70)),
        "coded": Endpoint("coded", "binary", cohort.subject, np.arange(70) % 2 + 1.0),
    }
    planned = plan(endpoints, cohort.frames, OPTIONS)
    assert {u.task.endpoint for u in planned.units} == {"survival", "relapse"}
    told = {p.item: p for p in planned.problems if p.severity == "set aside"}
    assert told["never"].got == "no events among 70 subjects"
    assert told["never"].allowed == "at least 3 events"
    assert "event_values" in told["never"].todo
    assert told["always"].got == "only events among 70 subjects"
    assert told["coded"].got == "event 2" or told["coded"].got == "event 1"


def test_a_task_with_too_few_subjects_left_is_a_problem(cohort):
    label = cohort.endpoints["relapse"].event
    few = [s for s, y in zip(cohort.subject, label, strict=True) if y == 0][:20]
    frames = cohort.frames | {"imaging": cohort.frames["imaging"].filter(pl.col("subject").is_in(few))}
    planned = plan(cohort.endpoints, frames, replace(OPTIONS, endpoints=("relapse",)))
    assert {u.task.predictors for u in planned.units} == {"clinical", "molecular"}
    told = [p for p in planned.problems if p.item == "relapse from imaging" and p.severity == "set aside"]
    assert told[0].got == "no events among 20 subjects"


def test_a_failed_repetition_leaves_its_task_out_with_the_reason(done):
    planned, results, summary = done
    broken = list(results)
    broken[4] = FitError("a wall", where="here", allowed="a door", todo="open it")
    found = summarise(planned, broken)
    task = planned.units[4].task
    assert rows(found, "performance", endpoint=task.endpoint, predictors=task.predictors).height == 0
    assert rows(found, "performance").height == rows(summary, "performance").height - 1
    problem = next(p for p in found.problems if p.got == "a wall")
    assert (problem.item, problem.where) == (f"{task.endpoint} from {task.predictors}", "here")
    assert (problem.allowed, problem.todo) == ("a door", "open it")
    broken[4] = KeyError("a mistake of the program")
    with pytest.raises(KeyError):
        summarise(planned, broken)


def test_what_happened_in_the_folds_is_told_once_with_its_count(cohort):
    frames = {"imaging": cohort.frames["imaging"].with_columns(pl.lit(1.0).alias("PET:constant"))}
    options = replace(OPTIONS, endpoints=("relapse",), repeats=2)
    planned = plan(cohort.endpoints, frames, options)
    found = summarise(planned, [run_unit(u) for u in planned.units])
    (note,) = [p for p in found.problems if p.item == "PET:constant"]
    assert (note.got, note.count, note.severity) == ("constant in a training part", 10, "note")
    assert note.where == "relapse from imaging"
    assert rows(found, "performance")["predictors"].to_list() == ["imaging"], "one block: no 'all'"


def test_nothing_to_predict_from(cohort):
    planned = plan(cohort.endpoints, {}, OPTIONS)
    assert planned.units == ()
    found = summarise(planned, [])
    assert all(table.height == 0 for table in found.tables.values())
    with pytest.raises(ConfigError, match="unknown endpoint 'os'"):
        plan(cohort.endpoints, {}, replace(OPTIONS, endpoints=("os",)))


def test_controls_are_judged_beside_imaging_and_change_nothing_else(same_cohort, done):
    shuffled = same_cohort.frames["imaging"].select(
        "subject", *(pl.col(c).shuffle(seed=j) for j, c in enumerate(same_cohort.frames["imaging"].columns[1:]))
    )
    few = same_cohort.frames["imaging"].select("subject", "PET:f0").head(66)
    planned = plan(same_cohort.endpoints, same_cohort.frames, OPTIONS, {"shuffled": shuffled, "outside": few})
    controls = [u for u in planned.units if u.task.predictors.startswith(CONTROL)]
    assert {u.task.predictors for u in controls} == {"control: shuffled", "control: outside"}
    assert planned.univariate.equals(done[0].univariate)
    assert [u.name for u in planned.units if u not in controls] == [u.name for u in done[0].units]
    results = [run_unit(u) for u in controls]
    summary = summarise(replace(planned, units=tuple(controls)), results)
    performance = rows(summary, "performance")
    found = {(r["endpoint"], r["predictors"]): r for r in performance.iter_rows(named=True)}
    assert found["relapse", "control: shuffled"]["estimate"] < 0.65
    assert found["relapse", "control: outside"]["estimate"] > 0.65
    assert found["relapse", "control: outside"]["n"] == 66
    assert found["relapse", "control: outside"]["candidates"] == 1
    for name in ("selection", "groups", "kaplan_meier", "logrank"):
        assert rows(summary, name).height == 0
    folds = [
        rows(s, "predictions", endpoint="relapse", predictors=p).select("subject", "repeat", "fold")
        for s, p in ((summary, "control: shuffled"), (done[2], "imaging"))
    ]
    assert folds[0].equals(folds[1])


def test_controls_without_imaging_are_not_judged(same_cohort):
    frames = {"clinical": same_cohort.frames["clinical"]}
    planned = plan(same_cohort.endpoints, frames, OPTIONS, {"shuffled": same_cohort.frames["imaging"]})
    assert {u.task.predictors for u in planned.units} == {"clinical"}


def test_performance_at_times_is_that_of_the_predictions(done, same_cohort):
    _, results, summary = done
    endpoint = same_cohort.endpoints["survival"]
    horizon = float(np.quantile(endpoint.time[endpoint.event == 1], 0.5, method="lower"))
    table = rows(summary, "horizons")
    assert set(table["endpoint"]) == {"survival"}
    assert table.group_by("predictors").len()["len"].to_list() == [4] * 4
    risks = pl.concat([r["risks"] for r in results if "risks" in r]).filter(
        (pl.col("endpoint") == "survival") & (pl.col("predictors") == "all")
    )
    for column, metric in (("risk", "Brier(t)"), ("without", "Brier(t) without predictors")):
        parts = [
            brier_at(endpoint.time, endpoint.event, part[column], horizon)[0] for part in risks.partition_by("repeat")
        ]
        row = rows(summary, "horizons", predictors="all", metric=metric).row(0, named=True)
        assert (row["time"], row["n"]) == (horizon, 70)
        assert row["estimate"] == pytest.approx(np.mean(parts), rel=1e-10)
        assert row["lower"] < row["estimate"] < row["upper"]
        assert row["events"] == np.sum((endpoint.event == 1) & (endpoint.time <= horizon))
    value = dict(rows(summary, "horizons", predictors="all").select("metric", "estimate").iter_rows())
    assert value["Brier(t)"] < value["Brier(t) without predictors"]
    assert min(value["Uno C"], value["AUC(t)"]) > 0.7


def test_risks_come_from_the_training_part(same_cohort):
    planned = plan(same_cohort.endpoints, same_cohort.frames, OPTIONS)
    unit = next(u for u in planned.units if u.name == "survival/all/elastic_net/0")
    once = run_unit(unit)
    target = unit.task.target
    fold = once["predictions"]["fold"].to_numpy()
    time, event = target.time.copy(), target.event.copy()
    # Whatever happened to a fold that was held out, its risks stay those of its model and the others' follow-up.
    horizon = once["risks"]["time"][0]
    without = once["risks"]["without"].to_numpy()
    for k in range(fold.max() + 1):
        inside = fold != k
        hazard = sum(
            sum(1 / (np.sum(time[inside] >= t) - d) for d in range(int(np.sum((time == t) & (event == 1) & inside))))
            for t in np.unique(time[inside & (event == 1) & (time <= horizon)])
        )
        np.testing.assert_allclose(without[fold == k], 1 - np.exp(-hazard), rtol=1e-12)


def test_a_horizon_beyond_follow_up_is_left_out_and_told(same_cohort):
    options = replace(OPTIONS, horizons=(100.0, 1e6), repeats=1)
    frames = {"molecular": same_cohort.frames["molecular"]}
    planned = plan({"survival": same_cohort.endpoints["survival"]}, frames, replace(options, clinical=()))
    summary = summarise(planned, [run_unit(unit) for unit in planned.units])
    assert set(rows(summary, "horizons", metric="AUC(t)")["time"]) == {100.0}
    told = [p for p in summary.problems if p.item == "horizons"]
    assert "the horizon 1e+06 is not before the last time" in told[0].got
