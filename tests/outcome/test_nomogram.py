"""A nomogram read off by hand gives the model's linear predictor and risk."""

import numpy as np
import polars as pl
import pytest

from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.target import Target
from radiolocus.outcome.everyone import training_frame
from radiolocus.outcome.lock import lock_model
from radiolocus.outcome.nomogram import nomogram

LEVELS = ("high", "low", "middle", "rare")
ABOUT = {"endpoint": "os", "unit": "d", "predictors": "all", "performance": (), "settings": {}, "versions": {}}


def fitted(p, kind):
    rng = np.random.default_rng(p)
    n = 120
    numeric = rng.normal(size=(n, p))
    numeric[:, 2] = numeric[:, 2] > 0.5  # a mark, as of a mutation
    codes = rng.choice([0, 1, 2], n)
    codes[:2] = 3, -1
    time = rng.exponential(np.exp(-numeric[:, 0] - 0.8 * (codes == 0)))
    numeric[rng.random((n, p)) < 0.1] = np.nan
    names = tuple(f"f{j}" for j in range(p))
    data = Predictors(numeric, names, ("imaging",) * p, codes[:, None], (LEVELS,), ("grade",), ("clinical",))
    target = Target((rng.random(n) < 0.7).astype(float), time)
    if kind == "binary":
        target = Target((time < np.median(time)).astype(float))
    tuned = Protocol(ProtocolOptions(inner_folds=3, penalties=8, missing_indicator=True), "ridge").fit(
        data, target, np.random.SeedSequence(1)
    )
    locked = lock_model(tuned, data, **ABOUT, kind=kind, model="ridge", patients=target.n, events=target.events)
    return locked, training_frame([f"p{i}" for i in range(n)], data), data


def read_off(found, row, frame, locked):
    """Points of one subject, axis by axis, by looking at the table alone."""
    total = 0.0
    for (predictor, kind), axis in found.axes.group_by(["predictor", "kind"], maintain_order=True):
        if kind == "number":
            value = row[predictor]
            if value is None:
                value = next(c.impute for c in locked.columns if c.predictor == predictor and c.kind == "number")
            (x0, x1), (p0, p1) = axis["value"].to_list(), axis["points"].to_list()
            total += p0 + (value - x0) * (p1 - p0) / (x1 - x0)
        elif kind == "missing":
            total += axis["points"][int(row[predictor.removesuffix(" (missing)")] is None)]
        elif kind == "binary":
            total += axis["points"][int(row[predictor] or 0)]
        elif kind == "category":
            labels = axis["label"].to_list()
            total += axis["points"][labels.index(row[predictor]) if row[predictor] in labels else 0]
        else:
            shown = set(found.axes["predictor"])
            rest = [
                c for c in locked.columns if c.predictor + (" (missing)" if c.kind == "missing" else "") not in shown
            ]
            score = 0.0
            for c in rest:
                value = row[c.predictor]
                x = float(value is None) if c.kind == "missing" else c.impute if value is None else value
                if c.kind == "level":
                    x = float(row[c.predictor] == c.level)
                score += c.coefficient * (x - c.mean) / c.scale
            (x0, x1), (p0, p1) = axis["value"].to_list(), axis["points"].to_list()
            total += p0 + (score - x0) * (p1 - p0) / (x1 - x0)
    return total


@pytest.mark.parametrize(("p", "kind"), [(3, "survival"), (3, "binary"), (14, "survival")])
def test_points_lead_to_the_linear_predictor_and_the_risk(p, kind):
    locked, frame, _ = fitted(p, kind)
    times = [0.4, 1.0] if kind == "survival" else []
    found = nomogram(locked, frame, times)
    linear, _ = locked.linear(frame)
    points = np.array([read_off(found, row, frame, locked) for row in frame.iter_rows(named=True)])
    np.testing.assert_allclose(found.base + found.per_point * points, linear, atol=1e-10)
    assert set(found.axes.filter(predictor="f2")["kind"]) <= {"binary"}
    assert found.axes["points"].max() == pytest.approx(100.0)
    assert found.axes["points"].min() == pytest.approx(0.0)
    risk = locked.risk(linear, times)
    for k, t in enumerate(times or [None]):
        table = found.risk.filter(pl.col("time") == t if t is not None else pl.col("time").is_null()).sort("points")
        inside = (points >= 0) & (points <= table["points"].max())
        read = np.interp(points[inside], table["points"], table["risk"])
        np.testing.assert_allclose(read, risk[inside, k], atol=0.002)
        own = locked.risk(table["linear_predictor"].to_numpy(), times)[:, k]
        np.testing.assert_allclose(table["risk"], own, rtol=1e-12)
    if p == 14:
        assert found.axes["axis"].max() == 10
        assert found.axes.filter(pl.col("kind") == "score").height == 2


def test_a_model_without_predictors_has_no_nomogram():
    locked, frame, _ = fitted(3, "binary")
    bare = type(locked)(**{**locked.__dict__, "columns": ()})
    assert nomogram(bare, frame, []) is None
