import json

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.simulate.monitoring import FollowedSimulation, simulate_followed, simulate_monitoring_study


def test_the_true_risk_is_the_share_that_has_the_event():
    # Everybody alike, with enough subjects: the closed form against a count.
    made = simulate_followed(
        FollowedSimulation(
            subjects=4000, seed=1, intercept_sd=0.0, slope_sd=0.0, slope=0.004, covariate=0.0, follow_up=2000.0,
            interval=5000.0,
        )
    )  # fmt: skip
    days, event = made.clinical["days"].to_numpy(), made.clinical["progressed"].to_numpy()
    for start in (0.0, 300.0):
        at_risk = days > start
        share = np.mean((event == 1) & (days <= start + 200.0) & at_risk) / at_risk.mean()
        assert made.risk(start, 200.0)[0] == pytest.approx(share, abs=0.025)
        assert np.ptp(made.risk(start, 200.0)) == 0.0


def test_scans_stop_at_the_end_and_follow_the_line():
    made = simulate_followed(FollowedSimulation(subjects=60, seed=4))
    both = made.scans.join(made.clinical, on="id")
    assert both.filter((pl.col("day") >= pl.col("days")) & (pl.col("day") > 0)).height == 0
    assert made.scans.group_by("id").len()["len"].min() >= 1
    line = dict(zip(made.clinical["id"], made.line, strict=True))
    rest = [
        np.log(v) - line[s][0] - line[s][1] * d for s, d, v in made.scans.select("id", "day", "volume_ml").iter_rows()
    ]
    assert np.std(rest) == pytest.approx(0.4, abs=0.03)


def test_a_shrinking_tumour_may_never_progress():
    made = simulate_followed(FollowedSimulation(subjects=200, seed=4, slope=-0.02, slope_sd=0.0, association=2.0))
    assert made.clinical["progressed"].mean() < 0.5
    assert np.isfinite(made.risk(0.0, 1e5)).all()


def test_a_study_is_written_whole(tmp_path):
    made = simulate_monitoring_study(tmp_path, FollowedSimulation(subjects=20))
    assert pl.read_csv(tmp_path / "scans.csv").height == made.scans.height
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(truth["lines"]) == 20
    assert truth["parameters"]["association"] == 0.9
    again = simulate_followed(FollowedSimulation(subjects=20))
    assert again.scans.equals(made.scans)


def test_what_cannot_be_simulated():
    with pytest.raises(ConfigError, match="subjects = 5"):
        FollowedSimulation(subjects=5)
    with pytest.raises(ConfigError, match="noise = 0"):
        FollowedSimulation(noise=0.0)
