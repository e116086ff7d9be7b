"""Sums and responses that a study has, beside those derived from its lesions, and why they differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.recist11 import recist11

__all__ = ["COMPARISON", "compare"]

COMPARISON = {
    "subject": pl.String(),
    "visit": pl.String(),
    "item": pl.String(),
    "ours": pl.String(),
    "theirs": pl.String(),
    "agree": pl.Boolean(),
    "explanation": pl.String(),
}
"""Columns of a comparison: ``item`` is sum (mm), target, non-target, new, overall or best."""

_SUM_TOLERANCE_MM = 0.05
_NONE = ("NA", "N/A", "NOT APPLICABLE", "NONE", "NOT DONE", "ND")
_YES, _NO = ("Y", "YES", "UNEQUIVOCAL", "PD", "NEW"), ("N", "NO", "NONE", "EQUIVOCAL", "ABSENT")
_WORDS = {
    "COMPLETE RESPONSE": "CR",
    "PARTIAL RESPONSE": "PR",
    "STABLE DISEASE": "SD",
    "PROGRESSIVE DISEASE": "PD",
    "NON-CR": "NON-CR/NON-PD",
    "NON CR/NON PD": "NON-CR/NON-PD",
    "NON-PD": "NON-CR/NON-PD",
    "INEVALUABLE": "NE",
    "NOT EVALUABLE": "NE",
    "UNEVALUABLE": "NE",
    "UNKNOWN": "NE",
    "NON-EVALUABLE": "NE",
    "NOT ALL EVALUATED": "NE",
}
# Readings of RECIST 1.1 that a study may have followed instead.
_READINGS: tuple[tuple[str, dict[str, object]], ...] = (
    ("a partial response is held until progression (persistent = true)", {"persistent": True}),
    ("the arithmetic of each visit stands (persistent = false)", {"persistent": False}),
    ("nodes named targets are targets whatever their size (small_nodes = 'target')", {"small_nodes": "target"}),
    ("disease seen again after CR is not PD by itself (reappearance = false)", {"reappearance": False}),
    ("responses must be confirmed (confirmation = true)", {"confirmation": True}),
    ("responses need not be confirmed (confirmation = false)", {"confirmation": False}),
    ("stable disease counts from the first visit (sd_minimum_days = 0)", {"sd_minimum_days": 0.0}),
    (
        "responses need not be confirmed and stable disease counts at once",
        {"confirmation": False, "sd_minimum_days": 0.0},
    ),
)


def compare(
    lesions: pl.DataFrame, sums: pl.DataFrame, responses: pl.DataFrame, options: CriteriaOptions | None = None
) -> pl.DataFrame:
    """Set what a study has beside what RECIST 1.1 makes of its lesions.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    sums, responses : polars.DataFrame
        As :class:`radiolocus.read.sdtm.SdtmStudy` has them.
    options : CriteriaOptions, optional

    Returns
    -------
    polars.DataFrame
        Columns of :data:`COMPARISON`, in the order of subjects and days. ``agree`` is null where there is nothing of
        ours to compare with: the subject was set aside, or the visit has no lesions.
    """
    chosen = options or CriteriaOptions()
    whole = recist11(lesions, chosen)
    # A sum is compared over the lesions that the study itself added up.
    named = recist11(lesions, replace(chosen, small_nodes="target")).timepoints
    ours = _ours(whole.timepoints, whole.best, named)
    theirs = pl.concat([_their_sums(sums), _their_responses(responses)])
    joined = theirs.join(ours, on=["subject", "visit", "item"], how="left", nulls_equal=True, maintain_order="left")
    number = pl.col("item") == "sum"
    gap = (pl.col("ours").cast(pl.Float64, strict=False) - pl.col("theirs").cast(pl.Float64, strict=False)).abs()
    agree = pl.when(number).then(gap <= _SUM_TOLERANCE_MM).otherwise(pl.col("ours") == pl.col("theirs"))
    joined = joined.with_columns(agree.alias("agree"))
    other = [(words, _ours_under(lesions, chosen, change)) for words, change in _READINGS]
    rows = [row | {"explanation": _explain(row, other)} for row in joined.iter_rows(named=True)]
    frame = pl.DataFrame(rows, schema_overrides=COMPARISON) if rows else pl.DataFrame(schema=COMPARISON)
    days = whole.timepoints.select("subject", "visit", "day")
    if not rows:
        return frame
    ordered = frame.join(days, on=["subject", "visit"], how="left", maintain_order="left")
    return ordered.sort("subject", "day", "item", nulls_last=True).select(
        [pl.col(c).cast(t) for c, t in COMPARISON.items()]
    )


def _ours(timepoints: pl.DataFrame, best: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Long table: subject, visit, item, ours, reason; sums from `named`."""
    later = timepoints.filter(pl.col("day") > 0)
    head = ("subject", "visit")
    parts = [
        named.filter(pl.col("targets") > 0).select(
            *head, pl.lit("sum").alias("item"), pl.col("sum_mm").cast(pl.String).alias("ours"), "reason"
        )
    ]
    for item, column in (
        ("target", "target_response"),
        ("non-target", "nontarget_response"),
        ("overall", "overall_response"),
    ):
        parts.append(later.select(*head, pl.lit(item).alias("item"), pl.col(column).alias("ours"), "reason"))
    new = pl.when("new_lesion").then(pl.lit("yes")).otherwise(pl.lit("no"))
    parts.append(later.select(*head, pl.lit("new").alias("item"), new.alias("ours"), "reason"))
    parts.append(
        best.select(
            "subject",
            pl.lit(None, pl.String).alias("visit"),
            pl.lit("best").alias("item"),
            pl.col("best_response").alias("ours"),
            "reason",
        )
    )
    return pl.concat(parts)


def _ours_under(
    lesions: pl.DataFrame, options: CriteriaOptions, change: dict[str, object]
) -> dict[tuple[str, str | None, str], str]:
    """Responses under another reading; empty when it is the one that was chosen."""
    other = replace(options, **change)  # type: ignore[arg-type]
    if other == options:
        return {}
    found = recist11(lesions, other)
    rows = _ours(found.timepoints, found.best, found.timepoints).select("subject", "visit", "item", "ours").rows()
    return {(s, v, i): o for s, v, i, o in rows}


def _their_sums(sums: pl.DataFrame) -> pl.DataFrame:
    return sums.select(
        "subject", "visit", pl.lit("sum").alias("item"), pl.col("sum_mm").cast(pl.String).alias("theirs")
    )


def _their_responses(responses: pl.DataFrame) -> pl.DataFrame:
    said = pl.col("response").str.to_uppercase()
    words = said.replace(_WORDS)
    new = pl.when(said.is_in(_YES)).then(pl.lit("yes")).when(said.is_in(_NO)).then(pl.lit("no")).otherwise(said)
    part = pl.when(said.is_in(_NONE)).then(pl.lit("none")).otherwise(words)
    theirs = (
        pl.when(pl.col("item") == "new")
        .then(new)
        .when(pl.col("item").is_in(["target", "non-target"]))
        .then(part)
        .otherwise(words)
    )
    return responses.select("subject", "visit", "item", theirs.alias("theirs"))


def _explain(row: dict[str, Any], other: list[tuple[str, dict[tuple[str, str | None, str], str]]]) -> str:
    """Why a row agrees or not, in words."""
    if row["agree"]:
        return ""
    reason = str(row["reason"]) if row["reason"] is not None else ""
    if row["ours"] is None and not reason:
        return "nothing of ours: the subject was set aside, or no lesion of that visit was assessed"
    if row["item"] == "sum":
        if row["ours"] is None:
            return f"no complete sum here: {reason}"
        gap = float(str(row["ours"])) - float(str(row["theirs"]))
        return f"the targets add up to {gap:+.4g} mm of what is given: {reason}"
    key = (row["subject"], row["visit"], row["item"])
    told = [words for words, calls in other if calls.get(key) == row["theirs"]]
    hint = f"; theirs follows when {told[0]}" if told else "; no other reading of the rules gives theirs"
    return f"by the lesions: {reason}{hint}"
