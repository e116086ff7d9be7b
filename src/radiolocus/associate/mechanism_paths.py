"""Paths from a marker or variant through a feature to an endpoint: which are split, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from radiolocus.associate.link_tables import covariate_matrix
from radiolocus.associate.mechanism_options import MechanismOptions
from radiolocus.associate.mediation import MediationOptions, MediationResult, mediation
from radiolocus.errors import ConfigError
from radiolocus.model import Endpoint, Problem
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform
from radiolocus.stats.mediation import e_value
from radiolocus.stats.multiplicity import benjamini_hochberg

__all__ = ["chosen_pairs", "split_paths"]


def chosen_pairs(
    edges: pl.DataFrame, options: MechanismOptions, features: Sequence[str], exposures: Sequence[str]
) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Pairs of exposure and mediator: the strongest pair of every exposure first, then the second strongest, ...

    Parameters
    ----------
    edges : polars.DataFrame
        Table ``mechanism/edges``.
    options : MechanismOptions
    features, exposures : sequence of str
        What there is.

    Returns
    -------
    list of (str, str)
        At most ``options.pairs``.
    list of Problem
        How many more there would have been.

    Raises
    ------
    ConfigError
        A mediator or an exposure that is not there.
    """
    _known("mechanism.mediators", options.mediators, features)
    _known("mechanism.exposures", options.exposures, exposures)
    own = edges.filter((pl.col("target_kind") == "feature") & pl.col("source_kind").is_in(["marker", "variant"]))
    if options.exposures and options.mediators:
        pairs = [(a, m) for m in options.mediators for a in options.exposures]
    else:
        for column, names in (("source", options.exposures), ("target", options.mediators)):
            own = own.filter(pl.col(column).is_in(list(names))) if names else own
        if not options.exposures:
            own = own.filter(pl.col("source_kind") == "marker")
        own = own.sort(["neg_log_10_p_value", "source", "target"], descending=[True, False, False]).with_columns(
            pl.int_range(pl.len()).over("source").alias("turn")
        )
        order = own.sort("turn", maintain_order=True)
        pairs = list(dict.fromkeys(order.select("source", "target").iter_rows()))
    if len(pairs) <= options.pairs:
        return pairs, []
    got = f"{len(pairs)} pairs of exposure and mediator; paths of the first {options.pairs} are split"
    todo = "name exposures and mediators, or raise mechanism.pairs"
    return pairs[: options.pairs], [Problem("mechanism", got, "note", where="mechanism.pairs", todo=todo)]


def _known(where: str, names: Sequence[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in there:
            some = ", ".join(list(there)[:12]) + (", ..." if len(there) > 12 else "")
            raise ConfigError(
                f"no '{name}'", where=where, allowed=some or "none is there", todo=suggest(name, list(there))
            )


def split_paths(
    pairs: Sequence[tuple[str, str]],
    exposures: pl.DataFrame,
    features: pl.DataFrame,
    endpoints: Sequence[Endpoint],
    covariates: pl.DataFrame | None,
    options: MechanismOptions,
    variants: Sequence[str] = (),
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Split the effect of every exposure on every endpoint at each of its mediators.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Exposure and mediator.
    exposures, features : polars.DataFrame
        ``subject`` and numeric columns.
    endpoints : sequence of Endpoint
    covariates : polars.DataFrame or None
        ``subject`` and the columns of ``options.covariates``.
    options : MechanismOptions
    variants : sequence of str
        Exposures that count copies of an allele.

    Returns
    -------
    dict of str to polars.DataFrame
        ``mechanism/paths``.
    list of Problem

    Notes
    -----
    A continuous marker is taken in units of its standard deviation; markers of two values and copies as they are. The
    E-value of a binary outcome is that of the mediated risk ratio. Of a survival outcome it is that of 1 + mediated
    effect / mean hazard, the mean hazard being events over follow-up: how much the mediated path multiplies the hazard
    of an average subject. Both ratios are taken as risk ratios, which overstates the E-value where events are frequent.
    The false discovery rate holds over the paths that were split, not over those that were looked through for them.
    """
    subjects = sorted(set(exposures["subject"]) & set(features["subject"]))
    order = pl.DataFrame({"subject": subjects}, {"subject": pl.String})
    Z, complete, problems = covariate_matrix(covariates, options.covariates, subjects)
    names = [f"__covariate {j}" for j in range(Z.shape[1])]
    base = order.with_columns(pl.Series(name, Z[:, j]) for j, name in enumerate(names)).filter(pl.Series(complete))
    rows: list[dict[str, Any]] = []
    for exposure in dict.fromkeys(a for a, _ in pairs):
        mediators = [m for a, m in pairs if a == exposure]
        values, contrast = _scaled(exposures[exposure], exposure in variants)
        table = base.join(exposures.select("subject", values), on="subject", how="left", maintain_order="left").join(
            features.select("subject", *mediators), on="subject", how="left", maintain_order="left"
        )
        for endpoint in endpoints:
            found = mediation(
                table, exposure=exposure, mediators=mediators, outcome=endpoint, covariates=names,
                options=MediationOptions(interval=options.interval, draws=options.draws, seed=options.seed),
            )  # fmt: skip
            problems += [_placed(p, exposure, endpoint.name) for p in found.problems]
            rows += _rows(found, contrast, _rate(endpoint, table, exposure))
    frame = pl.DataFrame(rows, schema={**TABLES["mechanism/paths"].schema})
    with np.errstate(divide="ignore"):
        tails = -np.log10(frame["p_value"].to_numpy())
    frame = frame.with_columns(pl.Series("q_value", benjamini_hochberg(tails)).fill_nan(None))
    return {"mechanism/paths": conform(frame, "mechanism/paths")}, [_of_mechanism(p) for p in problems]


def _scaled(values: pl.Series, variant: bool) -> tuple[pl.Series, str]:
    """The exposure in the unit of its contrast, and the contrast in words."""
    numbers = values.cast(pl.Float64)
    if variant:
        return numbers, "one copy more"
    known = numbers.drop_nulls()
    if set(known.unique()) <= {0.0, 1.0}:
        return numbers, "present − absent"
    spread = known.std()
    if not isinstance(spread, float) or spread <= 0:
        return numbers, "constant"
    return numbers / spread, "1 SD more"


def _placed(problem: Problem, exposure: str, outcome: str) -> Problem:
    item = f"{exposure} → {problem.item} → {outcome}"
    return Problem(
        problem.stage, problem.got, problem.severity, problem.subject, item, problem.where, problem.allowed,
        problem.todo, problem.count,
    )  # fmt: skip


def _of_mechanism(problem: Problem) -> Problem:
    return Problem(
        "mechanism", problem.got, problem.severity, problem.subject, problem.item, problem.where, problem.allowed,
        problem.todo.replace("link.", "mechanism."), problem.count,
    )  # fmt: skip


def _rate(endpoint: Endpoint, table: pl.DataFrame, exposure: str) -> float | None:
    """Events over follow-up of the subjects whose exposure is known; None of a binary endpoint."""
    if endpoint.time is None:
        return None
    known = set(table.filter(pl.col(exposure).is_not_null())["subject"].to_list())
    here = np.array([s in known for s in endpoint.subject]) & np.isfinite(endpoint.time) & np.isfinite(endpoint.event)
    total = float(endpoint.time[here].sum())
    return float(endpoint.event[here].sum()) / total if total > 0 else None


def _rows(found: MediationResult, contrast: str, rate: float | None) -> list[dict[str, Any]]:
    rows = []
    for (mediator,), own in found.effects.group_by("mediator", maintain_order=True):
        told: Mapping[str, dict[str, Any]] = {r["effect"]: r for r in own.iter_rows(named=True)}
        mediated, direct, total = (told[k] for k in ("mediated", "direct", "total"))
        value, limit = _robust(mediated, found.e_values.get(str(mediator)), rate)
        rows.append(
            {k: mediated[k] for k in ("exposure", "mediator", "outcome", "scale", "lower", "upper", "p_value")}
            | {
                "contrast": contrast, "mediated": mediated["estimate"], "q_value": None,
                "direct": direct["estimate"], "direct_lower": direct["lower"], "direct_upper": direct["upper"],
                "total": total["estimate"], "total_lower": total["lower"], "total_upper": total["upper"],
                "e_value": value, "e_value_limit": limit,
                "n": mediated["n"], "events": mediated["events"], "draws": mediated["draws"],
            }
        )  # fmt: skip
    return rows


def _robust(effect: Mapping[str, Any], known: float | None, rate: float | None) -> tuple[float | None, float | None]:
    """E-value of the mediated effect, and of the end of its interval that is next to no effect."""
    estimate, lower, upper = effect["estimate"], effect["lower"], effect["upper"]
    if known is not None:
        # the E-value is that of a ratio R ≥ 1: E = R + √(R (R − 1)) gives R = E² / (2 E − 1)
        ratio = known**2 / (2 * known - 1)
        base = estimate / (ratio - 1) if estimate > 0 else estimate / (1 / ratio - 1) if estimate < 0 else None
    else:
        base = rate
    if base is None or base <= 0 or 1 + estimate / base <= 0:
        return None, None
    near = lower if lower > 0 else upper if upper < 0 else 0.0
    return e_value(1 + estimate / base), e_value(1 + near / base)
