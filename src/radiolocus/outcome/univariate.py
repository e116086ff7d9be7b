"""Each predictor alone against an endpoint, on all subjects that have both: description, not validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.learn.discrimination import discrimination_batch, metric_of
from radiolocus.learn.structure import COMPONENT
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.outcome.blocks import Block, Known, rows_of
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.schema import conform, empty
from radiolocus.stats.counting import fit_counting_cox
from radiolocus.stats.cox import cox_univariate_batch
from radiolocus.stats.logistic import logistic_univariate_batch
from radiolocus.stats.multiplicity import benjamini_hochberg
from radiolocus.stats.ordinal import fit_ordinal
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["univariate"]


@dataclass(frozen=True, eq=False)
class _Columns:
    names: list[str]
    blocks: list[str]
    values: Array


def univariate(
    known: Known, blocks: Mapping[str, Block], options: OutcomeOptions
) -> tuple[pl.DataFrame, list[Problem]]:
    """Judge every predictor alone.

    Harrell's C or AUC keeps its direction: above 0.5, larger values go with the event. Its interval is a percentile
    bootstrap over patients. The p-value is that of the likelihood-ratio test of a one-predictor Cox (Efron; with
    competing events, of the cause-specific hazard), logistic or, of classes in an order, proportional-odds model; with
    weights it is the robust Wald test. It is null where the model has no finite estimate (perfect separation). A
    category is compared with all other categories; of two categories the second in alphabetical order is shown.
    Nothing is imputed.

    Parameters
    ----------
    known : Known
        Endpoint of the subjects in whom it is known.
    blocks : mapping of str to Block
    options : OutcomeOptions

    Returns
    -------
    polars.DataFrame
        Table ``outcome/univariate``; q-values are within the endpoint.
    list of Problem
        Predictors left out (constant, or no comparable pair) and models without an estimate.
    """
    columns = _columns(known, blocks)
    problems: list[Problem] = []
    label = f"{known.endpoint.name}, each predictor alone"
    if known.target.kind == "multiclass":
        got = "predictors alone are not judged on classes without an order: no single score ranks them"
        return empty("outcome/univariate"), [Problem("outcome", got, "note", item=label)]

    def tell(which: Rows, got: str, severity: Literal["set aside", "no value"]) -> None:
        problems.extend(Problem("outcome", got, severity, item=columns.names[j], where=label) for j in which)

    # Columns of `found`: estimate, lower, upper, −log10 p, n, events; NaN where a predictor is left out.
    found = np.full((len(columns.names), 6), np.nan)
    for here, chosen in _patterns(columns.values):
        target, X = known.target.take(here), columns.values[np.ix_(here, chosen)]
        constant = np.ptp(X, axis=0) == 0 if target.n else np.ones(chosen.size, dtype=bool)
        got = f"constant among the {target.n} subjects with a value" if target.n else "no subject has a value"
        tell(chosen[constant], got, "set aside")
        chosen, X = chosen[~constant], X[:, ~constant]
        try:
            metric = discrimination_batch(target, X, options.univariate_bootstrap, options.seed)
        except RadiolocusError as error:
            tell(chosen, error.got, "set aside")
            continue
        p_value, reasons = _tests(target, X, options)
        found[chosen, :3], found[chosen, 3], found[chosen, 4:] = metric, p_value, (target.n, target.events)
        for j, reason in zip(chosen, reasons, strict=True):
            if reason:
                tell(np.array([j]), f"no test: {reason}", "no value")
    kept = np.flatnonzero(np.isfinite(found[:, 0]))
    numbers = found[kept]
    table = pl.DataFrame(
        {
            "endpoint": [known.endpoint.name] * kept.size,
            "kind": [known.target.kind] * kept.size,
            "predictor": [columns.names[j] for j in kept],
            "block": [columns.blocks[j] for j in kept],
            "metric": [metric_of(known.target)] * kept.size,
            "estimate": numbers[:, 0],
            "lower": numbers[:, 1],
            "upper": numbers[:, 2],
            "neg_log_10_p_value": numbers[:, 3],
            "q_value": benjamini_hochberg(numbers[:, 3]),
            "n": numbers[:, 4].astype(np.int64),
            "events": numbers[:, 5].astype(np.int64),
        }
    ).with_columns(pl.col("neg_log_10_p_value", "q_value").fill_nan(None))
    return conform(table, "outcome/univariate"), problems


def _columns(known: Known, blocks: Mapping[str, Block]) -> _Columns:
    """All predictors of all blocks as numbers, NaN for subjects that lack them."""
    names: list[str] = []
    owners: list[str] = []
    parts = [np.zeros((len(known.subject), 0))]
    for block in blocks.values():
        here = np.array([s in block.row for s in known.subject], dtype=bool)
        own = block.predictors.take(rows_of(block, tuple(s for s in known.subject if s in block.row)))
        # Components of genotypes have no values outside the folds that learn them.
        kept = [j for j, name in enumerate(own.numeric_names) if not name.startswith(COMPONENT)]
        numeric = np.full((here.size, len(kept)), np.nan)
        numeric[here] = own.numeric[:, kept]
        names += [own.numeric_names[j] for j in kept]
        parts.append(numeric)
        for q, levels in enumerate(own.levels):
            for level in range(1 if len(levels) == 2 else 0, len(levels)):
                column = np.full((here.size, 1), np.nan)
                column[here, 0] = np.where(own.codes[:, q] < 0, np.nan, own.codes[:, q] == level)
                names.append(f"{own.categorical_names[q]}={levels[level]}")
                parts.append(column)
        owners += [block.name] * (len(names) - len(owners))
    return _Columns(names, owners, np.hstack(parts))


def _patterns(values: Array) -> Iterator[tuple[BoolArray, Rows]]:
    """Columns that are missing in the same subjects, together: rows with a value, and the columns."""
    there = ~np.isnan(values)
    groups: dict[bytes, list[int]] = {}
    for j in range(values.shape[1]):
        groups.setdefault(there[:, j].tobytes(), []).append(j)
    for members in groups.values():
        yield there[:, members[0]], np.array(members, dtype=np.intp)


def _tests(target: Target, X: Array, options: OutcomeOptions) -> tuple[Array, list[str]]:
    """−log10 p of the likelihood-ratio test of each column, NaN without an estimate, and the reason."""
    if target.levels or target.needs:
        return _tests_one_by_one(target, X, options)
    if target.time is not None:
        cox = cox_univariate_batch(target.time, target.event, X, ties=options.ties)
        ratio, reasons = cox.likelihood_ratio, [cox.reason(k) for k in range(X.shape[1])]
    else:
        logistic = logistic_univariate_batch(target.event, X)
        ratio, reasons = logistic.likelihood_ratio, [logistic.reason(k) for k in range(X.shape[1])]
    p_value = np.full(ratio.size, np.nan)
    fitted = np.isfinite(ratio)
    p_value[fitted] = neg_log10_p_chi2(np.maximum(ratio[fitted], 0.0), 1)
    return p_value, reasons


def _tests_one_by_one(target: Target, X: Array, options: OutcomeOptions) -> tuple[Array, list[str]]:
    """The same for classes in an order, and for times with delayed entry, strata or weights."""
    found, reasons = np.full(X.shape[1], np.nan), []
    bare = 0.0
    if target.levels:
        count = np.bincount(target.event.astype(np.intp))
        bare = float(np.sum(count[count > 0] * np.log(count[count > 0] / target.n)))
    for j, column in enumerate(X.T):
        try:
            found[j] = _statistic(target, column[:, None], options, bare)
            reasons.append("")
        except RadiolocusError as error:
            reasons.append(error.got)
    p_value = np.full(found.size, np.nan)
    known = np.isfinite(found)
    p_value[known] = neg_log10_p_chi2(np.maximum(found[known], 0.0), 1)
    return p_value, reasons


def _statistic(target: Target, column: Array, options: OutcomeOptions, bare: float) -> float:
    """χ² of one column."""
    if target.time is None:
        return 2.0 * (fit_ordinal(target.event, column, target.classes).loglik - bare)
    fit = fit_counting_cox(
        target.time, target.event, column, entry=target.entry, strata=target.stratum, weights=target.weight,
        robust=target.weight is not None, ties=options.ties,
    )  # fmt: skip
    if target.weight is not None:
        return float(fit.coefficient[0] ** 2 / fit.covariance[0, 0])
    return 2.0 * (fit.loglik - fit.loglik_null)
