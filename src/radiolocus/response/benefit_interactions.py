"""Interaction of treatment and markers, with the effect of treatment in every subgroup."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from radiolocus import schema
from radiolocus.errors import FitError, RadiolocusError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import fit_preprocess
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.response.benefit_data import Marker, Outcome, People, named_columns, predictors_of, read_marker
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.effects import rate_difference
from radiolocus.stats.interaction import InteractionTest, interaction_test
from radiolocus.stats.multiplicity import benjamini_hochberg, bonferroni

__all__ = ["ALL_ARMS", "interactions"]

#: Name of the test over all arms at once.
ALL_ARMS = "all arms"

_Z = 1.959963984540054


def interactions(
    who: People, outcomes: Sequence[Outcome], options: BenefitOptions
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Test every marker in every arm against control, and over all arms at once.

    Returns
    -------
    dict of str to polars.DataFrame
        Tables ``benefit/interactions`` and ``benefit/subgroups``.
    list of Problem
        Markers that cannot be tested, and why.
    """
    rows: list[dict[str, object]] = []
    groups: list[dict[str, object]] = []
    problems: list[Problem] = []
    markers, told = _markers(who, options)
    problems += told
    adjust = _covariates(who, options)
    for outcome in outcomes:
        for arm in (*who.arms, *((ALL_ARMS,) if len(who.arms) > 1 else ())):
            chosen = np.isin(who.arm, [options.control, *(who.arms if arm == ALL_ARMS else (arm,))])
            for marker in markers:
                here = chosen & outcome.known & np.isfinite(marker.X).all(axis=1)
                try:
                    found = _tested(who, outcome, marker, here, adjust, options)
                except RadiolocusError as error:
                    item = f"{outcome.name}: {arm} × {marker.name}"
                    problems.append(
                        Problem("benefit", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
                    )
                    continue
                rows.append(_row(outcome, arm, marker, found, options))
                if arm != ALL_ARMS:
                    groups += _subgroups(who, outcome, arm, marker, here, options)
    tables = {
        "benefit/interactions": _corrected(rows),
        "benefit/subgroups": schema.conform(
            pl.DataFrame(groups, schema=schema.TABLES["benefit/subgroups"].schema), "benefit/subgroups"
        ),
    }
    return tables, problems


def _markers(who: People, options: BenefitOptions) -> tuple[list[Marker], list[Problem]]:
    found, problems = [], []
    for name in named_columns(who, options.markers, "markers"):
        try:
            found.append(read_marker(who.frame[name], who.family[name], options.min_level))
        except FitError as error:
            problems.append(
                Problem("benefit", error.got, "set aside", None, name, "benefit.markers", error.allowed, error.todo)
            )
    return found, problems


def _covariates(who: People, options: BenefitOptions) -> Array:
    """Main effects of ``adjust``: medians and most frequent categories stand for what is missing."""
    if not options.adjust:
        return np.empty((who.frame.height, 0))
    given = predictors_of(who.frame, options.adjust)
    return fit_preprocess(given, ProtocolOptions(redundancy=1.0)).apply(given)


def _tested(
    who: People, outcome: Outcome, marker: Marker, here: BoolArray, adjust: Array, options: BenefitOptions
) -> InteractionTest:
    X = marker.X[here]
    if marker.number:
        spread = float(X.std(ddof=1)) if len(X) > 1 else 0.0
        if not spread > 0:
            raise FitError("a marker that is the same for everybody here", allowed="a marker that varies")
        X = (X - X.mean()) / spread
    else:
        X = X[:, X.any(axis=0)]  # a level that nobody has in this arm
    arm = who.arm[here]
    given = [a for a in who.arms if (arm == a).any()]
    if not given or not (arm == options.control).any():
        raise FitError("nobody in one of the groups", allowed="subjects under treatment and under control")
    treated = np.column_stack([arm == a for a in given]).astype(np.float64)
    covariates = _varying(adjust[here], np.column_stack([X, treated]))
    time = None if outcome.time is None else outcome.time[here]
    return interaction_test(outcome.event[here], treated, X, covariates, time=time)


def _varying(covariates: Array, known: Array) -> Array:
    """Covariates that tell something beside what the model holds already: a marker may be one of them."""
    basis = np.linalg.qr(np.column_stack([np.ones(len(known)), known]))[0]
    kept = []
    for j, column in enumerate(covariates.T):
        rest = column - basis @ (basis.T @ column)
        if np.linalg.norm(rest) > 1e-7 * max(float(np.linalg.norm(column)), 1e-300):
            kept.append(j)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return covariates[:, kept]


def _row(
    outcome: Outcome, arm: str, marker: Marker, found: InteractionTest, options: BenefitOptions
) -> dict[str, object]:
    single = found.df == 1 and arm != ALL_ARMS
    beta, error = (float(found.coefficient[0]), float(found.standard_error[0])) if single else (None, None)
    own = found.prognostic.size == 1
    return {
        "endpoint": outcome.name,
        "arm": arm,
        "control": options.control,
        "marker": marker.name,
        "family": marker.family,
        "scale": marker.scale,
        "effect": "log odds ratio" if outcome.time is None else "log hazard ratio",
        "estimate": beta,
        "standard_error": error,
        "lower": None if beta is None or error is None else beta - _Z * error,
        "upper": None if beta is None or error is None else beta + _Z * error,
        "statistic": found.statistic,
        "df": found.df,
        "neg_log_10_p_value": found.neg_log10_p,
        "prognostic_estimate": float(found.prognostic[0]) if own else None,
        "prognostic_standard_error": float(found.prognostic_error[0]) if own else None,
        "prognostic_neg_log_10_p_value": found.neg_log10_p_prognostic,
        "method": found.method,
        "n": found.n,
        "events": found.events,
    }


def _corrected(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Add q-values and Bonferroni's p-values within endpoint and family, over arms and markers."""
    name = "benefit/interactions"
    added = {"bonferroni_p_value", "q_value", "prognostic_q_value", "reading"}
    known = {k: v for k, v in schema.TABLES[name].schema.items() if k not in added}
    frame = pl.DataFrame(rows, schema=known)
    parts = []
    for _, part in frame.group_by("endpoint", "family", pl.col("arm") == ALL_ARMS, maintain_order=True):
        p, own = part["neg_log_10_p_value"].to_numpy(), part["prognostic_neg_log_10_p_value"].to_numpy()
        q, prognostic = benjamini_hochberg(p), benjamini_hochberg(own)
        reading = [_reading(a, b) for a, b in zip(q, prognostic, strict=True)]
        parts.append(
            part.with_columns(
                pl.Series("bonferroni_p_value", bonferroni(p)),
                pl.Series("q_value", q),
                pl.Series("prognostic_q_value", prognostic),
                pl.Series("reading", reading, pl.String),
            )
        )
    return schema.conform(pl.concat([schema.empty(name), *(p.select(schema.empty(name).columns) for p in parts)]), name)


def _reading(q: float, prognostic: float) -> str:
    words = [word for word, value in (("predictive", q), ("prognostic", prognostic)) if value < 0.05]
    return " and ".join(words) or "neither shown"


def _subgroups(
    who: People, outcome: Outcome, arm: str, marker: Marker, here: BoolArray, options: BenefitOptions
) -> list[dict[str, object]]:
    rows = []
    for k, level in enumerate(marker.levels):
        one, none = (here & (marker.level == k) & (who.arm == a) for a in (arm, options.control))
        if not one.any() or not none.any():
            continue
        rows.append(
            {
                "endpoint": outcome.name,
                "arm": arm,
                "control": options.control,
                "marker": marker.name,
                "level": level,
                "order": k,
                "n_treated": int(one.sum()),
                "events_treated": int(outcome.event[one].sum()),
                "n_control": int(none.sum()),
                "events_control": int(outcome.event[none].sum()),
                **(
                    _odds(outcome, one, none)
                    if outcome.time is None
                    else _hazards(outcome.time, outcome.event, one, none)
                ),
            }
        )
    return rows


def _odds(outcome: Outcome, one: BoolArray, none: BoolArray) -> dict[str, object]:
    (x, n), (y, m) = ((int(outcome.event[g].sum()), int(g.sum())) for g in (one, none))
    difference = rate_difference((x, n), (y, m))
    cells = np.array([x, n - x, y, m - y], dtype=np.float64)
    if (cells == 0).any():
        cells += 0.5
    log, error = float(np.log(cells[0] * cells[3] / (cells[1] * cells[2]))), float(np.sqrt((1 / cells).sum()))
    return {
        "difference": difference.estimate,
        "difference_lower": difference.lower,
        "difference_upper": difference.upper,
        "ratio": float(np.exp(log)),
        "ratio_lower": float(np.exp(log - _Z * error)),
        "ratio_upper": float(np.exp(log + _Z * error)),
        "effect": "odds ratio",
    }


def _hazards(time: Array, event: Array, one: BoolArray, none: BoolArray) -> dict[str, object]:
    both = one | none
    names = ("difference", "difference_lower", "difference_upper", "ratio", "ratio_lower", "ratio_upper")
    nothing = dict.fromkeys(names) | {"effect": "hazard ratio"}
    try:
        fit = fit_cox(time[both], event[both], one[both].astype(np.float64))
    except FitError:  # no events, or only in one group
        return nothing
    beta, error = float(fit.coefficient[0]), float(fit.standard_error[0])
    ends = {"ratio": beta, "ratio_lower": beta - _Z * error, "ratio_upper": beta + _Z * error}
    return nothing | {k: float(np.exp(v)) for k, v in ends.items()}
