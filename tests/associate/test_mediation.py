"""Mediation from a table of subjects."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.associate.mediation import MediationOptions, mediation, write_mediation
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Endpoint
from radiolocus.schema import TABLES
from radiolocus.stats.mediation import e_value, mediate, sensitivity

OPTIONS = MediationOptions(draws=100)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(4)
    n = 220
    a = rng.binomial(2, 0.35, n).astype(float)
    age = rng.normal(60, 8, n)
    m = 0.8 * a + 0.02 * age + rng.normal(size=n)
    y = 0.7 * m + 0.1 * a + rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "subject": [f"s{i}" for i in range(n)],
            "rs1": a,
            "age": age,
            "CT:a": m,
            "CT:b": rng.normal(size=n),
            "score": y,
            "site": ["x"] * n,
        }
    )
    return frame.with_columns(pl.when(pl.int_range(n) == 7).then(None).otherwise("CT:a").alias("CT:a"))


def values(frame, mediator):
    return {row["effect"]: row for row in frame.filter(pl.col("mediator") == mediator).iter_rows(named=True)}


def test_a_measured_outcome(table, tmp_path):
    found = mediation(
        table, exposure="rs1", mediators=["CT:a", "CT:b"], outcome="score", covariates=["age"], options=OPTIONS
    )
    whole = table.drop_nulls()
    arrays = [whole[c].to_numpy() for c in ("rs1", "CT:a", "score", "age")]
    alone = mediate(*arrays[:3], arrays[3], draws=100)
    rows = values(found.effects, "CT:a")
    assert rows["mediated"]["estimate"] == alone.mediated.estimate
    assert (rows["mediated"]["lower"], rows["mediated"]["upper"]) == (alone.mediated.lower, alone.mediated.upper)
    assert rows["mediated"]["lower"] > 0
    assert rows["mediated"]["n"] == 219
    assert values(found.effects, "CT:b")["mediated"]["lower"] < 0 < values(found.effects, "CT:b")["mediated"]["upper"]
    curve = found.sensitivity.filter(pl.col("mediator") == "CT:a")
    assert curve["estimate"].to_list() == sensitivity(*arrays[:3], arrays[3]).estimate.tolist()
    assert set(found.rho_at_zero) == {"CT:a", "CT:b"}
    assert [p.got for p in found.problems] == ["1 of 220 subjects lack a value"]
    write_mediation(tmp_path, found)
    for name in ("mediation/effects", "mediation/sensitivity"):
        assert pl.read_parquet(tmp_path / f"{name}.parquet").schema == TABLES[name].schema


def test_endpoints_are_joined_by_subject(table):
    rng = np.random.default_rng(1)
    names = tuple(rng.permutation(table["subject"].to_numpy())[:200])
    score = dict(table.select("subject", "score").iter_rows())
    case = np.array([float(score[s] > 0.8) for s in names])
    binary = mediation(
        table, exposure="rs1", mediators=["CT:a"], outcome=Endpoint("case", "binary", names, case), options=OPTIONS
    )
    whole = table.filter(pl.col("subject").is_in(list(names))).drop_nulls()
    y = np.array([float(score[s] > 0.8) for s in whole["subject"]])
    alone = mediate(whole["rs1"].to_numpy(), whole["CT:a"].to_numpy(), y, kind="logistic", draws=100)
    rows = values(binary.effects, "CT:a")
    assert rows["mediated"]["estimate"] == pytest.approx(alone.mediated.estimate, rel=1e-9)
    assert rows["mediated"]["scale"] == "probability"
    assert binary.e_values["CT:a"] == pytest.approx(e_value(alone.risk_ratio))
    assert binary.sensitivity.is_empty()
    hazard = np.array([0.3 + 0.05 * max(score[s], 0) for s in names])
    time = rng.exponential(1 / hazard)
    survival = Endpoint("death", "survival", names, (time < 4).astype(float), np.minimum(time, 4.0), "years")
    found = mediation(table, exposure="rs1", mediators=["CT:a"], outcome=survival, options=OPTIONS)
    row = values(found.effects, "CT:a")["mediated"]
    assert (row["scale"], row["events"]) == (
        "events per unit of time",
        int((time < 4)[[i for i, s in enumerate(names) if s != "s7"]].sum()),
    )


def test_what_cannot_be_done_is_told(table):
    constant = table.with_columns(flat=pl.lit(1.0))
    found = mediation(constant, exposure="rs1", mediators=["CT:a", "flat"], outcome="score", options=OPTIONS)
    assert found.effects["mediator"].unique().to_list() == ["CT:a"]
    assert any(p.item == "flat" and p.severity == "set aside" for p in found.problems)
    with pytest.raises(TableError, match="no column 'rs2'"):
        mediation(table, exposure="rs2", mediators=["CT:a"], outcome="score")
    with pytest.raises(TableError, match="column 'site' of String"):
        mediation(table, exposure="rs1", mediators=["CT:a"], outcome="score", covariates=["site"])
    twice = pl.concat([table, table.head(1)])
    with pytest.raises(TableError, match="names each row once"):
        mediation(twice, exposure="rs1", mediators=["CT:a"], outcome=Endpoint("x", "binary", ("s1",), np.ones(1)))
    for wrong, match in (
        ({"interval": "bcaa"}, "did you mean 'bca'"),
        ({"draws": 3}, "draws"),
        ({"treated": 0.0}, "treated"),
    ):
        with pytest.raises(ConfigError, match=match):
            MediationOptions(**wrong)
