"""Is response told earlier from the first scan on treatment than from baseline? Both on the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import binomtest

from radiolocus import schema
from radiolocus.errors import ConfigError, FitError, InputError, RadiolocusError
from radiolocus.learn.audit import Finding, duplicates, permuted_outcome
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.learn.discrimination import out_of_fold_discrimination
from radiolocus.learn.landmark import since
from radiolocus.learn.models import MODELS, display_name, family_of
from radiolocus.learn.null import procedure_null, protocol_statistic
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.protocol import Protocol, Repeat
from radiolocus.learn.selected import check_selection
from radiolocus.learn.target import Target
from radiolocus.model import Array, Endpoint, Problem
from radiolocus.registry import suggest
from radiolocus.response.benefit_data import is_good, numeric_column, predictors_of
from radiolocus.response.early_options import EarlyOptions
from radiolocus.response.lead import early_lead

__all__ = ["BASELINE", "BOTH", "CHANGE", "Calls", "Early", "EarlyOptions", "early", "order_finding", "visits_of"]

# Beyond it, no feature is said to move from the first visit to the second.
_MOVED = 0.05
BASELINE, CHANGE, BOTH, CLINICAL = "baseline", "change", "baseline and change", "clinical"


@dataclass(frozen=True, eq=False)
class Early:
    """Tables of room ``early`` by name, and what could not be used."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class Calls:
    """Calls of a criterion: the days by event (:data:`radiolocus.response.lead.EVENTS`), and whom it judged."""

    days: Mapping[str, Mapping[str, float]]
    followed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Visits:
    """Features at baseline and at the early visit of the subjects who have both.

    Parameters
    ----------
    subject : tuple of str
    features : tuple of str
    first, second : ndarray, shape (n, p)
        NaN where missing.
    day : ndarray, shape (n,)
        Of the early visit, NaN where unknown.
    counts : polars.DataFrame
        Table ``early/visits``.
    """

    subject: tuple[str, ...]
    features: tuple[str, ...]
    first: Array
    second: Array
    day: Array
    counts: pl.DataFrame


def visits_of(frame: pl.DataFrame, options: EarlyOptions) -> tuple[Visits, list[Problem]]:
    """Put the visits of each subject in order and take baseline and the early one.

    Parameters
    ----------
    frame : polars.DataFrame
        ``subject`` and the columns of the table, in the order of its rows.
    options : EarlyOptions

    Raises
    ------
    ConfigError
        A column that is not there; no feature.
    FitError
        Nobody has both visits.
    """
    for name in (options.visit, options.day):
        if name and name not in frame.columns:
            known = [c for c in frame.columns if c != "subject"]
            raise ConfigError(
                f"no column '{name}'", where="early", allowed=", ".join(known[:20]), todo=suggest(name, known)
            )
    problems: list[Problem] = []
    if options.visit:
        unknown = frame[options.visit].is_null()
        again = frame.select("subject", options.visit).is_duplicated() & ~unknown
        for rows, got in ((unknown, f"a row without '{options.visit}'"), (again, f"two rows of one '{options.visit}'")):
            for subject in frame.filter(rows)["subject"].unique(maintain_order=True):
                problems.append(Problem("early", got, "set aside", subject, where="early.visit", todo="mend the table"))
        bad = [p.subject for p in problems]
        frame = frame.filter(~pl.col("subject").is_in(bad)).sort("subject", options.visit, maintain_order=True)
    names = _features(frame, options)
    place = frame.select(pl.int_range(pl.len()).over("subject")).to_series().to_numpy()
    total = frame.group_by("subject", maintain_order=True).len()
    subject = frame["subject"].to_numpy()
    where = {(s, int(k)): i for i, (s, k) in enumerate(zip(subject, place, strict=True))}
    kept = [s for s, n in total.iter_rows() if n >= options.early_visit]
    if lacking := total.height - len(kept):
        got = f"{lacking} of {total.height} subjects left out: fewer than {options.early_visit} visits"
        problems.append(Problem("early", got, "note", count=lacking))
    if not kept:
        raise FitError("nobody with a baseline and an early visit", where="early.table", allowed="subjects with both")
    at = [np.array([where[s, k] for s in kept]) for k in (0, options.early_visit - 1)]
    values = np.column_stack([numeric_column(frame[c]) for c in names])
    day = numeric_column(frame[options.day])[at[1]] if options.day else np.full(len(kept), np.nan)
    counts = total["len"].value_counts().sort("len").rename({"len": "visits", "count": "subjects"})
    told = counts.with_columns(
        order=pl.lit("rows of the table" if options.visit_order == "row" else f"column {options.visit}"),
        early_visit=pl.lit(options.early_visit),
    )
    return (
        Visits(tuple(kept), tuple(names), values[at[0]], values[at[1]], day, schema.conform(told, "early/visits")),
        problems,
    )


def _matches(column: str, patterns: Sequence[str]) -> bool:
    return any(column == p or fnmatchcase(column, p) for p in patterns)


def _features(frame: pl.DataFrame, options: EarlyOptions) -> list[str]:
    for pattern in (*options.features, *options.drop):
        if not any(_matches(c, (pattern,)) for c in frame.columns):
            raise ConfigError(f"no column '{pattern}'", where="early", todo=suggest(pattern, frame.columns))
    aside = ("subject", "diagnostics_*", options.visit, options.day, *options.drop)
    names = [
        c
        for c in frame.columns
        if frame[c].dtype.is_numeric()
        and not _matches(c, aside)
        and (not options.features or _matches(c, options.features))
    ]
    if not names:
        raise ConfigError("no feature", where="early.features", allowed="columns of numbers")
    return names


def change_of(first: Array, second: Array, kind: str) -> Array:
    """Change from baseline; NaN where it is not defined.

    Parameters
    ----------
    first, second : ndarray
    kind : {"relative", "log_ratio", "absolute"}
        A relative change of 0 and a log ratio of anything that is not positive are not defined.
    """
    if kind == "absolute":
        return second - first
    if kind == "relative":
        moved: Array = np.divide(second - first, np.abs(first), out=np.full(first.shape, np.nan), where=first != 0)
        return moved
    both = (first > 0) & (second > 0)
    ratio: Array = np.divide(second, first, out=np.full(first.shape, np.nan), where=both)
    return np.asarray(np.log(ratio), dtype=np.float64)


def order_finding(visits: Visits) -> Finding:
    """Judge whether the visits can stand in time: treatment and time should move some feature in one direction.

    Sign test of every feature, early visit against baseline, Bonferroni over features. Without any shift, either
    nothing that was measured changes, or the visits are not in order; which of the two, the data cannot tell.
    """
    rises = (visits.second > visits.first).sum(axis=0)
    falls = (visits.second < visits.first).sum(axis=0)
    told = [binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b in zip(rises, falls, strict=True)]
    best = int(np.argmin(told))
    p = min(float(told[best]) * len(told), 1.0)
    share = rises[best] / max(rises[best] + falls[best], 1)
    got = (
        f"of {len(told)} features the one that moves most, {visits.features[best]}, rises in {share:.0%} of "
        f"{len(visits.subject)} subjects (sign test, p = {p:.2g} after Bonferroni)"
    )
    if p > _MOVED:
        got += ": nothing moves in one direction, so the visits may not stand in time"
    return Finding("visit order", "suspect" if p > _MOVED else "pass", got, "", p)


def early(
    visits: Visits,
    endpoints: Sequence[Endpoint],
    clinical: pl.DataFrame,
    options: EarlyOptions,
    calls: Calls | None = None,
    step: Callable[[], None] = lambda: None,
) -> Early:
    """Predict endpoints from baseline, from the change, from both, and compare them on the same folds.

    Parameters
    ----------
    visits : Visits
    endpoints : sequence of Endpoint
    clinical : polars.DataFrame
        ``subject`` and clinical columns.
    options : EarlyOptions
        The first model that can predict an endpoint is used.
    calls : Calls, optional
        What the criterion of the study said, for the lead of the early call.
    step : callable
        Called after every endpoint.

    Raises
    ------
    ConfigError
        An unknown endpoint or clinical column; a set that names no feature; predictors that were selected on the
        endpoint (``selected_on``).
    """
    known = {e.name: e for e in endpoints}
    for name in (*options.endpoints, *options.favourable):
        if name not in known:
            raise ConfigError(
                f"unknown endpoint '{name}'",
                where="early.endpoints, early.favourable",
                allowed=", ".join(known),
                todo=suggest(name, list(known)),
            )
    for name in options.clinical:
        if name not in clinical.columns[1:]:
            todo = suggest(name, clinical.columns[1:])
            raise ConfigError(f"no clinical column '{name}'", where="early.clinical", todo=todo)
    _members(visits, options)
    predictors = [(CHANGE, f) for f in visits.features] + [(CLINICAL, name) for name in options.clinical]
    for name in options.endpoints or known:
        check_selection(name, predictors, list(known), options.selected_on, "early")
    rows: dict[str, list[dict[str, object]]] = {
        f"early/{n}": [] for n in ("performance", "comparisons", "predictions", "audit", "lead_time", "lead")
    }
    problems: list[Problem] = []
    for name in options.endpoints or known:
        try:
            _endpoint(known[name], visits, clinical, options, calls, rows)
        except RadiolocusError as error:
            problems.append(
                Problem("early", error.got, "set aside", None, name, error.where, error.allowed, error.todo)
            )
        step()
    tables = {n: schema.conform(pl.DataFrame(part, schema=schema.TABLES[n].schema), n) for n, part in rows.items()}
    return Early(tables | {"early/visits": visits.counts}, tuple(problems))


def _members(visits: Visits, options: EarlyOptions) -> dict[str, npt.NDArray[np.intp]]:
    """Places of the features of every set."""
    for name, patterns in options.sets.items():
        for pattern in patterns:
            if not any(_matches(f, (pattern,)) for f in visits.features):
                todo = suggest(pattern, visits.features)
                raise ConfigError(f"no feature '{pattern}'", where=f"early.sets.{name}", todo=todo)
    return {
        name: np.flatnonzero([_matches(f, patterns) for f in visits.features])
        for name, patterns in options.sets.items()
    }


def _of_set(block: str, name: str) -> str:
    """What the predictors `block` of a set of features are called."""
    return f"{block} of {name}"


def _blocks(
    visits: Visits, kept: npt.NDArray[np.intp], clinical: pl.DataFrame, options: EarlyOptions
) -> dict[str, Predictors]:
    moved = change_of(visits.first, visits.second, options.change)

    def block(values: Array, name: str, columns: npt.NDArray[np.intp]) -> Predictors:
        told = tuple(f"{name}: {visits.features[j]}" for j in columns)
        chosen = values[np.ix_(kept, columns)]
        return Predictors(chosen, told, (name,) * len(told), np.zeros((kept.size, 0), dtype=np.int64))

    def trio(columns: npt.NDArray[np.intp]) -> dict[str, Predictors]:
        first, change = block(visits.first, BASELINE, columns), block(moved, CHANGE, columns)
        return {BASELINE: first, CHANGE: change, BOTH: join_predictors([first, change])}

    found = trio(np.arange(len(visits.features)))
    apart = {
        _of_set(part, name): predictors
        for name, columns in _members(visits, options).items()
        for part, predictors in trio(columns).items()
    }
    if not options.clinical:
        return {**found, **apart}
    wanted = pl.DataFrame({"subject": [visits.subject[i] for i in kept]})
    frame = wanted.join(clinical, on="subject", how="left", maintain_order="left")
    known = predictors_of(frame, options.clinical)
    added = {f"{CLINICAL}, {name}": join_predictors([known, part]) for name, part in found.items()}
    return {CLINICAL: known, **found, **added, **apart}


def _endpoint(
    endpoint: Endpoint,
    visits: Visits,
    clinical: pl.DataFrame,
    options: EarlyOptions,
    calls: Calls | None,
    rows: dict[str, list[dict[str, object]]],
) -> None:
    place = {s: i for i, s in enumerate(endpoint.subject)}
    at = np.array([place.get(s, -1) for s in visits.subject])
    event = np.where(at >= 0, np.asarray(endpoint.event, dtype=np.float64)[at], np.nan)
    time = None if endpoint.time is None else np.where(at >= 0, np.asarray(endpoint.time)[at], np.nan)
    there = np.isfinite(event) if time is None else np.isfinite(event) & (np.nan_to_num(time, nan=-1.0) >= 0)
    kept = np.flatnonzero(there)
    target = Target(event[kept], None if time is None else time[kept])
    kept, target, landmark = _from_visit(endpoint, visits, kept, target, at)
    target.check()
    model = next((m for m in options.models if target.kind in MODELS[m].kinds), "")
    if not model:
        raise FitError(
            f"none of models = {list(options.models)} predicts a {target.kind} endpoint", where="early.models"
        )
    protocol = Protocol(options, model)
    blocks = _blocks(visits, kept, clinical, options)
    runs = {name: [protocol.run(b, target, k) for k in range(options.repeats)] for name, b in blocks.items()}
    subject = [visits.subject[i] for i in kept]
    shown = display_name(model, target.kind)
    metric = family_of(target, options).metric
    for name, found in runs.items():
        told = out_of_fold_discrimination(target, _stack(found), _folds(found), options.bootstrap, options.seed)
        rows["early/performance"].append(
            {
                "endpoint": endpoint.name,
                "predictors": name,
                "model": shown,
                "metric": metric,
                "estimate": told.estimate,
                "lower": told.lower,
                "upper": told.upper,
                "n": target.n,
                "events": target.events,
                "candidates": blocks[name].candidates,
                "repeats": options.repeats,
                "folds": max(int(f.fold.max()) + 1 for f in found),
            }
        )
        rows["early/predictions"] += [
            {
                "endpoint": endpoint.name,
                "predictors": name,
                "subject": s,
                "repeat": r,
                "fold": int(f),
                "prediction": float(p),
            }
            for r, one in enumerate(found)
            for s, f, p in zip(subject, one.fold, one.prediction, strict=True)
        ]
    for first, second in _pairs(list(blocks), list(options.sets)):
        gap = compare_on_same_folds(
            target, _stack(runs[first]), _stack(runs[second]), _folds(runs[first]), options.bootstrap, options.seed
        )
        rows["early/comparisons"].append(
            {
                "endpoint": endpoint.name,
                "first": first,
                "second": second,
                "metric": metric,
                "estimate": gap.estimate,
                "lower": gap.lower,
                "upper": gap.upper,
                "n": target.n,
            }
        )
    rows["early/audit"] += _audit(
        endpoint.name, blocks[BOTH], target, subject, protocol, options, [order_finding(visits), landmark]
    )
    if calls is not None and np.isfinite(visits.day).any():
        high = np.mean([r.prediction > r.threshold for r in runs[CHANGE]], axis=0)
        good = is_good(endpoint, options.favourable)
        visited = {s: float(d) for s, d in zip(visits.subject, visits.day, strict=True) if np.isfinite(d)}
        leads, summary = early_lead(
            endpoint.name, subject, visits.day[kept], high, good, calls.days, calls.followed, visited
        )  # fmt: skip
        rows["early/lead_time"] += leads
        rows["early/lead"] += summary


def _from_visit(
    endpoint: Endpoint, visits: Visits, kept: npt.NDArray[np.intp], target: Target, at: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], Target, Finding]:
    """Count an endpoint from the early visit, where its day and that of the endpoint are known."""
    decided = None if endpoint.decided is None else np.asarray(endpoint.decided, dtype=np.float64)[at[kept]]
    day = visits.day[kept]
    if not np.isfinite(visits.day).any():
        got = "the day of the early visit is not known: endpoints count from baseline, though the change came later"
        timed = target.time is not None or decided is not None
        return kept, target, Finding("landmark", "suspect" if timed else "not checked", got, "", float("nan"))
    try:
        found = since(target, day, endpoint.unit, decided=decided)
    except InputError as error:
        raise error.at(f"endpoint {endpoint.name}") from None
    if not found.checked:
        got = "when the endpoint was decided is not known: that it came after the early visit was not checked"
        return kept, target, Finding("landmark", "not checked", got, "", float("nan"))
    got = (
        f"counted from the early visit; left out: {int(found.before.sum())} with the endpoint by then, "
        f"{int(found.lost.sum())} not followed further, {int(found.without.sum())} without its day"
    )
    return kept[found.rows], found.target, Finding("landmark", "pass", got, "", float("nan"))


def _stack(runs: Sequence[Repeat]) -> Array:
    return np.stack([r.prediction for r in runs])


def _folds(runs: Sequence[Repeat]) -> npt.NDArray[np.int64]:
    return np.stack([r.fold for r in runs])


def _pairs(blocks: Sequence[str], sets: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [(BASELINE, CHANGE), (BASELINE, BOTH), (CHANGE, BOTH)]
    if CLINICAL in blocks:
        pairs += [(CLINICAL, f"{CLINICAL}, {name}") for name in (BASELINE, CHANGE, BOTH)]
    for name in sets:
        first, change, both = (_of_set(part, name) for part in (BASELINE, CHANGE, BOTH))
        pairs += [(first, change), (first, both), (change, both), (first, BASELINE), (change, CHANGE), (both, BOTH)]
    return pairs


def _audit(
    endpoint: str,
    both: Predictors,
    target: Target,
    subject: Sequence[str],
    protocol: Protocol,
    options: EarlyOptions,
    found: list[Finding],
) -> list[dict[str, object]]:
    found = [*found, *duplicates(both, subject)]
    if options.permutations:
        statistic = protocol_statistic(protocol, both)
        null = procedure_null(statistic, target, options.permutations, options.seed, observed=float("nan"))
        found.append(permuted_outcome(null, target))
    return [{"endpoint": endpoint, "check": f.check, "verdict": f.verdict, "item": f.item, "got": f.got} for f in found]
