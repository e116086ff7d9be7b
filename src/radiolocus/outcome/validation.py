"""External validation of a locked model: discrimination and calibration in patients that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl

from radiolocus.errors import InputError, RadiolocusError
from radiolocus.learn.horizons import truncation_of
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.outcome.lock import LockedModel
from radiolocus.stats.calibration import Calibration, calibration, calibration_at
from radiolocus.stats.competing_concordance import competing_c
from radiolocus.stats.concordance import auc, auc_bootstrap, harrell_c, harrell_c_bootstrap
from radiolocus.stats.horizon import brier_at

__all__ = ["validate"]

Row = tuple[str, float | None, float | None, float | None, float | None, str]
_FEWEST, _Z = 10, 1.959963984540054


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
        ``metric``, ``time``, ``estimate``, ``lower``, ``upper`` and ``note``: Harrell's C (with competing events
        Wolbers') or AUC; calibration slope,
        intercept (calibration in the large, on the scale of log(−log(1 − risk)) or of the logit, which is what
        recalibration adds), observed over expected, ICI and Brier score. What cannot be had is empty, with the reason.

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

    def discrimination() -> list[Row]:
        if cause is not None:
            return _wolbers(target, time, linear, draws, seed)
        found = harrell_c(time, target.event, linear)
        interval = _interval(harrell_c_bootstrap(time, target.event, linear, draws, seed))
        return [("Harrell C", None, found.estimate, *interval, "")]

    def at(horizon: float) -> list[Row]:
        risk = np.clip(model.risk(linear, [horizon])[:, 0], 1e-12, 1.0 - 1e-12)
        found = calibration_at(time, state, risk, horizon, cause=cause)
        brier = brier_at(time, state, risk, [horizon], cause=cause)
        return [*_calibrated(found, horizon), ("Brier score", horizon, float(brier[0]), None, None, "")]

    rows = _tried(["Harrell C" if cause is None else "Wolbers C"], None, discrimination)
    for horizon in horizons:
        rows += _tried(["calibration", "Brier score"], horizon, partial(at, horizon))
    return rows


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


def _calibrated(found: Calibration, time: float | None) -> list[Row]:
    def around(name: str, value: float, error: float, note: str) -> Row:
        return name, time, value, value - _Z * error, value + _Z * error, note

    return [
        ("observed / expected", time, found.observed_expected, None, None, "1 is ideal; above it risks are too low"),
        around("calibration intercept", found.intercept, found.intercept_error, "0 is ideal; recalibration adds it"),
        around("calibration slope", found.slope, found.slope_error, "1 is ideal; below it risks are too extreme"),
        ("ICI", time, found.gaps.ici, None, None, "mean distance between predicted and smoothed observed risk"),
    ]


def _binary(model: LockedModel, linear: Array, target: Target, draws: int, seed: int) -> list[Row]:
    risk = np.clip(model.risk(linear, [])[:, 0], 1e-12, 1.0 - 1e-12)

    def discrimination() -> list[Row]:
        interval = _interval(auc_bootstrap(target.event, linear, draws, seed))
        return [("AUC", None, auc(target.event, linear), *interval, "")]

    def agreement() -> list[Row]:
        brier = float(np.mean((risk - target.event) ** 2))
        return [*_calibrated(calibration(target.event, risk), None), ("Brier score", None, brier, None, None, "")]

    return _tried(["AUC"], None, discrimination) + _tried(["calibration", "Brier score"], None, agreement)
