"""Texture matrices as PyRadiomics makes them, handed to our features of the same definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Levels
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.glcm import OFFSETS_3D, Glcm, Marginal, count_cells
from radiolocus.feature.glrlm import list_runs
from radiolocus.feature.matrices import LevelMatrices, added, tally
from radiolocus.feature.neighbours import compared
from radiolocus.feature.ngtdm import Tones
from radiolocus.feature.pyradiomics_names import SAME
from radiolocus.feature.pyradiomics_parameters import PyradiomicsSettings
from radiolocus.feature.pyradiomics_steps import NEAREST, dependence_at, lengths, pairs_at, tones_at
from radiolocus.kernels.zones import label_zones
from radiolocus.model import Array

__all__ = ["TEXTURE", "texture"]

Whole = npt.NDArray[np.int64]

_FAMILY = {"glcm": "glcm", "glrlm": "glrlm", "glszm": "glszm", "gldm": "ngldm", "ngtdm": "ngtdm"}


@dataclass(frozen=True, eq=False)
class Pairs(Glcm):
    """Co-occurrence matrices, with the number of grey levels of the region: some may come in no pair."""

    present: int

    @property
    def columns(self) -> Marginal:
        """Probability of a column: that of the row."""
        return self.rows

    @property
    def product(self) -> Array:
        """Product of the standard deviations of row and column in each matrix."""
        return self.variance


@dataclass(frozen=True, eq=False)
class OneWay(Pairs):
    """Co-occurrence matrices of pairs counted one way only (`symmetricalGLCM`): columns have moments of their own."""

    @cached_property
    def from_mean(self) -> tuple[Array, Array]:
        """Row less the mean row of its matrix, and column less the mean column, for each cell."""
        column = self.sum(self.j * self.p)
        return self.i - self.mean[self.matrix], self.j - column[self.matrix]

    @cached_property
    def columns(self) -> Marginal:
        """Probability of a column."""
        return self._marginal(self.cells.column)

    @property
    def product(self) -> Array:
        """Product of the standard deviations of row and column in each matrix."""
        return np.sqrt(self.variance * self.sum(self.from_mean[1] ** 2 * self.p))


def directions(levels: Levels, settings: PyradiomicsSettings) -> Whole:
    """Return one of each pair of opposite neighbours (z, y, x) among which a region can have any.

    Parameters
    ----------
    levels : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels on the bounding box of the region with one voxel of 0 on every side.
    settings : PyradiomicsSettings
        With `force2D`, none along `force2Ddimension`.
    """
    moving = np.array(levels.shape) > 3
    if settings.force2D:
        moving[settings.force2Ddimension] = False
    still: Whole = OFFSETS_3D[:, ~moving]
    return np.asarray(OFFSETS_3D[(still == 0).all(axis=1)])


def texture(name: str, levels: Levels, settings: PyradiomicsSettings, spacing: Array) -> Any:
    """Return the matrices of class `name`, which its features in :data:`TEXTURE` take.

    Parameters
    ----------
    name : {"glcm", "glrlm", "glszm", "gldm", "ngtdm"}
    levels : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels on the bounding box of the region with one voxel of 0 on every side.
    settings : PyradiomicsSettings
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm, for `weightingNorm`.

    Raises
    ------
    UndefinedError
        No two voxels of the region are neighbours, none lie on a line, or all directions have the weight 0.
    """
    return _MATRICES[name](levels, directions(levels, settings), settings, spacing)


def _glcm(levels: Levels, offsets: Whole, settings: PyradiomicsSettings, spacing: Array) -> Pairs:
    direct = settings.distances == NEAREST and settings.weightingNorm is None and settings.symmetricalGLCM
    cells = count_cells(levels, offsets, by_slice=False) if direct else pairs_at(levels, settings, spacing)
    if cells.count.size == 0:
        raise UndefinedError("no two voxels of the region are neighbours", allowed="at least two neighbouring voxels")
    return (Pairs if settings.symmetricalGLCM else OneWay)(cells, _present(levels).size)


def _present(levels: Levels) -> Whole:
    """Return the grey levels that come in a region, in order."""
    return np.flatnonzero(np.bincount(levels.ravel())[1:]) + 1


def _glrlm(levels: Levels, offsets: Whole, settings: PyradiomicsSettings, spacing: Array) -> LevelMatrices:
    matrix, level, length, count = list_runs(levels, offsets, by_slice=False)
    lined = np.array([_has_line(levels, offset) for offset in offsets])
    if not lined.any():
        raise UndefinedError("no two voxels of the region lie on a line", allowed="at least two voxels in a direction")
    some = lined[matrix]
    matrix, level, length, count = matrix[some], level[some], length[some], count[some]
    if settings.weightingNorm is None:
        return tally(matrix, level, length, added(matrix, length * count), count)
    weighted = lengths(offsets, settings, spacing)[matrix] * count
    return tally(np.zeros_like(matrix), level, length, np.array([(length * weighted).sum()]), weighted)


def _has_line(levels: Levels, offset: Whole) -> bool:
    """Say whether two voxels of the region lie on a line in a direction; PyRadiomics leaves out one without any."""
    voxels = np.count_nonzero(levels)
    box = [n - 2 for n in levels.shape]
    steps = math.prod(n - abs(o) for n, o in zip(box, offset.tolist(), strict=True))
    if voxels > math.prod(box) - steps:  # more voxels than the box has lines
        return True
    at = np.argwhere(levels)
    axis = int(np.flatnonzero(offset)[0])
    start = at - (at[:, axis] * offset[axis])[:, None] * offset
    span = 4 * max(levels.shape)
    keys = ((start[:, 0] + span) * 3 * span + start[:, 1] + span) * 3 * span + start[:, 2] + span
    return bool(np.unique(keys).size < keys.size)


def _glszm(levels: Levels, offsets: Whole, settings: PyradiomicsSettings, spacing: Array) -> LevelMatrices:
    _, level, size, _ = label_zones(levels, offsets)
    voxels = np.array([np.count_nonzero(levels)], dtype=np.float64)
    return tally(np.zeros(level.size, dtype=np.int64), level, size, voxels)


def _gldm(levels: Levels, offsets: Whole, settings: PyradiomicsSettings, spacing: Array) -> LevelMatrices:
    if settings.distances != NEAREST:
        return dependence_at(levels, settings)
    voxels = np.array([np.count_nonzero(levels)], dtype=np.float64)
    if settings.gldm_a == 0:
        d = compared(levels, offsets, within_slices=False).dependence
        return tally(d.plane, d.level, d.alike + 1, voxels, d.count)
    at = levels > 0
    dependent = _dependent(levels.astype(np.int32), offsets, settings.gldm_a)[at] + 1
    return tally(np.zeros(dependent.size, dtype=np.int64), levels[at], dependent, voxels)


def _dependent(levels: Levels, offsets: Whole, alpha: int) -> Whole:
    """Count for each voxel the neighbours in the region whose level is at most `alpha` away, shape of `levels`."""
    out = np.zeros(levels.shape, dtype=np.int64)
    inside = (slice(1, -1),) * 3
    here = levels[inside]
    for offset in [*offsets.tolist(), *(-offsets).tolist()]:
        there = levels[tuple(slice(1 + o, n - 1 + o) for o, n in zip(offset, levels.shape, strict=True))]
        out[inside] += (there > 0) & (np.abs(here - there) <= alpha)
    return out


def _ngtdm(levels: Levels, offsets: Whole, settings: PyradiomicsSettings, spacing: Array) -> Tones:
    # A voxel without neighbour counts here, with a difference of 0; IBSI leaves it out.
    if settings.distances != NEAREST:
        return tones_at(levels, settings)
    tone = compared(levels, offsets, within_slices=False).tone
    found = _present(levels)
    s = np.zeros(found.size)
    s[np.searchsorted(found, tone.level)] = tone.difference
    count = np.bincount(levels.ravel())[found].astype(np.float64)
    return Tones(np.zeros(found.size, dtype=np.int64), found, count, s)


_MATRICES: dict[str, Callable[[Levels, Whole, PyradiomicsSettings, Array], Any]] = {
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldm": _gldm,
    "ngtdm": _ngtdm,
}


def _correlation(g: Pairs) -> Array:
    """Correlation; 1 where all rows or all columns are one grey level."""
    a, b = g.from_mean
    return np.divide(g.sum(a * b * g.p), g.product, out=np.ones(g.m), where=g.product > 0)


def _imc1(g: Pairs) -> Array:
    """First informational measure of correlation; 0 for a matrix of one grey level."""
    rows, columns = g.rows.entropy, g.columns.entropy
    larger = np.maximum(rows, columns)
    return np.divide(g.entropy - rows - columns, larger, out=np.zeros(g.m), where=larger > 0)


def _imc2(g: Pairs) -> Array:
    """Second informational measure of correlation."""
    shared = np.maximum(g.rows.entropy + g.columns.entropy - g.entropy, 0)
    return np.asarray(np.sqrt(-np.expm1(-2 * shared)))


def _mcc(g: Pairs) -> Array:
    """Maximal correlation coefficient: square root of the second eigenvalue of Q; 1 for a region of one grey level.

    Q_ij = Σ_k p_ik p_jk / (p_i. p_.k + ε): PyRadiomics' ε of 2.2e-16 shifts the result by up to 1e-6, so it is kept,
    and so is its way with a second eigenvalue below 0, which is left out unless some eigenvalue is complex.
    """
    if g.present < 2:
        return np.ones(g.m)
    known = np.union1d(g.cells.row, g.cells.column)
    p = np.zeros((g.m, g.present, g.present))
    p[g.matrix, np.searchsorted(known, g.cells.row), np.searchsorted(known, g.cells.column)] = g.p
    row, column = p.sum(axis=2, keepdims=True), p.sum(axis=1, keepdims=True)
    q = p / (row * column + np.spacing(1)) @ p.swapaxes(1, 2)
    with np.errstate(invalid="ignore"):
        second = np.sqrt(np.sort(np.linalg.eigvals(q), axis=1)[:, -2])
    return np.asarray(second[~np.isnan(second)].real)


def _busyness(t: Tones) -> Array:
    """Busyness; 0 where its divisor is 0."""
    return np.divide(t.weighted, t.spread, out=np.zeros(t.m), where=t.spread > 0)


#: What differs from ours where a matrix holds a single grey level or a divisor is 0, or what we do not have.
_OWN: dict[str, dict[str, Callable[[Any], Array]]] = {
    "glcm": {"Correlation": _correlation, "Imc1": _imc1, "Imc2": _imc2, "MCC": _mcc},
    "ngtdm": {"Busyness": _busyness},
}

#: Class → PyRadiomics' name → function of the matrices, one value a matrix, of which PyRadiomics takes the mean.
TEXTURE: Mapping[str, Mapping[str, Callable[[Any], Array]]] = {
    name: {theirs: FAMILIES[_FAMILY[name]].features[ours].compute for theirs, ours in same.items()} | _OWN.get(name, {})
    for name, same in SAME.items()
}
