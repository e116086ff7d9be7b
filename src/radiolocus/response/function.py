"""What a visit measures over the lesions: uptake, glycolysis, volumes, diffusion, perfusion, hypoxia."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

__all__ = ["VISIT_MEASURES", "VisitMeasure", "visit_measures"]


@dataclass(frozen=True)
class VisitMeasure:
    """A number of a visit and how it comes from the lesions.

    Parameters
    ----------
    column : str
        Column of the lesion table.
    how : {"sum", "largest", "mean", "volume-weighted mean"}
        Over the lesions of the visit.
    meaning, unit : str
    """

    column: str
    how: Literal["sum", "largest", "mean", "volume-weighted mean"]
    meaning: str
    unit: str


VISIT_MEASURES: dict[str, VisitMeasure] = {
    "volume": VisitMeasure("volume_ml", "sum", "total volume", "mL"),
    "uptake": VisitMeasure("uptake", "largest", "uptake of the hottest lesion", "SUV"),
    "mtv": VisitMeasure("mtv_ml", "sum", "total metabolic tumour volume", "mL"),
    "tlg": VisitMeasure("tlg", "sum", "total lesion glycolysis", "SUV·mL"),
    "adc": VisitMeasure("adc", "mean", "mean apparent diffusion coefficient of the lesions", "10⁻⁶ mm²/s"),
    "ktrans": VisitMeasure("ktrans", "mean", "mean Ktrans of the lesions", "1/min"),
    "density": VisitMeasure("density_hu", "mean", "mean attenuation of the lesions", "HU"),
    "hypoxic_fraction": VisitMeasure(
        "hypoxic_fraction", "volume-weighted mean", "share of the lesions above the tumour-to-background threshold", "1"
    ),
}
"""Functional measures of a visit. Lesions of the baseline count, new ones only for the hottest; a lesion that has gone
adds nothing to a sum and takes no part in a mean. Where a lesion of the baseline was not measured there is no value."""


def visit_measures(lesions: pl.DataFrame) -> pl.DataFrame:
    """Add up what the lesions of every visit measure.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it.

    Returns
    -------
    polars.DataFrame
        ``subject``, ``visit``, ``day``, ``measure`` and ``value``, sorted; null where a lesion that was measured at
        baseline was not measured at the visit.
    """
    parts = [
        _measure(lesions, name, measure)
        for name, measure in VISIT_MEASURES.items()
        if measure.column in lesions.columns
    ]
    schema = {"subject": pl.String, "visit": pl.String, "day": pl.Float64, "measure": pl.String, "value": pl.Float64}
    frame = pl.concat([pl.DataFrame(schema=schema), *parts])
    return frame.sort("subject", "measure", "day")


def _measure(lesions: pl.DataFrame, name: str, measure: VisitMeasure) -> pl.DataFrame:
    value, gone = pl.col(measure.column), pl.col("status").is_in(["absent", "merged"])
    base = (
        lesions.filter((pl.col("day") == 0) & value.is_not_null()).select("subject", "lesion").with_columns(known=True)
    )
    rows = lesions.join(base, on=["subject", "lesion"], how="left", maintain_order="left")
    followed = pl.col("known").fill_null(value=False)
    counted = rows.filter(followed | (value.is_not_null() if measure.how == "largest" else pl.lit(value=False)))
    expected = base.group_by("subject").agg(pl.len().alias("_expected"))
    there = value.is_not_null() & ~gone
    if measure.how == "sum":
        found = pl.when(gone).then(0.0).otherwise(value).sum()
    elif measure.how == "largest":
        found = pl.when(gone).then(0.0).otherwise(value).max()
    elif measure.how == "mean" or "volume_ml" not in lesions.columns:
        found = value.filter(there).mean()
    else:
        weight = pl.col("volume_ml").filter(there)
        found = (value.filter(there) * weight).sum() / weight.sum()
    told = followed & (gone | value.is_not_null())
    return (
        counted.group_by("subject", "visit", "day")
        .agg(found.alias("value"), told.sum().alias("_told"))
        .join(expected, on="subject", how="inner")
        .select(
            "subject",
            "visit",
            "day",
            pl.lit(name).alias("measure"),
            pl.when(pl.col("_told") == pl.col("_expected")).then("value").fill_nan(None).alias("value"),
        )
    )
