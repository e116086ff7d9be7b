"""What following a marker is worth, on cohorts of known truth: the figure of ``docs/monitoring.md``.

    python docs/figures/monitoring.py [COHORTS]

writes ``monitoring.svg`` and ``monitoring.csv`` beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.model import Endpoint
from radiolocus.outcome.histories import checked_visits
from radiolocus.outcome.monitoring import plan_monitoring, run_monitoring
from radiolocus.outcome.monitoring_judge import judge_monitoring
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.simulate.monitoring import FollowedCohort, FollowedSimulation, simulate_followed
from radiolocus.stats.horizon import auc_at

SUBJECTS, WINDOW, LANDMARKS = 200, 180.0, (0.0, 90.0, 180.0, 270.0, 360.0)
SHOWN = ("baseline", "last value", "mixed model")
_OPTIONS = MonitoringOptions(
    window=WINDOW,
    markers=("volume_ml",),
    log=("volume_ml",),
    table="scans.csv",
    time="day",
    clinical=("grade",),
    landmarks=LANDMARKS,
    min_events=1,
    repeats=1,
    bootstrap=200,
    draws=20,
    permutations=0,
)
SCHEMA = {"cohort": pl.Int64, "effect": pl.String, "predictors": pl.String, "landmark": pl.Float64}
SCHEMA |= dict.fromkeys(("auc", "lower", "upper", "held"), pl.Float64)


def rows_of(seed: int, effect: bool) -> list[tuple[object, ...]]:
    """AUC of every way to predict at every landmark, of the true risk too; and the share of intervals that hold it."""
    nothing = {} if effect else {"association": 0.0, "covariate": 0.0}
    made = simulate_followed(FollowedSimulation(subjects=SUBJECTS, seed=seed, **nothing))
    c = made.clinical
    visits, _ = checked_visits(made.scans.rename({"id": "subject"}), ["volume_ml"], time="day")
    event, days = (c[n].cast(pl.Float64).to_numpy() for n in ("progressed", "days"))
    endpoint = Endpoint("progression", "survival", tuple(c["id"]), event, days, "days")
    planned = plan_monitoring(visits, [endpoint], c.rename({"id": "subject"}), _OPTIONS)
    found = judge_monitoring(planned.units, [run_monitoring(u) for u in planned.units]).tables
    told = found["monitoring/performance"].filter(pl.col("predictors").is_in(SHOWN), metric="AUC(t)")
    kind = "planted" if effect else "none"
    held = _held(made, found["monitoring/risk"])
    rows: list[tuple[object, ...]] = [
        (seed, kind, r["predictors"], r["landmark"], r["estimate"], r["lower"], r["upper"], held)
        for r in told.iter_rows(named=True)
    ]
    for s in LANDMARKS if effect else ():
        at_risk = days > s
        best = auc_at(days[at_risk] - s, event[at_risk], made.risk(s, WINDOW)[at_risk], [WINDOW])[0]
        rows.append((seed, kind, "true risk", s, float(best), None, None, None))
    return rows


def _held(made: FollowedCohort, risk: pl.DataFrame) -> float:
    place = {s: i for i, s in enumerate(made.clinical["id"])}
    true = np.array([made.risk(t, WINDOW)[place[s]] for s, t in risk.select("subject", "time").iter_rows()])
    return float(np.mean((true >= risk["lower"].to_numpy()) & (true <= risk["upper"].to_numpy())))


def draw(frame: pl.DataFrame, file: Path) -> None:
    """Draw the mean AUC over cohorts by landmark, and the cohorts of the null beside it."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "radiolocus"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(7.6, 3.0), layout="constrained", sharey=True, width_ratios=(1.6, 1)
    )
    looks = {
        "true risk": ("black", ":", ""),
        "mixed model": ("#b2342a", "-", "o"),
        "last value": ("#3d5a80", "--", "s"),
    }
    looks["baseline"] = ("#8c8c8c", ":", "^")
    planted = frame.filter(pl.col("landmark").is_not_null(), effect="planted")
    for name, (colour, dash, marker) in looks.items():
        part = (
            planted.filter(predictors=name)
            .group_by("landmark")
            .agg(pl.col("auc").mean(), pl.col("auc").std().alias("sd"))
        )
        part = part.sort("landmark")
        error = part["sd"] / np.sqrt(planted["cohort"].n_unique())
        left.errorbar(
            part["landmark"], part["auc"], yerr=2 * error, color=colour, ls=dash, marker=marker, ms=4, label=name
        )
    left.set_xlabel("landmark (days)")
    left.set_ylabel("AUC in the 180 days after it")
    left.set_xticks(LANDMARKS)
    left.set_title("tumour size drives the hazard", fontsize=10)
    left.legend(frameon=False, fontsize=8, loc="lower left")
    null = frame.filter(pl.col("landmark").is_null(), effect="none")
    for x, name in enumerate(SHOWN):
        values = null.filter(predictors=name)["auc"].to_numpy()
        spread = np.random.default_rng(0).uniform(-0.15, 0.15, values.size)
        right.plot(x + spread, values, "o", ms=3.5, color=looks[name][0], alpha=0.7, mec="none")
        right.plot([x - 0.3, x + 0.3], [values.mean()] * 2, color=looks[name][0], lw=2)
    right.axhline(0.5, color="black", lw=0.8)
    right.set_xticks(range(len(SHOWN)), SHOWN, fontsize=8)
    right.set_title("nothing does (a dot a cohort)", fontsize=10)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main(cohorts: int, folder: Path) -> pl.DataFrame:
    """Simulate `cohorts` cohorts with an effect, and as many without, and write table and figure into `folder`."""
    rows = [row for seed in range(cohorts) for effect in (True, False) for row in rows_of(seed, effect)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    frame.write_csv(folder / "monitoring.csv", float_precision=4)
    draw(frame, folder / "monitoring.svg")
    return frame


if __name__ == "__main__":
    told = main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, Path(__file__).resolve().parent)
    print(
        told.group_by("effect", "predictors", "landmark").agg(pl.col("auc", "held").mean()).sort("effect", "predictors")
    )
