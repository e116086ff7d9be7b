"""The image filters there are. A new filter is a file and a line here.

>>> from radiolocus.image.filters import LogFilter, apply
>>> LogFilter(sigma_mm=1.5).name
'log_sigma_1.5mm'
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.filter_gabor import GaborFilter, gabor_filter
from radiolocus.image.filter_gradient import GradientFilter, gradient_filter
from radiolocus.image.filter_laws import LawsFilter, laws_filter
from radiolocus.image.filter_lbp import LbpFilter, lbp_filter
from radiolocus.image.filter_log import LogFilter, laplacian_of_gaussian
from radiolocus.image.filter_mean import MeanFilter, mean_filter
from radiolocus.image.filter_options import FilterOptions
from radiolocus.image.filter_point import (
    ExponentialFilter,
    LogarithmFilter,
    SquareFilter,
    SquareRootFilter,
    exponential_filter,
    logarithm_filter,
    square_filter,
    square_root_filter,
)
from radiolocus.image.filter_riesz import (
    RieszFilter,
    RieszLogFilter,
    RieszSimoncelliFilter,
    riesz_filter,
    riesz_log_filter,
    riesz_simoncelli_filter,
)
from radiolocus.image.filter_simoncelli import SimoncelliFilter, simoncelli_filter
from radiolocus.image.filter_wavelet import WaveletFilter, wavelet_filters
from radiolocus.model import Array, Volume
from radiolocus.registry import Registry, suggest

__all__ = [
    "FILTERS",
    "ExponentialFilter",
    "Filter",
    "FilterOptions",
    "GaborFilter",
    "GradientFilter",
    "LawsFilter",
    "LbpFilter",
    "LogFilter",
    "LogarithmFilter",
    "MeanFilter",
    "RieszFilter",
    "RieszLogFilter",
    "RieszSimoncelliFilter",
    "SimoncelliFilter",
    "SquareFilter",
    "SquareRootFilter",
    "WaveletFilter",
    "apply",
    "options_from",
    "respond",
    "respond_each",
    "unequal_edges",
]


@dataclass(frozen=True)
class Filter:
    """A filter by name.

    Parameters
    ----------
    title : str
        Name in the IBSI 2 reference manual.
    ibsi_id : str
        Permanent IBSI identifier; empty for a filter that the manual does not have.
    options : type
        The dataclass of its options.
    compute : callable
        From (array, spacing, options) to the response map; where `together`, from several options to as many maps.
    together : bool
        Whether filters of this kind have work in common.
    """

    title: str
    ibsi_id: str
    options: type[FilterOptions]
    compute: Callable[[Array, Array, Any], Any]
    together: bool = False


FILTERS: Registry[Filter] = Registry("image filter")

for _filter in (
    Filter("Mean filter", "S60F", MeanFilter, mean_filter),
    Filter("Laplacian of Gaussian", "L6PA", LogFilter, laplacian_of_gaussian),
    Filter("Laws kernels", "JTXT", LawsFilter, laws_filter),
    Filter("Gabor filter", "Q88H", GaborFilter, gabor_filter),
    Filter("Separable wavelet", "25BO", WaveletFilter, wavelet_filters, together=True),
    Filter("Non-separable Simoncelli wavelet", "PRT7", SimoncelliFilter, simoncelli_filter),
    Filter("Riesz transform", "AYRS", RieszFilter, riesz_filter),
    Filter("Riesz-transformed Laplacian of Gaussian", "AYRS", RieszLogFilter, riesz_log_filter),
    Filter("Riesz-transformed Simoncelli wavelet", "AYRS", RieszSimoncelliFilter, riesz_simoncelli_filter),
    Filter("Square", "", SquareFilter, square_filter),
    Filter("Square root", "", SquareRootFilter, square_root_filter),
    Filter("Logarithm", "", LogarithmFilter, logarithm_filter),
    Filter("Exponential", "", ExponentialFilter, exponential_filter),
    Filter("Gradient magnitude", "", GradientFilter, gradient_filter),
    Filter("Local binary patterns", "", LbpFilter, lbp_filter),
):
    FILTERS.add(_filter.options.filter, _filter)

# Edges that differ by less are called equal.
_EQUAL = 0.01


def options_from(table: Mapping[str, Any]) -> FilterOptions:
    """Read the options of a filter from a table of a study file.

    Parameters
    ----------
    table : mapping
        ``filter`` names one of :data:`FILTERS`; the other keys are fields of its options.

    Returns
    -------
    FilterOptions

    Raises
    ------
    ConfigError
        An unknown filter, key or value, with the nearest valid one.
    """
    if "filter" not in table:
        raise ConfigError(f"no filter is named in {dict(table)!r}", allowed=f"filter = one of {', '.join(FILTERS)}")
    kind: Any = FILTERS[str(table["filter"])].options
    types = typing.get_type_hints(kind)
    for key, value in table.items():
        if key not in types:
            raise ConfigError(
                f"unknown key '{key}' of filter '{table['filter']}'", allowed=", ".join(types), todo=suggest(key, types)
            )
        if not _fits(value, types[key]):
            raise ConfigError(f"{key} = {value!r}", allowed=_spoken(types[key]))
    options: FilterOptions = kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in table.items()})
    return options


def _fits(value: object, kind: Any) -> bool:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        # Which words are allowed is said by the options themselves.
        return isinstance(value, str)
    if typing.get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_fits(v, arguments[0]) for v in value)
    if arguments:
        return any(_fits(value, a) for a in arguments)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _spoken(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return "a list of whole numbers"
    if typing.get_args(kind):
        return _spoken(typing.get_args(kind)[0])
    return {float: "a number", int: "a whole number", bool: "true or false"}.get(kind, "text")


def respond(array: npt.NDArray[np.floating], spacing: Array, options: FilterOptions) -> Array:
    """Return the response map of a bare array.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Finite everywhere: a filter would carry a NaN as far as it reaches.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    options : FilterOptions
        Options of one of :data:`FILTERS`.

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    Raises
    ------
    InputError
        NaN or infinite voxels, or an image too large to be transformed as a whole.
    """
    return next(respond_each(array, spacing, [options]))


def respond_each(array: npt.NDArray[np.floating], spacing: Array, wanted: Sequence[FilterOptions]) -> Iterator[Array]:
    """Yield the response map of each of `wanted`, in their order; see :func:`respond`.

    Maps must not be written to: neighbours of the same kind may be made from each other's parts.
    """
    if not wanted:
        return
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise InputError(
            f"{bad} NaN or infinite voxels in an image that is to be filtered ({wanted[0].name})",
            allowed="finite intensities wherever the filter reaches",
            todo="repair the image, or crop it to where it is finite",
        )
    image: Array = np.asarray(array, dtype=np.float64)
    for name, alike in itertools.groupby(wanted, key=lambda options: options.filter):
        kind = FILTERS[name]
        if kind.together:
            yield from kind.compute(image, spacing, alike)
        else:
            yield from (kind.compute(image, spacing, options) for options in alike)


def unequal_edges(spacing: Array, options: FilterOptions) -> str:
    """Say in words that the filtered axes have voxels of unequal edges; empty when they are equal within 1 %."""
    filtered = spacing[list(options.axes)]
    if filtered.max() <= filtered.min() * (1 + _EQUAL):
        return ""
    edges = " x ".join(f"{s:.4g}" for s in filtered)
    return (
        f"{options.name}: filtered on voxels of {edges} mm; IBSI 2 asks for equal edges, because a filter that counts "
        "voxels reaches further along the longer ones (resample_mm)"
    )


def apply(volume: Volume, options: FilterOptions) -> Volume:
    """Filter an image.

    Parameters
    ----------
    volume : Volume
        Finite everywhere.
    options : FilterOptions
        Options of one of :data:`FILTERS`.

    Returns
    -------
    Volume
        The response map, float64, on the grid of the image, without unit; unequal voxels are told in its notes.

    Raises
    ------
    InputError
        NaN or infinite voxels, or an image too large to be transformed as a whole.
    """
    spacing = volume.geometry.spacing
    response = respond(volume.array, spacing, options)
    told = unequal_edges(spacing, options)
    return replace(volume, array=response, unit="", notes=(*volume.notes, told) if told else volume.notes)
