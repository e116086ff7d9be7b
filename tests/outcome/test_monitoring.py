from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from monitored import MARKER, endpoint_of, options, simulated
from radiolocus.errors import ConfigError, FitError
from radiolocus.learn.horizons import out_of_fold_at_horizons
from radiolocus.learn.target import Target
from radiolocus.model import Endpoint
from radiolocus.outcome.histories import checked_visits
from radiolocus.outcome.monitoring import observed_risk, plan_monitoring, run_monitoring
from radiolocus.outcome.monitoring_judge import METRICS, judge_monitoring
from radiolocus.outcome.supermodel import BASELINE, LAST, MIXED
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.survival import kaplan_meier


def plan(made, asked, endpoint=None, scans=None):
    visits, _ = checked_visits((made.scans if scans is None else scans).rename({"id": "subject"}), [MARKER], time="day")
    return plan_monitoring(visits, [endpoint or endpoint_of(made)], made.clinical.rename({"id": "subject"}), asked)


def judged(made, asked, **more):
    planned = plan(made, asked, **more)
    return judge_monitoring(planned.units, [run_monitoring(u) for u in planned.units]), planned


@pytest.fixture(scope="module")
def made():
    return simulated(subjects=150, seed=12, hazard=0.0009, follow_up=620.0)[0]


@pytest.fixture(scope="module")
def found(made):
    return judged(made, options())


def value(found, metric, predictors, landmark=None, table="performance"):
    rows = found.tables[f"monitoring/{table}"].filter(metric=metric)
    rows = rows.filter(pl.col("landmark").is_null() if landmark is None else pl.col("landmark") == landmark)
    names = (
        {"predictors": predictors}
        if table == "performance"
        else dict(zip(("first", "second"), predictors, strict=True))
    )
    return rows.filter(**names).row(0, named=True)


def test_performance_is_that_of_the_landmark_by_the_judge_of_horizons(found):
    told, planned = found
    data, window = planned.units[0].task.data, 180.0
    rows = told.tables["monitoring/predictions"].filter(predictors=MIXED, landmark=180.0)
    who = data.at_risk(180.0)
    assert rows.sort("subject")["subject"].to_list() == [data.histories.subject[i] for i in who]
    fold, score, risk, bare = (
        rows.sort("subject")[c].to_numpy() for c in ("fold", "prediction", "risk", "risk_without_predictors")
    )
    target = Target(data.target.event[who], data.time[who] - 180.0)
    direct = out_of_fold_at_horizons(
        target, score[None], fold[None], risk[None, :, None], bare[None, :, None], [window], draws=20
    )
    for one in direct:
        if one.metric != "Uno C":  # another truncation time
            assert value(told, one.metric, MIXED, 180.0)["estimate"] == pytest.approx(one.estimate, abs=1e-12)
    brier, plain = (value(told, m, MIXED, 180.0)["estimate"] for m in METRICS[2:4])
    assert value(told, "scaled Brier", MIXED, 180.0)["estimate"] == pytest.approx(1 - brier / plain)


def test_means_and_differences_follow_from_the_landmarks(found):
    told, _ = found
    each = [value(told, "AUC(t)", MIXED, s)["estimate"] for s in (0.0, 180.0)]
    assert value(told, "AUC(t)", MIXED)["estimate"] == pytest.approx(np.mean(each))
    gap = value(told, "AUC(t)", (BASELINE, MIXED), 180.0, "comparisons")
    first, second = (value(told, "AUC(t)", n, 180.0)["estimate"] for n in (BASELINE, MIXED))
    assert gap["estimate"] == pytest.approx(second - first)
    assert gap["lower"] < gap["estimate"] < gap["upper"]


def test_following_the_marker_is_better_than_baseline(found):
    told, _ = found
    assert value(told, "AUC(t)", (BASELINE, MIXED), 180.0, "comparisons")["estimate"] > 0.05
    assert value(told, "scaled Brier", MIXED, 180.0)["estimate"] > 0.1
    audit = dict(told.tables["monitoring/audit"].select("check", "verdict").iter_rows())
    assert audit["permuted outcome"] == "pass"


def test_without_an_effect_nothing_is_found():
    null, _ = simulated(subjects=150, seed=2, association=0.0, covariate=0.0)
    told, _ = judged(null, options(permutations=0))
    row = value(told, "AUC(t)", MIXED)
    assert row["lower"] < 0.5 < row["upper"]
    assert abs(row["estimate"] - 0.5) < 0.08
    assert value(told, "scaled Brier", MIXED)["estimate"] < 0.05


def test_the_order_of_rows_changes_no_number(made, found):
    mixed_up = made.scans.sample(fraction=1.0, shuffle=True, seed=5)
    again, _ = judged(made, options(), scans=mixed_up)
    for name, table in found[0].tables.items():
        assert table.equals(again.tables[name]), name


def test_a_poisoned_test_fold_changes_nothing_that_was_learned(made, found):
    predictions = found[0].tables["monitoring/predictions"].filter(pl.col("fold") == 0)
    held = predictions["subject"].unique().sort().to_list()
    spared, poisoned = held[0], held[1:]
    bad = pl.col("id").is_in(poisoned)
    scans = made.scans.with_columns(pl.when(bad).then(pl.col(MARKER) ** 3 + 1e4).otherwise(MARKER).alias(MARKER))
    clinical = made.clinical.with_columns(
        pl.when(bad).then(1 - pl.col("grade")).otherwise("grade").alias("grade"),
        pl.when(bad).then(pl.col("days") + 400).otherwise("days").alias("days"),
    )
    other = replace(made, scans=scans, clinical=clinical)
    planned = plan(other, options())
    again = run_monitoring(next(u for u in planned.units if u.kind == "repeat"))
    mine = [
        t.filter(subject=spared, fold=0).sort("predictors", "landmark") for t in (predictions, again["predictions"])
    ]
    assert mine[0].height >= 5
    assert mine[0].equals(mine[1])
    risks = [t.filter(subject=spared) for t in (found[0].tables["monitoring/risk"], again["risk"])]
    assert risks[0].equals(risks[1])


def test_intervals_of_risk_hold_the_true_risk(made):
    asked = options(draws=15, permutations=0, bootstrap=2)
    unit = next(u for u in plan(made, asked).units if u.kind == "repeat")
    rows = run_monitoring(unit)["risk"].filter(pl.col("lower").is_not_null())
    place = {s: i for i, s in enumerate(made.clinical["id"])}
    at = [place[s] for s in rows["subject"]]
    true = np.array([made.risk(t, 180.0)[i] for t, i in zip(rows["time"], at, strict=True)])
    held = (true >= rows["lower"].to_numpy()) & (true <= rows["upper"].to_numpy())
    assert 0.85 < held.mean() <= 1.0
    assert (rows["lower"] <= rows["risk"]).all()
    assert (rows["risk"] <= rows["upper"]).all()
    assert np.corrcoef(true, rows["risk"].to_numpy())[0, 1] > 0.75


def test_what_came_after_a_visit_is_told_only_where_it_is_known(found, made):
    rows = found[0].tables["monitoring/risk"].join(made.clinical.rename({"id": "subject"}), on="subject", how="left")
    end = pl.col("time") + 180.0
    came = (pl.col("progressed") == 1) & (pl.col("days") <= end)
    assert rows.filter(came)["event"].unique().to_list() == [1]
    assert rows.filter(~came & (pl.col("days") >= end))["event"].unique().to_list() == [0]
    assert rows.filter(~came & (pl.col("days") < end))["event"].unique().to_list() == [None]
    assert rows["time"].max() <= 180.0


def test_growth_and_doubling_time(found, made):
    rows = found[0].tables["monitoring/growth"].sort("subject")
    line = dict(zip(made.clinical["id"], made.line[:, 1], strict=True))
    true = np.array([line[s] for s in rows["subject"]])
    held = (true >= rows["lower"].to_numpy()) & (true <= rows["upper"].to_numpy())
    assert held.mean() > 0.9
    own = rows.filter(pl.col("own_slope").is_not_null() & (pl.col("visits") >= 3))
    error = [
        np.mean((own[c].to_numpy() - np.array([line[s] for s in own["subject"]])) ** 2) for c in ("own_slope", "slope")
    ]
    assert error[1] < 0.5 * error[0]
    grown = rows.filter(pl.col("slope") > 0)
    np.testing.assert_allclose(grown["doubling_time"], np.log(2) / grown["slope"])
    assert rows.filter(pl.col("slope") <= 0)["doubling_time"].null_count() == rows.filter(pl.col("slope") <= 0).height
    assert rows.filter(pl.col("lower") <= 0)["doubling_upper"].null_count() == rows.filter(pl.col("lower") <= 0).height


def test_mixed_model_and_hazards_are_told(found):
    told = found[0].tables
    mixed = dict(told["monitoring/mixed"].select("term", "estimate").iter_rows())
    assert mixed["sd of intercepts"] == pytest.approx(0.7, abs=0.12)
    assert mixed["residual sd"] == pytest.approx(0.4, abs=0.03)
    hazard = told["monitoring/time_dependent"].filter(term="log volume_ml").row(0, named=True)
    assert hazard["lower"] > 1.3
    assert hazard["events"] <= found[1].units[0].task.data.target.events
    landmarks = told["monitoring/landmarks"]
    assert landmarks["n"].to_list() == [found[1].units[0].task.data.at_risk(s).size for s in (0.0, 180.0)]
    assert set(told["monitoring/coefficients"]["predictors"]) >= {BASELINE, LAST, MIXED}


@pytest.fixture(scope="module")
def rivals(made):
    """The same cohort, in which some die of something else before."""
    rng = np.random.default_rng(4)
    days, event = made.clinical["days"].to_numpy().astype(float), made.clinical["progressed"].to_numpy().astype(float)
    death = np.ceil(rng.exponential(700.0, days.size))
    state = np.where(death < days, 2.0, event)
    time = np.minimum(days, death)
    endpoint = Endpoint(
        "progression", "competing", tuple(made.clinical["id"]), (state == 1).astype(float), time, "days",
        levels=("progression", "death"), state=state,
    )  # fmt: skip
    told, planned = judged(made, options(permutations=1), endpoint=endpoint)
    return told, planned, endpoint


def test_competing_events_lower_the_risk_and_count_as_none(rivals, made):
    told, planned, _ = rivals
    data = planned.units[0].task.data
    assert value(told, "Wolbers C", MIXED)["estimate"] > 0.6
    assert value(told, "AUC(t)", MIXED)["estimate"] > 0.6
    rows = told.tables["monitoring/predictions"].filter(predictors=MIXED, landmark=0.0)
    who = data.at_risk(0.0)
    observed, low, high = observed_risk(data.time[who], data.state[who], 180.0)
    naive = observed_risk(data.time[who], (data.state[who] == 1).astype(float), 180.0)[0]
    assert rows["risk_without_predictors"].mean() == pytest.approx(observed, abs=0.01)
    assert low < rows["risk"].mean() < high
    assert observed < naive - 0.01
    risk = told.tables["monitoring/risk"]
    place = {s: i for i, s in enumerate(data.histories.subject)}
    died = [
        data.state[place[s]] == 2 and data.time[place[s]] <= t + 180
        for s, t in risk.select("subject", "time").iter_rows()
    ]
    assert set(risk.filter(pl.Series(died))["event"]) == {0}
    terms = told.tables["monitoring/coefficients"].filter(predictors=LAST)["term"].to_list()
    assert "competing: log volume_ml, last" in terms
    assert told.tables["monitoring/audit"].filter(check="permuted outcome").height == 1


def test_observed_risk_is_that_of_the_curves(rivals):
    _, planned, _ = rivals
    data = planned.units[0].task.data
    time, event = data.time, (data.state > 0).astype(float)
    risk, low, high = observed_risk(time, event, 200.0)
    curve = kaplan_meier(time, event)
    j = np.searchsorted(curve.time, 200.0, side="right") - 1
    np.testing.assert_allclose([risk, low, high], 1 - np.array([curve.survival[j], curve.upper[j], curve.lower[j]]))
    both = aalen_johansen(time, data.state)
    assert observed_risk(time, data.state, 200.0)[0] == pytest.approx(float(both.incidence_at(200.0, 1)))
    assert observed_risk(time, np.zeros(time.size), 200.0)[0] == 0.0


def test_landmarks_without_enough_events_are_left_out(made):
    planned = plan(made, options(landmarks=(0.0, 180.0, 5000.0)))
    assert planned.units[0].task.landmarks.times == (0.0, 180.0)
    assert any("landmark 5000 left out: 0 events" in p.got for p in planned.problems)
    chosen = plan(made, options(landmarks=(), min_events=10)).units[0].task.landmarks.times
    assert chosen[:3] == (0.0, 90.0, 180.0)
    nothing = plan(made, options(min_events=10_000))
    assert not nothing.units
    assert nothing.problems[-1].got.startswith("no landmark with 10000 events")


def test_endpoints_that_cannot_be_monitored_are_set_aside(made):
    binary = Endpoint("relapse", "binary", tuple(made.clinical["id"]), np.ones(150))
    planned = plan(made, options(endpoints=("relapse",)), endpoint=binary)
    assert [(p.item, p.got, p.severity) for p in planned.problems] == [("relapse", "a binary endpoint", "set aside")]
    with pytest.raises(ConfigError, match="no clinical column 'stage'"):
        plan(made, options(clinical=("stage",)))


def test_one_repetition_that_fails_sets_the_endpoint_aside(made):
    planned = plan(made, options(permutations=1))
    results = [FitError("no way") if u.kind == "repeat" else run_monitoring(u) for u in planned.units[:3]]
    told = judge_monitoring(planned.units[:3], results)
    assert [(p.item, p.got) for p in told.problems] == [("progression", "no way")]
    assert told.tables["monitoring/performance"].height == 0
    with pytest.raises(ZeroDivisionError):
        judge_monitoring(planned.units[:1], [ZeroDivisionError()])


def test_subjects_with_one_scan_alone_are_monitored_too(made):
    first = made.scans.filter((pl.col("id") > "M0040") | (pl.col("day") == 0))
    planned = plan(made, options(), scans=first)
    assert any(p.got.startswith("4") and "with one visit only: M0001" in p.got for p in planned.problems)
    risk = run_monitoring(next(u for u in planned.units if u.kind == "repeat"))["risk"]
    assert risk.filter(pl.col("subject") <= "M0040")["visits"].to_list() == [1] * 40
