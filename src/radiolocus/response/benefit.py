"""Choice of therapy: who benefits from which treatment, and whether any of it is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from radiolocus import schema
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.learn.effects import LEARNERS
from radiolocus.learn.selected import check_selection
from radiolocus.model import Endpoint, Problem
from radiolocus.registry import suggest
from radiolocus.response import emulation
from radiolocus.response.benefit_data import Outcome, People, known_outcome, people
from radiolocus.response.benefit_interactions import interactions
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.response.benefit_rates import arm_rates
from radiolocus.response.benefit_rules import Comparison, balance, compare, comparison
from radiolocus.stats.multiplicity import benjamini_hochberg

__all__ = ["NO_EVIDENCE", "Benefit", "BenefitOptions", "benefit"]

#: Said where neither a prediction nor a marker tells who benefits more.
NO_EVIDENCE = "no evidence that anyone benefits differently"


@dataclass(frozen=True, eq=False)
class Benefit:
    """Tables of room ``benefit`` by name, and what could not be done."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def benefit(
    endpoints: Sequence[Endpoint],
    clinical: pl.DataFrame,
    options: BenefitOptions,
    further: Mapping[str, pl.DataFrame] | None = None,
    step: Callable[[], None] = lambda: None,
) -> Benefit:
    """Test interactions, learn individual effects, judge them, and look for what makes the comparison unfair.

    Parameters
    ----------
    endpoints : sequence of Endpoint
        Of all subjects in `clinical`.
    clinical : polars.DataFrame
        ``subject`` and clinical columns, one row a subject.
    options : BenefitOptions
    further : mapping of str to polars.DataFrame, optional
        Family (imaging, molecular) to a table with ``subject`` and further markers.
    step : callable
        Called after every arm and endpoint.

    Returns
    -------
    Benefit

    Raises
    ------
    ConfigError
        A column, arm, endpoint or value that is not there; markers that were selected on the endpoint.
    """
    who, notes = people(clinical, further or {}, options)
    chosen = _chosen(endpoints, options)
    _check_selected_on(chosen, [e.name for e in endpoints], who, options)
    outcomes = [known_outcome(e, who, options) for e in chosen]
    problems = [Problem("benefit", note, "note") for note in notes]
    tables, told = interactions(who, outcomes, options)
    problems += told
    rows: dict[str, list[dict[str, object]]] = {
        f"benefit/{name}": []
        for name in ("effects", "balance", "propensity", "individual", "policy", "groups", "curve", "heterogeneity")
    }
    checks = [*emulation.after_treatment(who, options), emulation.prevalent_users(who, options)]
    for outcome in outcomes:
        checks += emulation.immortal_time(who, outcome, options)
    first = outcomes[0].name if outcomes else ""
    for outcome in outcomes:
        for arm in options.rule_arms or who.arms:
            try:
                here = comparison(who, outcome, arm, options)
            except RadiolocusError as error:
                problems.append(_problem(error, f"{outcome.name}: {arm}"))
                step()
                continue
            effects, gaps, told = balance(here)
            rows["benefit/effects"] += effects
            rows["benefit/balance"] += gaps
            problems += told
            try:
                found, told = compare(here, options)
            except RadiolocusError as error:
                problems.append(_problem(error, f"{outcome.name}: {arm}"))
            else:
                for name, part in found.items():
                    rows[name] += part
                problems += told
                # Who was treated does not depend on the endpoint: it is looked at once.
                checks += _fair(here, found["benefit/propensity"], gaps, options) if outcome.name == first else []
            step()
    for name, part in rows.items():
        if name != "benefit/heterogeneity":
            tables[name] = _table(name, part)
    tables["benefit/heterogeneity"] = _with_q(rows["benefit/heterogeneity"])
    tables["benefit/checks"] = _table("benefit/checks", [asdict(c) for c in checks])
    tables["benefit/rates"] = arm_rates(clinical, chosen, options)
    tables["benefit/verdicts"] = _verdicts(who, outcomes, tables, options)
    return Benefit(tables, tuple(problems))


def _chosen(endpoints: Sequence[Endpoint], options: BenefitOptions) -> list[Endpoint]:
    known = {e.name: e for e in endpoints}
    for option in ("endpoints", "favourable"):
        for name in getattr(options, option):
            if name not in known:
                raise ConfigError(
                    f"unknown endpoint '{name}'",
                    where=f"benefit.{option}",
                    allowed=", ".join(known),
                    todo=suggest(name, list(known)),
                )
            if option == "favourable" and known[name].kind != "binary":
                raise ConfigError(
                    f"endpoint '{name}' of kind {known[name].kind}",
                    where="benefit.favourable",
                    allowed="binary endpoints; the event of a survival endpoint is taken as bad",
                )
    return [known[name] for name in options.endpoints or known]


def _check_selected_on(chosen: Sequence[Endpoint], known: Sequence[str], who: People, options: BenefitOptions) -> None:
    """Refuse markers and predictors that were selected on the endpoint they are asked about."""
    patterns = (*options.markers, *options.predictors)
    taken = [(f, c) for c, f in who.family.items() if any(c == p or fnmatchcase(c, p) for p in patterns)]
    for endpoint in chosen:
        check_selection(endpoint.name, taken, known, options.selected_on, "benefit")


def _fair(
    here: Comparison, propensity: list[dict[str, object]], gaps: list[dict[str, object]], options: BenefitOptions
) -> list[emulation.Check]:
    chance = np.array([row["propensity"] for row in propensity], dtype=np.float64)
    told = emulation.indication(here.arm, here.treated, chance, _table("benefit/balance", gaps), options.randomised)
    return [*told, emulation.positivity(here.arm, here.treated, chance)]


def _problem(error: RadiolocusError, item: str) -> Problem:
    return Problem("benefit", error.got, "set aside", None, item, error.where, error.allowed, error.todo)


def _table(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    return schema.conform(pl.DataFrame(rows, schema=schema.TABLES[name].schema), name)


def _with_q(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Correct each learner's tests over endpoints and arms; learners are looked at one by one."""
    name = "benefit/heterogeneity"
    frame = _table(name, [row | {"q_value": None} for row in rows])
    parts = [
        part.with_columns(pl.Series("q_value", benjamini_hochberg(part["neg_log_10_p_value"].to_numpy())))
        for _, part in frame.group_by("learner", maintain_order=True)
    ]
    return schema.conform(pl.concat([schema.empty(name), *parts]), name)


def _verdicts(
    who: People, outcomes: Sequence[Outcome], tables: Mapping[str, pl.DataFrame], options: BenefitOptions
) -> pl.DataFrame:
    tests, told = tables["benefit/interactions"], tables["benefit/heterogeneity"]
    learner = LEARNERS[options.learners[0]]
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        for arm in who.arms:
            place = (pl.col("endpoint") == outcome.name) & (pl.col("arm") == arm)
            shown = tests.filter(place & (pl.col("q_value") < 0.05)).sort("neg_log_10_p_value", descending=True)
            own = told.filter(place & (pl.col("learner") == learner))
            rows.append(
                {
                    "endpoint": outcome.name,
                    "arm": arm,
                    "learner": learner if own.height else "",
                    "interactions": shown.height,
                    "verdict": _verdict(shown, own),
                }
            )
    return _table("benefit/verdicts", rows)


def _verdict(shown: pl.DataFrame, own: pl.DataFrame) -> str:
    row = own.row(0, named=True) if own.height else None
    tells = row is not None and row["q_value"] < 0.05 and (row["differential_coefficient"] or 0.0) > 0
    if not tells and not shown.height:
        return NO_EVIDENCE
    said = []
    if shown.height:
        names = shown["marker"].head(3).to_list()
        more = f" and {shown.height - 3} more" if shown.height > 3 else ""
        said.append(f"the effect depends on {', '.join(names)}{more} (q < 0.05)")
    if row is None:
        return said[0]
    said.append(
        f"the prediction tells out of fold who benefits more (q = {row['q_value']:.2g})"
        if tells
        else f"the prediction does not tell out of fold who benefits more (q = {row['q_value']:.2g})"
    )
    if tells:
        said.append(
            "its rule is worth more than treating all alike"
            if row["beats_alike"]
            else "its rule is not shown to be worth more than treating all alike"
        )
    return "; ".join(said)
