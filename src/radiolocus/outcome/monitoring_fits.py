"""Models of all subjects: no performance is told of them, they say what goes with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess, join_predictors
from radiolocus.learn.target import Rows
from radiolocus.model import Array, BoolArray
from radiolocus.outcome.histories import Histories
from radiolocus.outcome.supermodel import MIXED, Landmarks, Monitor, Tracked, fit_monitor
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.counting import CountingFit, fit_counting_cox
from radiolocus.stats.longitudinal import RandomSlope

__all__ = ["Intervals", "intervals_of", "time_dependent_cox", "whole_tables"]

_Z = 1.959963984540054
# Copies of one another go; nothing else is chosen.
_COLUMNS = ProtocolOptions(max_missing=0.9)


def whole_tables(
    endpoint: str, data: Tracked, landmarks: Landmarks, predictors: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """Tables of the models of all subjects: coefficients, mixed models, growth, measurements, time-dependent Cox."""
    found: dict[str, list[dict[str, object]]] = {"coefficients": [], "mixed": []}
    models = {name: fit_monitor(data, name, landmarks) for name in predictors}
    for name, model in models.items():
        found["coefficients"] += _coefficients(name, model, data)
    mixed = models[MIXED].mixed
    histories = data.histories.until(data.time)
    for marker, line in zip(histories.markers, mixed, strict=True):
        found["mixed"] += _mixed(marker, line)
    frames = {
        **{name: _frame(f"monitoring/{name}", endpoint, rows) for name, rows in found.items()},
        "growth": _frame("monitoring/growth", endpoint, _growth(histories, mixed)),
        "visits": _visits(endpoint, histories, mixed),
    }
    notes: list[tuple[str, str, int]] = []
    try:
        frames["time_dependent"] = _frame("monitoring/time_dependent", endpoint, _time_dependent(data))
    except RadiolocusError as error:
        frames["time_dependent"] = empty("monitoring/time_dependent")
        notes.append(("time-dependent Cox", error.message, 1))
    frames["notes"] = pl.DataFrame(
        notes, schema={"item": pl.String, "note": pl.String, "count": pl.Int64}, orient="row"
    )
    return frames


def _frame(table: str, endpoint: str, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    named = [{"endpoint": endpoint, **row} for row in rows]
    return conform(pl.DataFrame(named, schema=TABLES[table].schema), table)


def _coefficients(name: str, model: Monitor, data: Tracked) -> list[dict[str, object]]:
    subjects = len({int(i) for s in model.landmarks.times for i in data.at_risk(s)})
    fits = {"": model.cox} | ({"competing: ": model.rival} if model.rival is not None else {})
    return [
        {
            "predictors": name,
            "term": f"{of}{term}",
            "estimate": float(beta),
            "standard_error": float(error),
            "ridge": 0.0 if term.startswith("landmark") else model.ridge,
            "n": subjects,
            "rows": fit.n,
        }
        for of, fit in fits.items()
        for term, beta, error in zip(model.terms, fit.coefficient, fit.standard_error, strict=True)
    ]


def _mixed(marker: str, line: RandomSlope) -> list[dict[str, object]]:
    spread = np.sqrt(np.diag(line.random))
    correlation = float(line.random[0, 1] / (spread[0] * spread[1])) if spread.min() > 0 else None
    errors = np.sqrt(np.diag(line.fixed_covariance))
    told: list[tuple[str, float | None, float | None]] = [
        ("intercept", float(line.fixed[0]), float(errors[0])),
        ("slope", float(line.fixed[1]), float(errors[1])),
        ("sd of intercepts", float(spread[0]), None),
        ("sd of slopes", float(spread[1]), None),
        ("correlation", correlation, None),
        ("residual sd", float(np.sqrt(line.residual)), None),
    ]
    return [
        {
            "marker": marker,
            "term": term,
            "estimate": value,
            "standard_error": error,
            "subjects": line.subjects,
            "visits": line.visits,
        }
        for term, value, error in told
    ]


def _growth(histories: Histories, mixed: Sequence[RandomSlope]) -> list[dict[str, object]]:
    everybody, rows = np.arange(len(histories.subject)), list[dict[str, object]]()
    for j, (marker, line) in enumerate(zip(histories.markers, mixed, strict=True)):
        sums = histories.sums(j, everybody, np.inf)
        course = line.course(sums, 0.0)
        spread = sums.tt - sums.t**2 / np.maximum(sums.n, 1.0)
        told = spread > 1e-9 * np.maximum(sums.tt, 1e-300)
        own = np.divide(
            sums.ty - sums.t * sums.y / np.maximum(sums.n, 1.0), spread, out=np.full(spread.shape, np.nan), where=told
        )
        low, high = (course.slope + side * _Z * course.slope_error for side in (-1.0, 1.0))
        for i in np.flatnonzero(sums.n > 0):
            rows.append(
                {
                    "subject": histories.subject[i],
                    "marker": marker,
                    "visits": int(sums.n[i]),
                    "own_slope": float(own[i]) if told[i] else None,
                    "slope": float(course.slope[i]),
                    "lower": float(low[i]),
                    "upper": float(high[i]),
                    **(_doubling(course.slope[i], low[i], high[i]) if marker.startswith("log ") else {}),
                }
            )
    return rows


def _doubling(slope: float, low: float, high: float) -> dict[str, object]:
    """Doubling time of what grows; without an upper end where it may not grow at all."""
    if slope <= 0:
        return {}
    two = float(np.log(2.0))
    upper = two / float(low) if low > 0 else None
    return {"doubling_time": two / float(slope), "doubling_lower": two / float(high), "doubling_upper": upper}


def _visits(endpoint: str, histories: Histories, mixed: Sequence[RandomSlope]) -> pl.DataFrame:
    parts = [empty("monitoring/visits")]
    for j, (marker, line) in enumerate(zip(histories.markers, mixed, strict=True)):
        there = np.isfinite(histories.value[:, j])
        who, at = histories.person[there], histories.at[there]
        course = line.course(histories.sums(j, who, np.inf), at)
        frame = pl.DataFrame(
            {
                "endpoint": [endpoint] * who.size,
                "subject": [histories.subject[i] for i in who],
                "time": at,
                "marker": [marker] * who.size,
                "value": histories.value[there, j],
                "expected": course.level,
            }
        )
        parts.append(conform(frame, "monitoring/visits"))
    return pl.concat(parts)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals between visits: one row from each visit to the next, and from the last to the end.

    Parameters
    ----------
    who : ndarray of int, shape (k,)
    entry, leave : ndarray, shape (k,)
    event : ndarray of bool, shape (k,)
    """

    who: Rows
    entry: Array
    leave: Array
    event: BoolArray

    def take(self, rows: BoolArray) -> Intervals:
        """Return some intervals."""
        return Intervals(self.who[rows], self.entry[rows], self.leave[rows], self.event[rows])


def _cut(data: Tracked) -> Intervals:
    """Cut the follow-up of each subject at its visits; it begins at the first, and where the subject came in."""
    histories = data.histories
    early = histories.at < data.time[histories.person]
    frame = pl.DataFrame({"who": histories.person[early], "entry": histories.at[early]}).unique().sort("who", "entry")
    who, entry = frame["who"].to_numpy().astype(np.intp), frame["entry"].to_numpy()
    last = np.r_[who[1:] != who[:-1], True] if who.size else np.zeros(0, dtype=bool)
    leave = np.where(last, data.time[who], np.r_[entry[1:], 0.0])
    begin = entry if data.entry is None else np.maximum(entry, np.nan_to_num(data.entry)[who])
    cut = Intervals(who, begin, leave, last & (data.target.event[who] == 1))
    return cut.take(np.asarray(begin < leave, dtype=np.bool_))


def intervals_of(data: Tracked) -> tuple[Intervals, Predictors]:
    """Intervals with a value of every marker, and what is known at their beginning.

    Returns
    -------
    Intervals
    Predictors
        Clinical columns and the last value of each marker at the beginning of the interval.
    """
    cut = _cut(data)
    columns = [data.histories.first_and_last(j, cut.who, cut.entry)[1] for j in range(len(data.histories.markers))]
    value = np.column_stack([np.empty((cut.who.size, 0)), *columns])
    known = np.asarray(np.isfinite(value).all(axis=1), dtype=np.bool_)
    cut = cut.take(known)
    names = data.histories.markers
    block = Predictors(value[known], names, ("markers",) * len(names), np.zeros((int(known.sum()), 0), dtype=np.int64))
    return cut, join_predictors([data.clinical.take(cut.who), block])


def time_dependent_cox(data: Tracked) -> tuple[CountingFit, tuple[str, ...], Array]:
    """Fit a Cox model in which each marker holds its last value until the next visit.

    Returns
    -------
    CountingFit
        Coefficients a unit of the columns, with the subject as cluster.
    tuple of str
        Columns.
    ndarray, shape (p,)
        Their standard deviations over the intervals.

    Notes
    -----
    Says how the hazard goes with what was measured last. It is no prediction: the future of the marker is not known.

    References
    ----------
    Andersen & Gill, Ann Stat 1982;10:1100; Therneau & Grambsch, *Modeling Survival Data*, 2000, section 3.7.
    """
    cut, known = intervals_of(data)
    told = fit_preprocess(known, _COLUMNS)
    X = told.apply(known) * told.scale + told.mean
    fit = fit_counting_cox(cut.leave, cut.event, X, entry=cut.entry, cluster=cut.who, names=told.columns)
    return fit, told.columns, told.scale


def _time_dependent(data: Tracked) -> list[dict[str, object]]:
    fit, names, scale = time_dependent_cox(data)
    cut, _ = intervals_of(data)
    rows = []
    for j, name in enumerate(names):
        beta, error, unit = float(fit.coefficient[j]), float(fit.standard_error[j]), float(scale[j])
        ratio, low, high = (float(np.exp(unit * (beta + side * _Z * error))) for side in (0.0, -1.0, 1.0))
        rows.append(
            {
                "term": name,
                "estimate": beta,
                "standard_error": error,
                "hazard_ratio": ratio,
                "lower": low,
                "upper": high,
                "neg_log_10_p_value": float(fit.neg_log10_p[j]),
                "n": int(np.unique(cut.who).size),
                "intervals": fit.n,
                "events": fit.events,
            }
        )
    return rows
