"""Every way in which an endpoint can be wrong, tried from the study file: told by name, and the run goes on."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from radiolocus.config import StudyError, load_study
from radiolocus.errors import ConfigError
from radiolocus.pipeline import run_study
from radiolocus.report.sections_states import class_blocks, competing_blocks
from radiolocus.report.source import Artefacts
from radiolocus.store import read_table

N = 40
STUDY = """
[cohort]
subjects = "clinical.csv"
id = "id"
[cohort.dates]
baseline = "zero"
recurrence = "recurred"
death = "died"
last = "seen"
[cohort.endpoints.few]
kind = "survival"
time = "months"
event = "few"
[cohort.endpoints.tied]
kind = "survival"
time = "tied_time"
event = "event"
[cohort.endpoints.odd_times]
kind = "survival"
time = "odd_time"
event = "event"
[cohort.endpoints.late]
kind = "survival"
time = "months"
event = "event"
entry = "entry"
[cohort.endpoints.dated]
kind = "competing"
rule = "recurrence"
unit = "months"
[cohort.endpoints.separated]
kind = "binary"
event = "separated"
[cohort.endpoints.rare_class]
kind = "binary"
event = "rare"
[cohort.endpoints.one_class]
kind = "binary"
event = "always"
[cohort.endpoints.grade]
kind = "ordinal"
event = "grade"
levels = ["low", "mid", "high"]
[molecular]
markers = "markers.csv"
[outcome]
clinical = ["x", "age", "noise"]
horizons = [6.0, 1000.0]
repeats = 1
folds = 5
inner_folds = 3
bootstrap = 20
univariate_bootstrap = 10
permutations = 0
penalties = 5
shuffles = 0
"""


def written(root, text=STUDY, **changes):
    rng = np.random.default_rng(3)
    x, event = rng.normal(size=N), (rng.random(N) < 0.6).astype(int)
    months = (rng.exponential(10 * np.exp(-x)) + 1).round(1)
    zero = dt.date(2015, 1, 1)
    recurred = [zero + dt.timedelta(days=int(m * 20)) if e else None for m, e in zip(months, event, strict=True)]
    died = [zero + dt.timedelta(days=int(m * 30)) if i % 3 == 0 else None for i, m in enumerate(months)]
    recurred[0], recurred[1] = zero - dt.timedelta(days=5), zero + dt.timedelta(days=20000)
    odd = months.copy()
    odd[0], odd[1] = -2.0, 0.0
    columns = {
        "id": [f"S{i:02d}" for i in range(N)],
        "x": x.round(3),
        "age": rng.integers(40, 80, N),
        "noise": rng.normal(size=N).round(3),
        "months": months,
        "event": event,
        "few": [1 if i in (3, 9, 20, 30) else 0 for i in range(N)],
        "tied_time": np.full(N, 12.0),
        "odd_time": odd,
        "entry": [float(m) + 1 if i == 2 else 0.3 * m for i, m in enumerate(months)],
        "separated": (x > 0).astype(int),
        "rare": [1 if i in (5, 15, 25) else 0 for i in range(N)],
        "always": np.ones(N, dtype=int),
        "grade": [("low", "mid", "high")[i % 3] for i in range(N)],
        "coded": event + 1,
        "zero": [zero] * N,
        "recurred": recurred,
        "died": died,
        "seen": [zero + dt.timedelta(days=int(m * 30)) for m in months],
    }
    pl.DataFrame(columns | changes).write_csv(root / "clinical.csv")
    pl.DataFrame({"id": columns["id"], "egfr": [None] * N}, schema={"id": pl.String, "egfr": pl.String}).write_csv(
        root / "markers.csv"
    )
    (root / "study.toml").write_text(text)
    return root / "study.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch:  # the page with all its figures takes most of the time
        patch.setattr("radiolocus.pipeline.study.write_report", lambda out: None)
        finished = run_study(load_study(written(root)), root / "out")
    return finished.root, read_table(finished.root, "problems")


def told(problems, item, severity=None):
    some = problems.filter(pl.col("item") == item)
    return (some if severity is None else some.filter(severity=severity))["got"].to_list()


def aside(problems, item):
    some = problems.filter((pl.col("item") == item) & (pl.col("severity") == "set aside"))
    return dict(some.select("subject", "got").iter_rows())


def test_times_dates_and_entries_that_cannot_be_set_their_subject_aside(run):
    _, problems = run
    assert aside(problems, "odd_times") == {"S00": "time -2.0 for the end of observation"}
    assert aside(problems, "dated")["S00"] == "recurrence 5 before time zero"
    assert "after the subject was last seen" in aside(problems, "dated")["S01"]
    assert list(aside(problems, "late")) == ["S02"]
    assert "not before the end of observation" in aside(problems, "late")["S02"]


def test_too_few_events_or_one_class_are_said(run):
    root, problems = run
    notes = problems.filter(stage="outcome", severity="note")["got"].to_list()
    assert "4 folds instead of 5: there are 4 events" in notes
    assert "3 folds instead of 5: there are 3 patients in the rarer class" in notes
    assert "only events among 40 subjects" in told(problems, "one_class")
    done = set(read_table(root, "outcome/performance")["endpoint"])
    assert done == {"few", "tied", "odd_times", "late", "dated", "separated", "rare_class", "grade"}
    audit = read_table(root, "outcome/audit").filter(endpoint="few", check="events")
    assert audit["got"][0] == "4 events for 3 candidate predictors (1.3 each)"


def test_separation_and_times_all_alike_are_no_obstacle(run):
    root, problems = run
    assert any("separation" in got for got in told(problems, "x"))
    performance = read_table(root, "outcome/performance")
    assert performance.filter(endpoint="separated")["estimate"][0] > 0.9
    assert performance.filter(endpoint="tied")["estimate"][0] == pytest.approx(0.5, abs=0.25)
    assert "all events at one time" in told(problems, "unpenalised model, tied from clinical")
    leak = read_table(root, "outcome/audit").filter(endpoint="separated", check="predicts alone")
    assert leak["verdict"].to_list() == ["leak"]


def test_a_horizon_beyond_follow_up_and_a_modality_that_nobody_has_are_told(run):
    root, problems = run
    horizons = [got for got in told(problems, "horizons") if "the horizon 1000 is not before" in got]
    assert len(horizons) >= 4
    assert problems.filter(stage="molecular", severity="set aside")["got"].to_list() == ["no column that is a marker"]
    assert set(read_table(root, "outcome/performance")["predictors"]) == {"clinical"}


def test_endpoints_that_models_were_not_named_for_get_those_made_for_them(run):
    root, _ = run
    models = dict(read_table(root, "outcome/performance").group_by("endpoint").agg(pl.col("model")).iter_rows())
    assert models["dated"] == ["cause-specific Cox", "Fine–Gray"]
    assert models["late"] == ["ridge Cox"]
    assert models["grade"] == ["proportional odds"]
    art, performance = Artefacts(root), read_table(root, "outcome/performance")
    *curves, table = competing_blocks(art, performance, {"dated": "months"})
    assert [type(c).__name__ for c in curves] == ["Figure", "Figure"]
    assert table.rows[0][0] == "dated"
    assert any("ranked probability score" in str(row) for b in class_blocks(art, performance)[1:] for row in b.rows)


def test_ones_and_twos_and_stages_that_know_less_stop_before_anything_runs(tmp_path):
    coded = STUDY + '[cohort.endpoints.coded]\nkind = "binary"\nevent = "coded"\n'
    with pytest.raises(ConfigError, match="coded 1 and 2"):
        run_study(load_study(written(tmp_path, coded)), tmp_path / "out")
    early = STUDY + '[early]\ntable = "visits.csv"\nvisit = "day"\nendpoints = ["grade", "late", "few"]\n'
    undated = STUDY + '[cohort.endpoints.further]\nkind = "survival"\nrule = "progression"\n'
    for text, words in (
        (early, ("'grade' is of kind ordinal", "'late' is with entry")),
        (undated, ("rule 'progression' needs the date of 'progression'",)),
    ):
        with pytest.raises(StudyError) as caught:
            load_study(written(tmp_path, text))
        for word in words:
            assert word in str(caught.value)
        assert "'few' is" not in str(caught.value)
