"""Competing events, classes in an order and without one, delayed entry and a bootstrap, from endpoints to tables."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.learn.assess_classes import assess_classes, ranked_probability_score
from radiolocus.learn.discrimination import fold_statistic
from radiolocus.learn.horizons import out_of_fold_at_horizons
from radiolocus.learn.target import Target
from radiolocus.model import Endpoint
from radiolocus.outcome.added import comparisons_of, run_comparison
from radiolocus.outcome.everyone import fit_everyone
from radiolocus.outcome.further import gather, parts_of, run_part
from radiolocus.outcome.lock import lock_model, read_model
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit, summarise
from radiolocus.outcome.validation import validate
from radiolocus.schema import TABLES
from radiolocus.stats.competing_concordance import competing_c
from radiolocus.stats.concordance import auc
from radiolocus.stats.horizon import auc_at, brier_at

QUICK = OutcomeOptions(
    repeats=1, folds=3, inner_folds=2, bootstrap=40, univariate_bootstrap=20, permutations=0, shuffles=0
)


@pytest.fixture(scope="module")
def study():
    """PET:f0 drives the event of interest and the class, PET:f1 the competing event; f2 and f3 are noise."""
    rng = np.random.default_rng(2)
    n = 120
    subject = tuple(f"S{i:03d}" for i in range(n))
    X = rng.normal(size=(n, 4))
    times = rng.exponential(np.exp(-1.2 * X[:, :2]) * [10.0, 12.0])
    censor = rng.exponential(18, n)
    time = np.minimum(times.min(axis=1), censor)
    state = np.where(censor < times.min(axis=1), 0, 1 + times.argmin(axis=1)).astype(float)
    event, grade = (state == 1) * 1.0, np.digitize(X[:, 0] + rng.logistic(size=n) * 0.6, [-0.7, 0.7]).astype(float)
    any_event = (state > 0) * 1.0
    endpoints = {
        "first": Endpoint(
            "first", "competing", subject, event, time, "months", levels=("relapse", "death"), state=state
        ),
        "grade": Endpoint("grade", "ordinal", subject, grade, levels=("low", "mid", "high")),
        "type": Endpoint("type", "multiclass", subject, grade, levels=("a", "b", "c")),
        "late": Endpoint("late", "survival", subject, any_event, time, "months", entry=time * rng.random(n)),
        "plain": Endpoint("plain", "survival", subject, any_event, time, "months"),
    }
    frame = pl.DataFrame({"subject": subject, **{f"PET:f{j}": X[:, j] for j in range(4)}})
    return endpoints, {"imaging": frame}


def done(study, endpoint, **changes):
    planned = plan(*study, replace(QUICK, endpoints=(endpoint,), **changes))
    results = [run_unit(unit) for unit in planned.units]
    parts = parts_of(planned, results)
    further = gather(parts, [run_part(p) for p in parts])
    found = summarise(planned, results)
    tables = found.tables | further.tables
    for name, table in tables.items():
        assert dict(table.schema) == dict(TABLES[name].schema), name
    return planned, tables, [*planned.problems, *found.problems, *further.problems]


def test_competing_events(study):
    planned, tables, problems = done(study, "first", horizons=(4.0, 400.0))
    assert [u.task.model for u in planned.units] == ["cause_specific_cox", "fine_gray"]
    told = next(p for p in problems if "cause_specific_cox, fine_gray are taken" in p.got)
    assert told.severity == "note"
    assert any(p.got.startswith("the horizon 400 is not before") for p in problems)
    performance = tables["outcome/performance"]
    assert performance["metric"].unique().to_list() == ["C of competing risks"]
    assert (performance["lower"] > 0.55).all()
    at = tables["outcome/horizons"].filter(model="Fine–Gray")
    assert at["metric"].to_list() == ["Wolbers C", "AUC(t)", "Brier(t)", "Brier(t) without predictors"]
    brier = dict(at.select("metric", "estimate").iter_rows())
    assert brier["Brier(t)"] < brier["Brier(t) without predictors"]
    incidence, gray = tables["outcome/incidence"], tables["outcome/gray"]
    assert set(incidence["state"]) == {1, 2}
    assert (gray["subdistribution_hazard_ratio"] > 1.5).all()
    assert (gray["competing_events"] == int((study[0]["first"].state == 2).sum())).all()
    assert {"integrated Brier", "calibration slope", "ICI"} <= set(tables["outcome/evaluation"]["metric"])
    assert "Antolini C" not in set(tables["outcome/evaluation"]["metric"])
    assert tables["outcome/decision"].height
    assert tables["outcome/kaplan_meier"].height == 0


def test_time_lost_to_the_event_in_each_risk_group(study):
    _, tables, _ = done(study, "first", models=("fine_gray",))
    lost = {r["metric"]: r for r in tables["outcome/evaluation"].iter_rows(named=True) if "time lost" in r["metric"]}
    assert list(lost) == [
        "restricted time lost, low risk",
        "restricted time lost, high risk",
        "restricted time lost difference",
    ]
    low, high, difference = lost.values()
    first, end = study[0]["first"], difference["time"]
    assert end == low["time"] == high["time"] <= first.time[first.event == 1].max()
    for name, row in (("low", low), ("high", high)):
        # The area under the incidence, by its steps.
        curve = tables["outcome/incidence"].filter(group=name, state=1, model="Fine–Gray").filter(pl.col("time") < end)
        edges = np.r_[0.0, curve["time"], end]
        assert row["estimate"] == pytest.approx(np.diff(edges) @ np.r_[0.0, curve["incidence"]], abs=1e-9)
        assert row["lower"] < row["estimate"] < row["upper"]
    assert difference["estimate"] == pytest.approx(high["estimate"] - low["estimate"], abs=1e-12)
    assert difference["lower"] > 0


def test_what_a_block_adds_with_competing_events(study):
    endpoints, frames = study
    noise = pl.DataFrame({"subject": frames["imaging"]["subject"], "age": np.random.default_rng(9).normal(size=120)})
    options = replace(QUICK, endpoints=("first",), models=("fine_gray",), clinical=("age",), horizons=(4.0,))
    planned = plan(endpoints, {**frames, "clinical": noise}, options)
    pairs, _ = comparisons_of(planned, [run_unit(unit) for unit in planned.units])
    rows = [run_comparison(p)["added_value"] for p in pairs if p.first.predictors == "clinical"]
    table = pl.concat(rows).filter(predictors="all")
    assert table["metric"].to_list() == ["C of competing risks", "net benefit"]
    assert table["estimate"][0] > 0.1
    assert table["lower"][0] > 0
    assert table["estimate"][1] > 0


def test_out_of_one_fold_the_numbers_are_those_of_the_statistics(study):
    first = study[0]["first"]
    rng = np.random.default_rng(0)
    time = np.ceil(first.time)
    target = Target(first.event, time, state=first.state)
    risk = rng.random(target.n)
    found = out_of_fold_at_horizons(
        target, risk[None], np.zeros((1, target.n), np.int64), risk[None, :, None], risk[None, :, None], [4.0], 20
    )
    told = {f.metric: f.estimate for f in found}
    assert told["Wolbers C"] == pytest.approx(
        competing_c(time, first.state, risk, truncation=found[0].time).estimate, abs=1e-12
    )
    assert told["AUC(t)"] == pytest.approx(auc_at(time, first.state, risk, [4.0], cause=1)[0], abs=1e-12)
    assert told["Brier(t)"] == pytest.approx(brier_at(time, first.state, risk, [4.0], cause=1)[0], abs=1e-12)


def test_pairs_with_delayed_entry_and_strata():
    """Counted pair by pair."""
    judged_rows = 60
    rng = np.random.default_rng(4)
    t = np.ceil(rng.exponential(8, judged_rows))
    e, s = (rng.random(judged_rows) < 0.6) * 1.0, rng.normal(size=judged_rows)
    u, g = np.floor(t * rng.random(judged_rows)), rng.integers(0, 2, judged_rows)
    u[u >= t] = 0
    won = total = 0.0
    for i in range(judged_rows):
        for j in range(judged_rows):
            later = t[j] > t[i] or (t[j] == t[i] and e[j] == 0)
            if e[i] and later and g[i] == g[j] and (u[j] == 0 or u[j] < t[i]):
                total += 1
                won += s[i] > s[j]
    target = Target(e, t, entry=u, stratum=g)
    assert fold_statistic(target, s, np.zeros(judged_rows, np.int64)) == pytest.approx(won / total)


def test_classes_in_an_order(study):
    _, tables, problems = done(study, "grade")
    assert any("an ordinal endpoint: ordinal is taken" in p.got for p in problems)
    (row,) = tables["outcome/performance"].to_dicts()
    assert (row["kind"], row["metric"], row["model"]) == ("ordinal", "ordinal C", "proportional odds")
    assert row["lower"] > 0.6
    classes = tables["outcome/classes"]
    scores = dict(classes.filter(item="").select("metric", "estimate").iter_rows())
    assert scores["ranked probability score"] < scores["ranked probability score without predictors"]
    assert classes["item"].unique(maintain_order=True).to_list() == ["", "≥ mid", "≥ high"]
    assert classes.filter(metric="AUC")["estimate"].min() > 0.7
    assert tables["outcome/class_calibration"]["item"].n_unique() == 2
    single = tables["outcome/univariate"].sort("neg_log_10_p_value", descending=True)
    assert single["predictor"][0] == "PET:f0"
    assert single["neg_log_10_p_value"][0] > 4


def test_classes_without_an_order(study):
    _, tables, problems = done(study, "type")
    (row,) = tables["outcome/performance"].to_dicts()
    assert (row["metric"], row["model"]) == ("Hand & Till M", "ridge multinomial")
    assert row["lower"] > 0.55
    assert tables["outcome/classes"]["item"].unique(maintain_order=True).to_list() == ["", "a", "b", "c"]
    assert tables["outcome/univariate"].height == 0
    assert any("no single score ranks them" in p.got for p in problems)


def test_the_ranked_probability_score_and_the_cuts_are_their_definitions():
    probability = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    np.testing.assert_allclose(
        ranked_probability_score(probability, np.array([1, 0])), [(0.04 + 0.25) / 2, (0.16 + 0.01) / 2]
    )
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), 40)
    target = Target(rng.integers(0, 3, 40).astype(float), levels=("a", "b", "c"), ordered=True)
    found = assess_classes(target, p[None], np.zeros((1, 40), np.int64), 20)
    assert [j.item for j in found] == ["", "≥ b", "≥ c"]
    assert found[2].measures[0].estimate == pytest.approx(auc(target.event == 2, p[:, 2]))
    assert not any("without" in m.metric for m in found[0].measures), "nobody else trained the model"
    two = assess_classes(target, p[None], np.arange(40)[None] % 2, 20)
    even = np.arange(40) % 2 == 0
    label = target.event.astype(int)
    bare = np.empty((40, 3))
    for half in (even, ~even):
        bare[half] = np.bincount(label[~half], minlength=3) / 20
    told = {m.metric: m.estimate for m in two[0].measures}
    assert told["ranked probability score without predictors"] == pytest.approx(
        ranked_probability_score(bare, label).mean()
    )


def test_delayed_entry(study):
    planned, tables, problems = done(study, "late")
    assert {u.task.model for u in planned.units} == {"cox"}
    assert any("a survival endpoint with entry: cox is taken" in p.got for p in problems)
    assert any("delayed entry or strata" in p.got for p in problems)
    assert tables["outcome/performance"]["estimate"][0] > 0.55
    assert tables["outcome/horizons"].height == 0
    assert tables["outcome/hazard_ratios"].height == 0, "unpenalised models do not know who entered late"
    first = tables["outcome/kaplan_meier"].filter(group="low").sort("time")
    assert first["at_risk"][0] < (tables["outcome/groups"]["group"] == "low").sum(), "few have entered by then"


def test_strata_with_competing_events_are_refused_plainly(study):
    first = replace(study[0]["first"], stratum=("a",) * 60 + ("b",) * 60)
    planned = plan({"first": first}, study[1], QUICK)
    assert not planned.units
    (problem,) = [p for p in planned.problems if p.severity == "set aside"]
    assert problem.got.endswith("predicts a competing endpoint with strata")


@pytest.mark.parametrize("endpoint", ["plain", "first"])
def test_a_bootstrap_is_judged_at_horizons_and_in_groups_by_those_left_out(study, endpoint):
    changes = {"split": "bootstrap", "resamples": 8, "horizons": (4.0,), "penalties": 6}
    planned, tables, _ = done(study, endpoint, **changes)
    at = tables["outcome/horizons"]
    assert set(at["metric"]) >= {"AUC(t)", "Brier(t)"}
    per_model = at.height // len({u.task.model for u in planned.units})
    assert per_model == 4
    assert tables["outcome/groups"].height > 110 * (at.height // 4)
    brier = at.filter(pl.col("metric").str.starts_with("Brier")).partition_by("model")[0]["estimate"].to_list()
    assert 0 < brier[0] < brier[1] < 0.35


def test_a_locked_fine_gray_model_predicts_what_it_predicted(study, tmp_path):
    (task,) = {
        u.task.model: u.task for u in plan(*study, replace(QUICK, endpoints=("first",), models=("fine_gray",))).units
    }.values()
    tuned = fit_everyone(task)
    about = {"endpoint": "first", "kind": "competing", "unit": "months", "predictors": "imaging", "model": task.shown}
    rest = {"patients": 120, "events": task.target.events, "performance": (), "settings": {}, "versions": {}}
    file = tmp_path / "model.json"
    file.write_bytes(lock_model(tuned, task.data, **about, **rest).to_json())
    model = read_model(file)
    frame = study[1]["imaging"]
    linear, told = model.linear(frame)
    assert not told
    np.testing.assert_allclose(linear, tuned.predict(task.data), atol=1e-9)
    np.testing.assert_allclose(1 - model.risk(linear, [2.0, 6.0]), tuned.survival(task.data, [2.0, 6.0]), atol=1e-9)
    _, told = model.linear(frame.with_columns(pl.col("PET:f0") * 10 + 100))
    assert told[0][:2] == ("most patients", "PET:f0")
    assert told[0][2].startswith("120 of 120 patients are outside the training range: is it measured as in training")
    table = validate(model, linear, task.target, [4.0], draws=30)
    rows = {r["metric"]: r for r in table.iter_rows(named=True)}
    assert rows["Wolbers C"]["lower"] > 0.6
    assert 0.8 < rows["observed / expected"]["estimate"] < 1.2


def test_the_latest_are_judged_at_the_times_of_all(study):
    """Curves and risks are taken at times of all subjects, of whom the later ones alone are judged."""
    endpoints, frames = study
    day = pl.DataFrame({"subject": frames["imaging"]["subject"], "day": np.arange(120)})
    _, tables, _ = done((endpoints, {**frames, "clinical": day}), "plain", split="temporal", date="day", penalties=6)
    assert tables["outcome/performance"]["n"].to_list() == [36]
    times = np.unique(endpoints["plain"].time[endpoints["plain"].event == 1])
    at = tables["outcome/horizons"].filter(metric="Brier(t)")["time"][0]
    assert at == np.quantile(endpoints["plain"].time[endpoints["plain"].event == 1], 0.5, method="lower")
    assert at in times
    measures = dict(tables["outcome/evaluation"].select("metric", "estimate").iter_rows())
    assert measures["integrated Brier"] < measures["integrated Brier without predictors"]
