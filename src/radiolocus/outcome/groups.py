"""Risk groups from out-of-fold predictions: curves, a test and a ratio of hazards.

Of one kind of event: Kaplan–Meier, log-rank test, hazard ratio. With competing events: the cumulative incidence of
every kind (Aalen–Johansen), Gray's test, and the ratio of subdistribution hazards (Fine–Gray).

A subject is at high risk in a repetition when its prediction lies above the threshold of the model that did not see
it: the median over that model's training subjects of their inner out-of-fold predictions. Neither the model nor its
threshold knows the subject. Over the repetitions the majority decides; when as many say high as low, the mean
distance from the threshold does (above zero: high).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.counting import fit_counting_cox, fit_fine_gray
from radiolocus.stats.cox import CoxFit, fit_cox
from radiolocus.stats.gray import gray_test
from radiolocus.stats.survival import kaplan_meier, log_rank

__all__ = ["high_risk", "risk_groups"]

_Z = 1.959963984540054


def high_risk(distance: Array) -> BoolArray:
    """Majority over repetitions.

    Parameters
    ----------
    distance : ndarray, shape (R, n)
        Prediction less threshold, repetition by repetition; NaN where the subject was not held out.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    known = np.isfinite(distance)
    votes = (distance > 0).sum(axis=0) * 2 - known.sum(axis=0)
    mean = np.where(known, distance, 0.0).sum(axis=0)
    return np.asarray(np.where(votes == 0, mean > 0, votes > 0))


def risk_groups(
    target: Target, subject: tuple[str, ...], predictions: pl.DataFrame, label: str
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Divide subjects by out-of-fold risk and compare the groups.

    Parameters
    ----------
    target : Target
        With times.
    subject : tuple of str
        Aligned with `target`.
    predictions : polars.DataFrame
        ``prediction`` and ``threshold``, all subjects in this order for each repetition.
    label : str
        What is predicted from what, for messages.

    Returns
    -------
    dict of str to polars.DataFrame
        ``groups``, ``kaplan_meier`` and ``logrank``, or ``groups``, ``incidence`` and ``gray``, without the columns
        that name the task. The last is empty when everybody is in one group.
    list of Problem
    """
    distance = (predictions["prediction"] - predictions["threshold"]).to_numpy().reshape(-1, target.n)
    high = high_risk(distance)
    if target.state is not None:
        return _competing(target, subject, high, label)
    groups = pl.DataFrame({"subject": subject, "group": np.where(high, "high", "low")})
    curves = [_curve(target.take(high == flag), name) for flag, name in ((False, "low"), (True, "high"))]
    tables = {"groups": groups, "kaplan_meier": pl.concat([c for c in curves if c is not None])}
    row, problems = _compare(target, high, label)
    return tables | {"logrank": row}, problems


def _curve(target: Target, group: str) -> pl.DataFrame | None:
    if target.n == 0 or target.time is None:
        return None
    curve = kaplan_meier(target.time, target.event, entry=target.entry)
    return pl.DataFrame(
        {
            "group": [group] * curve.time.size,
            "time": curve.time,
            "at_risk": curve.at_risk,
            "events": curve.events,
            "censored": curve.censored,
            "survival": curve.survival,
            "lower": curve.lower,
            "upper": curve.upper,
        }
    ).with_columns(pl.col("lower", "upper").fill_nan(None))


_LOGRANK = {
    "statistic": pl.Float64(),
    "degrees_of_freedom": pl.Int64(),
    "neg_log_10_p_value": pl.Float64(),
    "hazard_ratio": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "n": pl.Int64(),
    "events": pl.Int64(),
}


def _compare(target: Target, high: BoolArray, label: str) -> tuple[pl.DataFrame, list[Problem]]:
    nothing = pl.DataFrame(schema=_LOGRANK)
    if target.time is None or high.all() or not high.any():
        got = f"all {target.n} subjects in one risk group: the models tell nobody apart"
        return nothing, [Problem("outcome", got, "no value", item=label)]
    try:
        test = log_rank(target.time, target.event, high, entry=target.entry)
    except RadiolocusError as error:
        return nothing, [_problem(error, f"log-rank test, {label}")]
    ratio: list[float | None] = [None, None, None]
    problems = []
    try:
        ratio = _hazard_ratio(target, target.time, high)
    except RadiolocusError as error:
        problems.append(_problem(error, f"hazard ratio, {label}"))
    row = (test.statistic, test.degrees_of_freedom, test.neg_log10_p, *ratio, target.n, target.events)
    return pl.DataFrame([row], schema=_LOGRANK, orient="row"), problems


def _hazard_ratio(target: Target, time: Array, high: npt.NDArray[np.bool_]) -> list[float | None]:
    column = high.astype(np.float64)
    if target.needs:
        fit: CoxFit = fit_counting_cox(
            time, target.event, column, entry=target.entry, strata=target.stratum, weights=target.weight,
            robust=target.weight is not None, names=["high risk"],
        )  # fmt: skip
    else:
        fit = fit_cox(time, target.event, column, ties="efron", names=["high risk"])
    return _ratio(fit)


def _ratio(fit: CoxFit) -> list[float | None]:
    beta, error = float(fit.coefficient[0]), float(fit.standard_error[0])
    return [float(np.exp(beta + z * error)) for z in (0.0, -_Z, _Z)]


def _competing(
    target: Target, subject: tuple[str, ...], high: BoolArray, label: str
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Cumulative incidence of every kind of event in each group, and the comparison of the one of interest."""
    groups = pl.DataFrame({"subject": subject, "group": np.where(high, "high", "low")})
    curves = [_incidence(target.take(high == flag), name) for flag, name in ((False, "low"), (True, "high"))]
    row, problems = _compare_incidence(target, high, label)
    known = [c for c in curves if c is not None]
    return {"groups": groups, "incidence": pl.concat(known) if known else pl.DataFrame(), "gray": row}, problems


def _incidence(target: Target, group: str) -> pl.DataFrame | None:
    if target.time is None or target.state is None or not (target.state > 0).any():
        return None
    found = aalen_johansen(target.time, target.state)
    parts = []
    for k, cause in enumerate(found.cause):
        value, error = found.incidence[:, k], found.standard_error[:, k]
        # On the scale of log(−log(1 − incidence)), as R's survfit and cuminc intervals are usually told.
        with np.errstate(divide="ignore", invalid="ignore"):
            width = _Z * error / ((1 - value) * -np.log1p(-value))
            ends = [-np.expm1(np.log1p(-value) * np.exp(sign * width)) for sign in (-1.0, 1.0)]
        inside = (value > 0) & (value < 1)
        parts.append(
            pl.DataFrame(
                {
                    "group": [group] * value.size,
                    "state": np.full(value.size, int(cause), dtype=np.int64),
                    "time": found.time,
                    "at_risk": found.at_risk,
                    "events": [int(np.sum((target.time == t) & (target.state == cause))) for t in found.time],
                    "incidence": value,
                    "lower": np.where(inside, ends[0], np.nan),
                    "upper": np.where(inside, ends[1], np.nan),
                }
            ).with_columns(pl.col("lower", "upper").fill_nan(None))
        )
    return pl.concat(parts)


_GRAY = {
    "statistic": pl.Float64(),
    "degrees_of_freedom": pl.Int64(),
    "neg_log_10_p_value": pl.Float64(),
    "subdistribution_hazard_ratio": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "n": pl.Int64(),
    "events": pl.Int64(),
    "competing_events": pl.Int64(),
}


def _compare_incidence(target: Target, high: BoolArray, label: str) -> tuple[pl.DataFrame, list[Problem]]:
    nothing = pl.DataFrame(schema=_GRAY)
    if target.time is None or target.state is None or high.all() or not high.any():
        got = f"all {target.n} subjects in one risk group: the models tell nobody apart"
        return nothing, [Problem("outcome", got, "no value", item=label)]
    try:
        test = gray_test(target.time, target.state, high)
    except RadiolocusError as error:
        return nothing, [_problem(error, f"Gray's test, {label}")]
    ratio: list[float | None] = [None, None, None]
    problems = []
    try:
        ratio = _ratio(fit_fine_gray(target.time, target.state, high.astype(np.float64), names=["high risk"]))
    except RadiolocusError as error:
        problems.append(_problem(error, f"ratio of subdistribution hazards, {label}"))
    rivals = int((target.state > 1).sum())
    row = (test.statistic, test.degrees_of_freedom, test.neg_log10_p, *ratio, target.n, target.events, rivals)
    return pl.DataFrame([row], schema=_GRAY, orient="row"), problems


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "no value", None, item, error.where, error.allowed, error.todo)
