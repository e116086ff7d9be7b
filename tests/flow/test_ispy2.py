"""982 women of I-SPY2 from the original tables to the report, and the known facts about them."""

from pathlib import Path

import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ispy2.toml"


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return run_study(load_study(EXAMPLE, data("ispy2")), tmp_path_factory.mktemp("ispy2") / "out")


def test_everybody_came_in(finished):
    assert read_table(finished.root, "cohort/subjects").height == 982
    ends = read_table(finished.root, "cohort/endpoints")
    assert (ends["event"].sum(), ends.height) == (315, 982)
    assert finished.set_aside == 0


def test_pembrolizumab_and_the_immune_class(finished):
    tests = read_table(finished.root, "benefit/interactions")
    told = tests.filter(arm="Pembro", marker="Immune.").row(0, named=True)
    assert 10 ** -told["neg_log_10_p_value"] == pytest.approx(1.47e-4, rel=0.005)
    assert (told["n"], told["family"], told["reading"]) == (246, "immune", "predictive")
    assert told["q_value"] < 0.05
    sub = read_table(finished.root, "benefit/subgroups").filter(arm="Pembro", marker="Immune.").sort("order")
    rate = sub.select(pl.col("events_control") / pl.col("n_control"), pl.col("events_treated") / pl.col("n_treated"))
    assert [[round(100 * v) for v in row] for row in rate.iter_rows()] == [[13, 11], [21, 79]]


def test_response_by_arm_and_receptor_subtype(finished):
    rates = read_table(finished.root, "benefit/rates")
    cell = {(r["arm"], r["level"]): r for r in rates.filter(pl.col("by") != "HER2").iter_rows(named=True)}
    assert (cell["everybody", "everybody"]["events"], cell["everybody", "everybody"]["n"]) == (315, 982)
    negative = {r["arm"]: r for r in rates.filter(by="HER2", level="0").iter_rows(named=True)}
    assert (negative["Pembro"]["events"], negative["Pembro"]["n"]) == (31, 69)
    assert (round(negative["Pembro"]["estimate"], 2), round(negative["Ctr"]["estimate"], 2)) == (0.45, 0.17)
    # The levels of a column divide everybody of an arm.
    of = rates.filter(pl.col("by") != "").group_by("arm", "by").agg(pl.col("events", "n").sum())
    whole = rates.filter(by="").select("arm", pl.col("events").alias("all_events"), pl.col("n").alias("all_n"))
    both = of.join(whole, on="arm")
    assert both.height == 22
    assert (both["events"] == both["all_events"]).all()
    assert (both["n"] == both["all_n"]).all()
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    assert "Rate of pcr by arm and level" in page
    assert "31 of 69: 45 % (33–57 %)" in page


def test_all_arms_and_signatures_are_counted(finished):
    tests = read_table(finished.root, "benefit/interactions")
    assert tests.filter(arm="all arms")["df"].max() == 7
    assert tests["arm"].n_unique() == 8
    verdicts = dict(read_table(finished.root, "benefit/verdicts").select("arm", "verdict").iter_rows())
    assert "no evidence that anyone benefits differently" in verdicts.values()
    assert "Immune." in verdicts["Pembro"]


def test_linked_visits_and_the_doubt_about_their_order(finished):
    visits = read_table(finished.root, "early/visits")
    assert dict(visits.select("visits", "subjects").iter_rows()) == {1: 12, 2: 23, 3: 50, 4: 180}
    assert visits["subjects"].sum() == 265
    assert set(visits["order"]) == {"rows of the table"}
    performance = read_table(finished.root, "early/performance")
    assert set(performance["n"]) == {253}
    # Volume and texture stand apart, beside all features.
    candidates = dict(performance.select("predictors", "candidates").iter_rows())
    assert (candidates["change of volume"], candidates["change of texture"]) == (1, 24)
    audit = dict(read_table(finished.root, "early/audit").select("check", "verdict").iter_rows())
    # No feature moves from the first row of a patient to the second: under chemotherapy that is no order in time.
    assert audit["visit order"] == "suspect"
    assert audit["permuted outcome"] != "leak"
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    assert "that its rows stand in time is what the study file says, not the data" in page
    assert "Visit order in doubt" in page
