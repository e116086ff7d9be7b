"""The image filters there are. A new filter is a file and a line here.

>>> from radiolocus.image.filters import LogFilter, apply
>>> LogFilter(sigma_mm=1.5).name
'log_sigma_1.5mm'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from radiolocus.errors import InputError
from radiolocus.image.filter_gabor import GaborFilter, gabor_filter
from radiolocus.image.filter_laws import LawsFilter, laws_filter
from radiolocus.image.filter_log import LogFilter, laplacian_of_gaussian
from radiolocus.image.filter_mean import MeanFilter, mean_filter
from radiolocus.image.filter_options import FilterOptions
from radiolocus.image.filter_riesz import (
    RieszFilter,
    RieszLogFilter,
    RieszSimoncelliFilter,
    riesz_filter,
    riesz_log_filter,
    riesz_simoncelli_filter,
)
from radiolocus.image.filter_simoncelli import SimoncelliFilter, simoncelli_filter
from radiolocus.image.filter_wavelet import WaveletFilter, wavelet_filter
from radiolocus.model import Array, Volume
from radiolocus.registry import Registry

__all__ = [
    "FILTERS",
    "Filter",
    "FilterOptions",
    "GaborFilter",
    "LawsFilter",
    "LogFilter",
    "MeanFilter",
    "RieszFilter",
    "RieszLogFilter",
    "RieszSimoncelliFilter",
    "SimoncelliFilter",
    "WaveletFilter",
    "apply",
]


@dataclass(frozen=True)
class Filter:
    """A filter by name.

    Parameters
    ----------
    title : str
        Name in the IBSI 2 reference manual.
    ibsi_id : str
        Permanent IBSI identifier.
    options : type
        The dataclass of its options.
    compute : callable
        From (array, spacing, options) to the response map.
    """

    title: str
    ibsi_id: str
    options: type[FilterOptions]
    compute: Callable[[Array, Array, Any], Array]


FILTERS: Registry[Filter] = Registry("image filter")

for _filter in (
    Filter("Mean filter", "S60F", MeanFilter, mean_filter),
    Filter("Laplacian of Gaussian", "L6PA", LogFilter, laplacian_of_gaussian),
    Filter("Laws kernels", "JTXT", LawsFilter, laws_filter),
    Filter("Gabor filter", "Q88H", GaborFilter, gabor_filter),
    Filter("Separable wavelet", "25BO", WaveletFilter, wavelet_filter),
    Filter("Non-separable Simoncelli wavelet", "PRT7", SimoncelliFilter, simoncelli_filter),
    Filter("Riesz transform", "AYRS", RieszFilter, riesz_filter),
    Filter("Riesz-transformed Laplacian of Gaussian", "AYRS", RieszLogFilter, riesz_log_filter),
    Filter("Riesz-transformed Simoncelli wavelet", "AYRS", RieszSimoncelliFilter, riesz_simoncelli_filter),
):
    FILTERS.add(_filter.options.filter, _filter)  # type: ignore[attr-defined]

# Edges that differ by less are called equal.
_EQUAL = 0.01


def apply(volume: Volume, options: FilterOptions) -> Volume:
    """Filter an image.

    Parameters
    ----------
    volume : Volume
        Finite everywhere: a filter would carry a NaN as far as it reaches.
    options : FilterOptions
        Options of one of :data:`FILTERS`.

    Returns
    -------
    Volume
        The response map, float64, on the grid of the image, without unit.

    Raises
    ------
    InputError
        NaN or infinite voxels.
    """
    bad = volume.array.size - int(np.count_nonzero(np.isfinite(volume.array)))
    if bad:
        raise InputError(
            f"{bad} NaN or infinite voxels in an image that is to be filtered ({options.name})",
            allowed="finite intensities everywhere",
            todo="repair the image, or crop it to where it is finite",
        )
    spacing = volume.geometry.spacing
    kind = FILTERS[options.filter]  # type: ignore[attr-defined]
    response = kind.compute(volume.array.astype(np.float64), spacing, options)
    filtered = spacing[list(options.axes)]
    notes = volume.notes
    if filtered.max() > filtered.min() * (1 + _EQUAL):
        edges = " x ".join(f"{s:.4g}" for s in filtered)
        notes += (
            f"{options.name}: filtered on voxels of {edges} mm; IBSI 2 asks for equal edges, because a filter that "
            "counts voxels reaches further along the longer ones (resample_mm)",
        )
    return replace(volume, array=response, unit="", notes=notes)
