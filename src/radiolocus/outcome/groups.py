"""Risk groups from out-of-fold predictions: Kaplan–Meier curves, log-rank test and hazard ratio.

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
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.survival import kaplan_meier, log_rank

__all__ = ["high_risk", "risk_groups"]

_Z = 1.959963984540054


def high_risk(distance: Array) -> BoolArray:
    """Majority over repetitions.

    Parameters
    ----------
    distance : ndarray, shape (R, n)
        Prediction less threshold, repetition by repetition.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    votes = (distance > 0).sum(axis=0) * 2 - len(distance)
    return np.asarray(np.where(votes == 0, distance.mean(axis=0) > 0, votes > 0))


def risk_groups(
    target: Target, subject: tuple[str, ...], predictions: pl.DataFrame, label: str
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Divide subjects by out-of-fold risk and compare the groups.

    Parameters
    ----------
    target : Target
        Of kind survival.
    subject : tuple of str
        Aligned with `target`.
    predictions : polars.DataFrame
        ``prediction`` and ``threshold``, all subjects in this order for each repetition.
    label : str
        What is predicted from what, for messages.

    Returns
    -------
    dict of str to polars.DataFrame
        ``groups``, ``kaplan_meier`` and ``logrank``, without the columns that name the task. The last is empty when
        everybody is in one group.
    list of Problem
    """
    distance = (predictions["prediction"] - predictions["threshold"]).to_numpy().reshape(-1, target.n)
    high = high_risk(distance)
    groups = pl.DataFrame({"subject": subject, "group": np.where(high, "high", "low")})
    curves = [_curve(target.take(high == flag), name) for flag, name in ((False, "low"), (True, "high"))]
    tables = {"groups": groups, "kaplan_meier": pl.concat([c for c in curves if c is not None])}
    row, problems = _compare(target, high, label)
    return tables | {"logrank": row}, problems


def _curve(target: Target, group: str) -> pl.DataFrame | None:
    if target.n == 0 or target.time is None:
        return None
    curve = kaplan_meier(target.time, target.event)
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
        test = log_rank(target.time, target.event, high)
    except RadiolocusError as error:
        return nothing, [_problem(error, f"log-rank test, {label}")]
    ratio: list[float | None] = [None, None, None]
    problems = []
    try:
        ratio = _hazard_ratio(target.time, target.event, high)
    except RadiolocusError as error:
        problems.append(_problem(error, f"hazard ratio, {label}"))
    row = (test.statistic, test.degrees_of_freedom, test.neg_log10_p, *ratio, target.n, target.events)
    return pl.DataFrame([row], schema=_LOGRANK, orient="row"), problems


def _hazard_ratio(time: Array, event: Array, high: npt.NDArray[np.bool_]) -> list[float | None]:
    fit = fit_cox(time, event, high.astype(np.float64), ties="efron", names=["high risk"])
    beta, error = float(fit.coefficient[0]), float(fit.standard_error[0])
    return [float(np.exp(beta + z * error)) for z in (0.0, -_Z, _Z)]


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("outcome", error.got, "no value", None, item, error.where, error.allowed, error.todo)
