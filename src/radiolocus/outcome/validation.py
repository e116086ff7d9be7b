"""External validation of a locked model: discrimination and calibration in patients that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl

from radiolocus.errors import InputError, RadiolocusError
from radiolocus.learn.assess import assess_risk
from radiolocus.learn.discrimination import metric_of, out_of_fold_discrimination
from radiolocus.learn.horizons import truncation_of
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.outcome.lock import LockedModel
from radiolocus.stats.calibration import Calibration, calibration, calibration_at
from radiolocus.stats.competing_concordance import competing_c
from radiolocus.stats.concordance import auc, auc_bootstrap, uno_c, uno_c_bootstrap
from radiolocus.stats.horizon import auc_at, brier_at, horizon_bootstrap

__all__ = ["validate"]

Row = tuple[str, float | None, float | None, float | None, float | None, str]
_FEWEST, _Z = 10, 1.959963984540054
#: Draws of patients for the intervals of what is smoothed anew in each.
_DRAWS = 200


def validate(
    model: LockedModel, linear: Array, target: Target, horizons: Sequence[float], *, draws: int = 1000, seed: int = 1
) -> pl.DataFrame:
    """Judge predictions of new patients.

    Parameters
    ----------
    model : LockedModel
    linear : ndarray, shape (n,)
        Linear predictors of the patients.
    target : Target
        What happened to them; an endpoint of the kind of the model.
    horizons : sequence of float
        Times at which risks are judged; unused for a binary endpoint.
    draws, seed : int
        Bootstrap of the intervals of discrimination.

    Returns
    -------
    polars.DataFrame
        ``metric``, ``time``, ``estimate``, ``lower``, ``upper`` and ``note``: Harrell's and Uno's C (with competing
        events Wolbers') or AUC; calibration slope, intercept (calibration in the large, on the scale of
        log(−log(1 − risk)) or of the logit, which is what recalibration adds), observed over expected, ICI, E50, E90,
        AUC(t) and Brier score. What cannot be had is empty, with the reason. With delayed entry or strata C compares
        who was at risk together, and nothing is judged at a time.

    Raises
    ------
    InputError
        Fewer than ten patients, or an endpoint of another kind.
    """
    if target.n < _FEWEST:
        raise InputError(
            f"{target.n} patients with a known endpoint", where="validation", allowed=f"at least {_FEWEST}"
        )
    if target.kind != model.kind:
        raise InputError(f"a {target.kind} endpoint", where="validation", allowed=f"a {model.kind} endpoint")
    rows = _survival(model, linear, target, horizons, draws, seed) if target.time is not None else None
    rows = _binary(model, linear, target, draws, seed) if rows is None else rows
    schema = ["metric", "time", "estimate", "lower", "upper", "note"]
    types = dict.fromkeys(schema[1:5], pl.Float64)
    return pl.DataFrame(rows, schema={n: types.get(n, pl.String) for n in schema}, orient="row")


def _interval(draws: Array) -> tuple[float | None, float | None]:
    kept = draws[np.isfinite(draws)]
    if kept.size == 0:
        return None, None
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)


def _tried(metrics: Sequence[str], time: float | None, call: Callable[[], list[Row]]) -> list[Row]:
    try:
        return call()
    except RadiolocusError as error:
        return [(metric, time, None, None, None, error.message) for metric in metrics]


def _survival(
    model: LockedModel, linear: Array, target: Target, horizons: Sequence[float], draws: int, seed: int
) -> list[Row]:
    time = target.time if target.time is not None else np.zeros(0)
    state, cause = (target.event, None) if target.state is None else (target.state, 1)

    own = bool(target.needs & {"entry", "strata"})

    def discrimination() -> list[Row]:
        if cause is not None and not own:
            return _wolbers(target, time, linear, draws, seed)
        one_fold = np.zeros((1, target.n), np.int64)
        found = out_of_fold_discrimination(target, linear[None], one_fold, draws, seed)
        return [(metric_of(target), None, found.estimate, found.lower, found.upper, "")]

    def weighted() -> list[Row]:
        tau = truncation_of(time, target.event)
        estimate = uno_c(time, target.event, linear, truncation=tau).estimate
        interval = _interval(uno_c_bootstrap(time, target.event, linear, truncation=tau, draws=draws, seed=seed))
        return [("Uno C", tau, estimate, *interval, "events up to this time")]

    def at(horizon: float) -> list[Row]:
        if own:
            raise InputError("delayed entry or strata", where=f"time {horizon:g}", allowed="an endpoint without them")
        risk = np.clip(model.risk(linear, [horizon])[:, 0], 1e-12, 1.0 - 1e-12)
        found = calibration_at(time, state, risk, horizon, cause=cause)
        area, brier = (float(judge(time, state, risk, [horizon], cause=cause)[0]) for judge in (auc_at, brier_at))
        drawn = horizon_bootstrap(time, state, risk, [horizon], cause=cause, draws=draws, seed=seed)
        return [
            *_calibrated(found, horizon, _gaps(target, risk, horizon, seed)),
            ("AUC(t)", horizon, area, *_interval(drawn.auc[:, 0]), ""),
            ("Brier score", horizon, brier, *_interval(drawn.brier[:, 0]), ""),
        ]

    rows = _tried([metric_of(target) if cause is None or own else "Wolbers C"], None, discrimination)
    if cause is None and not own:
        rows += _tried(["Uno C"], None, weighted)
    for horizon in horizons:
        rows += _tried(["calibration", "AUC(t)", "Brier score"], horizon, partial(at, horizon))
    return rows


def _gaps(target: Target, risk: Array, horizon: float | None, seed: int) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals of O/E, ICI, E50 and E90."""
    measures, _ = assess_risk(target, risk[None], horizon, _DRAWS, seed)
    return {m.metric: (m.lower, m.upper) for m in measures}


def _wolbers(target: Target, time: Array, linear: Array, draws: int, seed: int) -> list[Row]:
    """Concordance with competing events, up to the last event with a tenth still followed."""
    tau = truncation_of(time, target.event)
    state = np.zeros(target.n) if target.state is None else target.state
    found = competing_c(time, state, linear, truncation=tau)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        rows = generator.integers(target.n, size=target.n)
        try:
            drawn.append(
                competing_c(time[rows], state[rows], linear[rows], truncation=min(tau, time[rows].max())).estimate
            )
        except RadiolocusError:
            continue
    return [("Wolbers C", tau, found.estimate, *_interval(np.array(drawn)), "events up to this time")]


def _calibrated(found: Calibration, time: float | None, drawn: dict[str, tuple[float, float]]) -> list[Row]:
    def around(name: str, value: float, error: float, note: str) -> Row:
        return name, time, value, value - _Z * error, value + _Z * error, note

    gaps = found.gaps
    distance = "distance between predicted and smoothed observed risk"
    note = "1 is ideal; above it risks are too low"
    return [
        ("observed / expected", time, found.observed_expected, *_known(drawn["O/E"]), note),
        around("calibration intercept", found.intercept, found.intercept_error, "0 is ideal; recalibration adds it"),
        around("calibration slope", found.slope, found.slope_error, "1 is ideal; below it risks are too extreme"),
        ("ICI", time, gaps.ici, *_known(drawn["ICI"]), f"mean {distance}"),
        ("E50", time, gaps.e50, *_known(drawn["E50"]), f"median {distance}"),
        ("E90", time, gaps.e90, *_known(drawn["E90"]), f"90th percentile of the {distance}"),
    ]


def _known(interval: tuple[float, float]) -> tuple[float | None, float | None]:
    return interval if np.isfinite(interval).all() else (None, None)


def _binary(model: LockedModel, linear: Array, target: Target, draws: int, seed: int) -> list[Row]:
    risk = np.clip(model.risk(linear, [])[:, 0], 1e-12, 1.0 - 1e-12)

    def discrimination() -> list[Row]:
        interval = _interval(auc_bootstrap(target.event, linear, draws, seed))
        return [("AUC", None, auc(target.event, linear), *interval, "")]

    def agreement() -> list[Row]:
        brier = float(np.mean((risk - target.event) ** 2))
        drawn = _gaps(target, risk, None, seed)
        found = calibration(target.event, risk)
        return [*_calibrated(found, None, drawn), ("Brier score", None, brier, *_known(drawn["Brier"]), "")]

    return _tried(["AUC"], None, discrimination) + _tried(["calibration", "Brier score"], None, agreement)
