"""Grey level co-occurrence matrix (IBSI family LFYI), symmetric, Chebyshev distance 1, in all six aggregations.

Matrices are kept as lists of their non-empty cells, so that neither many slices nor many grey levels cost memory. A
matrix without pairs (a slice of one voxel, a direction with no neighbour) is left out of an average, and so is a matrix
for which a feature is not defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import AGGREGATIONS, Context, Family, Levels
from radiolocus.kernels.texture import pair_counts
from radiolocus.model import Array

__all__ = ["FAMILY", "OFFSETS_2D", "OFFSETS_3D", "Cells", "Glcm", "count_cells", "merge"]

Whole = npt.NDArray[np.int64]

#: One of each pair of opposite neighbours, as (z, y, x).
OFFSETS_2D: Whole = np.array([(0, 0, 1), (0, 1, -1), (0, 1, 0), (0, 1, 1)], dtype=np.int64)
OFFSETS_3D: Whole = np.array(
    [*OFFSETS_2D.tolist(), *[(1, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]], dtype=np.int64
)

# Dense counting pays as long as the matrices have not many more cells than there are pairs to fill them.
_CELLS_PER_VOXEL = 2


@dataclass(frozen=True, eq=False)
class Cells:
    """Non-empty cells of a set of matrices, ordered by matrix, row and column; symmetric but for PyRadiomics' one-way.

    Parameters
    ----------
    matrix, row, column : ndarray of int64, shape (k,)
        `matrix` is slice * directions + direction; rows and columns are grey levels, from 1.
    count : ndarray, shape (k,)
        Whole numbers, but in PyRadiomics' matrices of weighted directions.
    n_levels : int
        Number of grey levels of the region.
    """

    matrix: Whole
    row: Whole
    column: Whole
    count: Whole | Array
    n_levels: int


def count_cells(levels: Levels, offsets: Whole, by_slice: bool) -> Cells:
    """Count co-occurring grey levels.

    Parameters
    ----------
    levels : ndarray of integers, shape (z, y, x)
        Grey levels 1..n, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
    by_slice : bool
        One matrix a direction and a slice instead of one a direction.

    Returns
    -------
    Cells
        Every pair is counted both ways.
    """
    n = int(levels.max())
    groups = levels.shape[0] - 2 if by_slice else 1
    if groups * n * n <= _CELLS_PER_VOXEL * np.count_nonzero(levels):
        counts = pair_counts(levels, offsets, n, by_slice)
        both = counts + counts.swapaxes(2, 3)
        flat = np.flatnonzero(both)
        return _unpacked(flat, both.ravel()[flat].astype(np.int64), n)
    found, count = np.unique(_pair_keys(levels, offsets, n, by_slice), return_counts=True)
    return _unpacked(found, count.astype(np.int64), n)


def _pair_keys(levels: Levels, offsets: Whole, n: int, by_slice: bool) -> Whole:
    """List every pair both ways as (matrix * n + row) * n + column: for matrices too large to be held dense."""
    start = tuple(slice(1, size - 1) for size in levels.shape)
    here = levels[start].astype(np.int64)
    group = np.arange(here.shape[0])[:, None, None] if by_slice else 0
    keys = []
    for direction, offset in enumerate(offsets.tolist()):
        moved = tuple(slice(part.start + o, part.stop + o) for part, o in zip(start, offset, strict=True))
        there = levels[moved].astype(np.int64)
        pair = (here > 0) & (there > 0)
        matrix = np.broadcast_to(group * len(offsets) + direction, here.shape)[pair]
        row, column = here[pair] - 1, there[pair] - 1
        keys += [(matrix * n + row) * n + column, (matrix * n + column) * n + row]
    return np.concatenate(keys)


def _added(index: npt.NDArray[np.integer], values: npt.NDArray[np.generic], size: int = 0) -> Array:
    """Add up `values` by `index`, one after the other in their order."""
    return np.asarray(np.bincount(index, weights=values, minlength=size), dtype=np.float64)


def _unpacked(keys: Whole, count: Whole, n: int) -> Cells:
    matrix, cell = np.divmod(keys, n * n)
    row, column = np.divmod(cell, n)
    return Cells(matrix, row + 1, column + 1, count, n)


def merge(cells: Cells, into: Whole) -> Cells:
    """Add matrices up: `into`, shape (k,), says for each cell which new matrix it goes to."""
    n = cells.n_levels
    keys = (into * n + cells.row - 1) * n + cells.column - 1
    found, where = np.unique(keys, return_inverse=True)
    # Counts are whole numbers far below 2^53: their sum in floating point is exact.
    return _unpacked(found, _added(where, cells.count).astype(np.int64), n)


@dataclass(frozen=True, eq=False)
class Glcm:
    """Normalised matrices and their marginals; m matrices with k non-empty cells in all.

    Parameters
    ----------
    cells : Cells
        At least one cell.
    """

    cells: Cells

    @cached_property
    def matrix(self) -> Whole:
        """Number of the matrix of each cell, 0..m - 1, shape (k,)."""
        return np.asarray(np.unique(self.cells.matrix, return_inverse=True)[1], dtype=np.int64)

    @cached_property
    def m(self) -> int:
        """Number of matrices."""
        return int(self.matrix[-1]) + 1

    @cached_property
    def p(self) -> Array:
        """Probability of each cell within its matrix, shape (k,)."""
        return self.cells.count / _added(self.matrix, self.cells.count)[self.matrix]

    @cached_property
    def i(self) -> Array:
        """Row (grey level) of each cell."""
        return self.cells.row.astype(np.float64)

    @cached_property
    def j(self) -> Array:
        """Column (grey level) of each cell."""
        return self.cells.column.astype(np.float64)

    def sum(self, values: Array) -> Array:
        """Add up one value a cell by matrix, shape (m,)."""
        return _added(self.matrix, values, self.m)

    @cached_property
    def mean(self) -> Array:
        """Mean grey level of each matrix; rows and columns have the same by symmetry."""
        return self.sum(self.i * self.p)

    @cached_property
    def from_mean(self) -> tuple[Array, Array]:
        """Row and column less the mean of the matrix, for each cell."""
        return self.i - self.mean[self.matrix], self.j - self.mean[self.matrix]

    @cached_property
    def variance(self) -> Array:
        """Variance of the grey level in each matrix."""
        return self.sum(self.from_mean[0] ** 2 * self.p)

    @cached_property
    def rows(self) -> Marginal:
        """Probability of a row."""
        return self._marginal(self.cells.row)

    @cached_property
    def differences(self) -> Marginal:
        """Probability of an absolute difference of grey levels."""
        return self._marginal(np.abs(self.cells.row - self.cells.column))

    @cached_property
    def sums(self) -> Marginal:
        """Probability of a sum of grey levels."""
        return self._marginal(self.cells.row + self.cells.column)

    def _marginal(self, at: Whole) -> Marginal:
        width = 2 * self.cells.n_levels + 1
        keys = self.matrix * width + at
        if self.m * width <= 4 * keys.size:
            p = _added(keys, self.p)
            found = np.flatnonzero(p)
            p = p[found]
        else:
            found, where = np.unique(keys, return_inverse=True)
            p = _added(where, self.p)
        matrix, value = np.divmod(found, width)
        return Marginal(matrix, value.astype(np.float64), p, self.m)

    @cached_property
    def entropy(self) -> Array:
        """Joint entropy of each matrix in bits."""
        return self.sum(-self.p * np.log2(self.p))

    @cached_property
    def flat(self) -> npt.NDArray[np.bool_]:
        """Matrices of one grey level, shape (m,)."""
        return np.asarray(np.bincount(self.rows.matrix, minlength=self.m) == 1)

    def varied(self, values: Array) -> Array:
        """Leave out matrices of one grey level; refuse when there is no other."""
        if self.flat.all():
            raise UndefinedError(
                "every co-occurrence matrix holds a single grey level", allowed="at least two neighbouring grey levels"
            )
        return values[~self.flat]


@dataclass(frozen=True, eq=False)
class Marginal:
    """A distribution for each of m matrices: probability `p` of `value` in `matrix`, shape (e,)."""

    matrix: Whole
    value: Array
    p: Array
    m: int

    def sum(self, values: Array) -> Array:
        """Add up one value an entry by matrix, shape (m,)."""
        return _added(self.matrix, values, self.m)

    @property
    def mean(self) -> Array:
        """Mean value in each matrix."""
        return self.sum(self.value * self.p)

    @property
    def variance(self) -> Array:
        """Variance of the value in each matrix."""
        return self.sum((self.value - self.mean[self.matrix]) ** 2 * self.p)

    @property
    def entropy(self) -> Array:
        """Entropy of each matrix in bits."""
        return self.sum(-self.p * np.log2(self.p))


def _prepare(context: Context, aggregation: str) -> Glcm:
    flat = not aggregation.startswith("3d")
    offsets = OFFSETS_2D if flat else OFFSETS_3D
    cells = context.once(f"glcm/{flat}", lambda: count_cells(context.levels, offsets, by_slice=flat))
    if cells.count.size == 0:
        raise UndefinedError(
            f"no two voxels of the intensity mask ({context.values.size} voxels) are neighbours"
            + (" within a slice" if flat else ""),
            allowed="at least two neighbouring voxels",
        )
    d = len(offsets)
    if aggregation in ("2d_avg", "3d_avg"):
        return Glcm(cells)
    into = {"2d_comb": cells.matrix // d, "2_5d_avg": cells.matrix % d}
    return Glcm(merge(cells, into.get(aggregation, np.zeros_like(cells.matrix))))


FAMILY = Family(
    "glcm",
    "Co-occurrence matrix",
    _prepare,
    aggregations={name: (f"_{name}", title) for name, title in AGGREGATIONS.items()},
    reduce=lambda values: float(np.mean(values)),
)
feature = FAMILY.feature


@feature("cm_joint_max", "Joint maximum", "GYBY")
def joint_maximum(g: Glcm) -> Array:
    """Probability of the most frequent pair of grey levels."""
    starts = np.flatnonzero(np.diff(g.matrix, prepend=-1))
    return np.asarray(np.maximum.reduceat(g.p, starts))


@feature("cm_joint_avg", "Joint average", "60VM")
def joint_average(g: Glcm) -> Array:
    """Mean grey level: Σ i p_ij."""
    return g.mean


@feature("cm_joint_var", "Joint variance", "UR99")
def joint_variance(g: Glcm) -> Array:
    """Variance of the grey level: Σ (i - μ)² p_ij."""
    return g.variance


@feature("cm_joint_entr", "Joint entropy", "TU9B", "bit")
def joint_entropy(g: Glcm) -> Array:
    """Entropy of the pairs: -Σ p_ij log₂ p_ij."""
    return g.entropy


@feature("cm_diff_avg", "Difference average", "TF7R")
def difference_average(g: Glcm) -> Array:
    """Mean absolute difference of grey levels."""
    return g.differences.mean


@feature("cm_diff_var", "Difference variance", "D3YU")
def difference_variance(g: Glcm) -> Array:
    """Variance of the absolute difference of grey levels."""
    return g.differences.variance


@feature("cm_diff_entr", "Difference entropy", "NTRS", "bit")
def difference_entropy(g: Glcm) -> Array:
    """Entropy of the absolute difference of grey levels."""
    return g.differences.entropy


@feature("cm_sum_avg", "Sum average", "ZGXS")
def sum_average(g: Glcm) -> Array:
    """Mean sum of grey levels."""
    return g.sums.mean


@feature("cm_sum_var", "Sum variance", "OEEB")
def sum_variance(g: Glcm) -> Array:
    """Variance of the sum of grey levels."""
    return g.sums.variance


@feature("cm_sum_entr", "Sum entropy", "P6QZ", "bit")
def sum_entropy(g: Glcm) -> Array:
    """Entropy of the sum of grey levels."""
    return g.sums.entropy


@feature("cm_energy", "Angular second moment", "8ZQL")
def angular_second_moment(g: Glcm) -> Array:
    """Energy: Σ p_ij²."""
    return g.sum(g.p**2)


@feature("cm_contrast", "Contrast", "ACUI")
def contrast(g: Glcm) -> Array:
    """Mean squared difference: Σ (i - j)² p_ij."""
    return g.sum((g.i - g.j) ** 2 * g.p)


@feature("cm_dissimilarity", "Dissimilarity", "8S9J")
def dissimilarity(g: Glcm) -> Array:
    """Mean absolute difference: Σ |i - j| p_ij."""
    return g.sum(np.abs(g.i - g.j) * g.p)


@feature("cm_inv_diff", "Inverse difference", "IB1Z")
def inverse_difference(g: Glcm) -> Array:
    """Σ p_ij / (1 + |i - j|)."""
    return g.sum(g.p / (1 + np.abs(g.i - g.j)))


@feature("cm_inv_diff_norm", "Normalised inverse difference", "NDRX")
def inverse_difference_normalised(g: Glcm) -> Array:
    """Σ p_ij / (1 + |i - j| / N), N the largest grey level of the region."""
    return g.sum(g.p / (1 + np.abs(g.i - g.j) / g.cells.n_levels))


@feature("cm_inv_diff_mom", "Inverse difference moment", "WF0Z")
def inverse_difference_moment(g: Glcm) -> Array:
    """Σ p_ij / (1 + (i - j)²)."""
    return g.sum(g.p / (1 + (g.i - g.j) ** 2))


@feature("cm_inv_diff_mom_norm", "Normalised inverse difference moment", "1QCO")
def inverse_difference_moment_normalised(g: Glcm) -> Array:
    """Σ p_ij / (1 + (i - j)² / N²), N the largest grey level of the region."""
    return g.sum(g.p / (1 + ((g.i - g.j) / g.cells.n_levels) ** 2))


@feature("cm_inv_var", "Inverse variance", "E8JP")
def inverse_variance(g: Glcm) -> Array:
    """Σ p_ij / (i - j)² over cells off the diagonal."""
    squared = (g.i - g.j) ** 2
    return g.sum(np.divide(g.p, squared, out=np.zeros_like(g.p), where=squared > 0))


@feature("cm_corr", "Correlation", "NI2N")
def correlation(g: Glcm) -> Array:
    """Correlation of the grey levels of neighbours; not defined for a matrix of one grey level."""
    a, b = g.from_mean
    return g.varied(g.sum(a * b * g.p)) / g.varied(g.variance)


@feature("cm_auto_corr", "Autocorrelation", "QWB0")
def autocorrelation(g: Glcm) -> Array:
    """Mean product of grey levels: Σ i j p_ij."""
    return g.sum(g.i * g.j * g.p)


@feature("cm_clust_tend", "Cluster tendency", "DG8W")
def cluster_tendency(g: Glcm) -> Array:
    """Σ (i + j - 2μ)² p_ij."""
    d = np.add(*g.from_mean)
    return g.sum(d * d * g.p)


@feature("cm_clust_shade", "Cluster shade", "7NFM")
def cluster_shade(g: Glcm) -> Array:
    """Σ (i + j - 2μ)³ p_ij."""
    d = np.add(*g.from_mean)
    return g.sum(d * d * d * g.p)


@feature("cm_clust_prom", "Cluster prominence", "AE86")
def cluster_prominence(g: Glcm) -> Array:
    """Σ (i + j - 2μ)⁴ p_ij."""
    d = np.add(*g.from_mean)
    return g.sum((d * d) ** 2 * g.p)


@feature("cm_info_corr1", "Information correlation 1", "R8DG")
def information_correlation_1(g: Glcm) -> Array:
    """(H_xy - H_xy1) / H_x; H_xy1 is twice the entropy of the rows. Not defined for a matrix of one grey level."""
    rows = g.varied(g.rows.entropy)
    return (g.varied(g.entropy) - 2 * rows) / rows


@feature("cm_info_corr2", "Information correlation 2", "JN9H")
def information_correlation_2(g: Glcm) -> Array:
    """√(1 - exp(-2 (H_xy2 - H_xy))); the entropy of independent rows and columns, H_xy2, is twice that of the rows."""
    gain = np.maximum(2 * g.rows.entropy - g.entropy, 0)
    return np.asarray(np.sqrt(-np.expm1(-2 * gain)))
