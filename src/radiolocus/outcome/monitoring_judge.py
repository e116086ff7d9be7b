"""How well risk was told at each landmark: tables of performance, comparisons and calibration from predictions.

Subjects are compared within a fold only, and intervals hold both who was sampled and how they were divided, as in
:mod:`radiolocus.learn.horizons`. A bootstrap draw takes subjects, with all their landmarks; the mean over landmarks is
taken within a draw, so that it is no narrower than one subject's several rows allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.audit import Finding, permuted_outcome
from radiolocus.learn.discrimination import within_fold_blocks
from radiolocus.learn.horizons import Judge, Part
from radiolocus.learn.null import Null
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, Problem
from radiolocus.outcome.monitoring import MonitoringTask, MonitoringUnit, observed_risk
from radiolocus.outcome.supermodel import BASELINE, CHANGE, CLINICAL, LAST, MIXED, Tracked
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.calibration import calibration_at
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["METRICS", "Monitored", "judge_monitoring"]

METRICS = ("Uno C", "AUC(t)", "Brier(t)", "Brier(t) without predictors", "scaled Brier")
_AUC = METRICS.index("AUC(t)")
# Places of those that ways to predict are compared by.
_COMPARED = (0, 1, 2, 4)
_PAIRS = ((CLINICAL, BASELINE), (BASELINE, LAST), (BASELINE, MIXED), (LAST, CHANGE), (LAST, MIXED))
_GROUPS = 4
_Z = 1.959963984540054
# Fewer permutations say whether something leaks, but give no p-value worth the name.
_FOR_P = 19
_TABLES = (
    "landmarks",
    "performance",
    "comparisons",
    "calibration",
    "predictions",
    "risk",
    "visits",
    "coefficients",
    "time_dependent",
    "mixed",
    "growth",
    "audit",
)

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Monitored:
    """Tables of room ``monitoring`` by name, and what could not be computed."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def judge_monitoring(
    units: Sequence[MonitoringUnit], results: Sequence[dict[str, pl.DataFrame] | Exception]
) -> Monitored:
    """Put the results of all units together and judge them.

    Parameters
    ----------
    units : sequence of MonitoringUnit
    results : sequence of dict or Exception
        Of the units, in their order.
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in _TABLES}
    problems: list[Problem] = []
    done = list(zip(units, results, strict=True))
    for task in {id(u.task): u.task for u in units}.values():
        own = [(u, r) for u, r in done if u.task is task]
        failed = next((r for u, r in own if isinstance(r, Exception) and u.kind != "permuted"), None)
        if failed is not None:
            problems.append(_failure(task.endpoint, failed))
            continue
        found = {
            kind: [r for u, r in own if u.kind == kind and not isinstance(r, Exception)]
            for kind in ("whole", "repeat", "permuted")
        }
        _gather(task, found, parts)
        problems += _told(task.endpoint, [*found["whole"], *found["repeat"]])
    tables = {}
    for name, frames in parts.items():
        table = f"monitoring/{name}"
        tables[table] = conform(pl.concat([empty(table), *frames]), table)
    return Monitored(tables, tuple(problems))


def _failure(endpoint: str, error: Exception) -> Problem:
    if not isinstance(error, RadiolocusError):
        raise error
    return Problem("monitoring", error.got, "set aside", None, endpoint, error.where, error.allowed, error.todo)


def _told(endpoint: str, results: Sequence[dict[str, pl.DataFrame]]) -> list[Problem]:
    """Notes of the fits, each once with how often it came."""
    notes = (
        pl.concat([r["notes"] for r in results])
        .group_by("item", "note", maintain_order=True)
        .agg(pl.col("count").sum())
    )
    return [
        Problem("monitoring", f"{item}: {note}" if item else note, "note", None, endpoint, count=count)
        for item, note, count in notes.iter_rows()
    ]


def _gather(
    task: MonitoringTask, found: dict[str, list[dict[str, pl.DataFrame]]], parts: dict[str, list[pl.DataFrame]]
) -> None:
    for result in found["whole"]:
        for name in ("coefficients", "mixed", "growth", "visits", "time_dependent"):
            parts[name].append(result[name])
    repeats = found["repeat"]
    predictions = pl.concat([r["predictions"] for r in repeats])
    parts["predictions"].append(predictions)
    parts["risk"] += [r["risk"] for r in repeats if "risk" in r]
    parts["landmarks"].append(_landmarks(task))
    scores = _Scores(task, predictions)
    parts["performance"] += [_frame("performance", scores.performance(len(repeats)))]
    parts["comparisons"] += [_frame("comparisons", scores.comparisons())]
    groups, slopes = _calibration(task, predictions)
    parts["calibration"].append(_frame("calibration", groups))
    folds = predictions["fold"].n_unique()
    parts["performance"].append(_frame("performance", [s | {"repeats": len(repeats), "folds": folds} for s in slopes]))
    drawn = [_mean_auc(task, r["predictions"]) for r in found["permuted"]]
    parts["audit"].append(_audit(task, np.asarray(drawn, dtype=np.float64), scores.mean_auc()))


def _frame(name: str, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    table = f"monitoring/{name}"
    return conform(pl.DataFrame(rows, schema=TABLES[table].schema), table)


def _landmarks(task: MonitoringTask) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    data, window = task.data, task.landmarks.window
    for s in task.landmarks.times:
        who = data.at_risk(s)
        time, event = data.time[who], data.target.event[who] == 1
        seen = data.histories.at <= s
        last = np.full(data.target.n, -np.inf)
        np.maximum.at(last, data.histories.person[seen], data.histories.at[seen])
        rows.append(
            {
                "endpoint": task.endpoint,
                "landmark": s,
                "window": window,
                "unit": task.unit,
                "n": who.size,
                "events": int(np.sum(event & (time <= s + window))),
                "followed": int(np.sum(time > s + window)),
                "visits": float(data.histories.visits_until(who, s).mean()),
                "age": float(np.median(s - last[who])),
            }
        )
    return _frame("landmarks", rows)


@dataclass(frozen=True, eq=False)
class _At:
    """Who was at risk at a landmark, and what can be said of predictions for them."""

    who: Rows
    judge: Judge
    target: Target

    @classmethod
    def of(cls, data: Tracked, landmark: float, window: float) -> _At:
        who = data.at_risk(landmark)
        time = data.time[who] - landmark
        own = data.target.state
        target = Target(data.target.event[who], time, state=None if own is None else own[who])
        return cls(who, Judge(target, time, np.array([window]), truncation=window), target)

    def part(self, rows: pl.DataFrame, place: dict[str, int]) -> Part:
        """Predictions of one repetition, in the order of `who`."""
        at = np.array([place[s] for s in rows["subject"].to_list()], dtype=np.intp)
        order = np.empty(self.who.size, dtype=np.intp)
        order[np.searchsorted(self.who, at)] = np.arange(at.size)
        fold, score, risk, bare = (
            rows[c].to_numpy()[order] for c in ("fold", "prediction", "risk", "risk_without_predictors")
        )
        blocks = within_fold_blocks(self.target, score, fold)
        return Part(blocks, score, fold, risk[:, None], bare[:, None])

    def statistics(self, part: Part, weights: Draws) -> Draws:
        """One row a draw, one column a metric."""
        four = self.judge.statistics(part, weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(four[:, 3] > 0, 1.0 - four[:, 2] / four[:, 3], np.nan)
        return np.column_stack([four, scaled])


class _Scores:
    """Every metric of every way to predict, at every landmark, in every repetition and draw."""

    def __init__(self, task: MonitoringTask, predictions: pl.DataFrame) -> None:
        self.task = task
        self.names = [n for n in task.predictors if (predictions["predictors"] == n).any()]
        self.folds = predictions["fold"].n_unique()
        times = task.landmarks.times
        self.at = [_At.of(task.data, s, task.landmarks.window) for s in times]
        # With competing events the concordance is Wolbers'.
        self.metrics = (self.at[0].judge.names()[0][0], *METRICS[1:])
        place = {s: i for i, s in enumerate(task.data.histories.subject)}
        split = predictions.partition_by("predictors", "landmark", "repeat", as_dict=True, maintain_order=True)
        repeats = sorted(predictions["repeat"].unique().to_list())
        parts = {
            name: [[at.part(split[name, s, r], place) for r in repeats] for s, at in zip(times, self.at, strict=True)]
            for name in self.names
        }
        ones = np.ones((1, task.data.target.n))
        # Of each way to predict: landmarks × repetitions × metrics, and × draws.
        self.estimate = {name: self._scored(rows, ones)[:, :, 0] for name, rows in parts.items()}
        drawn: dict[str, list[Draws]] = {name: [] for name in self.names}
        for counts in bootstrap_weights(task.data.target.n, task.options.bootstrap, task.options.seed):
            weights = counts.astype(np.float64)
            for name, rows in parts.items():
                drawn[name].append(self._scored(rows, weights))
        self.drawn = {name: np.concatenate(blocks, axis=2) for name, blocks in drawn.items()}

    def _scored(self, rows: Sequence[Sequence[Part]], weights: Draws) -> Draws:
        """Landmarks × repetitions × draws × metrics."""
        return np.stack(
            [
                np.stack([at.statistics(part, weights[:, at.who]) for part in parts])
                for at, parts in zip(self.at, rows, strict=True)
            ]
        )

    def mean_auc(self) -> float:
        """Mean AUC(t) of the mixed model over landmarks and repetitions."""
        return float(self.estimate[MIXED][:, :, _AUC].mean()) if MIXED in self.estimate else float("nan")

    def _places(self) -> list[tuple[float | None, int | slice, int, int]]:
        """Each landmark, then all: its time, its index, subjects and events."""
        window = self.task.landmarks.window
        told: list[tuple[float | None, int | slice, int, int]] = []
        for k, (s, at) in enumerate(zip(self.task.landmarks.times, self.at, strict=True)):
            events = int(np.sum((at.target.event == 1) & (np.asarray(at.target.time) <= window)))
            told.append((s, k, at.who.size, events))
        everybody = np.unique(np.concatenate([at.who for at in self.at]))
        return [*told, (None, slice(None), everybody.size, sum(t[3] for t in told))]

    def performance(self, repeats: int) -> list[dict[str, object]]:
        """Rows of ``monitoring/performance``."""
        rows: list[dict[str, object]] = []
        for name in self.names:
            for landmark, k, n, events in self._places():
                for m, metric in enumerate(self.metrics):
                    told = _interval(self.estimate[name], self.drawn[name], k, m)
                    rows.append(
                        {
                            "endpoint": self.task.endpoint,
                            "predictors": name,
                            "landmark": landmark,
                            "metric": metric,
                            **told,
                            "n": n,
                            "events": events,
                            "repeats": repeats,
                            "folds": self.folds,
                        }
                    )
        return rows

    def comparisons(self) -> list[dict[str, object]]:
        """Rows of ``monitoring/comparisons``."""
        rows: list[dict[str, object]] = []
        for first, second in _PAIRS:
            if first not in self.names or second not in self.names:
                continue
            estimate = self.estimate[second] - self.estimate[first]
            drawn = self.drawn[second] - self.drawn[first]
            rows += [
                {
                    "endpoint": self.task.endpoint,
                    "first": first,
                    "second": second,
                    "landmark": landmark,
                    "metric": self.metrics[m],
                    **_interval(estimate, drawn, k, m),
                }
                for landmark, k, _, _ in self._places()
                for m in _COMPARED
            ]
        return rows


def _interval(estimate: Draws, drawn: Draws, place: int | slice, metric: int) -> dict[str, object]:
    """Mean over repetitions (and landmarks), and the interval of all draws of all repetitions."""
    middle, draws = estimate[place, :, metric], drawn[place, :, :, metric]
    if isinstance(place, slice):
        middle, draws = middle.mean(axis=0), draws.mean(axis=0)
    value = float(middle.mean())
    if not np.isfinite(value) or np.isfinite(draws).sum() < 2:
        return {"estimate": value if np.isfinite(value) else None, "lower": None, "upper": None}
    told = percentile_interval(draws.ravel())
    return {"estimate": value, "lower": told.lower, "upper": told.upper}


def _mean_auc(task: MonitoringTask, predictions: pl.DataFrame) -> float:
    """Mean AUC(t) over the landmarks of one repetition on permuted outcomes, which stand in the predictions."""
    values = []
    for (_,), part in predictions.partition_by("landmark", as_dict=True, maintain_order=True).items():
        values.append(_auc_of(task, part))
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")


def _auc_of(task: MonitoringTask, part: pl.DataFrame) -> float:
    place = {s: i for i, s in enumerate(task.data.histories.subject)}
    who = np.array([place[s] for s in part["subject"].to_list()], dtype=np.intp)
    landmark = float(part["landmark"][0])
    time, state = part["time"].to_numpy() - landmark, part["state"].to_numpy()
    target = Target((state == 1).astype(np.float64), time, state=state if task.data.target.state is not None else None)
    judge = Judge(target, time, np.array([task.landmarks.window]), truncation=task.landmarks.window)
    score, fold, risk = (part[c].to_numpy() for c in ("prediction", "fold", "risk"))
    whole = Part(within_fold_blocks(target, score, fold), score, fold, risk[:, None], risk[:, None])
    return float(judge.statistics(whole, np.ones((1, who.size)))[0, _AUC])


def _calibration(
    task: MonitoringTask, predictions: pl.DataFrame
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Groups by predicted risk, averaged over repetitions; and calibration slopes with Wald intervals."""
    place = {s: i for i, s in enumerate(task.data.histories.subject)}
    groups: list[dict[str, object]] = []
    slopes: list[dict[str, object]] = []
    mean = predictions.group_by("predictors", "landmark", "subject", maintain_order=True).agg(pl.col("risk").mean())
    for (name, landmark), part in mean.partition_by(
        "predictors", "landmark", as_dict=True, maintain_order=True
    ).items():
        who = np.array([place[s] for s in part["subject"].to_list()], dtype=np.intp)
        order = np.argsort(who)
        who, risk = who[order], part["risk"].to_numpy()[order]
        time, state = task.data.time[who] - landmark, task.data.state[who]
        head: dict[str, object] = {"endpoint": task.endpoint, "predictors": name, "landmark": landmark}
        for g, rows in enumerate(np.array_split(np.argsort(risk, kind="stable"), _GROUPS), start=1):
            groups.append(head | {"group": g} | _observed(time[rows], state[rows], risk[rows], task.landmarks.window))
        slopes += _slope(head, time, state, risk, task.landmarks.window)
    return groups, slopes


def _observed(time: Array, state: Array, risk: Array, window: float) -> dict[str, object]:
    told: dict[str, object] = {"n": int(risk.size), "expected": float(risk.mean()) if risk.size else None}
    if not risk.size or time.max() < window:
        return told
    observed, low, high = observed_risk(time, state, window)
    known = {"lower": low, "upper": high} if np.isfinite(low) else {}
    return told | {"observed": observed} | known


def _slope(head: dict[str, object], time: Array, state: Array, risk: Array, window: float) -> list[dict[str, object]]:
    try:
        cause = 1 if (state > 1).any() else None
        found = calibration_at(time, state, np.clip(risk, 1e-9, 1 - 1e-9), window, cause=cause, span=0.75)
    except RadiolocusError:  # one risk for all, or a regression without a maximum
        return []
    low, high = (found.slope + side * _Z * found.slope_error for side in (-1.0, 1.0))
    events = int(np.sum((state == 1) & (time <= window)))
    told = {"metric": "calibration slope", "estimate": found.slope, "lower": low, "upper": high}
    return [head | told | {"n": int(risk.size), "events": events}]


def _audit(task: MonitoringTask, drawn: Draws, observed: float) -> pl.DataFrame:
    findings = [_events(task)]
    if task.options.permutations:
        null = Null(observed, drawn)
        found = permuted_outcome(null, task.data.target)
        p = f"; observed {observed:.3f}" + (f", p = {null.p_value:.2g}" if null.finite.size >= _FOR_P else "")
        findings.append(Finding(found.check, found.verdict, found.got + p, MIXED, found.value, found.error))
    rows: list[dict[str, object]] = [
        {
            "endpoint": task.endpoint,
            "check": f.check,
            "verdict": f.verdict,
            "item": f.item,
            "got": f.got,
            "value": f.value if np.isfinite(f.value) else None,
            "error": f.error if np.isfinite(f.error) else None,
        }
        for f in findings
    ]
    return _frame("audit", rows)


def _events(task: MonitoringTask) -> Finding:
    """Subjects with an event in a window, to each column that the largest model offers."""
    data, window = task.data, task.landmarks.window
    everybody = set()
    for s in task.landmarks.times:
        who = data.at_risk(s)
        everybody |= set(who[(data.target.event[who] == 1) & (data.time[who] <= s + window)].tolist())
    columns = 2 * len(data.histories.markers) + data.clinical.candidates
    each = len(everybody) / max(columns, 1)
    got = f"{len(everybody)} subjects with an event in a window, {columns} predictors: {each:.1f} each"
    return Finding("events", "pass" if each >= 10 else "suspect", got, "", each)
