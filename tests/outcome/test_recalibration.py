"""Slope and baseline of new patients, and validation where patients enter late."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import InputError
from radiolocus.learn.target import Target
from radiolocus.outcome.lock import LockedModel, ModelColumn, read_model
from radiolocus.outcome.recalibration import recalibrate
from radiolocus.outcome.validation import validate
from radiolocus.stats.calibration import calibration
from radiolocus.stats.cox import fit_cox

COLUMN = ModelColumn("x", "imaging", "number", "", 0.0, 0.5, 2.0, 1.5, -5.0, 5.0)


def model(kind):
    timed = kind != "binary"
    return LockedModel(
        "e", kind, "months" if timed else "", "all", "m", (COLUMN,), 0.0 if timed else -0.3, 0.2,
        (1.0, 2.0) if timed else (), (0.1, 0.3) if timed else (), {}, 100, 50, (), {"imaging": {}}, {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def patients():
    """Risks of half the size that the model says; whole months, so that times are tied."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=200)
    died, other, lost = rng.exponential(8 * np.exp(-0.4 * x)), rng.exponential(20, 200), rng.exponential(15, 200)
    first = np.minimum(np.minimum(died, other), lost)
    state = np.where(first == died, 1.0, np.where(first == other, 2.0, 0.0))
    frame = pl.DataFrame({"subject": [f"p{i}" for i in range(200)], "x": x})
    return frame, np.ceil(first), state


def test_a_class_is_calibrated_afterwards(patients, tmp_path):
    frame, time, _ = patients
    target = Target((time < 5).astype(float))
    before = model("binary")
    after = recalibrate(before, before.linear(frame)[0], target)
    (tmp_path / "m.json").write_bytes(after.to_json())
    assert read_model(tmp_path / "m.json") == after
    found = calibration(target.event, after.risk(after.linear(frame)[0], [])[:, 0])
    assert (found.intercept, found.slope) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0, abs=1e-9))
    high = [m.linear(frame)[0] > m.threshold for m in (before, after)]
    np.testing.assert_array_equal(*high)
    assert after.settings["recalibrated"]["patients"] == 200


def test_times_are_calibrated_afterwards(patients):
    frame, time, state = patients
    before, target = model("survival"), Target((state == 1).astype(float), time)
    after = recalibrate(before, before.linear(frame)[0], target)
    linear = after.linear(frame)[0]
    assert fit_cox(time, target.event, linear).coefficient[0] == pytest.approx(1.0, abs=1e-8)
    hazard = np.append(0.0, after.baseline_hazard)[np.searchsorted(after.baseline_time, time, side="right")]
    # Efron's baseline counts the tied dying in part, so that expected events are not quite those observed.
    assert np.sum(hazard * np.exp(linear)) == pytest.approx(target.events, rel=0.1)


@pytest.mark.parametrize("kind", ["survival", "competing"])
def test_recalibrated_risks_are_those_of_r(patients, kind, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    frame, time, state = patients
    before = model(kind)
    target = Target((state == 1).astype(float), time, state=state if kind == "competing" else None)
    linear = before.linear(frame)[0]
    pl.DataFrame({"t": time, "s": state.astype(int), "lp": linear}).write_csv(tmp_path / "d.csv")
    data = "d"
    if kind == "competing":
        data = 'finegray(Surv(t, factor(s, 0:2, c("c", "a", "b"))) ~ ., data = d, etype = "a")'
    formula = "Surv(t, s == 1) ~ lp" if kind == "survival" else "Surv(fgstart, fgstop, fgstatus) ~ lp"
    weights = "" if kind == "survival" else ", weights = fgwt"
    script = f"""suppressMessages(library(survival)); d <- read.csv("{tmp_path}/d.csv"); f <- {data}
      m <- coxph({formula}, data = f{weights}); s <- survfit(m, newdata = d[1:5, ])
      cat(sprintf("%.10f", c(coef(m), 1 - summary(s, times = 6)$surv)))"""
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    slope, *risk = map(float, done.stdout.split())
    after = recalibrate(before, linear, target)
    assert after.columns[0].coefficient == pytest.approx(1.5 * slope, rel=1e-6)
    np.testing.assert_allclose(after.risk(after.linear(frame)[0], [6.0])[:5, 0], risk, rtol=1e-6)


def test_a_model_that_ranks_the_wrong_way_round_is_refused(patients):
    frame, time, state = patients
    target = Target((state == 1).astype(float), time)
    with pytest.raises(InputError, match="the wrong way round") as caught:
        recalibrate(model("survival"), -model("survival").linear(frame)[0], target)
    assert caught.value.got.startswith("a slope of -0.")


def test_each_number_of_a_validation_has_its_interval(patients):
    frame, time, state = patients
    for kind, target in (
        ("survival", Target((state == 1).astype(float), time)),
        ("competing", Target((state == 1).astype(float), time, state=state)),
        ("binary", Target((time < 5).astype(float))),
    ):
        asked = replace(model(kind), baseline_time=(1.0, 2.0, 8.0), baseline_hazard=(0.1, 0.2, 0.8))
        if kind == "binary":
            asked = model(kind)
        found = validate(asked, asked.linear(frame)[0], target, [6.0], draws=50)
        assert found.filter(~(pl.col("lower") < pl.col("upper"))).is_empty()
        assert found.select("estimate", "lower", "upper").null_count().row(0) == (0, 0, 0)
        assert {"ICI", "E50", "E90", "calibration slope", "observed / expected", "Brier score"} <= set(found["metric"])


def test_who_entered_late_is_compared_with_whom_he_was_at_risk_with(patients):
    frame, time, state = patients
    event, linear = (state == 1).astype(float), model("survival").linear(frame)[0]
    entry = np.floor(time * np.random.default_rng(1).random(200) * 0.9)
    found = validate(model("survival"), linear, Target(event, time, entry=entry), [2.0], draws=20)
    good = pairs = 0.0
    for i in np.flatnonzero(event):
        begun = (entry < time[i]) & ((time > time[i]) | ((time == time[i]) & (event == 0)))
        pairs += begun.sum()
        good += (linear[i] > linear[begun]).sum() + 0.5 * (linear[i] == linear[begun]).sum()
    assert found["estimate"][0] == pytest.approx(good / pairs, abs=1e-12)
    assert found["note"].to_list()[1:] == ["time 2: delayed entry or strata; allowed: an endpoint without them"] * 3
