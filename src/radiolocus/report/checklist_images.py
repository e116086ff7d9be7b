"""Rules of checklists on subjects, images and features."""

from __future__ import annotations

from radiolocus.report.checklist_facts import Answer, Facts, listed, rule
from radiolocus.report.numbers import plural

__all__: list[str] = []  # its rules are registered


@rule
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


@rule
def dates(f: Facts) -> Answer | None:
    return (
        Answer("partly", f"temporal split by {f.setting('outcome', 'date')}") if f.setting("outcome", "date") else None
    )


@rule
def preparation(f: Facts) -> Answer | None:
    problems = f.art.table("problems")
    told = 0 if problems is None else problems.height
    return Answer(
        "partly", f"{plural(told, 'line')} in problems.csv on what was left out, set aside or read as missing"
    )


@rule
def predictors(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    if dictionary is None:
        return other_predictors(f)
    return Answer(
        "partly",
        f"{dictionary.height} imaging features with IBSI names in features/dictionary.csv; when they were measured is "
        "open",
    )


@rule
def other_predictors(f: Facts) -> Answer | None:
    clinical = f.setting("outcome", "clinical") or []
    markers = f.art.table("molecular/dictionary")
    told = [f"clinical: {listed(clinical)}"] if clinical else []
    told += [f"{plural(markers.height, 'molecular marker')} in molecular/dictionary.csv"] if markers is not None else []
    return Answer("partly", "; ".join(told)) if told else None


@rule
def code(f: Facts) -> Answer | None:
    version = f.art.study.get("radiolocus_version")
    return (
        Answer("partly", f"Radiolocus {version} and the study file make the analysis; sharing them is open")
        if version
        else None
    )


@rule
def flow(f: Facts) -> Answer | None:
    return (
        Answer("reported", "section Cohort of the report: sources, ids that did not match, who was set aside")
        if f.art.has("cohort/membership")
        else None
    )


@rule
def characteristics(f: Facts) -> Answer | None:
    if not f.art.has("cohort/subjects"):
        return None
    table = "clinical columns with missing values, " if f.setting("outcome", "clinical") else ""
    told = f"section Cohort of the report: {table}endpoints, follow-up, who has which data; by source or group is open"
    return Answer("partly", told)


@rule
def acquisition(f: Facts) -> Answer | None:
    told = listed(f"{i['name']} ({i.get('modality') or 'modality not given'})" for i in f.images)
    return Answer("partly", f"images: {told}; parameters of acquisition are open") if told else None


@rule
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


@rule
def image_processing(f: Facts) -> Answer | None:
    if not f.images:
        return None
    told = [t for name in ("resample_mm", "resegment_range", "resegment_outliers") for t in f.image_settings(name)]
    return Answer("reported", "IBSI processing chain; " + ("; ".join(told) or "no resampling, no resegmentation"))


@rule
def resampling(f: Facts) -> Answer | None:
    if not f.images:
        return None
    told = f.image_settings("resample_mm")
    return Answer(
        "reported", "; ".join([*told, *f.image_settings("interpolation")]) if told else "none: voxels as they are"
    )


@rule
def discretisation(f: Facts) -> Answer | None:
    told = [f"{name} {t}" for name in ("bin_width", "bin_number") for t in f.image_settings(name)]
    return Answer("reported", "; ".join(told)) if told else None


@rule
def image_types(f: Facts) -> Answer | None:
    if not f.images:
        return None
    filters = f.image_settings("filters")
    return Answer(
        "reported", "original images" + (f" and filtered ones ({'; '.join(filters)})" if filters else " alone")
    )


@rule
def software(f: Facts) -> Answer | None:
    if not f.art.has("features/features"):
        return None
    return Answer(
        "reported", f"Radiolocus {f.art.study.get('radiolocus_version')}, which follows the IBSI reference values"
    )


@rule
def families(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    if dictionary is None:
        return None
    counts = dictionary.group_by("family", maintain_order=True).len()
    return Answer("reported", listed(f"{r['family']} {r['len']}" for r in counts.iter_rows(named=True)))


@rule
def feature_count(f: Facts) -> Answer | None:
    dictionary = f.art.table("features/dictionary")
    return Answer("reported", f"{dictionary.height} a region") if dictionary is not None else None


@rule
def defaults(f: Facts) -> Answer | None:
    return (
        Answer("reported", "all settings stand in study.json and in the report; others are the defaults")
        if f.images
        else None
    )


@rule
def repeatability(f: Facts) -> Answer | None:
    if not f.images:
        return None
    if not f.art.has("features/repeatability"):
        return Answer("open", "this run perturbed no regions")
    return Answer(
        "reported", "ICC of every feature over perturbed regions or repeated measurements, features/repeatability.csv"
    )


@rule
def one_image(f: Facts) -> Answer | None:
    if not f.images:
        return None
    return (
        Answer("reported", f"one image: {f.images[0]['name']}")
        if len(f.images) == 1
        else Answer("open", f"{len(f.images)} images")
    )


@rule
def feature_statistics(f: Facts) -> Answer | None:
    told = ["how often each predictor was used"] if f.art.has("outcome/selection") else []
    told += ["repeatability"] if f.art.has("features/repeatability") else []
    return Answer("reported" if len(told) == 2 else "partly", listed(told)) if told else None


@rule
def features_file(f: Facts) -> Answer | None:
    return Answer("partly", "features/features.csv; sharing it is open") if f.art.has("features/features") else None


@rule
def settings_file(f: Facts) -> Answer | None:
    return Answer("partly", "study.json; sharing it is open") if f.art.study else None


@rule
def interval(f: Facts) -> Answer | None:
    held = f.setting("outcome", "measured_at") or {}
    return Answer("partly", f"dates of measurement are known of {listed(held)}") if held else None


@rule
def biology(f: Facts) -> Answer | None:
    told = [n for n in ("link/link", "mechanism/paths", "sumstats/summary", "link/enrichment") if f.art.has(n)]
    return Answer("reported", f"association with genes or markers: {listed(told)}") if told else None
