"""Further measurements of a lesion table: what criteria beside RECIST 1.1 read, and what befell the subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from radiolocus.read.lesion_screen import NUMBER, Screen

__all__ = ["MEASURES", "Measure", "present_measures", "screen_events", "screen_measures"]


@dataclass(frozen=True)
class Measure:
    """One optional column of a lesion table.

    Parameters
    ----------
    level : {"lesion", "visit", "subject"}
        What it belongs to. Values of a visit or a subject stand in any of its rows, and all that stand are the same.
    meaning : str
    unit : str
        Empty for words and for numbers without unit.
    words : tuple of str
        What may be written; empty for a number.
    most : float or None
        Largest possible number.
    below_zero : bool
        Numbers below 0 are possible.
    event : bool
        A day counted as the days of the visits are, or a date where they are dates.
    """

    level: Literal["lesion", "visit", "subject"]
    meaning: str
    unit: str = ""
    words: tuple[str, ...] = ()
    most: float | None = None
    below_zero: bool = False
    event: bool = False

    @property
    def dtype(self) -> pl.DataType:
        """Type of its column."""
        return pl.String() if self.words else pl.Float64()


MEASURES: dict[str, Measure] = {
    "perpendicular_mm": Measure("lesion", "largest diameter perpendicular to the longest", "mm", most=500.0),
    "viable_mm": Measure("lesion", "longest diameter of the part enhancing in the arterial phase", "mm", most=500.0),
    "volume_ml": Measure("lesion", "volume", "mL", most=20000.0),
    "density_hu": Measure("lesion", "mean attenuation", "HU", most=3000.0, below_zero=True),
    "adc": Measure("lesion", "mean apparent diffusion coefficient", "10⁻⁶ mm²/s", most=10000.0),
    "uptake": Measure("lesion", "SULpeak (PERCIST) or SUV (EORTC, Lugano) of the lesion", "SUV", most=500.0),
    "tlg": Measure("lesion", "total lesion glycolysis", "SUV·mL", most=1e6),
    "mtv_ml": Measure("lesion", "metabolic tumour volume", "mL", most=20000.0),
    "ktrans": Measure("lesion", "mean volume transfer constant Ktrans", "1/min", most=20.0),
    "hypoxic_fraction": Measure(
        "lesion", "share of the volume above the tumour-to-background threshold", "1", most=1.0
    ),
    "earlier_mm": Measure("lesion", "diameter on a scan before baseline, for the growth rate", "mm", most=500.0),
    "change": Measure("lesion", "change of a lesion that is not measured", words=("increase", "same", "decrease")),
    "method": Measure("lesion", "how it was measured", words=("ct", "mri", "caliper", "x-ray")),
    "irradiated": Measure(
        "lesion", "lies where radiotherapy was given; progressed: has grown since", words=("no", "yes", "progressed")
    ),
    "pet": Measure("lesion", "FDG-PET of a new lesion", words=("positive", "negative")),
    "slice_mm": Measure("visit", "slice thickness of the scan", "mm", most=50.0),
    "liver_mean": Measure("visit", "mean SUL of normal liver", "SUL", most=50.0),
    "liver_sd": Measure("visit", "standard deviation of the SUL of normal liver", "SUL", most=50.0),
    "blood_pool_mean": Measure("visit", "mean SUL of the blood pool", "SUL", most=50.0),
    "blood_pool_sd": Measure("visit", "standard deviation of the SUL of the blood pool", "SUL", most=50.0),
    "cycles": Measure("visit", "cycles of treatment given before the visit", most=200.0),
    "deauville": Measure("visit", "five-point score of Deauville", words=("1", "2", "3", "4", "5")),
    "new_bone_lesions": Measure("visit", "bone lesions of the bone scan that the baseline scan has not", most=1000.0),
    "steroid_mg": Measure("visit", "daily dose of corticosteroids (dexamethasone equivalent)", "mg", most=1000.0),
    "clinical": Measure("visit", "clinical state", words=("improved", "stable", "worse")),
    "baseline_pet": Measure("subject", "FDG-PET at baseline", words=("positive", "negative", "none")),
    "earlier_day": Measure("subject", "scan before baseline, for the growth rate", "d", below_zero=True, event=True),
    "radiotherapy_end_day": Measure("subject", "end of radiotherapy", "d", below_zero=True, event=True),
    "new_therapy_day": Measure("subject", "start of another treatment of the tumour", "d", event=True),
    "death_day": Measure("subject", "death", "d", event=True),
}
"""Optional columns by name; in the file they may be called otherwise (``measures`` of the columns)."""


def present_measures(columns: list[str], renamed: dict[str, str]) -> dict[str, str]:
    """Map the measurements that a file has to the names of its columns."""
    return {name: renamed.get(name, name) for name in MEASURES if renamed.get(name, name) in columns}


def _number(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.str.contains(NUMBER)).then(text).cast(pl.Float64, strict=False)


def screen_measures(screen: Screen, names: list[str]) -> None:
    """Turn the measurements of lesions and visits from text into numbers and words."""
    for name in names:
        measure = MEASURES[name]
        if measure.event:
            continue
        if measure.words:
            text = pl.col(name).str.to_lowercase().str.strip_suffix(".0")
            screen.frame = screen.frame.with_columns(text.alias(name))
            screen.aside(
                ~pl.col(name).is_in(measure.words),
                pl.format("{} '{}'", pl.lit(name), name),
                ", ".join(measure.words),
                "correct the cell or leave it empty",
            )
        else:
            value = _number(name)
            bad = value.is_null() | ~value.is_finite()
            if not measure.below_zero:
                bad = bad | (value < 0)
            if measure.most is not None:
                bad = bad | (value > measure.most)
            least = "" if measure.below_zero else "from 0 "
            screen.aside(
                pl.col(name).is_not_null() & bad,
                pl.format("{} '{}'", pl.lit(name), name),
                f"a number {least}to {measure.most:g} {measure.unit}".strip(),
                "correct the cell or leave it empty",
            )
            screen.frame = screen.frame.with_columns(value.alias(name))
        _one_value(screen, name, measure)


def _one_value(screen: Screen, name: str, measure: Measure) -> None:
    """Refuse two values where there is one, and give it to every row."""
    if measure.level == "lesion":
        return
    key = ["subject", "visit"] if measure.level == "visit" else ["subject"]
    known = pl.col(name).drop_nulls()
    screen.aside(
        known.n_unique().over(key) > 1,
        pl.format("two values of {} at one {}, one of them '{}'", pl.lit(name), pl.lit(measure.level), name),
        f"one value a {measure.level}",
        "correct the cells",
    )
    screen.frame = screen.frame.with_columns(known.first().over(key).alias(name))


def screen_events(screen: Screen, names: list[str]) -> None:
    """Turn days and dates of events into days since baseline; the frame has ``start`` and ``dated``."""
    for name in names:
        measure = MEASURES[name]
        if not measure.event:
            continue
        date = pl.col(name).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Float64)
        value = pl.when("dated").then(date).otherwise(_number(name)) - pl.col("start")
        least = not measure.below_zero
        screen.aside(
            pl.col(name).is_not_null() & (value.is_null() | (least & (value < 0))),
            pl.format("{} '{}'", pl.lit(name), name),
            "a day as those of the visits are written" + (", not before baseline" if least else ""),
            "correct the cell or leave it empty",
        )
        screen.frame = screen.frame.with_columns(value.alias(name))
        _one_value(screen, name, measure)
    if "death_day" in names:
        after = (pl.col("day") - pl.col("death_day")).cast(pl.String).str.strip_suffix(".0")
        screen.aside(
            pl.col("day") > pl.col("death_day"),
            pl.format("a visit {} days after death", after),
            "visits up to death",
            "correct the day of the visit, or death_day",
        )
