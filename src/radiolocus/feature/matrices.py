"""What matrices of grey level against another whole number share: run lengths, zone sizes, distances, dependence.

Matrices are kept as lists of their non-empty cells, so that neither many slices nor many grey levels cost memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import AGGREGATIONS, Context
from radiolocus.model import Array

__all__ = ["BY_DIMENSION", "LevelMatrices", "added", "averaged", "by_plane", "groups", "slice_voxels", "tally"]

Whole = npt.NDArray[np.int64]
Counts = npt.NDArray[np.integer]

#: Aggregations of matrices without directions: averaged or merged is one and the same.
BY_DIMENSION: Mapping[str, tuple[str, str]] = {
    name: {"2d": ("_2d", "2D"), "2_5d": ("_2_5d", "2.5D"), "3d": ("_3d", "3D")}[name.rsplit("_", 1)[0]]
    for name in AGGREGATIONS
}

# Counting into an array pays as long as it is not much longer than what is counted.
_SLOTS_PER_ITEM = 4
_SLOTS = 2**16


def averaged(values: Array) -> float:
    """Average a feature over its matrices."""
    return float(np.mean(values))


def added(index: Counts, values: npt.NDArray[np.generic], size: int = 0) -> Array:
    """Add up `values` by `index`, one after the other in their order."""
    return np.asarray(np.bincount(index, weights=values, minlength=size), dtype=np.float64)


def groups(keys: Whole, weights: npt.NDArray[np.generic] | None = None) -> tuple[Whole, Array]:
    """Return the different keys, ascending, and for each the number of times it comes or the sum of its weights."""
    if keys.size and int(keys.max()) < _SLOTS_PER_ITEM * keys.size + _SLOTS:
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        sums = counts if weights is None else added(keys, weights)
        return found, sums[found].astype(np.float64)
    if weights is None:
        found, counts = np.unique(keys, return_counts=True)
        return found, counts.astype(np.float64)
    found, where = np.unique(keys, return_inverse=True)
    return found, added(where, weights)


@dataclass(frozen=True, eq=False)
class LevelMatrices:
    """A set of m matrices with k non-empty cells in all, ordered by matrix, grey level and the other number.

    Parameters
    ----------
    matrix : ndarray of int64, shape (k,)
        Number of the matrix of each cell, 0..m - 1, each at least once.
    level, other : ndarray of int64, shape (k,)
        Grey level i of each cell, and its other number j, both from 1.
    count : ndarray, shape (k,)
        Whole numbers, but in PyRadiomics' matrices of weighted directions.
    voxels : ndarray, shape (m,)
        Voxels that each matrix describes; a voxel counts once for each matrix that was merged into it.
    """

    matrix: Whole
    level: Whole
    other: Whole
    count: Array
    voxels: Array

    def sum(self, values: Array) -> Array:
        """Add up one value a cell by matrix, shape (m,)."""
        return added(self.matrix, values, self.voxels.size)

    @cached_property
    def total(self) -> Array:
        """Sum of each matrix, shape (m,)."""
        return self.sum(self.count)

    @cached_property
    def p(self) -> Array:
        """Probability of each cell within its matrix, shape (k,)."""
        return self.count / self.total[self.matrix]

    @cached_property
    def i2(self) -> Array:
        """Squared grey level of each cell."""
        return self.level.astype(np.float64) ** 2

    @cached_property
    def j2(self) -> Array:
        """Squared other number of each cell."""
        return self.other.astype(np.float64) ** 2

    @cached_property
    def by_level(self) -> Array:
        """Σ_i (Σ_j s_ij)², shape (m,)."""
        return self._squares(self.level)

    @cached_property
    def by_other(self) -> Array:
        """Σ_j (Σ_i s_ij)², shape (m,)."""
        return self._squares(self.other)

    def _squares(self, at: Whole) -> Array:
        width = int(at.max()) + 1
        keys, sums = groups(self.matrix * width + at, self.count)
        return added(keys // width, sums**2, self.voxels.size)

    @property
    def level_variance(self) -> Array:
        """Variance of the grey level, shape (m,)."""
        return self._variance(self.level)

    @property
    def other_variance(self) -> Array:
        """Variance of the other number, shape (m,)."""
        return self._variance(self.other)

    def _variance(self, values: Whole) -> Array:
        mean = self.sum(values * self.count) / self.total
        return self.sum((values - mean[self.matrix]) ** 2 * self.p)

    @property
    def entropy(self) -> Array:
        """Entropy of the cells in bits, shape (m,); exactly 0 for a single cell."""
        return self.sum(self.p * -np.log2(self.p))

    @property
    def energy(self) -> Array:
        """Σ p_ij², shape (m,)."""
        return self.sum(self.p**2)


def tally(
    matrix: Counts, level: Counts, other: Counts, voxels: Array, count: Counts | Array | None = None
) -> LevelMatrices:
    """Count items into matrices.

    Parameters
    ----------
    matrix, level, other : ndarray of integers, shape (n,), n ≥ 1
        Matrix of each item, its grey level and its other number, both from 1.
    voxels : ndarray, shape (number of matrices,)
        Voxels that each matrix describes. Matrices without items are left out.
    count : ndarray, shape (n,), optional
        How often each item comes; once when left out.
    """
    n_levels, n_others = int(level.max()) + 1, int(other.max()) + 1
    keys = (matrix.astype(np.int64) * n_levels + level) * n_others + other
    found, sums = groups(keys, count)
    rest, j = np.divmod(found, n_others)
    number, i = np.divmod(rest, n_levels)
    there, packed = np.unique(number, return_inverse=True)
    return LevelMatrices(packed.astype(np.int64), i, j, sums, np.asarray(voxels, dtype=np.float64)[there])


def slice_voxels(context: Context) -> Array:
    """Return the number of voxels of the intensity mask in each slice of the box around it."""
    made: Array = context.once(
        "slice voxels", lambda: np.count_nonzero(context.levels[1:-1], axis=(1, 2)).astype(np.float64)
    )
    return made


def by_plane(
    context: Context, aggregation: str, plane: Counts, level: Counts, other: Counts, count: Counts | None = None
) -> LevelMatrices:
    """Count items of one region by their slice (2D), or all together (2.5D and 3D).

    Parameters
    ----------
    context : Context
    aggregation : str
    plane, level, other : ndarray of integers, shape (n,)
        Slice of each item in the box around the intensity mask, its grey level and its other number.
    count : ndarray of integers, shape (n,), optional
        How often each item comes; once when left out.
    """
    voxels = slice_voxels(context)
    if aggregation.startswith("2d"):
        return tally(plane, level, other, voxels, count)
    return tally(np.zeros_like(plane), level, other, np.array([voxels.sum()]), count)
