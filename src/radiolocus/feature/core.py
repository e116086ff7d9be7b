"""What a feature is, and what a family of features is.

A family prepares what its features share, once for every aggregation; a feature is a function of that.
A feature that has no value for a region raises :class:`~radiolocus.errors.UndefinedError` and empties only itself.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from radiolocus.feature.crew import one_by_one
from radiolocus.image.discretise import Scale, volume_scale
from radiolocus.image.region import Region, bounding_box
from radiolocus.kernels.intensity import place_levels, whole_counts
from radiolocus.kernels.texture import level_counts
from radiolocus.model import Array

__all__ = ["AGGREGATIONS", "Context", "Family", "Feature", "Levels", "smallest"]

T = TypeVar("T")

#: Grey levels, in the smallest type that the kernels know.
Levels = npt.NDArray[np.unsignedinteger | np.int32]

# Whole intensities are counted when their range is not larger: that of 16-bit images.
_COUNTED_RANGE = 2**16

#: What may be asked for, and how IBSI calls it. A family that knows only 2-D, 2.5-D and 3-D maps both forms to one.
AGGREGATIONS: Mapping[str, str] = {
    "2d_avg": "2D, averaged",
    "2d_comb": "2D, slice-merged",
    "2_5d_avg": "2.5D, direction-merged",
    "2_5d_comb": "2.5D, merged",
    "3d_avg": "3D, averaged",
    "3d_comb": "3D, merged",
}


@dataclass(frozen=True, eq=False)
class Context:
    """One region on its way through the families.

    Parameters
    ----------
    region : Region
    discretise : callable
        From intensities of the region, shape (n,), to grey levels 1, 2, ...; the level of an intensity depends on it
        and on the smallest and the largest only.
    scale : callable
        From intensities of the region, shape (n,), to the even scale of the intensity-volume histogram.
    share : callable
        Calls a function of each item and returns the results in their order: how threads share the work.
    """

    region: Region
    discretise: Callable[[Array], npt.NDArray[np.int32]]
    scale: Callable[[Array], Scale] = volume_scale
    share: Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]] = one_by_one
    _shared: dict[str, Any] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` makes, made once a region: for what several aggregations or families share."""
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._shared:
                self._shared[key] = make()
        made: T = self._shared[key]
        return made

    @cached_property
    def values(self) -> Array:
        """Intensities inside the intensity mask, shape (n,)."""
        return self.once("values", lambda: self.region.image[self.region.intensity])

    @cached_property
    def counted(self) -> tuple[Array, npt.NDArray[np.int64]] | None:
        """Different intensities, ascending, and how often each comes; None where they are not whole or range far."""
        return self.once("counted", self._counted)

    def _counted(self) -> tuple[Array, npt.NDArray[np.int64]] | None:
        lowest, counts = whole_counts(self.values, _COUNTED_RANGE)
        if counts.size == 0:
            return None
        there = np.flatnonzero(counts)
        return (lowest + there).astype(np.float64), counts[there]

    @cached_property
    def levels(self) -> Levels:
        """Grey levels on the box around the intensity mask with one voxel of 0 on every side; 0 is outside."""
        return self.once("levels", self._levels)

    def _levels(self) -> Levels:
        inside = self.region.intensity[bounding_box(self.region.intensity)]
        if self.counted is not None:
            different = self.counted[0]
            lowest = int(different[0])
            table = np.zeros(int(different[-1]) - lowest + 1, dtype=np.int32)
            table[different.astype(np.int64) - lowest] = self.discretise(different)
            return np.asarray(place_levels(self.values, inside, lowest, smallest(table)))
        found = smallest(self.discretise(self.values))
        padded = np.zeros([n + 2 for n in inside.shape], dtype=found.dtype)
        padded[1:-1, 1:-1, 1:-1][inside] = found
        return padded

    @cached_property
    def level_counts(self) -> npt.NDArray[np.int64]:
        """Voxels of the grey levels 1..N, N the largest that comes, shape (N,)."""
        return np.asarray(level_counts(self.levels, int(self.levels.max())))


def smallest(levels: npt.NDArray[np.int32]) -> Levels:
    """Return grey levels in the smallest type that kernels are compiled for and that holds them."""
    return levels.astype(np.uint8) if levels.max() <= np.iinfo(np.uint8).max else levels


@dataclass(frozen=True, eq=False)
class Feature:
    """A feature and its identity.

    Parameters
    ----------
    tag : str
        Column name without aggregation.
    name : str
        Name in the IBSI reference manual.
    ibsi_id : str
        Permanent IBSI identifier.
    unit : str
        Unit; ``intensity`` stands for the unit of the image, ``1`` for a number without unit.
    definition : str
        Definition in one paragraph.
    source : str
        Where its numbers are checked: ``"IBSI 1"`` (a consensus value stands in the reference table), else a citation.
    compute : callable
        From what the family prepared to the value, or to one value a matrix.
    """

    tag: str
    name: str
    ibsi_id: str
    unit: str
    definition: str
    source: str
    compute: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Family:
    """Features that share a preparation.

    Parameters
    ----------
    name : str
        Name in the study file.
    title : str
        Name in the IBSI reference manual.
    prepare : callable
        From a context and an aggregation to what the features take.
    aggregations : mapping
        From the names of :data:`AGGREGATIONS` to (suffix of the column, name in IBSI). Empty: no aggregation.
    reduce : callable
        From what a feature computed to one number.
    margin_mm : float
        Image that the family needs around the region.
    """

    name: str
    title: str
    prepare: Callable[[Context, str], Any]
    aggregations: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reduce: Callable[[Any], float] = float
    margin_mm: float = 0.0
    features: dict[str, Feature] = field(default_factory=dict)

    def feature(
        self, tag: str, name: str, ibsi_id: str, unit: str = "1", source: str = "IBSI 1"
    ) -> Callable[[Callable[[Any], T]], Callable[[Any], T]]:
        """Register the decorated function as feature `tag`; its docstring is the definition."""

        def register(compute: Callable[[Any], T]) -> Callable[[Any], T]:
            definition = " ".join((inspect.getdoc(compute) or "").split())
            if tag in self.features:
                raise KeyError(f"feature '{tag}' is registered twice")
            self.features[tag] = Feature(tag, name, ibsi_id, unit, definition, source, compute)
            return compute

        return register

    def columns(self, wanted: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """Return aggregation → (column suffix, IBSI name) for the aggregations wanted, each column once."""
        if not self.aggregations:
            return {"": ("", "")}
        known = {a: self.aggregations[a] for a in AGGREGATIONS if a in wanted}
        return {a: c for i, (a, c) in enumerate(known.items()) if c not in list(known.values())[:i]}
