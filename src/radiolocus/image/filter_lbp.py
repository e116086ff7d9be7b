"""Local binary patterns; no filter of IBSI 2.

In slices the patterns of Ojala et al. as scikit-image has them, in space those of Banerjee et al. as PyRadiomics has
them: signs of samples on a sphere, summed up by spherical harmonics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter
from scipy.special import lpmv, poch

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import Boundary, pad
from radiolocus.image.filter_options import FilterOptions, check_choice, check_positive, number
from radiolocus.kernels.pattern import PATTERN_METHODS, binary_patterns
from radiolocus.model import Array, BoolArray

__all__ = ["KURTOSIS", "LbpFilter", "Method", "icosphere", "lbp_filter", "patterns_2d", "patterns_3d"]

Method = Literal["uniform", "default", "ror", "nri_uniform"]
Harmonics = Literal["pyradiomics", "orthonormal"]
Numbers = npt.NDArray[Any]
Complex = npt.NDArray[np.complexfloating]

#: The map of :func:`patterns_3d` that holds the kurtosis of the samples.
KURTOSIS = 0

_LARGEST_LEVEL = 10
_LARGEST_SUBDIVISION = 4
_LARGEST_SAMPLES = 48  # more signs than a float64 can number exactly
# A cubic spline reaches everywhere in principle; from here on its weight is below 1e-12.
_SPLINE = 24
_SAMPLES_AT_A_TIME = 2**20
# Ties between a sample and its centre are decided by this and not by the rounding of the interpolation.
_TIE = 1e-9


@dataclass(frozen=True, kw_only=True)
class LbpFilter(FilterOptions):
    """Local binary patterns: which samples around a voxel are at least as bright as it.

    Parameters
    ----------
    radius : float
        Distance of the samples in voxels.
    samples : int
        Samples on the circle (2D only).
    method : {"uniform", "default", "ror", "nri_uniform"}
        What becomes of their signs (2D only), with the names of scikit-image: number of ones of a pattern that changes
        twice at most; the pattern as a number; the smallest such number over all rotations; uniform patterns numbered.
    subdivision : int
        How often the triangles of the icosahedron on whose corners samples lie are subdivided (3D only).
    level : int
        Order of the spherical harmonics plus 1 (3D only): 1 grows with the number of ones; 0 is the kurtosis of the
        samples.
    harmonics : {"pyradiomics", "orthonormal"}
        Harmonics as PyRadiomics takes them, azimuth and polar angle exchanged and without conjugation, or as they are
        defined (3D only).
    """

    filter: Literal["lbp"] = "lbp"
    radius: float = 1.0
    samples: int = 8
    method: Method = "uniform"
    subdivision: int = 1
    level: int = 1
    harmonics: Harmonics = "pyradiomics"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("radius", self.radius)
        check_choice("method", self.method, PATTERN_METHODS)
        check_choice("harmonics", self.harmonics, ("pyradiomics", "orthonormal"))
        for key, least, most in (
            ("samples", 1, _LARGEST_SAMPLES),
            ("subdivision", 0, _LARGEST_SUBDIVISION),
            ("level", 0, _LARGEST_LEVEL),
        ):
            got = getattr(self, key)
            if not least <= got <= most:
                raise ConfigError(f"{key} = {got!r}", allowed=f"a whole number from {least} to {most}")
        unused = ("subdivision", "level", "harmonics") if self.dimension == "2d" else ("samples", "method")
        for key in unused:
            if getattr(self, key) != getattr(LbpFilter, key):
                raise ConfigError(
                    f"{key} = {getattr(self, key)!r} with dimension = {self.dimension!r}",
                    allowed=f"{key} with dimension = {'3d' if self.dimension == '2d' else '2d'!r} only",
                    todo="leave it out",
                )

    def _reach_voxels(self, edge: float) -> float:
        return math.ceil(self.radius) + (0 if self.dimension == "2d" else _SPLINE)

    def _words(self) -> list[str]:
        around = ["lbp", "r" + number(self.radius)]
        if self.dimension == "2d":
            return [*around, f"p{self.samples}", self.method]
        made = "kurtosis" if self.level == KURTOSIS else f"m{self.level}"
        proper = ["orthonormal"] if self.harmonics == "orthonormal" else []
        return [*around, *([f"s{self.subdivision}"] if self.subdivision != 1 else []), made, *proper]


def lbp_filter(array: Array, spacing: Array, options: LbpFilter) -> Array:
    """Return local binary patterns.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Not used: samples are placed in voxels.
    options : LbpFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)
        NaN where the kurtosis of samples that are all equal was asked for.

    References
    ----------
    Ojala et al., IEEE Trans Pattern Anal Mach Intell 2002;24:971-987. Banerjee et al., 3D LBP-based rotationally
    invariant region description, ACCV 2012 Workshops, LNCS 7728:26-37.
    """
    if options.dimension == "2d":
        return patterns_2d(array, options.samples, options.radius, options.method, options.boundary)
    tie = _TIE * float(np.abs(array).max())
    if options.boundary == "zero":
        inside = np.ones(array.shape, dtype=bool)
        maps = patterns_3d(
            array,
            inside,
            (options.level,),
            radius=options.radius,
            subdivision=options.subdivision,
            harmonics=options.harmonics,
            tie=tie,
        )
        return maps[options.level].reshape(array.shape)
    return _everywhere(array, options, tie)


def _everywhere(array: Array, options: LbpFilter, tie: float) -> Array:
    """Return a map of all voxels, a stack of slices at a time: every sample is a shift of the image by the same way."""
    corners = icosphere(options.subdivision, options.radius)
    # Padded as far as splines reach: the splines that SciPy has for mirrored images are off in the eighth digit.
    border = math.ceil(options.radius) + _SPLINE
    coefficients = spline_filter(pad(array, ((border, border),) * 3, options.boundary), mode="mirror")
    out = np.empty(array.shape)
    step = max(1, _SAMPLES_AT_A_TIME // (len(corners) * array[0].size))
    for first in range(0, len(array), step):
        part = array[first : first + step]
        samples = np.empty((part.size, len(corners)))
        for n, corner in enumerate(corners):
            shifted = coefficients
            for axis, (start, size) in enumerate(zip((first, 0, 0), part.shape, strict=True)):
                shifted = _shifted(shifted, float(corner[axis]), axis, start + border, size)
            samples[:, n] = shifted.ravel()
        made = _maps(samples, part.reshape(-1, 1), (options.level,), tie, options.subdivision, options.harmonics)
        out[first : first + step] = made[options.level].reshape(part.shape)
    return out


def _shifted(coefficients: Array, by: float, axis: int, start: int, size: int) -> Array:
    """Interpolate along one axis, from coefficients of cubic splines, `by` voxels beside `size` voxels from `start`."""
    low = math.floor(by)
    t = by - low
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    lines = [np.take(coefficients, range(start + low + k, start + low + k + size), axis) for k in (-1, 0, 1, 2)]
    return sum((w / 6 * line for w, line in zip(weights, lines, strict=True)), np.zeros(1))


def patterns_2d(
    array: Numbers, samples: int, radius: float, method: Method = "uniform", boundary: Boundary = "zero"
) -> Array:
    """Return the patterns of circles within the slices along the first axis.

    With boundary ``zero`` these are the values of ``skimage.feature.local_binary_pattern`` of every slice.
    """
    angle = 2 * np.pi * np.arange(samples) / samples
    # Samples lie on a grid of 1e-5 voxels, so that those on the axes meet voxels exactly.
    rows, columns = np.round(-radius * np.sin(angle), 5), np.round(radius * np.cos(angle), 5)
    border = math.ceil(radius)
    around = ((0, 0), (border, border), (border, border))
    padded = np.ascontiguousarray(pad(np.asarray(array, dtype=np.float64), around, boundary))
    return binary_patterns(padded, border, rows, columns, PATTERN_METHODS.index(method))


def patterns_3d(
    array: Numbers,
    inside: BoolArray,
    levels: tuple[int, ...],
    *,
    radius: float = 1.0,
    subdivision: int = 1,
    harmonics: Harmonics = "pyradiomics",
    tie: float = 0.0,
) -> dict[int, Array]:
    """Return what harmonics of each order make of the signs of samples on a sphere.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Samples are interpolated by cubic splines and, as PyRadiomics does, take the type of this array: those of whole
        numbers are rounded. Beyond the image they are 0.
    inside : ndarray of bool, shape (z, y, x)
        Voxels to look at, n in all.
    levels : tuple of int
        Order of the harmonics plus 1, or :data:`KURTOSIS`.
    radius : float
        Radius of the sphere in voxels.
    subdivision : int
        See :func:`icosphere`.
    harmonics : {"pyradiomics", "orthonormal"}
    tie : float
        A sample is as bright as its centre when it is darker by no more than this.

    Returns
    -------
    dict of int to ndarray, shape (n,)
    """
    corners = icosphere(subdivision, radius)
    places = np.argwhere(inside)
    out = {level: np.empty(len(places)) for level in levels}
    step = max(1, _SAMPLES_AT_A_TIME // len(corners))
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        at = places[part, None, :] + corners
        samples = map_coordinates(array, np.moveaxis(at, 2, 0), order=3)
        centre = array[tuple(places[part].T)][:, None]
        for level, values in _maps(samples, centre, levels, tie, subdivision, harmonics).items():
            out[level][part] = values
    return out


def _maps(
    samples: Numbers, centre: Numbers, levels: tuple[int, ...], tie: float, subdivision: int, harmonics: Harmonics
) -> dict[int, Array]:
    signs = (samples >= (centre - tie if tie else centre)).astype(np.float64)
    return {
        level: _kurtosis(samples, tie)
        if level == KURTOSIS
        else _norms(signs, _harmonics(subdivision, level - 1, harmonics))
        for level in levels
    }


def _kurtosis(samples: Numbers, tie: float) -> Array:
    """Return the excess kurtosis of each row, in the precision of the samples; NaN of rows equal within `tie`."""
    deviation = samples - samples.mean(axis=1, keepdims=True)
    squares = deviation**2
    second, fourth = squares.mean(axis=1), (squares**2).mean(axis=1)
    nothing = (np.finfo(second.dtype).resolution * samples.mean(axis=1)) ** 2
    with np.errstate(all="ignore"):
        return np.where((second <= nothing) | (second < tie**2), np.nan, fourth / second**2 - 3).astype(np.float64)


@lru_cache(maxsize=8)
def icosphere(subdivision: int, radius: float) -> Array:
    """Return the corners of an icosahedron whose triangles are cut into four again and again, moved onto a sphere.

    Parameters
    ----------
    subdivision : int
        How often: 12, 42, 162, 642 corners.
    radius : float

    Returns
    -------
    ndarray, shape (n, 3)
    """
    golden = (1 + math.sqrt(5)) / 2
    signs = ((-1.0, 1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))
    corners = np.array([np.roll((a, b * golden, 0.0), turn) for turn in range(3) for a, b in signs])
    corners /= math.sqrt(2 + golden)
    far = np.linalg.norm(corners[:, None] - corners, axis=2)
    near = far < 1.1  # edges of a unit icosahedron are 1.05 long, all other distances 1.7 or more
    triangles = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]
    for _ in range(subdivision):
        corners, triangles = _subdivided(corners, triangles)
        # Added, not scaled: to the last digit the corners that PyRadiomics has, so that rounded samples agree.
        length = np.sqrt(corners**2 @ [1.0, 1.0, 1.0])[:, None]
        corners = corners + corners / length * (radius - length)
    return corners if subdivision else corners * radius


Triangle = tuple[int, int, int]


def _subdivided(corners: Array, triangles: list[Triangle]) -> tuple[Array, list[Triangle]]:
    """Cut every triangle into four; the middles of the edges follow the corners, by later and then earlier end."""
    edges = {edge for a, b, c in triangles for edge in (_edge(a, b), _edge(b, c), _edge(c, a))}
    number_of = {edge: len(corners) + k for k, edge in enumerate(sorted(edges))}
    middles = np.array([(corners[early] + corners[late]) / 2 for late, early in number_of])
    made: list[Triangle] = []
    for a, b, c in triangles:
        ab, bc, ca = number_of[_edge(a, b)], number_of[_edge(b, c)], number_of[_edge(c, a)]
        made += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([corners, middles]), made


def _edge(a: int, b: int) -> tuple[int, int]:
    return max(a, b), min(a, b)


@lru_cache(maxsize=32)
def _harmonics(subdivision: int, order: int, harmonics: Harmonics) -> tuple[Complex, Complex]:
    """Return what signs are multiplied with to find coefficients, and what these are multiplied with; (corners, m)."""
    x, y, z = icosphere(subdivision, 1.0).T
    polar, azimuth = np.arccos(np.clip(z, -1, 1)), np.arctan2(y, x)
    if harmonics == "orthonormal":
        proper = _spherical(order, polar, azimuth)
        return proper.conj(), proper
    # PyRadiomics hands the polar angle over as azimuth and the azimuth as polar angle, and conjugates neither factor.
    exchanged = _spherical(order, azimuth, polar)
    return exchanged, exchanged


def _spherical(order: int, polar: Array, azimuth: Array) -> Complex:
    columns = []
    for m in range(-order, order + 1):
        upward = lpmv(abs(m), order, np.cos(polar)) * np.sqrt((2 * order + 1) / 4 / np.pi)
        upward = upward * np.sqrt(poch(order + abs(m) + 1, -2 * abs(m))) * np.exp(1j * abs(m) * azimuth)
        columns.append(upward if m >= 0 else (-1) ** m * upward.conj())
    return np.column_stack(columns)


def _norms(signs: Array, harmonics: tuple[Complex, Complex]) -> Array:
    """Return the length of the part of each row of signs, shape (n, corners), that is made of these harmonics.

    Sums are taken corner after corner, as PyRadiomics takes them: which of two equal patterns is at the edge of a bin
    depends on their last digit.
    """
    analysis, synthesis = harmonics
    coefficients = np.zeros((len(signs), analysis.shape[1]), dtype=np.complex128)
    for sign, weight in zip(signs.T, analysis, strict=True):
        coefficients += sign[:, None] * weight
    squares = np.zeros(len(signs), dtype=np.complex128)
    for weight in synthesis:
        squares += (coefficients * weight).sum(axis=1) ** 2
    return np.asarray(np.real(np.sqrt(squares)))
