"""Decision traces: why a visit and a subject were called what they were, in words and numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.kernels import recist as kernels
from radiolocus.schema import TABLES

__all__ = ["best_table", "explained"]


def _plain(value: pl.Expr, decimals: int = 2) -> pl.Expr:
    """Number without trailing zeros."""
    return value.round(decimals).cast(pl.String).str.strip_suffix(".0")


def _signed(value: pl.Expr) -> pl.Expr:
    # Zero plus zero: a change that rounds to −0 is written without a sign of its own.
    sign = pl.when(value.round(2) < 0).then(pl.lit("−")).otherwise(pl.lit("+"))
    return pl.concat_str(sign, _plain(value.abs()))


def _count(column: str, noun: str) -> pl.Expr:
    return pl.format("{} {}", column, pl.when(pl.col(column) == 1).then(pl.lit(noun)).otherwise(pl.lit(f"{noun}s")))


def _visit(column: str) -> pl.Expr:
    """Name a visit: a label that begins with the word is not preceded by it."""
    label = pl.col(column)
    return (
        pl.when(label.str.to_lowercase().str.starts_with("visit")).then(label).otherwise(pl.format("visit {}", label))
    )


def _target_cases() -> list[tuple[pl.Expr, pl.Expr]]:
    """Why the target response is what it is, ending in it: the first case that holds, and its words."""
    total, nadir, base = _plain(pl.col("total")), _plain(pl.col("nadir_mm")), _plain(pl.col("base"))
    growth = pl.col("total") - pl.col("nadir_mm")
    from_nadir = pl.format("{} % and {} mm", _signed(100 * growth / pl.col("nadir_mm")), _signed(growth))
    from_base = _signed(100 * (pl.col("total") / pl.col("base") - 1))
    missing = pl.format("{} of {} not evaluated", pl.col("targets") - pl.col("measured"), _count("targets", "target"))
    call, whole = pl.col("target_response"), pl.col("measured") == pl.col("targets")
    grown = (
        pl.when(pl.col("nadir_mm") > 0)
        .then(pl.format("sum {} mm is {} from the nadir {} mm", total, from_nadir, nadir))
        .otherwise(pl.format("sum {} mm after a nadir of 0 mm", total))
    )
    seen_again = pl.format("sum {} mm: a target is seen again after complete response", total)
    gone = (
        pl.when(pl.col("nodal"))
        .then(pl.lit("all targets gone, nodal targets below 10 mm"))
        .otherwise(pl.lit("all targets gone"))
    )
    shrunk = pl.format("sum {} mm is {} % from the baseline {} mm", total, from_base, base)
    stable = (
        pl.when(pl.col("nadir_mm") == pl.col("base"))
        .then(pl.format("sum {} mm is {} from the baseline {} mm, so far the nadir", total, from_nadir, base))
        .when(pl.col("nadir_mm") > 0)
        .then(pl.format("{}, {} from the nadir {} mm", shrunk, from_nadir, nadir))
        .otherwise(pl.format("{}, {} mm from the nadir 0 mm", shrunk, _signed(growth)))
    )
    return [
        (pl.col("targets") == 0, pl.lit("no targets")),
        (call == "NE", pl.format("{}: NE", missing)),
        (pl.col("returned") & (call == "PD") & ~pl.col("gone"), pl.format("{}: PD", seen_again)),
        (
            (call == "PD") & ~whole,
            pl.format("{}, yet the measured rest alone proves it: {}: PD", missing, grown),
        ),
        (call == "PD", pl.format("{}: PD", grown)),
        (call == "CR", pl.format("{}: CR", gone)),
        (pl.col("held"), pl.format("{}; the earlier response persists until progression: PR", stable)),
        (call == "PR", pl.format("{}: PR", shrunk)),
        (pl.lit(True), pl.format("{}: SD", stable)),
    ]


def _other_words() -> pl.Expr:
    """Non-targets and new lesions; empty when there are none."""
    call = pl.col("nontarget_response")
    nontarget = (
        pl.when(pl.col("nontargets") == 0)
        .then(pl.lit(""))
        .when(call == "PD")
        .then(pl.lit("; unequivocal progression of a non-target: PD"))
        .when(call == "NE")
        .then(
            pl.format(
                "; {} of {} not evaluated: NE",
                pl.col("nontargets") - pl.col("evaluated"),
                _count("nontargets", "non-target"),
            )
        )
        .when(call == "CR")
        .then(pl.lit("; all non-targets gone: CR"))
        .otherwise(pl.lit("; non-targets persist: NON-CR/NON-PD"))
    )
    again = (
        pl.when(pl.col("returned") & pl.col("seen_other") & (pl.col("target_response") != "PD"))
        .then(pl.lit("; a non-target is seen again after complete response: PD"))
        .otherwise(pl.lit(""))
    )
    new = (
        pl.when(pl.col("on_pet"))
        .then(pl.lit("; new lesion on FDG-PET, negative at baseline: PD"))
        .when(pl.col("new"))
        .then(pl.lit("; new lesion: PD"))
        .when(pl.col("new_lesion"))
        .then(pl.lit("; new lesion at an earlier visit: PD"))
        .when(pl.col("equivocal"))
        .then(pl.lit("; an equivocal new lesion does not count"))
        .otherwise(pl.lit(""))
    )
    return pl.concat_str(nontarget, again, new)


def explained(called: pl.DataFrame, placed: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add `reason` to the called visits and keep the columns of ``response/timepoints``.

    Parameters
    ----------
    called : polars.DataFrame
    placed : polars.DataFrame, optional
        ``subject`` and ``placed``: what the baseline says of lymph nodes that are no targets.
    """
    if placed is not None and placed.height:
        told = explained(called).join(placed, on="subject", how="left", maintain_order="left")
        further = pl.when((pl.col("day") == 0) & pl.col("placed").is_not_null()).then(pl.format("; {}", "placed"))
        return told.with_columns(pl.concat_str("reason", further.otherwise(pl.lit("")))).drop("placed")
    at_base = (
        pl.when(pl.col("targets") > 0)
        .then(pl.format("baseline: {} followed, sum {} mm", _count("targets", "target"), _plain(pl.col("total"))))
        .otherwise(pl.lit("baseline: no targets"))
    )
    first = pl.col("day") == 0
    cases = [(first, at_base)] + [
        (holds, pl.format("{}{} → {}", words, _other_words(), "overall_response")) for holds, words in _target_cases()
    ]
    # Words are made case by case: to format every case for every visit would take most of the time of all RECIST.
    number = pl.coalesce(pl.when(holds).then(pl.lit(k, pl.Int8)) for k, (holds, _) in enumerate(cases))
    numbered = called.with_row_index("_row").with_columns(number.alias("_case"))
    if numbered.is_empty():
        return numbered.with_columns(pl.lit("").alias("reason")).select(list(TABLES["response/timepoints"].schema))
    parts = [part.with_columns(cases[part["_case"][0]][1].alias("reason")) for part in numbered.partition_by("_case")]
    return pl.concat(parts).sort("_row").select(list(TABLES["response/timepoints"].schema))


def best_table(
    called: pl.DataFrame,
    start: npt.NDArray[np.int64],
    result: npt.NDArray[np.int8],
    decided: npt.NDArray[np.int64],
    progression: npt.NDArray[np.int64],
    *,
    confirmation: bool,
    sd_minimum_days: float,
) -> pl.DataFrame:
    """Build ``response/best`` from the rows that decided.

    Parameters
    ----------
    called : polars.DataFrame
        Visits with their calls, sorted by subject and day.
    start : ndarray, shape (subjects + 1,)
        Row of each baseline.
    result, decided, progression : ndarray, shape (subjects,)
        Best response, the row it was first seen in, the row of the first PD; −1 for none.
    confirmation : bool
    sd_minimum_days : float
    """
    visit, day, overall = called["visit"], called["day"], called["overall_response"]

    def at(column: pl.Series, rows: npt.NDArray[np.int64]) -> pl.Series:
        # Row −1 (none) becomes null.
        return column.gather(pl.Series(np.where(rows >= 0, rows, 0))).set(pl.Series(rows < 0), None)

    until = np.repeat(np.where(progression >= 0, progression, start[1:] - 1), np.diff(start))
    seen = called.select(
        "subject",
        pl.when((pl.col("day") > 0) & (pl.int_range(pl.len()) <= pl.Series(until)))
        .then("change_from_baseline")
        .alias("change"),
        pl.when((pl.col("day") == 0) | (pl.col("overall_response") != "NE")).then("day").alias("evaluable"),
    )
    summary = seen.group_by("subject", maintain_order=True).agg(
        pl.col("change").min().alias("best_change"),
        pl.col("evaluable").max().alias("last_day"),
        pl.len().alias("visits"),
    )
    words = dict(enumerate(kernels.LABELS))
    frame = summary.with_columns(
        pl.Series("best_response", result).replace_strict(words, return_dtype=pl.String),
        pl.lit(confirmation).alias("confirmed"),
        at(day, progression).alias("progression_day"),
        at(day, decided).alias("_day"),
        at(visit, decided).alias("_visit"),
        at(overall, decided).alias("_seen"),
        at(visit, progression).alias("_end"),
        at(overall, progression).alias("_end_seen"),
    )
    place = pl.format("{} at day {} ({})", "_seen", _plain(pl.col("_day")), _visit("_visit"))
    best = pl.col("best_response")
    backdated = pl.col("_end_seen") != "PD"
    end = (
        pl.when(pl.col("progression_day").is_null())
        .then(pl.lit("; no progression"))
        .when(backdated)
        .then(
            pl.format(
                "; progression dated back to day {} ({}), when the new lesion was first seen as equivocal",
                _plain(pl.col("progression_day")),
                _visit("_end"),
            )
        )
        .otherwise(pl.format("; progression at day {} ({})", _plain(pl.col("progression_day")), _visit("_end")))
    )
    ignored = pl.Series(np.where(progression >= 0, start[1:] - 1 - progression, 0))
    later = (
        pl.when(ignored == 0)
        .then(pl.lit(""))
        .when(ignored == 1)
        .then(pl.lit("; a later visit does not count"))
        .otherwise(pl.format("; {} later visits do not count", ignored))
    )
    confirmed = pl.lit(", confirmed later" if confirmation else "")
    unconfirmed = pl.when(pl.col("_seen").is_in(["CR", "PR"])).then(pl.lit(", not confirmed")).otherwise(pl.lit(""))
    minimum = f"{sd_minimum_days:g} days"
    why = (
        pl.when(best.is_in(["CR", "PR"]))
        .then(pl.format("{}{}", place, confirmed))
        .when(best.is_in(["SD", "NON-CR/NON-PD"]))
        .then(pl.format("{}{}: disease controlled for at least {}", place, unconfirmed, pl.lit(minimum)))
        .when(best == "PD")
        .then(pl.lit(f"progression before disease was controlled for {minimum}"))
        .when(pl.col("visits") == 1)
        .then(pl.lit("no visit after baseline"))
        .otherwise(pl.lit(f"no response, and disease not seen under control at {minimum} or later"))
    )
    return frame.with_columns(pl.concat_str(why, end, later).alias("reason")).select(
        list(TABLES["response/best"].schema)
    )
