"""Classes of resistance, and markers that go with them, against R-free twins and planted truth."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from radiolocus.errors import ConfigError
from radiolocus.read.variants import read_variants
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.response.resistance import ResistanceOptions, exact_mcnemar, resistance, resistance_classes
from radiolocus.simulate.blood import simulate_blood


def _best(*rows):
    names = ["subject", "best_response", "progression_day", "last_day"]
    types = {"subject": pl.String, "best_response": pl.String, "progression_day": pl.Float64, "last_day": pl.Float64}
    return pl.DataFrame(rows, schema=types, orient="row").select(names)


@pytest.mark.parametrize(
    ("word", "progressed", "last", "name"),
    [
        ("PD", 56.0, 56.0, "primary"),
        ("SD", 150.0, 150.0, "primary"),
        ("SD", 183.0, 183.0, "acquired"),
        ("PR", 112.0, 112.0, "acquired"),
        ("CR", 400.0, 400.0, "acquired"),
        ("PR", None, 100.0, "response"),
        ("SD", None, 200.0, "response"),
        ("SD", None, 100.0, "not classified"),
        ("NE", None, 0.0, "not classified"),
        ("NE", 90.0, 90.0, "not classified"),
    ],
)
def test_classes(word, progressed, last, name):
    found = resistance_classes(_best(("A", word, progressed, last)))
    assert found["resistance_class"].item() == name
    assert word in found["reason"].item()


def test_short_responses_are_classed_as_told():
    best = _best(("A", "PR", 112.0, 112.0))
    assert resistance_classes(best, ResistanceOptions(short_response="primary"))["resistance_class"].item() == "primary"
    assert resistance_classes(best, ResistanceOptions(durable_days=100.0))["resistance_class"].item() == "acquired"


def _cohort(rng, n, effect=2.0):
    """Half of the subjects resist; `effect` of the first marker on that, none of the others."""
    x = rng.normal(size=(n, 6))
    primary = rng.random(n) < 1 / (1 + np.exp(-effect * x[:, 0]))
    subjects = [f"P{i:03d}" for i in range(n)]
    best = _best(
        *((s, "PD", 56.0, 56.0) if p else (s, "PR", None, 300.0) for s, p in zip(subjects, primary, strict=True))
    )
    markers = pl.DataFrame({"subject": subjects, **{f"m{j}": x[:, j] for j in range(6)}})
    return best, markers, primary, x


def test_a_planted_marker_is_found_and_the_others_are_not():
    best, markers, *_ = _cohort(np.random.default_rng(1), 120)
    tests = resistance(best, markers).tests.filter(pl.col("contrast").str.starts_with("primary resistance"))
    assert tests["marker"][0] == "m0"
    assert tests["q_value"][0] < 1e-6
    assert (tests["q_value"][1:] > 0.05).all()
    row = tests.row(0, named=True)
    assert row["lower"] < 2.0 < row["upper"]


def test_no_effect_gives_uniform_p_values():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(40):
        best, markers, *_ = _cohort(rng, 60, effect=0.0)
        p += (10 ** -resistance(best, markers).tests["neg_log_10_p_value"]).to_list()
    share = np.mean(np.array(p) < 0.05)
    # 240 tests: 5 % give or take four standard errors
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(p))


def test_interaction_with_prior_lines_is_found():
    rng = np.random.default_rng(5)
    n = 300
    x, lines = rng.normal(size=n), rng.integers(0, 4, n)
    primary = rng.random(n) < 1 / (1 + np.exp(-1.5 * x * (lines - 1.5)))
    subjects = [f"P{i:03d}" for i in range(n)]
    best = _best(
        *((s, "PD", 56.0, 56.0) if p else (s, "PR", None, 300.0) for s, p in zip(subjects, primary, strict=True))
    )
    markers = pl.DataFrame({"subject": subjects, "m": x, "noise": rng.normal(size=n)})
    prior = pl.DataFrame({"subject": subjects, "prior_lines": lines})
    tests = resistance(best, markers, prior_lines=prior).tests.filter(pl.col("analysis").str.starts_with("interaction"))
    found = {r["marker"]: r for r in tests.iter_rows(named=True)}
    assert found["m"]["q_value"] < 1e-6
    assert found["m"]["lower"] < 1.5 * x.std(ddof=1) < found["m"]["upper"]
    assert found["noise"]["q_value"] > 0.01


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (7, 2), (3, 3), (1, 9)])
def test_mcnemar_is_the_binomial(gained, lost):
    slow = 1.0 if gained + lost == 0 else binomtest(gained, gained + lost).pvalue
    assert exact_mcnemar(gained, lost) == pytest.approx(slow)


def test_what_is_gained_at_progression_is_found(tmp_path):
    rng = np.random.default_rng(8)
    subjects = [f"P{i:02d}" for i in range(14)]
    rows = []
    for i, s in enumerate(subjects):
        course = [(0, 1.0), (56, 0.3), (196, 1.2)]
        rows += simulate_blood(rng, s, course, resistant_from=60.0 if i < 9 else 400.0)
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    blood = ctdna(read_variants(tmp_path / "t.csv").frame, CtdnaOptions(table="t.csv"))
    best = _best(*((s, "PR", 200.0, 200.0) for s in subjects))
    found = resistance(
        best, pl.DataFrame({"subject": subjects}), samples=blood.samples, variants=blood.variants
    ).tests.filter(pl.col("analysis") == "gained at progression")
    row = found.filter(pl.col("marker") == "ctDNA EGFR T790M").row(0, named=True)
    assert (row["group_a"], row["group_b"], row["n"]) == ("9 of 14", "0 of 14", 14)
    assert 10 ** -row["neg_log_10_p_value"] == pytest.approx(2 * 0.5**9)
    assert row["effect"].endswith("(9 gained, 0 lost)")
    assert "ctDNA TP53" not in found["marker"].to_list()


def test_too_few_subjects_are_told_and_not_tested():
    best, markers, *_ = _cohort(np.random.default_rng(1), 8)
    found = resistance(best, markers)
    assert found.tests.height == 0
    assert all("no marker tested" in p.got for p in found.problems)
    assert found.problems


def test_order_of_rows_changes_nothing():
    best, markers, *_ = _cohort(np.random.default_rng(1), 60)
    one = resistance(best, markers).tests
    two = resistance(best.reverse(), markers.reverse()).tests
    assert one.select("marker", "group_a", "n").equals(two.select("marker", "group_a", "n"))
    assert one["estimate"].to_numpy() == pytest.approx(two["estimate"].to_numpy())


@pytest.mark.parametrize(
    ("change", "part"), [({"durable_days": 0.0}, "durable_days = 0"), ({"min_group": 1}, "min_group = 1")]
)
def test_options_that_cannot_be_followed(change, part):
    with pytest.raises(ConfigError, match=part):
        ResistanceOptions(**change)


def test_text_is_told_and_not_compared_and_lines_must_be_numbers():
    best, markers, *_ = _cohort(np.random.default_rng(1), 40)
    told = markers.with_columns(pl.lit("left").alias("side"), (1 / pl.col("m1").abs().round(0)).alias("odd"))
    found = resistance(best, told)
    assert [p.item for p in found.problems if "is no number" in p.got] == ["side"]
    assert found.tests["estimate"].is_finite().all()
    assert found.tests.filter(pl.col("marker") == "odd")["n"].item(0) < 40
    with pytest.raises(ConfigError, match="prior lines that are no numbers"):
        resistance(best, markers, prior_lines=markers.select("subject", pl.lit("two").alias("prior_lines")))
