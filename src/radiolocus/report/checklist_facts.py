"""What the artefacts of a run say to the items of a checklist: one rule an idea, each a function of the artefacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from radiolocus.report.numbers import interval as shown_interval
from radiolocus.report.numbers import number, plural
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL

__all__ = ["RULES", "Answer", "Facts", "Status"]

Status = Literal["reported", "partly", "not done", "not applicable", "open"]
_EACH = 10  # events for each predictor that a model uses, by the usual rule of thumb


@dataclass(frozen=True)
class Answer:
    """What is known of an item.

    Parameters
    ----------
    status : str
    known : str
    least, most : float, optional
        Points, where the status does not say them.
    """

    status: Status
    known: str = ""
    least: float | None = None
    most: float | None = None


class Facts:
    """Artefacts of a run, as the rules ask for them."""

    def __init__(self, art: Artefacts) -> None:
        self.art = art

    @cached_property
    def performance(self) -> pl.DataFrame | None:
        """Out-of-fold performance without negative controls."""
        frame = self.art.table("outcome/performance")
        return None if frame is None else frame.filter(~pl.col("predictors").str.starts_with(CONTROL))

    @cached_property
    def sets(self) -> list[str]:
        """Sets of predictors that were judged."""
        return [] if self.performance is None else self.performance["predictors"].unique(maintain_order=True).to_list()

    @cached_property
    def steps(self) -> dict[str, str]:
        """Steps of the protocol, those of several models joined."""
        frame = self.art.table("outcome/protocol")
        found: dict[str, list[str]] = {}
        for row in frame.iter_rows(named=True) if frame is not None else ():
            if row["how"] not in found.setdefault(row["step"], []):
                found[row["step"]].append(row["how"])
        return {step: "; ".join(how) for step, how in found.items()}

    @cached_property
    def images(self) -> list[dict[str, Any]]:
        """Images of the study file that are analysed."""
        asked = self.art.setting("imaging", "images") or []
        return [image for image in asked if image.get("analyse", True)]

    def setting(self, *keys: str) -> Any:
        """Value in the settings of the study file, or None."""
        return self.art.setting(*keys)

    def image_settings(self, key: str) -> list[str]:
        """One setting of every analysed image that has its own or shares the common one."""
        common = self.setting("imaging", "settings") or {}
        return [
            f"{image['name']}: {value}"
            for image in self.images
            if (value := (image.get("settings") or {}).get(key, common.get(key))) not in (None, [], "")
        ]

    def metrics(self) -> list[str]:
        """Measures of performance that were taken."""
        frames = (self.performance, self.art.table("outcome/horizons"), self.art.table("outcome/evaluation"))
        names = [n for f in frames if f is not None for n in f["metric"].unique(maintain_order=True).to_list()]
        return list(dict.fromkeys(names))


Rule = Callable[[Facts], Answer | None]
RULES: dict[str, Rule] = {}


def _rule(function: Rule) -> Rule:
    RULES[function.__name__.strip("_")] = function
    return function


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(v) for v in values)


def _judged(facts: Facts, status: Status, known: str) -> Answer | None:
    return Answer(status, known) if facts.performance is not None else None


@_rule
def aim(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    endpoints = _listed(f.performance["endpoint"].unique(maintain_order=True).to_list())
    return Answer("partly", f"development and internal evaluation of models of {endpoints}")


@_rule
def sources(f: Facts) -> Answer | None:
    subjects, membership = f.art.table("cohort/subjects"), f.art.table("cohort/membership")
    if subjects is None:
        return None
    count = membership["source"].n_unique() if membership is not None else 0
    return Answer(
        "partly",
        f"{plural(subjects.height, 'subject')} from {plural(count, 'table or folder', 'tables or folders')}; whom they "
        "represent is open",
    )


@_rule
def dates(f: Facts) -> Answer | None:
    return (
        Answer("partly", f"temporal split by {f.setting('outcome', 'date')}") if f.setting("outcome", "date") else None
    )


@_rule
def centres(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "site").any():
        sites = f.performance.filter(pl.col("split") == "site")["folds"].to_list()
        column = f.setting("outcome", "site")
        return Answer("reported", f"{max(sites)} sites by the column {column}, each held out in turn")
    column = f.setting("outcome", "harmonise")
    return Answer("partly", f"batches by the column {column}") if column else None


@_rule
def preparation(f: Facts) -> Answer | None:
    problems = f.art.table("problems")
    told = 0 if problems is None else problems.height
    return Answer(
        "partly", f"{plural(told, 'line')} in problems.csv on what was left out, set aside or read as missing"
    )


@_rule
def outcome(f: Facts) -> Answer | None:
    asked = f.setting("cohort", "endpoints") or {}
    told = [
        f"{name}: {e.get('kind')}, event {e.get('event')} = {_listed(e.get('event_values') or ['1'])}"
        for name, e in asked.items()
    ]
    return Answer("partly", "; ".join(told) + "; how it was assessed is open") if told else None


@_rule
def reference(f: Facts) -> Answer | None:
    found = outcome(f)
    return Answer("open", found.known) if found else None


@_rule
def candidates(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    sets = f.performance.unique(["predictors"], keep="first", maintain_order=True)
    told = _listed(f"{r['predictors']} {r['candidates']}" for r in sets.iter_rows(named=True))
    noted = f.setting("outcome", "selected_on") or {}
    return Answer(
        "reported", f"candidates offered: {told}" + (f"; selected beforehand: {_listed(noted)}" if noted else "")
    )


@_rule
def predictors(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    if dictionary is None:
        return other_predictors(f)
    return Answer(
        "partly",
        f"{dictionary.height} imaging features with IBSI names in features/dictionary.csv; when they were measured is "
        "open",
    )


@_rule
def other_predictors(f: Facts) -> Answer | None:
    clinical = f.setting("outcome", "clinical") or []
    markers = f.art.table("molecular/dictionary")
    told = [f"clinical: {_listed(clinical)}"] if clinical else []
    told += [f"{plural(markers.height, 'molecular marker')} in molecular/dictionary.csv"] if markers is not None else []
    return Answer("partly", "; ".join(told)) if told else None


@_rule
def sample_size(f: Facts) -> Answer | None:
    audit = f.art.table("outcome/audit")
    need = audit.filter(pl.col("check") == "sample size") if audit is not None else None
    if need is None or not need.height:
        return None
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {number(r['value'])}" for r in need.iter_rows(named=True)
    )
    return Answer("reported", f"subjects needed without a penalty (Riley 2020): {told}")


@_rule
def missing(f: Facts) -> Answer | None:
    most = f.setting("outcome", "max_missing")
    flag = ", with an indicator" if f.setting("outcome", "missing_indicator") else ""
    how = f.steps.get("impute", "")
    return (
        Answer("reported", f"{how}{flag}; predictors with more than {most:.0%} missing left out, inside the fold")
        if how
        else None
    )


@_rule
def split(f: Facts) -> Answer | None:
    return Answer("reported", f.steps["split"]) if "split" in f.steps else None


@_rule
def internal(f: Facts) -> Answer | None:
    return split(f)


@_rule
def scaling(f: Facts) -> Answer | None:
    return Answer("reported", f"{f.steps['scale']}, learned in the training part") if "scale" in f.steps else None


@_rule
def building(f: Facts) -> Answer | None:
    told = [f"{step}: {f.steps[step]}" for step in ("filter", "select", "fit", "tune") if step in f.steps]
    return Answer("reported", "; ".join(told)) if told else None


@_rule
def algorithms(f: Facts) -> Answer | None:
    return Answer("reported", f.steps["fit"]) if "fit" in f.steps else None


@_rule
def clusters(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "site").any():
        return Answer("partly", "each site held out in turn; performance site by site is open")
    return None


@_rule
def measures(f: Facts) -> Answer | None:
    return Answer("reported", _listed(f.metrics())) if f.metrics() else None


@_rule
def updating(f: Facts) -> Answer | None:
    return _judged(f, "not applicable", "development; radiolocus validate recalibrates in new patients")


@_rule
def prediction(f: Facts) -> Answer | None:
    return _judged(f, "reported", "outcome/predictions.csv: by the model of the fold that did not hold the subject")


@_rule
def imbalance(f: Facts) -> Answer | None:
    return _judged(f, "reported", "folds are stratified by the outcome; nothing was resampled or reweighted")


@_rule
def output(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    groups = "; high risk: above the median of inner out-of-fold predictions" if f.art.has("outcome/groups") else ""
    return Answer("reported", f"log relative hazard or logit, risks by horizons or probability{groups}")


@_rule
def difference(f: Facts) -> Answer | None:
    return _judged(f, "not applicable", "evaluated within the cohort that it was developed in")


@_rule
def code(f: Facts) -> Answer | None:
    version = f.art.study.get("radiolocus_version")
    return (
        Answer("partly", f"Radiolocus {version} and the study file make the analysis; sharing them is open")
        if version
        else None
    )


@_rule
def flow(f: Facts) -> Answer | None:
    return (
        Answer("reported", "section Cohort of the report: sources, ids that did not match, who was set aside")
        if f.art.has("cohort/membership")
        else None
    )


@_rule
def characteristics(f: Facts) -> Answer | None:
    if not f.art.has("cohort/subjects"):
        return None
    return Answer(
        "partly",
        "section Cohort of the report: endpoints, follow-up, who has which data; a table of characteristics is open",
    )


@_rule
def numbers(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    sets = f.performance.unique(["endpoint", "predictors"], keep="first", maintain_order=True)
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {r['n']} subjects, {r['events']} events"
        for r in sets.iter_rows(named=True)
    )
    return Answer("reported", told)


@_rule
def specification(f: Facts) -> Answer | None:
    if not f.art.has("outcome/nomogram"):
        return None
    return Answer(
        "partly", "nomogram of the model of everybody; radiolocus lock writes the model itself; sharing it is open"
    )


@_rule
def performance(f: Facts) -> Answer | None:
    if f.performance is None:
        return None
    told = "; ".join(
        f"{r['endpoint']} from {r['predictors']}: {r['metric']} {shown_interval(r['estimate'], r['lower'], r['upper'])}"
        for r in f.performance.iter_rows(named=True)
        if None not in (r["estimate"], r["lower"], r["upper"])
    )
    return Answer("partly", f"{told}; performance in groups of people is open")


@_rule
def limits(f: Facts) -> Answer | None:
    audit = f.art.table("outcome/audit")
    if audit is None:
        return None
    found = audit.filter(pl.col("verdict").is_in(["suspect", "leak"])).select("check").unique().sort("check")
    return Answer(
        "partly", f"the audit suspects: {_listed(found['check'])}" if found.height else "the audit found nothing"
    )


@_rule
def poor_input(f: Facts) -> Answer | None:
    return _judged(
        f,
        "partly",
        "radiolocus predict imputes as in training and warns of missing values, unknown categories and values outside "
        "the training range",
    )


@_rule
def checklists(f: Facts) -> Answer | None:
    return Answer(
        "partly", "TRIPOD+AI and CLEAR are filled in as far as the run knows; completing and submitting them is open"
    )


@_rule
def pipeline(f: Facts) -> Answer | None:
    return Answer("partly", "steps of the protocol in the report; a drawn chart is open") if f.steps else None


@_rule
def acquisition(f: Facts) -> Answer | None:
    told = _listed(f"{i['name']} ({i.get('modality') or 'modality not given'})" for i in f.images)
    return Answer("partly", f"images: {told}; parameters of acquisition are open") if told else None


@_rule
def regions(f: Facts) -> Answer | None:
    if not f.images:
        return None
    derived = [r for i in f.images for r in i.get("regions", [])]
    return Answer(
        "partly",
        "regions were read from files"
        + (f", {len(derived)} derived ones made" if derived else "")
        + "; how they were drawn is open",
    )


@_rule
def image_processing(f: Facts) -> Answer | None:
    if not f.images:
        return None
    told = [t for name in ("resample_mm", "resegment_range", "resegment_outliers") for t in f.image_settings(name)]
    return Answer("reported", "IBSI processing chain; " + ("; ".join(told) or "no resampling, no resegmentation"))


@_rule
def resampling(f: Facts) -> Answer | None:
    if not f.images:
        return None
    told = f.image_settings("resample_mm")
    return Answer(
        "reported", "; ".join([*told, *f.image_settings("interpolation")]) if told else "none: voxels as they are"
    )


@_rule
def discretisation(f: Facts) -> Answer | None:
    told = [f"{name} {t}" for name in ("bin_width", "bin_number") for t in f.image_settings(name)]
    return Answer("reported", "; ".join(told)) if told else None


@_rule
def image_types(f: Facts) -> Answer | None:
    if not f.images:
        return None
    filters = f.image_settings("filters")
    return Answer(
        "reported", "original images" + (f" and filtered ones ({'; '.join(filters)})" if filters else " alone")
    )


@_rule
def software(f: Facts) -> Answer | None:
    if not f.art.has("features/features"):
        return None
    return Answer(
        "reported", f"Radiolocus {f.art.study.get('radiolocus_version')}, which follows the IBSI reference values"
    )


@_rule
def families(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    if dictionary is None:
        return None
    counts = dictionary.group_by("family", maintain_order=True).len()
    return Answer("reported", _listed(f"{r['family']} {r['len']}" for r in counts.iter_rows(named=True)))


@_rule
def feature_count(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    return Answer("reported", f"{dictionary.height} a region") if dictionary is not None else None


@_rule
def defaults(f: Facts) -> Answer | None:
    return (
        Answer("reported", "all settings stand in study.json and in the report; others are the defaults")
        if f.images
        else None
    )


@_rule
def repeatability(f: Facts) -> Answer | None:
    if not f.images:
        return None
    if not f.art.has("features/repeatability"):
        return Answer("open", "this run perturbed no regions")
    return Answer(
        "reported", "ICC of every feature over perturbed regions or repeated measurements, features/repeatability.csv"
    )


@_rule
def robust(f: Facts) -> Answer | None:
    least = f.setting("outcome", "icc_min")
    if least is not None:
        return Answer("reported", f"imaging features of an ICC below {least} left out")
    return (
        Answer("not done", "no smallest ICC was asked for (icc_min)")
        if f.performance is not None and f.images
        else None
    )


@_rule
def redundancy(f: Facts) -> Answer | None:
    largest = f.setting("outcome", "redundancy")
    if f.performance is None or largest is None:
        return None
    done = largest < 1.0
    return Answer(
        "reported" if done else "not done",
        f"of columns that correlate at least {largest:g}, one was kept" if done else "only copies were left out",
    )


@_rule
def reduction(f: Facts) -> Answer | None:
    told = [f"{step}: {f.steps[step]}" for step in ("filter", "select", "fit") if step in f.steps]
    return Answer("reported", "; ".join(told)) if told else None


@_rule
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


@_rule
def deep(f: Facts) -> Answer | None:
    return None if f.setting("deep") else Answer("not applicable", "no deep learning")


@_rule
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


@_rule
def confounders(f: Facts) -> Answer | None:
    told = []
    if f.setting("outcome", "harmonise"):
        told.append(f"ComBat by {f.setting('outcome', 'harmonise')}")
    controls = f.setting("imaging", "controls") or []
    told += [f"negative controls: {_listed(controls)}"] if controls else []
    return Answer("partly", "; ".join(told)) if told else None


@_rule
def choice(f: Facts) -> Answer | None:
    return (
        Answer(
            "reported", f"settings by {f.steps['tune']}; models are shown side by side, none is picked by its result"
        )
        if "tune" in f.steps
        else None
    )


@_rule
def testing(f: Facts) -> Answer | None:
    return (
        Answer("partly", f"internal: {f.steps['split']}; external testing is open (radiolocus validate)")
        if "split" in f.steps
        else None
    )


@_rule
def external(f: Facts) -> Answer | None:
    return (
        Answer("open", "radiolocus validate judges a locked model in another cohort")
        if f.performance is not None
        else None
    )


@_rule
def validation(f: Facts) -> Answer | None:
    if f.performance is not None and (f.performance["split"] == "temporal").any():
        return Answer("partly", "the latest subjects were held out", 2.0, 5.0)
    return Answer("open", "cross-validation trains anew in each fold") if f.performance is not None else None


@_rule
def uncertainty(f: Facts) -> Answer | None:
    draws = f.setting("outcome", "bootstrap")
    return _judged(
        f, "reported", f"95 % intervals from {draws} bootstrap draws of subjects, pooled over the repetitions"
    )


@_rule
def calibration(f: Facts) -> Answer | None:
    table = f.art.table("outcome/evaluation")
    done = table is not None and (table["metric"] == "calibration slope").any()
    if not done:
        return _judged(f, "not done", "no risks to calibrate")
    return Answer("reported", "O/E, intercept, slope, ICI, E50, E90 and curves, out of fold, with bootstrap intervals")


@_rule
def one_image(f: Facts) -> Answer | None:
    if not f.images:
        return None
    return (
        Answer("reported", f"one image: {f.images[0]['name']}")
        if len(f.images) == 1
        else Answer("open", f"{len(f.images)} images")
    )


@_rule
def clinical_comparison(f: Facts) -> Answer | None:
    if "imaging" not in f.sets:
        return _judged(f, "not applicable", "no imaging predictors")
    others = [s for s in f.sets if s not in ("imaging", "all")]
    return (
        Answer("reported", f"{_listed(others)} alone and all together, on the same folds")
        if others
        else Answer("not done", "imaging alone was judged")
    )


@_rule
def combined(f: Facts) -> Answer | None:
    return clinical_comparison(f)


@_rule
def gold_standard(f: Facts) -> Answer | None:
    found = clinical_comparison(f)
    return (
        Answer("open", found.known + "; whether that is the gold standard is open")
        if found and found.status == "reported"
        else found
    )


@_rule
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


@_rule
def simple(f: Facts) -> Answer | None:
    models = set(f.setting("outcome", "models") or ["elastic_net"])
    plain = models & {"elastic_net", "lasso", "ridge", "weibull", "lognormal", "loglogistic", "ordinal"}
    status: Status = "reported" if plain else "not done"
    return _judged(f, status, f"classical models: {_listed(sorted(plain))}" if plain else "no classical model beside")


@_rule
def explanation(f: Facts) -> Answer | None:
    done = f.art.has("outcome/importance")
    return _judged(
        f,
        "reported" if done else "not done",
        "permutation importance, Shapley values, selection frequency, out of fold" if done else "shuffles = 0",
    )


@_rule
def feature_statistics(f: Facts) -> Answer | None:
    told = ["how often each predictor was used"] if f.art.has("outcome/selection") else []
    told += ["repeatability"] if f.art.has("features/repeatability") else []
    return Answer("reported" if len(told) == 2 else "partly", _listed(told)) if told else None


@_rule
def features_file(f: Facts) -> Answer | None:
    return Answer("partly", "features/features.csv; sharing it is open") if f.art.has("features/features") else None


@_rule
def settings_file(f: Facts) -> Answer | None:
    return Answer("partly", "study.json; sharing it is open") if f.art.study else None


@_rule
def interval(f: Facts) -> Answer | None:
    held = f.setting("outcome", "measured_at") or {}
    return Answer("partly", f"dates of measurement are known of {_listed(held)}") if held else None


@_rule
def biology(f: Facts) -> Answer | None:
    told = [n for n in ("link/link", "mechanism/paths", "sumstats/summary", "link/enrichment") if f.art.has(n)]
    return Answer("reported", f"association with genes or markers: {_listed(told)}") if told else None


@_rule
def cutoff(f: Facts) -> Answer | None:
    return output(f)


@_rule
def discrimination(f: Facts) -> Answer | None:
    found = performance(f)
    return Answer("reported", found.known.removesuffix("; performance in groups of people is open")) if found else None


@_rule
def utility(f: Facts) -> Answer | None:
    done = f.art.has("outcome/decision")
    return _judged(
        f, "reported" if done else "not done", "decision curves, out of fold" if done else "no decision curve"
    )
