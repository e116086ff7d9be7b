"""Two readers of the same subjects, and what an error of measurement does to the calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from radiolocus.errors import InputError
from radiolocus.response.assess import assess
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.nodes import placed_nodes
from radiolocus.response.recist11 import best_response, time_points
from radiolocus.stats.readers import bland_altman, cohen_kappa

__all__ = ["AGREEMENT", "NOISE", "measurement_error", "reader_agreement", "said_of_noise", "said_of_readers"]

# Rows of all draws that are called together.
_ROWS = 500_000
_SURE = 0.9

AGREEMENT = {
    "criterion": pl.String(),
    "quantity": pl.String(),
    "statistic": pl.String(),
    "estimate": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "n": pl.Int64(),
}
"""Columns of the agreement of readers: κ of calls, Bland–Altman of the followed quantity."""

NOISE = {
    "subject": pl.String(),
    "visit": pl.String(),
    "call": pl.String(),
    "kept": pl.Float64(),
    "most_often": pl.String(),
    "draws": pl.Int64(),
    "error_mm": pl.Float64(),
}
"""Columns of the effect of measurement error; ``visit`` is null for the best response."""


def reader_agreement(
    one: pl.DataFrame, other: pl.DataFrame, criterion: str = "recist11", options: CriteriaOptions | None = None
) -> pl.DataFrame:
    """Agreement of two readers on the visits and subjects that both have.

    Parameters
    ----------
    one, other : polars.DataFrame
        Lesion tables, one of each reader.
    criterion : str
    options : CriteriaOptions, optional

    Returns
    -------
    polars.DataFrame
        Columns of :data:`AGREEMENT`: κ of the calls of visits and of best responses, bias and limits of the quantity
        and of its change from baseline; first how many subjects and visits only one reader has, which are not compared.
        Calls of visits of one subject are not independent: their interval is
        too narrow.
    """
    first, second = assess(one, criterion, options), assess(other, criterion, options)
    visits = first.timepoints.filter(pl.col("day") > 0).join(
        second.timepoints, on=["subject", "visit"], how="inner", suffix="_2", maintain_order="left"
    )
    best = first.best.join(second.best, on="subject", how="inner", suffix="_2", maintain_order="left")
    rows: list[tuple[object, ...]] = [
        (f"{what} of one reader alone", "number", float(_alone(one_, other_, key)), None, None, None)
        for what, one_, other_, key in (
            ("subjects", first.best, second.best, ["subject"]),
            ("visits", first.timepoints, second.timepoints, ["subject", "visit"]),
        )
    ]
    for name, frame, column in (
        ("call of visits", visits, "overall_response"),
        ("best response", best, "best_response"),
    ):
        both = frame.drop_nulls([column, f"{column}_2"])
        if both.height:
            k = cohen_kappa(both[column].to_list(), both[f"{column}_2"].to_list())
            rows += [
                (name, "κ", k.value, k.lower, k.upper, k.n),
                (name, "observed agreement", k.observed, None, None, k.n),
            ]
    for name, column in (("quantity of visits", "value"), ("change from baseline, %", "change_from_baseline")):
        both = visits.drop_nulls([column, f"{column}_2"])
        if both.height >= 2:
            b = bland_altman(both[column].to_numpy(), both[f"{column}_2"].to_numpy())
            rows += [
                (name, "bias", b.bias, b.bias_lower, b.bias_upper, b.n),
                (name, "lower limit of agreement", b.lower, b.lower_lower, b.lower_upper, b.n),
                (name, "upper limit of agreement", b.upper, b.upper_lower, b.upper_upper, b.n),
            ]
    frame = pl.DataFrame([(criterion, *row) for row in rows], schema=AGREEMENT, orient="row")
    return frame.with_columns(pl.col("estimate", "lower", "upper").fill_nan(None))


def _alone(one: pl.DataFrame, other: pl.DataFrame, key: list[str]) -> int:
    """Rows that only one of the tables has."""
    return one.join(other, on=key, how="anti").height + other.join(one, on=key, how="anti").height


def measurement_error(
    lesions: pl.DataFrame,
    error_mm: float,
    *,
    draws: int = 200,
    seed: int = 0,
    options: CriteriaOptions | None = None,
) -> pl.DataFrame:
    """How often calls by RECIST 1.1 stay when every target is measured with an error.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    error_mm : float
        Standard deviation of independent normal errors of the diameters of targets, mm. What is absent stays absent.
    draws : int
    seed : int
    options : CriteriaOptions, optional

    Returns
    -------
    polars.DataFrame
        Columns of :data:`NOISE`: the call as measured, the share of draws that keep it, the most frequent call.

    Raises
    ------
    InputError
        An error below 0, or no draw.
    """
    if not (error_mm >= 0 and draws >= 1):
        raise InputError(f"error {error_mm:g} mm, {draws} draws", allowed="at least 0 mm, at least 1 draw")
    chosen = options or CriteriaOptions()
    # The order of rows must not decide which error a diameter gets.
    ordered = placed_nodes(lesions, chosen.small_nodes)[0].sort("subject", "day", "kind", "lesion")
    # Which lesions are targets was chosen at baseline; an error does not choose anew.
    chosen = replace(chosen, small_nodes="target")
    rng = np.random.default_rng(seed)
    moved = (ordered["kind"] == "target").to_numpy() & (ordered["diameter_mm"].fill_null(0.0) > 0).to_numpy()
    counted: list[pl.DataFrame] = []
    together = max(1, _ROWS // max(ordered.height, 1))
    for first in range(0, draws, together):
        # Draws are called together, each as further subjects, whose names are taken off again.
        parts = []
        for k in range(first, min(first + together, draws)):
            shift = pl.Series(np.where(moved, rng.normal(0.0, 1.0, ordered.height) * error_mm, 0.0))
            # A lesion that is seen has a size: errors do not make it vanish.
            size = pl.when(pl.Series(moved)).then(pl.max_horizontal(pl.col("diameter_mm") + shift, 0.1))
            parts.append(
                ordered.with_columns(
                    pl.concat_str(pl.lit(f"{k} "), "subject").alias("subject"),
                    size.otherwise("diameter_mm").alias("diameter_mm"),
                )
            )
        calls = _calls(pl.concat(parts), chosen)
        counted.append(calls.with_columns(pl.col("subject").str.replace(r"^\d+ ", "")))
    told = _calls(ordered, chosen)
    votes = (
        pl.concat(counted).group_by("subject", "visit", "call").len().sort(["len", "call"], descending=[True, False])
    )
    most = votes.group_by("subject", "visit", maintain_order=True).agg(pl.col("call").first().alias("most_often"))
    kept = votes.rename({"len": "times"})
    joined = told.join(kept, on=["subject", "visit", "call"], how="left", nulls_equal=True, maintain_order="left").join(
        most, on=["subject", "visit"], how="left", nulls_equal=True, maintain_order="left"
    )
    share = (pl.col("times").fill_null(0) / draws).alias("kept")
    named = joined.with_columns(share, pl.lit(draws).alias("draws"), pl.lit(error_mm).alias("error_mm"))
    return named.select([pl.col(c).cast(t) for c, t in NOISE.items()])


def _calls(lesions: pl.DataFrame, options: CriteriaOptions) -> pl.DataFrame:
    timepoints = time_points(lesions, options)
    visits = timepoints.filter(pl.col("day") > 0).select("subject", "visit", pl.col("overall_response").alias("call"))
    best = best_response(timepoints, options).select(
        "subject", pl.lit(None, pl.String).alias("visit"), pl.col("best_response").alias("call")
    )
    return pl.concat([visits, best])


def said_of_readers(agreement: pl.DataFrame) -> list[str]:
    """Table ``response/readers`` in lines for a person."""
    lines = []
    for row in agreement.filter(pl.col("estimate").is_not_null()).iter_rows(named=True):
        limits = "" if row["lower"] is None else f" (95 % {row['lower']:.2f} to {row['upper']:.2f})"
        number = f"{row['estimate']:.0f}" if row["statistic"] == "number" else f"{row['estimate']:.2f}{limits}"
        of = "" if row["n"] is None else f", n = {row['n']}"
        lines.append(f"readers, {row['criterion']}, {row['quantity']}: {row['statistic']} {number}{of}")
    return lines


def said_of_noise(noise: pl.DataFrame) -> list[str]:
    """Table ``response/measurement_error`` in lines for a person."""
    if noise.is_empty():
        return []
    lines, error, draws = [], noise["error_mm"][0], noise["draws"][0]
    best = pl.col("visit").is_null()
    for what, part in (("calls of visits", noise.filter(~best)), ("best responses", noise.filter(best))):
        if part.height:
            kept, unsure = 100 * part["kept"].to_numpy().mean(), part.filter(pl.col("kept") < _SURE).height
            lines.append(
                f"an error of {error:g} mm keeps {kept:.0f} % of the {what}; {unsure} of {part.height} in less than "
                f"{100 * _SURE:.0f} % of {draws} draws"
            )
    return lines
