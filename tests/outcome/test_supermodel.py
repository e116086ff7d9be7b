import numpy as np
import pytest

from monitored import reference_answers, reference_table, simulated, tracked
from radiolocus.errors import FitError
from radiolocus.learn.target import Target
from radiolocus.outcome.histories import Histories
from radiolocus.outcome.monitoring_fits import intervals_of, time_dependent_cox
from radiolocus.outcome.supermodel import BASELINE, CHANGE, CLINICAL, LAST, MIXED, Landmarks, Tracked, fit_monitor
from radiolocus.stats.counting import fit_counting_cox
from radiolocus.stats.horizon import auc_at, brier_at

MARKS = Landmarks((0.0, 90.0, 180.0, 270.0), 180.0)
EVERY = (CLINICAL, BASELINE, LAST, CHANGE, MIXED)


@pytest.fixture(scope="module")
def told():
    return reference_answers()


@pytest.fixture(scope="module")
def data():
    return tracked(*reference_table())


@pytest.fixture(scope="module")
def fitted(data):
    return fit_monitor(data, LAST, MARKS, ridge=0.0)


def per_unit(model):
    """Coefficients and robust variance a unit of the columns."""
    scale = np.r_[model.columns.scale, np.ones(model.landmarks.clock)]
    return model.cox.coefficient / scale, model.cox.covariance / np.outer(scale, scale)


def test_equals_coxph_on_stacked_landmarks(fitted, told):
    beta, covariance = per_unit(fitted)
    assert fitted.terms == ("grade", "log volume_ml, last", "landmark", "landmark²")
    np.testing.assert_allclose(beta, told["super.coef"], atol=1e-7)
    np.testing.assert_allclose(covariance.ravel(), told["super.robust"], atol=1e-7)
    assert fitted.cox.loglik == pytest.approx(told["super.loglik"], abs=1e-7)


def test_risks_equal_basehaz(data, fitted, told):
    risk = fitted.risk(data, data.at_risk(90.0)[:6], 90.0)
    np.testing.assert_allclose(risk, told["super.risk"], atol=1e-8)


@pytest.mark.parametrize("landmark", [90.0, 180.0])
def test_auc_and_brier_at_a_landmark_equal_risk_regression(data, fitted, told, landmark):
    who = data.at_risk(landmark)
    risk, time, event = fitted.risk(data, who, landmark), data.time[who] - landmark, data.target.event[who]
    assert auc_at(time, event, risk, [180.0])[0] == pytest.approx(told[f"auc.{landmark:g}"], abs=1e-9)
    assert brier_at(time, event, risk, [180.0])[0] == pytest.approx(told[f"brier.{landmark:g}"], abs=1e-9)


def test_ridge_equals_coxph(data, told):
    n = sum(data.at_risk(s).size for s in MARKS.times)
    # R's ridge takes the variance of a column with n − 1.
    beta, _ = per_unit(fit_monitor(data, LAST, MARKS, ridge=7.0 * n / (n - 1)))
    np.testing.assert_allclose(beta, told["ridge.coef"], atol=1e-6)


def test_time_dependent_cox_equals_coxph(data, told):
    fit, names, _ = time_dependent_cox(data)
    assert names == ("grade", "log volume_ml")
    assert fit.n == told["timed.n"]
    np.testing.assert_allclose(fit.coefficient, told["timed.coef"], atol=1e-8)
    np.testing.assert_allclose(fit.covariance.ravel(), told["timed.robust"], atol=1e-8)


def test_competing_events_equal_cause_specific_models(data, told):
    third = np.array([int(name.removeprefix("M")) % 3 == 0 for name in data.histories.subject])
    state = data.target.event * np.where(third, 2.0, 1.0)
    target = Target((state == 1).astype(float), data.time, state=state)
    model = fit_monitor(Tracked(target, data.histories, data.clinical), LAST, Landmarks((90.0,), 180.0), ridge=0.0)
    beta = np.concatenate([fit.coefficient / model.columns.scale for fit in (model.cox, model.rival)])
    np.testing.assert_allclose(beta, told["rival.coef"], atol=1e-6)
    risk = model.risk(data, data.at_risk(90.0)[:6], 90.0)
    np.testing.assert_allclose(risk, told["rival.risk"], atol=1e-6)


def test_a_penalty_without_limit_leaves_nothing():
    rng = np.random.default_rng(1)
    t, x = rng.exponential(size=80), rng.normal(size=(80, 2))
    fit = fit_counting_cox(t, np.ones(80), x, ridge=[1e9, 0.0])
    assert abs(fit.coefficient[0]) < 1e-6 < abs(fit.coefficient[1])


def test_a_penalty_on_all_columns_fits_collinear_ones():
    rng = np.random.default_rng(1)
    t, x = rng.exponential(size=80), rng.normal(size=80)
    both = fit_counting_cox(t, np.ones(80), np.column_stack([x, 3.0 * x]), ridge=2.0)
    one = fit_counting_cox(t, np.ones(80), x, ridge=1.0)
    # Each bears half of the effect: two halves cost half of what one whole does.
    assert both.coefficient[0] == pytest.approx(one.coefficient[0] / 2)
    with pytest.raises(FitError, match="collinear columns"):
        fit_counting_cox(t, np.ones(80), np.column_stack([x, 3.0 * x]), ridge=[2.0, 0.0])


@pytest.mark.parametrize("predictors", EVERY)
def test_what_comes_after_the_landmark_predicts_nothing(data, predictors):
    model = fit_monitor(data, predictors, MARKS)
    who = data.at_risk(90.0)
    h = data.histories
    later = Histories(h.subject, h.markers, h.person, h.at, np.where(h.at[:, None] > 90.0, 1e3, h.value))
    other = Tracked(Target(data.target.event, data.time + 500.0), later, data.clinical)
    np.testing.assert_array_equal(model.risk(data, who, 90.0), model.risk(other, who, 90.0))


@pytest.mark.parametrize("predictors", [LAST, MIXED])
def test_visits_after_the_end_teach_nothing(data, predictors):
    h = data.histories
    beyond = Histories(
        h.subject,
        h.markers,
        np.r_[h.person, [3, 3]],
        np.r_[h.at, data.time[3] + [10.0, 20.0]],
        np.vstack([h.value, [[50.0], [90.0]]]),
    )
    order = np.lexsort((beyond.at, beyond.person))
    more = Histories(h.subject, h.markers, beyond.person[order], beyond.at[order], beyond.value[order])
    one, two = (fit_monitor(d, predictors, MARKS) for d in (data, Tracked(data.target, more, data.clinical)))
    np.testing.assert_array_equal(one.cox.coefficient, two.cox.coefficient)


def test_more_scans_come_closer_to_the_truth():
    made, data = simulated(subjects=300, seed=9)
    landmarks = Landmarks((0.0, 180.0, 360.0), 180.0)
    models = {name: fit_monitor(data, name, landmarks) for name in (BASELINE, LAST, MIXED)}
    agreement = {}
    for s in landmarks.times:
        who = data.at_risk(s)
        true = made.risk(s, 180.0)[who]
        for name, model in models.items():
            risk = model.risk(data, who, s)
            agreement[name, s] = np.corrcoef(true, risk)[0, 1]
            if name == MIXED:
                assert risk.mean() == pytest.approx(true.mean(), abs=0.05)
    assert agreement[MIXED, 360.0] > agreement[LAST, 360.0] > agreement[BASELINE, 360.0] + 0.3
    assert agreement[MIXED, 360.0] > 0.9 > agreement[MIXED, 0.0]


def test_time_dependent_cox_finds_the_planted_effect():
    # A marker without error and scans every week: the last value is the true one, all but for a few days.
    made, data = simulated(subjects=500, seed=5, noise=1e-6, interval=7.0)
    fit, _, _ = time_dependent_cox(data)
    truth = np.array([made.options.covariate, made.options.association])
    assert (np.abs(fit.coefficient - truth) < 2.5 * fit.standard_error).all()
    assert (fit.standard_error < 0.15).all()
    # With error it is drawn towards zero.
    _, noisy = simulated(subjects=500, seed=5, noise=0.8, interval=45.0)
    assert time_dependent_cox(noisy)[0].coefficient[1] < 0.8 * made.options.association


def test_effects_may_change_with_the_landmark(data):
    model = fit_monitor(data, LAST, Landmarks(MARKS.times, 180.0, varying=True))
    assert model.terms[2:4] == ("grade × landmark", "log volume_ml, last × landmark")
    assert np.isfinite(model.risk(data, data.at_risk(90.0), 90.0)).all()


def test_one_landmark_needs_no_clock(data):
    model = fit_monitor(data, BASELINE, Landmarks((0.0,), 180.0))
    assert model.terms == ("grade", "log volume_ml, first")


def test_who_entered_later_is_not_at_risk_before(data):
    entry = np.where(np.arange(data.target.n) < 5, 120.0, 0.0)
    late = Tracked(data.target, data.histories, data.clinical, entry)
    assert not np.isin(np.arange(5), late.at_risk(90.0)).any()
    assert np.isin(np.flatnonzero(data.time[:5] > 180.0), late.at_risk(180.0)).all()


def test_who_entered_later_has_no_interval_before(data):
    entry = np.where(np.arange(data.target.n) < 30, 100.0, 0.0)
    late = Tracked(data.target, data.histories, data.clinical, entry)
    all_of, cut = (intervals_of(d)[0] for d in (data, late))
    assert cut.entry[cut.who < 30].min() == 100.0
    gone = (all_of.who < 30) & (all_of.leave <= 100.0)
    assert cut.who.size == all_of.who.size - gone.sum()
    assert (cut.entry < cut.leave).all()
    assert time_dependent_cox(late)[0].events == all_of.event.sum() - all_of.event[gone].sum()


def test_no_events_in_any_window_is_said(data):
    nothing = Tracked(Target(np.zeros(data.target.n), data.time), data.histories, data.clinical)
    with pytest.raises(FitError, match="no events within 180 of a landmark"):
        fit_monitor(nothing, LAST, MARKS)
