"""Average and individual effects of an arm, what a rule made of them is worth, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiolocus.cohort.values import as_text
from radiolocus.errors import FitError, RadiolocusError, UndefinedError
from radiolocus.learn.effects import LEARNERS, CrossFit, cross_fit
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.response.benefit_data import Outcome, People, named_columns, predictors_of
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.stats.benefit import benefit_by_group, benefit_curve, calibration_test, policy_value
from radiolocus.stats.effects import (
    Estimate,
    effective_size,
    mean_estimate,
    number_needed,
    overlap_weighted,
    rate_difference,
    standardised_differences,
)

__all__ = ["Comparison", "balance", "compare", "comparison"]

Rows = list[dict[str, object]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One arm against control for one endpoint, of those whose outcome is known.

    Parameters
    ----------
    outcome : Outcome
    arm : str
    subject : tuple of str
    y : ndarray, shape (n,)
        The larger the better.
    scale : str
        What it is.
    treated : ndarray of bool, shape (n,)
    predictors, confounders : Predictors
    strata : ndarray of str, shape (n,), or None
    """

    outcome: Outcome
    arm: str
    subject: tuple[str, ...]
    y: Array
    scale: str
    treated: BoolArray
    predictors: Predictors
    confounders: Predictors
    strata: np.ndarray[tuple[int], np.dtype[np.str_]] | None

    @property
    def place(self) -> dict[str, object]:
        """First columns of every table."""
        return {"endpoint": self.outcome.name, "arm": self.arm}


def comparison(who: People, outcome: Outcome, arm: str, options: BenefitOptions) -> Comparison:
    """Take those under an arm or under control whose outcome is known.

    Raises
    ------
    FitError
        A horizon to which not both groups were followed; one group without a subject.
    """
    rows = outcome.known & np.isin(who.arm, [arm, options.control])
    treated = who.arm[rows] == arm
    if treated.all() or not treated.any():
        raise FitError("nobody in one of the groups", allowed="subjects with a known outcome in both")
    y, scale = outcome.worth(rows, treated, options.horizon)
    frame = who.take(rows)
    names = named_columns(who, options.predictors or options.markers, "predictors")
    strata = None
    if options.randomised:
        parts = [as_text(frame[c]).fill_null("").to_list() for c in options.strata]
        strata = np.array(["|".join(cells) for cells in zip(*parts, strict=True)] if parts else [""] * frame.height)
    return Comparison(
        outcome,
        arm,
        tuple(frame["subject"]),
        y,
        scale,
        treated,
        predictors_of(frame, names),
        predictors_of(frame, [*options.confounders, *options.strata]),
        strata,
    )


def balance(c: Comparison) -> tuple[Rows, Rows, list[Problem]]:
    """Average effects of an arm, and how alike the groups are, as they are and under overlap weights.

    Returns
    -------
    list of dict
        Rows of ``benefit/effects``: without adjustment, and overlap-weighted.
    list of dict
        Rows of ``benefit/balance``.
    list of Problem
    """
    problems = []
    if c.outcome.time is None:
        given, held = ((int(c.y[g].sum()), int(g.sum())) for g in (c.treated, ~c.treated))
        plain = rate_difference(given, held)
    else:
        one, none = mean_estimate(c.y[c.treated]), mean_estimate(c.y[~c.treated])
        error = float(np.hypot(one.standard_error, none.standard_error))
        plain = Estimate.normal(one.estimate - none.estimate, error, c.y.size)
    effects = [_effect(c, "unadjusted", plain, float(c.y.size))]
    weight = None
    if c.confounders.candidates:
        X = fit_preprocess(c.confounders, ProtocolOptions(redundancy=1.0)).apply(c.confounders)
        try:
            found, weight = overlap_weighted(c.y, c.treated, X)
            effects.append(_effect(c, "overlap-weighted", found, effective_size(weight)))
        except RadiolocusError as error:
            item = f"{c.outcome.name}: {c.arm}, overlap weights"
            problems.append(
                Problem("benefit", error.got, "set aside", None, item, error.where, error.allowed, error.todo)
            )
    confounders = _spelled_out(c.confounders)
    columns = _spelled_out(c.predictors) | confounders
    names = [*confounders, *(name for name in columns if name not in confounders)]
    X = np.column_stack([np.empty((c.y.size, 0)), *(columns[name] for name in names)])
    plain_gap = standardised_differences(X, c.treated)
    weighted = np.full(len(names), np.nan) if weight is None else standardised_differences(X, c.treated, weight)
    origin = ["confounder" if name in confounders else "predictor" for name in names]
    rows = [
        c.place
        | {
            "covariate": name,
            "role": role,
            "difference": _number(a),
            "difference_weighted": _number(b),
            "mean_treated": _mean(X[c.treated, j]),
            "mean_control": _mean(X[~c.treated, j]),
        }
        for j, (name, role, a, b) in enumerate(zip(names, origin, plain_gap, weighted, strict=True))
    ]
    return effects, rows, problems


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Array) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else None


def _spelled_out(p: Predictors) -> dict[str, Array]:
    """Every number, and an indicator of every category."""
    columns: dict[str, Array] = dict(zip(p.numeric_names, p.numeric.T, strict=True))
    for q, name in enumerate(p.categorical_names):
        for k, level in enumerate(p.levels[q]):
            known = np.where(p.codes[:, q] < 0, np.nan, (p.codes[:, q] == k).astype(np.float64))
            columns[f"{name} = {level}"] = known
    return columns


def _effect(c: Comparison, estimator: str, found: Estimate, effective: float) -> dict[str, object]:
    needed, least, most = number_needed(found)
    return c.place | {
        "estimator": estimator,
        "scale": c.scale,
        "estimate": found.estimate,
        "standard_error": found.standard_error,
        "lower": found.lower,
        "upper": found.upper,
        "number_needed": _number(needed),
        "number_needed_lower": _number(least),
        "number_needed_upper": _number(most),
        "n": found.n,
        "treated": int(c.treated.sum()),
        "effective_n": effective,
    }


def compare(c: Comparison, options: BenefitOptions) -> tuple[dict[str, Rows], list[Problem]]:
    """Learn individual effects out of fold, and judge them and the rule that follows from them.

    Returns
    -------
    dict of str to list of dict
        Rows by table.
    list of Problem

    Raises
    ------
    FitError
        Too few subjects in a group.
    """
    fit = cross_fit(c.y, c.treated, c.predictors, c.confounders, options, c.strata)
    control, treated = fit.control.mean(axis=0), fit.treated.mean(axis=0)
    robust = mean_estimate(treated - control)
    propensity = fit.propensity.mean(axis=0)
    found: dict[str, Rows] = {
        "benefit/effects": [_effect(c, "doubly robust", robust, float(c.y.size))],
        "benefit/propensity": [
            c.place | {"subject": s, "treated": bool(a), "propensity": float(e), "trimmed": int(t) > 0}
            for s, a, e, t in zip(c.subject, c.treated, propensity, fit.trimmed, strict=True)
        ],
    }
    for name in ("individual", "policy", "groups", "curve", "heterogeneity"):
        found[f"benefit/{name}"] = []
    problems = []
    for learner in options.learners:
        rows, told = _judged(c, fit, learner, (control, treated), propensity, options)
        for table, part in rows.items():
            found[table] += part
        problems += told
    return found, problems


def _judged(
    c: Comparison,
    fit: CrossFit,
    learner: str,
    scores: tuple[Array, Array],
    propensity: Array,
    options: BenefitOptions,
) -> tuple[dict[str, Rows], list[Problem]]:
    drawn = fit.benefit[learner]
    benefit = drawn.mean(axis=0)
    place = c.place | {"learner": LEARNERS[learner]}
    rows: dict[str, Rows] = {
        "benefit/individual": [
            place | {"subject": s, "benefit": float(b), "spread": float(e), "treat": float(p)}
            for s, b, e, p in zip(
                c.subject, benefit, drawn.std(axis=0), (drawn > options.threshold).mean(axis=0), strict=True
            )
        ]
    }
    value = policy_value(fit.control, fit.treated, drawn > options.threshold)
    rows["benefit/policy"] = [
        place | {"policy": policy, "share_treated": share, **_interval(estimate)}
        for policy, share, estimate in (
            ("rule", value.share, value.rule),
            ("treat all", 1.0, value.everybody),
            ("treat none", 0.0, value.nobody),
            ("rule less treat all", value.share, value.over_everybody),
            ("rule less treat none", value.share, value.over_nobody),
        )
    ]
    sorted_groups = benefit_by_group(benefit, *scores, options.groups)
    told_of = zip(sorted_groups.predicted, sorted_groups.effect, sorted_groups.band, strict=True)
    rows["benefit/groups"] = [
        place | {"group": k + 1, "predicted": predicted, **_interval(estimate), "band_lower": low, "band_upper": high}
        for k, (predicted, estimate, (low, high)) in enumerate(told_of)
    ]
    curve = benefit_curve(benefit, *scores, draws=options.bootstrap, seed=options.seed)
    rows["benefit/curve"] = [
        place | {"share_treated": float(s), "estimate": float(v), "lower": float(a), "upper": float(b)}
        for s, v, a, b in zip(curve.share, curve.effect, curve.lower, curve.upper, strict=True)
    ]
    areas = {
        f"{name}{end}": getattr(area, field)
        for name, area in (("autoc", curve.autoc), ("qini", curve.qini))
        for end, field in (("", "estimate"), ("_lower", "lower"), ("_upper", "upper"))
    }
    problems = []
    try:
        told = calibration_test(c.y, c.treated, fit.expected.mean(axis=0), propensity, benefit)
        calibrated: dict[str, object] = {
            "mean_coefficient": told.mean.estimate,
            "mean_standard_error": told.mean.standard_error,
            "differential_coefficient": told.differential.estimate,
            "differential_standard_error": told.differential.standard_error,
            "neg_log_10_p_value": -np.log10(max(told.p_value, 1e-300)),
        }
    except UndefinedError as error:  # everybody is predicted the same: that is an answer
        calibrated = dict.fromkeys(
            ("mean_coefficient", "mean_standard_error", "differential_coefficient", "differential_standard_error")
        ) | {"neg_log_10_p_value": 0.0}
        item = f"{c.outcome.name}: {c.arm}, {LEARNERS[learner]}"
        problems.append(Problem("benefit", error.got, "note", None, item, todo=error.todo))
    apart = sorted_groups.most_less_least
    areas |= {
        "most_less_least": apart.estimate,
        "most_less_least_lower": apart.lower,
        "most_less_least_upper": apart.upper,
        "most_less_least_neg_log_10_p_value": -np.log10(max(sorted_groups.p_value, 1e-300)),
    }
    rows["benefit/heterogeneity"] = [place | calibrated | areas | {"beats_alike": value.beats_alike, "n": c.y.size}]
    return rows, problems


def _interval(found: Estimate) -> dict[str, object]:
    return {
        "estimate": found.estimate,
        "standard_error": found.standard_error,
        "lower": found.lower,
        "upper": found.upper,
        "n": found.n,
    }
