"""Tracked subjects for tests: of a simulated cohort, or of the table that R answered about."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.model import Endpoint
from radiolocus.outcome.histories import checked_visits, histories_of
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.outcome.supermodel import Tracked
from radiolocus.simulate.monitoring import FollowedSimulation, simulate_followed

FOLDER = Path(__file__).resolve().parent / "reference"
MARKER = "volume_ml"


def tracked(scans, clinical, grade=True):
    """Tracked subjects of a table of scans (id, day, volume_ml) and one of subjects (id, grade, days, progressed)."""
    visits, _ = checked_visits(scans.rename({"id": "subject"}), [MARKER], time="day")
    until = dict(zip(clinical["id"], clinical["days"].cast(pl.Float64), strict=True))
    histories, _ = histories_of(visits, [MARKER], [MARKER], until)
    rows = clinical.filter(pl.col("id").is_in(list(histories.subject)))
    values = rows["grade"].to_numpy().astype(float)[:, None] if grade else np.zeros((rows.height, 0))
    names = ("grade",) if grade else ()
    known = Predictors(values, names, ("clinical",) * len(names), np.zeros((rows.height, 0), dtype=np.int64))
    return Tracked(Target(rows["progressed"].to_numpy(), rows["days"].to_numpy()), histories, known)


def simulated(**options):
    """A simulated cohort, and its subjects."""
    made = simulate_followed(FollowedSimulation(**options))
    return made, tracked(made.scans, made.clinical)


def endpoint_of(made):
    """Endpoint of a simulated cohort."""
    c = made.clinical
    return Endpoint(
        "progression",
        "survival",
        tuple(c["id"]),
        c["progressed"].to_numpy().astype(float),
        c["days"].to_numpy(),
        "days",
    )


def options(**changed):
    """Options of a small run on a simulated cohort."""
    given = {"window": 180.0, "markers": (MARKER,), "table": "scans.csv", "time": "day", "log": (MARKER,)}
    given |= {"clinical": ("grade",), "landmarks": (0.0, 180.0), "min_events": 3, "repeats": 1, "folds": 3}
    given |= {"bootstrap": 50, "draws": 2, "permutations": 2}
    return MonitoringOptions(**(given | changed))


def reference_table():
    """The table that R answered about, as scans and subjects."""
    table = pl.read_csv(FOLDER / "monitoring_table.csv")
    clinical = table.select("id", "grade", "days", "progressed").unique(maintain_order=True)
    return table.select("id", "day", MARKER), clinical


def reference_answers():
    """What R told (monitoring.R), by key: a number, or an array."""
    found = defaultdict(list)
    with (FOLDER / "monitoring_answers.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            key, _, last = row["key"].rpartition(".")
            numbered = key and last.isdigit() and not row["key"].startswith(("auc", "brier"))
            found[key if numbered else row["key"]].append(float(row["value"]))
    return {k: np.array(v) if len(v) > 1 else v[0] for k, v in found.items()}
