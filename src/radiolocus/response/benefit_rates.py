"""Event rates of every arm, over everybody and by columns of the subjects, with exact intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from radiolocus import schema
from radiolocus.cohort.values import as_text
from radiolocus.errors import ConfigError
from radiolocus.model import Endpoint
from radiolocus.registry import suggest
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.stats.proportion import exact_limits, wilson_limits

__all__ = ["EVERYBODY", "arm_rates"]

EVERYBODY = "everybody"
"""What an arm or a level is called that is all of them."""


def arm_rates(clinical: pl.DataFrame, endpoints: Sequence[Endpoint], options: BenefitOptions) -> pl.DataFrame:
    """Count the events of binary endpoints by arm and by the columns of ``rates_by``.

    Parameters
    ----------
    clinical : polars.DataFrame
        ``subject`` and clinical columns. Everybody with a known treatment counts, whom ``where`` leaves out too: the
        rates say what was observed, and compare nothing.
    endpoints : sequence of Endpoint
    options : BenefitOptions

    Returns
    -------
    polars.DataFrame
        Table ``benefit/rates``: control first, then the arms by name, last all of them together.

    Raises
    ------
    ConfigError
        A column that is not there.
    """
    for name in options.rates_by:
        if name not in clinical.columns[1:]:
            raise ConfigError(f"no column '{name}'", where="benefit.rates_by", todo=suggest(name, clinical.columns[1:]))
    people = clinical.select(
        pl.col("subject").cast(pl.String),
        as_text(clinical[options.treatment]).alias("arm"),
        *(as_text(clinical[name]).alias(f"by {name}") for name in options.rates_by),
    ).drop_nulls("arm")
    rows: list[dict[str, object]] = []
    for endpoint in endpoints:
        if endpoint.kind != "binary":
            continue
        event = pl.DataFrame({"subject": list(endpoint.subject), "event": endpoint.event})
        known = people.join(event.filter(pl.col("event").is_finite()), on="subject", how="inner")
        rows += [row | {"endpoint": endpoint.name} for row in _cells(known, options)]
    frame = pl.DataFrame(rows, schema_overrides=schema.TABLES["benefit/rates"].schema)
    if frame.is_empty():
        return schema.empty("benefit/rates")
    n, events = frame["n"].to_numpy(), frame["events"].to_numpy()
    lower, upper = exact_limits(events, n)
    wilson_lower, wilson_upper = wilson_limits(events / n, n)
    limits = {"lower": lower, "upper": upper, "wilson_lower": wilson_lower, "wilson_upper": wilson_upper}
    return schema.conform(
        frame.with_columns(pl.Series("estimate", events / n), *(pl.Series(k, v) for k, v in limits.items())),
        "benefit/rates",
    )


def _cells(known: pl.DataFrame, options: BenefitOptions) -> Iterator[dict[str, object]]:
    """Counts of every arm at every level; without a subject there is no row."""
    arms = sorted(set(known["arm"]), key=lambda a: (a != options.control, a))
    for arm in (*arms, EVERYBODY):
        part = known if arm == EVERYBODY else known.filter(arm=arm)
        levels = [("", EVERYBODY, part)] + [
            (name, level, part.filter(pl.col(f"by {name}") == level))
            for name in options.rates_by
            for level in known[f"by {name}"].drop_nulls().unique().sort()
        ]
        for name, level, of in levels:
            if of.height:
                events = int(np.asarray(of["event"]).sum())
                yield {"arm": arm, "by": name, "level": level, "events": events, "n": of.height}
