"""What is judged, explained and shown after the repetitions."""

import numpy as np
import polars as pl
import pytest

from radiolocus.learn.assess import time_grid
from radiolocus.outcome.further import TABLES as NAMES
from radiolocus.outcome.further import gather, parts_of, run_part
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit, summarise
from radiolocus.schema import TABLES
from radiolocus.stats.calibration import calibration, calibration_at
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.decision import decision_curve
from radiolocus.stats.horizon import brier_at
from radiolocus.stats.roc import average_precision, delong_paired

OPTIONS = OutcomeOptions(
    clinical=("Age", "Sex", "Grade"), repeats=2, folds=4, inner_folds=3, penalties=8, bootstrap=20,
    univariate_bootstrap=2, permutations=0, horizons=(200.0,),
)  # fmt: skip


@pytest.fixture(scope="module")
def done(same_cohort):
    frames = {name: same_cohort.frames[name] for name in ("clinical", "imaging")}
    planned = plan(same_cohort.endpoints, frames, OPTIONS)
    results = [run_unit(unit) for unit in planned.units]
    parts = parts_of(planned, results)
    return summarise(planned, results), parts, gather(parts, [run_part(part) for part in parts])


def rows(done, name, **where):
    return done[2].tables[f"outcome/{name}"].filter(*(pl.col(k) == v for k, v in where.items()))


def test_tables_conform_and_hold_every_model(done):
    _, parts, found = done
    assert set(found.tables) == {f"outcome/{n}" for n in (*NAMES, "comparison")}
    assert len(parts) == 6
    for name, table in found.tables.items():
        assert table.schema == pl.Schema(TABLES[name].schema)
        assert table.height > 0, name
        assert not any(table[c].is_nan().any() for c, kind in table.schema.items() if kind == pl.Float64), name
    told = rows(done, "evaluation").group_by("endpoint", "predictors", "model").len()
    assert set(told["len"]) <= {8, 10, 12}  # D has no value where a fold is predicted alike
    assert told.filter(predictors="imaging")["len"].sort().to_list() == [8, 12]


def test_contributions_add_up_to_the_mean_out_of_fold_prediction(done):
    where = {"endpoint": "survival", "predictors": "all", "model": "elastic-net Cox"}
    shap = rows(done, "shap", **where)
    total = shap.group_by("subject", maintain_order=True).agg(pl.col("contribution").sum() + pl.col("base").first())
    predicted = done[0].tables["outcome/predictions"].filter(*(pl.col(k) == v for k, v in where.items()))
    mean = predicted.group_by("subject", maintain_order=True).agg(pl.col("prediction").mean())
    both = total.join(mean, on="subject")
    np.testing.assert_allclose(both["contribution"], both["prediction"], atol=1e-10)
    assert both.height == 70
    importance = rows(done, "importance", **where)
    first = importance.row(0, named=True)
    assert first["predictor"] == "PET:f0"
    assert first["lower"] > 0.0
    assert first["mean_abs_shap"] == pytest.approx(shap.filter(predictor="PET:f0")["contribution"].abs().mean())
    assert rows(done, "shap", predictor="Grade")["level"].is_not_null().any()


def test_numbers_of_a_class_are_those_of_each_repetition(done, same_cohort):
    _, parts, _ = done
    part = next(p for p in parts if p.task.endpoint == "relapse" and p.task.predictors == "imaging")
    label = same_cohort.endpoints["relapse"].event
    risks = [f["curves"]["probability"].to_numpy() for f in part.done]
    found = rows(done, "evaluation", endpoint="relapse", predictors="imaging")
    value = dict(found.select("metric", "estimate").iter_rows())
    judged = [calibration(label, np.clip(r, 0.001, 0.999)) for r in risks]
    assert value["calibration slope"] == pytest.approx(np.mean([j.slope for j in judged]))
    assert value["ICI"] == pytest.approx(np.mean([j.gaps.ici for j in judged]))
    assert value["Brier"] == pytest.approx(np.mean([(r - label) ** 2 for r in risks]))
    assert value["average precision"] == pytest.approx(np.mean([average_precision(label, r).estimate for r in risks]))
    benefit = rows(done, "decision", endpoint="relapse", predictors="imaging").filter(pl.col("threshold") == 0.3)
    expected = np.mean([decision_curve(label, r, [0.3]).net_benefit[0] for r in risks])
    assert benefit["net_benefit"][0] == pytest.approx(expected)
    other = next(p for p in parts if p.task.endpoint == "relapse" and p.task.predictors == "clinical")
    means = [np.mean([f["curves"]["probability"].to_numpy() for f in p.done], axis=0) for p in (part, other)]
    row = rows(done, "comparison", first="clinical", second="imaging", metric="AUC difference").row(0, named=True)
    assert row["estimate"] == pytest.approx(delong_paired(label, *means).difference)
    assert "no prop" in rows(done, "comparison", metric="NRI")["warning"][0]


def test_the_unpenalised_model_is_told_as_what_it_is(done, same_cohort):
    ratios = rows(done, "hazard_ratios", endpoint="survival", predictors="clinical")
    assert set(ratios["chosen"]) == {False}
    age = ratios.filter(covariate="Age").row(0, named=True)
    assert age["unit"].startswith("standard deviation, ")
    assert age["lower"] < age["estimate"] < age["upper"]
    chosen = rows(done, "hazard_ratios", endpoint="survival", predictors="imaging").filter(pl.col("chosen"))
    if chosen.height:
        frame, end = same_cohort.frames["imaging"], same_cohort.endpoints["survival"]
        X = frame.select(chosen["covariate"].to_list()).to_numpy()
        fit = fit_cox(end.time, end.event, X / X.std(axis=0))
        np.testing.assert_allclose(chosen["estimate"], np.exp(fit.coefficient), rtol=1e-8)
    tests = rows(done, "proportional_hazards", endpoint="survival", covariate="out-of-fold risk")
    assert tests.height == 3
    assert rows(done, "schoenfeld", part="smooth")["lower"].is_not_null().all()
    grade = same_cohort.frames["clinical"]["Grade"].drop_nulls()
    units = dict(rows(done, "hazard_ratios", predictors="clinical").select("covariate", "unit").iter_rows())
    assert {u for c, u in units.items() if c.startswith("Grade=")} == {f"against {grade.mode().sort()[0]}"}


def test_survival_is_judged_at_the_horizon_and_over_time(done):
    where = {"endpoint": "survival", "predictors": "imaging", "model": "elastic-net Cox"}
    value = dict(rows(done, "evaluation", **where).select("metric", "estimate").iter_rows())
    assert value["integrated Brier"] < value["integrated Brier without predictors"]
    assert value["Royston D"] > 0
    c = done[0].tables["outcome/performance"].filter(*(pl.col(k) == v for k, v in where.items()))["estimate"][0]
    assert value["Antolini C"] == pytest.approx(c, abs=0.03)  # curves do not cross, but tie before the first event
    part = next(p for p in done[1] if p.task.endpoint == "survival" and p.task.predictors == "imaging")
    target, at = part.task.target, int(np.searchsorted(time_grid(part.task.target), 200.0, side="right")) - 1
    risks = [1 - np.array([curve[at] for curve in f["curves"]["survival"]]) for f in part.done]
    judged = [calibration_at(target.time, target.event, np.clip(r, 0.001, 0.999), 200.0) for r in risks]
    assert value["calibration slope"] == pytest.approx(np.mean([j.slope for j in judged]))
    assert value["O/E"] == pytest.approx(np.mean([j.observed_expected for j in judged]))
    assert value["E90"] == pytest.approx(np.mean([j.gaps.e90 for j in judged]))
    horizon = done[0].tables["outcome/horizons"].filter(metric="Brier(t)", **where)
    brier = np.mean([brier_at(target.time, target.event, r, [200.0])[0] for r in risks])
    assert horizon["estimate"][0] == pytest.approx(brier)  # risks of the curves are those of the horizons
    course = rows(done, "over_time", metric="AUC(t)", **where)
    assert 3 <= course.height <= 12
    assert course["estimate"].min() > 0.5
    curve = rows(done, "calibration", **where)
    assert curve["predicted"].is_sorted()
    assert set(curve["time"]) == {200.0}


def test_explanations_can_be_left_out(same_cohort):
    some = OutcomeOptions(**{**OPTIONS.__dict__, "shuffles": 0, "models": ("elastic_net",), "endpoints": ("relapse",)})
    planned = plan(same_cohort.endpoints, {"imaging": same_cohort.frames["imaging"]}, some)
    result = run_unit(planned.units[0])
    assert "curves" in result
    assert not {"shap", "importance"} & set(result)


def test_forests_are_explained_too(same_cohort):
    some = OutcomeOptions(
        **{**OPTIONS.__dict__, "models": ("survival_forest",), "endpoints": ("survival",), "repeats": 1, "folds": 2}
    )
    planned = plan(same_cohort.endpoints, {"imaging": same_cohort.frames["imaging"]}, some)
    (part,) = parts_of(planned, [run_unit(unit) for unit in planned.units])
    tables = run_part(part)
    assert set(tables["importance"]["scale"]) == {"expected events"}
    assert tables["importance"]["predictor"][0] == "PET:f0"
    assert "nomogram" not in tables
    assert tables["proportional_hazards"]["covariate"].to_list()[-1] == "out-of-fold risk"
