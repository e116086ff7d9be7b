"""A cohort followed by scans, with known truth: a tumour grows or shrinks, and its true size drives the hazard.

The logarithm of the volume is a line in time with an intercept and a slope of the subject's own, measured with error at
every scan. The hazard is h₀ exp(α m(t) + γ x) with the true logarithm of the volume m(t) and a covariate x known at
baseline, so that the cumulative hazard, hence the time of the event and the true risk of any window, have a closed form
(that of Gompertz). Scans stop at the event or at the end of observation.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.model import Array

__all__ = [
    "FOLLOWED_STUDY",
    "FollowedCohort",
    "FollowedSimulation",
    "held_against_truth",
    "simulate_followed",
    "simulate_monitoring_study",
]

_WINDOW = 180.0

FOLLOWED_STUDY = f"""# Simulated follow-up by scans; the data are made, and this study is run, by
#
#     radiolocus demo-monitoring --out monitoring-demo

[cohort]
name = "Simulated monitoring"
id = "id"
subjects = "clinical.csv"

[cohort.endpoints.progression]
kind = "survival"
time = "days"
event = "progressed"
event_values = [1]
unit = "days"

[monitoring]
table = "scans.csv"
time = "day"
markers = ["volume_ml"]
log = ["volume_ml"]
clinical = ["grade"]
landmarks = [0.0, 90.0, 180.0, 270.0, 360.0]
window = {_WINDOW}
repeats = 2
bootstrap = 300
draws = 15
permutations = 3
"""


@dataclass(frozen=True)
class FollowedSimulation:
    """What is simulated.

    Parameters
    ----------
    subjects : int
        At least 20.
    seed : int
        Same seed, same cohort.
    hazard : float
        h₀ a day, of a subject whose m(t) and x are zero.
    association : float
        α: log hazard ratio a unit of the true logarithm of the volume; zero together with `covariate` for a null
        cohort.
    covariate : float
        γ: log hazard ratio a unit of x.
    intercept, slope : float
        Everybody's line: at day 0, and a day.
    intercept_sd, slope_sd : float
        Standard deviations of the subjects' own lines about it, independent.
    noise : float
        Standard deviation of a measurement of the logarithm.
    interval : float
        Planned days between scans; each is made up to a tenth of it early or late.
    follow_up : float
        Days; observation ends at random between half of it and all of it.
    """

    subjects: int = 240
    seed: int = 6
    hazard: float = 0.0006
    association: float = 0.9
    covariate: float = 0.5
    intercept: float = 0.0
    slope: float = 0.001
    intercept_sd: float = 0.7
    slope_sd: float = 0.003
    noise: float = 0.4
    interval: float = 45.0
    follow_up: float = 900.0

    def __post_init__(self) -> None:
        if self.subjects < 20:
            raise ConfigError(f"subjects = {self.subjects}", where="simulation", allowed="at least 20")
        for name in ("hazard", "noise", "interval", "follow_up"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="simulation", allowed="above 0")


@dataclass(frozen=True, eq=False)
class FollowedCohort:
    """A simulated cohort and its truth.

    Parameters
    ----------
    clinical : polars.DataFrame
        ``id``, ``grade`` (the covariate x), ``days`` and ``progressed``.
    scans : polars.DataFrame
        ``id``, ``day``, ``volume_ml`` and ``texture`` (noise), one row a scan.
    line : ndarray, shape (n, 2)
        True intercept and slope of the logarithm of each subject's volume.
    options : FollowedSimulation
    """

    clinical: pl.DataFrame
    scans: pl.DataFrame
    line: Array
    options: FollowedSimulation

    def risk(self, start: float, window: float) -> Array:
        """True probability of the event by `start` + `window` of each subject who has none by `start`."""
        x = self.clinical["grade"].to_numpy().astype(np.float64)
        both = [_cumulative(self.options, self.line, x, np.full(len(x), t)) for t in (start, start + window)]
        return np.asarray(-np.expm1(both[0] - both[1]))


def _rates(o: FollowedSimulation, line: Array, x: Array) -> tuple[Array, Array]:
    """Hazard at day 0 and its rate of growth."""
    return o.hazard * np.exp(o.association * line[:, 0] + o.covariate * x), o.association * line[:, 1]


def _cumulative(o: FollowedSimulation, line: Array, x: Array, t: Array) -> Array:
    start, growth = _rates(o, line, x)
    steady = np.abs(growth) < 1e-12
    safe = np.where(steady, 1.0, growth)
    return np.where(steady, start * t, start * np.expm1(safe * t) / safe)


def _event_times(o: FollowedSimulation, line: Array, x: Array, exponential: Array) -> Array:
    """Time at which the cumulative hazard reaches an exponential draw; infinite where it never does."""
    start, growth = _rates(o, line, x)
    steady = np.abs(growth) < 1e-12
    safe = np.where(steady, 1.0, growth)
    inside = 1.0 + safe * exponential / start
    late = np.full(inside.shape, np.inf)
    late[inside > 0] = np.log(inside[inside > 0]) / safe[inside > 0]
    return np.where(steady, exponential / start, late)


def simulate_followed(options: FollowedSimulation | None = None) -> FollowedCohort:
    """Simulate a cohort followed by scans.

    Parameters
    ----------
    options : FollowedSimulation, optional

    References
    ----------
    Bender, Augustin & Blettner, Stat Med 2005;24:1713 (event times by inversion); Rizopoulos, *Joint Models for
    Longitudinal and Time-to-Event Data*, 2012.
    """
    o = options or FollowedSimulation()
    rng = np.random.default_rng(o.seed)
    n = o.subjects
    line = np.column_stack([rng.normal(o.intercept, o.intercept_sd, n), rng.normal(o.slope, o.slope_sd, n)])
    x = rng.integers(0, 2, n).astype(np.float64)
    happens = np.ceil(_event_times(o, line, x, rng.exponential(size=n)))
    ends = np.round(rng.uniform(o.follow_up / 2, o.follow_up, n))
    days = np.minimum(happens, ends)
    names = [f"M{i + 1:04d}" for i in range(n)]
    rows = []
    for i, name in enumerate(names):
        planned = np.arange(0.0, o.follow_up, o.interval)
        late = np.round(rng.uniform(-0.1, 0.1, planned.size) * o.interval)
        late[0] = 0.0
        at = planned + late
        measured = np.exp(line[i, 0] + line[i, 1] * at + rng.normal(0.0, o.noise, at.size))
        texture = rng.normal(size=at.size)
        rows += [
            (name, float(d), round(float(v), 5), round(float(z), 4))
            for d, v, z in zip(at, measured, texture, strict=True)
            if d < days[i] or d == 0.0
        ]
    clinical = pl.DataFrame(
        {"id": names, "grade": x.astype(np.int64), "days": days, "progressed": (happens <= ends).astype(np.int64)}
    )
    scans = pl.DataFrame(rows, schema=["id", "day", "volume_ml", "texture"], orient="row")
    return FollowedCohort(clinical, scans, line, o)


def simulate_monitoring_study(folder: Path, options: FollowedSimulation | None = None) -> FollowedCohort:
    """Write a cohort followed by scans as the ordinary files of a study, with ``study.toml``.

    Parameters
    ----------
    folder : Path
        Made when it is not there. The truth is written to ``truth.json``, which the study does not read.
    options : FollowedSimulation, optional
    """
    made = simulate_followed(options)
    folder.mkdir(parents=True, exist_ok=True)
    made.clinical.write_csv(folder / "clinical.csv")
    made.scans.write_csv(folder / "scans.csv")
    (folder / "study.toml").write_text(FOLLOWED_STUDY, encoding="utf-8")
    truth = {
        "parameters": asdict(made.options),
        "lines": dict(zip(made.clinical["id"], made.line.tolist(), strict=True)),
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return made


def held_against_truth(made: FollowedCohort, risk: pl.DataFrame) -> list[str]:
    """Say how close re-estimated risks come to the true ones.

    Parameters
    ----------
    made : FollowedCohort
    risk : polars.DataFrame
        Table ``monitoring/risk`` of the study that :func:`simulate_monitoring_study` writes.
    """
    place = {s: i for i, s in enumerate(made.clinical["id"].to_list())}
    rows = risk.drop_nulls("lower")
    told = rows.select("subject", "time").iter_rows()
    true = np.array([made.risk(time, _WINDOW)[place[subject]] for subject, time in told])
    found, lower, upper = (rows[c].to_numpy() for c in ("risk", "lower", "upper"))
    error, held = np.abs(found - true).mean(), np.mean((true >= lower) & (true <= upper))
    lines = [f"re-estimated risks are {error:.2f} from the true ones on average; {held:.0%} of the intervals hold them"]
    if true.std() > 0 and found.std() > 0:
        lines.append(f"correlation with the true risks: {np.corrcoef(found, true)[0, 1]:.2f}")
    return lines
