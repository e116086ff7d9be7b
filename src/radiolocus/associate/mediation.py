"""Mediation from a variant or mutation through imaging features to an outcome, from one table of subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from radiolocus.errors import ConfigError, RadiolocusError, TableError
from radiolocus.model import Endpoint, Problem
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform
from radiolocus.stats.mediation import EFFECTS, Mediated, e_value, mediate, sensitivity
from radiolocus.store import write_table

__all__ = ["MediationOptions", "MediationResult", "mediation", "write_mediation"]

_SCALES = {"linear": "outcome", "logistic": "probability", "survival": "events per unit of time"}


@dataclass(frozen=True)
class MediationOptions:
    """How mediated effects are estimated.

    Parameters
    ----------
    control, treated : float
        Levels of the exposure that are compared, such as no copy and one copy of an allele.
    interval : {"percentile", "bca"}
        Of the bootstrap.
    draws, seed : int
    """

    control: float = 0.0
    treated: float = 1.0
    interval: Literal["percentile", "bca"] = "percentile"
    draws: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        where, known = "mediation", ("percentile", "bca")
        if self.interval not in known:
            todo = suggest(self.interval, known)
            raise ConfigError(f"interval = '{self.interval}'", where=where, allowed=", ".join(known), todo=todo)
        if self.control == self.treated:
            raise ConfigError(f"control = treated = {self.control}", where=where, allowed="two levels")
        if self.draws < 100:
            raise ConfigError(f"draws = {self.draws}", where=where, allowed="100 or more")


@dataclass(frozen=True, eq=False)
class MediationResult:
    """Tables ``mediation/effects`` and ``mediation/sensitivity``.

    Parameters
    ----------
    effects, sensitivity : polars.DataFrame
        Sensitivity is of measured outcomes alone.
    e_values : dict
        Of each mediator of a binary outcome: E-value of the risk ratio of the mediated effect.
    rho_at_zero : dict
        Of each mediator of a measured outcome: correlation of the errors at which nothing is mediated.
    problems : tuple of Problem
    """

    effects: pl.DataFrame
    sensitivity: pl.DataFrame
    e_values: dict[str, float]
    rho_at_zero: dict[str, float]
    problems: tuple[Problem, ...] = field(default=())


def mediation(
    table: pl.DataFrame,
    *,
    exposure: str,
    mediators: Sequence[str],
    outcome: str | Endpoint,
    covariates: Sequence[str] = (),
    options: MediationOptions | None = None,
) -> MediationResult:
    """Estimate how much of the effect of an exposure goes through each mediator.

    Parameters
    ----------
    table : polars.DataFrame
        ``subject`` and numeric columns.
    exposure : str
        Column: copies of an allele, or a mutation.
    mediators : sequence of str
        Columns, each taken alone.
    outcome : str or Endpoint
        Column of a measured outcome; or a binary or survival endpoint, whose subjects are joined to the table.
    covariates : sequence of str
        Columns that both models hold.
    options : MediationOptions, optional

    Returns
    -------
    MediationResult
        Subjects with a missing value are left out of that mediator, and counted.

    Raises
    ------
    TableError
        A column that is not there or not of numbers, or a subject that stands more than once.

    Notes
    -----
    Mediators are taken one at a time: where one changes another, the effects of both overlap and must not be added.
    """
    options = options or MediationOptions()
    frame, kind, name = _joined(table, outcome)
    _columns(frame, [exposure, *mediators, *covariates, *(["__y"] if isinstance(outcome, str) else [])])
    effects: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    problems: list[Problem] = []
    e_values: dict[str, float] = {}
    zeros: dict[str, float] = {}
    for mediator in mediators:
        event = ["__event"] if kind == "survival" else []
        wanted = list(dict.fromkeys([exposure, mediator, *covariates]))
        chosen = frame.select(*(pl.col(c).cast(pl.Float64) for c in [*wanted, "__y", *event]))
        whole = chosen.filter(pl.all_horizontal(pl.all().is_finite().fill_null(value=False)))
        if whole.height < chosen.height:
            got = f"{chosen.height - whole.height} of {chosen.height} subjects lack a value"
            problems.append(Problem("mediation", got, "note", item=mediator))
        a, m, y = (whole[c].to_numpy() for c in (exposure, mediator, "__y"))
        x = whole.select(covariates).to_numpy() if covariates else None
        levels = {"control": options.control, "treated": options.treated}
        try:
            found = mediate(
                a, m, y, x, kind=kind, event=whole["__event"].to_numpy() if event else None, interval=options.interval,
                draws=options.draws, seed=options.seed, **levels,
            )  # fmt: skip
            curve = sensitivity(a, m, y, x, **levels) if kind == "linear" else None
        except RadiolocusError as error:
            where, allowed, todo = error.where, error.allowed, error.todo
            problems.append(Problem("mediation", error.got, "set aside", None, mediator, where, allowed, todo))
            continue
        names = {"exposure": exposure, "mediator": mediator, "outcome": name}
        effects += _rows(names | {"scale": _SCALES[kind]}, found)
        if curve is not None:
            zeros[mediator] = curve.rho_at_zero
            curves += [
                names | {"rho": float(r), "estimate": float(e)} for r, e in zip(curve.rho, curve.estimate, strict=True)
            ]
        if kind == "logistic":
            e_values[mediator] = e_value(found.risk_ratio)
        if found.undefined:
            got = f"{found.undefined} of {options.draws} draws had no fit and are left out"
            problems.append(Problem("mediation", got, "note", item=mediator))
    return MediationResult(
        _frame(effects, "mediation/effects"), _frame(curves, "mediation/sensitivity"), e_values, zeros, tuple(problems)
    )


def _frame(rows: list[dict[str, Any]], table: str) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, schema=TABLES[table].schema), table)


def _rows(told: dict[str, Any], found: Mediated) -> list[dict[str, Any]]:
    return [
        told
        | {
            "effect": name, "estimate": effect.estimate, "lower": effect.lower, "upper": effect.upper,
            "p_value": effect.p_value, "n": found.n, "events": found.events if found.events >= 0 else None,
            "draws": found.draws,
        }
        for name, effect in zip(EFFECTS, (found.mediated, found.direct, found.total, found.proportion), strict=True)
    ]  # fmt: skip


def _joined(
    table: pl.DataFrame, outcome: str | Endpoint
) -> tuple[pl.DataFrame, Literal["linear", "logistic", "survival"], str]:
    """The table with the outcome under names of its own."""
    if isinstance(outcome, str):
        _columns(table, [outcome])
        return table.with_columns(pl.col(outcome).alias("__y")), "linear", outcome
    if "subject" not in table.columns or table["subject"].is_duplicated().any():
        raise TableError("no column 'subject' that names each row once", where="the table of mediation")
    own = pl.DataFrame({"subject": list(outcome.subject), "__event": outcome.event})
    if outcome.kind == "survival" and outcome.time is not None:
        frame = table.join(own.with_columns(__y=pl.Series(outcome.time)), on="subject", how="left")
        return frame, "survival", outcome.name
    return table.join(own.rename({"__event": "__y"}), on="subject", how="left"), "logistic", outcome.name


def _columns(table: pl.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise TableError(
                f"no column '{name}'", where="the table of mediation", allowed=", ".join(table.columns[:20]),
                todo=suggest(name, table.columns),
            )  # fmt: skip
        if not (table.schema[name].is_numeric() or table.schema[name] == pl.Boolean()):
            raise TableError(
                f"column '{name}' of {table.schema[name]}", where="the table of mediation", allowed="numbers"
            )


def write_mediation(root: Path | str, found: MediationResult) -> None:
    """Write the tables of a result below a folder."""
    write_table(Path(root), "mediation/effects", found.effects)
    write_table(Path(root), "mediation/sensitivity", found.sensitivity)
