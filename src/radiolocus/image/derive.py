"""Regions made from drawn ones: peritumoural ring, core, union, intersection, difference and intensity habitats.

Everything happens on the voxels of the image, before any resampling. Distances run between voxel centres in mm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from radiolocus.compute import one_thread
from radiolocus.errors import ConfigError, GeometryError, InputError, RoiError
from radiolocus.image.region import bounding_box
from radiolocus.model import Array, BoolArray, Geometry, Mask, Volume

__all__ = ["DerivedRegion", "core", "derive", "habitats", "ring"]

Kind = Literal["ring", "core", "union", "intersection", "difference", "habitats"]
Clustering = Literal["otsu", "kmeans"]

_SETS = ("union", "intersection", "difference")
_BY_DISTANCE = ("ring", "core")
_OTSU_BINS = 256
_MOST_HABITATS = {"otsu": 5, "kmeans": 20}  # Otsu's search goes through all combinations of thresholds
_ROUNDING = 1e-6  # mm; 3 steps of 0.1 mm are within 0.3 mm


@dataclass(frozen=True)
class DerivedRegion:
    """A region that is made from drawn ones.

    Parameters
    ----------
    name : str
        Name in tables; habitats are called ``name_1``, ``name_2``, ... from the lowest mean intensity to the highest.
    kind : str
        ``ring`` (outside, up to a distance), ``core`` (inside, deeper than a distance), ``union``, ``intersection``,
        ``difference`` (the first without the others) or ``habitats`` (split by intensity).
    of : tuple of str
        The drawn regions, named as in ``roi``; ring, core and habitats take several together as one. Default: the ROI
        of the image.
    distance_mm : float or None
        Ring and core: distance from the region's voxels, or from the voxels around it, between voxel centres.
    method : {"otsu", "kmeans"}
        Habitats: how intensities are split.
    classes : int
        Habitats: how many.
    seed : int
        Habitats: start of the random numbers of k-means.
    """

    name: str
    kind: Kind
    of: tuple[str, ...] = ()
    distance_mm: float | None = None
    method: Clustering = "otsu"
    classes: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.name or any(c in self.name for c in ":@/\\ "):
            raise ConfigError(f"name = '{self.name}'", allowed="letters, digits, '_', '-', '.'")
        if self.kind not in _RULES:
            raise ConfigError(f"kind = '{self.kind}'", allowed=", ".join(_RULES))
        self._check_sources()
        self._check_distance()
        self._check_habitats()

    def _check_sources(self) -> None:
        if len(set(self.of)) < len(self.of) or not all(self.of):
            raise ConfigError(f"of = {list(self.of)}", allowed="every region once")
        if self.kind in _SETS and len(self.of) < 2:
            raise ConfigError(
                f"of = {list(self.of)} for kind = '{self.kind}'",
                allowed="two regions or more",
                todo='name them, e.g. of = ["GTV", "oedema"]',
            )

    def _check_distance(self) -> None:
        distance = self.distance_mm
        if self.kind in _BY_DISTANCE and (distance is None or not math.isfinite(distance) or distance <= 0):
            raise ConfigError(f"distance_mm = {distance} for kind = '{self.kind}'", allowed="more than 0 mm")
        if self.kind not in _BY_DISTANCE and distance is not None:
            raise ConfigError(f"distance_mm = {distance:g} for kind = '{self.kind}'", allowed="ring or core only")

    def _check_habitats(self) -> None:
        if self.method not in _MOST_HABITATS:
            raise ConfigError(f"method = '{self.method}'", allowed=", ".join(_MOST_HABITATS))
        if not 2 <= self.classes <= _MOST_HABITATS[self.method]:
            raise ConfigError(
                f"classes = {self.classes} for method = '{self.method}'", allowed=f"2 to {_MOST_HABITATS[self.method]}"
            )
        if self.seed < 0:
            raise ConfigError(f"seed = {self.seed}", allowed="0 or more")

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the regions that come out, one row of features each."""
        if self.kind != "habitats":
            return (self.name,)
        return tuple(f"{self.name}_{i + 1}" for i in range(self.classes))


def derive(volume: Volume, masks: Sequence[Mask], options: DerivedRegion, part: str) -> Mask:
    """Make one region from drawn ones.

    Parameters
    ----------
    volume : Volume
    masks : sequence of Mask
        The regions of ``options.of`` in their order, or the ROI of the image; on the grid of `volume`.
    options : DerivedRegion
    part : str
        One of ``options.parts``.

    Returns
    -------
    Mask
        Called `part`, not empty.

    Raises
    ------
    RoiError
        A drawn region is empty, or the derived one is.
    InputError
        Habitats of a region with NaN or infinite voxels.
    GeometryError
        The masks lie on other grids than the image.
    """
    for mask in masks:
        if gap := mask.geometry.difference(volume.geometry):
            raise GeometryError(f"region '{mask.name}' lies on another grid: {gap}", allowed="the grid of the image")
    array, notes = _RULES[options.kind](volume, masks, options, part)
    if not array.any():
        raise RoiError(
            f"the derived region '{part}' ({options.kind}) is empty",
            allowed="one voxel or more",
            todo="choose another distance or other regions, or accept that this subject has none",
        )
    told = (f"{part}: {note}" for note in notes)
    return Mask(array, volume.geometry, part, (*(note for mask in masks for note in mask.notes), *told))


def ring(mask: BoolArray, spacing: Array, distance_mm: float) -> BoolArray:
    """Voxels outside a region whose centres lie within a distance of a voxel centre of the region.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        At least one voxel.
    spacing : ndarray, shape (3,)
        Voxel size in mm along (z, y, x), which are at right angles.
    distance_mm : float

    Returns
    -------
    ndarray of bool, shape (z, y, x)
    """
    steps = np.ceil(distance_mm / spacing).astype(int)
    grown = tuple(
        slice(max(p.start - int(s), 0), p.stop + int(s)) for p, s in zip(bounding_box(mask), steps, strict=True)
    )
    inside = mask[grown]
    out = np.zeros(mask.shape, np.bool_)
    out[grown] = ~inside & (distance_transform_edt(~inside, sampling=spacing) <= distance_mm + _ROUNDING)
    return out


def core(mask: BoolArray, spacing: Array, distance_mm: float) -> BoolArray:
    """Voxels of a region whose centres lie farther than a distance from every voxel centre outside it.

    What lies beyond the border of the image counts as outside. Parameters and result as in :func:`ring`.
    """
    box = bounding_box(mask)
    depth = distance_transform_edt(np.pad(mask[box], 1), sampling=spacing)
    out = np.zeros(mask.shape, np.bool_)
    out[box] = depth[1:-1, 1:-1, 1:-1] > distance_mm + _ROUNDING
    return out


def habitats(values: Array, classes: int, method: Clustering = "otsu", seed: int = 1) -> npt.NDArray[np.intp]:
    """Split intensities into classes, numbered from 0 by rising intensity.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    classes : int
    method : {"otsu", "kmeans"}
        Thresholds of the largest between-class variance over 256 bins between the extremes (Otsu 1979; several: Liao
        et al. 2001), or k-means: the best of ten starts by k-means++, which
        need not be the best there is.
    seed : int
        For k-means.

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    RoiError
        Fewer distinct intensities than classes; for Otsu: fewer filled bins.
    """
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if distinct.size < classes:
        raise _too_few(distinct.size, "distinct intensities", classes)
    if method == "kmeans":
        return _kmeans(distinct, counts, classes, seed)[inverse]
    counts, edges = np.histogram(values, _OTSU_BINS)
    filled = int(np.count_nonzero(counts))
    if filled < classes:
        raise _too_few(filled, f"filled bins of {_OTSU_BINS}", classes)
    return np.digitize(values, edges[_otsu(counts, classes)])


def _otsu(counts: npt.NDArray[np.intp], classes: int) -> npt.NDArray[np.intp]:
    """First bin of every class but the lowest, where the between-class variance is largest; exact, class by class."""
    index = np.arange(counts.size) - np.average(np.arange(counts.size), weights=counts)
    weight = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * index)])
    size = weight[None, :] - weight[:, None]
    between = (moment[None, :] - moment[:, None]) ** 2
    # gain[a, b]: what a class of the bins a, ..., b − 1 adds; there is none without voxels.
    gain = np.divide(between, size, out=np.full(between.shape, -np.inf), where=size > 0)
    best, begins = gain[0], []
    for _ in range(1, classes):
        total = best[:, None] + gain
        begins.append(total.argmax(axis=0))
        best = total.max(axis=0)
    cuts = [counts.size]
    for begin in reversed(begins):
        cuts.append(int(begin[cuts[-1]]))
    return np.array(cuts[:0:-1], dtype=np.intp)


def _kmeans(distinct: Array, counts: npt.NDArray[np.intp], classes: int, seed: int) -> npt.NDArray[np.intp]:
    from sklearn.cluster import KMeans  # takes a second to load, which only who asks for it should wait

    # Distinct values with weights: the order of the voxels cannot matter, and there are fewer of them.
    with one_thread():
        kmeans = KMeans(classes, n_init=10, tol=0.0, max_iter=1000, random_state=seed)
        fitted = kmeans.fit(distinct[:, None], sample_weight=counts)
    rank = np.argsort(np.argsort(fitted.cluster_centers_[:, 0], kind="stable"), kind="stable")
    return np.asarray(rank[fitted.labels_])


def _too_few(found: int, of_what: str, classes: int) -> RoiError:
    return RoiError(
        f"{found} {of_what} for {classes} habitats",
        allowed=f"at least {classes}",
        todo="ask for fewer habitats; a region of one intensity has none",
    )


_Made = tuple[BoolArray, list[str]]


def _together(masks: Sequence[Mask]) -> BoolArray:
    return np.asarray(np.logical_or.reduce([mask.array for mask in masks]))


def _ring(volume: Volume, masks: Sequence[Mask], options: DerivedRegion, part: str) -> _Made:
    inside, distance = _together(masks), _distance(options)
    return ring(inside, volume.geometry.spacing, distance), _ring_notes(inside, volume.geometry, distance)


def _core(volume: Volume, masks: Sequence[Mask], options: DerivedRegion, part: str) -> _Made:
    inside, distance = _together(masks), _distance(options)
    return core(inside, volume.geometry.spacing, distance), _core_notes(inside, volume.geometry, distance)


def _distance(options: DerivedRegion) -> float:
    return float(options.distance_mm or 0.0)


def _ring_notes(inside: BoolArray, geometry: Geometry, distance: float) -> list[str]:
    sides = zip(bounding_box(inside), geometry.shape, geometry.spacing, strict=True)
    # The nearest voxels that the image lacks lie one step beyond its border.
    room = min(min(p.start + 1, n - p.stop + 1) * size for p, n, size in sides)
    cut = ["the ring reaches beyond the image and was cut at its border"] if room <= distance + _ROUNDING else []
    return [*cut, *_flat_notes(geometry, distance)]


def _core_notes(inside: BoolArray, geometry: Geometry, distance: float) -> list[str]:
    touches = any(p.start == 0 or p.stop == n for p, n in zip(bounding_box(inside), geometry.shape, strict=True))
    note = "the region touches the border of the image, beyond which everything counts as outside"
    return [*([note] if touches else []), *_flat_notes(geometry, distance)]


def _flat_notes(geometry: Geometry, distance: float) -> list[str]:
    sizes = zip("zyx", geometry.spacing, strict=True)
    flat = ", ".join(f"{axis} ({size:.4g} mm)" for axis, size in sizes if size > distance + _ROUNDING)
    return [f"the distance of {distance:g} mm is less than a voxel along {flat}"] if flat else []


def _set(volume: Volume, masks: Sequence[Mask], options: DerivedRegion, part: str) -> _Made:
    arrays = [mask.array for mask in masks]
    if options.kind == "union":
        return _together(masks), []
    if options.kind == "intersection":
        return np.asarray(np.logical_and.reduce(arrays)), []
    return arrays[0] & ~_together(masks[1:]), []


def _habitat(volume: Volume, masks: Sequence[Mask], options: DerivedRegion, part: str) -> _Made:
    inside = _together(masks)
    values = volume.array[inside].astype(np.float64)
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise InputError(
            f"{bad} NaN or infinite voxels in the region that is split into habitats",
            allowed="finite intensities inside the region",
            todo="repair the image, or exclude these voxels from the mask",
        )
    labels = habitats(values, options.classes, options.method, options.seed)
    chosen = labels == options.parts.index(part)
    out = np.zeros(inside.shape, np.bool_)
    out[inside] = chosen
    if not chosen.any():
        return out, []
    low, high = float(values[chosen].min()), float(values[chosen].max())
    return out, [f"intensities from {low:.6g} to {high:.6g} {volume.unit}".rstrip()]


_RULES: dict[str, Callable[[Volume, Sequence[Mask], DerivedRegion, str], _Made]] = {
    "ring": _ring,
    "core": _core,
    **dict.fromkeys(_SETS, _set),
    "habitats": _habitat,
}
