"""What makes a comparison unfair is found where it was planted, and not elsewhere."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.model import Endpoint
from radiolocus.response import emulation
from radiolocus.response.benefit_data import known_outcome, people
from radiolocus.response.benefit_options import BenefitOptions


def cohort(**columns):
    n = 40
    rng = np.random.default_rng(3)
    subject = tuple(f"S{i}" for i in range(n))
    frame = pl.DataFrame({"subject": subject, "arm": ["A", "control"] * 20, "m": rng.normal(size=n)} | columns)
    time = np.full(n, 100.0)
    return frame, Endpoint("death", "survival", subject, np.tile([1.0, 0.0], 20), time, "days")


def checked(frame, endpoint, **given):
    options = BenefitOptions(treatment="arm", control="control", markers=("m",), **given)
    who, _ = people(frame, {}, options)
    return who, known_outcome(endpoint, who, options), options


def test_immortal_time_is_measured_and_a_landmark_advised():
    start = [30.0 if i % 4 == 0 else 0.0 for i in range(40)]
    found = emulation.immortal_time(*checked(*cohort(begun=start), start="begun"))
    assert [(c.check, c.verdict) for c in found] == [("immortal time", "leak")]
    assert "10 of 20 subjects started after time zero; 300 of 2000 days" in found[0].got
    assert "from a landmark: at 30 days" in found[0].todo
    assert "40 subjects were still followed" in found[0].todo
    assert found[0].value == 300


def test_an_outcome_before_the_treatment_is_a_leak():
    frame, death = cohort(begun=[150.0 if i == 0 else 0.0 for i in range(40)])
    found = emulation.immortal_time(*checked(frame, death, start="begun"))
    assert found[0].check == "outcome before treatment"
    assert found[0].verdict == "leak"
    assert found[0].value == 1


def test_treatment_at_time_zero_passes():
    found = emulation.immortal_time(*checked(*cohort(begun=[0.0] * 40), start="begun"))
    assert [c.verdict for c in found] == ["pass"]
    assert emulation.immortal_time(*checked(*cohort()))[0].verdict == "not checked"


def test_covariates_after_treatment():
    frame, death = cohort(begun=[5.0] * 40, seen=[4.0] * 38 + [6.0, 7.0])
    who, _, options = checked(frame, death, start="begun", measured_at={"m": "seen"})
    found = emulation.after_treatment(who, options)[0]
    assert (found.verdict, found.item, found.value) == ("leak", "m", 2)
    who, _, options = checked(frame, death, measured_at={"m": "begun"})
    assert emulation.after_treatment(who, options)[0].value == 40  # time zero where nobody says when it started


def test_prevalent_users():
    frame, death = cohort(before=["yes", "no"] + ["no"] * 38)
    who, _, options = checked(frame, death, prior_use="before")
    found = emulation.prevalent_users(who, options)
    assert (found.verdict, found.value) == ("leak", 1)
    assert "1 of 40 subjects" in found.got
    who, _, options = checked(frame.with_columns(before=pl.lit(0)), death, prior_use="before")
    assert emulation.prevalent_users(who, options).verdict == "pass"


@pytest.mark.parametrize(("spread", "verdict"), [(0.0, "pass"), (0.07, "suspect"), (0.4, "leak")])
def test_confounding_by_indication(spread, verdict):
    treated = np.arange(200) % 2 == 0
    rng = np.random.default_rng(1)
    propensity = np.clip(0.5 + spread * (2 * treated - 1) + rng.normal(0, 0.15, 200), 0.01, 0.99)
    balance = pl.DataFrame({"covariate": ["ill"], "role": ["confounder"], "difference": [2 * spread]})
    found = {c.check: c for c in emulation.indication("A", treated, propensity, balance, False)}
    assert found["confounding by indication"].verdict == verdict
    assert found["baseline imbalance"].verdict == ("suspect" if spread else "pass")
    lot = {c.check: c for c in emulation.indication("A", treated, propensity, balance, True)}
    assert lot["confounding by indication"].verdict == "pass"


def test_without_confounders_it_is_said_that_nothing_is_adjusted():
    balance = pl.DataFrame({"covariate": ["m"], "role": ["predictor"], "difference": [0.0]})
    found = emulation.indication("A", np.arange(10) % 2 == 0, np.full(10, 0.5), balance, False)[1]
    assert found.verdict == "suspect"
    assert "not adjusted" in found.got


def test_positivity():
    treated = np.arange(100) % 2 == 0
    assert emulation.positivity("A", treated, np.full(100, 0.5)).verdict == "pass"
    rare = np.where(np.arange(100) < 5, 0.01, 0.5)
    found = emulation.positivity("A", treated, rare)
    assert (found.verdict, found.value) == ("suspect", 0.05)
    assert emulation.positivity("A", treated, np.where(np.arange(100) < 20, 0.99, 0.5)).verdict == "leak"


def test_times_must_be_numbers():
    frame, death = cohort(begun=["soon"] * 40)
    with pytest.raises(ConfigError, match=r"column 'begun' of type String.*benefit.start|benefit.start.*'begun'"):
        emulation.immortal_time(*checked(frame, death, start="begun"))
