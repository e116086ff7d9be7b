"""Features of filtered images: from the settings to a context of each response map (IBSI 2, image processing scheme).

The image is interpolated and rounded, and the interpolated image is filtered. Which voxels belong to the region is
decided before that: the intensity mask comes from the intensities of the image that is not filtered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from radiolocus.errors import InputError, UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.feature.settings import DEFAULT_BINS, FeatureSettings
from radiolocus.image.discretise import fixed_bin_number, volume_scale
from radiolocus.image.filters import FilterOptions, respond_each, unequal_edges
from radiolocus.image.region import Region
from radiolocus.model import Array

__all__ = ["families_of_responses", "notes_on_responses", "responses"]

# Larger than any image: the whole of it is filtered.
_ALL_MM = 1e5


def families_of_responses(settings: FeatureSettings) -> list[Family]:
    """Families taken of response maps: those that were chosen, without the shape of the region, which has not changed.

    Parameters
    ----------
    settings : FeatureSettings

    Returns
    -------
    list of Family
    """
    return [family for family in settings.chosen_families if family.name != "morphology"]


def responses(
    region: Callable[[float], Region], spacing: Array, settings: FeatureSettings
) -> Iterator[tuple[FilterOptions, Context | UndefinedError]]:
    """Yield a context for the response map of each filter, or the reason why there is none.

    Parameters
    ----------
    region : callable
        From a margin in mm to the processed region with that much image around it.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm after interpolation.
    settings : FeatureSettings

    Yields
    ------
    FilterOptions
    Context or UndefinedError
        Response maps have no unit and no common range, so that their grey levels are a fixed number of bins.
    """
    around = max(f.margin_mm for f in families_of_responses(settings))
    wanted = [(o, o.reach_mm(spacing)) for o in settings.filter_options]
    finite = max((reach for _, reach in wanted if math.isfinite(reach)), default=0.0)
    # As much of the image as the filters that end somewhere need, and all of it for the others.
    known: dict[float, Region] = {}
    for reach, group in itertools.groupby(wanted, key=lambda pair: pair[1]):
        margin = finite + around if math.isfinite(reach) else _ALL_MM
        if margin not in known:
            known[margin] = region(margin)
        near = known[margin].cut(reach + around) if math.isfinite(reach) else known[margin]
        yield from _contexts(near, [options for options, _ in group], around, settings)


def _contexts(
    region: Region, wanted: Sequence[FilterOptions], around: float, settings: FeatureSettings
) -> Iterator[tuple[FilterOptions, Context | UndefinedError]]:
    maps = respond_each(region.image, region.spacing, wanted)
    for place, options in enumerate(wanted):
        try:
            response = next(maps)
        except InputError as reason:
            failed = UndefinedError(reason.got, where=reason.where, allowed=reason.allowed, todo=reason.todo)
            yield options, failed
            # An iterator that raised has ended.
            maps = respond_each(region.image, region.spacing, wanted[place + 1 :])
        else:
            yield options, _context(replace(region, image=response, notes=()).cut(around), settings)


def _context(mapped: Region, settings: FeatureSettings) -> Context | UndefinedError:
    inside = mapped.image[mapped.intensity]
    lost = int(np.count_nonzero(~np.isfinite(inside)))
    if lost:
        return UndefinedError(
            f"the filter has no value at {lost} of {inside.size} voxels of the region",
            allowed="a value at every voxel",
            todo="leave the filter out for regions with flat parts, or take another of its maps",
        )
    bins = settings.bin_number or DEFAULT_BINS
    return Context(
        mapped,
        lambda values: fixed_bin_number(values, bins),
        partial(volume_scale, unit="", limits=None, width=None, bins=settings.ivh_bin_number),
    )


def notes_on_responses(spacing: Array, settings: FeatureSettings) -> list[str]:
    """What a person should know about the response maps."""
    notes = [told for o in settings.filter_options if (told := unequal_edges(spacing, o))]
    if settings.filters and settings.bin_width is not None:
        notes.append(
            f"bin_width = {settings.bin_width:g} belongs to the unit of the image; response maps of filters are "
            f"discretised into {DEFAULT_BINS} bins"
        )
    return notes
