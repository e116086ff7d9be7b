"""Image and mask in, features out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import polars as pl

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family, Feature
from radiolocus.feature.crew import Crew, available_threads
from radiolocus.feature.filtered import families_of_responses, notes_on_responses, responses
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.filters import FilterOptions
from radiolocus.image.perturb import perturbed_regions
from radiolocus.image.perturb_options import Perturbation
from radiolocus.image.region import Region, prepare_region
from radiolocus.image.resample import Interpolation
from radiolocus.model import Mask, Problem, Volume
from radiolocus.schema import conform

__all__ = ["Extraction", "FeatureSettings", "dictionary", "extract"]

_STAGE = "features"


class _Processing(TypedDict):
    resample_mm: tuple[float, float, float] | None
    interpolation: Interpolation
    rounded: bool
    resegment_range: tuple[float | None, float | None] | None
    resegment_outliers: float | None


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


def extract(
    volume: Volume,
    mask: Mask,
    settings: FeatureSettings | None = None,
    perturbation: Perturbation | None = None,
    *,
    threads: int | None = None,
) -> Extraction:
    """Take the features of one region.

    Parameters
    ----------
    volume : Volume
    mask : Mask
        On the grid of `volume`.
    settings : FeatureSettings, optional
    perturbation : Perturbation, optional
        How the image and the region are changed first.
    threads : int, optional
        Threads that share the work; no value depends on it. None: ``NUMBA_NUM_THREADS`` where that is set, else one a
        core. Where many regions are measured at a time, one each is best.

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
    with Crew(available_threads() if threads is None else max(threads, 1)) as crew:
        return _extracted(volume, mask, settings or FeatureSettings(), perturbation, crew)


def _extracted(
    volume: Volume, mask: Mask, settings: FeatureSettings, perturbation: Perturbation | None, crew: Crew
) -> Extraction:
    around = _regions(volume, mask, settings, perturbation)
    region = around(max(family.margin_mm for family in settings.chosen_families))
    context = Context(region, settings.discretise, settings.volume_scale(volume.unit), crew.share)
    values: dict[str, float | None] = {}
    notes = [*region.notes, *notes_on_responses(region.spacing, settings)]
    problems = [Problem(_STAGE, note, "note") for note in notes]
    found = _of_context(settings.chosen_families, context, settings, "", crew)
    for column, value in itertools.chain(found, _of_responses(around, region, settings, crew)):
        values[column] = value if isinstance(value, float) else None
        if isinstance(value, UndefinedError):
            problems.append(_no_value(column, value))
    problems += _doubts(volume, settings, context)
    return Extraction(values, tuple(problems), _diagnostics(context))


def _doubts(volume: Volume, settings: FeatureSettings, context: Context) -> list[Problem]:
    """Note what settings make of an image of this kind, which may not be what was meant."""
    found = []
    if "levels" in vars(context) and settings.bins_from_minimum:
        found.append(_from_minimum(settings, context))
    if "levels" in vars(context) and settings.bin_width is not None and (volume.modality, volume.unit) == ("MR", ""):
        found.append(_arbitrary(settings))
    if settings.resample_mm is not None and settings.round_intensity is None and not volume.modality:
        found.append(_not_rounded())
    return found


def _arbitrary(settings: FeatureSettings) -> Problem:
    return Problem(
        _STAGE,
        f"bin_width = {settings.bin_width:g} on MR intensities without a unit: a grey level means something else in "
        "every examination",
        "note",
        allowed="a fixed number of bins where intensities are arbitrary, as IBSI recommends",
        todo="use bin_number, or say the unit of the image where its intensities have one (ADC, T1 maps)",
    )


def _not_rounded() -> Problem:
    return Problem(
        _STAGE,
        "the modality of the image is not known: its intensities were not rounded after resampling",
        "note",
        allowed="rounding of CT, as IBSI asks for",
        todo="name the modality, e.g. CT or MR, or set round_intensity",
    )


def _from_minimum(settings: FeatureSettings, context: Context) -> Problem:
    return Problem(
        _STAGE,
        f"bin_width = {settings.bin_width:g} without a lowest intensity: bins begin at the minimum of this region, "
        f"{context.values.min():g}, so that grey levels mean something else in every region",
        "note",
        allowed="a lower end of resegment_range, as IBSI asks for fixed bin sizes (CT: -1000 HU or so, PET: 0)",
        todo="set resegment_range, e.g. [0.0, inf], or use bin_number",
    )


def dictionary(settings: FeatureSettings | None = None) -> pl.DataFrame:
    """Say what each feature column is: a table ``features/dictionary``, in the order of the columns."""
    settings = settings or FeatureSettings()
    parts = [("", "", settings.chosen_families)]
    for options in settings.filter_options:
        parts.append((_prefix(options), f" of the response map {options.name}", families_of_responses(settings)))
    rows = [
        {
            "feature": prefix + feature.tag + suffix,
            "name": feature.name + of_what,
            "ibsi_id": feature.ibsi_id,
            "family": family.name,
            "aggregation": title,
            "unit": feature.unit,
        }
        for prefix, of_what, families in parts
        for family in families
        for suffix, title in family.columns(settings.aggregations).values()
        for feature in family.features.values()
    ]
    return conform(pl.DataFrame(rows), "features/dictionary")


def _regions(
    volume: Volume, mask: Mask, settings: FeatureSettings, perturbation: Perturbation | None
) -> Callable[[float], Region]:
    """From the image to keep around the region, in mm, to the processed region."""
    asked = _Processing(
        resample_mm=settings.resample_mm,
        interpolation=settings.interpolation,
        rounded=settings.rounds(volume, perturbed=perturbation is not None),
        resegment_range=settings.resegment_range,
        resegment_outliers=settings.resegment_outliers,
    )
    if perturbation is not None:
        return perturbed_regions(volume, mask, perturbation, **asked)
    return lambda margin_mm: prepare_region(volume, mask, **asked, margin_mm=margin_mm)


def _prefix(options: FilterOptions) -> str:
    return f"{options.name}."


def _of_responses(
    around: Callable[[float], Region], region: Region, settings: FeatureSettings, crew: Crew
) -> Iterator[tuple[str, float | UndefinedError]]:
    if settings.filters:
        for options, context in responses(around, region.spacing, settings):
            yield from _of_context(families_of_responses(settings), context, settings, _prefix(options), crew)


def _of_context(
    families: list[Family], context: Context | UndefinedError, settings: FeatureSettings, prefix: str, crew: Crew
) -> Iterator[tuple[str, float | UndefinedError]]:
    parts = [
        (family, aggregation, suffix)
        for family in families
        for aggregation, (suffix, _) in family.columns(settings.aggregations).items()
    ]
    found = crew.share(lambda part: list(_of_family(part[0], context, part[1])), parts)
    for (_, _, suffix), values in zip(parts, found, strict=True):
        for feature, value in values:
            yield prefix + feature.tag + suffix, value


def _of_family(
    family: Family, context: Context | UndefinedError, aggregation: str
) -> Iterator[tuple[Feature, float | UndefinedError]]:
    try:
        if isinstance(context, UndefinedError):
            raise context
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
