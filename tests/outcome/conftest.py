"""A small cohort with planted effects, one endpoint of each kind."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.model import Endpoint


class Cohort:
    """Survival and relapse depend on PET:f0 and on EGFR; nothing else matters."""

    def __init__(self, n=70, seed=6):
        rng = np.random.default_rng(seed)
        self.subject = tuple(f"S{i:03d}" for i in range(n))
        X = rng.normal(size=(n, 12))
        egfr = (rng.random(n) < 0.4).astype(float)
        risk = 1.3 * X[:, 0] + 1.0 * egfr
        time, censor = rng.exponential(400 * np.exp(-risk)), rng.exponential(600, n)
        event = (time <= censor).astype(float)
        self.endpoints = {
            "survival": Endpoint("survival", "survival", self.subject, event, np.minimum(time, censor), "days"),
            "relapse": Endpoint("relapse", "binary", self.subject, (risk + rng.logistic(size=n) > 0.4).astype(float)),
        }
        self.frames = {
            "clinical": pl.DataFrame(
                {
                    "subject": self.subject,
                    "Age": rng.integers(30, 80, n),
                    "Sex": rng.choice(["Female", "Male"], n),
                    "Grade": rng.choice(["low", "mid", "high", None], n, p=[0.4, 0.3, 0.2, 0.1]),
                    "Outcome text": ["leaks"] * n,
                }
            ),
            "imaging": pl.DataFrame({"subject": self.subject, **{f"PET:f{j}": X[:, j] for j in range(12)}}),
            "molecular": pl.DataFrame({"subject": self.subject, "EGFR": egfr, "TP53": rng.random(n) < 0.5}),
        }


@pytest.fixture
def cohort():
    return Cohort()


@pytest.fixture(scope="session")
def same_cohort():
    return Cohort()
