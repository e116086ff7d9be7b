"""Endpoints made of response calls, in every stage that predicts or links them."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from flow.small_study import BENEFIT, EARLY, GENETICS, OUTCOME, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import StudyError, load_study
from radiolocus.pipeline.finished import open_run
from radiolocus.simulate.lesions import lesion_table, simulate_lesions
from radiolocus.store import read_table

RESPONSE = """[response]
lesions = "lesions.csv"
criterion = "recist11"
[response.endpoints]
orr = "objective response"
dcr = "disease control"
pfs = "progression-free survival"
durable = { of = "durable clinical benefit", days = 150 }
depth = "best depth"
deep = { of = "best depth", percent = 50 }
immune = { of = "objective response", criterion = "irecist" }
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = SmallStudy(tmp_path_factory.mktemp("made") / "study", n=32)
    rng = np.random.default_rng(5)
    courses = [("PR", "PD", "SD", "CR")[k % 4] for k in range(study.n)]
    rows = [row for s, c in zip(study.subjects, courses, strict=True) for row in simulate_lesions(rng, s, c)]
    lesion_table(rows).write_csv(study.root / "lesions.csv")
    # The marker follows the course, so that the endpoint can be told from it; nothing else does.
    size = {"CR": -2.0, "PR": -1.0, "SD": 1.0, "PD": 2.0}
    study.clinical = study.clinical.with_columns(age=pl.Series([size[c] + rng.normal() for c in courses]))
    study.treated()
    study.courses = courses
    head = study.text.partition("[imaging]")[0].replace('kind = "binary"', 'kind = "binary"')
    asked = 'endpoints = ["orr", "pfs", "durable"]\nmodels = ["ridge"]\n'
    study.text = head + RESPONSE + OUTCOME + asked
    study.text += BENEFIT.replace('endpoints = ["relapse"]', 'endpoints = ["orr", "pfs"]\nfavourable = ["orr"]')
    study.text += EARLY.replace('["relapse"]', '["orr"]')
    return study, study.run("made")


def test_the_endpoints_are_what_the_calls_say(study):
    truth, done = study
    rows = read_table(done.root, "response/study_endpoints")
    rates = {r["quantity"]: r["events"] for r in read_table(done.root, "response/rates").to_dicts()}
    events = {name: int(rows.filter(endpoint=name)["event"].sum()) for name in ("orr", "dcr", "immune")}
    assert events["orr"] == rates["objective response rate"] == truth.courses.count("PR") + truth.courses.count("CR")
    assert events["dcr"] == rates["disease control rate"]
    assert events["immune"] == events["orr"]
    times = read_table(done.root, "response/endpoints").filter(endpoint="progression-free survival", rule="all events")
    made = rows.filter(endpoint="pfs").sort("subject")
    assert made.select("time").rows() == times.sort("subject").select("time").rows()
    durable = dict(rows.filter(endpoint="durable").select("subject", "event").rows())
    for subject, time, event in times.select("subject", "time", "event").rows():
        assert durable[subject] == (1 if time >= 150 else 0 if event else None)
    deep = rows.filter(endpoint="deep")
    reached = rows.filter(endpoint="depth").select("value").to_series() >= 50
    assert deep["event"].to_list() == [int(r) for r in reached]


def test_a_response_is_decided_at_its_first_visit_and_its_absence_at_the_end(study):
    truth, done = study
    rows = read_table(done.root, "response/study_endpoints").filter(endpoint="orr")
    course = dict(zip(truth.subjects, truth.courses, strict=True))
    calls = read_table(done.root, "response/timepoints")
    for subject, event, decided in rows.select("subject", "event", "decided").rows():
        own = calls.filter(subject=subject)
        if event:
            first = own.filter(pl.col("overall_response").is_in(["CR", "PR"]))["day"].min()
            assert decided == first, course[subject]
        else:
            ended = own.filter(overall_response="PD")["day"].min()
            assert decided == (ended if ended is not None else own["day"].max())


def test_every_stage_predicts_them(study):
    _, done = study
    told = read_table(done.root, "outcome/performance").filter(predictors="clinical")
    assert dict(told.select("endpoint", "kind").rows()) == {"orr": "binary", "pfs": "survival", "durable": "binary"}
    assert told.filter(endpoint="orr")["estimate"][0] > 0.75
    assert set(read_table(done.root, "benefit/verdicts")["endpoint"]) == {"orr", "pfs"}
    assert set(read_table(done.root, "early/performance")["endpoint"]) == {"orr"}
    names = [line.split()[0] for line in done.lines]
    assert names.index("response") < names.index("outcome")


def test_the_page_shows_them(study):
    page = (study[1].root / "report.html").read_text(encoding="utf-8")
    assert "Endpoints made of the calls" in page
    assert "neither progression nor death for at least" in page
    assert "durable clinical benefit (150 days)" in page


def test_a_finished_run_knows_them(study):
    _, done = study
    found = open_run(done.root).endpoints()
    assert (found["orr"].kind, found["pfs"].kind, found["pfs"].unit) == ("binary", "survival", "days")
    assert set(found) == {"os", "relapse", "orr", "dcr", "pfs", "durable", "deep", "immune"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('os = "objective response"', "a name that .cohort.endpoints. has too"),
        ('late = { of = "overall survival" }', "objective response"),
        ('late = { of = "best depth", percent = 0 }', "above 0"),
        ('late = { of = "durable clinical benefit", days = -3 }', "more than 0"),
        ('late = { of = "objective response", criterion = "recist" }', "recist11"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_runs(tmp_path, line, said):
    small = SmallStudy(tmp_path, n=2)
    small.text = small.text.partition("[imaging]")[0] + '[response]\nlesions = "lesions.csv"\n[response.endpoints]\n'
    small.text += line + "\n"
    with pytest.raises(StudyError, match=said):
        load_study(small.file())


def test_a_binary_one_is_scanned_and_checked_before(tmp_path):
    small = SmallStudy(tmp_path, n=30)
    small.text = small.text.partition("[imaging]")[0] + RESPONSE + GENETICS + 'binary = ["orr"]\n'
    found = check_study(load_study(small.file()))
    assert not [str(m) for m in found.mistakes]
    assert "endpoint   orr: made of the response calls (binary)" in found.summary
    done = small.run()
    line = next(line for line in done.lines if line.startswith("genetics"))
    assert " tests" in line.removeprefix("genetics   binary phenotypes: ")
    assert (done.root / "binary/sumstats").is_dir()


def test_endpoints_are_linked_with_features_like_markers(tmp_path):
    small = SmallStudy(tmp_path, n=12)
    small.text += RESPONSE + '[link]\nmin_n = 6\nmin_group = 2\nendpoints = ["orr", "depth", "relapse"]\n'
    done = small.run()
    links = read_table(done.root, "link/link")
    assert set(links["marker"]) == {"orr", "depth", "relapse"}
    depth = read_table(done.root, "response/study_endpoints").filter(endpoint="depth").select("subject", "value")
    features = read_table(done.root, "features/features").select("subject", "stat_mean")
    both = depth.join(features, on="subject")
    told = links.filter(marker="depth", feature="CT:stat_mean").row(0, named=True)
    assert told["n"] == 12
    rank = spearmanr(both["value"], both["stat_mean"])
    assert told["neg_log_10_p_value"] == pytest.approx(-np.log10(rank.pvalue), rel=1e-6)
    small.text = small.text.replace('"relapse"]', '"pfs"]')
    with pytest.raises(StudyError, match="no binary endpoint or depth 'pfs'; allowed: relapse, orr, dcr, durable"):
        load_study(small.file())


def test_who_was_censored_before_the_benefit_is_unknown_and_told(tmp_path):
    small = SmallStudy(tmp_path, n=3)
    small.text = small.text.partition("[imaging]")[0] + RESPONSE
    done = small.run()
    rows = read_table(done.root, "response/study_endpoints").filter(endpoint="durable")
    times = read_table(done.root, "response/endpoints").filter(rule="all events", endpoint="progression-free survival")
    open_ended = times.filter(~pl.col("event"))["subject"].to_list()
    assert open_ended
    assert rows.filter(pl.col("event").is_null())["subject"].to_list() == sorted(open_ended)
    told = [p for p in small.problems(done) if p["item"] == "durable"]
    assert told[0]["count"] == len(open_ended)
    assert "before day 150: unknown" in told[0]["got"]
