"""What a larger set of predictors, or a fancier model, adds: on the same subjects, the same folds and the same draws.

Two kinds of pairs are compared. Of the same model, every set of blocks with every larger one that holds it: what the
further blocks add. Of the same set, every model with the simplest one that was asked for, the elastic net where it is
among them: what is fancier has to show its gain over that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.discrimination import metric_of
from radiolocus.learn.horizons import horizons_of
from radiolocus.learn.models import alone
from radiolocus.learn.target import Target
from radiolocus.model import Array, Problem
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.tasks import Plan, Task
from radiolocus.schema import CONTROL, conform, empty
from radiolocus.stats.competing import aalen_johansen
from radiolocus.stats.decision import decision_curve_at, decision_curve_bootstrap
from radiolocus.stats.likelihood_gain import likelihood_gain
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.survival import kaplan_meier
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["Comparison", "added_value_table", "comparisons_of", "run_comparison"]

#: The model that others are held against.
SIMPLE = "elastic_net"
# A likelihood ratio refits two models in every draw.
_DRAWS = 200
_KINDS = ("survival", "binary", "ordinal", "competing")
Folds = npt.NDArray[np.int64]
Row = tuple[str, float | None, float | None, float, float, float, float, float, float | None]
Results = Sequence[Mapping[str, pl.DataFrame] | Exception]


@dataclass(frozen=True, eq=False)
class _Judged:
    """A task whose repetitions all came out: predictions, folds and risks, repetition by repetition."""

    task: Task
    score: Array
    fold: Folds
    risk: Array | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two tasks with the same subjects and folds.

    Parameters
    ----------
    about : {"predictors", "model"}
        What differs.
    first, second : Task
    score : tuple of ndarray, shape (R, n)
        Out-of-fold predictions of both.
    fold : ndarray of int64, shape (R, n)
    risk : tuple of ndarray, shape (R, n, h), or None
        Of both, the probability of the event by each horizon, or of the class (h = 1).
    """

    about: str
    first: Task
    second: Task
    score: tuple[Array, Array]
    fold: Folds
    risk: tuple[Array, Array] | None

    @property
    def name(self) -> str:
        """Identify it within a study."""
        parts = (self.first.endpoint, self.first.predictors, self.first.model, self.second.predictors)
        return "/".join(("added", *parts, self.second.model))


def comparisons_of(planned: Plan, results: Results) -> tuple[list[Comparison], list[Problem]]:
    """Pair the tasks of a plan.

    Parameters
    ----------
    planned : Plan
    results : sequence
        As for :func:`radiolocus.outcome.performance.summarise`.

    Returns
    -------
    list of Comparison
    list of Problem
        A note where sets were not judged on the same subjects, so that nothing can be said.
    """
    judged = _judged_tasks(planned, results)
    found: list[Comparison] = []
    problems: list[Problem] = []
    for endpoint in dict.fromkeys(j.task.endpoint for j in judged):
        mine = [j for j in judged if j.task.endpoint == endpoint]
        apart = 0
        for first in mine:
            for second in mine:
                about = _relation(first.task, second.task)
                if not about:
                    continue
                if first.task.subject == second.task.subject and np.array_equal(first.fold, second.fold):
                    risk = None if first.risk is None or second.risk is None else (first.risk, second.risk)
                    pair = first.task, second.task
                    found.append(Comparison(about, *pair, (first.score, second.score), first.fold, risk))
                else:
                    apart += 1
        if apart:
            got = f"{apart} pairs of sets of predictors were judged on different subjects: what one adds is not told"
            todo = "same_subjects = true judges every set on the subjects who have all blocks"
            problems.append(Problem("outcome", got, "note", item=endpoint, where="added value", todo=todo))
    return found, problems


def _relation(first: Task, second: Task) -> str:
    """What the second adds to the first: predictors, model, or nothing to speak of."""
    one, two = first.data.blocks, second.data.blocks
    if one == two and first.model != second.model:
        return "model" if first.model == reference_of(first.options) else ""
    if set(one) < set(two):
        same = first.model == (alone(second.model) if len(one) == 1 else second.model)
        return "predictors" if same else ""
    return ""


def reference_of(options: OutcomeOptions) -> str:
    """Model that others are held against: the elastic net, or the first that was asked for."""
    return SIMPLE if SIMPLE in options.models else alone(options.models[0])


def _judged_tasks(planned: Plan, results: Results) -> list[_Judged]:
    tasks: dict[int, tuple[Task, list[Mapping[str, pl.DataFrame] | Exception]]] = {}
    for unit, result in zip(planned.units, results, strict=True):
        task = unit.task
        if unit.permuted or task.predictors.startswith(CONTROL) or task.data.partial:
            continue
        if task.options.split != "bootstrap" and task.target.kind in _KINDS:
            tasks.setdefault(id(task), (task, []))[1].append(result)
    found = []
    for task, own in tasks.values():
        done = [r for r in own if not isinstance(r, Exception)]
        if len(done) == len(own):
            score = np.stack([r["predictions"]["prediction"].fill_null(np.nan).to_numpy() for r in done])
            fold = np.stack([r["predictions"]["fold"].to_numpy() for r in done])
            found.append(_Judged(task, score, fold, _risks(task, done)))
    return found


def _risks(task: Task, done: Sequence[Mapping[str, pl.DataFrame]]) -> Array | None:
    if task.target.time is not None:
        shape = (task.target.n, len(horizons_of(task.target, task.options.horizons)))
        return np.stack([r["risks"]["risk"].fill_null(np.nan).to_numpy().reshape(shape) for r in done])
    if task.target.kind == "binary" and all("curves" in r for r in done):
        return np.stack([r["curves"]["probability"].to_numpy()[:, None] for r in done])
    return None


def run_comparison(pair: Comparison) -> dict[str, pl.DataFrame]:
    """Compute the rows of one pair.

    Returns
    -------
    dict of str to polars.DataFrame
        ``added_value`` (table of that name) and ``notes`` (what could not be told).
    """
    task = pair.first
    inside = np.flatnonzero((pair.fold >= 0).all(axis=0))
    target, fold = task.target.take(inside), pair.fold[:, inside]
    scores = (pair.score[0][:, inside], pair.score[1][:, inside])
    rows: list[Row] = []
    notes: list[str] = []
    steps: list[Callable[[], list[Row]]] = [partial(_discrimination, task, target, scores, fold)]
    # Delayed entry, strata and competing events are not part of that likelihood.
    if target.kind in ("survival", "binary") and not target.needs:
        steps.append(partial(_likelihood, task, target, scores, fold))
    if pair.risk is not None:
        risks = (pair.risk[0][:, inside], pair.risk[1][:, inside])
        steps.append(partial(_net_benefit, task, target, risks))
    for step in steps:
        try:
            rows += step()
        except RadiolocusError as error:
            notes.append(error.message)
    named = (task.endpoint, pair.about, task.predictors, task.shown, pair.second.predictors, pair.second.shown)
    counts = (target.n, target.events, len(fold))
    table = pl.DataFrame(
        [(*named, *row, *counts) for row in rows], schema=empty("outcome/added_value").schema, orient="row"
    ).with_columns(pl.selectors.float().fill_nan(None))
    label = f"{pair.second.label} beside {task.label}"
    told = pl.DataFrame({"item": [label] * len(notes), "got": notes}, schema={"item": pl.String, "got": pl.String})
    return {"added_value": conform(table, "outcome/added_value"), "notes": told}


def _discrimination(task: Task, target: Target, scores: tuple[Array, Array], fold: Folds) -> list[Row]:
    found = compare_on_same_folds(target, *scores, fold, task.options.bootstrap, task.options.seed)
    metric = metric_of(target) if not target.levels else "concordance"
    return [(metric, None, None, found.first, found.second, found.estimate, found.lower, found.upper, None)]


def _likelihood(task: Task, target: Target, scores: tuple[Array, Array], fold: Folds) -> list[Row]:
    """Likelihood ratio of the second score beside the first, within folds; mean over repetitions."""
    one = np.ones((1, target.n))
    stratum = None if target.time is not None else target.event
    draws = min(task.options.bootstrap, _DRAWS)
    weights = np.concatenate(list(bootstrap_weights(target.n, draws, task.options.seed, stratum=stratum)))
    values, drawn = [], []
    for first, second, own in zip(*scores, fold, strict=True):
        values.append(likelihood_gain(target.event, first, second, own, one, target.time)[0])
        drawn.append(likelihood_gain(target.event, first, second, own, weights.astype(np.float64), target.time))
    interval = percentile_interval(np.concatenate(drawn))
    mean = float(np.mean(values))
    # One-sided: a score that must be turned round counts as no gain. Half of the null lies there.
    p_value = float(neg_log10_p_chi2(mean, 1)) + float(np.log10(2.0)) if mean > 0 else 0.0
    return [("likelihood ratio", None, None, 0.0, mean, mean, interval.lower, interval.upper, p_value)]


def _net_benefit(task: Task, target: Target, risks: tuple[Array, Array]) -> list[Row]:
    """Difference of net benefit at each horizon and threshold, mean over repetitions."""
    horizons = horizons_of(target, task.options.horizons) if target.time is not None else (1.0,)
    time = target.time if target.time is not None else np.ones(target.n)
    state, cause = (target.event, None) if target.state is None else (target.state, 1)
    rows: list[Row] = []
    for h, horizon in enumerate(horizons):
        at = task.options.thresholds or (_usual(target, horizon),)
        at = tuple(sorted(at))
        given = [[_whole(r[:, h]) for r in risk] for risk in risks]
        value = [
            np.mean([decision_curve_at(time, state, r, horizon, at, cause=cause).net_benefit for r in own], axis=0)
            for own in given
        ]
        draws, seed = min(task.options.bootstrap, 4 * _DRAWS), task.options.seed
        drawn = [
            [decision_curve_bootstrap(time, state, r, horizon, at, cause=cause, draws=draws, seed=seed) for r in own]
            for own in given
        ]
        gaps = np.concatenate([b - a for a, b in zip(*drawn, strict=True)])
        shown = horizon if target.time is not None else None
        for k, threshold in enumerate(at):
            interval = percentile_interval(gaps[:, k])
            ends = float(value[0][k]), float(value[1][k])
            rows.append(
                ("net benefit", shown, threshold, *ends, ends[1] - ends[0], interval.lower, interval.upper, None)
            )
    return rows


def _whole(risk: Array) -> Array:
    return np.clip(risk, 0.0, 1.0)


def _usual(target: Target, horizon: float) -> float:
    """Observed risk by the horizon, in hundredths: where treating everybody is worth as much as treating nobody."""
    share = float(target.event.mean())
    if target.time is not None and target.state is not None:
        inside = min(horizon, float(target.time.max()))
        share = float(aalen_johansen(target.time, target.state).incidence_at(inside, 1))
    elif target.time is not None:
        curve = kaplan_meier(target.time, target.event)
        at = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        share = 1.0 - float(curve.survival[at]) if at >= 0 else 0.0
    return float(np.clip(round(share, 2), 0.01, 0.99))


def added_value_table(
    pairs: Sequence[Comparison], results: Sequence[Mapping[str, pl.DataFrame] | Exception]
) -> tuple[pl.DataFrame, list[Problem]]:
    """Put the pairs together.

    Parameters
    ----------
    pairs : sequence of Comparison
    results : sequence
        What :func:`run_comparison` returned for each, or the exception it raised.
    """
    tables, problems = [empty("outcome/added_value")], list[Problem]()
    for pair, result in zip(pairs, results, strict=True):
        if isinstance(result, RadiolocusError):
            problems.append(Problem("outcome", result.got, "no value", item=pair.name, where=result.where))
            continue
        if isinstance(result, Exception):
            raise result
        tables.append(result["added_value"])
        problems += [Problem("outcome", got, "no value", item=item) for item, got in result["notes"].iter_rows()]
    return pl.concat(tables), problems
