"""PyRadiomics' neighbours at any distance (`distances`) and its weighted directions (`weightingNorm`).

Slow beside the kernels of direct neighbours, which most files ask for: every step is a pass over the region.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Levels
from radiolocus.feature.glcm import Cells
from radiolocus.feature.matrices import LevelMatrices, added, groups, tally
from radiolocus.feature.ngtdm import Tones
from radiolocus.feature.pyradiomics_parameters import PyradiomicsSettings
from radiolocus.model import Array

__all__ = ["NEAREST", "dependence_at", "lengths", "pairs_at", "steps", "tones_at"]

Whole = npt.NDArray[np.int64]
Box = tuple[slice, ...]

#: Distances of direct neighbours.
NEAREST = (1,)

_NORMS: Mapping[str, Callable[[Array], Array]] = {
    "infinity": lambda steps: steps.max(axis=1),
    "euclidean": lambda steps: np.sqrt((steps**2).sum(axis=1)),
    "manhattan": lambda steps: steps.sum(axis=1),
}


def steps(levels: Levels, settings: PyradiomicsSettings) -> Whole:
    """Return one of each pair of opposite steps (z, y, x) that `distances` ask for, shape (d, 3).

    The distance of a step is that along the axis along which it goes furthest. Steps that no two voxels of the box can
    be apart are left out, and with `force2D` those across slices.
    """
    reach = np.minimum(max(settings.distances), np.array(levels.shape) - 3)
    if settings.force2D:
        reach[settings.force2Ddimension] = 0
    every = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach.tolist()))), dtype=np.int64)
    # In this order a step comes as far behind the middle, where nothing moves, as its opposite comes before it.
    every = every[len(every) // 2 + 1 :]
    return np.asarray(every[np.isin(np.abs(every).max(axis=1), settings.distances)])


def lengths(moves: Whole, settings: PyradiomicsSettings, spacing: Array) -> Array:
    """Return the length of each step in mm in the norm of `weightingNorm`; 1 without weights."""
    norm = settings.weightingNorm
    if norm is None or norm not in _NORMS:
        return np.ones(len(moves))
    return _NORMS[norm](np.abs(moves) * spacing)


def pairs_at(levels: Levels, settings: PyradiomicsSettings, spacing: Array) -> Cells:
    """Count co-occurring grey levels: a matrix a step, or with `weightingNorm` the sum of weighted ones.

    Without `symmetricalGLCM` a pair is counted in the direction of its step only, from the row to the column.

    Parameters
    ----------
    levels : ndarray of integers, shape (z + 2, y + 2, x + 2)
        Grey levels on the bounding box of the region with one voxel of 0 on every side.
    settings : PyradiomicsSettings
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.

    Raises
    ------
    UndefinedError
        All weights are 0: exp(-d²) of a distance of 28 mm or more.
    """
    n, moves = int(levels.max()), steps(levels, settings)
    weight = (
        np.exp(-(lengths(moves, settings, spacing) ** 2)) if settings.weightingNorm in _NORMS else np.ones(len(moves))
    )
    keys, counts = [np.empty(0, np.int64)], [np.empty(0)]
    for number, (_, here, there) in enumerate(_moved(levels, moves)):
        pair = (here > 0) & (there > 0)
        a, b = here[pair].astype(np.int64) - 1, there[pair].astype(np.int64) - 1
        both = [a * n + b, b * n + a] if settings.symmetricalGLCM else [a * n + b]
        cell, times = np.unique(np.concatenate(both), return_counts=True)
        keys.append((0 if settings.weightingNorm else number) * n * n + cell)
        counts.append(weight[number] * times)
    found, where = np.unique(np.concatenate(keys), return_inverse=True)
    count = added(where, np.concatenate(counts))
    if found.size and not count.any():
        raise UndefinedError(
            f"weightingNorm = '{settings.weightingNorm}' gives every direction the weight 0 on voxels of "
            f"{' x '.join(f'{s:g}' for s in spacing)} mm (z, y, x)",
            allowed="voxels of a few mm: the weight is exp(-d²) of the distance d in mm",
            todo="leave weightingNorm out, or resample",
        )
    matrix, cell = np.divmod(found, n * n)
    row, column = np.divmod(cell, n)
    return Cells(matrix, row + 1, column + 1, count, n)


def dependence_at(levels: Levels, settings: PyradiomicsSettings) -> LevelMatrices:
    """Count voxels by grey level and by how many neighbours at `distances` differ by `gldm_a` at most, plus 1."""
    there_are = np.ones(levels.shape, dtype=np.int64)
    for at, here, there in _both_ways(levels.astype(np.int32), settings):
        there_are[at] += (there > 0) & (np.abs(here - there) <= settings.gldm_a)
    inside = levels > 0
    level = levels[inside].astype(np.int64)
    return tally(np.zeros_like(level), level, there_are[inside], np.array([level.size], dtype=np.float64))


def tones_at(levels: Levels, settings: PyradiomicsSettings) -> Tones:
    """Add up by grey level how far voxels are from the mean of their neighbours at `distances`; without any, 0."""
    total, near = np.zeros(levels.shape), np.zeros(levels.shape)
    for at, _, there in _both_ways(levels, settings):
        total[at] += there
        near[at] += there > 0
    mean = np.divide(total, near, out=levels.astype(np.float64), where=near > 0)
    inside = levels > 0
    level = levels[inside].astype(np.int64)
    found, count = groups(level)
    _, difference = groups(level, np.abs(level - mean[inside]))
    return Tones(np.zeros(found.size, dtype=np.int64), found, count, difference)


def _moved(levels: Levels, moves: Whole) -> Iterator[tuple[Box, Levels, Levels]]:
    """Yield for each step where the voxels lie that have another one a step away, their levels, and the others'."""
    for move in moves.tolist():
        sides = list(zip(move, levels.shape, strict=True))
        here = tuple(slice(max(-o, 0), n - max(o, 0)) for o, n in sides)
        there = tuple(slice(max(o, 0), n - max(-o, 0)) for o, n in sides)
        yield here, levels[here], levels[there]


def _both_ways(levels: Levels, settings: PyradiomicsSettings) -> Iterator[tuple[Box, Levels, Levels]]:
    moves = steps(levels, settings)
    return _moved(levels, np.concatenate([moves, -moves]))
