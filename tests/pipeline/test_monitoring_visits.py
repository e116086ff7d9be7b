"""Where measurements over time come from."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, build
from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Endpoint
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.pipeline.monitoring_visits import monitored_endpoints, monitored_visits

CLINICAL = pl.DataFrame({"id": ["A", "B"], "start": ["2021-01-01", "2021-03-10"], "age": [50, 60]})
TABLE = pl.DataFrame(
    {"id": ["A", "A", "B"], "scan": ["v1", "v2", "v1"], "weeks": [0.0, 2.0, 1.0], "v": [3.0, 4.0, 5.0]}
)


@pytest.fixture
def run(tmp_path):
    """A run of which only what this module reads is there."""
    cohort = build([("clinical.csv", CLINICAL, range(2))], CohortOptions(id="id", subjects=()))
    TABLE.write_csv(tmp_path / "scans.csv")
    response = SimpleNamespace(criterion="recist11")
    return SimpleNamespace(
        root=tmp_path,
        study=SimpleNamespace(root=tmp_path),
        gathered=SimpleNamespace(cohort=cohort),
        sections=SimpleNamespace(response=response),
    )


def asked(**more):
    return MonitoringOptions(**({"window": 90.0, "table": "scans.csv", "time": "weeks", "markers": ("v",)} | more))


def features(run, rows):
    (run.root / "features").mkdir(exist_ok=True)
    frame = pl.DataFrame(rows, schema=["subject", "image", "visit", "roi", "stat_mean"], orient="row")
    frame.write_parquet(run.root / "features" / "features.parquet")


def test_a_table_in_other_units(run):
    found, problems = monitored_visits(run, asked(time_unit="weeks"), "days")
    assert found["time"].to_list() == [0, 14, 7]
    assert found["v"].to_list() == [3, 4, 5]
    assert not [p for p in problems if p.severity == "set aside"]
    with pytest.raises(ConfigError, match="unit 'moons'"):
        monitored_visits(run, asked(time_unit="weeks"), "moons")


def test_dates_count_from_the_origin_of_the_subject(run):
    TABLE.with_columns(pl.Series("weeks", ["2021-01-01", "2021-01-31", "2021-03-01"])).write_csv(run.root / "scans.csv")
    found, problems = monitored_visits(run, asked(origin="start"), "days")
    assert found["time"].to_list() == [0, 30]
    assert [(p.subject, p.got) for p in problems if p.severity == "set aside"] == [
        ("B", "a visit at -9, before baseline")
    ]
    months, _ = monitored_visits(run, asked(origin="start"), "months")
    assert months["time"][1] == pytest.approx(30 / 30.4375)
    with pytest.raises(ConfigError, match="column 'age' holds no date"):
        monitored_visits(run, asked(origin="age"), "days")
    with pytest.raises(ConfigError, match="no column 'begin'"):
        monitored_visits(run, asked(origin="begin"), "days")


def test_imaging_features_are_dated_by_the_table(run):
    features(run, [("A", "CT", "v1", "GTV", 1.0), ("A", "CT", "v2", "GTV", 2.0), ("B", "CT", "v1", "GTV", 3.0)])
    how = {"source": "imaging", "visit": "scan", "time_unit": "weeks"}
    found, _ = monitored_visits(run, asked(markers=("CT:stat_mean",), **how), "days")
    assert found.rows() == [("A", 0.0, 1.0), ("A", 14.0, 2.0), ("B", 7.0, 3.0)]
    for marker in ("CT:stat_max", "MR:stat_mean", "CT:node:stat_mean"):
        with pytest.raises(ConfigError, match=f"no imaging feature '{marker}'"):
            monitored_visits(run, asked(markers=(marker,), **how), "days")
    features(run, [("A", "CT", "v1", "GTV", 1.0), ("A", "CT", "v1", "node", 9.0), ("B", "CT", "v9", "node", 7.0)])
    with pytest.raises(ConfigError, match="of an image with several regions; allowed: CT:GTV:stat_mean, CT:node"):
        monitored_visits(run, asked(markers=("CT:stat_mean",), **how), "days")
    found, problems = monitored_visits(run, asked(markers=("CT:node:stat_mean",), **how), "days")
    assert found.rows() == [("A", 0.0, 9.0)]
    assert [(p.subject, p.got) for p in problems if p.severity == "set aside"] == [("B", "a visit without a time")]


def test_without_features_or_response_there_is_nothing(run):
    with pytest.raises(ConfigError, match="no imaging feature was measured"):
        monitored_visits(run, asked(source="imaging", visit="scan"), "")
    with pytest.raises(ConfigError, match="no response was called"):
        monitored_visits(run, MonitoringOptions(window=9.0, source="response"), "days")
    TABLE.with_columns(v=pl.lit(None, dtype=pl.Float64)).write_csv(run.root / "scans.csv")
    with pytest.raises(FitError, match="no visit with a measurement"):
        monitored_visits(run, asked(), "")


def test_the_response_is_followed_by_its_first_criterion(run):
    (run.root / "response").mkdir()
    rows = [
        ("A", "recist11", 0.0, 50.0),
        ("A", "recist11", 56.0, 30.0),
        ("A", "choi", 0.0, 9.0),
        ("B", "recist11", 0.0, 20.0),
    ]
    frame = pl.DataFrame(rows, schema=["subject", "criterion", "day", "value"], orient="row")
    frame.write_parquet(run.root / "response" / "criteria.parquet")
    found, _ = monitored_visits(run, MonitoringOptions(window=9.0, source="response", log=("size",)), "weeks")
    assert found.rows() == [("A", 0.0, 50.0), ("A", 8.0, 30.0), ("B", 0.0, 20.0)]


def endpoint(name, kind="survival", unit="days"):
    return Endpoint(name, kind, ("A",), np.ones(1), np.ones(1) if kind == "survival" else None, unit)


def test_endpoints_have_one_unit():
    known = [endpoint("os"), endpoint("pfs", unit="months"), endpoint("pcr", "binary", "")]
    assert [e.name for e in monitored_endpoints(known[:1] + known[2:], asked())] == ["os"]
    assert [e.name for e in monitored_endpoints(known, asked(endpoints=("pfs",)))] == ["pfs"]
    with pytest.raises(ConfigError, match="endpoints in days and months"):
        monitored_endpoints(known, asked())
    with pytest.raises(ConfigError, match="unknown endpoint 'dfs'"):
        monitored_endpoints(known, asked(endpoints=("dfs",)))
    with pytest.raises(ConfigError, match="no survival endpoint"):
        monitored_endpoints(known[2:], asked())
