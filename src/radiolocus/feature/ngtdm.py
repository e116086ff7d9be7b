"""Neighbourhood grey tone difference matrix (IBSI family IPET): 2D, 2.5D and 3D, Chebyshev distance 1.

For each grey level i: n_i voxels that have a neighbour within the intensity mask, their share p_i = n_i / N, and s_i,
the sum of the absolute differences between i and the mean of the neighbours. Where a formula divides by zero, the value
is the one that the manual lays down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.feature.matrices import BY_DIMENSION, added, averaged, groups
from radiolocus.feature.neighbours import neighbourhoods
from radiolocus.kernels.neighbourhood import tone_complexity
from radiolocus.model import Array

__all__ = ["FAMILY", "LARGEST_COARSENESS", "Tones"]

Whole = npt.NDArray[np.int64]

#: Coarseness of a region whose voxels all equal the mean of their neighbours (manual, feature QCDE).
LARGEST_COARSENESS = 1e6


@dataclass(frozen=True, eq=False)
class Tones:
    """Rows of m matrices, one a grey level that comes in it, k in all, ordered by matrix and grey level.

    Parameters
    ----------
    matrix : ndarray of int64, shape (k,)
        Number of the matrix, 0..m - 1.
    level : ndarray of int64, shape (k,)
        Grey level i.
    count : ndarray, shape (k,)
        n_i, at least 1.
    s : ndarray, shape (k,)
        s_i.
    """

    matrix: Whole
    level: Whole
    count: Array
    s: Array

    @cached_property
    def m(self) -> int:
        """Number of matrices."""
        return int(self.matrix[-1]) + 1

    def sum(self, values: Array) -> Array:
        """Add up one value a row by matrix, shape (m,)."""
        return added(self.matrix, values, self.m)

    @cached_property
    def total(self) -> Array:
        """Voxels with a neighbour, shape (m,)."""
        return self.sum(self.count)

    @cached_property
    def p(self) -> Array:
        """p_i, shape (k,)."""
        return self.count / self.total[self.matrix]

    @cached_property
    def levels(self) -> Array:
        """Number of grey levels that come, shape (m,)."""
        return self.sum(np.ones(self.s.size))

    @cached_property
    def weighted(self) -> Array:
        """Σ p_i s_i, shape (m,)."""
        return self.sum(self.p * self.s)

    @cached_property
    def spread(self) -> Array:
        """ΣΣ |i p_i - j p_j|, shape (m,); exactly 0 when all i p_i are equal."""
        # i n_i are whole numbers: sorted, each counts as often as it is the larger less as often as the smaller.
        terms = self.level * self.count.astype(np.int64)
        order = np.lexsort((terms, self.matrix))
        starts = np.flatnonzero(np.diff(self.matrix, prepend=-1))
        rank = np.arange(order.size) - starts[self.matrix]
        twice = 2 * (2 * rank + 1 - self.levels[self.matrix].astype(np.int64)) * terms[order]
        return np.add.reduceat(twice, starts) / self.total


def _prepare(context: Context, aggregation: str) -> Tones:
    tone = neighbourhoods(context, within_slices=not aggregation.startswith("3d")).tone
    if tone.count.size == 0:
        raise UndefinedError(
            f"no voxel of the intensity mask ({context.values.size} voxels) has a neighbour"
            + ("" if aggregation.startswith("3d") else " within its slice"),
            allowed="at least two neighbouring voxels",
        )
    plane = tone.plane if aggregation.startswith("2d") else 0
    width = int(tone.level.max()) + 1
    keys = plane * width + tone.level
    found, count = groups(keys, tone.count)
    _, s = groups(keys, tone.difference)
    number, i = np.divmod(found, width)
    return Tones(np.unique(number, return_inverse=True)[1].astype(np.int64), i, count, s)


FAMILY = Family(
    "ngtdm", "Neighbourhood grey tone difference matrix", _prepare, aggregations=BY_DIMENSION, reduce=averaged
)
feature = FAMILY.feature


@feature("ngt_coarseness", "Coarseness", "QCDE")
def coarseness(t: Tones) -> Array:
    """1 / Σ p_i s_i; 10⁶ when all voxels equal the mean of their neighbours."""
    return np.asarray(np.divide(1, t.weighted, out=np.full(t.m, LARGEST_COARSENESS), where=t.weighted > 0))


@feature("ngt_contrast", "Contrast", "65HE")
def contrast(t: Tones) -> Array:
    """ΣΣ p_i p_j (i - j)² / (N_g (N_g - 1)) times Σ s_i / N, N_g the grey levels that come; 0 when N_g is 1."""
    from_mean = t.level - t.sum(t.level * t.p)[t.matrix]
    # Over all ordered pairs the mean squared difference is twice the variance.
    squares = 2 * t.sum(from_mean**2 * t.p)
    return np.asarray(squares / np.maximum(t.levels * (t.levels - 1), 1) * t.sum(t.s) / t.total)


@feature("ngt_busyness", "Busyness", "NQ30")
def busyness(t: Tones) -> Array:
    """Σ p_i s_i / ΣΣ |i p_i - j p_j|; 0 when a single grey level comes, not defined when all i p_i are equal."""
    known = (t.levels == 1) | (t.spread > 0)
    if not known.any():
        raise UndefinedError(
            "the products of grey level and probability are all equal: their differences are 0",
            allowed="at least two different products",
        )
    return np.asarray(np.divide(t.weighted, t.spread, out=np.zeros(t.m), where=t.spread > 0)[known])


@feature("ngt_complexity", "Complexity", "HDEZ")
def complexity(t: Tones) -> Array:
    """ΣΣ |i - j| (p_i s_i + p_j s_j) / (p_i + p_j) / N."""
    return tone_complexity(t.matrix, t.level.astype(np.float64), t.p, t.p * t.s, t.m) / t.total


@feature("ngt_strength", "Strength", "1X9X")
def strength(t: Tones) -> Array:
    """ΣΣ (p_i + p_j) (i - j)² / Σ s_i; 0 when all voxels equal the mean of their neighbours."""
    middle = t.sum(t.level.astype(np.float64)) / t.levels
    squares = (t.level - middle[t.matrix]) ** 2
    # Σ_j (i - j)² about the mean of the levels that come; each pair comes twice, once with p_i and once with p_j.
    pairs = 2 * t.sum(t.p * (t.levels[t.matrix] * squares + t.sum(squares)[t.matrix]))
    total = t.sum(t.s)
    return np.divide(pairs, total, out=np.zeros(t.m), where=total > 0)
