"""How much earlier a call is than that of the criterion."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Endpoint
from radiolocus.response.assess import assess
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.early import CHANGE, Calls, EarlyOptions, early, visits_of
from radiolocus.response.lead import criterion_days, early_lead, lead_times
from radiolocus.stats.proportion import exact_limits

VISITS = (0, 28, 56, 84, 112)


def lesions(sizes):
    """One target of each subject, and its sizes by visit."""
    rows = [
        (s, f"d{d}", float(d), "T1", "target", "liver", False, float(mm), "present")
        for s, course in sizes.items()
        for d, mm in zip(VISITS, course, strict=False)
    ]
    columns = ["subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "status"]
    return pl.DataFrame(rows, schema=columns, orient="row")


SIZES = {
    "a": (50, 50, 61, 70, 80),  # PD on day 56
    "b": (50, 48, 30, 28, 28),  # PR on day 56
    "c": (50, 34, 20, 40, 50),  # PR on day 28, PD on day 84
    "d": (50, 50, 50, 50, 50),
}


def tables():
    found = assess(lesions(SIZES), "recist11")
    word = {"progression": "PROGRESSION", "response": "RESPONSE", "stable": "STABLE"}
    said = {
        "a": ("stable", "progression"), "b": ("response", "response"), "c": ("stable", "response"),
        "d": ("progression", "stable"),
    }  # fmt: skip
    rows = [(s, float(d), word[w]) for s, words in said.items() for d, w in zip((28, 84), words, strict=True)]
    blood = pl.DataFrame(rows, schema=["subject", "day", "molecular_response"], orient="row")
    return {"response/criteria": found.timepoints, "response/criteria_best": found.best, "response/ctdna": blood}


def test_days_of_the_criterion():
    options = CriteriaOptions()
    found = assess(lesions(SIZES), "recist11", options)
    days = criterion_days(found.timepoints, found.best, "recist11", options)
    assert days == {"progression": {"a": 56.0, "c": 84.0}, "response": {"b": 56.0, "c": 28.0}}


def test_the_first_call_of_another_source_is_set_beside_it():
    found = lead_times(tables(), "recist11", ("recist11",), CriteriaOptions())
    rows = {(r["of"], r["subject"]): r["lead_days"] for r in found["response/lead_times"].to_dicts()}
    assert rows == {
        ("progression", "a"): -28.0,
        ("progression", "c"): None,
        ("progression", "d"): None,
        ("response", "b"): 28.0,
        ("response", "c"): -56.0,
    }
    told = {r["of"]: r for r in found["response/lead"].to_dicts()}
    counts = ("both", "earlier", "same", "later", "source_only", "criterion_only")
    assert [told["progression"][c] for c in counts] == [1, 0, 0, 1, 1, 1]
    assert [told["response"][c] for c in counts] == [2, 1, 0, 1, 0, 0]
    assert told["response"]["median_days"] == -14.0
    assert told["response"]["lower"] is None  # two subjects hold no interval


def test_leads_of_an_early_call_and_its_false_alarms():
    subject = tuple("abcdefgh")
    day = np.full(8, 21.0)
    high = np.array([0.9, 0.2, 1.0, 0.8, 0.6, 0.1, 0.7, 0.9])
    events = {"progression": {"a": 60.0, "b": 90.0, "c": 120.0, "d": 14.0, "h": 300.0}, "response": {"f": 49.0}}
    visited = dict(zip(subject, day, strict=True))
    rows, told = early_lead("pfs", subject, day, high, False, events, subject[:7], visited)
    ahead = {r["subject"]: r["lead_days"] for r in rows if r["of"] == "progression"}
    assert ahead == {"a": 39.0, "b": 69.0, "c": 99.0, "d": -7.0}  # h was not judged by the criterion
    progression = told[0]
    assert [progression[c] for c in ("before", "ahead", "called", "free", "alarms")] == [1, 3, 2, 3, 2]
    assert progression["share"] == pytest.approx(2 / 3)
    assert [progression["share_lower"], progression["share_upper"]] == pytest.approx(
        [float(x) for x in exact_limits(2, 3, 0.95)]
    )
    assert progression["median_days"] == 69.0
    # A good endpoint that is not predicted is a call of progression; one that is, of response.
    _, told = early_lead("orr", subject, day, 1 - high, True, events, subject[:7], visited)
    assert told[0] == progression | {"endpoint": "orr"}
    assert (told[1]["ahead"], told[1]["called"]) == (1, 1)


def cohort(n=60, seed=3):
    rng = np.random.default_rng(seed)
    subject = tuple(f"S{i}" for i in range(n))
    move = rng.normal(-0.3, 0.4, n)
    rows = [
        (s, d, level * np.exp(m * (d > 0)), rng.normal())
        for s, m, level in zip(subject, move, rng.lognormal(3, 0.3, n), strict=True)
        for d in (0.0, 20.0 + len(s))
    ]
    frame = pl.DataFrame(rows, schema=["subject", "day", "size", "noise"], orient="row")
    time = np.round(15 + rng.exponential(120 * np.exp(-1.5 * move)))
    options = EarlyOptions(table="t.csv", visit="day", day="day", repeats=1, folds=3, inner_folds=3, penalties=6,
                           bootstrap=30, change="log_ratio")  # fmt: skip
    return frame, subject, time, options


def test_times_count_from_the_early_visit():
    frame, subject, time, options = cohort()
    event = np.ones(len(subject))
    visits, _ = visits_of(frame, options)
    gone = sum(t <= 20 + len(s) for s, t in zip(subject, time, strict=True))
    assert gone > 0
    pfs = Endpoint("pfs", "survival", subject, event, time, "days")
    calls = Calls({"progression": dict(zip(subject, time, strict=True)), "response": {}}, subject)
    found = early(visits, [pfs], pl.DataFrame({"subject": subject}), options, calls)
    told = found.tables["early/performance"]
    assert told["n"].unique().to_list() == [len(subject) - gone]
    assert told.filter(predictors=CHANGE)["lower"][0] > 0.5
    audit = {r["check"]: r for r in found.tables["early/audit"].to_dicts()}
    assert audit["landmark"]["verdict"] == "pass"
    assert f"left out: {gone} with the endpoint by then" in audit["landmark"]["got"]
    lead = found.tables["early/lead"].filter(of="progression").row(0, named=True)
    assert (lead["before"], lead["ahead"]) == (gone, len(subject) - gone)
    assert lead["lower"] < lead["median_days"] < lead["upper"]
    undated, _ = visits_of(frame, EarlyOptions(table="t.csv", visit="day"))
    found = early(undated, [pfs], pl.DataFrame({"subject": subject}), options)
    audit = {r["check"]: r["verdict"] for r in found.tables["early/audit"].to_dicts()}
    assert audit["landmark"] == "suspect"
    cycles = Endpoint("pfs", "survival", subject, event, time, "cycles")
    found = early(visits, [cycles], pl.DataFrame({"subject": subject}), options)
    assert found.problems[0].got == InputError("times in 'cycles'").got


def test_what_was_selected_on_an_endpoint_does_not_predict_it():
    frame, subject, time, options = cohort()
    visits, _ = visits_of(frame, options)
    late = Endpoint("late", "binary", subject, (time > 80).astype(float))
    chosen = EarlyOptions(table="t.csv", visit="day", selected_on={"siz*": ("late",)})
    with pytest.raises(ConfigError, match=r"'size' \(change; 1 such\) was selected on 'late'"):
        early(visits, [late], pl.DataFrame({"subject": subject}), chosen)
    wrong = EarlyOptions(table="t.csv", visit="day", selected_on={"volume": ("late",)})
    with pytest.raises(ConfigError, match="'volume' is no predictor"):
        early(visits, [late], pl.DataFrame({"subject": subject}), wrong)
