"""What makes a comparison of treatments unfair before any model is fitted, each looked for and named.

A cohort that stands in for a trial must start the clock, assign the treatment and apply the criteria of entry at one
moment (Hernán & Robins, Am J Epidemiol 2016;183:758; Hernán et al., J Clin Epidemiol 2016;79:70).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.model import Array, BoolArray
from radiolocus.response.benefit_data import Outcome, People
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.stats.concordance import auc

__all__ = ["Check", "after_treatment", "immortal_time", "indication", "positivity", "prevalent_users"]

# Beyond it a standardised difference is called an imbalance (Austin 2009).
_IMBALANCE = 0.1
# Areas under the curve at which treatment is told from what it was chosen by: to some, and to a large extent.
_TOLD, _TOLD_WELL = 0.65, 0.8
_RARE = 0.05


@dataclass(frozen=True)
class Check:
    """One line of ``benefit/checks``."""

    check: str
    verdict: str
    got: str
    item: str = ""
    todo: str = ""
    value: float | None = None


def immortal_time(who: People, outcome: Outcome, options: BenefitOptions) -> list[Check]:
    """Look for time in which the treated could not have had the event, because they lived to be treated.

    Parameters
    ----------
    who : People
    outcome : Outcome
        A survival endpoint; of any other only treatment after a known outcome cannot be told.
    options : BenefitOptions
        ``start`` names the column of the time from time zero to treatment.
    """
    name, item = "immortal time", outcome.name
    if not options.start:
        todo = "name the column of the time from time zero to treatment as start"
        return [Check(name, "not checked", "nobody said when treatment started", item, todo)]
    start = numbers(who.frame, options.start, "start")
    treated = (who.arm != options.control) & np.isfinite(start)
    found = []
    if outcome.time is not None:
        before = treated & outcome.known & (np.nan_to_num(outcome.time) < start)
        if before.any():
            got = f"{int(before.sum())} treated subjects whose follow-up ended before their treatment started"
            todo = "correct the times, or count these subjects as untreated"
            found.append(Check("outcome before treatment", "leak", got, item, todo, float(before.sum())))
    late = treated & (start > 0)
    if not treated.any():
        return [*found, Check(name, "not checked", f"no time in '{options.start}' of anybody treated", item)]
    if not late.any():
        return [*found, Check(name, "pass", "every treatment started at time zero, or before", item, "", 0.0)]
    if outcome.time is None:
        got = f"treatment of {int(late.sum())} of {int(treated.sum())} subjects started after time zero"
        todo = "make sure that the outcome was observed after treatment in both groups"
        return [*found, Check(name, "suspect", got, item, todo, float(late.sum()))]
    span = float(np.minimum(start, np.nan_to_num(outcome.time))[late & outcome.known].sum())
    total = float(np.nansum(outcome.time[treated & outcome.known]))
    landmark = float(np.quantile(start[late], 0.9))
    left = int((outcome.known & (np.nan_to_num(outcome.time) >= landmark)).sum())
    got = (
        f"treatment of {int(late.sum())} of {int(treated.sum())} subjects started after time zero; "
        f"{span:g} of {total:g} {outcome.unit} of their follow-up lie before it and count for the treatment".replace(
            "  ", " "
        )
    )
    todo = (
        f"count time from a landmark: at {landmark:.4g} {outcome.unit}".rstrip()
        + f" nine in ten of the treatments had started and {left} subjects were still followed"
    )
    return [*found, Check(name, "leak", got, item, todo, span)]


def indication(arm: str, treated: BoolArray, propensity: Array, balance: pl.DataFrame, randomised: bool) -> list[Check]:
    """Look for confounding by indication: groups that differ, or a treatment that can be told from the confounders.

    Parameters
    ----------
    arm : str
    treated : ndarray of bool, shape (n,)
    propensity : ndarray, shape (n,)
        Out of fold.
    balance : polars.DataFrame
        Rows of ``benefit/balance`` of this arm.
    randomised : bool
        Then differences are named as those that the lot did not even out.
    """
    far = balance.filter(pl.col("difference").abs() > _IMBALANCE).sort(pl.col("difference").abs(), descending=True)
    some = ", ".join(f"{c} {d:+.2f}" for c, d in far.select("covariate", "difference").head(5).iter_rows())
    todo = "enter them as adjust, or as strata if the lot depended on them" if randomised else "name as confounders"
    got = f"{far.height} of {balance.height} covariates differ by more than {_IMBALANCE} standard deviations"
    largest = float(far["difference"].abs().max()) if far.height else 0.0  # type: ignore[arg-type]
    found = [
        Check(
            "baseline imbalance",
            "suspect" if far.height else "pass",
            got + (f": {some}" if some else ""),
            arm,
            todo if far.height else "",
            largest,
        )
    ]
    name = "confounding by indication"
    if randomised:
        return [*found, Check(name, "pass", "treatment was drawn by lot, as the study file says", arm)]
    if not balance.filter(pl.col("role") == "confounder").height:
        todo = "name what treatment was chosen by as confounders, or set randomised = true"
        got = "treatment was not drawn by lot, and no confounders are named: the effects are not adjusted"
        return [*found, Check(name, "suspect", got, arm, todo)]
    area = auc(treated, propensity)
    verdict = "leak" if area >= _TOLD_WELL else "suspect" if area >= _TOLD else "pass"
    got = f"the confounders tell who was treated with an AUC of {area:.2f}, out of fold"
    todo = "trust only what holds under overlap weights, and ask what else the choice was made by"
    return [*found, Check(name, verdict, got, arm, todo if verdict != "pass" else "", float(area))]


def positivity(arm: str, treated: BoolArray, propensity: Array) -> Check:
    """Look for subjects who could hardly have had the other treatment."""
    rare = (propensity < _RARE) | (propensity > 1 - _RARE)
    share = float(rare.mean())
    verdict = "pass" if share == 0 else "suspect" if share < 0.1 else "leak"
    low, high = (float(propensity[g].min()) for g in (treated, ~treated))
    top, other = (float(propensity[g].max()) for g in (treated, ~treated))
    got = (
        f"{int(rare.sum())} of {rare.size} subjects had a probability of treatment below {_RARE} or above {1 - _RARE}; "
        f"treated {low:.2f} to {top:.2f}, controls {high:.2f} to {other:.2f}"
    )
    todo = "restrict the comparison (where) to those who could have had either, or read the overlap-weighted effect"
    return Check("positivity", verdict, got, arm, "" if verdict == "pass" else todo, share)


def after_treatment(who: People, options: BenefitOptions) -> list[Check]:
    """Look for covariates that were measured when treatment had begun: they may be its effect."""
    if not options.measured_at:
        todo = "name the columns of their times as measured_at"
        got = "nobody said when markers and confounders were measured"
        return [Check("measured after treatment", "not checked", got, "", todo)]
    start = numbers(who.frame, options.start, "start") if options.start else np.zeros(who.frame.height)
    # Controls have no start: what was measured after time zero may be the effect of what they had.
    start = np.where(np.isfinite(start), start, 0.0)
    found = []
    for item, column in options.measured_at.items():
        time = numbers(who.frame, column, "measured_at")
        late = np.isfinite(time) & (time > start)
        verdict = "leak" if late.any() else "pass" if np.isfinite(time).any() else "not checked"
        got = f"measured after the start of treatment in {int(late.sum())} of {int(np.isfinite(time).sum())} subjects"
        todo = "take the last measurement before treatment, or leave it out" if late.any() else ""
        found.append(Check("measured after treatment", verdict, got, item, todo, float(late.sum())))
    return found


def prevalent_users(who: People, options: BenefitOptions) -> Check:
    """Look for subjects who had the treatment before time zero: those it harmed early are not among them."""
    name = "prevalent users"
    if not options.prior_use:
        todo = "name the column that tells as prior_use"
        return Check(name, "not checked", "nobody said who had the treatment before time zero", "", todo)
    column = who.frame[options.prior_use]
    words = {"1", "1.0", "true", "yes", "y"}
    before = np.array([str(v).strip().lower() in words for v in column.to_list()])
    known = int(column.is_not_null().sum())
    got = f"{int(before.sum())} of {known} subjects had the treatment before time zero"
    todo = "leave them out (where): a comparison of new users starts everybody at the same point"
    return Check(
        name,
        "leak" if before.any() else "pass",
        got,
        options.prior_use,
        todo if before.any() else "",
        float(before.sum()),
    )


def numbers(frame: pl.DataFrame, column: str, option: str) -> Array:
    """Numbers of a column, NaN where there is none.

    Raises
    ------
    ConfigError
        A column of another type.
    """
    values = frame[column]
    if not values.dtype.is_numeric():
        raise ConfigError(
            f"column '{column}' of type {values.dtype}", where=f"benefit.{option}", allowed="times as numbers"
        )
    return np.asarray(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
