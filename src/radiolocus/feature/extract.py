"""Image and mask in, features out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family, Feature
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.region import prepare_region
from radiolocus.model import Mask, Problem, Volume
from radiolocus.schema import conform

__all__ = ["Extraction", "FeatureSettings", "dictionary", "extract"]

_STAGE = "features"


@dataclass(frozen=True, eq=False)
class Extraction:
    """Features of one region.

    Parameters
    ----------
    values : dict of str to float or None
        Feature columns in registry order; None where a feature has no value.
    problems : tuple of Problem
        One ``"no value"`` a feature without value, and notes on the image.
    diagnostics : dict of str to float
        Voxels before and after each step, intensities and grey levels, spacing.
    """

    values: dict[str, float | None]
    problems: tuple[Problem, ...]
    diagnostics: dict[str, float]


def extract(volume: Volume, mask: Mask, settings: FeatureSettings | None = None) -> Extraction:
    """Take the features of one region.

    Parameters
    ----------
    volume : Volume
    mask : Mask
        On the grid of `volume`.
    settings : FeatureSettings, optional

    Returns
    -------
    Extraction

    Raises
    ------
    GeometryError
        The mask lies on another grid than the image, or the grid is sheared.
    RoiError
        The mask is empty, or nothing is left of it after resampling or re-segmentation.
    InputError
        NaN or infinite voxels inside the region or where interpolation reads; more than 65536 grey levels.
    """
    settings = settings or FeatureSettings()
    rounded = settings.round_intensity
    if rounded is None:
        rounded = settings.resample_mm is not None and volume.modality == "CT" and volume.unit == "HU"
    region = prepare_region(
        volume,
        mask,
        resample_mm=settings.resample_mm,
        interpolation=settings.interpolation,
        rounded=rounded,
        resegment_range=settings.resegment_range,
        resegment_outliers=settings.resegment_outliers,
        margin_mm=max(family.margin_mm for family in _chosen(settings)),
    )
    context = Context(region, settings.discretise, settings.volume_scale(volume.unit))
    values: dict[str, float | None] = {}
    problems = [Problem(_STAGE, note, "note") for note in region.notes]
    for family in _chosen(settings):
        for aggregation, (suffix, _) in family.columns(settings.aggregations).items():
            for feature, value in _of_family(family, context, aggregation):
                column = feature.tag + suffix
                values[column] = value if isinstance(value, float) else None
                if isinstance(value, UndefinedError):
                    problems.append(_no_value(column, value))
    return Extraction(values, tuple(problems), _diagnostics(context))


def dictionary(settings: FeatureSettings | None = None) -> pl.DataFrame:
    """Say what each feature column is: a table ``features/dictionary``, in the order of the columns."""
    settings = settings or FeatureSettings()
    rows = [
        {
            "feature": feature.tag + suffix,
            "name": feature.name,
            "ibsi_id": feature.ibsi_id,
            "family": family.name,
            "aggregation": title,
            "unit": feature.unit,
        }
        for family in _chosen(settings)
        for suffix, title in family.columns(settings.aggregations).values()
        for feature in family.features.values()
    ]
    return conform(pl.DataFrame(rows), "features/dictionary")


def _chosen(settings: FeatureSettings) -> list[Family]:
    return [family for name, family in FAMILIES.items() if name in settings.families]


def _of_family(family: Family, context: Context, aggregation: str) -> Iterator[tuple[Feature, float | UndefinedError]]:
    try:
        prepared = family.prepare(context, aggregation)
    except UndefinedError as reason:
        for feature in family.features.values():
            yield feature, reason
        return
    for feature in family.features.values():
        try:
            # An overflow becomes an infinity, which is refused by name below; a warning would name nobody.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                value: float | UndefinedError = _finite(family.reduce(feature.compute(prepared)))
        except UndefinedError as reason:
            value = reason
        except ArithmeticError as reason:
            value = UndefinedError(f"cannot be computed: {reason}", todo="check the unit of the image")
        yield feature, value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UndefinedError(f"the result is {value}", allowed="a finite number", todo="check the unit of the image")
    return value


def _no_value(column: str, reason: UndefinedError) -> Problem:
    return Problem(
        _STAGE, reason.got, "no value", item=column, where=reason.where, allowed=reason.allowed, todo=reason.todo
    )


def _diagnostics(context: Context) -> dict[str, float]:
    values, region = context.values, context.region
    spacing = dict(zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), region.spacing.tolist(), strict=True))
    return {
        **{name: float(count) for name, count in region.counts.items()},
        **spacing,
        "intensity_minimum": float(values.min()),
        "intensity_mean": float(values.mean()),
        "intensity_maximum": float(values.max()),
        # Regions whose families need no grey levels are not discretised.
        **({"grey_levels": float(context.levels.max())} if "levels" in vars(context) else {}),
    }
