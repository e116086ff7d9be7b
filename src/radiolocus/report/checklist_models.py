"""Rules of checklists on outcomes and models."""

from __future__ import annotations

import polars as pl

from radiolocus.report.checklist_facts import Answer, Facts, Status, judged, listed, rule
from radiolocus.report.numbers import interval, number, plural

__all__: list[str] = []  # its rules are registered

_EACH = 10  # events for each predictor that a model uses, by the usual rule of thumb


@rule
def aim(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    endpoints = listed(f.performance["endpoint"].unique(maintain_order=True).to_list())
    return Answer("partly", f"development and internal evaluation of models of {endpoints}")


@rule
def centres(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "site").any():
        sites = f.performance.filter(pl.col("split") == "site")["folds"].to_list()
        column = f.setting("outcome", "site")
        return Answer("reported", f"{max(sites)} sites by the column {column}, each held out in turn")
    column = f.setting("outcome", "harmonise")
    return Answer("partly", f"batches by the column {column}") if column else None


@rule
def outcome(f: Facts) -> Answer | None:
    asked = f.setting("cohort", "endpoints") or {}
    told = [
        f"{name}: {e.get('kind')}, event {e.get('event')} = {listed(e.get('event_values') or ['1'])}"
        for name, e in asked.items()
    ]
    return Answer("partly", "; ".join(told) + "; how it was assessed is open") if told else None


@rule
def reference(f: Facts) -> Answer | None:
    found = outcome(f)
    return Answer("open", found.known) if found else None


@rule
def candidates(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    sets = f.performance.unique(["predictors"], keep="first", maintain_order=True)
    told = listed(f"{r['predictors']} {r['candidates']}" for r in sets.iter_rows(named=True))
    noted = f.setting("outcome", "selected_on") or {}
    return Answer(
        "reported", f"candidates offered: {told}" + (f"; selected beforehand: {listed(noted)}" if noted else "")
    )


@rule
def sample_size(f: Facts) -> Answer | None:
    audit = f.art.table("outcome/audit")
    need = audit.filter(pl.col("check") == "sample size") if audit is not None else None
    if need is None or not need.height:
        return None
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {number(r['value'])}" for r in need.iter_rows(named=True)
    )
    return Answer("reported", f"subjects needed without a penalty (Riley 2020): {told}")


@rule
def missing(f: Facts) -> Answer | None:
    most = f.setting("outcome", "max_missing")
    flag = ", with an indicator" if f.setting("outcome", "missing_indicator") else ""
    how = f.steps.get("impute", "")
    return (
        Answer("reported", f"{how}{flag}; predictors with more than {most:.0%} missing left out, inside the fold")
        if how
        else None
    )


@rule
def split(f: Facts) -> Answer | None:
    return Answer("reported", f.steps["split"]) if "split" in f.steps else None


@rule
def internal(f: Facts) -> Answer | None:
    return split(f)


@rule
def scaling(f: Facts) -> Answer | None:
    return Answer("reported", f"{f.steps['scale']}, learned in the training part") if "scale" in f.steps else None


@rule
def building(f: Facts) -> Answer | None:
    told = [f"{step}: {f.steps[step]}" for step in ("filter", "select", "fit", "tune") if step in f.steps]
    return Answer("reported", "; ".join(told)) if told else None


@rule
def algorithms(f: Facts) -> Answer | None:
    return Answer("reported", f.steps["fit"]) if "fit" in f.steps else None


@rule
def clusters(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "site").any():
        return Answer("partly", "each site held out in turn; performance site by site is open")
    return None


@rule
def measures(f: Facts) -> Answer | None:
    return Answer("reported", listed(f.metrics())) if f.metrics() else None


@rule
def updating(f: Facts) -> Answer | None:
    return judged(f, "not applicable", "development; radiolocus validate recalibrates in new patients")


@rule
def prediction(f: Facts) -> Answer | None:
    return judged(f, "reported", "outcome/predictions.csv: by the model of the fold that did not hold the subject")


@rule
def imbalance(f: Facts) -> Answer | None:
    return judged(f, "reported", "folds are stratified by the outcome; nothing was resampled or reweighted")


@rule
def output(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    groups = "; high risk: above the median of inner out-of-fold predictions" if f.art.has("outcome/groups") else ""
    return Answer("reported", f"log relative hazard or logit, risks by horizons or probability{groups}")


@rule
def difference(f: Facts) -> Answer | None:
    return judged(f, "not applicable", "evaluated within the cohort that it was developed in")


@rule
def numbers(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    sets = f.performance.unique(["endpoint", "predictors"], keep="first", maintain_order=True)
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {r['n']} subjects, {r['events']} events"
        for r in sets.iter_rows(named=True)
    )
    return Answer("reported", told)


@rule
def specification(f: Facts) -> Answer | None:
    if not f.art.has("outcome/nomogram"):
        return None
    return Answer(
        "partly", "nomogram of the model of everybody; radiolocus lock writes the model itself; sharing it is open"
    )


@rule
def performance(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {r['metric']} {interval(r['estimate'], r['lower'], r['upper'])}"
        for r in f.performance.iter_rows(named=True)
        if None not in (r["estimate"], r["lower"], r["upper"])
    )
    return Answer("partly", f"{told}; performance in groups of people is open")


@rule
def limits(f: Facts) -> Answer | None:
    audit = f.art.table("outcome/audit")
    if audit is None:
        return None
    found = audit.filter(pl.col("verdict").is_in(["suspect", "leak"])).select("check").unique().sort("check")
    return Answer(
        "partly", f"the audit suspects: {listed(found['check'])}" if found.height else "the audit found nothing"
    )


@rule
def poor_input(f: Facts) -> Answer | None:
    return judged(
        f,
        "partly",
        "radiolocus predict imputes as in training and warns of missing values, unknown categories and values outside "
        "the training range",
    )


@rule
def checklists(f: Facts) -> Answer | None:
    return Answer(
        "partly", "TRIPOD+AI and CLEAR are filled in as far as the run knows; completing and submitting them is open"
    )


@rule
def pipeline(f: Facts) -> Answer | None:
    return Answer("partly", "steps of the protocol in the report; a drawn chart is open") if f.steps else None


@rule
def robust(f: Facts) -> Answer | None:
    least = f.setting("outcome", "icc_min")
    if least is not None:
        return Answer("reported", f"imaging features of an ICC below {least} left out")
    return (
        Answer("not done", "no smallest ICC was asked for (icc_min)")
        if f.performance is not None and f.images
        else None
    )


@rule
def redundancy(f: Facts) -> Answer | None:
    largest = f.setting("outcome", "redundancy")
    if f.performance is None or largest is None:
        return None
    done = largest < 1.0
    return Answer(
        "reported" if done else "not done",
        f"of columns that correlate at least {largest:g}, one was kept" if done else "only copies were left out",
    )


@rule
def reduction(f: Facts) -> Answer | None:
    told = [f"{step}: {f.steps[step]}" for step in ("filter", "select", "fit") if step in f.steps]
    return Answer("reported", "; ".join(told)) if told else None


@rule
def dimension(f: Facts) -> Answer | None:
    selection = f.art.table("outcome/selection")
    if f.performance is None or selection is None:
        return None
    used = selection.group_by("endpoint", "predictors", "model").agg(pl.col("fraction").sum())
    both = used.join(f.performance, on=["endpoint", "predictors", "model"])
    smaller = (
        pl.when(pl.col("kind") == "survival")
        .then(pl.col("events"))
        .otherwise(pl.min_horizontal("events", pl.col("n") - pl.col("events")))
    )
    each = both.select((smaller / pl.max_horizontal(pl.col("fraction"), pl.lit(1.0))).alias("each"))["each"].min()
    if not isinstance(each, float):
        return None
    status: Status = "reported" if each >= _EACH else "not done"
    return Answer(
        status, f"at least {number(each, 2)} events for each predictor that a model used; {_EACH} are the usual rule"
    )


@rule
def deep(f: Facts) -> Answer | None:
    return None if f.setting("deep") else Answer("not applicable", "no deep learning")


@rule
def leakage(f: Facts) -> Answer | None:
    audit = f.art.table("outcome/audit")
    if audit is None:
        return None
    leaks = audit.filter(pl.col("verdict") == "leak").height
    if leaks:
        return Answer("not done", f"the audit found {plural(leaks, 'leak')}")
    return Answer(
        "reported", "everything is learned inside the fold, patients are never divided, and the audit found no leak"
    )


@rule
def confounders(f: Facts) -> Answer | None:
    told = []
    if f.setting("outcome", "harmonise"):
        told.append(f"ComBat by {f.setting('outcome', 'harmonise')}")
    controls = f.setting("imaging", "controls") or []
    told += [f"negative controls: {listed(controls)}"] if controls else []
    return Answer("partly", "; ".join(told)) if told else None


@rule
def choice(f: Facts) -> Answer | None:
    return (
        Answer(
            "reported", f"settings by {f.steps['tune']}; models are shown side by side, none is picked by its result"
        )
        if "tune" in f.steps
        else None
    )


@rule
def testing(f: Facts) -> Answer | None:
    return (
        Answer("partly", f"internal: {f.steps['split']}; external testing is open (radiolocus validate)")
        if "split" in f.steps
        else None
    )


@rule
def external(f: Facts) -> Answer | None:
    return (
        Answer("open", "radiolocus validate judges a locked model in another cohort")
        if f.performance is not None
        else None
    )


@rule
def validation(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "temporal").any():
        return Answer("partly", "the latest subjects were held out", 2.0, 5.0)
    return Answer("open", "cross-validation trains anew in each fold") if f.performance is not None else None


@rule
def uncertainty(f: Facts) -> Answer | None:
    draws = f.setting("outcome", "bootstrap")
    return judged(
        f, "reported", f"95 % intervals from {draws} bootstrap draws of subjects, pooled over the repetitions"
    )


@rule
def calibration(f: Facts) -> Answer | None:
    table = f.art.table("outcome/evaluation")
    done = table is not None and (table["metric"] == "calibration slope").any()
    if not done:
        return judged(f, "not done", "no risks to calibrate")
    return Answer("reported", "O/E, intercept, slope, ICI, E50, E90 and curves, out of fold, with bootstrap intervals")


@rule
def clinical_comparison(f: Facts) -> Answer | None:
    if "imaging" not in f.sets:
        return judged(f, "not applicable", "no imaging predictors")
    others = [s for s in f.sets if s not in ("imaging", "all")]
    return (
        Answer("reported", f"{listed(others)} alone and all together, on the same folds")
        if others
        else Answer("not done", "imaging alone was judged")
    )


@rule
def combined(f: Facts) -> Answer | None:
    return clinical_comparison(f)


@rule
def gold_standard(f: Facts) -> Answer | None:
    found = clinical_comparison(f)
    return (
        Answer("open", found.known + "; whether that is the gold standard is open")
        if found and found.status == "reported"
        else found
    )


@rule
def statistical_comparison(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    told = [
        t
        for name, t in (
            ("outcome/comparison", "DeLong's test, NRI (with its warning), IDI"),
            ("outcome/added_value", "added value with bootstrap intervals"),
        )
        if f.art.has(name)
    ]
    return (
        Answer("reported", "; ".join(told))
        if told
        else Answer("not done", "intervals stand side by side; no pair was compared")
    )


@rule
def simple(f: Facts) -> Answer | None:
    models = set(f.setting("outcome", "models") or ["elastic_net"])
    plain = models & {"elastic_net", "lasso", "ridge", "weibull", "lognormal", "loglogistic", "ordinal"}
    status: Status = "reported" if plain else "not done"
    return judged(f, status, f"classical models: {listed(sorted(plain))}" if plain else "no classical model beside")


@rule
def explanation(f: Facts) -> Answer | None:
    done = f.art.has("outcome/importance")
    return judged(
        f,
        "reported" if done else "not done",
        "permutation importance, Shapley values, selection frequency, out of fold" if done else "shuffles = 0",
    )


@rule
def cutoff(f: Facts) -> Answer | None:
    return output(f)


@rule
def discrimination(f: Facts) -> Answer | None:
    found = performance(f)
    return Answer("reported", found.known.removesuffix("; performance in groups of people is open")) if found else None


@rule
def utility(f: Facts) -> Answer | None:
    done = f.art.has("outcome/decision")
    return judged(
        f, "reported" if done else "not done", "decision curves, out of fold" if done else "no decision curve"
    )
