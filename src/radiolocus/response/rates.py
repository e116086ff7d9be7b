"""Response rates with exact binomial intervals."""

from __future__ import annotations

import polars as pl

from radiolocus import schema
from radiolocus.errors import InputError
from radiolocus.stats.proportion import exact_limits

__all__ = ["CONTROL", "RESPONSE", "clopper_pearson", "response_rates"]

RESPONSE = ("CR", "PR")
CONTROL = (*RESPONSE, "SD", "NON-CR/NON-PD")
"""Best responses that count as response, and as control of the disease."""


def clopper_pearson(events: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact (conservative) interval of a proportion.

    Raises
    ------
    InputError
        Not 0 ≤ `events` ≤ `n` with `n` at least 1, or a level outside (0, 1).

    References
    ----------
    Clopper & Pearson, Biometrika 1934;26:404.
    """
    if not (n >= 1 and 0 <= events <= n and 0 < level < 1):
        raise InputError(
            f"{events} events of {n} at level {level}", allowed="0 ≤ events ≤ n, n at least 1, level between 0 and 1"
        )
    lower, upper = exact_limits(events, n, level)
    return float(lower), float(upper)


def response_rates(best: pl.DataFrame) -> pl.DataFrame:
    """Objective response and disease control rate: table ``response/rates``.

    Parameters
    ----------
    best : polars.DataFrame
        Table ``response/best``. Every subject counts in the denominator, not evaluable ones included
        (Eisenhauer 2009, section 4.7). No row comes of no subject.
    """
    n = best.height
    if n == 0:
        return schema.empty("response/rates")
    rows = []
    for quantity, counted in (("objective response rate", RESPONSE), ("disease control rate", CONTROL)):
        events = int(best["best_response"].is_in(counted).sum())
        lower, upper = clopper_pearson(events, n)
        rows.append(
            {"quantity": quantity, "estimate": events / n, "lower": lower, "upper": upper, "events": events, "n": n}
        )
    return schema.conform(pl.DataFrame(rows), "response/rates")
