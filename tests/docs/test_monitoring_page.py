"""The figure of docs/monitoring.md is what its script makes, and shows what the page says."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def shown():
    return pl.read_csv(DOCS / "figures" / "monitoring.csv")


@pytest.mark.slow
def test_the_table_is_what_the_script_computes(shown):
    spec = importlib.util.spec_from_file_location("monitoring_figure", DOCS / "figures" / "monitoring.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = pl.DataFrame(script.rows_of(4, False), schema=script.SCHEMA, orient="row")
    kept = shown.filter(cohort=4, effect="none")
    assert made.select("predictors", "landmark").equals(kept.select("predictors", "landmark"))
    for column in ("auc", "lower", "upper", "held"):
        assert (made[column] - kept[column]).abs().max() < 2e-3


def test_following_the_marker_pays_and_nothing_is_found_where_nothing_is(shown):
    assert shown["cohort"].n_unique() == 20
    mean = {
        (effect, name): value
        for effect, name, value in shown.filter(pl.col("landmark").is_null())
        .group_by("effect", "predictors")
        .agg(pl.col("auc").mean())
        .iter_rows()
    }
    told = {("planted", "baseline"): 0.65, ("planted", "last value"): 0.73, ("planted", "mixed model"): 0.74}
    told |= {("none", "baseline"): 0.50, ("none", "last value"): 0.51, ("none", "mixed model"): 0.51}
    assert {k: round(v, 2) for k, v in mean.items()} == told
    late = shown.filter(landmark=360.0, effect="planted").group_by("predictors").agg(pl.col("auc").mean())
    assert {k: round(v, 2) for k, v in late.iter_rows()} == {
        "baseline": 0.62,
        "last value": 0.80,
        "mixed model": 0.81,
        "true risk": 0.83,
    }
    null = shown.filter(pl.col("landmark").is_null(), effect="none")
    covered = null.group_by("predictors").agg(((pl.col("lower") < 0.5) & (pl.col("upper") > 0.5)).mean())["lower"]
    assert (covered.min(), covered.max()) == (pytest.approx(0.8), pytest.approx(0.95))
    held = shown.filter(predictors="baseline", landmark=180.0).group_by("effect").agg(pl.col("held").mean())
    assert {k: round(v, 2) for k, v in held.iter_rows()} == {"planted": 0.94, "none": 0.95}
